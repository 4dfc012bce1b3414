//! The life of a member: who has access, and the words (the states) that say how somebody stands. Times are arguments; which
//! state applies and what it says is in `verdict`, how it becomes conditions in `conditions`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::ClinicZone;

/// Why an account has access, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessReason {
    /// The person accepted, and nothing speaks against it.
    Granted,
    /// The person has not accepted an invitation yet.
    NotAccepted,
    /// The manifest says `suspended: true`.
    Suspended,
    /// The manifest is gone.
    Removed,
    /// More than two weeks have passed since the Expected End of Training.
    TrainingEnded,
}

/// What access depends on, and nothing else: no conflict, mail trouble or missing Clinic ever changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessFacts {
    /// When the person accepted.
    pub accepted: Option<Timestamp>,
    /// The wish to suspend.
    pub suspended: bool,
    /// When the account was removed.
    pub removed: Option<Timestamp>,
    /// The instant from which on there is no access.
    pub until: Option<Timestamp>,
}

/// Access = accepted and not suspended and not removed and `now < until`.
pub fn access(facts: &AccessFacts, now: Timestamp) -> AccessReason {
    if facts.removed.is_some() {
        AccessReason::Removed
    } else if facts.until.is_some_and(|until| now >= until) {
        AccessReason::TrainingEnded
    } else if facts.suspended {
        AccessReason::Suspended
    } else if facts.accepted.is_none() {
        AccessReason::NotAccepted
    } else {
        AccessReason::Granted
    }
}

/// How a member stands, in one word: the Ready condition's reason and the STATE column. In order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The manifest was deleted, and a finalizer keeps the object: the member counts as gone.
    BeingDeleted,
    /// The manifest breaks a rule.
    Invalid,
    /// There is no Clinic, or its time zone is unknown.
    ClinicMissing,
    /// The Clinic says `paused: true`.
    Paused,
    /// Address and name of an accepted member changed at once: is it the same person?
    IdentityChanged,
    /// The address belongs to somebody who was a member: is it the same person?
    FormerMember,
    /// Another member has the address.
    EmailConflict,
    /// A trainee's access has ended.
    TrainingEnded,
    /// Suspended by the manifest.
    Suspended,
    /// Has access.
    Active,
    /// The address was refused, or the relay takes the mail of others and not this one's.
    Undeliverable,
    /// Nobody knows whether the invitation left.
    DeliveryUnknown,
    /// A guard holds the invitation back until a person releases it.
    Held,
    /// The invitation's link works no more.
    InvitationExpired,
    /// The invitation was sent; waiting for the person.
    Invited,
    /// The invitation waits in the queue, for the relay or for its turn.
    Pending,
}

/// Who has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Nobody: it is as the manifest says (kstatus `Current`).
    None,
    /// The operator is at it (kstatus `InProgress`).
    Reconciling,
    /// A person must act (kstatus `Failed`).
    Stalled,
}

impl State {
    /// Who has to do something.
    pub fn attention(self) -> Attention {
        match self {
            Self::Invalid
            | Self::ClinicMissing
            | Self::Paused
            | Self::IdentityChanged
            | Self::FormerMember
            | Self::EmailConflict
            | Self::Undeliverable
            | Self::DeliveryUnknown
            | Self::Held => Attention::Stalled,
            Self::BeingDeleted | Self::Pending => Attention::Reconciling,
            Self::TrainingEnded | Self::Suspended | Self::Active | Self::InvitationExpired | Self::Invited => {
                Attention::None
            }
        }
    }

    /// All states.
    pub const ALL: [Self; 16] = [
        Self::BeingDeleted,
        Self::Invalid,
        Self::ClinicMissing,
        Self::Paused,
        Self::IdentityChanged,
        Self::FormerMember,
        Self::EmailConflict,
        Self::TrainingEnded,
        Self::Suspended,
        Self::Active,
        Self::Undeliverable,
        Self::DeliveryUnknown,
        Self::Held,
        Self::InvitationExpired,
        Self::Invited,
        Self::Pending,
    ];

    /// The word itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeingDeleted => "BeingDeleted",
            Self::Invalid => "Invalid",
            Self::ClinicMissing => "ClinicMissing",
            Self::Paused => "Paused",
            Self::IdentityChanged => "IdentityChanged",
            Self::FormerMember => "FormerMember",
            Self::EmailConflict => "EmailConflict",
            Self::TrainingEnded => "TrainingEnded",
            Self::Suspended => "Suspended",
            Self::Active => "Active",
            Self::Undeliverable => "Undeliverable",
            Self::DeliveryUnknown => "DeliveryUnknown",
            Self::Held => "Held",
            Self::InvitationExpired => "InvitationExpired",
            Self::Invited => "Invited",
            Self::Pending => "Pending",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// How the clinic stands.
#[derive(Clone, Debug)]
pub enum ClinicStanding<'a> {
    /// There is no Clinic named `clinic`.
    Missing,
    /// Its time zone is not in the database.
    UnknownZone(&'a str),
    /// It says `paused: true`.
    Paused(&'a ClinicZone),
    /// It is there.
    Open(&'a ClinicZone),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn access_is_accepted_and_not_suspended_and_not_removed_and_before_its_end() {
        for accepted in [None, Some(at(0))] {
            for suspended in [false, true] {
                for removed in [None, Some(at(0))] {
                    for (until, ended) in
                        [(None, false), (Some(at(11)), false), (Some(at(10)), true), (Some(at(9)), true)]
                    {
                        let facts = AccessFacts { accepted, suspended, removed, until };
                        let granted = accepted.is_some() && !suspended && removed.is_none() && !ended;
                        assert_eq!(access(&facts, at(10)) == AccessReason::Granted, granted, "{facts:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_state_has_a_name_of_its_own_and_all_stand_in_the_order_of_precedence() {
        assert!(State::ALL.is_sorted());
        for state in State::ALL {
            assert_eq!(State::parse(state.name()), Some(state));
        }
    }
}
