//! The words of the clinic: who a member is, and how the member list shows them. Schemas of whole manifests never live here.

use std::fmt;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::email::Email;

/// A rule that a manifest breaks: the field's path and what to do. It never repeats an email address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Such as `spec.email`.
    pub field: String,
    /// What is wrong and what is right.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.message)
    }
}

/// What the rules need to know of a person's manifest, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The address that is to be the username.
    pub email: Email,
    /// Until when.
    pub period: Period,
}

/// How long somebody is to have access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// No end is planned.
    Open,
    /// A clinical trainee, with the Expected End of Training.
    Training(Date),
}

/// The user type of a person ("Service account", the third type, is a kind of its own).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MemberType {
    /// Needs non-provider functionality only.
    Staff,
    /// Provides clinical care to patients.
    Practitioner,
}

/// The type classification of a practitioner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Classification {
    /// Permanent licensed practitioner; has a license.
    Standard,
    /// Stands in for a practitioner of the clinic for a time.
    Locum,
    /// Not independently licensed; works under the supervision of a primary clinician and ends.
    ClinicalTrainee,
}

/// The language of mails and pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Locale {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// French.
    #[serde(rename = "fr")]
    French,
}

/// A person's name as it is shown. Whoever has one name only has it as first or as last name, and the other is empty.
pub fn full_name(first: &str, last: &str) -> String {
    [first, last].into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The only name of somebody who has one.
pub fn only_name<'a>(first: &'a str, last: &'a str) -> Option<&'a str> {
    match (first.is_empty(), last.is_empty()) {
        (false, true) => Some(first),
        (true, false) => Some(last),
        (true, true) | (false, false) => None,
    }
}

/// What the member list shows beside name and title: "their position, type classification or type", the first there is.
pub fn designation(position: Option<&str>, classification: Option<Classification>, type_: MemberType) -> String {
    match (position, classification) {
        (Some(position), _) => position.to_owned(),
        (None, Some(Classification::Standard)) => "Standard".to_owned(),
        (None, Some(Classification::Locum)) => "Locum".to_owned(),
        (None, Some(Classification::ClinicalTrainee)) => "Clinical trainee".to_owned(),
        (None, None) => match type_ {
            MemberType::Staff => "Staff".to_owned(),
            MemberType::Practitioner => "Practitioner".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_one_name_is_shown_by_it() {
        for (first, last, shown, only) in [
            ("Ana", "Silva", "Ana Silva", None),
            ("Suharto", "", "Suharto", Some("Suharto")),
            ("", "李", "李", Some("李")),
            ("", "", "", None),
        ] {
            assert_eq!((full_name(first, last).as_str(), only_name(first, last)), (shown, only));
        }
    }

    #[test]
    fn the_list_shows_position_else_classification_else_type() {
        use {Classification as C, MemberType as T};
        for (position, classification, type_, expected) in [
            (Some("Front desk lead"), None, T::Staff, "Front desk lead"),
            (Some("Family physician"), Some(C::Standard), T::Practitioner, "Family physician"),
            (None, Some(C::ClinicalTrainee), T::Practitioner, "Clinical trainee"),
            (None, Some(C::Locum), T::Practitioner, "Locum"),
            (None, None, T::Staff, "Staff"),
        ] {
            assert_eq!(designation(position, classification, type_), expected);
        }
    }
}
