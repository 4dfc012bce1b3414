//! What is wrong at a place of a document. Where the document stands, and how it is written, never lives here.

use serde::Serialize;

use crate::adapters::manifests::Place;
use crate::adapters::output::unless_an_address;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// The cluster refuses it, or two manifests cannot both be.
    Error,
    /// The cluster takes it, and somebody should look.
    Warning,
}

/// Something to say about a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remark {
    pub at: Place,
    pub severity: Severity,
    pub field: String,
    pub message: String,
}

impl Remark {
    pub(super) fn error(at: Place, field: impl Into<String>, message: impl Into<String>) -> Self {
        let field = unless_an_address(&field.into()).to_owned();
        Self { at, severity: Severity::Error, field, message: message.into() }
    }

    pub(super) fn warning(at: Place, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(at, field, message) }
    }
}
