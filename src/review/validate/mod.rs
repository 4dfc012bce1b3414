//! `clinic-operator validate`: what the cluster would refuse, said before the merge, and what it would take and nobody can have meant.
//! The rules are those of the CRDs and of `domain/`; what a tree would change in a clinic never lives here.

mod lines;
mod output;
mod report;
mod work;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use self::output::Style;
use crate::adapters::clock::Clock;
use crate::adapters::manifests::Input;
use crate::adapters::output::tell;

/// What `validate` is asked to do.
#[derive(Args)]
pub struct Options {
    /// Files, folders (all .yaml, .yml and .json below them), or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// The namespace of manifests that name none. One namespace is one clinic.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    /// How what is found is written.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    /// Warnings count as errors.
    #[arg(long)]
    strict: bool,
}

/// How what is found is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a line each, with colours on a terminal.
    #[default]
    Human,
    /// An object with a list of problems and a summary.
    Json,
    /// Annotations of a GitHub workflow.
    Github,
}

/// Nothing is wrong.
const FINE: u8 = 0;
/// Something would be refused, or does not fit together.
const VIOLATIONS: u8 = 1;
/// Not everything could be checked.
const COULD_NOT_RUN: u8 = 2;

/// Checks and says what it found.
pub fn main(options: &Options) -> ExitCode {
    let inputs: Vec<_> = options.paths.iter().map(|path| Input::from(path.as_str())).collect();
    let checked = match work::check(&inputs, options.namespace.as_deref(), Clock) {
        Ok(checked) => checked,
        Err(error) => {
            tell(&format!("error: {error}"));
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    let said = output::write(&checked, options.output, Style::of_standard_output());
    // Who reads no further, such as head, has what they want.
    if let Some(error) = said.err().filter(|error| error.kind() != ErrorKind::BrokenPipe) {
        tell(&format!("error: failed to write to standard output: {error}"));
        return ExitCode::from(COULD_NOT_RUN);
    }
    for missed in &checked.missed {
        tell(&format!("error: {missed}"));
    }
    let is_wrong = checked.summary.errors > 0 || (options.strict && checked.summary.warnings > 0);
    ExitCode::from(match (checked.missed.is_empty(), is_wrong) {
        (false, _) => COULD_NOT_RUN,
        (true, true) => VIOLATIONS,
        (true, false) => FINE,
    })
}
