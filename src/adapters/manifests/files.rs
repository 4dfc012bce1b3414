//! Which files there are, and their texts. A folder that Kustomize builds is named, not read: what it applies is what it builds.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What people call the file that makes a folder one of Kustomize's.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// What standard input is called.
pub const STANDARD_INPUT: &str = "standard input";
/// Bytes of one file at most.
const LARGEST: u64 = 512 * 1024 * 1024;

/// What a person names to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input, written `-`.
    StandardInput,
    /// A file or a folder.
    Path(PathBuf),
}

impl From<&str> for Input {
    fn from(word: &str) -> Self {
        if word == "-" { Self::StandardInput } else { Self::Path(word.into()) }
    }
}

/// What was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Standard input.
    StandardInput,
    /// A file to read.
    File(PathBuf),
    /// A folder that Kustomize builds.
    Kustomization(PathBuf),
}

impl Found {
    /// What it is under whatever path; `None`: standard input.
    pub fn itself(&self) -> Option<PathBuf> {
        match self {
            Self::StandardInput => None,
            Self::File(path) | Self::Kustomization(path) => Some(path.canonicalize().unwrap_or_else(|_| path.clone())),
        }
    }
}

/// A text and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's path as it was named, or `standard input`.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system.
    #[error("failed to read {0}: {1}")]
    Io(String, io::Error),
    /// Bytes that are no text.
    #[error("failed to read {0}: it is not text in UTF-8: save it as UTF-8")]
    NotText(String),
    /// More than a manifest can be.
    #[error("failed to read {0}: it has more than {LARGEST} bytes")]
    TooLarge(String),
}

/// The files of `input`: itself, or all of a folder and of those in it, by name. Hidden ones and links to folders are left out.
///
/// # Errors
/// What is not there, or may not be read.
pub fn find(input: &Input) -> Result<Vec<Found>, ReadError> {
    match input {
        Input::StandardInput => Ok(vec![Found::StandardInput]),
        Input::Path(path) => {
            let kind = fs::metadata(path).map_err(|error| failed(path, error))?;
            let mut found = Vec::new();
            if kind.is_dir() {
                walk(path, &mut found)?;
            } else {
                found.push(Found::File(path.clone()));
            }
            Ok(found)
        }
    }
}

fn walk(folder: &Path, found: &mut Vec<Found>) -> Result<(), ReadError> {
    if KUSTOMIZATIONS.iter().any(|name| folder.join(name).is_file()) {
        found.push(Found::Kustomization(folder.to_owned()));
        return Ok(());
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(|error| failed(folder, error))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let kind = entry.file_type().map_err(|error| failed(&path, error))?;
        if is_hidden {
            continue;
        }
        if kind.is_dir() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|ending| ENDINGS.iter().any(|other| ending.eq_ignore_ascii_case(other)))
            && path.is_file()
        {
            found.push(Found::File(path));
        }
    }
    Ok(())
}

/// The text of what was found; `None`: it is a folder that Kustomize builds.
///
/// # Errors
/// What cannot be read, or is no text.
pub fn read(found: &Found) -> Result<Option<Source>, ReadError> {
    let (name, bytes) = match found {
        Found::Kustomization(_) => return Ok(None),
        Found::StandardInput => {
            let name = STANDARD_INPUT.to_owned();
            let bytes = up_to_the_limit(&mut io::stdin().lock(), &name)?;
            (name, bytes)
        }
        Found::File(path) => {
            let name = path.display().to_string();
            let mut file = fs::File::open(path).map_err(|error| failed(path, error))?;
            let bytes = up_to_the_limit(&mut file, &name)?;
            (name, bytes)
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(Source { name, text })),
        Err(_) => Err(ReadError::NotText(name)),
    }
}

fn up_to_the_limit(from: &mut impl Read, name: &str) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let length =
        from.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| ReadError::Io(name.to_owned(), error))?;
    if u64::try_from(length).is_ok_and(|length| length > LARGEST) {
        return Err(ReadError::TooLarge(name.to_owned()));
    }
    Ok(bytes)
}

fn failed(path: &Path, error: io::Error) -> ReadError {
    ReadError::Io(path.display().to_string(), error)
}
