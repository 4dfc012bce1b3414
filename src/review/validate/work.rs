//! The whole check: each document, and those of a clinic together. What is wrong with what never lives here.

use super::report::{Checked, Problem, Summary};
use crate::adapters::clock::Clock;
use crate::adapters::manifests::{Input, Part};
use crate::review::manifest::{Is, Manifest};
use crate::review::remark::{Remark, Severity};
use crate::review::together;
use crate::review::tree::{Placed, TreeError, clinics, pieces, texts};

/// Checks everything under `inputs`. `namespace`: of manifests that name none.
pub(super) fn check(inputs: &[Input], namespace: Option<&str>, clock: Clock) -> Result<Checked, TreeError> {
    let texts = texts(inputs)?;
    let pieces = pieces(&texts, inputs)?;
    let mut problems = Vec::new();
    let mut summary = Summary { files: texts.sources.len(), ..Summary::default() };
    for piece in &pieces {
        summary.others += piece.others;
        problems.extend(piece.remarks.iter().map(|remark| problem(piece.file, piece.part, None, remark)));
        for manifest in &piece.manifests {
            summary.members += usize::from(matches!(manifest.kind.as_str(), "ClinicUser" | "ServiceAccount"));
            summary.clinics += usize::from(matches!(manifest.is, Is::Clinic(..)));
            let remarks = manifest.remarks.iter();
            problems.extend(remarks.map(|remark| problem(piece.file, piece.part, Some(manifest), remark)));
        }
    }
    for manifests in clinics(&pieces, namespace).values() {
        let remarks = together::look(manifests, clock.now()).into_iter().map(|(index, remark)| {
            let Placed { file, part, manifest } = manifests[index];
            problem(file, part, Some(manifest), &remark)
        });
        problems.extend(remarks);
    }
    problems.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
    let mut checked = Checked { problems, summary, missed: texts.missed };
    (checked.summary.errors, checked.summary.warnings) = (checked.errors(), checked.warnings());
    Ok(checked)
}

/// What cannot be seen in a line, or looks like something else.
fn look_alike(part: Part<'_>, line: usize) -> &'static str {
    let has = |line: usize, characters: &[char]| part.line(line).is_some_and(|text| text.contains(characters));
    let spaces = ['\u{a0}', '\u{202f}'];
    if has(line, &spaces) || has(line.saturating_sub(1), &spaces) {
        // One that indents is found a line later.
        "; there is a space that is none for YAML (non-breaking): type it anew"
    } else if has(line, &['“', '”', '„', '«', '»', '‘', '’']) {
        "; the quotes are those of a word processor: type straight ones"
    } else if has(line, &['–', '—']) {
        "; there is a dash that is no hyphen: type a hyphen"
    } else {
        ""
    }
}

fn problem(file: &str, part: Part<'_>, manifest: Option<&Manifest>, remark: &Remark) -> Problem {
    let object = manifest.map(Manifest::called);
    Problem {
        file: file.to_owned(),
        line: remark.at.line,
        column: remark.at.column,
        severity: remark.severity,
        object: object.unwrap_or_default(),
        field: remark.field.clone(),
        message: match remark.severity {
            Severity::Error => remark.message.clone() + look_alike(part, remark.at.line),
            Severity::Warning => remark.message.clone(),
        },
        text: part.line(remark.at.line).filter(|text| !text.contains('@')).map(str::to_owned),
    }
}
