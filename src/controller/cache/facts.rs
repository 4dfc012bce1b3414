//! What the lookups need to know of an object, read from its packed text. One that does not fit its type has no facts but its
//! UID. Nothing is kept here.

use jiff::Timestamp;
use kube::core::ObjectMeta;

use super::class::Class;
use super::guards::Guarded;
use super::kind::Kind;
use super::open::open_attempt;
use crate::adapters::kubernetes::Packed;
use crate::api::account::{Attempt, Holder};
use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, ServiceAccount};
use crate::domain::email::{ClaimName, Email};
use crate::domain::lifecycle::State;

/// What the lookups need to know of an object.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The claims of the addresses that it has or wants.
    pub claims: Vec<ClaimName>,
    /// A claim's account; empty for others.
    pub points_to: String,
    /// An account's; empty for others.
    pub holder: Holder,
    /// Whether it has a deletionTimestamp, whatever finalizer keeps it.
    pub is_being_deleted: bool,
    pub uid: String,
    /// What the guards count of an account.
    pub guarded: Guarded,
    /// An account's latest attempt, if its outcome is not known.
    pub open: Option<Attempt>,
    /// When an account's access ends, while it has any.
    pub ends: Option<Timestamp>,
    /// The state that a member's status names.
    pub state: Option<State>,
    /// What a member is counted as.
    pub class: Class,
}

/// Whether nothing differs that anybody's decision depends on.
pub(super) fn differ_in_status_only(before: &Packed, after: &Packed) -> bool {
    let decided_by = |clinic: Clinic| (clinic.metadata.uid, clinic.metadata.annotations, clinic.spec);
    let (before, after) = (before.unpack().map(decided_by), after.unpack().map(decided_by));
    before.is_some() && before == after
}

/// The facts of an object. One that does not fit its type has none but its UID, and is counted as what it is.
pub(super) fn facts(kind: Kind, packed: &Packed) -> Facts {
    let state = |named: Option<String>| named.and_then(|named| State::parse(&named));
    let known = match kind {
        Kind::Clinic => None,
        Kind::ServiceAccount => {
            let status = packed.unpack::<ServiceAccount>().and_then(|account| account.status);
            let state = state(status.and_then(|status| status.state));
            Some(Facts { state, class: Class::ServiceAccount, ..Facts::default() })
        }
        Kind::ClinicUser => packed.unpack::<ClinicUser>().map(|user| {
            let wanted = Email::parse(&user.spec.email).ok().map(|email| email.key().claim());
            Facts {
                claims: wanted.into_iter().collect(),
                state: state(user.status.and_then(|status| status.state)),
                class: Class::of(user.spec.type_, user.spec.classification),
                ..Facts::default()
            }
        }),
        Kind::ClinicAccount => packed.unpack::<ClinicAccount>().map(|account| {
            let spec = account.spec;
            Facts {
                claims: spec.claims(),
                guarded: Guarded::of(&spec),
                ends: spec.granted_until(),
                open: open_attempt(&spec).cloned(),
                holder: spec.desired.holder,
                ..Facts::default()
            }
        }),
        Kind::EmailClaim => packed.unpack::<EmailClaim>().map(|claim| {
            let name = claim.metadata.name.as_deref().and_then(ClaimName::parse);
            Facts { claims: name.into_iter().collect(), points_to: claim.spec.account, ..Facts::default() }
        }),
    };
    let ObjectMeta { uid, deletion_timestamp, .. } = packed.metadata();
    Facts { uid: uid.unwrap_or_default(), is_being_deleted: deletion_timestamp.is_some(), ..known.unwrap_or_default() }
}
