//! What a member is, in one word, as members are counted by. What their states are never stands here.

use super::kind::Kind;
use crate::adapters::kubernetes::Packed;
use crate::api::ClinicUser;
use crate::domain::member::{Classification, MemberType};

/// The type classification of a practitioner, else the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A practitioner of this classification.
    Practitioner(Classification),
    /// A member of staff.
    Staff,
    /// A service account.
    ServiceAccount,
    /// The manifest does not fit our types, or is no member's.
    Unknown,
}

impl Class {
    /// Of an object.
    pub(super) fn of(kind: Kind, packed: &Packed) -> Self {
        match kind {
            Kind::ClinicUser => packed.unpack::<ClinicUser>().map_or(Self::Unknown, |user| {
                match (user.spec.type_, user.spec.classification) {
                    (MemberType::Staff, _) => Self::Staff,
                    (MemberType::Practitioner, Some(classification)) => Self::Practitioner(classification),
                    (MemberType::Practitioner, None) => Self::Unknown,
                }
            }),
            Kind::ServiceAccount => Self::ServiceAccount,
            Kind::Clinic | Kind::ClinicAccount | Kind::EmailClaim => Self::Unknown,
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
