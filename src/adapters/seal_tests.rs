//! What is sealed opens with its key, purpose and place alone, and keys and second parts can be replaced.

use super::*;

fn keys(current: u8, other: Option<u8>) -> Keys {
    with_second((current, other), (None, None))
}

/// Keys and second parts of these bytes; of a second part `Some(0)` is the word `none`.
fn with_second((key, other): (u8, Option<u8>), (second, other_second): (Option<u8>, Option<u8>)) -> Keys {
    let bytes = |byte| [byte; KEY_LENGTH];
    let part = |byte: u8| if byte == 0 { SecondPart::None } else { SecondPart::Bytes(bytes(byte)) };
    let seconds = (second.map_or(SecondPart::None, part), other_second.map(part));
    Keys::new((bytes(key), other.map(bytes)), seconds).unwrap()
}

#[test]
fn what_was_sealed_opens_for_its_purpose_and_place_only() {
    let keys = keys(1, None);
    let sealed = keys.seal(Purpose::Session, "here", b"canary").unwrap();
    assert!(!sealed.contains("canary"));
    assert_eq!(keys.open(Purpose::Session, "here", &sealed).as_deref(), Some(b"canary".as_slice()));
    assert_eq!(keys.open(Purpose::Session, "there", &sealed), None);
    for purpose in Purpose::ALL.into_iter().filter(|purpose| *purpose != Purpose::Session) {
        assert_eq!(keys.open(purpose, "here", &sealed), None, "{purpose:?}");
    }
    assert_ne!(keys.seal(Purpose::Session, "here", b"canary").unwrap(), sealed, "never twice the same");
}

#[test]
fn nothing_that_was_changed_in_any_way_opens() {
    let keys = keys(1, None);
    let sealed = keys.seal(Purpose::Form, "", b"text").unwrap();
    let bytes = BASE64URL_NOPAD.decode(sealed.as_bytes()).unwrap();
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << bit;
            assert_eq!(keys.open(Purpose::Form, "", &BASE64URL_NOPAD.encode(&changed)), None, "byte {index}");
        }
    }
    for length in 0..bytes.len() {
        assert_eq!(keys.open(Purpose::Form, "", &BASE64URL_NOPAD.encode(&bytes[..length])), None);
    }
    for wrong in ["", "!", "AQ", "é"] {
        assert_eq!(keys.open(Purpose::Form, "", wrong), None, "{wrong}");
    }
}

#[test]
fn a_key_that_is_replaced_opens_as_long_as_it_is_the_other_one() {
    let sealed = keys(1, None).seal(Purpose::Credential, "c-1", b"text").unwrap();
    assert!(keys(2, Some(1)).open(Purpose::Credential, "c-1", &sealed).is_some());
    assert!(keys(2, None).open(Purpose::Credential, "c-1", &sealed).is_none());
    for (keys, expected) in [
        (keys(1, Some(2)), SealedBy::Current),
        (keys(2, Some(1)), SealedBy::Other),
        (keys(2, Some(3)), SealedBy::Unknown),
    ] {
        assert_eq!(keys.sealed_by(&sealed), expected);
    }
    assert_eq!(["", "é", "AQ"].map(|text| keys(1, None).sealed_by(text)), [SealedBy::Unknown; 3]);
}

/// Whatever is done to the files, and in whatever order.
#[test]
fn a_key_that_goes_from_the_folders_still_opens_credentials_and_nothing_else() {
    for (before, after) in [
        (keys(2, Some(1)), keys(2, None)),
        (keys(1, None), keys(2, None)),
        (keys(1, Some(2)), keys(3, Some(2))),
        (with_second((1, None), (Some(7), None)), with_second((1, None), (Some(8), None))),
        (with_second((1, None), (Some(8), Some(0))), with_second((1, None), (Some(8), None))),
        (with_second((1, None), (Some(0), None)), with_second((1, None), (Some(8), None))),
        (with_second((1, None), (Some(7), None)), keys(1, None)),
    ] {
        let gone = before.in_folders().find(|key| after.in_folders().all(|here| here.id != key.id)).unwrap().clone();
        let alone = Keys { current: gone, others: Vec::new(), dropped: Vec::new() };
        let sealed = Purpose::ALL.map(|purpose| alone.seal(purpose, "here", b"text").unwrap());
        let opens = |keys: &Keys| {
            let each = Purpose::ALL.into_iter().zip(&sealed);
            each.filter(|(purpose, sealed)| keys.open(*purpose, "here", sealed).is_some()).map(|(it, _)| it).collect()
        };
        let nothing: Vec<Purpose> = Vec::new();
        assert_eq!(opens(&after), nothing);
        let after = after.after(&before);
        assert_eq!((opens(&after), after.dropped()), (vec![Purpose::Credential], 1));
        let SealedBy::Dropped(id) = after.sealed_by(&sealed[0]) else { panic!("{:?}", after.sealed_by(&sealed[0])) };
        // It stays through the next change, comes back with its file, and goes when nothing needs it.
        let later = keys(9, None).after(&after);
        assert_eq!((opens(&later), later.sealed_by(&sealed[0])), (vec![Purpose::Credential], SealedBy::Dropped(id)));
        assert_eq!(opens(&later.keeping(&HashSet::from([id]))), [Purpose::Credential]);
        assert_eq!(opens(&later.keeping(&HashSet::new())), nothing);
        let back = before.after(&after);
        assert_ne!(back.sealed_by(&sealed[0]), SealedBy::Dropped(id));
        assert_eq!(opens(&back), Purpose::ALL);
    }
}

#[test]
fn with_a_second_part_neither_opens_anything_alone() {
    let whole = with_second((1, None), (Some(9), None));
    let sealed = whole.seal(Purpose::Credential, "c-1", b"text").unwrap();
    let opens = |keys: &Keys| keys.open(Purpose::Credential, "c-1", &sealed).is_some();
    assert!(opens(&whole));
    for other in
        [keys(1, None), keys(9, None), with_second((1, None), (Some(8), None)), with_second((9, None), (Some(1), None))]
    {
        assert!(!opens(&other));
    }
    // What the key alone sealed is nothing once the second part is there: whoever has the key alone could have made it.
    let forged = keys(1, None).seal(Purpose::Session, "", b"text").unwrap();
    assert!(whole.open(Purpose::Session, "", &forged).is_none());
}

#[test]
fn a_second_part_is_introduced_replaced_and_given_up_as_a_key_is() {
    let (old, none) = (7, 0);
    // What it was, the two steps of its replacement, and what it is then.
    for (before, after) in [(none, old), (old, 8), (old, none)] {
        let keys = |parts| with_second((1, None), parts);
        let steps = [
            keys((Some(before), None)),
            keys((Some(before), Some(after))),
            keys((Some(after), Some(before))),
            keys((Some(after), None)),
        ];
        for [one, next] in [[0, 1], [1, 2], [2, 3]] {
            // Replicas of two steps run at the same time.
            let sealed = [&steps[one], &steps[next]].map(|keys| keys.seal(Purpose::Form, "", b"x").unwrap());
            let is_last = next == 3;
            assert!(is_last || steps[one].open(Purpose::Form, "", &sealed[1]).is_some(), "{before} {after} {one}");
            assert!(steps[next].open(Purpose::Form, "", &sealed[0]).is_some(), "{before} {after} {one}");
        }
        assert!(!steps[1].are_the_same(&steps[2]) && !steps[0].are_the_same(&steps[3]));
        let sealed = steps[0].seal(Purpose::Form, "", b"x").unwrap();
        assert_eq!(steps[2].sealed_by(&sealed), SealedBy::Other, "it is sealed anew");
        assert!(steps[3].open(Purpose::Form, "", &sealed).is_none());
    }
    // A key and its second part at once, as of a backup that was stolen.
    let sealed = with_second((1, None), (Some(7), None)).seal(Purpose::Form, "", b"x").unwrap();
    assert!(with_second((2, Some(1)), (Some(8), Some(7))).open(Purpose::Form, "", &sealed).is_some());
}

#[tokio::test]
async fn a_second_part_is_read_from_a_folder_of_its_own() {
    let [first, second] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let key = |byte| data_encoding::BASE64.encode(&[byte; 32]);
    std::fs::write(first.path().join("current"), key(1)).unwrap();
    let folders =
        |second: Option<&Path>| Folders { keys: first.path().to_owned(), second_part: second.map(Path::to_owned) };
    let error = Keys::read(&folders(Some(second.path()))).await.unwrap_err().to_string();
    assert!(error.contains(&second.path().join("current").display().to_string()), "{error}");
    let alone = Keys::read(&folders(None)).await.unwrap();
    std::fs::write(second.path().join("current"), "none\n").unwrap();
    std::fs::write(second.path().join("other"), key(9)).unwrap();
    let introduced = Keys::read(&folders(Some(second.path()))).await.unwrap();
    let sealed = alone.seal(Purpose::Session, "", b"x").unwrap();
    assert!(introduced.open(Purpose::Session, "", &sealed).is_some());
    assert_eq!(introduced.sealed_by(&sealed), SealedBy::Current);
    std::fs::write(second.path().join("other"), "canary").unwrap();
    let error = Keys::read(&folders(Some(second.path()))).await.unwrap_err().to_string();
    assert!(error.contains("/other must hold 32 random bytes") && !error.contains("canary"), "{error}");
}

#[tokio::test]
async fn keys_are_read_from_files_that_are_named_when_they_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let folders = Folders { keys: folder.path().to_owned(), second_part: None };
    let file = |name: &str| folder.path().join(name);
    let error = Keys::read(&folders).await.unwrap_err().to_string();
    assert!(error.starts_with("failed to read ") && error.contains("/current: "), "{error}");
    std::fs::write(file("current"), "canary").unwrap();
    let error = Keys::read(&folders).await.unwrap_err().to_string();
    assert!(error.contains("/current must hold 32 random bytes in base64") && !error.contains("canary"), "{error}");
    std::fs::write(file("current"), format!("{}\n", data_encoding::BASE64.encode(&[7; 32]))).unwrap();
    let keys = Keys::read(&folders).await.unwrap();
    std::fs::write(file("other"), data_encoding::BASE64.encode(&[7; 32])).unwrap();
    std::fs::write(file("current"), data_encoding::BASE64.encode(&[8; 32])).unwrap();
    let sealed = keys.seal(Purpose::Session, "", b"x").unwrap();
    assert!(Keys::read(&folders).await.unwrap().open(Purpose::Session, "", &sealed).is_some());
    assert_eq!(format!("{keys:?}"), "Keys(redacted)");
}
