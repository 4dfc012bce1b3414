//! The `desired` block of an account as a manifest wants it. Whether it may be written is decided elsewhere.

use super::observe::{Observed, holder};
use crate::api::account::{ClinicAccountSpec, Desired, Holder};
use crate::api::clinic_user::ClinicUserSpec;
use crate::api::convert::access_until;
use crate::api::{ClinicUser, REACTIVATE_ANNOTATION, REPLACE_ANNOTATION, RESEND_ANNOTATION};
use crate::domain::identity::{Approval, Names};
use crate::domain::invitation::resend_value;

/// Claims that an account remembers to have given up; the CRD allows no more.
const RELEASED_KEPT: usize = 16;

/// The value of an annotation.
pub fn annotation<'a>(user: &'a ClinicUser, name: &str) -> Option<&'a str> {
    user.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// The names that a manifest gives.
pub fn names(user: &ClinicUser) -> Names<'_> {
    Names {
        object: user.metadata.name.as_deref().unwrap_or_default(),
        first: user.spec.first_name.as_deref(),
        last: user.spec.last_name.as_deref(),
    }
}

/// The first block of an account that has no address yet.
pub fn without_address(spec: &ClinicUserSpec, holder: Holder) -> Desired {
    Desired {
        holder,
        email: None,
        type_: spec.type_,
        classification: None,
        license: None,
        first_name: None,
        last_name: None,
        title: None,
        position: None,
        roles: Vec::new(),
        permissions: Vec::new(),
        locale: None,
        suspended: false,
        access_until: None,
        removed: None,
        releasing: Vec::new(),
        hold: None,
        resend: None,
        resend_at_adoption: None,
        decisions: 0,
    }
}

/// All that the manifest wishes but the address. Whoever is there is neither removed nor held.
pub fn all_but_the_address(observed: &Observed, desired: &Desired) -> Desired {
    let spec = observed.user.spec.clone();
    let resend = annotation(&observed.user, RESEND_ANNOTATION).map(resend_value);
    let answered = desired.resend_at_adoption.clone().filter(|answered| resend.as_ref() == Some(answered));
    let wishes = Desired {
        holder: holder(&observed.user),
        type_: spec.type_,
        classification: spec.classification,
        license: spec.license,
        first_name: spec.first_name,
        last_name: spec.last_name,
        title: spec.title,
        position: spec.position,
        roles: spec.roles,
        permissions: spec.permissions,
        locale: spec.locale,
        resend: if answered.is_some() { None } else { resend },
        resend_at_adoption: answered,
        removed: None,
        hold: None,
        ..desired.clone()
    };
    with_access(observed, &wishes)
}

/// Another account as this manifest takes it over: as it stands, and a resend value that is there already is answered.
pub fn adopted(observed: &Observed, desired: &Desired) -> Desired {
    let answered = annotation(&observed.user, RESEND_ANNOTATION).map(resend_value);
    all_but_the_address(observed, &Desired { resend_at_adoption: answered, ..desired.clone() })
}

/// An account as it is first recorded.
pub fn new_account(name: &str, desired: Desired) -> ClinicAccountSpec {
    ClinicAccountSpec { id: name.to_owned(), desired, access: None, delivery: None, acceptance: None }
}

/// What the annotations decide about the account of which `wanted` is the approval.
pub fn decided(observed: &Observed, wanted: &str) -> Approval {
    let says = |name| annotation(&observed.user, name);
    Approval::read(says(REACTIVATE_ANNOTATION), says(REPLACE_ANNOTATION), wanted)
}

/// Suspension and end of access, as far as they are valid: without a zone or with a wrong date the last instant stays.
pub fn with_access(observed: &Observed, desired: &Desired) -> Desired {
    let zone = observed.clinic.as_ref().and_then(|clinic| clinic.zone.as_ref());
    let until = match (observed.user.spec.period(), zone) {
        (Ok(period), Some(zone)) => access_until(period, zone),
        _ => desired.access_until,
    };
    Desired { suspended: observed.user.spec.suspended, access_until: until, ..desired.clone() }
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
