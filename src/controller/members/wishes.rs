//! The `desired` block of an account as an observed manifest wants it. Whether it may be written is decided elsewhere; what a manifest
//! wishes for stands in `api::wishes`.

use super::observe::{Observed, holder};
use crate::api::ClinicUser;
use crate::api::account::{ClinicAccountSpec, Desired};
use crate::api::wishes::{Annotations, Wishes, approved};
use crate::domain::identity::{Approval, Names};

/// Claims that an account remembers to have given up; the CRD allows no more.
const RELEASED_KEPT: usize = 16;

/// The names that a manifest gives.
pub fn names(user: &ClinicUser) -> Names<'_> {
    user.spec.names(user.metadata.name.as_deref().unwrap_or_default())
}

/// What the manifest wishes for.
pub fn wishes(observed: &Observed) -> Wishes<'_> {
    Wishes {
        spec: &observed.user.spec,
        annotations: annotations(&observed.user),
        holder: holder(&observed.user),
        zone: observed.clinic.as_ref().and_then(|clinic| clinic.zone.as_ref()),
    }
}

/// An account as it is first recorded.
pub fn new_account(name: &str, desired: Desired) -> ClinicAccountSpec {
    ClinicAccountSpec { id: name.to_owned(), desired, access: None, delivery: None, acceptance: None }
}

/// What the annotations decide about the account of which `wanted` is the approval.
pub fn decided(observed: &Observed, wanted: &str) -> Approval {
    approved(annotations(&observed.user), wanted)
}

fn annotations(user: &ClinicUser) -> Annotations<'_> {
    user.metadata.annotations.as_ref()
}

/// The claims that were given up, with these added. Old entries stay (the newest 16), though their claims are gone: the
/// caches of claims and accounts are not of one moment, so "gone" cannot be seen for certain, and a UID that stands here
/// is never used again.
pub fn releasing(desired: &Desired, uids: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut all = desired.releasing.clone();
    for uid in uids {
        if !all.contains(&uid) {
            all.push(uid);
        }
    }
    let surplus = all.len().saturating_sub(RELEASED_KEPT);
    all.split_off(surplus)
}
