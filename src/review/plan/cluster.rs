//! A clinic as it is in a cluster, read with the rights of the person who asks.

use kube::api::ApiResource;
use kube::core::Object;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::side::{Person, Seems, Side};
use crate::adapters::clock::Clock;
use crate::adapters::kubernetes::{Person as Reader, PersonError};
use crate::api::account::ClinicAccount;
use crate::api::clinic_user::MemberStatus;
use crate::api::wishes::released_hold;
use crate::api::{CLINIC_NAME, Clinic, ClinicUser, ServiceAccount};
use crate::domain::lifecycle::State;
use crate::domain::restore::{RESTORE_MODE, RestoreMode};

/// Why a clinic could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SeeError {
    /// A request for what nothing can be planned without.
    #[error("failed to read the {what} of namespace {namespace} at {server}: {error}")]
    Read { what: &'static str, namespace: String, server: String, error: PersonError },
}

/// A clinic, and what of it could not be seen, with what that hides.
pub(super) struct Seen {
    pub side: Side,
    /// That restore mode is on.
    pub restoring: Option<String>,
    pub unseen: Vec<String>,
}

/// Reads the clinic of the reader's namespace.
pub(super) async fn see(reader: &Reader) -> Result<Seen, SeeError> {
    let failed = |what| {
        let (namespace, server) = (reader.namespace.clone(), reader.server.clone());
        move |error| SeeError::Read { what, namespace, server, error }
    };
    let users = reader
        .list::<Value, MemberStatus>(&ApiResource::erase::<ClinicUser>(&()))
        .await
        .map_err(failed("clinicusers"))?;
    let mut unseen = Vec::new();
    let services = reader.list::<Value, Value>(&ApiResource::erase::<ServiceAccount>(&())).await;
    let services =
        seen(services, "clinicserviceaccounts: which of them are new, change or are removed is not known", &mut unseen);
    let services = services.map_err(failed("clinicserviceaccounts"))?;
    let sees_no_service_accounts = services.is_none();
    let clinic = reader.get::<Value, Value>(&ApiResource::erase::<Clinic>(&()), CLINIC_NAME).await;
    let (clinic, clinic_is_elsewhere) = match clinic {
        Err(PersonError::NotFound) => (None, false),
        other => {
            let hides = "clinics: the time zone and the guards are not known";
            let clinic = seen(other, hides, &mut unseen).map_err(failed("clinic"))?;
            let is_hidden = clinic.is_none();
            (clinic, is_hidden)
        }
    };
    let released = released_hold(clinic.as_ref().and_then(|clinic| clinic.metadata.annotations.as_ref()));
    let records = reader.list::<Value, Value>(&ApiResource::erase::<ClinicAccount>(&())).await;
    let hides = "clinicaccounts: who comes back to an account of before, whose address a former member had, and what the guards counted in the last hour is not known";
    let records = seen(records, hides, &mut unseen).map_err(failed("clinicaccounts"))?;
    let side = Side {
        clinic: clinic.and_then(|clinic| parsed(clinic.spec)),
        clinic_is_elsewhere,
        released,
        sees_no_service_accounts,
        people: users.into_iter().filter_map(person).collect(),
        service_accounts: services
            .unwrap_or_default()
            .into_iter()
            .filter_map(|service| Some((service.metadata.name?, service.spec)))
            .collect(),
        records: records.map(|records| records.into_iter().filter_map(record).collect()),
    };
    let mode = match reader.annotation_of_namespace(RESTORE_MODE).await {
        // A namespace that is not there yet is in no mode.
        Err(PersonError::NotFound) => None,
        other => {
            let hides = "the Namespace: whether restore mode is on is not known";
            seen(other, hides, &mut unseen).map_err(failed("Namespace"))?.flatten()
        }
    };
    Ok(Seen { side, restoring: restoring(mode.as_deref()), unseen })
}

/// What to say of a namespace whose annotation has this value.
fn restoring(annotation: Option<&str>) -> Option<String> {
    let until = match RestoreMode::of(annotation, Clock.now()) {
        RestoreMode::On { until } => format!("until {until}"),
        RestoreMode::ToEnd(_) => "and about to end".to_owned(),
        RestoreMode::Off | RestoreMode::NotUnderstood => return None,
    };
    Some(format!("Restore mode is on {until}: nobody is added, removed or mailed before it has ended."))
}

/// What was read; `None`: RBAC hides it, which is noted.
fn seen<T>(read: Result<T, PersonError>, hides: &str, unseen: &mut Vec<String>) -> Result<Option<T>, PersonError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(PersonError::Forbidden(_)) => {
            unseen.push(format!("You may not read {hides}."));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Who is there; whoever is being deleted is gone, whatever finalizer keeps the object.
fn person(user: Object<Value, MemberStatus>) -> Option<(String, Person)> {
    if user.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let state = user.status.as_ref().and_then(|status| State::parse(status.state.as_deref()?));
    let status = user.status.unwrap_or_default();
    let seems = if status.account.is_none() {
        Seems::WithoutAccount
    } else if state == Some(State::Active) || status.member.is_some() {
        Seems::Accepted
    } else {
        Seems::Pending
    };
    let person = Person {
        spec: parsed(user.spec)?,
        annotations: user.metadata.annotations.unwrap_or_default(),
        uid: user.metadata.uid,
        seems,
    };
    Some((user.metadata.name?, person))
}

fn record(object: Object<Value, Value>) -> Option<ClinicAccount> {
    Some(ClinicAccount { metadata: object.metadata, spec: parsed(object.spec)? })
}

/// What an object says; one that was stored by another version and says it otherwise is not planned with.
fn parsed<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}
