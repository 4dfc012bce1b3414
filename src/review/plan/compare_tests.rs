//! What a change of a tree is said to do, by its rows. That the operator then does so: `tests/cluster/plan.rs`.

use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::*;
use crate::api::account::ClinicAccount;
use crate::api::{REACTIVATE_ANNOTATION, RESEND_ANNOTATION};
use crate::domain::calendar::ClinicZone;
use crate::review::plan::fields::seats;
use crate::review::plan::side::{Person, Seems};

const NOW: &str = "2026-11-20T12:00:00Z";
const LONG_AGO: &str = "2026-01-01T00:00:00Z";
const JUST_NOW: &str = "2026-11-20T11:30:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn staff(email: &str) -> Value {
    json!({"email": format!("{email}@maple.example"), "type": "Staff"})
}

pub(super) fn trainee(email: &str, end: &str) -> Value {
    json!({
        "email": format!("{email}@maple.example"), "type": "Practitioner", "classification": "ClinicalTrainee",
        "expectedEndOfTraining": end,
    })
}

pub(super) fn with(mut spec: Value, field: &str, value: impl Into<Value>) -> Value {
    spec[field] = value.into();
    spec
}

fn person(name: &str, spec: Value) -> (String, Person) {
    let spec = serde_json::from_value(spec).unwrap();
    (name.to_owned(), Person { spec, annotations: [].into(), uid: None, seems: Seems::Accepted })
}

/// A clinic whose guard lets five invitations begin in an hour.
pub(super) fn side(people: Vec<(&str, Value)>) -> Side {
    let clinic = json!({"displayName": "Maple", "timeZone": "America/Toronto", "guard": {"invitationsPerHour": 5}});
    Side {
        clinic: Some(serde_json::from_value(clinic).unwrap()),
        people: people.into_iter().map(|(name, spec)| person(name, spec)).collect(),
        ..Side::default()
    }
}

/// How somebody of the clinic stands in their record.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stands {
    Pending,
    Accepted,
    /// Accepted, and removed long ago.
    Former,
}

/// The record of a manifest.
fn record(name: &str, spec: &Value, stands: Stands, first_mail: &str) -> ClinicAccount {
    let uid = format!("uid-{name}");
    let id = format!("a-{name}");
    let mut desired = json!({"holder": {"name": name, "uid": uid}, "decisions": 0});
    for field in ["email", "type", "firstName", "lastName", "suspended"] {
        desired[field] =
            spec.get(field).cloned().unwrap_or_else(|| if field == "suspended" { json!(false) } else { Value::Null });
    }
    if let Some(end) = spec.get("expectedEndOfTraining") {
        let zone = ClinicZone::find("America/Toronto").unwrap();
        let end = crate::domain::calendar::parse_date(end.as_str().unwrap()).unwrap();
        desired["accessUntil"] = json!(zone.access_ends(end));
    }
    if stands == Stands::Former {
        desired["removed"] = json!({"at": LONG_AGO});
    }
    let mut whole = json!({"id": id, "desired": desired, "delivery": {
        "round": 1, "address": spec["email"], "sent": 1, "failed": 0,
        "attempts": [{
            "kind": "Invitation", "round": 1, "copy": 1, "messageId": "<m@maple.example>", "tokenDigest": "", "at": first_mail,
            "date": first_mail, "outcome": "Sent",
        }],
    }});
    if stands != Stands::Pending {
        whole["acceptance"] = json!({
            "acceptedAt": LONG_AGO, "firstName": "Ana", "lastName": "Silva", "login": spec["email"], "credential": "c-x",
            "sessionEpoch": 0,
        });
    }
    ClinicAccount { metadata: ObjectMeta::default(), spec: serde_json::from_value(whole).unwrap() }
}

/// A clinic with records; former members have no manifest any more.
pub(super) fn clinic(people: &[(&str, Value, Stands)]) -> Side {
    let there = people.iter().filter(|(_, _, stands)| *stands != Stands::Former);
    let mut side = side(there.map(|(name, spec, _)| (*name, spec.clone())).collect());
    for (name, person) in &mut side.people {
        person.uid = Some(format!("uid-{name}"));
    }
    side.records = Some(people.iter().map(|(name, spec, stands)| record(name, spec, *stands, LONG_AGO)).collect());
    side
}

/// `effect member: detail`, a line each.
pub(super) fn said(before: &Side, after: &Side) -> Vec<String> {
    let line = |change: Change| format!("{:?} {}: {}", change.effect, change.member, change.detail);
    compare(before, after, at(NOW)).into_iter().map(line).collect()
}

#[track_caller]
fn check(before: &[(&str, Value, Stands)], after: Vec<(&str, Value)>, expected: &[&str]) {
    assert_eq!(said(&clinic(before), &side(after)), expected);
}

#[test]
fn the_same_tree_changes_nothing() {
    let before = vec![("ana", staff("ana"), Stands::Accepted), ("bo", staff("bo"), Stands::Pending)];
    check(&before, vec![("ana", staff("ana")), ("bo", staff("bo"))], &[]);
}

#[test]
fn who_accepted_loses_or_gets_access_and_who_has_not_is_told_of_the_link() {
    let all = |stands| vec![("s", staff("s"), stands), ("t", trainee("t", "2027-06-30"), stands)];
    let after = || vec![("s", with(staff("s"), "suspended", true)), ("t", trainee("t", "2026-11-05"))];
    check(
        &all(Stands::Accepted),
        after(),
        &["AccessEnds s: suspended", "AccessEnds t: the last day of access was 2026-11-19"],
    );
    check(
        &all(Stands::Pending),
        after(),
        &[
            "AccessEnds s: suspended: the invitation's link does not let in",
            "AccessEnds t: the last day of access was 2026-11-19: the invitation's link does not let in",
        ],
    );
    let ended =
        |stands| vec![("s", with(staff("s"), "suspended", true), stands), ("t", trainee("t", "2026-11-05"), stands)];
    let after = || vec![("s", staff("s")), ("t", trainee("t", "2026-11-06"))];
    check(
        &ended(Stands::Accepted),
        after(),
        &["AccessReturns s: access as before", "AccessReturns t: last day of access: 2026-11-20, before 2026-11-19"],
    );
    check(
        &ended(Stands::Pending),
        after(),
        &["Changes s: may accept an invitation again", "Changes t: may accept an invitation again"],
    );
    check(
        &[("t", trainee("t", "2027-06-30"), Stands::Accepted)],
        vec![("t", trainee("t", "2027-07-31"))],
        &["Changes t: last day of access: 2027-08-14, before 2027-07-14"],
    );
}

#[test]
fn a_trainee_who_becomes_standard_changes_in_three_ways() {
    let standard = json!({"email": "t@maple.example", "type": "Practitioner", "classification": "Standard", "license": "CHRPlus", "title": "Dr."});
    check(
        &[("t", trainee("t", "2027-06-30"), Stands::Accepted)],
        vec![("t", standard)],
        &[
            "Changes t: classification: Standard, before ClinicalTrainee",
            "Changes t: edited: title",
            "Changes t: last day of access: none, before 2027-07-14",
            "Changes t: license: CHRPlus, before none",
        ],
    );
}

#[test]
fn another_address_is_confirmed_by_who_accepted_and_invited_anew_for_who_has_not() {
    check(
        &[("ana", staff("ana"), Stands::Accepted)],
        vec![("ana", staff("ana.silva"))],
        &[
            "Mailed ana: another address: a link to confirm it goes there and a notice to the old one, which signs in until then",
        ],
    );
    check(
        &[("ana", staff("ana"), Stands::Pending)],
        vec![("ana", staff("ana.silva"))],
        &["Mailed ana: another address: a new invitation, and the links of earlier mails stop working"],
    );
    // Capitals are not another address.
    check(&[("ana", staff("ana"), Stands::Accepted)], vec![("ana", staff("Ana"))], &[]);
}

#[test]
fn an_accepted_member_whose_name_changes_too_needs_a_person() {
    let renamed = || with(with(staff("bea"), "firstName", "Bea"), "lastName", "Roy");
    let needs = "NeedsAPerson ana: address and name of an accepted member change at once: for the same person set the annotation clinic-operator.dev/reactivate: a-ana.0";
    check(
        &[("ana", staff("ana"), Stands::Accepted)],
        vec![("ana", renamed())],
        &[needs, "Changes ana: edited: firstName, lastName"],
    );
    let before = clinic(&[("ana", staff("ana"), Stands::Accepted)]);
    let mut after = side(vec![("ana", renamed())]);
    after.people.get_mut("ana").unwrap().annotations.insert(REACTIVATE_ANNOTATION.to_owned(), "a-ana.0".to_owned());
    assert!(said(&before, &after)[0].starts_with("Mailed ana: another address"));
}

#[test]
fn an_address_that_another_has_is_taken_freed_or_comes_with_its_account() {
    let named = |email: &str| with(with(staff(email), "firstName", "Zoe"), "lastName", "Roy");
    // Somebody who is there.
    check(
        &[("ana", staff("ana"), Stands::Accepted)],
        vec![("ana", staff("ana")), ("bo", staff("ANA"))],
        &["NeedsAPerson bo: ana has the address: change one of the two"],
    );
    // Two who are new.
    check(
        &[],
        vec![("ana", staff("a")), ("bo", staff("a"))],
        &["NeedsAPerson bo: ana has the address: change one of the two", "Mailed ana: a new member: an invitation"],
    );
    // Somebody who has not accepted and gives it up in the same tree.
    check(
        &[("ana", staff("ana"), Stands::Pending)],
        vec![("ana", staff("ana2")), ("bo", staff("ana"))],
        &[
            "Mailed ana: another address: a new invitation, and the links of earlier mails stop working",
            "Mailed bo: a new member: an invitation",
        ],
    );
    // Two accepted ones who swap.
    let two = vec![("ana", staff("ana"), Stands::Accepted), ("bo", staff("bo"), Stands::Accepted)];
    check(
        &two,
        vec![("ana", staff("bo")), ("bo", staff("ana"))],
        &[
            "NeedsAPerson ana: bo has the address: change one of the two",
            "NeedsAPerson bo: ana has the address: change one of the two",
        ],
    );
    // A former member, who is the same person, or not.
    check(
        &[("zoe", named("zoe"), Stands::Former)],
        vec![("zoe-roy", named("zoe"))],
        &["AccessReturns zoe-roy: access as before", "TakesUpAccount zoe-roy: account a-zoe goes on as it stands"],
    );
    check(
        &[("zoe", named("zoe"), Stands::Former)],
        vec![("kim", staff("zoe"))],
        &[
            "NeedsAPerson kim: a former member had the address: for the same person set the annotation clinic-operator.dev/reactivate: a-zoe.0, for another clinic-operator.dev/replace: a-zoe.0",
        ],
    );
    // A manifest that only gets another name is no removal.
    check(
        &[("zoe", named("zoe"), Stands::Accepted)],
        vec![("zoe-roy", named("zoe"))],
        &["TakesUpAccount zoe-roy: account a-zoe goes on as it stands"],
    );
}

#[test]
fn a_resend_is_mailed_to_who_has_not_accepted() {
    for (stands, expected) in [
        (Stands::Pending, vec!["Mailed ana: a resend: the links of earlier mails stop working"]),
        (Stands::Accepted, vec![]),
    ] {
        let before = clinic(&[("ana", staff("ana"), stands)]);
        let mut after = side(vec![("ana", staff("ana"))]);
        after.people.get_mut("ana").unwrap().annotations.insert(RESEND_ANNOTATION.to_owned(), "2".to_owned());
        assert_eq!(said(&before, &after), expected);
    }
}

#[test]
fn who_is_new_and_has_no_access_is_not_invited() {
    check(
        &[],
        vec![
            ("s", with(staff("s"), "suspended", true)),
            ("t", trainee("t", "2026-11-05")),
            ("u", trainee("u", "2026-11-06")),
        ],
        &[
            "Mailed u: a new member: an invitation",
            "Changes s: a new member, suspended: nobody is invited",
            "Changes t: a new member whose access is over: nobody is invited",
        ],
    );
}

#[test]
fn the_guards_hold_what_is_beyond_them_counting_the_last_hour() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut before = clinic(&[("z", staff("z"), Stands::Pending)]);
    before.records.as_mut().unwrap()[0] = record("z", &staff("z"), Stands::Pending, JUST_NOW);
    let all = || names.iter().map(|name| (*name, staff(name))).chain([("z", staff("z"))]).collect();
    let held = |name: &str| {
        format!("Held {name}: a new member: an invitation; beyond the 5 that the guard lets begin in an hour")
    };
    let told = said(&before, &side(all()));
    assert_eq!(told[..2], [held("e"), held("f")], "one was invited half an hour ago");
    assert_eq!(told.len(), 6);

    let everybody = names.map(|name| (name, staff(name), Stands::Accepted));
    let told = said(&clinic(&everybody), &side(vec![]));
    assert_eq!(
        told[..3],
        [
            "AccessEnds a: removed: access ends, the record is kept",
            "AccessEnds b: removed: access ends, the record is kept",
            "Held c: removed, beyond what the guard lets pass in an hour: access stays until `kubectl clinic release`; of several who go at once it may be others",
        ]
    );
    assert_eq!(told.len(), 6);
}

#[test]
fn edits_of_many_addresses_are_held_beyond_the_guard_and_suspensions_are_counted() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    for stands in [Stands::Pending, Stands::Accepted] {
        let before = clinic(&names.map(|name| (name, staff(name), stands)));
        let moved = names.iter().map(|name| (*name, staff(&format!("{name}2")))).collect();
        let told = said(&before, &side(moved));
        let of = |effect: &str| told.iter().filter(|change| change.starts_with(effect)).count();
        assert_eq!((of("Held "), of("Mailed ")), (2, 5), "{told:?}");
        let suspended = names[..3].iter().map(|name| (*name, with(staff(name), "suspended", true))).collect();
        let first = crate::review::plan::suspensions(&before, &side(suspended));
        assert_eq!(first.unwrap(), "Suspends 3 members, all of them at once: no guard holds a suspension.");
    }
}

#[test]
fn seats_are_counted_by_license_and_by_who_needs_none() {
    let standard = |license: &str| json!({"email": "x@maple.example", "type": "Practitioner", "classification": "Standard", "license": license});
    let before = side(vec![("a", standard("CHRLite")), ("b", staff("b")), ("c", trainee("c", "2027-06-30"))]);
    let mut after = side(vec![("a", standard("CHRPlus")), ("b", staff("b"))]);
    after.service_accounts.insert("lab".to_owned(), json!({}));
    let counted: Vec<_> =
        seats(&before, &after).into_iter().map(|seats| (seats.of, seats.before, seats.after)).collect();
    let expected = [
        ("CHR Lite", 1, 0),
        ("CHR Plus", 0, 1),
        ("Clinical trainee", 1, 0),
        ("Staff", 1, 1),
        ("Service account", 0, 1),
    ];
    assert_eq!(counted, expected.map(|(of, before, after)| (of.to_owned(), before, after)));
}
