//! What a manifest wishes for: the `desired` block of an account but for the address, and what people ask for by annotations. Whether
//! it may be written is decided elsewhere.

use std::collections::BTreeMap;

use super::account::{Desired, Holder};
use super::clinic_user::{ClinicUser, ClinicUserSpec};
use super::convert::access_until;
use super::{
    REACTIVATE_ANNOTATION, RELEASE_HOLD_ANNOTATION, REPLACE_ANNOTATION, RESEND_ANNOTATION, SIGN_OUT_ANNOTATION,
};
use crate::domain::calendar::ClinicZone;
use crate::domain::guard::Release;
use crate::domain::identity::{Approval, Names};
use crate::domain::invitation::resend_value;
use crate::domain::member::MemberType;

/// Those of an object, if it has any.
pub type Annotations<'a> = Option<&'a BTreeMap<String, String>>;

/// What a person has released on the Clinic.
pub fn released_hold(annotations: Annotations<'_>) -> Option<Release> {
    Release::parse(annotation(annotations, RELEASE_HOLD_ANNOTATION)?)
}

/// What the annotations of a `ClinicUser` decide about the account of which `wanted` is the approval.
pub fn approved(annotations: Annotations<'_>, wanted: &str) -> Approval {
    let says = |name| annotation(annotations, name);
    Approval::read(says(REACTIVATE_ANNOTATION), says(REPLACE_ANNOTATION), wanted)
}

/// The account and grant whose sessions a person has ended, as [`sign_out`](crate::domain::standing::sign_out) writes them.
pub fn signed_out(annotations: Annotations<'_>) -> Option<&str> {
    annotation(annotations, SIGN_OUT_ANNOTATION).map(str::trim)
}

fn resend(annotations: Annotations<'_>) -> Option<String> {
    annotation(annotations, RESEND_ANNOTATION).map(resend_value)
}

fn annotation<'a>(annotations: Annotations<'a>, name: &str) -> Option<&'a str> {
    annotations?.get(name).map(String::as_str)
}

impl ClinicUser {
    /// Whether somebody has deleted it and only a finalizer keeps the object: to everybody else it is gone.
    pub fn is_being_deleted(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }
}

impl ClinicUserSpec {
    /// The names that a manifest gives, whose `metadata.name` is `object`.
    pub fn names<'a>(&'a self, object: &'a str) -> Names<'a> {
        Names { object, first: self.first_name.as_deref(), last: self.last_name.as_deref(), only: None }
    }
}

impl Desired {
    /// The first block of an account that has no address yet.
    pub fn without_address(type_: MemberType, holder: Holder) -> Self {
        Self {
            holder,
            email: None,
            type_,
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
            grant: 0,
        }
    }
}

/// What a manifest says about the account of its person.
pub struct Wishes<'a> {
    /// The manifest.
    pub spec: &'a ClinicUserSpec,
    /// Its annotations.
    pub annotations: Annotations<'a>,
    /// The object, as an account names it.
    pub holder: Holder,
    /// The clinic's zone; `None`: it is not known.
    pub zone: Option<&'a ClinicZone>,
}

impl Wishes<'_> {
    /// The block with all that is wished but the address. Whoever is there is neither removed nor held.
    pub fn all_but_the_address(&self, desired: &Desired) -> Desired {
        let spec = self.spec.clone();
        let resend = resend(self.annotations);
        let answered = desired.resend_at_adoption.clone().filter(|answered| resend.as_ref() == Some(answered));
        Desired {
            holder: self.holder.clone(),
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
            ..self.access(desired)
        }
    }

    /// The block of another account as the manifest takes it over: as it stands, and a resend value that is there already is answered.
    pub fn adopted(&self, desired: &Desired) -> Desired {
        self.all_but_the_address(&Desired { resend_at_adoption: resend(self.annotations), ..desired.clone() })
    }

    /// The block of an account whose gone holder had the manifest's name, as the manifest takes that place: what else it says is an
    /// edit that follows. Whoever is there is not held, and a resend value that is there already is answered.
    pub fn in_the_place_of_the_holder(&self, desired: &Desired) -> Desired {
        let resend_at_adoption = resend(self.annotations);
        Desired { holder: self.holder.clone(), hold: None, resend: None, resend_at_adoption, ..desired.clone() }
    }

    /// The block with suspension and end of access alone, as far as they are valid: without a zone or with a wrong date the last
    /// instant stays.
    pub fn access(&self, desired: &Desired) -> Desired {
        let until = match (self.spec.period(), self.zone) {
            (Ok(period), Some(zone)) => access_until(period, zone),
            _ => desired.access_until,
        };
        Desired { suspended: self.spec.suspended, access_until: until, ..desired.clone() }
    }
}
