//! What the cache takes in, and whom a change wakes.

use super::*;
use crate::domain::member::Classification;
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
    let all = BTreeSet::from([Key::Clinic, Key::Member("ana".into()), Key::Removals]);
    let only = BTreeSet::from([Key::Clinic]);
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

fn account(version: u32, changes: &Value) -> DynamicObject {
    let holder = json!({"name": "ana", "uid": "uid-ana"});
    let mut spec = json!({"id": "a-1", "desired": {"holder": holder, "email": "ana@maple.example", "type": "Staff"}});
    json_patch::merge(&mut spec, changes);
    object("ClinicAccount", "a-1", version, &json!({ "spec": spec }))
}

#[test]
fn whose_holder_goes_is_an_orphan_and_everybody_who_waits_for_the_address_wakes() {
    let mut index = Index::default();
    index.apply(Kind::ClinicUser, user(1));
    index.apply(Kind::ClinicAccount, account(1, &json!({})));
    let mut waiting = user(2);
    waiting.metadata.name = Some("bea".into());
    waiting.metadata.uid = Some("uid-bea".into());
    index.apply(Kind::ClinicUser, waiting);
    assert_eq!(index.orphans(), []);
    // The address that ana's manifest wants is another by now; her account still has the old one.
    let mut moved = user(3);
    moved.data["spec"]["email"] = json!("ana@river.example");
    index.apply(Kind::ClinicUser, moved);
    let work = index.remove(Kind::ClinicUser, "ana", None);
    assert!(work.contains(&Key::Member("bea".into())) && work.contains(&Key::Removals), "{work:?}");
    assert_eq!(index.orphans(), [Arc::from("a-1")]);
    index.apply(Kind::ClinicUser, user(4));
    assert_eq!(index.orphans(), []);
}

#[test]
fn the_guards_count_each_account_once_and_forget_what_is_over() {
    let mut index = Index::default();
    let now = "2026-11-24T10:00:00Z".parse().unwrap();
    let attempt = |round: u32, at: &str| {
        json!({"kind": "Invitation", "round": round, "copy": 1, "messageId": format!("<{round}@x>"), "tokenDigest": "",
            "at": at, "date": at, "outcome": "Sent"})
    };
    let accepted = json!({"acceptedAt": "2026-11-01T00:00:00Z", "login": "ana@maple.example", "firstName": "Ana",
        "lastName": "Silva", "credential": "c"});
    let first = json!({"round": 1, "address": "ana@maple.example", "attempts": [attempt(1, "2026-11-24T09:30:00Z")]});
    let hold = json!({"id": "removals-20261124T093000Z"});
    index.apply(Kind::ClinicAccount, account(1, &json!({"delivery": first, "desired": {"hold": hold}})));
    assert_eq!((index.guards().begun_lately(now), index.guards().removed_lately(now)), (1, 0));
    assert_eq!(index.guards().holds().len(), 1);
    let removed = json!({"removed": {"at": "2026-11-24T09:30:00Z"}, "hold": {"id": "removals-20261124T093000Z", "released": true}});
    let resent = json!({"round": 2, "address": "ana@maple.example", "attempts": [attempt(2, "2026-11-24T09:50:00Z")]});
    index.apply(Kind::ClinicAccount, account(2, &json!({"delivery": resent, "desired": removed})));
    assert_eq!((index.guards().removed_lately(now), index.guards().accepted()), (0, 0), "an invitation was withdrawn");
    let of_a_member = json!({"delivery": resent, "desired": removed, "acceptance": accepted});
    index.apply(Kind::ClinicAccount, account(3, &of_a_member));
    assert_eq!(
        (index.guards().begun_lately(now), index.guards().removed_lately(now)),
        (0, 1),
        "a ledger of version 0.1 remembers the first invitation alone"
    );
    assert!(index.guards().holds().is_empty());
    let begun = |minute: u32, by: &str| json!({"at": format!("2026-11-24T09:{minute}:00Z"), "by": by});
    let mut remembering = first;
    remembering["begun"] = json!([begun(30, "AnotherAddress"), begun(40, "Resend"), begun(50, "FurtherResend")]);
    remembering["hold"] = json!({"id": "invitations-20261124T095500Z"});
    let mut all = json!({"delivery": remembering, "desired": {"removed": null, "hold": null}});
    index.apply(Kind::ClinicAccount, account(4, &all));
    assert_eq!(index.guards().begun_lately(now), 2, "the first one once, and no resend");
    assert!(index.guards().has_begun("a-1", 1) && !index.guards().has_begun("a-1", 2));
    assert_eq!(index.guards().holds().len(), 1);
    all["desired"] = json!({"removed": {"at": "2026-11-24T08:00:00Z"}});
    all["acceptance"] = accepted;
    index.apply(Kind::ClinicAccount, account(5, &all));
    assert!(index.guards().holds().is_empty(), "who was removed waits for nothing");
    assert_eq!((index.guards().removed_lately(now), index.guards().removed_before(now)), (0, 1));
    assert_eq!(index.guards().accepted(), 1);
}

#[test]
fn who_has_access_until_an_instant_is_known_by_it_until_the_record_says_otherwise() {
    let mut index = Index::default();
    let ends = |index: &Index, now: &str| {
        let ends = index.ends();
        [ends.earliest(), ends.next(now.parse().unwrap())].map(|end| end.map(|end| end.to_string()).unwrap_or_default())
    };
    let account = |name: &str, version: u32, until: &str, granted: bool| {
        let reason = if granted { "Granted" } else { "TrainingEnded" };
        let spec = json!({"desired": {"accessUntil": until}, "access": {"granted": granted, "reason": reason}});
        let mut account = account(version, &spec);
        account.metadata.name = Some(name.into());
        account
    };
    let (first, second) = ("2029-07-15T04:00:00Z", "2029-08-15T04:00:00Z");
    index.apply(Kind::ClinicAccount, account("a-1", 1, first, true));
    index.apply(Kind::ClinicAccount, account("a-2", 2, second, true));
    assert_eq!(ends(&index, "2029-07-01T00:00:00Z"), [first, first]);
    assert_eq!(ends(&index, first), [first, second], "over, and the record still grants it");
    index.apply(Kind::ClinicAccount, account("a-1", 3, first, false));
    assert_eq!(ends(&index, first), [second, second]);
    index.remove(Kind::ClinicAccount, "a-2", None);
    assert_eq!(ends(&index, first), ["", ""]);
}

#[test]
fn members_are_counted_by_state_and_class_once_each() {
    let mut index = Index::default();
    let member = |name: &str, version: u32, state: Option<&str>, spec: &Value| {
        let mut body = json!({"spec": {"email": "ana@maple.example"}});
        json_patch::merge(&mut body["spec"], spec);
        if let Some(state) = state {
            body["status"] = json!({ "state": state });
        }
        object("ClinicUser", name, version, &body)
    };
    let locum = json!({"type": "Practitioner", "classification": "Locum"});
    let staff = json!({"type": "Staff"});
    index.apply(Kind::ClinicUser, member("ana", 1, None, &locum));
    index.apply(Kind::ClinicUser, member("ana", 2, Some("Active"), &locum));
    index.apply(Kind::ClinicUser, member("bea", 3, Some("Active"), &locum));
    index.apply(Kind::ClinicUser, member("cai", 4, None, &staff));
    index.apply(Kind::ClinicUser, member("dan", 5, Some("Invalid"), &json!({"type": 7})));
    let of_service_account = json!({"spec": {"email": "ana@maple.example", "displayName": "Lab", "manager": {"firstName": "A", "lastName": "B"}}, "status": {"state": "Active"}});
    index.apply(Kind::ServiceAccount, object("ServiceAccount", "lab", 6, &of_service_account));
    let expected = BTreeMap::from([
        ((Some(State::Active), Class::Practitioner(Classification::Locum)), 2),
        ((Some(State::Active), Class::ServiceAccount), 1),
        ((None, Class::Staff), 1),
        ((None, Class::Unknown), 1),
    ]);
    assert_eq!(index.census(), expected);
}

#[test]
fn who_is_being_deleted_is_gone_to_all_but_themselves() {
    let mut index = Index::default();
    index.apply(Kind::ClinicUser, user(1));
    index.apply(Kind::ClinicAccount, account(1, &json!({})));
    let claim = index.account("a-1").unwrap().spec.claims()[0];
    assert!(index.has_member("uid-ana") && !index.members_that_want(claim).is_empty());
    let mut marked = user(2);
    marked.metadata = serde_json::from_value(json!({"name": "ana", "uid": "uid-ana", "resourceVersion": "2",
        "deletionTimestamp": "2026-11-24T09:00:00Z", "finalizers": ["x/y"]}))
    .unwrap();
    let work = index.apply(Kind::ClinicUser, marked);
    assert!(work.contains(&Key::Removals) && work.contains(&Key::Member("ana".into())), "{work:?}");
    assert!(!index.has_member("uid-ana") && index.members_that_want(claim).is_empty());
    assert!(!index.is_held(&index.account("a-1").unwrap()));
    assert_eq!(index.orphans(), [Arc::from("a-1")]);
    let metadata = index.member("ana").unwrap().metadata;
    assert!(metadata.deletion_timestamp.is_some() && metadata.finalizers == Some(vec!["x/y".into()]));
    let removed = json!({"desired": {"removed": {"at": "2026-11-24T09:00:00Z"}}});
    assert!(index.apply(Kind::ClinicAccount, account(3, &removed)).contains(&Key::Member("ana".into())), "is told so");
}

#[test]
fn who_comes_back_under_the_name_wakes_everybody_who_waits_for_an_account_of_that_name() {
    let mut index = Index::default();
    index.apply(Kind::ClinicAccount, account(1, &json!({"desired": {"holder": {"name": "ana", "uid": "uid-before"}}})));
    let mut waiting = user(2);
    waiting.metadata.name = Some("bea".into());
    waiting.metadata.uid = Some("uid-bea".into());
    index.apply(Kind::ClinicUser, waiting);
    let expected = [Key::Removals, Key::Member("ana".into()), Key::Member("bea".into())];
    let mut back = user(3);
    back.data["spec"]["email"] = json!("ana@river.example");
    let work = index.apply(Kind::ClinicUser, back);
    assert!(expected.iter().all(|key| work.contains(key)), "{work:?}");
    let orphan = index.account("a-1").unwrap();
    assert_eq!(index.namesake(&orphan.spec).and_then(|user| user.metadata.uid).as_deref(), Some("uid-ana"));
    assert_eq!(index.accounts_left_by("ana").len(), 1);
    let work = index.remove(Kind::ClinicUser, "ana", None);
    assert!([&Key::Removals, &Key::Member("bea".into())].into_iter().all(|key| work.contains(key)), "{work:?}");
    assert!(index.namesake(&orphan.spec).is_none());
}
