//! Codes of the RFC, and that none works twice, late, or in another spelling than people type.

use super::*;
use crate::domain::typed::tests::decorated;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The secret of RFC 6238 appendix B.
fn rfc() -> TotpSecret {
    TotpSecret::new(*b"12345678901234567890")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn code(secret: &TotpSecret, step: u64) -> String {
    format!("{:06}", secret.code(step).unwrap())
}

fn ten() -> RecoveryCodes {
    RecoveryCodes::new(&std::array::from_fn(|at| u8::try_from(at * 37 % 251).unwrap()))
}

#[test]
fn the_codes_are_those_of_rfc_6238() {
    for (second, eight_digits) in [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ] {
        let step = u64::try_from(second / 30).unwrap();
        assert_eq!(accepted_step(&rfc(), &eight_digits[2..], at(second), None), Some(step), "{second}");
    }
}

#[test]
fn a_code_works_in_its_half_minute_and_the_ones_beside_it() {
    let typed = code(&rfc(), 100);
    for (second, expected) in [
        (2969, None),
        (2970, Some(100)),
        (3000, Some(100)),
        (3029, Some(100)),
        (3059, Some(100)),
        (3060, None),
        (-3000, None),
    ] {
        assert_eq!(accepted_step(&rfc(), &typed, at(second), None), expected, "{second}");
    }
    assert_eq!(accepted_step(&rfc(), &code(&rfc(), 0), at(0), None), Some(0));
    assert_eq!(accepted_step(&rfc(), &code(&rfc(), 0), Timestamp::MIN, None), None);
}

#[test]
fn a_code_works_once_and_no_earlier_one_works_after_it() {
    let now = at(3015);
    for (last_used, typed, expected) in [
        (None, 100, Some(100)),
        (Some(98), 99, Some(99)),
        (Some(99), 99, None),
        (Some(99), 100, Some(100)),
        (Some(100), 100, None),
        (Some(100), 99, None),
        (Some(100), 101, Some(101)),
        (Some(101), 101, None),
        (Some(u64::MAX), 101, None),
    ] {
        assert_eq!(accepted_step(&rfc(), &code(&rfc(), typed), now, last_used), expected, "{last_used:?} {typed}");
    }
}

#[test]
fn two_steps_with_one_code_count_as_the_newer() {
    let twice = 910_737;
    assert_eq!(rfc().code(twice), rfc().code(twice + 1));
    let now = at(910_737 * 30);
    assert_eq!(accepted_step(&rfc(), &code(&rfc(), twice), now, None), Some(twice + 1));
    assert_eq!(accepted_step(&rfc(), &code(&rfc(), twice), now, Some(twice + 1)), None);
}

#[test]
fn six_digits_are_a_code_as_people_type_them_and_nothing_else_is() {
    assert_eq!(code(&rfc(), 1), "287082");
    for (typed, is_accepted) in [
        ("287082", true),
        ("287 082", true),
        (" 28 70 82\u{a0}\n", true),
        ("", false),
        ("      ", false),
        ("28708", false),
        ("2870820", false),
        ("287082287082", false),
        ("287-082", true),
        ("287\u{2013}082", true),
        ("２８７０８２", true),
        ("٢٨٧٠٨٢", true),
        ("۲۸۷ ۰۸۲", true),
        ("\u{200e}287082\u{200b}", true),
        ("+287082", false),
        ("287.082", false),
        ("28708a", false),
        ("28708\u{bd}", false),
    ] {
        assert_eq!(accepted_step(&rfc(), typed, at(59), None).is_some(), is_accepted, "{typed:?}");
    }
    assert_eq!(typed_code("000001"), Some(1), "zeros in front count as digits");
}

#[test]
fn a_secret_is_typed_in_groups_of_four() {
    assert_eq!(rfc().typed(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    assert_eq!(TotpSecret::new(*rfc().expose()).typed(), rfc().typed());
}

#[test]
fn an_app_reads_clinic_address_and_secret() {
    const END: &str = "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=";
    let ana = Email::parse("ana+x@maple.example").unwrap();
    for (clinic, issuer) in [
        ("Maple", "Maple"),
        ("Maple Family Clinic", "Maple%20Family%20Clinic"),
        ("Ann & Bob's: 100% / ?#", "Ann%20%26%20Bob%27s%3A%20100%25%20%2F%20%3F%23"),
        ("河畔", "%E6%B2%B3%E7%95%94"),
    ] {
        let expected = format!("otpauth://totp/ana%2Bx%40maple.example{END}{issuer}");
        assert_eq!(rfc().uri(clinic, &ana), expected);
        let read = url::Url::parse(&expected).unwrap();
        assert!(read.query_pairs().any(|(key, value)| key == "issuer" && value == clinic), "{clinic}");
    }
}

#[test]
fn a_clinics_name_ends_where_the_picture_would_grow_too_fine() {
    for (clinic, room, expected) in [
        ("Maple Family Clinic", 100, "Maple Family Clinic"),
        ("Maple Family Clinic", 23, "Maple Family Clinic"),
        ("Maple Family Clinic", 22, "Maple Family"),
        ("Maple Family Clinic", 14, "Maple Family"),
        ("Maple Family Clinic", 13, "Maple"),
        ("Maple", 3, "Map"),
        ("ᐃᓅᓯᓕᕆᔨᒃᑯᑦ", 27, "ᐃᓅᓯ"),
        ("ᐃᓅᓯ ᓕᕆᔨᒃᑯᑦ", 60, "ᐃᓅᓯ"),
        ("", 27, ""),
    ] {
        assert_eq!(beginning(clinic, room), expected, "{clinic} in {room}");
    }
}

#[test]
fn recovery_codes_are_ten_of_120_bits_in_groups_without_look_alikes() {
    let shown: Vec<String> = ten().shown().collect();
    assert_eq!(shown.len(), 10);
    assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), 10);
    for code in &shown {
        assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4; 6], "{code}");
        assert!(
            !code.contains(['I', 'L', 'O', 'U']) && code.bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte))
        );
    }
    let all_ones = RecoveryCodes::new(&[0xff; RECOVERY_BYTES]);
    assert_eq!(all_ones.shown().next().unwrap(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ");
    let first_bit = RecoveryCodes::new(&std::array::from_fn(|at| if at == 0 { 0x80 } else { 0 }));
    assert_eq!(first_bit.shown().next().unwrap(), "G000-0000-0000-0000-0000-0000");
}

#[test]
fn a_recovery_code_is_read_as_people_type_it() {
    let codes = RecoveryCodes::new(&std::array::from_fn(|at| if at < 15 { 0x08 } else { u8::try_from(at).unwrap() }));
    let digests = codes.digests();
    let shown = codes.shown().next().unwrap();
    let smooth = shown.replace('-', "");
    assert!(smooth.contains('0') && smooth.contains('1'));
    for typed in [
        shown.clone(),
        shown.to_lowercase(),
        smooth.clone(),
        shown.replace('-', " "),
        shown.replace('-', "\u{2013}"),
        format!("  {shown}\n"),
        shown.replace('0', "o").replace('1', "l"),
        shown.replace('0', "O").replace('1', "I"),
        smooth.replace('0', "０"),
        shown.replace('-', "\u{2011}\u{200b}"),
        shown.replace('-', "\u{ff0d}"),
    ] {
        assert_eq!(redeem(&digests, &[], &typed), Some(0), "{typed}");
    }
    for wrong in [
        String::new(),
        "-".repeat(500),
        smooth[1..].to_owned(),
        format!("{smooth}0"),
        smooth.repeat(2),
        format!("{}U", &smooth[1..]),
        format!("{}é", &smooth[1..]),
        smooth.replace('0', "Ø"),
        digests[0].clone(),
    ] {
        assert_eq!(redeem(&digests, &[], &wrong), None, "{wrong}");
    }
}

#[test]
fn a_recovery_code_works_once_and_the_others_still_do() {
    let digests = ten().digests();
    assert!(digests.iter().all(|digest| digest.len() == 64 && HEXLOWER.decode(digest.as_bytes()).is_ok()));
    for (index, code) in (0_u32..).zip(ten().shown()) {
        let others: Vec<u32> = (0..10).filter(|other| *other != index).collect();
        assert_eq!(redeem(&digests, &[], &code), Some(index));
        assert_eq!(redeem(&digests, &others, &code), Some(index));
        assert_eq!(redeem(&digests, &[index], &code), None);
        assert_eq!(redeem(&[], &[], &code), None);
    }
}

#[test]
fn what_is_kept_is_the_hash_of_the_code_without_hyphens() {
    let codes = RecoveryCodes::new(&[0; RECOVERY_BYTES]);
    assert_eq!(codes.digests()[0], "1aaa7999292f3795cc857ea24de1f4b299ba64b767338f5c8cbe6e93604cc5a5");
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    assert_eq!(format!("{:?} {:?}", rfc(), ten()), "TotpSecret(redacted) RecoveryCodes(redacted)");
}

proptest! {
    #[test]
    fn every_code_is_accepted_where_it_is_shown(bytes in any::<[u8; 20]>(), second in 60_i64..200_000_000_000, skew in -1_i64..=1) {
        let secret = TotpSecret::new(bytes);
        let step = u64::try_from(second / 30 + skew).unwrap();
        let accepted = accepted_step(&secret, &code(&secret, step), at(second), None);
        prop_assert!(accepted.is_some_and(|accepted| accepted >= step));
        prop_assert_eq!(accepted_step(&secret, &code(&secret, step), at(second), accepted), None);
    }

    #[test]
    fn a_right_code_is_right_and_a_wrong_one_wrong_however_it_is_decorated(
        bytes in any::<[u8; 20]>(), step in 2_u64..1_000_000, at in 0_usize..6, by in 1_u32..10,
        choices in proptest::collection::vec(0_usize..1000, 1..12),
    ) {
        let secret = TotpSecret::new(bytes);
        let now = self::at(i64::try_from(step * STEP).unwrap());
        let right = code(&secret, step);
        let digit = |(index, digit): (usize, char)| if index == at { (digit.to_digit(10).unwrap() + by) % 10 } else { digit.to_digit(10).unwrap() };
        let wrong: String = right.chars().enumerate().map(digit).map(|digit| digit.to_string()).collect();
        for (typed, plain) in [(decorated(&right, &choices), &right), (decorated(&wrong, &choices), &wrong)] {
            let read = accepted_step(&secret, &typed, now, None);
            prop_assert_eq!(read, accepted_step(&secret, plain, now, None), "{:?}", typed);
            prop_assert!(is_code(&typed));
        }
    }

    #[test]
    fn a_recovery_code_is_right_and_another_wrong_however_it_is_decorated(
        bytes in any::<[u8; 20]>(), at in 0_usize..24, choices in proptest::collection::vec(0_usize..1000, 1..12),
    ) {
        let codes = RecoveryCodes::new(&std::array::from_fn(|index| bytes[index % 20]));
        let digests = codes.digests();
        let right = codes.shown().next().unwrap().replace('-', "");
        let other = if right.as_bytes()[at] == b'Z' { "Y" } else { "Z" };
        let wrong = format!("{}{other}{}", &right[..at], &right[at + 1..]);
        prop_assert_eq!(redeem(&digests, &[], &decorated(&right, &choices)), redeem(&digests, &[], &right));
        prop_assert_eq!(redeem(&digests, &[], &decorated(&wrong, &choices)), redeem(&digests, &[], &wrong));
    }

    #[test]
    fn any_text_gets_an_answer(typed in proptest::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter)) {
        prop_assert_eq!(redeem(&ten().digests(), &[], &typed), None);
        let is_code = accepted_step(&rfc(), &typed, at(59), None).is_some();
        prop_assert!(!is_code || typed.chars().filter(char::is_ascii_digit).count() == 6);
    }
}
