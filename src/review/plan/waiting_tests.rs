//! What is waiting in the clinic already, and what a tree does about it: conflicts, identities, holds, a pause.

use super::tests::{Stands, clinic, said, side, staff, trainee, with};
use super::*;
use crate::api::account::{ClinicAccountSpec, Hold};
use crate::api::{REACTIVATE_ANNOTATION, REPLACE_ANNOTATION, RESEND_ANNOTATION};
use crate::domain::guard::Release;
use crate::review::plan::side::Seems;

const NEW: &str = "a new member: an invitation";
const CONFIRM: &str =
    "another address: a link to confirm it goes there and a notice to the old one, which signs in until then";

fn without_record(side: &mut Side, name: &str) {
    side.records.as_mut().unwrap().retain(|record| record.spec.id != format!("a-{name}"));
}

fn record<'a>(side: &'a mut Side, name: &str) -> &'a mut ClinicAccountSpec {
    let mut records = side.records.as_mut().unwrap().iter_mut();
    &mut records.find(|record| record.spec.id == format!("a-{name}")).unwrap().spec
}

fn annotated(mut side: Side, name: &str, annotation: &str, value: &str) -> Side {
    side.people.get_mut(name).unwrap().annotations.insert(annotation.to_owned(), value.to_owned());
    side
}

/// `before` is what the operator has come to rest with.
#[track_caller]
fn check(before: &Side, after: &Side, expected: &[&str]) {
    assert_eq!(said(before, before), [""; 0], "at rest");
    assert_eq!(said(before, after), expected);
}

#[test]
fn who_waits_for_an_address_gets_it_when_it_is_free_or_a_person_says_so() {
    // Two in conflict: the one who waits gets it once the other leaves.
    let mut before = clinic(&[("ana", staff("ana"), Stands::Pending), ("heir", staff("ana"), Stands::Pending)]);
    without_record(&mut before, "heir");
    check(
        &before,
        &side(vec![("heir", staff("ana"))]),
        &["AccessEnds ana: withdrawn: the links of the invitation stop working", &format!("Mailed heir: {NEW}")],
    );
    check(
        &before,
        &side(vec![("ana", staff("ana2")), ("heir", staff("ana"))]),
        &[
            "Mailed ana: another address: a new invitation, and the links of earlier mails stop working",
            &format!("Mailed heir: {NEW}"),
        ],
    );
    // A former member's address: the two answers.
    let mut before = clinic(&[("kim", staff("zoe"), Stands::Pending), ("zoe", staff("zoe"), Stands::Former)]);
    without_record(&mut before, "kim");
    let kim = || side(vec![("kim", staff("zoe"))]);
    check(&before, &annotated(kim(), "kim", REPLACE_ANNOTATION, "a-zoe.0"), &[&format!("Mailed kim: {NEW}")]);
    check(
        &before,
        &annotated(kim(), "kim", REACTIVATE_ANNOTATION, "a-zoe.0"),
        &["AccessReturns kim: access as before", "TakesUpAccount kim: account a-zoe goes on as it stands"],
    );
    check(&before, &annotated(kim(), "kim", REACTIVATE_ANNOTATION, "a-zoe.7"), &[]);
}

#[test]
fn whoever_has_an_account_can_only_replace_a_former_member() {
    let before = clinic(&[("ana", staff("ana"), Stands::Pending), ("zoe", staff("zoe"), Stands::Former)]);
    check(
        &before,
        &side(vec![("ana", staff("zoe"))]),
        &[
            "AccessEnds ana: gives the old address up: the links of the invitation stop working",
            "NeedsAPerson ana: a former member had the address: to take it from them for good set the annotation clinic-operator.dev/replace: a-zoe.0",
        ],
    );
}

#[test]
fn an_identity_that_waits_is_settled_by_an_undo_or_an_approval() {
    let renamed = || with(with(staff("bea"), "firstName", "Bea"), "lastName", "Roy");
    let mut before = clinic(&[("ana", renamed(), Stands::Accepted)]);
    *record(&mut before, "ana") = record(&mut clinic(&[("ana", staff("ana"), Stands::Accepted)]), "ana").clone();
    check(&before, &side(vec![("ana", staff("ana"))]), &["Changes ana: edited: firstName, lastName"]);
    let approved = annotated(side(vec![("ana", renamed())]), "ana", REACTIVATE_ANNOTATION, "a-ana.0");
    check(&before, &approved, &[&format!("Mailed ana: {CONFIRM}")]);
    // Somebody whose other address waits, and who gets another name too.
    let mut before = clinic(&[("ana", staff("ana"), Stands::Accepted), ("bo", staff("bo"), Stands::Accepted)]);
    before.people.get_mut("bo").unwrap().spec.email = "ana@maple.example".into();
    let told = said(&before, &side(vec![("ana", staff("ana")), ("bo", with(staff("ana"), "firstName", "Bo"))]));
    assert!(told[0].starts_with("NeedsAPerson bo: address and name of an accepted member change at once"), "{told:?}");
}

#[test]
fn an_address_that_waits_to_be_confirmed_may_be_undone_or_asked_for_again() {
    let mut before = clinic(&[("ana", staff("ana2"), Stands::Accepted)]);
    let account = record(&mut before, "ana");
    account.acceptance.as_mut().unwrap().login = "ana@maple.example".into();
    let delivery = account.delivery.as_mut().unwrap();
    delivery.attempts[0].kind = crate::domain::invitation::MailKind::EmailConfirmation;
    let mut notice = delivery.attempts[0].clone();
    notice.kind = crate::domain::invitation::MailKind::EmailChangeNotice;
    delivery.attempts.push(notice);
    check(&before, &side(vec![("ana", staff("ana"))]), &[]);
    let again = annotated(side(vec![("ana", staff("ana2"))]), "ana", RESEND_ANNOTATION, "2");
    check(&before, &again, &["Mailed ana: the link that confirms the changed address, again"]);
    // It is nobody's login yet, so who drops it frees it.
    check(&before, &side(vec![("ana", staff("ana")), ("bo", staff("ana2"))]), &[&format!("Mailed bo: {NEW}")]);
}

#[test]
fn whoever_may_not_be_mailed_is_not() {
    let suspended = || with(staff("s"), "suspended", true);
    let before = clinic(&[("s", suspended(), Stands::Pending)]);
    check(&before, &annotated(side(vec![("s", suspended())]), "s", RESEND_ANNOTATION, "2"), &[]);
    check(&before, &side(vec![("s", with(staff("s2"), "suspended", true))]), &[]);
    // Other capitals are no other address.
    let before = clinic(&[("p", staff("p"), Stands::Pending)]);
    check(&before, &side(vec![("p", staff("P"))]), &[]);
}

#[test]
fn whoever_was_never_mailed_is_invited_once_nothing_speaks_against_it() {
    let mut before = clinic(&[
        ("s", with(staff("s"), "suspended", true), Stands::Pending),
        ("t", trainee("t", "2026-11-05"), Stands::Pending),
    ]);
    for name in ["s", "t"] {
        record(&mut before, name).delivery = None;
    }
    check(
        &before,
        &side(vec![("s", staff("s")), ("t", trainee("t", "2027-06-30"))]),
        &[
            "Mailed s: a member whom nobody has written to yet: an invitation",
            "Mailed t: a member whom nobody has written to yet: an invitation",
            "Changes s: may accept an invitation again",
            "Changes t: may accept an invitation again",
        ],
    );
}

#[test]
fn what_is_held_stays_held_until_the_clinic_releases_it() {
    let hold = |id: &str| Some(Hold { id: id.to_owned(), released: false, address: None, limit: None });
    let mut before = clinic(&[("h", staff("h"), Stands::Pending), ("o", staff("o"), Stands::Accepted)]);
    let delivery = record(&mut before, "h").delivery.as_mut().unwrap();
    (delivery.hold, delivery.attempts) = (hold("invitations-1"), Vec::new());
    record(&mut before, "o").desired.hold = hold("removals-1");
    before.people.remove("o");
    let after = || side(vec![("h", staff("h"))]);
    check(&before, &annotated(after(), "h", RESEND_ANNOTATION, "2"), &[]);
    let released = |id: &str| Side { released: Release::parse(id), ..after() };
    check(&before, &released("invitations-1"), &["Mailed h: a member whom nobody has written to yet: an invitation"]);
    check(&before, &released("removals-1"), &["AccessEnds o: removed: access ends, the record is kept"]);
}

#[test]
fn of_two_who_want_one_address_one_gets_it() {
    let named = |email: &str| with(with(staff(email), "firstName", "Zoe"), "lastName", "Roy");
    let before = clinic(&[
        ("zoe", named("zoe"), Stands::Former),
        ("p", staff("p"), Stands::Pending),
        ("q", staff("q"), Stands::Pending),
    ]);
    let told = said(
        &before,
        &side(vec![("z1", named("zoe")), ("z2", named("zoe")), ("p", staff("new")), ("q", staff("new"))]),
    );
    let needs: Vec<_> = told.iter().filter(|line| line.starts_with("NeedsAPerson")).collect();
    assert_eq!(
        needs,
        [
            "NeedsAPerson q: p has the address: change one of the two",
            "NeedsAPerson z2: z1 has the address: change one of the two"
        ]
    );
    assert!(told.contains(&"TakesUpAccount z1: account a-zoe goes on as it stands".to_owned()), "{told:?}");
}

#[test]
fn a_pause_that_ends_lets_happen_what_waited_and_while_it_lasts_nothing_does() {
    let paused = |mut side: Side, is_paused| {
        side.clinic.as_mut().unwrap().paused = is_paused;
        side
    };
    let mut before = paused(
        clinic(&[
            ("n", staff("n"), Stands::Pending),
            ("gone", staff("gone"), Stands::Accepted),
            ("s", staff("s"), Stands::Accepted),
        ]),
        true,
    );
    without_record(&mut before, "n");
    before.people.remove("gone");
    let after = |is_paused| {
        paused(side(vec![("n", staff("n")), ("s", with(staff("s"), "suspended", true)), ("x", staff("x"))]), is_paused)
    };
    check(&before, &after(true), &["AccessEnds s: suspended"]);
    check(
        &before,
        &after(false),
        &[
            "AccessEnds gone: removed: access ends, the record is kept",
            "AccessEnds s: suspended",
            &format!("Mailed n: {NEW}"),
            &format!("Mailed x: {NEW}"),
            "Changes (the Clinic): paused: false, before true",
        ],
    );
}

#[test]
fn who_has_no_account_is_no_removal_and_who_is_replaced_is_not_held() {
    let all = ["a1", "a2", "y", "z"];
    let mut before =
        clinic(&all.map(|name| (name, staff(if name.starts_with('a') { "y" } else { name }), Stands::Accepted)));
    for name in ["a1", "a2"] {
        without_record(&mut before, name);
    }
    check(&before, &side(vec![("y", staff("y"))]), &["AccessEnds z: removed: access ends, the record is kept"]);

    let names = ["a", "b", "c"];
    let before = clinic(&names.map(|name| (name, staff(name), Stands::Accepted)));
    let new = annotated(side(vec![("new", staff("c"))]), "new", REPLACE_ANNOTATION, "a-c.0");
    let told = said(&before, &new);
    assert!(told.contains(&"AccessEnds c: removed: access ends, the record is kept".to_owned()), "{told:?}");
}

#[test]
fn another_zone_moves_the_end_and_each_day_is_told_by_its_own() {
    let mut before = clinic(&[("t", trainee("t", "2027-06-30"), Stands::Accepted)]);
    let mut after = side(vec![("t", trainee("t", "2027-06-30"))]);
    after.clinic.as_mut().unwrap().time_zone = "America/Vancouver".to_owned();
    check(
        &before,
        &after,
        &[
            "Changes (the Clinic): timeZone: America/Vancouver, before America/Toronto",
            "Changes t: last day of access: 2027-07-14, before 2027-07-14",
        ],
    );
    // A tree without its Clinic still tells that an end moves.
    (before.clinic, before.clinic_is_elsewhere, before.records) = (None, true, None);
    before.people.get_mut("t").unwrap().seems = Seems::Accepted;
    let mut after = side(vec![("t", trainee("t", "2026-01-01"))]);
    (after.clinic, after.clinic_is_elsewhere) = (None, true);
    check(&before, &after, &["AccessEnds t: the last day of access was 2026-01-15"]);
}

#[test]
fn without_a_clinic_nobody_is_mailed() {
    let mut before = clinic(&[]);
    before.clinic = None;
    let mut after = side(vec![("n", staff("n"))]);
    after.clinic = None;
    check(&before, &after, &[]);
}

#[test]
fn between_two_trees_a_manifest_with_another_name_is_the_same_person() {
    let named = || with(with(staff("omar"), "firstName", "Omar"), "lastName", "Haddad");
    let mut before = side(vec![("omar-haddad", named())]);
    before.records = None;
    check(
        &before,
        &side(vec![("o-haddad", named())]),
        &["TakesUpAccount o-haddad: the account of omar-haddad goes on as it stands"],
    );
    check(
        &before,
        &side(vec![("kim", staff("omar"))]),
        &[
            "AccessEnds omar-haddad: removed: access ends, the record is kept",
            "NeedsAPerson kim: somebody who leaves has the address: once they are gone, a person must say whether it is the same one",
        ],
    );
}

#[test]
fn whoever_never_accepted_is_withdrawn_whatever_the_guard_counts() {
    let pending: Vec<String> = (0..6).map(|number| format!("p{number}")).collect();
    let mut people = vec![("ana", staff("ana"), Stands::Accepted), ("bo", staff("bo"), Stands::Accepted)];
    people.push(("cyd", staff("cyd"), Stands::Accepted));
    people.extend(pending.iter().map(|name| (name.as_str(), staff(name), Stands::Pending)));
    let mut before = clinic(&people);
    record(&mut before, "p0").desired.hold =
        Some(Hold { id: "removals-1".to_owned(), released: false, address: None, limit: None });
    let withdrawn =
        pending.iter().map(|name| format!("AccessEnds {name}: withdrawn: the links of the invitation stop working"));
    let removed = ["ana", "bo"].map(|name| format!("AccessEnds {name}: removed: access ends, the record is kept"));
    let expected: Vec<String> = removed.into_iter().chain(withdrawn).collect();
    check(&before, &side(vec![("cyd", staff("cyd"))]), &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_manifest_that_comes_back_under_its_name_goes_on_with_its_account_and_all_that_it_says_is_an_edit() {
    let named = |email: &str, first: &str| with(with(staff(email), "firstName", first), "lastName", "Roy");
    let mut before =
        clinic(&[("ana", named("ana", "Ana"), Stands::Accepted), ("bo", named("bo", "Bo"), Stands::Accepted)]);
    // A guard holds ana's removal.
    before.people.remove("ana");
    record(&mut before, "ana").desired.hold =
        Some(Hold { id: "removals-1".to_owned(), released: false, address: None, limit: None });
    let back = "TakesUpAccount ana: account a-ana goes on as it stands";
    let with_bo = |ana: Value| side(vec![("ana", ana), ("bo", named("bo", "Bo"))]);
    check(&before, &with_bo(named("ana", "Ana")), &[back]);
    check(&before, &with_bo(named("ana2", "Ana")), &[&format!("Mailed ana: {CONFIRM}"), back]);
    let conflict = "NeedsAPerson ana: bo has the address: change one of the two";
    check(&before, &with_bo(named("bo", "Ana")), &[conflict, back]);
    // A new person's file reuses the name: ana is still held.
    check(&before, &with_bo(named("ana2", "Zoe")), &["Mailed ana: a new member: an invitation"]);
    check(&before, &with_bo(staff("ana2")), &["Mailed ana: a new member: an invitation"]);
    // Another name with her own address: a person decides, whoever asks for it.
    let after = side(vec![("ana", named("ana", "Zoe")), ("bo", named("bo", "Bo")), ("kim", staff("ana"))]);
    let former = "NeedsAPerson ana: a former member had the address: for the same person set the annotation clinic-operator.dev/reactivate: a-ana.0, for another clinic-operator.dev/replace: a-ana.0";
    check(&before, &after, &[former, &former.replacen("ana", "kim", 1)]);
}

#[test]
fn a_file_that_another_s_name_was_given_goes_to_its_own_person_s_account() {
    let named = |email: &str| with(with(staff(email), "firstName", email), "lastName", "Roy");
    let accepted = |name: &'static str| (name, named(name), Stands::Accepted);
    let people = ["jones", "smith"].map(accepted);
    let takes = |file: &str, of: &str| format!("TakesUpAccount {file}: account a-{of} goes on as it stands");
    // Nobody has either file any more, as where the operator did not run.
    let mut before = clinic(&people);
    before.people.clear();
    let after = side(vec![("jones", named("smith"))]);
    assert_eq!(said(&before, &after), [takes("jones", "smith")]);
    let after = side(vec![("jones", named("smith")), ("smith", named("jones"))]);
    assert_eq!(said(&before, &after), [takes("jones", "smith"), takes("smith", "jones")]);
}
