//! The source lines that are shown beside what is wrong with them, and those that never are: they could hold an address, or a secret
//! of an object that is not ours. What is wrong never lives here.

use std::str::Lines as Texts;

use crate::adapters::manifests::Part;
use crate::review::tree::Piece;

/// Longer lines are not shown: nobody wrote them by hand, and each would be searched for each problem in it.
const LONGEST: usize = 16 * 1024;
/// Characters of a line that are shown at most.
const WIDEST: usize = 160;
/// How an address is written without its sign.
const ESCAPED_SIGNS: [&str; 4] = ["\\u0040", "\\x40", "\\U00000040", "%40"];

/// The lines of one document, as they are asked for from the first to the last.
pub(super) struct Lines<'a> {
    part: Part<'a>,
    may_be_shown: bool,
    rest: Texts<'a>,
    /// The line that was asked for last, and the one before it.
    number: usize,
    line: &'a str,
    before: &'a str,
    help: &'static str,
}

impl<'a> Lines<'a> {
    pub(super) fn of(piece: &Piece<'a>) -> Self {
        Self {
            part: piece.part,
            may_be_shown: is_ours_alone(piece),
            rest: piece.part.text().lines(),
            number: piece.part.lines_before(),
            line: "",
            before: "",
            help: "",
        }
    }

    /// Goes on to a line; never back.
    pub(super) fn go_to(&mut self, number: usize) {
        if number == self.number {
            return;
        }
        while self.number < number {
            self.before = self.line;
            self.line = self.rest.next().unwrap_or_default();
            self.number += 1;
        }
        self.help = look_alike(self.line, self.before);
    }

    /// What cannot be seen in the line, or looks like something else.
    pub(super) fn help(&self) -> &'static str {
        self.help
    }

    /// What is shown of the line, around a column.
    pub(super) fn shown(&self, column: usize) -> Option<String> {
        // The first line of a part may be the end of one of the part before.
        let begins_here = self.number > self.part.lines_before() + 1 || self.part.columns_before() == 0;
        let is_shown = self.may_be_shown && begins_here && self.line.len() <= LONGEST && !has_an_address(self.line);
        is_shown.then(|| around(self.line.trim_end(), column))
    }
}

/// Whether the text is known to be about objects of ours alone. A manifest that cannot be read could be anything.
fn is_ours_alone(piece: &Piece<'_>) -> bool {
    let text = piece.part.text();
    // A secretary is none.
    let mut secrets = text.match_indices("Secret").map(|(at, word)| &text[at + word.len()..]);
    piece.others == 0
        && piece.part.mentions_ours()
        && !secrets.any(|after| !after.starts_with(|next: char| next.is_lowercase()))
}

fn has_an_address(line: &str) -> bool {
    line.contains('@') || ESCAPED_SIGNS.iter().any(|sign| line.contains(sign))
}

/// The characters around a column, with `…` for those that are left out.
fn around(line: &str, column: usize) -> String {
    let length = line.chars().count();
    if length <= WIDEST {
        return line.to_owned();
    }
    let start = column.saturating_sub(WIDEST / 2).min(length - WIDEST);
    let middle = line.chars().skip(start).take(WIDEST).collect::<String>();
    let (before, after) = (if start > 0 { "…" } else { "" }, if start + WIDEST < length { "…" } else { "" });
    format!("{before}{middle}{after}")
}

fn look_alike(line: &str, before: &str) -> &'static str {
    const SPACES: [char; 2] = ['\u{a0}', '\u{202f}'];
    // One that indents is found a line later.
    if line.contains(SPACES) || before.contains(SPACES) {
        "; there is a space that is none for YAML (non-breaking): type it anew"
    } else if line.contains(['“', '”', '„', '«', '»', '‘', '’']) {
        "; the quotes are those of a word processor: type straight ones"
    } else if line.contains(['–', '—']) {
        "; there is a dash that is no hyphen: type a hyphen"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_the_column() {
        let line = format!("{}é{}", "a".repeat(300), "b".repeat(300));
        for (column, begins, ends) in [(1, "aaa", "aaa…"), (301, "…aaa", "bbb…"), (600, "…bbb", "bbb")] {
            let shown = around(&line, column);
            assert!(shown.starts_with(begins) && shown.ends_with(ends), "{column}: {shown}");
            assert!(shown.chars().count() <= WIDEST + 2, "{column}: {shown}");
        }
        assert!(around(&line, 301).contains("aéb"));
        assert_eq!(around("short", 3), "short");
    }

    #[test]
    fn an_address_is_seen_however_its_sign_is_written() {
        for line in ["a@b", r#""ana\u0040maple.example""#, r#""ana\x40maple.example""#, "ana%40maple.example"] {
            assert!(has_an_address(line), "{line}");
        }
        assert!(!has_an_address("type: Staff"));
    }
}
