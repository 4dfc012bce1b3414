//! The manifests under files and folders: read and looked at on all processors. What they are together never lives here.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::iter;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::manifest::{Document, Manifest, look};
use super::remark::Remark;
use crate::adapters::manifests::{Found, Input, Part, Place, ReadError, STANDARD_INPUT, Source, find, parts, read};
use crate::adapters::output::tell;
use crate::api::check::{Checker, RuleError};

/// Work that takes longer says how far it is, so often.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum TreeError {
    /// The rules of this program.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// What was named is not there.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing to read is taken for a wrong path.
    #[error("there is no ClinicUser, ServiceAccount or Clinic in {0}: name the files or the folder that hold them")]
    Nothing(String),
}

/// Texts that were read.
pub(super) struct Texts {
    pub sources: Vec<Source>,
    /// What could not be read, and what to do.
    pub missed: Vec<String>,
}

/// A document of a file.
pub(super) struct Piece<'a> {
    pub file: &'a str,
    pub part: Part<'a>,
    pub manifests: Vec<Manifest>,
    /// About text that is no manifest.
    pub remarks: Vec<Remark>,
    /// Objects that are not of this group.
    pub others: usize,
    /// Where there is something without an apiVersion and a kind.
    nameless: Option<Place>,
}

/// A manifest and where it stands.
pub(super) struct Placed<'a> {
    pub piece: &'a Piece<'a>,
    pub manifest: &'a Manifest,
}

/// Reads everything under `inputs`.
pub(super) fn texts(inputs: &[Input]) -> Result<Texts, TreeError> {
    let mut found = Vec::new();
    for input in inputs {
        found.extend(find(input)?);
    }
    // Under whatever names it is named, a file is one.
    let mut seen = HashSet::new();
    found.retain(|found| seen.insert(found.itself()));
    let mut texts = Texts { sources: Vec::new(), missed: kustomizations(&found) };
    for each in in_parallel("files read", &found, read) {
        match each {
            Ok(source) => texts.sources.extend(source),
            Err(error) => texts.missed.push(error.to_string()),
        }
    }
    Ok(texts)
}

/// Looks at every document. `inputs` are named where there is nothing of ours and nothing else to say.
pub(super) fn pieces<'a>(texts: &'a Texts, inputs: &[Input]) -> Result<Vec<Piece<'a>>, TreeError> {
    let parts: Vec<_> =
        texts.sources.iter().flat_map(|source| parts(&source.text).map(|part| (&*source.name, part))).collect();
    let checker = Checker::new()?;
    let mut pieces = in_parallel("documents checked", &parts, |(file, part)| piece(&checker, file, *part));
    warn_of_nameless(&mut pieces);
    let is_something = |piece: &Piece<'_>| !piece.manifests.is_empty() || !piece.remarks.is_empty();
    if texts.missed.is_empty() && !pieces.iter().any(is_something) {
        return Err(TreeError::Nothing(names(inputs)));
    }
    Ok(pieces)
}

/// The manifests of each clinic, by its namespace. `namespace`: of manifests that name none.
pub(super) fn clinics<'a>(
    pieces: &'a [Piece<'a>],
    namespace: Option<&'a str>,
) -> BTreeMap<Option<&'a str>, Vec<Placed<'a>>> {
    let mut clinics: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for piece in pieces {
        for manifest in &piece.manifests {
            let clinic = clinics.entry(manifest.namespace.as_deref().or(namespace)).or_default();
            clinic.push(Placed { piece, manifest });
        }
    }
    clinics
}

/// kubectl refuses all of a file in which something has neither apiVersion nor kind. A file without a manifest of ours is not for it.
fn warn_of_nameless(pieces: &mut [Piece<'_>]) {
    let with_ours: HashSet<_> =
        pieces.iter().filter(|piece| !piece.manifests.is_empty()).map(|piece| piece.file).collect();
    for piece in pieces.iter_mut().filter(|piece| piece.manifests.is_empty() && with_ours.contains(piece.file)) {
        let warning = |at| Remark::warning(at, "", "has neither apiVersion nor kind: kubectl refuses the file");
        piece.remarks.extend(piece.nameless.map(warning));
    }
}

fn piece<'a>(checker: &Checker, file: &'a str, part: Part<'a>) -> Piece<'a> {
    let mut piece = Piece { file, part, manifests: Vec::new(), remarks: Vec::new(), others: 0, nameless: None };
    match part.read() {
        Ok(Some(node)) => {
            let is_nameless = node.field("apiVersion").is_none() && node.field("kind").is_none();
            piece.nameless = is_nameless.then_some(node.at);
            for document in look(checker, &node) {
                match document {
                    Document::Ours(manifest) => piece.manifests.push(manifest),
                    Document::Other => piece.others += 1,
                    Document::Noted(remark) => {
                        piece.others += 1;
                        piece.remarks.push(remark);
                    }
                }
            }
        }
        Ok(None) => {}
        Err(malformed) => piece.remarks.push(Remark::error(malformed.at, "", malformed.message)),
    }
    piece
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

fn names(inputs: &[Input]) -> String {
    let name = |input: &Input| match input {
        Input::StandardInput => STANDARD_INPUT.to_owned(),
        Input::Path(path) => path.display().to_string(),
    };
    inputs.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Does `work` on each item, in their order, on all processors. Says how far it is when it takes long.
fn in_parallel<T: Sync, U: Send>(done: &str, items: &[T], work: impl Fn(&T) -> U + Sync) -> Vec<U> {
    /// Items that are taken at a time.
    const AT_A_TIME: usize = 32;
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(items.len().div_ceil(AT_A_TIME).max(1));
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Nothing is sent: it ends when the last worker does.
    let (working, end) = channel::<Infallible>();
    let take = || {
        let start = next.fetch_add(AT_A_TIME, Ordering::Relaxed);
        let some = items.get(start..(start + AT_A_TIME).min(items.len())).filter(|some| !some.is_empty())?;
        let done = some.iter().map(&work).collect::<Vec<_>>();
        finished.fetch_add(some.len(), Ordering::Relaxed);
        Some((start, done))
    };
    thread::scope(|scope| {
        let spawn = |working: Sender<Infallible>| {
            scope.spawn(|| {
                let _working = working;
                iter::from_fn(take).collect::<Vec<_>>()
            })
        };
        let workers: Vec<_> = iter::repeat_n(working, workers).map(spawn).collect();
        while end.recv_timeout(PROGRESS_EVERY) == Err(RecvTimeoutError::Timeout) {
            progress(done, finished.load(Ordering::Relaxed), items.len());
        }
        let done = workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        let parts: BTreeMap<_, _> = done.collect();
        parts.into_values().flatten().collect()
    })
}

fn progress(done: &str, finished: usize, all: usize) {
    tell(&format!("{finished} of {all} {done} …"));
}
