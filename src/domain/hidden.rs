//! Characters that nobody sees in a text, as tables of ranges: `line` and `typed` ask here, and the CRDs' rules are made of the same
//! tables (`api::schema`). What a line of text must be besides never stands here.

use std::ops::RangeInclusive;

/// What is never seen, or turns the direction of what follows: controls, separators of lines, Unicode's default-ignorable characters
/// (`DerivedCoreProperties.txt`) but for [`JOINERS`] and [`SELECTORS`], and other characters that are blank and no space.
pub const HIDDEN: [RangeInclusive<char>; 27] = [
    '\0'..='\u{1f}',
    '\u{7f}'..='\u{9f}',
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    // Fillers of Hangul, letters by their category: blank names were made of these.
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200b}',
    '\u{200e}'..='\u{200f}',
    '\u{2028}'..='\u{2029}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    // A blank pattern of Braille.
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe03}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    // Controls and blanks of hieroglyphs; a filler of Khitan.
    '\u{13430}'..='\u{1343f}',
    '\u{13441}'..='\u{13442}',
    '\u{16fe4}'..='\u{16fe4}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d159}'..='\u{1d159}',
    '\u{1d173}'..='\u{1d17a}',
    // Tags, and what is reserved for their like.
    '\u{e0000}'..='\u{e00ff}',
    '\u{e01f0}'..='\u{e0fff}',
];

/// Zero width non-joiner and joiner. Persian and the scripts of India write names with them.
pub const JOINERS: RangeInclusive<char> = '\u{200c}'..='\u{200d}';
/// The scripts whose letters they join or part: from Arabic to Sinhala, Burmese, Khmer and Mongolian.
pub const JOINING: [RangeInclusive<char>; 3] =
    ['\u{600}'..='\u{dff}', '\u{1000}'..='\u{109f}', '\u{1780}'..='\u{18af}'];
/// After it a joiner may end a word: so Malayalam wrote its final consonants before Unicode 5.1, and many keyboards still do.
pub const ENDS_WITH_A_JOINER: char = '\u{d4d}';

/// Which of several shapes of an ideograph is meant: Japanese names differ by them. After anything else nobody sees them; emoji and
/// Mongolian have others, which stand in [`HIDDEN`].
pub const SELECTORS: [RangeInclusive<char>; 2] = ['\u{fe00}'..='\u{fe02}', '\u{e0100}'..='\u{e01ef}'];
/// Ideographs.
pub const IDEOGRAPHS: [RangeInclusive<char>; 3] =
    ['\u{3400}'..='\u{9fff}', '\u{f900}'..='\u{faff}', '\u{20000}'..='\u{3ffff}'];

fn is_in(ranges: &[RangeInclusive<char>], character: char) -> bool {
    ranges.iter().any(|range| range.contains(&character))
}

/// Whether a character is never seen, wherever it stands.
pub fn is_hidden(character: char) -> bool {
    is_in(&HIDDEN, character)
}

/// Whether a character is seen only by what it does to its neighbours, or not at all. No control is such a mark: nobody types one.
pub fn is_mark(character: char) -> bool {
    let is_unseen = is_hidden(character) || JOINERS.contains(&character) || is_in(&SELECTORS, character);
    is_unseen && !character.is_control()
}

/// Whether a text has a character that nobody sees: one of [`HIDDEN`], a joiner that does not stand between two characters of a script
/// that joins, or a selector that follows no ideograph.
pub fn has_hidden(text: &str) -> bool {
    let joins = |neighbour: Option<char>| neighbour.is_some_and(|neighbour| is_in(&JOINING, neighbour));
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let is_seen = if JOINERS.contains(&character) {
            joins(before) && (before == Some(ENDS_WITH_A_JOINER) || joins(rest.peek().copied()))
        } else if is_in(&SELECTORS, character) {
            before.is_some_and(|before| is_in(&IDEOGRAPHS, before))
        } else {
            !is_hidden(character)
        };
        if !is_seen {
            return true;
        }
        before = Some(character);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_found_wherever_it_stands() {
        for hidden in [
            '\0',
            '\n',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{206f}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e007f}',
            '\u{200c}',
            '\u{200d}',
            '\u{fe00}',
            '\u{e0100}',
        ] {
            for text in [
                format!("{hidden}"),
                format!("{hidden}Ana"),
                format!("A{hidden}na"),
                format!("Ana{hidden}"),
                format!("Ana{hidden} Roy"),
            ] {
                assert!(has_hidden(&text), "{text:?}");
            }
        }
    }

    #[test]
    fn names_that_are_written_with_joiners_or_selectors_have_nothing_hidden() {
        for name in [
            "Zoë-Anne d'Été",
            "李",
            "ᐊᓇ",
            "St. John",
            "O’Brien",
            "Nguyễn Thị Ánh",
            "김 민준",
            "ฐิติมา",
            "محمد‌رضا",
            "نیلوفر\u{200c}ها",
            "श\u{94d}\u{200d}याम",
            "ක\u{dca}\u{200d}ර",
            "അനില\u{d4d}\u{200d}",
            "അനില\u{d4d}\u{200d} രാജ",
            "辻\u{e0100}",
            "葛\u{e0101}城",
            "神\u{fe00}",
        ] {
            assert!(!has_hidden(name), "{name:?}");
        }
        for text in [
            "نیلوفر\u{200c}",
            "نیلوفر\u{200c} ها",
            "نی\u{200c}\u{200c}ها",
            "\u{200d}അ",
            "辻\u{e0100}\u{e0100}",
            "نی\u{200c}A",
        ] {
            assert!(has_hidden(text), "{text:?}");
        }
    }
}
