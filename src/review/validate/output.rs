//! What was found, written for people, programs and GitHub. What is found never lives here.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};

use serde_json::json;

use super::Format;
use super::report::{Checked, Problem, Summary};
use crate::adapters::manifests::STANDARD_INPUT;
use crate::adapters::output::plain;
use crate::review::remark::Severity;

/// Whether colours are used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Colours,
    Plain,
}

impl Style {
    /// Colours on a terminal whose user did not say no (`NO_COLOR`).
    pub(super) fn of_standard_output() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if io::stdout().is_terminal() && !refused { Self::Colours } else { Self::Plain }
    }

    fn paint(self, colour: &str, text: &str) -> String {
        match self {
            Self::Colours => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// Writes to standard output.
pub(super) fn write(checked: &Checked, format: Format, style: Style) -> io::Result<()> {
    let text = match format {
        Format::Human => human(checked, style),
        Format::Json => {
            let whole = json!({ "problems": checked.problems, "summary": checked.summary, "missed": checked.missed });
            format!("{whole:#}\n")
        }
        Format::Github => github(checked),
    };
    io::stdout().lock().write_all(text.as_bytes())
}

fn human(checked: &Checked, style: Style) -> String {
    let mut text = String::new();
    for problem in &checked.problems {
        let (word, colour) = match problem.severity {
            Severity::Error => ("error", "1;31"),
            Severity::Warning => ("warning", "1;33"),
        };
        let place = format!("{}:{}:{}", problem.file, problem.line, problem.column);
        let _ =
            writeln!(text, "{}: {}: {}", style.paint("1", &plain(&place)), style.paint(colour, word), said(problem));
        if let Some(line) = &problem.text {
            let number = problem.line.to_string();
            let _ = writeln!(
                text,
                "  {} {}",
                style.paint("2", &format!("{number} |")),
                plain(&line.trim_end().replace('\t', "→"))
            );
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text + &summary(checked) + "\n"
}

fn said(problem: &Problem) -> String {
    plain(&if problem.field.is_empty() {
        problem.message.clone()
    } else {
        format!("{}: {}", problem.field, problem.message)
    })
}

/// `12 members, 1 clinic and 3 other objects in 14 files: 2 errors and 1 warning`.
fn summary(checked: &Checked) -> String {
    let Summary { files, members, clinics, others, errors, warnings } = checked.summary;
    let looked_at = counts(&[(members, "member"), (clinics, "clinic"), (others, "other object")], "nothing");
    let found = counts(&[(errors, "error"), (warnings, "warning")], "no problems");
    let missed = match checked.missed.len() {
        0 => String::new(),
        1 => ", and 1 thing could not be checked".to_owned(),
        many => format!(", and {many} things could not be checked"),
    };
    format!("{looked_at} in {}: {found}{missed}", counts(&[(files, "file")], "no file"))
}

/// The numbers that are not 0, in words.
fn counts(all: &[(usize, &str)], nothing: &str) -> String {
    let count =
        |(number, what): &(usize, &str)| if *number == 1 { format!("1 {what}") } else { format!("{number} {what}s") };
    let counted: Vec<_> = all.iter().filter(|(number, _)| *number > 0).map(count).collect();
    match counted.as_slice() {
        [] => nothing.to_owned(),
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        only => only.concat(),
    }
}

/// Workflow commands, and the summary as plain text.
fn github(checked: &Checked) -> String {
    let mut text = String::new();
    for problem in &checked.problems {
        let word = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        // Of standard input there is no file to show it in.
        let place = if problem.file == STANDARD_INPUT {
            String::new()
        } else {
            format!("file={},line={},col={},", property(&problem.file), problem.line, problem.column)
        };
        let _ = writeln!(text, "::{word} {place}title={}::{}", property(&problem.object), data(&said(problem)));
    }
    text + &summary(checked) + "\n"
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
