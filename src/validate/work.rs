//! The work over a whole tree: read, look at every document on all processors, then at each clinic. What is wrong with what never
//! lives here.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::clinic::{self, Placed};
use super::manifest::{Document, Is, Manifest, look};
use super::report::{Checked, Problem, Remark, Summary};
use crate::adapters::clock::Clock;
use crate::adapters::manifests::{Found, Input, Part, ReadError, Source, find, parts, read};
use crate::adapters::output::tell;
use crate::api::check::{Checker, RuleError};

/// Work that takes longer says how far it is, so often.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckError {
    /// The rules of this program.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// What was named is not there.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing to check is taken for a wrong path.
    #[error("there is no ClinicUser, ServiceAccount or Clinic in {0}: name the files or the folder that hold them")]
    Nothing(String),
}

/// A document of a file.
struct Piece<'a> {
    file: &'a str,
    part: Part<'a>,
}

/// What it holds.
#[derive(Default)]
struct Contents {
    manifests: Vec<Manifest>,
    remarks: Vec<Remark>,
    others: usize,
}

/// Checks everything under `inputs`. `namespace`: of manifests that name none.
pub(super) fn check(inputs: &[Input], namespace: Option<&str>, clock: Clock) -> Result<Checked, CheckError> {
    let mut found = Vec::new();
    for input in inputs {
        found.extend(find(input)?);
    }
    let mut missed = kustomizations(&found);
    let mut sources = Vec::new();
    for each in in_parallel("files read", &found, || Ok(()), |(), found| read(found))? {
        match each {
            Ok(source) => sources.extend(source),
            Err(error) => missed.push(error.to_string()),
        }
    }
    let pieces: Vec<_> = sources.iter().flat_map(pieces).collect();
    let contents =
        in_parallel("documents checked", &pieces, Checker::new, |checker, piece| contents(checker, piece.part))?;
    let mut problems = Vec::new();
    let mut summary = Summary { files: sources.len(), ..Summary::default() };
    let mut clinics: BTreeMap<Option<&str>, Vec<Placed<'_>>> = BTreeMap::new();
    for (piece, contents) in pieces.iter().zip(&contents) {
        summary.others += contents.others;
        problems.extend(contents.remarks.iter().map(|remark| problem(piece.file, piece.part, None, remark)));
        for manifest in &contents.manifests {
            summary.members += usize::from(matches!(manifest.kind.as_str(), "ClinicUser" | "ServiceAccount"));
            summary.clinics += usize::from(matches!(manifest.is, Is::Clinic(_)));
            let remarks = manifest.remarks.iter();
            problems.extend(remarks.map(|remark| problem(piece.file, piece.part, Some(manifest), remark)));
            let clinic = clinics.entry(manifest.namespace.as_deref().or(namespace)).or_default();
            clinic.push(Placed { file: piece.file, part: piece.part, manifest });
        }
    }
    for manifests in clinics.values() {
        let remarks = clinic::look(manifests, clock.now()).into_iter().map(|(index, remark)| {
            let Placed { file, part, manifest } = manifests[index];
            problem(file, part, Some(manifest), &remark)
        });
        problems.extend(remarks);
    }
    if clinics.is_empty() && problems.is_empty() && missed.is_empty() {
        return Err(CheckError::Nothing(names(inputs)));
    }
    problems.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
    let mut checked = Checked { problems, summary, missed };
    (checked.summary.errors, checked.summary.warnings) = (checked.errors(), checked.warnings());
    Ok(checked)
}

fn pieces(source: &Source) -> impl Iterator<Item = Piece<'_>> {
    parts(&source.text).map(|part| Piece { file: &source.name, part })
}

fn contents(checker: &Checker, part: Part<'_>) -> Contents {
    let mut contents = Contents::default();
    match part.read() {
        Ok(Some(node)) => {
            for document in look(checker, &node) {
                match document {
                    Document::Ours(manifest) => contents.manifests.push(manifest),
                    Document::Other => contents.others += 1,
                }
            }
        }
        Ok(None) => {}
        Err(malformed) => contents.remarks.push(Remark::error(malformed.at, "", malformed.message)),
    }
    contents
}

fn kustomizations(found: &[Found]) -> Vec<String> {
    let told = |found: &Found| match found {
        Found::Kustomization(folder) => {
            let folder = folder.display();
            Some(format!(
                "{folder} was not checked: Kustomize builds it, and what counts is what it builds: kubectl kustomize {folder} | clinic-operator validate -"
            ))
        }
        Found::StandardInput | Found::File(_) => None,
    };
    found.iter().filter_map(told).collect()
}

fn problem(file: &str, part: Part<'_>, manifest: Option<&Manifest>, remark: &Remark) -> Problem {
    let object = manifest.map(|manifest| format!("{} {}", manifest.kind, manifest.name).trim().to_owned());
    Problem {
        file: file.to_owned(),
        line: remark.at.line,
        column: remark.at.column,
        severity: remark.severity,
        object: object.unwrap_or_default(),
        field: remark.field.clone(),
        message: remark.message.clone(),
        text: part.line(remark.at.line).filter(|text| !text.contains('@')).map(str::to_owned),
    }
}

fn names(inputs: &[Input]) -> String {
    let name = |input: &Input| match input {
        Input::StandardInput => "standard input".to_owned(),
        Input::Path(path) => path.display().to_string(),
    };
    inputs.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Does `work` on each item, in their order, on all processors; each has a tool of its own. Says how far it is when it takes long.
fn in_parallel<T: Sync, U: Send, K>(
    done: &str,
    items: &[T],
    tool: impl Fn() -> Result<K, RuleError> + Sync,
    work: impl Fn(&K, &T) -> U + Sync,
) -> Result<Vec<U>, RuleError> {
    /// Items that are taken at a time.
    const AT_A_TIME: usize = 32;
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(items.len().div_ceil(AT_A_TIME).max(1));
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (sender, results) = channel();
    thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, next, finished, tool, work) = (sender.clone(), &next, &finished, &tool, &work);
            scope.spawn(move || {
                let made = tool();
                loop {
                    let start = next.fetch_add(AT_A_TIME, Ordering::Relaxed);
                    let Some(some) =
                        items.get(start..(start + AT_A_TIME).min(items.len())).filter(|some| !some.is_empty())
                    else {
                        return;
                    };
                    let all = match &made {
                        Ok(tool) => Ok(some.iter().map(|item| work(tool, item)).collect::<Vec<_>>()),
                        Err(error) => Err(RuleError::clone(error)),
                    };
                    finished.fetch_add(some.len(), Ordering::Relaxed);
                    // Nobody listens any more once one has failed.
                    drop(sender.send((start, all)));
                }
            });
        }
        drop(sender);
        let mut parts = BTreeMap::new();
        loop {
            match results.recv_timeout(PROGRESS_EVERY) {
                Ok((start, all)) => drop(parts.insert(start, all?)),
                Err(RecvTimeoutError::Timeout) => progress(done, finished.load(Ordering::Relaxed), items.len()),
                Err(RecvTimeoutError::Disconnected) => return Ok(parts.into_values().flatten().collect()),
            }
        }
    })
}

fn progress(done: &str, finished: usize, all: usize) {
    tell(&format!("{finished} of {all} {done} …"));
}
