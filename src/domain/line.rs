//! A line of text that people write about themselves: a name, a form of address. The CRDs say the same in CEL, for manifests, but that
//! CEL cannot normalise: there each character counts as it was written. `links` says what looks like a link.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::hidden::has_hidden;
use super::links::{has_domain, has_link};

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
    /// A character that nobody sees, a line break, or a mark that turns the direction of writing ([`has_hidden`]).
    Hidden,
    /// Neither a letter nor a digit.
    NoLetter,
    /// It reads as a link or an address: a mail that greets somebody by it would lead them there.
    Link,
}

/// A name as it is kept: [`line()`] of at most 100 characters in which nothing reads as a link, an address or a domain.
///
/// # Errors
/// See [`LineFault`].
pub fn name(text: &str) -> Result<String, LineFault> {
    line(text, LONGEST_NAME).and_then(|name| if has_domain(&name) { Err(LineFault::Link) } else { Ok(name) })
}

/// A form of address as it is kept: the same of at most 60 characters, but that degrees such as `M.Sc.inf.` read as a domain.
///
/// # Errors
/// See [`LineFault`].
pub fn title(text: &str) -> Result<String, LineFault> {
    line(text, LONGEST_TITLE)
}

/// NFC, without white space around it. Characters are counted in this form.
fn line(text: &str, maximum: usize) -> Result<String, LineFault> {
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
    if has_hidden(&line) {
        return Err(LineFault::Hidden);
    }
    if !line.chars().any(is_letter_or_number) {
        return Err(LineFault::NoLetter);
    }
    if has_link(&line) { Err(LineFault::Link) } else { Ok(line) }
}

/// One character takes at most so many bytes when it is written as letter and marks.
const LONGEST_DECOMPOSED: usize = 16;

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
            assert_eq!(name(typed).as_deref(), Ok(kept));
        }
    }

    #[test]
    fn what_cannot_be_read_as_one_line_is_refused() {
        for text in ["", " ", "\u{a0}\u{3000}", "\r\n"] {
            assert_eq!(name(text), Err(LineFault::Missing), "{text:?}");
        }
        for text in
            ["A\nB", "A\r\nB", "A\0", "A\u{2028}B", "A\u{202e}B", "\u{feff}A", "\u{3164}", "\u{115f}", "Sil\u{ad}va"]
        {
            assert_eq!(name(text), Err(LineFault::Hidden), "{text:?}");
        }
        for text in ["-", "…", "\u{301}", "Ⓐ", "🄰"] {
            assert_eq!(name(text), Err(LineFault::NoLetter), "{text:?}");
        }
        for text in ["a".repeat(101), "a".repeat(1_000_000)] {
            assert_eq!(name(&text), Err(LineFault::TooLong { maximum: 100 }));
        }
    }
    #[test]
    fn what_reads_as_a_link_is_no_name_and_no_title() {
        for text in ["https://evil.example", "www.evil.example", "Win at evil.example/prize", "ana@evil.example"] {
            assert_eq!((name(text), title(text)), (Err(LineFault::Link), Err(LineFault::Link)), "{text:?}");
        }
        assert_eq!(name("Win at evil.example"), Err(LineFault::Link));
        assert_eq!(title("M.Sc.inf.").as_deref(), Ok("M.Sc.inf."));
    }
}
