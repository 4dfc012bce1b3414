//! What the lookups need to know of an object, read from its packed text. One that does not fit its type has no facts but its
//! UID. Nothing is kept here.

use jiff::Timestamp;

use super::guards::Guarded;
use super::kind::Kind;
use crate::adapters::kubernetes::Packed;
use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, ServiceAccount};
use crate::domain::email::{ClaimName, Email};
use crate::domain::lifecycle::State;

/// What the lookups need to know of an object.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The claims of the addresses that it has or wants.
    pub claims: Vec<ClaimName>,
    /// An account's holder or a claim's account; empty for others.
    pub points_to: String,
    pub uid: String,
    /// What the guards count of an account.
    pub guarded: Guarded,
    /// When an account's access ends, while it has any.
    pub ends: Option<Timestamp>,
}

/// Whether nothing differs that anybody's decision depends on.
pub(super) fn differ_in_status_only(before: &Packed, after: &Packed) -> bool {
    let decided_by = |clinic: Clinic| (clinic.metadata.uid, clinic.metadata.annotations, clinic.spec);
    let (before, after) = (before.unpack().map(decided_by), after.unpack().map(decided_by));
    before.is_some() && before == after
}

/// The state that an object's status names.
pub(super) fn state(kind: Kind, packed: &Packed) -> Option<State> {
    let status = match kind {
        Kind::ClinicUser => packed.unpack::<ClinicUser>()?.status,
        Kind::ServiceAccount => packed.unpack::<ServiceAccount>()?.status,
        Kind::Clinic | Kind::ClinicAccount | Kind::EmailClaim => None,
    };
    State::parse(&status?.state?)
}

/// The facts of an object. One that does not fit its type has none but its UID.
pub(super) fn facts(kind: Kind, packed: &Packed) -> Facts {
    let known = match kind {
        Kind::Clinic | Kind::ServiceAccount => None,
        Kind::ClinicUser => packed.unpack::<ClinicUser>().map(|user| {
            let wanted = Email::parse(&user.spec.email).ok().map(|email| email.key().claim());
            Facts { claims: wanted.into_iter().collect(), ..Facts::default() }
        }),
        Kind::ClinicAccount => packed.unpack::<ClinicAccount>().map(|account| {
            let spec = account.spec;
            let has_access = spec.access.as_ref().is_some_and(|access| access.granted);
            Facts {
                claims: spec.claims(),
                guarded: Guarded::of(&spec),
                ends: spec.desired.access_until.filter(|_| has_access),
                points_to: spec.desired.holder.uid,
                ..Facts::default()
            }
        }),
        Kind::EmailClaim => packed.unpack::<EmailClaim>().map(|claim| {
            let name = claim.metadata.name.as_deref().and_then(ClaimName::parse);
            Facts { claims: name.into_iter().collect(), points_to: claim.spec.account, ..Facts::default() }
        }),
    };
    Facts { uid: packed.uid(), ..known.unwrap_or_default() }
}
