//! What the cache takes in, and whom a change wakes.

use super::*;
use serde_json::{Value, json};

fn object(kind: &str, name: &str, version: u32, body: &Value) -> DynamicObject {
    let mut object = json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": "maple", "uid": format!("uid-{name}"), "resourceVersion": version.to_string()},
    });
    json_patch::merge(&mut object, body);
    serde_json::from_value(object).unwrap()
}

fn user(version: u32) -> DynamicObject {
    object("ClinicUser", "ana", version, &json!({"spec": {"email": "ana@maple.example", "type": "Staff"}}))
}

fn clinic(version: u32, name: &str, active: u32) -> DynamicObject {
    let members = json!({"total": 1, "active": active, "invited": 0, "stalled": 0});
    let spec = json!({"displayName": name, "timeZone": "America/Toronto"});
    object("Clinic", "clinic", version, &json!({"spec": spec, "status": {"members": members}}))
}

#[test]
fn the_status_of_the_clinic_wakes_nobody_else() {
    let mut index = Index::default();
    index.apply(Kind::ClinicUser, user(1));
    let (all, only) = (BTreeSet::from([Key::Clinic, Key::Member("ana".into())]), BTreeSet::from([Key::Clinic]));
    assert_eq!(index.apply(Kind::Clinic, clinic(2, "Maple", 0)), all);
    assert_eq!(index.apply(Kind::Clinic, clinic(3, "Maple", 1)), only);
    assert_eq!(index.apply(Kind::Clinic, clinic(4, "Maple Family", 1)), all);
    assert_eq!(index.clinic().unwrap().metadata.resource_version.as_deref(), Some("4"));
}

#[test]
fn an_answer_that_comes_after_the_end_of_its_object_does_not_bring_it_back() {
    let mut index = Index::default();
    index.apply(Kind::ClinicUser, user(1));
    let gone = user(8);
    index.watched(Kind::ClinicUser, &gone.metadata);
    index.remove(Kind::ClinicUser, "ana", gone.metadata.uid.as_deref());
    assert_eq!(index.apply_answer(Kind::ClinicUser, user(7)), BTreeSet::new());
    assert!(index.member("ana").is_none());
    index.apply_answer(Kind::ClinicUser, user(9));
    assert!(index.member("ana").is_some());
}

#[test]
fn a_member_that_does_not_fit_our_type_is_known_as_such() {
    let mut index = Index::default();
    index.apply(Kind::ClinicUser, user(1));
    assert!(index.misfit_member("ana").is_none());
    index.apply(Kind::ClinicUser, object("ClinicUser", "ana", 2, &json!({"spec": {"type": "Visitor"}})));
    let misfit = index.misfit_member("ana").unwrap();
    assert_eq!((misfit.metadata.uid.as_deref(), &misfit.data["spec"]["type"]), (Some("uid-ana"), &json!("Visitor")));
}
