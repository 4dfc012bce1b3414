//! The configuration files of the program's parts, and their faults in words. Everything that decides where mail, links and
//! people go comes from here, from files that the chart mounts, never from a resource that members of the clinic can edit.

pub mod controller;
pub mod portal;
mod values;

#[cfg(test)]
mod keys_tests;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::{options, with_deserializer_from_str_with_options};

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

/// A configuration file.
trait File: DeserializeOwned {
    /// Every key, by its path, and what it takes, in words that go on from there: `mail.port` "must be 1 to 65535".
    const KEYS: &'static [(&'static str, &'static str)];

    /// What a key takes.
    fn right(key: &str) -> Option<&'static str> {
        Self::KEYS.iter().find(|(name, _)| *name == key).map(|(_, right)| *right)
    }

    /// A value of this key is not right.
    fn wrong(path: &Path, key: &'static str) -> ConfigError {
        value(path, key, Self::right(key).unwrap_or("is not right"))
    }
}

/// What is right in both files.
const RIGHT_LOG: &str = "must hold level, format or both";
const RIGHT_LEVEL: &str = "must be error, warn, info, debug or trace";
const RIGHT_LISTEN: &str = "must be an IP address and a port such as 0.0.0.0:8080";
const RIGHT_FORMAT: &str = "must be json or text";
const RIGHT_URL: &str = "must be https:// and a host such as https://portal.maple.example";

/// Reads and parses a file.
async fn read<T: File>(path: &Path) -> Result<T, ConfigError> {
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    parse(&text, path)
}

/// Parses the text of the file `path`.
fn parse<T: File>(text: &str, path: &Path) -> Result<T, ConfigError> {
    let mut key = String::new();
    let parsed = with_deserializer_from_str_with_options(text, options! { with_snippet: false }, |deserializer| {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            key = error.path().to_string();
            error.into_inner()
        })
    });
    parsed.map_err(|error| ConfigError::Invalid { path: path.to_owned(), error: in_words::<T>(&key, &error) })
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

/// One line, which names the key and what is right, but never the value: somebody may have put a password there.
#[expect(clippy::wildcard_enum_match_arm, reason = "the parser's enum is open, and its other faults are of the syntax")]
fn in_words<T: File>(key: &str, error: &serde_yaml::Error) -> String {
    // An element of a list is told as the list is.
    let key = key.split('[').next().unwrap_or_default();
    let place = error.location().map(|place| format!(" (line {}, column {})", place.line(), place.column()));
    let place = place.unwrap_or_default();
    match error {
        serde_yaml::Error::SerdeMissingField { field, .. } => {
            let key = if key.is_empty() || key == "." { (*field).to_owned() } else { format!("{key}.{field}") };
            format!("{key} is missing: it {}", T::right(&key).unwrap_or("is required"))
        }
        serde_yaml::Error::DuplicateMappingKey { key, .. } => {
            format!("{} stands there twice{place}", key.as_deref().unwrap_or("a key"))
        }
        serde_yaml::Error::SerdeUnknownField { .. } | serde_yaml::Error::ExternalMessage { .. } => error.to_string(),
        _ => match T::right(key) {
            Some(right) => format!("{key}: {right}{place}"),
            None => format!("it must hold keys and values such as portalUrl: https://portal.maple.example{place}"),
        },
    }
}
