//! The list, and the patterns that no list holds.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;

fn entries() -> Vec<&'static str> {
    std::str::from_utf8(LIST).unwrap().lines().collect()
}

fn refused(text: &str) -> bool {
    use crate::domain::own_words::OwnWords;
    use crate::domain::password::{Minimum, PasswordFault, check};
    let answer = check(text, Minimum::WithSecondFactor, &OwnWords::default());
    answer.is_err_and(|faults| faults.contains(&PasswordFault::Common))
}

#[test]
fn the_list_is_as_its_readme_says() {
    let entries = entries();
    assert!(entries.len() > 10_000 && LIST.len() <= 600 * 1024 && LIST.ends_with(b"\n"));
    assert!(entries.is_sorted_by(|first, second| first.as_bytes() < second.as_bytes()));
    for entry in &entries {
        assert!(entry.chars().count() >= SHORTEST, "{entry}");
        assert_eq!(&entry.nfc().collect::<String>().to_lowercase(), entry);
    }
    let readme = include_str!("data/README.md").replace(',', "");
    for figure in [format!("{} entries", entries.len()), format!("{} bytes", LIST.len())] {
        assert!(readme.contains(&figure), "{figure}");
    }
}

#[test]
fn every_entry_is_refused_in_small_and_in_capital_letters_and_with_digits_and_punctuation_after_it() {
    for entry in entries() {
        for text in [entry, &entry.to_uppercase(), &format!("{entry}2027"), &format!("{entry}!")] {
            assert!(refused(text), "{text}");
        }
    }
}

#[test]
fn a_lookup_finds_what_a_scan_finds() {
    let entries: BTreeSet<&str> = entries().into_iter().collect();
    for entry in entries.iter().step_by(7) {
        for near in
            [&entry[1..], &entry[..entry.len() - 1], &format!("{entry}\n"), &format!("{entry}~"), &format!(" {entry}")]
        {
            assert_eq!(is_listed(near), entries.contains(near), "{near:?}");
        }
    }
    for other in ["", "\n", "\0", "~~~~~~~~~~~~~~~~", "é", "\u{10ffff}"] {
        assert!(!is_listed(other), "{other:?}");
    }
}

#[test]
fn patterns_are_common_and_what_only_begins_like_one_is_not() {
    for (text, expected) in [
        ("aaaaaaaa", true),
        ("abcabcabc", true),
        ("abcabcab", true),
        ("ÉtéÉtéÉtéÉté", true),
        ("李李李李李李李李李李李李李李李", true),
        ("               ", true),
        ("ha ha ha ha ha ", true),
        ("passwordpassword", true),
        ("PasswordPassword!", true),
        ("password password", true),
        ("password1password1", true),
        ("muffin muffin", true),
        ("muffin muffi", false),
        ("muffins  muffins", false),
        ("elephantelephantelep", true),
        ("123456789012345", true),
        ("543210987654321", true),
        ("abcdefghijklmnop", true),
        ("uvwxyzabcdefghi", true),
        ("zyxwvutsrqponml", true),
        ("qwertyuiopasdfgh", true),
        ("azertyuiopqsdfgh", true),
        ("mnbvcxzlkjhgfdsa", true),
        ("абвгдежзийклмноп", true),
        ("あぃいぅうぇえぉおかがきぎくぐ", true),
        ("abcdefghijklmnop!1", true),
        ("Password--2027!", true),
        ("trustno1!!", true),
        ("abcdefghxyz", false),
        ("abcabcabd", false),
        ("heron tulip heron tulip", false),
        ("password of the day", false),
        ("my password", false),
        ("1234567heron", false),
        ("2027 password", false),
        ("pass1234word", false),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn what_is_shorter_than_any_password_is_short_not_common() {
    for text in ["", "a", "aaaaaaa", "1234567", "qwerty", "abc!!!!"] {
        assert!(!refused(text), "{text}");
    }
}

/// The smallest unit by trying each.
fn unit_by_trying(text: &[u8]) -> usize {
    (1..text.len()).find(|unit| text[*unit..] == text[..text.len() - unit]).unwrap_or(text.len())
}

proptest! {
    #[test]
    fn every_entry_is_refused_in_any_case(at in any::<proptest::sample::Index>(), capitals in any::<[bool; 32]>()) {
        let entry = *at.get(&entries());
        let cased: String = entry
            .chars()
            .zip(capitals.iter().cycle())
            .map(|(character, capital)| if *capital { character.to_ascii_uppercase() } else { character })
            .collect();
        prop_assert!(refused(&cased), "{}", cased);
    }

    #[test]
    fn the_unit_that_repeats_is_the_one_that_trying_finds(text in proptest::collection::vec(0..3_u8, 0..40)) {
        let borders = borders(&text);
        for length in 1..=text.len() {
            prop_assert_eq!(length - borders[length], unit_by_trying(&text[..length]));
        }
    }
}
