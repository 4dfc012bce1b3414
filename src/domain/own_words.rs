//! The words that somebody guesses first who knows the person or the clinic: names and the email address (NIST SP 800-63B-4
//! §3.1.1.2, "context-specific words"). They never show themselves in `Debug` (I7). Words that anybody guesses live in
//! `common_passwords`.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::email::Email;

/// Fewer letters are no word: they would make up too much by chance.
const SHORTEST: usize = 3;

/// The words of one person and their clinic: each of at least three letters, in lower case, without accents and punctuation.
#[derive(Clone, Default)]
pub struct OwnWords(Vec<String>);

impl OwnWords {
    /// The words of a person's first and last name (empty if unknown), of both sides of their address, and of the clinic's name:
    /// as parts at hyphens, dots and apostrophes, without these, and in whole.
    pub fn new(first_name: &str, last_name: &str, email: &Email, clinic_name: &str) -> Self {
        let (local, domain) = email.as_str().split_once('@').unwrap_or_default();
        let full_names = [format!("{first_name}{last_name}"), format!("{last_name}{first_name}")];
        let texts = [first_name, last_name, local, domain, clinic_name, &full_names[0], &full_names[1]];
        let mut words: Vec<String> = texts
            .iter()
            .flat_map(|text| text.split(is_separator).chain(text.split_whitespace()).chain([*text]))
            .map(|word| letters(word).collect::<String>())
            .filter(|word| word.chars().count() >= SHORTEST)
            .collect();
        words.sort_unstable();
        words.dedup();
        Self(words)
    }

    /// Whether the letters of a password (see `letters`) are these words one after the other and nothing else. A password without
    /// letters is not, and one that merely contains such words is not.
    pub(super) fn make_up(&self, letters: &str) -> bool {
        let mut is_made_up = vec![false; letters.len() + 1];
        is_made_up[0] = true;
        for at in 0..letters.len() {
            if is_made_up[at] {
                for word in self.0.iter().filter(|word| letters[at..].starts_with(word.as_str())) {
                    is_made_up[at + word.len()] = true;
                }
            }
        }
        !letters.is_empty() && is_made_up[letters.len()]
    }
}

impl fmt::Debug for OwnWords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OwnWords(redacted)")
    }
}

/// The letters of a text in lower case and without accents, as two words are compared: digits, spaces and punctuation are
/// left out.
pub(super) fn letters(text: &str) -> impl Iterator<Item = char> + Clone {
    text.nfkd()
        .filter(|&character| character.is_alphabetic() && !is_combining_mark(character))
        .flat_map(char::to_lowercase)
        .flat_map(plain)
}

fn is_separator(character: char) -> bool {
    !character.is_alphabetic() && !is_combining_mark(character)
}

/// Letters that people write without what Unicode does not take for an accent, and the sigma at the end of a word.
fn plain(letter: char) -> impl Iterator<Item = char> + Clone {
    let (first, second) = match letter {
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'ß' => ('s', Some('s')),
        'þ' => ('t', Some('h')),
        'ð' | 'đ' => ('d', None),
        'ħ' => ('h', None),
        'ı' => ('i', None),
        'ł' => ('l', None),
        'ø' => ('o', None),
        'ŧ' => ('t', None),
        'ς' => ('σ', None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

#[cfg(test)]
#[path = "own_words_tests.rs"]
mod tests;
