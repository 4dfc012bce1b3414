//! A clinic as it is or as it is to be: the manifests, and beside a cluster the records. Where it was read never lives here.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::account::ClinicAccount;
use crate::api::clinic::ClinicSpec;
use crate::api::clinic_user::ClinicUserSpec;
use crate::api::convert::access_until;
use crate::domain::calendar::ClinicZone;
use crate::domain::email::{Email, EmailKey};
use crate::domain::identity::Names;
use crate::domain::lifecycle::AccessFacts;
use crate::review::manifest::Is;
use crate::review::tree::Placed;

/// One side of the comparison.
#[derive(Clone, Default)]
pub(super) struct Side {
    pub clinic: Option<ClinicSpec>,
    /// By `metadata.name`.
    pub people: BTreeMap<String, Person>,
    pub service_accounts: BTreeMap<String, Value>,
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
    /// Whether its status says that somebody has accepted, for who may not see the record.
    pub seems_accepted: bool,
}

impl Side {
    /// What manifests say. Those of one clinic.
    pub(super) fn of_manifests(manifests: &[Placed<'_>]) -> Self {
        let mut side = Self::default();
        for Placed { manifest, .. } in manifests {
            match &manifest.is {
                Is::User(user) => {
                    let person = Person {
                        spec: user.spec.clone(),
                        annotations: user.annotations.clone(),
                        uid: None,
                        // Manifests do not tell; who has accepted has more to lose.
                        seems_accepted: true,
                    };
                    side.people.insert(manifest.name.clone(), person);
                }
                Is::ServiceAccount(spec) => drop(side.service_accounts.insert(manifest.name.clone(), spec.clone())),
                Is::Clinic(spec, _) => side.clinic = Some(spec.as_ref().clone()),
                Is::Nothing => {}
            }
        }
        side
    }

    /// The record that a person holds.
    pub(super) fn record(&self, person: &Person) -> Option<&ClinicAccount> {
        let uid = person.uid.as_deref()?;
        self.records.iter().flatten().find(|record| record.spec.desired.holder.uid == uid)
    }

    pub(super) fn zone(&self) -> Option<ClinicZone> {
        ClinicZone::find(&self.clinic.as_ref()?.time_zone)
    }
}

impl Person {
    /// The address's key. A manifest that cannot be read has none, and is not planned with.
    pub(super) fn key(&self) -> Option<EmailKey> {
        Email::parse(&self.spec.email).ok().map(|email| email.key())
    }

    pub(super) fn names<'a>(&'a self, object: &'a str) -> Names<'a> {
        Names { object, first: self.spec.first_name.as_deref(), last: self.spec.last_name.as_deref() }
    }

    /// What access depends on, for somebody who accepted as `record` says.
    pub(super) fn access_facts(&self, record: Option<&ClinicAccount>, zone: Option<&ClinicZone>) -> AccessFacts {
        let accepted = record.map(|record| record.spec.acceptance.as_ref().map(|acceptance| acceptance.accepted_at));
        // When does not matter.
        let accepted = accepted.unwrap_or_else(|| self.seems_accepted.then_some(jiff::Timestamp::UNIX_EPOCH));
        let until = match (self.spec.period(), zone) {
            (Ok(period), Some(zone)) => access_until(period, zone),
            // Without a zone the last instant stays.
            (Ok(_) | Err(_), _) => record.and_then(|record| record.spec.desired.access_until),
        };
        AccessFacts { accepted, suspended: self.spec.suspended, removed: None, until }
    }
}
