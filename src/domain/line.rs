//! A line of text that people write about themselves: a name, a form of address. The CRDs say the same in CEL, for manifests.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest first or last name, in characters.
pub const LONGEST_NAME: usize = 100;
/// Longest form of address, in characters.
pub const LONGEST_TITLE: usize = 60;

/// Why a text is not such a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// Nothing, or white space only.
    Missing,
    /// More characters than this.
    TooLong {
        /// Characters.
        maximum: usize,
    },
    /// Line breaks and other controls, invisible characters, marks that turn the direction of writing, or neither a letter nor a
    /// digit.
    NotPlain,
}

/// The line as it is kept: NFC, without white space around it.
///
/// # Errors
/// See [`LineFault`].
pub fn line(text: &str, maximum: usize) -> Result<String, LineFault> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(LineFault::Missing);
    }
    // Longer in bytes than so many characters can be: not looked at.
    if trimmed.len() > maximum * LONGEST_DECOMPOSED {
        return Err(LineFault::TooLong { maximum });
    }
    let line: String = trimmed.nfc().collect();
    if line.chars().count() > maximum {
        return Err(LineFault::TooLong { maximum });
    }
    let is_plain = !line.chars().any(is_hidden) && line.chars().any(is_letter_or_number);
    is_plain.then_some(line).ok_or(LineFault::NotPlain)
}

/// One character takes at most so many bytes when it is written as letter and marks.
const LONGEST_DECOMPOSED: usize = 16;

/// Whether a character cannot be seen, or turns the direction of what follows: what `HIDDEN` in `api::schema` says.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// `\p{L}` or `\p{N}`: Rust's word also holds marks and circled letters.
fn is_letter_or_number(character: char) -> bool {
    let is_circled = matches!(
        character,
        '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f149}' | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}'
    );
    character.is_alphanumeric() && !is_combining_mark(character) && !is_circled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_kept_without_the_space_around_it_and_in_one_form() {
        for (typed, kept) in [
            ("Ana", "Ana"),
            ("  Zoe\u{308}-Anne d'Été \t", "Zoë-Anne d'Été"),
            ("李", "李"),
            ("O’Brien, Jr.", "O’Brien, Jr."),
            ("نیلوفر\u{200c}ها", "نیلوفر\u{200c}ها"),
            ("Ⅳ", "Ⅳ"),
            (&"é".repeat(100), &"é".repeat(100)),
            (&"e\u{301}".repeat(100), &"é".repeat(100)),
        ] {
            assert_eq!(line(typed, LONGEST_NAME).as_deref(), Ok(kept));
        }
    }

    #[test]
    fn what_cannot_be_read_as_one_line_is_refused() {
        for text in ["", " ", "\u{a0}\u{3000}", "\r\n"] {
            assert_eq!(line(text, LONGEST_NAME), Err(LineFault::Missing), "{text:?}");
        }
        for text in [
            "A\nB",
            "A\r\nB",
            "A\0",
            "A\u{7f}",
            "A\u{85}B",
            "A\u{2028}B",
            "A\u{202e}B",
            "A\u{200b}B",
            "\u{feff}A",
            "-",
            "…",
            "\u{301}",
            "Ⓐ",
            "🄰",
        ] {
            assert_eq!(line(text, LONGEST_NAME), Err(LineFault::NotPlain), "{text:?}");
        }
        for text in ["a".repeat(101), "a".repeat(1_000_000)] {
            assert_eq!(line(&text, LONGEST_NAME), Err(LineFault::TooLong { maximum: 100 }));
        }
    }
}
