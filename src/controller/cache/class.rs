//! What a member is, in one word, as members are counted by. What their states are never stands here.

use crate::domain::member::{Classification, MemberType};

/// The type classification of a practitioner, else the type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A practitioner of this classification.
    Practitioner(Classification),
    /// A member of staff.
    Staff,
    /// A service account.
    ServiceAccount,
    /// The manifest does not fit our types, or is no member's.
    #[default]
    Unknown,
}

impl Class {
    /// Of what a `ClinicUser` says.
    pub(super) fn of(type_: MemberType, classification: Option<Classification>) -> Self {
        match (type_, classification) {
            (MemberType::Staff, _) => Self::Staff,
            (MemberType::Practitioner, Some(classification)) => Self::Practitioner(classification),
            (MemberType::Practitioner, None) => Self::Unknown,
        }
    }

    /// The word, as manifests have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Practitioner(Classification::Standard) => "Standard",
            Self::Practitioner(Classification::Locum) => "Locum",
            Self::Practitioner(Classification::ClinicalTrainee) => "ClinicalTrainee",
            Self::Staff => "Staff",
            Self::ServiceAccount => "ServiceAccount",
            Self::Unknown => "Unknown",
        }
    }
}
