//! The configuration files of the program's parts, and their faults in words. Everything that decides where mail, links and
//! people go comes from here, from files that the chart mounts, never from a resource that members of the clinic can edit.

pub mod controller;
pub mod portal;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::portal_url::PortalUrl;

/// What is logged. Addresses, links, tokens and passwords never are, at no level; names of objects are.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogConfig {
    /// The least important level that is logged of this program; its libraries log warnings only.
    #[serde(default)]
    pub level: LogLevel,
    /// One JSON object a line, or text.
    #[serde(default)]
    pub format: LogFormat,
}

/// Log levels.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures that need a person.
    Error,
    /// Failures that are tried again.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// What was decided.
    Debug,
    /// Everything.
    Trace,
}

/// Log formats.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file.
    #[error("failed to read the configuration {path}: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Its text.
    #[error("the configuration {path} is not valid: {error}")]
    Invalid {
        /// Which.
        path: PathBuf,
        /// Line, column and what is wrong.
        error: String,
    },
    /// A value.
    #[error("the configuration {path} is not valid: {field}: {error}")]
    Value {
        /// Which file.
        path: PathBuf,
        /// The field's path.
        field: &'static str,
        /// What is wrong and what is right.
        error: String,
    },
    /// A file that it names.
    #[error("{field}: {error}")]
    File {
        /// The field's path.
        field: &'static str,
        /// The file and the kind of error; never its content.
        error: String,
    },
}

/// Reads and parses a file.
async fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    parse(&text, path)
}

/// Parses the text of the file `path`.
fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, ConfigError> {
    serde_yaml::from_str_with_options(text, serde_yaml::options! { with_snippet: false })
        .map_err(|error| ConfigError::Invalid { path: path.to_owned(), error: in_words(&error, text) })
}

/// A value that does not do.
fn value(path: &Path, field: &'static str, error: impl Into<String>) -> ConfigError {
    ConfigError::Value { path: path.to_owned(), field, error: error.into() }
}

/// A file that the configuration names and that does not do.
fn file(field: &'static str, error: &impl ToString) -> ConfigError {
    ConfigError::File { field, error: error.to_string() }
}

fn portal_url(text: &str, path: &Path) -> Result<PortalUrl, ConfigError> {
    PortalUrl::parse(text).map_err(|error| value(path, "portalUrl", error.to_string()))
}

/// One line. A fault in a value names its key, but never the value: somebody may have put a password there.
fn in_words(error: &serde_yaml::Error, text: &str) -> String {
    let key = error.location().and_then(|place| {
        let line = text.lines().nth(usize::try_from(place.line()).ok()?.checked_sub(1)?)?;
        let before: String = line.chars().take(usize::try_from(place.column()).ok()?.checked_sub(1)?).collect();
        let key = before.trim_end().strip_suffix(':')?.rsplit(['{', ',', ' ']).next()?.trim_matches('"').to_owned();
        Some(key)
    });
    match key {
        Some(key) => format!("{key}: {}", without_values(&error.to_string())),
        None => without_values(&error.to_string()),
    }
}

/// What a parser says, with `…` for each value that it quotes. The key that it does not know stays: it is what is wrong.
fn without_values(said: &str) -> String {
    const OPENINGS: [&str; 3] = ["unknown variant `", "string \"", "value \""];
    let first = OPENINGS.iter().filter_map(|opening| Some((said.find(opening)?, *opening))).min();
    let Some((at, opening)) = first else { return said.to_owned() };
    let (before, value) = said.split_at(at + opening.len());
    let (shown, quote) = before.split_at(before.len() - 1);
    // A text may hold the quote that ends it; after a variant the right ones are named in the same quotes.
    let end = if quote == "`" { value.find(quote) } else { value.rfind(quote) };
    let after = end.and_then(|end| value.get(end + 1..)).unwrap_or_default();
    format!("{shown}…{}", without_values(after))
}
