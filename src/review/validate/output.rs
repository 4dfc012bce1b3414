//! What was found, written for people, programs and GitHub. What is found never lives here.

use std::io::{self, BufWriter, IsTerminal, Write};

use serde::Serialize;

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

/// Writes to standard output, as it goes: of a large tree the whole would be larger than the tree.
pub(super) fn write(checked: &Checked, format: Format, style: Style) -> io::Result<()> {
    let mut to = BufWriter::new(io::stdout().lock());
    match format {
        Format::Human => human(&mut to, checked, style)?,
        Format::Json => {
            let whole = Whole { problems: &checked.problems, summary: checked.summary, missed: &checked.missed };
            serde_json::to_writer_pretty(&mut to, &whole)?;
            writeln!(to)?;
        }
        Format::Github => github(&mut to, checked)?,
    }
    to.flush()
}

#[derive(Serialize)]
struct Whole<'a> {
    problems: &'a [Problem],
    summary: Summary,
    missed: &'a [String],
}

fn human(to: &mut impl Write, checked: &Checked, style: Style) -> io::Result<()> {
    for problem in &checked.problems {
        let (word, colour) = match problem.severity {
            Severity::Error => ("error", "1;31"),
            Severity::Warning => ("warning", "1;33"),
        };
        // A file of such a name would be a command to a GitHub workflow.
        let folder = if problem.file.trim_start().starts_with("::") { "./" } else { "" };
        let place = format!("{folder}{}:{}:{}", problem.file, problem.line, problem.column);
        writeln!(to, "{}: {}: {}", style.paint("1", &plain(&place)), style.paint(colour, word), said(problem))?;
        if let Some(line) = &problem.text {
            let number = style.paint("2", &format!("{} |", problem.line));
            writeln!(to, "  {number} {}", plain(&line.replace('\t', "→")))?;
        }
    }
    if !checked.problems.is_empty() {
        writeln!(to)?;
    }
    writeln!(to, "{}", summary(checked))
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
fn github(to: &mut impl Write, checked: &Checked) -> io::Result<()> {
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
        writeln!(to, "::{word} {place}title={}::{}", property(&problem.object), data(&said(problem)))?;
    }
    writeln!(to, "{}", summary(checked))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
