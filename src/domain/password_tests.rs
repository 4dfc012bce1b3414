//! What may be a password, and that nothing which may is counted, compared or shown in another way.

use super::*;
use crate::domain::email::Email;
use PasswordFault as F;
use proptest::prelude::*;

const TOO_SHORT: F = F::TooShort { minimum: 15 };
const TOO_SHORT_FOR_TWO: F = F::TooShort { minimum: 8 };
const TOO_LONG: F = F::TooLong { maximum: 256 };

fn faults(text: &str, minimum: Minimum, own: &OwnWords) -> Vec<F> {
    check(text, minimum, own).err().unwrap_or_default()
}

fn alone(text: &str) -> Vec<F> {
    faults(text, Minimum::Alone, &OwnWords::default())
}

fn with_second_factor(text: &str) -> Vec<F> {
    faults(text, Minimum::WithSecondFactor, &OwnWords::default())
}

fn ana() -> OwnWords {
    OwnWords::new("Ana", "Silva", &Email::parse("ana@maple.example").unwrap(), "Maple Family Clinic")
}

/// So many characters without a pattern.
fn long(characters: usize) -> String {
    (0..characters).map(|at| char::from(b'a' + u8::try_from((at * at + at / 7) % 26).unwrap())).collect()
}

#[test]
fn a_password_has_fifteen_characters_or_eight_beside_a_second_factor_and_256_at_most() {
    for (characters, when_alone, with_second) in [
        (0, vec![TOO_SHORT], vec![TOO_SHORT_FOR_TWO]),
        (7, vec![TOO_SHORT], vec![TOO_SHORT_FOR_TWO]),
        (8, vec![TOO_SHORT], vec![]),
        (14, vec![TOO_SHORT], vec![]),
        (15, vec![], vec![]),
        (256, vec![], vec![]),
        (257, vec![TOO_LONG], vec![TOO_LONG]),
        (5000, vec![TOO_LONG], vec![TOO_LONG]),
    ] {
        assert_eq!(alone(&long(characters)), when_alone, "{characters}");
        assert_eq!(with_second_factor(&long(characters)), with_second, "{characters}");
    }
}

/// Else a form of 4,096 digits, which no throttle has counted yet, is looked through once for each of them.
#[test]
fn nothing_else_is_looked_for_in_a_text_that_is_too_long() {
    let words = ana();
    for text in ["1", "ab1", "anasilva", "\u{7}"] {
        for characters in [LONGEST + 1, 4096] {
            let text: String = text.chars().cycle().take(characters).collect();
            assert_eq!(faults(&text, Minimum::Alone, &words), [TOO_LONG], "{text}");
        }
        let longest: String = text.chars().cycle().take(LONGEST).collect();
        assert!(!faults(&longest, Minimum::Alone, &words).is_empty(), "{longest}");
    }
}

#[test]
fn characters_are_code_points_after_composition() {
    for (text, expected) in [
        ("ça déjà vu, Zoë", vec![]),
        ("c\u{327}a de\u{301}ja\u{300} vu, Zoe\u{308}", vec![]),
        ("c\u{327}a de\u{301}ja\u{300} vu Zoe\u{308}", vec![TOO_SHORT]),
        ("青い海の上を白い鳥が飛んでいく", vec![]),
        ("青い海の上を白い鳥が飛ぶ", vec![TOO_SHORT]),
        ("🦆🌲🚲🧀☂🎺🐝🍐⛵🥁🪁🧭🌋🦉🥨", vec![]),
        ("🦆🌲🚲🧀☂🎺🐝🍐⛵🥁🪁🧭🌋🦉", vec![TOO_SHORT]),
    ] {
        assert_eq!(alone(text), expected, "{text}");
    }
}

#[test]
fn whatever_a_keyboard_types_may_stand_in_a_password_and_nothing_else() {
    let own = OwnWords::default();
    for typed in [
        " ",
        "~",
        "\"",
        "\\",
        "\u{a0}",
        "\u{200d}",
        "e\u{301}",
        "ß",
        "李",
        "🧑\u{200d}⚕\u{fe0f}",
        "\u{f8ff}",
        "\u{10fffd}",
    ] {
        let text = format!("three tall{typed}herons wading");
        assert_eq!(faults(&text, Minimum::Alone, &own), [], "{typed:?}");
    }
    for other in ["\0", "\t", "\n", "\r", "\u{7f}", "\u{85}", "\u{378}", "\u{fffe}", "\u{e1000}"] {
        let text = format!("three tall{other}herons wading");
        assert_eq!(faults(&text, Minimum::Alone, &own), [F::NotTypeable], "{other:?}");
    }
}

#[test]
fn no_character_is_asked_for() {
    for text in ["three tall herons wading", "THREETALLHERONSWADING", "830174925619382", "!?!;:,.-_#+*~/({"] {
        assert_eq!(alone(text), [], "{text}");
    }
}

#[test]
fn every_fault_is_told_and_in_order() {
    let common_own = OwnWords::new("Sunshine", "", &Email::parse("a@maple.example").unwrap(), "");
    let everything = format!("sunshine{}\n", "1".repeat(247));
    for (text, own, expected) in [
        ("Ana\n", ana(), vec![TOO_SHORT, F::OwnWords, F::NotTypeable]),
        ("sunshine\n", common_own.clone(), vec![TOO_SHORT, F::Common, F::OwnWords, F::NotTypeable]),
        (&everything, common_own.clone(), vec![F::Common, F::OwnWords, F::NotTypeable]),
        (&format!("{everything}1"), common_own, vec![TOO_LONG]),
        (&"sunshine".repeat(1000), ana(), vec![TOO_LONG]),
        ("Maple Family Clinic 2027!", ana(), vec![F::OwnWords]),
    ] {
        assert_eq!(faults(text, Minimum::Alone, &own), expected, "{text:?}");
    }
}

#[test]
fn what_is_set_is_composed_and_is_what_sign_in_reads() {
    let set = check("c\u{327}a de\u{301}ja\u{300} vu, Zoe\u{308}", Minimum::Alone, &ana()).unwrap();
    assert_eq!(set.expose(), "ça déjà vu, Zoë");
    for typed in ["ça déjà vu, Zoë", "ça de\u{301}jà vu, Zoë"] {
        assert_eq!(normalised(typed).unwrap().expose(), set.expose());
    }
    for other in ["ça déjà vu, Zoë ", "Ça déjà vu, Zoë", "ça déjà vu,  Zoë"] {
        assert_ne!(normalised(other).unwrap().expose(), set.expose());
    }
}

#[test]
fn sign_in_has_no_rule_but_the_longest_length() {
    for text in ["", "a", "password", "a\nb", "\u{378}", &long(256)] {
        assert_eq!(normalised(text).unwrap().expose(), text, "{text:?}");
    }
    for characters in [257, 4097, 1_000_000] {
        assert!(normalised(&long(characters)).is_none(), "{characters}");
    }
}

#[test]
fn the_longest_password_is_read_in_its_longest_spelling() {
    let longest = char::MIN..=char::MAX;
    let (pieces, most) = longest.map(|character| (character.to_string().nfd().count(), character)).max().unwrap();
    assert_eq!(pieces, 4, "{most:?}");
    let composed = "ΰ".repeat(256);
    let decomposed: String = composed.nfd().collect();
    assert!(decomposed.len() > composed.len());
    assert_eq!(normalised(&decomposed).unwrap().expose(), composed);
}

#[test]
fn a_password_does_not_show_in_debug_output() {
    let own = OwnWords::new("Canary", "Canary", &Email::parse("canary@canary.example").unwrap(), "Canary");
    let set = check("canary in the clinic", Minimum::Alone, &own).unwrap();
    let typed = normalised("canary in the clinic").unwrap();
    let refused = check("canary", Minimum::Alone, &own);
    let shown = format!("{set:?} {typed:?} {refused:?} {own:?}");
    assert!(!shown.to_lowercase().contains("canary"), "{shown}");
}

const WORDS: [&str; 12] = [
    "heron",
    "quiet",
    "ladder",
    "été",
    "muffin",
    "Granite",
    "tulip",
    "northward",
    "zèbre",
    "clock",
    "ribbon",
    "saffron",
];

fn random_words() -> impl Strategy<Value = String> {
    (
        proptest::collection::vec(proptest::sample::select(&WORDS[..]), 3..8),
        proptest::sample::select(&[" ", "-", ""][..]),
    )
        .prop_map(|(words, between)| words.join(between))
}

fn typeable() -> impl Strategy<Value = char> {
    any::<char>().prop_map(|character| if is_typeable(character) { character } else { 'x' })
}

/// Any text, and often one of few characters, of marks that compose and of what patterns are made of.
fn any_text() -> impl Strategy<Value = String> {
    let few =
        proptest::sample::select(&['a', 'b', 'é', 'e', '\u{301}', '\u{327}', '1', '2', '!', '각', '\u{11a8}', 'İ'][..]);
    let character = prop_oneof![3 => few, 1 => any::<char>()];
    proptest::collection::vec(character, 0..300).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn texts_that_are_the_same_in_nfc_get_the_same_answer(text in any_text()) {
        let own = ana();
        let (composed, decomposed): (String, String) = (text.nfc().collect(), text.nfd().collect());
        for minimum in [Minimum::Alone, Minimum::WithSecondFactor] {
            let expected = check(&composed, minimum, &own).map(|password| password.expose().to_owned());
            for same in [&text, &decomposed] {
                prop_assert_eq!(&check(same, minimum, &own).map(|password| password.expose().to_owned()), &expected);
            }
        }
    }

    #[test]
    fn length_is_counted_in_code_points_and_whoever_may_set_a_password_can_sign_in(text in any_text()) {
        let characters = text.nfc().count();
        let answer = check(&text, Minimum::Alone, &ana());
        let told = answer.as_ref().err().cloned().unwrap_or_default();
        prop_assert_eq!(told.contains(&TOO_SHORT), characters < 15);
        prop_assert_eq!(told.contains(&TOO_LONG), characters > 256);
        prop_assert_eq!(normalised(&text).is_some(), characters <= 256);
        if let Ok(set) = answer {
            let typed = normalised(&text).unwrap();
            prop_assert_eq!(typed.expose(), set.expose());
        }
    }

    #[test]
    fn a_longer_password_of_random_words_is_accepted_if_the_shorter_one_is(words in random_words(), more in typeable()) {
        prop_assume!(check(&words, Minimum::Alone, &ana()).is_ok());
        let longer = format!("{words}{more}");
        for minimum in [Minimum::Alone, Minimum::WithSecondFactor] {
            prop_assert_eq!(faults(&longer, minimum, &ana()), []);
        }
    }
}
