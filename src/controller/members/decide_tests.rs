//! The members controller's decision, case by case. What races make of it is in `race_tests`.

use super::*;
use crate::api::Clinic;
use crate::domain::member::MemberType;
use serde_json::{Value, json};

fn user(spec: &Value, annotations: &Value) -> ClinicUser {
    let mut all = json!({"email": "ana@maple.example", "type": "Staff"});
    json_patch::merge(&mut all, spec);
    serde_json::from_value(json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
        "metadata": {"name": "ana", "uid": "1", "annotations": annotations}, "spec": all,
    }))
    .unwrap()
}

fn clinic(spec: &Value) -> ClinicView {
    let mut all = json!({"displayName": "Maple Clinic", "timeZone": "America/Toronto"});
    json_patch::merge(&mut all, spec);
    let clinic: Clinic = serde_json::from_value(json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "Clinic", "metadata": {"name": "clinic"}, "spec": all,
    }))
    .unwrap();
    ClinicView::new(&clinic)
}

fn account(desired: &Value) -> ClinicAccount {
    let mut all = json!({"holder": {"name": "ana", "uid": "1"}, "email": "ana@maple.example", "type": "Staff"});
    json_patch::merge(&mut all, desired);
    serde_json::from_value(json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicAccount",
        "metadata": {"name": "a-1"}, "spec": {"id": "a-1", "desired": all},
    }))
    .unwrap()
}

fn claim(address: &str) -> ClaimName {
    Email::parse(address).unwrap().key().claim()
}

fn new_member() -> Observed {
    Observed {
        user: user(&json!({}), &json!({})),
        clinic: Some(clinic(&json!({}))),
        account: None,
        own_claims: Vec::new(),
        address: AddressHolder::Nobody,
    }
}

fn known_member(desired: &Value) -> Observed {
    Observed {
        account: Some(account(desired)),
        own_claims: vec![(claim("ana@maple.example"), "c1".into())],
        address: AddressHolder::Us("c1".into()),
        ..new_member()
    }
}

fn patched(observed: &Observed) -> Desired {
    match decide(observed).step {
        Some(Step::PatchDesired(desired)) => *desired,
        other => panic!("expected a patch, not {other:?}"),
    }
}

#[test]
fn a_new_member_claims_the_address_then_gets_an_account_then_rests() {
    let first = decide(&new_member());
    assert_eq!(first.step, Some(Step::PostClaim { claim: claim("ana@maple.example"), account: "a-1".into() }));
    let claimed = Observed {
        own_claims: vec![(claim("ana@maple.example"), "c1".into())],
        address: AddressHolder::Us("c1".into()),
        ..new_member()
    };
    let Some(Step::CreateAccount(created)) = decide(&claimed).step else { panic!("expected an account") };
    assert_eq!((created.id.as_str(), created.desired.email.as_deref()), ("a-1", Some("ana@maple.example")));
    assert_eq!(decide(&known_member(&json!({}))), Decision::rest());
}

#[test]
fn who_comes_second_does_nothing_and_is_told_who_has_the_address() {
    let second = Observed { address: AddressHolder::Another("ClinicUser \"bea\"".into()), ..new_member() };
    let decision = decide(&second);
    assert_eq!((decision.step, decision.address_held_by.as_deref()), (None, Some("ClinicUser \"bea\"")));
}

#[test]
fn nothing_is_claimed_or_created_without_an_open_clinic_or_with_a_wrong_manifest() {
    let trainee = json!({"type": "Practitioner", "classification": "ClinicalTrainee"});
    for (why, observed) in [
        ("no clinic", Observed { clinic: None, ..new_member() }),
        ("unknown zone", Observed { clinic: Some(clinic(&json!({"timeZone": "Mars/Base"}))), ..new_member() }),
        ("paused", Observed { clinic: Some(clinic(&json!({"paused": true}))), ..new_member() }),
        ("address", Observed { user: user(&json!({"email": "nobody"}), &json!({})), ..new_member() }),
        ("trainee without a date", Observed { user: user(&trainee, &json!({})), ..new_member() }),
    ] {
        assert_eq!(decide(&observed).step, None, "{why}");
    }
}

#[test]
fn a_suspension_and_the_end_of_access_reach_the_account_whatever_else_is_wrong() {
    let spec = json!({"suspended": true, "firstName": "Anna", "type": "Practitioner", "classification": "ClinicalTrainee",
        "expectedEndOfTraining": "2027-06-30"});
    let ends: jiff::Timestamp = "2027-07-15T04:00:00Z".parse().unwrap();
    let edited = Observed { user: user(&spec, &json!({})), ..known_member(&json!({})) };
    for (why, observed, until) in [
        ("paused", Observed { clinic: Some(clinic(&json!({"paused": true}))), ..edited.clone() }, Some(ends)),
        ("no clinic: the last instant stays", Observed { clinic: None, ..edited.clone() }, None),
        ("conflict", Observed { address: AddressHolder::Another("x".into()), ..edited.clone() }, Some(ends)),
    ] {
        let desired = patched(&observed);
        assert_eq!((desired.suspended, desired.access_until), (true, until), "{why}");
    }
    let paused = Observed { clinic: Some(clinic(&json!({"paused": true}))), ..edited };
    assert_eq!(patched(&paused).first_name, None, "nothing else follows while the clinic is paused");
}

#[test]
fn an_edit_of_the_manifest_reaches_the_account_in_one_patch() {
    let spec = json!({"type": "Practitioner", "classification": "Standard", "license": "CHRLite", "title": "RN",
        "position": "Nurse", "roles": ["Nursing"], "permissions": ["Labs"], "locale": "fr", "lastName": "Silva"});
    let edited = user(&spec, &json!({"clinic-operator.dev/resend": "2", "other.example/x": "y"}));
    let desired = patched(&Observed { user: edited, ..known_member(&json!({})) });
    assert_eq!(
        (desired.type_, desired.title.as_deref(), desired.resend.as_deref()),
        (MemberType::Practitioner, Some("RN"), Some("2"))
    );
    assert_eq!((desired.roles.len(), desired.permissions.len(), desired.last_name.as_deref()), (1, 1, Some("Silva")));
}

#[test]
fn an_edited_address_is_given_up_first_and_the_claim_deleted_only_after_that_is_written() {
    let moved = Observed {
        user: user(&json!({"email": "ana@river.example"}), &json!({})),
        address: AddressHolder::Nobody,
        ..known_member(&json!({}))
    };
    let desired = patched(&moved);
    assert_eq!((desired.email.as_deref(), desired.releasing.as_slice()), (None, ["c1".to_owned()].as_slice()));
    let given_up = Observed { account: Some(account(&json!({"email": null, "releasing": ["c1"]}))), ..moved.clone() };
    assert_eq!(decide(&given_up).step, Some(Step::DeleteClaim { claim: claim("ana@maple.example"), uid: "c1".into() }));
    let gone = Observed { own_claims: Vec::new(), ..given_up };
    assert_eq!(decide(&gone).step, Some(Step::PostClaim { claim: claim("ana@river.example"), account: "a-1".into() }));
    let claimed = Observed {
        own_claims: vec![(claim("ana@river.example"), "c2".into())],
        address: AddressHolder::Us("c2".into()),
        ..gone
    };
    assert_eq!(patched(&claimed).email.as_deref(), Some("ana@river.example"));
}

#[test]
fn a_claim_that_is_given_up_is_never_used_again_even_for_the_same_address() {
    let back =
        Observed { account: Some(account(&json!({"email": null, "releasing": ["c1"]}))), ..known_member(&json!({})) };
    assert_eq!(decide(&back).step, Some(Step::DeleteClaim { claim: claim("ana@maple.example"), uid: "c1".into() }));
}

#[test]
fn a_claim_deleted_by_hand_is_taken_again() {
    let robbed = Observed { own_claims: Vec::new(), address: AddressHolder::Nobody, ..known_member(&json!({})) };
    assert_eq!(
        decide(&robbed).step,
        Some(Step::PostClaim { claim: claim("ana@maple.example"), account: "a-1".into() })
    );
}

#[test]
fn an_abandoned_account_gives_the_address_up_in_two_steps_and_a_claim_without_account_gets_one_for_that() {
    let gone = |desired: Value| {
        let mut all = json!({"holder": {"name": "ana", "uid": "0"}});
        json_patch::merge(&mut all, &desired);
        let abandoned = Abandoned { account: Some(account(&all)), name: "a-0".into(), claim: Some("c0".into()) };
        Observed { address: AddressHolder::Abandoned(Box::new(abandoned)), ..new_member() }
    };
    let Some(Step::GiveUpAbandoned { desired, .. }) = decide(&gone(json!({}))).step else { panic!("expected a patch") };
    assert_eq!((desired.email.as_deref(), desired.releasing.as_slice()), (None, ["c0".to_owned()].as_slice()));
    assert_eq!(
        decide(&gone(json!({"email": null, "releasing": ["c0"]}))).step,
        Some(Step::DeleteClaim { claim: claim("ana@maple.example"), uid: "c0".into() })
    );
    let orphan = Abandoned { account: None, name: "a-0".into(), claim: Some("c0".into()) };
    let observed = Observed { address: AddressHolder::Abandoned(Box::new(orphan)), ..new_member() };
    let Some(Step::CreateAccount(made)) = decide(&observed).step else { panic!("expected an account") };
    assert_eq!((made.id.as_str(), made.desired.holder.uid.as_str(), made.desired.email), ("a-0", "0", None));
    assert_eq!(made.desired.releasing, ["c0"]);
}
