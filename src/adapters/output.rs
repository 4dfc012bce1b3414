//! Text for people and for programs: tables that stay aligned whatever the script, CSV that no spreadsheet runs, and the order of
//! names. What is in the rows never stands here.

use std::io::Write;

use clap::ValueEnum;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_width::UnicodeWidthStr;

use crate::domain::hidden::is_hidden;

/// Between two columns.
const GAP: &str = "   ";

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// An array of objects.
    Json,
    /// RFC 4180, for spreadsheets.
    Csv,
}

/// Says something on standard error, in one line: names in it could otherwise begin one that a pipeline takes for a command. Who does
/// not listen is not waited for.
pub fn tell(text: &str) {
    let line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr(), "{}", plain(&line));
}

/// One line of plain text: what cannot be seen, turns the direction of writing or would steer the terminal is shown as `�`.
pub fn plain(text: &str) -> String {
    text.chars().map(|character| if is_hidden(character) { char::REPLACEMENT_CHARACTER } else { character }).collect()
}

/// Somebody's words as they may be repeated where no address may stand: `…` for words that hold one.
pub fn unless_an_address(words: &str) -> &str {
    if words.contains('@') { "…" } else { words }
}

/// Rows under headings, in columns of equal width on a terminal; `-` where there is nothing.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let cell = |text: String| if text.is_empty() { "-".to_owned() } else { plain(&text) };
    let mut lines = vec![headings.iter().map(|heading| (*heading).to_owned()).collect::<Vec<_>>()];
    lines.extend(rows.into_iter().map(|row| row.into_iter().map(cell).collect()));
    aligned(&lines)
}

/// Rows in columns of equal width.
pub fn aligned<R: AsRef<[String]>>(rows: &[R]) -> String {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(row.as_ref().len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row.as_ref()) {
            *width = cell.width().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let padded = |(cell, width): (&String, &usize)| format!("{cell}{}", " ".repeat(width - cell.width()));
        text += row.as_ref().iter().zip(&widths).map(padded).collect::<Vec<_>>().join(GAP).trim_end();
        text.push('\n');
    }
    text
}

/// Records as RFC 4180 has them, lines ended by CRLF. A field that a spreadsheet would take for a formula begins with an apostrophe:
/// people choose their own names.
pub fn csv<'a>(records: impl IntoIterator<Item = Vec<&'a str>>) -> String {
    let mut text = String::new();
    for record in records {
        text += &record.into_iter().map(csv_field).collect::<Vec<_>>().join(",");
        text += "\r\n";
    }
    text
}

fn csv_field(field: &str) -> String {
    let begins_a_formula = field.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        || field.starts_with(['\t', '\r', '\n']);
    let field = if begins_a_formula { format!("'{field}") } else { field.to_owned() };
    // The semicolon too: where the comma is a decimal sign, spreadsheets cut at it.
    let is_bare = !field.contains([',', ';', '"', '\t', '\r', '\n']) && field.trim() == field;
    if is_bare { field } else { format!("\"{}\"", field.replace('"', "\"\"")) }
}

/// A name as names are compared and searched: without capitals and accents.
pub fn folded(name: &str) -> String {
    name.nfkd().filter(|character| !is_combining_mark(*character)).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let rows =
            [row(["李小龍", "Dr."]), row(["Zoe\u{308} Côté", ""]), row(["نیلوفر\u{200c}ها", "NP"]), row(["Ana", "RN"])];
        let text = table(&["NAME", "TITLE"], rows);
        assert_eq!(
            text,
            "NAME       TITLE\n李小龍     Dr.\nZoe\u{308} Côté   -\nنیلوفر\u{200c}ها   NP\nAna        RN\n"
        );
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(plain("A\u{1b}[31mB\u{202e}C\nD"), "A�[31mB�C�D");
    }

    #[test]
    fn a_field_is_quoted_where_it_must_be_and_never_a_formula() {
        for (field, written) in [
            ("Ana Silva", "Ana Silva"),
            ("", ""),
            ("O'Connor, Grace", "\"O'Connor, Grace\""),
            ("the \"boss\"", "\"the \"\"boss\"\"\""),
            ("a;b", "\"a;b\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            (" led by a space", "\" led by a space\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("+1", "'+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("\t=1", "\"'\t=1\""),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
        ] {
            assert_eq!(csv_field(field), written, "{field:?}");
        }
        assert_eq!(csv([vec!["a", "b,c"], vec!["", "d"]]), "a,\"b,c\"\r\n,d\r\n");
    }

    #[test]
    fn names_are_compared_without_capitals_and_accents() {
        let mut names = ["Zoë", "Émile", "ana", "Eva", "Bea", "李"];
        names.sort_by_key(|name| folded(name));
        assert_eq!(names, ["ana", "Bea", "Émile", "Eva", "Zoë", "李"]);
    }
}
