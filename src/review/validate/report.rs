//! What was found, and where. How it is written never lives here.

use serde::Serialize;

use crate::review::remark::Severity;

/// A problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    /// The file as it was named: another name would not lead to it, even where an address is part of it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub severity: Severity,
    /// The manifest's kind and name, such as `ClinicUser ana-silva`; empty where the text is no manifest.
    pub object: String,
    /// Such as `spec.email`; empty: the whole document.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
    /// What is shown of the line of the file.
    #[serde(skip)]
    pub text: Option<String>,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub files: usize,
    /// `ClinicUser`s and `ServiceAccount`s.
    pub members: usize,
    pub clinics: usize,
    /// Objects that are not of this group: nothing was said about them.
    pub others: usize,
    pub errors: usize,
    pub warnings: usize,
}

/// All of it.
pub(super) struct Checked {
    /// By file and place.
    pub problems: Vec<Problem>,
    pub summary: Summary,
    /// What could not be checked, and what to do.
    pub missed: Vec<String>,
}
