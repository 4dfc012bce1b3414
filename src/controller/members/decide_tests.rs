//! The members controller's decision, case by case. What races make of it is in `race_tests`.

use super::super::observe::Address;
use super::super::test_world::*;
use super::*;
use crate::api::account::Holder;
use crate::domain::member::MemberType;
use serde_json::{Value, json};

#[test]
fn a_new_member_claims_the_address_then_gets_an_account_then_rests() {
    let first = next(&new_member());
    assert_eq!(first.step, Some(Step::PostClaim { claim: claim("ana@maple.example"), account: "a-1".into() }));
    let Some(Step::CreateAccount(created)) = next(&claimed(new_member(), "ana@maple.example", "c1")).step else {
        panic!("expected an account")
    };
    assert_eq!((created.id.as_str(), created.desired.email.as_deref()), ("a-1", Some("ana@maple.example")));
    assert_eq!(next(&known_member(&json!({}))), Decision::default());
}

#[test]
fn a_status_that_names_an_account_is_read_live_before_a_new_one_is_made() {
    let mut restored = new_member();
    restored.user.status = serde_json::from_value(json!({"account": "a-0"})).unwrap();
    assert_eq!(next(&restored).step, Some(Step::ReadAccount("a-0".into())));
    restored.live.read.insert("a-0".into());
    assert!(matches!(next(&restored).step, Some(Step::PostClaim { .. })), "refuted");
}

#[test]
fn nothing_is_claimed_created_or_taken_over_without_an_open_clinic_or_with_a_wrong_manifest() {
    let trainee = json!({"type": "Practitioner", "classification": "ClinicalTrainee"});
    let gone = |base| taken_by(gone(&json!({}), true), base);
    for (why, observed) in [
        ("no clinic", Observed { clinic: None, ..new_member() }),
        ("unknown zone", Observed { clinic: Some(clinic(&json!({"timeZone": "Mars/Base"}))), ..new_member() }),
        ("paused", Observed { clinic: Some(clinic(&json!({"paused": true}))), ..gone(new_member()) }),
        ("address", Observed { user: user(&json!({"email": "nobody"}), &json!({})), ..new_member() }),
        ("trainee without a date", Observed { user: user(&trainee, &json!({})), ..gone(new_member()) }),
    ] {
        assert_eq!(next(&observed).step, None, "{why}");
    }
}

#[test]
fn a_suspension_and_the_end_of_access_reach_the_account_whatever_else_is_wrong() {
    let spec = json!({"suspended": true, "firstName": "Anna", "type": "Practitioner", "classification": "ClinicalTrainee",
        "expectedEndOfTraining": "2027-06-30"});
    let ends: Timestamp = "2027-07-15T04:00:00Z".parse().unwrap();
    let edited = Observed { user: user(&spec, &json!({})), ..known_member(&json!({})) };
    let mut moved = spec.clone();
    moved["email"] = json!("anna@river.example");
    let another = Observed {
        user: user(&moved, &json!({})),
        address: Address::default(),
        ..known_member(&accepted("ana@maple.example"))
    };
    for (why, observed, until) in [
        ("paused", Observed { clinic: Some(clinic(&json!({"paused": true}))), ..edited.clone() }, Some(ends)),
        ("no clinic: the last instant stays", Observed { clinic: None, ..edited.clone() }, None),
        ("conflict", taken_by(there(), edited.clone()), Some(ends)),
        ("another person?", another, Some(ends)),
    ] {
        let desired = patched(&observed);
        assert_eq!((desired.suspended, desired.access_until), (true, until), "{why}");
        if why == "paused" || why == "another person?" {
            assert_eq!(desired.first_name, None, "{why}: nothing else follows");
        }
    }
}

#[test]
fn an_edit_of_the_manifest_reaches_the_account_in_one_patch() {
    let spec = json!({"type": "Practitioner", "classification": "Standard", "license": "CHRLite", "title": "RN",
        "position": "Nurse", "roles": ["Nursing"], "permissions": ["Labs"], "locale": "fr", "lastName": "Silva"});
    let edited = user(&spec, &json!({"clinic-operator.dev/resend": "2", "other.example/x": "y"}));
    for changes in [json!({}), accepted("ana@maple.example")] {
        let desired = patched(&Observed { user: edited.clone(), ..known_member(&changes) });
        assert_eq!(
            (desired.type_, desired.title.as_deref(), desired.resend.as_deref()),
            (MemberType::Practitioner, Some("RN"), Some("2"))
        );
        assert_eq!(
            (desired.roles.len(), desired.permissions.len(), desired.last_name.as_deref()),
            (1, 1, Some("Silva"))
        );
    }
}

#[test]
fn a_pending_members_edited_address_is_given_up_first_and_the_claim_deleted_only_after_that_is_written() {
    let moved = Observed {
        user: user(&json!({"email": "ana@river.example"}), &json!({})),
        address: Address::default(),
        ..known_member(&json!({}))
    };
    let desired = patched(&moved);
    assert_eq!((desired.email.as_deref(), desired.releasing.as_slice()), (None, ["c1".to_owned()].as_slice()));
    let given_up =
        Observed { account: Some(account(&json!({"desired": {"email": null, "releasing": ["c1"]}}))), ..moved.clone() };
    assert_eq!(next(&given_up).step, Some(Step::DeleteClaim { claim: claim("ana@maple.example"), uid: "c1".into() }));
    let gone = Observed { own_claims: Vec::new(), ..given_up };
    assert_eq!(next(&gone).step, Some(Step::PostClaim { claim: claim("ana@river.example"), account: "a-1".into() }));
    assert_eq!(patched(&claimed(gone, "ana@river.example", "c2")).email.as_deref(), Some("ana@river.example"));
}

#[test]
fn an_accepted_members_edited_address_is_claimed_beside_the_login_and_the_old_claim_goes_after_the_confirmation() {
    let moved = Observed {
        user: user(&json!({"email": "ana@river.example"}), &json!({})),
        address: Address::default(),
        login: Some((claim("ana@maple.example"), known_member(&json!({})).address)),
        ..known_member(&accepted("ana@maple.example"))
    };
    assert_eq!(next(&moved).step, Some(Step::PostClaim { claim: claim("ana@river.example"), account: "a-1".into() }));
    let both = vec![(claim("ana@maple.example"), "c1".to_owned()), (claim("ana@river.example"), "c2".into())];
    let taken = Observed { own_claims: both.clone(), ..claimed(moved.clone(), "ana@river.example", "c2") };
    let desired = patched(&Observed { own_claims: both.clone(), ..taken.clone() });
    assert_eq!((desired.email.as_deref(), desired.releasing.len()), (Some("ana@river.example"), 0), "the login stays");
    let mut waiting = accepted("ana@maple.example");
    waiting["desired"] = json!({"email": "ana@river.example"});
    assert_eq!(next(&Observed { account: Some(account(&waiting)), ..taken.clone() }), Decision::default());
    waiting["acceptance"]["login"] = json!("ana@river.example");
    let confirmed = Observed { account: Some(account(&waiting)), login: None, ..taken };
    assert_eq!(patched(&confirmed).releasing, ["c1"], "confirmed: the old claim goes");
}

#[test]
fn an_accepted_members_lost_claims_are_taken_again_before_anything_else() {
    let robbed = Observed {
        own_claims: Vec::new(),
        address: Address::default(),
        login: Some((claim("ana@maple.example"), Address::default())),
        user: user(&json!({"email": "ana@river.example"}), &json!({})),
        ..known_member(&accepted("ana@maple.example"))
    };
    assert_eq!(next(&robbed).step, Some(Step::PostClaim { claim: claim("ana@maple.example"), account: "a-1".into() }));
}

#[test]
fn address_and_name_of_an_accepted_member_edited_at_once_wait_for_a_person_and_one_decision_answers_once() {
    let spec = json!({"email": "bea@maple.example", "firstName": "Bea", "lastName": "Roy"});
    let edited = |annotations: Value, decisions: u32| {
        let mut record = accepted("ana@maple.example");
        record["desired"] = json!({"firstName": "Ana", "lastName": "Silva", "decisions": decisions});
        Observed {
            user: user(&spec, &annotations),
            address: Address::default(),
            login: Some((claim("ana@maple.example"), known_member(&json!({})).address)),
            ..known_member(&record)
        }
    };
    let stuck = next(&edited(json!({}), 0));
    let obstacle = Some(Obstacle::IdentityChanged { approval: "a-1.0".into() });
    assert_eq!((stuck.step, stuck.obstacle), (None, obstacle));
    let approved = patched(&edited(json!({"clinic-operator.dev/reactivate": "a-1.0"}), 0));
    assert_eq!((approved.first_name.as_deref(), approved.decisions), (Some("Bea"), 1));
    assert_eq!(approved.email.as_deref(), Some("ana@maple.example"), "the address follows as an ordinary edit");
    for annotation in ["clinic-operator.dev/reactivate", "clinic-operator.dev/replace"] {
        let left = next(&edited(json!({ annotation: "a-1.0" }), 1));
        assert_eq!(left.obstacle, Some(Obstacle::IdentityChanged { approval: "a-1.1".into() }));
    }
    let mut pending = edited(json!({}), 0);
    pending.account.as_mut().unwrap().spec.acceptance = None;
    pending.login = None;
    assert_eq!(patched(&pending).email, None, "who has not accepted is invited anew");
}

#[test]
fn a_claim_that_is_given_up_is_never_used_again_even_for_the_same_address() {
    let back = known_member(&json!({"desired": {"email": null, "releasing": ["c1"]}}));
    assert_eq!(next(&back).step, Some(Step::DeleteClaim { claim: claim("ana@maple.example"), uid: "c1".into() }));
}

#[test]
fn a_claim_deleted_by_hand_is_taken_again() {
    let robbed = Observed { own_claims: Vec::new(), address: Address::default(), ..known_member(&json!({})) };
    assert_eq!(next(&robbed).step, Some(Step::PostClaim { claim: claim("ana@maple.example"), account: "a-1".into() }));
}

#[test]
fn who_is_there_and_was_taken_for_gone_is_read_live_before_access_comes_back() {
    let removed = known_member(&json!({"desired": {"removed": {"at": "2026-11-24T09:00:00Z"}}}));
    let holder = Holder { name: "ana".into(), uid: "1".into() };
    assert_eq!(next(&removed).step, Some(Step::AskWhetherGone(holder)));
    let mut there = removed;
    there.live.there.insert("1".into());
    assert_eq!(patched(&there).removed, None);
}

#[test]
fn of_two_accounts_with_one_address_one_gives_it_up_and_two_accepted_ones_wait_for_a_person() {
    let accepted_too = json!({"acceptance": accepted("ana@maple.example")["acceptance"]});
    let both = |ours: &Value, theirs: &Value, claim_of: Option<&str>, their_age: &str| {
        let mut other = there();
        let mut record = json!({"desired": {"holder": {"name": "old", "uid": "0"}}, "id": "a-0"});
        json_patch::merge(&mut record, theirs);
        let mut account = account(&record);
        account.metadata.creation_timestamp = serde_json::from_value(json!(their_age)).unwrap();
        other.account = Some(account);
        other.claims.clear();
        let mut observed = known_member(ours);
        let created = serde_json::from_value(json!("2026-05-01T00:00:00Z")).unwrap();
        observed.account.as_mut().unwrap().metadata.creation_timestamp = created;
        observed.own_claims.retain(|_| claim_of == Some("a-1"));
        let claim = claim_of.map(|name| (name.to_owned(), "c1".to_owned()));
        observed.address = Address { claim, others: vec![other] };
        next(&observed)
    };
    let (older, younger) = ("2026-01-01T00:00:00Z", "2026-09-01T00:00:00Z");
    let gives_up = |decision: Decision| matches!(decision.step, Some(Step::PatchDesired { desired, .. }) if desired.email.is_none());
    let waits = |decision: Decision| decision.step.is_none() && decision.obstacle.is_some();
    let pending = json!({});
    assert!(gives_up(both(&pending, &pending, None, older)), "no claim: the older one keeps it");
    assert!(waits(both(&pending, &pending, None, younger)), "no claim is made before the younger one has given it up");
    assert!(gives_up(both(&pending, &pending, Some("a-0"), younger)), "the claim decides");
    assert_eq!(both(&pending, &pending, Some("a-1"), older), Decision::default());
    assert!(gives_up(both(&pending, &accepted_too, Some("a-1"), younger)), "an accepted one keeps it");
    let ours = accepted("ana@maple.example");
    assert_eq!(both(&ours, &pending, Some("a-1"), older), Decision::default());
    assert!(waits(both(&ours, &pending, None, older)));
    for claim_of in [None, Some("a-0"), Some("a-1")] {
        assert!(waits(both(&ours, &accepted_too, claim_of, older)), "both accepted: {claim_of:?}");
    }
}

#[test]
fn the_patch_that_gives_access_back_or_answers_a_sign_out_raises_the_grant_whatever_else_is_wrong() {
    let member = |desired: Value, annotation: &str| {
        let mut record = accepted("ana@maple.example");
        record["acceptance"]["signOuts"] = desired["signOuts"].as_u64().unwrap_or_default().into();
        record["desired"] = desired;
        let annotations = json!({"clinic-operator.dev/sign-out": annotation});
        let mut observed = Observed { user: user(&json!({}), &annotations), ..known_member(&record) };
        observed.live.there.insert("1".into());
        observed
    };
    let (ended, is_to_end) = ("2026-11-24T09:30:00Z", "2026-11-24T09:30:01Z");
    for (why, desired, annotation, expected) in [
        ("resumed", json!({"suspended": true, "grant": 4}), "", Some(5)),
        ("extended after its end", json!({"accessUntil": ended, "grant": 4}), "", Some(5)),
        ("extended before its end", json!({"accessUntil": is_to_end, "grant": 4}), "", Some(4)),
        ("back", json!({"removed": {"at": ended}, "grant": 4}), "", Some(5)),
        ("signed out", json!({"grant": 4}), "a-1.4", Some(5)),
        ("signed out before", json!({"grant": 4}), "a-1.3", None),
        ("another's", json!({"grant": 4}), "a-2.4", None),
        ("signed out, which the portal answered", json!({"grant": 3, "signOuts": 1}), "a-1.3", None),
        ("signed out again", json!({"grant": 3, "signOuts": 1}), "a-1.4", Some(4)),
        ("resumed and signed out", json!({"suspended": true, "grant": 4}), "a-1.4", Some(6)),
        ("an edit", json!({"title": "RN", "grant": 4}), "", Some(4)),
    ] {
        let observed = member(desired, annotation);
        let grant = |observed: &Observed| next(observed).step.is_some().then(|| patched(observed).grant);
        assert_eq!(grant(&observed), expected, "{why}");
        let paused = Observed { clinic: Some(clinic(&json!({"paused": true}))), ..observed };
        let follows = !["back", "an edit"].contains(&why);
        assert_eq!(grant(&paused), expected.filter(|_| follows), "{why}, paused");
    }
    let robbed = Observed { address: Address::default(), own_claims: Vec::new(), ..member(json!({}), "a-1.0") };
    assert_eq!(patched(&robbed).grant, 1, "before a claim is taken");
    let suspended = Observed { user: user(&json!({"suspended": true}), &json!({})), ..member(json!({}), "") };
    assert_eq!(patched(&suspended).grant, 0, "an end");
    let pending = known_member(&json!({"desired": {"suspended": true}}));
    assert_eq!(patched(&pending).grant, 0, "nobody had access");
}
