//! Manifests, clinics and accounts as the tests of decisions write them: what is usual, with a few fields changed.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::decide::decide;
use super::observe::{Address, Live, Observed, Other, Presence};
use super::step::{Decision, Step};
use crate::api::account::{ClinicAccount, Desired};
use crate::api::convert::ClinicView;
use crate::api::{Clinic, ClinicUser};
use crate::domain::email::{ClaimName, Email};

pub(super) fn now() -> Timestamp {
    "2026-11-24T09:30:00Z".parse().unwrap()
}

/// The `ClinicUser` ana with UID 1.
pub(super) fn user(spec: &Value, annotations: &Value) -> ClinicUser {
    let mut all = json!({"email": "ana@maple.example", "type": "Staff"});
    json_patch::merge(&mut all, spec);
    serde_json::from_value(json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
        "metadata": {"name": "ana", "uid": "1", "annotations": annotations}, "spec": all,
    }))
    .unwrap()
}

pub(super) fn clinic(spec: &Value) -> ClinicView {
    let mut all = json!({"displayName": "Maple Clinic", "timeZone": "America/Toronto"});
    json_patch::merge(&mut all, spec);
    let clinic: Clinic = serde_json::from_value(json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "Clinic", "metadata": {"name": "clinic"}, "spec": all,
    }))
    .unwrap();
    ClinicView::new(&clinic)
}

/// Ana's account; `changes` are of its spec.
pub(super) fn account(changes: &Value) -> ClinicAccount {
    let holder = json!({"name": "ana", "uid": "1"});
    record(json!({"id": "a-1", "desired": {"holder": holder, "email": "ana@maple.example", "type": "Staff"}}), changes)
}

fn record(mut spec: Value, changes: &Value) -> ClinicAccount {
    json_patch::merge(&mut spec, changes);
    serde_json::from_value(json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicAccount",
        "metadata": {"name": spec["id"]}, "spec": spec,
    }))
    .unwrap()
}

/// What an account that signs in with `login` has more.
pub(super) fn accepted(login: &str) -> Value {
    json!({"acceptance": {"acceptedAt": "2026-11-01T00:00:00Z", "login": login, "firstName": "Ana", "lastName": "Silva",
        "credential": "c"}})
}

/// The account a-0 of the `ClinicUser` old.
pub(super) fn account_0(changes: &Value) -> ClinicAccount {
    let holder = json!({"name": "old", "uid": "0"});
    record(json!({"id": "a-0", "desired": {"holder": holder, "email": "ana@maple.example", "type": "Staff"}}), changes)
}

/// That account, which has ana's address, and its `ClinicUser` is not seen.
pub(super) fn gone(changes: &Value, is_accepted: bool) -> Other {
    let mut spec = if is_accepted { accepted("ana@maple.example") } else { json!({}) };
    json_patch::merge(&mut spec, changes);
    Other {
        name: "a-0".into(),
        account: Some(account_0(&spec)),
        claims: vec![(claim("ana@maple.example"), "c0".into())],
        holder: Presence::NotSeen,
        in_words: "ClinicUser \"old\"".into(),
        wants_ours: false,
    }
}

pub(super) fn claim(address: &str) -> ClaimName {
    Email::parse(address).unwrap().key().claim()
}

pub(super) fn new_member() -> Observed {
    Observed {
        open_for: jiff::SignedDuration::ZERO,
        user: user(&json!({}), &json!({})),
        clinic: Some(clinic(&json!({}))),
        account: None,
        left: None,
        spares: Vec::new(),
        own_claims: Vec::new(),
        address: Address::default(),
        login: None,
        live: Live::default(),
    }
}

pub(super) fn known_member(changes: &Value) -> Observed {
    Observed { account: Some(account(changes)), ..claimed(new_member(), "ana@maple.example", "c1") }
}

/// The manifest's address is this one, and its claim is ours.
pub(super) fn claimed(observed: Observed, address: &str, uid: &str) -> Observed {
    Observed {
        own_claims: vec![(claim(address), uid.into())],
        address: Address { claim: Some(("a-1".into(), uid.into())), others: Vec::new() },
        ..observed
    }
}

pub(super) fn taken_by(other: Other, observed: Observed) -> Observed {
    let claim = other.claims.first().map(|(_, uid)| (other.name.clone(), uid.clone()));
    Observed { address: Address { claim, others: vec![other] }, ..observed }
}

pub(super) fn next(observed: &Observed) -> Decision {
    decide(observed, now())
}

pub(super) fn patched(observed: &Observed) -> Desired {
    match next(observed).step {
        Some(Step::PatchDesired { desired, .. }) => *desired,
        other => panic!("expected a patch, not {other:?}"),
    }
}

/// The account of somebody whose manifest is there.
pub(super) fn there() -> Other {
    Other { holder: Presence::There, ..gone(&json!({}), false) }
}

/// How many random cases are tried: so many, or many more with `make torture`.
pub(super) fn cases(usual: u32) -> u32 {
    let factor = std::env::var("CLINIC_OPERATOR_TORTURE").map_or(1, |factor| factor.parse().expect("a number"));
    usual * factor
}
