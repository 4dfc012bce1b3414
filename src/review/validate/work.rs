//! The whole check: each document, and those of a clinic together. What is wrong with what never lives here.

use std::ptr;

use super::lines::Lines;
use super::report::{Checked, Problem, Summary};
use crate::adapters::clock::Clock;
use crate::adapters::manifests::Input;
use crate::review::manifest::{Is, Manifest};
use crate::review::remark::{Remark, Severity};
use crate::review::together;
use crate::review::tree::{Piece, Placed, TreeError, clinics, pieces, texts};

/// Checks everything under `inputs`. `namespace`: of manifests that name none.
pub(super) fn check(inputs: &[Input], namespace: Option<&str>, clock: Clock) -> Result<Checked, TreeError> {
    let texts = texts(inputs)?;
    let pieces = pieces(&texts, inputs)?;
    let mut said = Vec::new();
    let mut summary = Summary { files: texts.sources.len(), ..Summary::default() };
    for piece in &pieces {
        summary.others += piece.others;
        said.extend(piece.remarks.iter().map(|remark| Said { piece, manifest: None, remark: remark.clone() }));
        for manifest in &piece.manifests {
            summary.members += usize::from(manifest.is_of_a_member());
            summary.clinics += usize::from(matches!(manifest.is, Is::Clinic(..)));
            let remarks = manifest.remarks.iter().cloned();
            said.extend(remarks.map(|remark| Said { piece, manifest: Some(manifest), remark }));
        }
    }
    for manifests in clinics(&pieces, namespace).values() {
        let remarks = together::look(manifests, clock.now()).into_iter();
        said.extend(remarks.map(|(index, remark)| {
            let Placed { piece, manifest } = manifests[index];
            Said { piece, manifest: Some(manifest), remark }
        }));
    }
    let problems = with_lines(said);
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    (summary.errors, summary.warnings) = (count(Severity::Error), count(Severity::Warning));
    Ok(Checked { problems, summary, missed: texts.missed })
}

/// Something to say, and of what.
struct Said<'a> {
    piece: &'a Piece<'a>,
    manifest: Option<&'a Manifest>,
    remark: Remark,
}

/// What is said, by file and place, each with its line.
fn with_lines(mut said: Vec<Said<'_>>) -> Vec<Problem> {
    said.sort_by(|one, other| (one.piece.file, one.remark.at).cmp(&(other.piece.file, other.remark.at)));
    let mut problems = Vec::with_capacity(said.len());
    let mut now: Option<(&Piece<'_>, Lines<'_>)> = None;
    for said in said {
        let mut lines = match now.take() {
            Some((piece, lines)) if ptr::eq(piece, said.piece) => lines,
            Some(_) | None => Lines::of(said.piece),
        };
        lines.go_to(said.remark.at.line);
        problems.push(problem(&said, &lines));
        now = Some((said.piece, lines));
    }
    problems
}

fn problem(said: &Said<'_>, lines: &Lines<'_>) -> Problem {
    let Said { piece, manifest, remark } = said;
    Problem {
        file: piece.file.to_owned(),
        line: remark.at.line,
        column: remark.at.column,
        severity: remark.severity,
        object: manifest.map(Manifest::called).unwrap_or_default(),
        field: remark.field.clone(),
        message: match remark.severity {
            Severity::Error => remark.message.clone() + lines.help(),
            Severity::Warning => remark.message.clone(),
        },
        text: lines.shown(remark.at.column),
    }
}
