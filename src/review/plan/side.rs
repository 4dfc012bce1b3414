//! A clinic as it is or as it is to be: the manifests, and beside a cluster the records. Where it was read never lives here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::RESEND_ANNOTATION;
use crate::api::account::{ClinicAccount, ClinicAccountSpec};
use crate::api::clinic::ClinicSpec;
use crate::api::clinic_user::ClinicUserSpec;
use crate::api::convert::access_until;
use crate::domain::calendar::ClinicZone;
use crate::domain::email::{Email, EmailKey};
use crate::domain::guard::Release;
use crate::review::manifest::Is;
use crate::review::tree::Placed;

/// One side of the comparison.
#[derive(Clone, Default)]
pub(super) struct Side {
    pub clinic: Option<ClinicSpec>,
    /// Whether there is a Clinic although it was not seen: in another tree, or kept from the reader.
    pub clinic_is_elsewhere: bool,
    /// What a person has released on the Clinic.
    pub released: Option<Release>,
    /// By `metadata.name`.
    pub people: BTreeMap<String, Person>,
    pub service_accounts: BTreeMap<String, Value>,
    pub sees_no_service_accounts: bool,
    /// The operator's; `None`: they were not seen.
    pub records: Option<Vec<ClinicAccount>>,
}

/// A `ClinicUser`.
#[derive(Clone)]
pub(super) struct Person {
    pub spec: ClinicUserSpec,
    pub annotations: BTreeMap<String, String>,
    /// Where the object exists.
    pub uid: Option<String>,
    /// How their record seems to stand, for who may not see it.
    pub seems: Seems,
}

/// See [`Person::seems`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seems {
    /// The status names no account.
    WithoutAccount,
    Pending,
    Accepted,
}

impl Side {
    /// What manifests say. Those of one clinic.
    pub(super) fn of_manifests(manifests: &[Placed<'_>]) -> Self {
        let mut side = Self { clinic_is_elsewhere: true, ..Self::default() };
        for Placed { manifest, .. } in manifests {
            match &manifest.is {
                Is::User(user) => {
                    let person = Person {
                        spec: user.spec.clone(),
                        annotations: user.annotations.clone(),
                        uid: None,
                        // Manifests do not tell; who has accepted has more to lose.
                        seems: Seems::Accepted,
                    };
                    side.people.insert(manifest.name.clone(), person);
                }
                Is::ServiceAccount(spec) => drop(side.service_accounts.insert(manifest.name.clone(), spec.clone())),
                Is::Clinic(clinic) => {
                    side.clinic = Some(clinic.spec.clone());
                    side.released.clone_from(&clinic.released);
                }
                Is::Nothing => {}
            }
        }
        side
    }
}

impl Person {
    /// The address's key. A manifest that cannot be read has none, and is not planned with.
    pub(super) fn key(&self) -> Option<EmailKey> {
        Email::parse(&self.spec.email).ok().map(|email| email.key())
    }

    /// The object's UID, or where there is no object one that only it has.
    pub(super) fn uid(&self, name: &str) -> String {
        self.uid.clone().unwrap_or_else(|| format!("of {name}"))
    }

    /// What a record that was not seen must be about like; `None`: there seems to be none.
    pub(super) fn seeming_record(&self, name: &str, zone: Option<&ClinicZone>) -> Option<ClinicAccountSpec> {
        // It does not matter when.
        let then = Timestamp::UNIX_EPOCH;
        let zone = zone.cloned().or_else(ClinicZone::last_of_all);
        let until = self.spec.period().ok().zip(zone).and_then(|(period, zone)| access_until(period, &zone));
        let email = self.spec.email.to_string();
        let uid = self.uid(name);
        let resend = self.annotations.get(RESEND_ANNOTATION);
        let spec = &self.spec;
        let acceptance = json!({
            "acceptedAt": then, "firstName": "-", "lastName": "-", "login": email, "credential": "", "sessionEpoch": 0,
        });
        let record = json!({
            "id": name,
            "desired": {
                "holder": {"name": name, "uid": uid}, "email": email, "type": spec.type_, "firstName": spec.first_name,
                "lastName": spec.last_name, "suspended": spec.suspended, "accessUntil": until, "decisions": 0,
                "resend": resend,
            },
            "delivery": {
                "round": 1, "address": email, "sent": 1, "failed": 0, "resend": resend,
                "attempts": [{
                    "kind": "Invitation", "round": 1, "copy": 1, "messageId": "", "tokenDigest": "", "at": then, "date": then,
                    "outcome": "Sent",
                }],
            },
            "acceptance": if self.seems == Seems::Accepted { acceptance } else { Value::Null },
        });
        if self.seems == Seems::WithoutAccount { None } else { serde_json::from_value(record).ok() }
    }
}

/// A clinic's settings, as they count.
pub(super) struct Clinic {
    pub settings: ClinicSpec,
    pub zone: Option<ClinicZone>,
    zone_before: Option<ClinicZone>,
    /// What a person has released.
    pub released: Option<Release>,
    is_there: bool,
}

impl Clinic {
    /// That of the one side and that of the other, which may leave it as it is.
    pub(super) fn of(before: &Side, after: &Side) -> (Self, Self) {
        let known = before.clinic_is_elsewhere || after.clinic_is_elsewhere && before.clinic.is_some();
        let clinic = |side: &Side, spec: Option<&ClinicSpec>, zone_before: Option<&ClinicSpec>| {
            let zone_of = |spec: Option<&ClinicSpec>| match spec {
                Some(spec) => ClinicZone::find(&spec.time_zone),
                None => ClinicZone::last_of_all(),
            };
            Self {
                zone: zone_of(spec),
                zone_before: zone_of(zone_before),
                settings: spec.cloned().unwrap_or_else(usual),
                released: side.released.clone(),
                is_there: spec.is_some() || known,
            }
        };
        let (old, new) = (before.clinic.as_ref(), after.clinic.as_ref().or(before.clinic.as_ref()));
        let released = if after.clinic.is_some() { after } else { before };
        (clinic(before, old, old), clinic(released, new, old))
    }

    /// Whether anybody is added, mailed or removed.
    pub(super) fn is_open(&self) -> bool {
        self.is_there && self.zone.is_some() && !self.settings.paused
    }

    /// What to say about one in which nothing of that happens.
    pub(super) fn why_shut(&self) -> Option<&'static str> {
        if !self.is_there {
            Some("There is no Clinic: nobody is invited, mailed or removed before one is applied.")
        } else if self.zone.is_none() {
            Some("The Clinic's time zone does not exist: nobody is invited, mailed or removed before it is corrected.")
        } else if self.settings.paused {
            Some(
                "The Clinic is paused: nobody is invited, mailed or removed before it says paused: false. Suspensions and ends of training take effect.",
            )
        } else {
            None
        }
    }

    /// The last day of an access that ends then.
    pub(super) fn last_day(&self, until: Option<Timestamp>) -> String {
        day(until, self.zone.as_ref())
    }

    /// The same by the zone of before.
    pub(super) fn last_day_before(&self, until: Option<Timestamp>) -> String {
        day(until, self.zone_before.as_ref())
    }
}

fn day(until: Option<Timestamp>, zone: Option<&ClinicZone>) -> String {
    match (until, zone) {
        (Some(until), Some(zone)) => zone.last_day(until).to_string(),
        (Some(until), None) => until.to_string(),
        (None, _) => "none".to_owned(),
    }
}

/// A Clinic that was not seen is taken for one like most.
fn usual() -> ClinicSpec {
    let usual = json!({"displayName": "-", "timeZone": "Etc/GMT+12"});
    serde_json::from_value(usual)
        .unwrap_or_else(|_| unreachable!("a display name and a zone are all that a Clinic needs"))
}
