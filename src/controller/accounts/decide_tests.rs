//! Who may be mailed (I3), as a table of everything that forbids it, and when a decision changes by itself.

use super::*;
use crate::api::clinic::ClinicSpec;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn account(changes: &Value) -> ClinicAccountSpec {
    let mut account = json!({
        "id": "a-1",
        "desired": {"holder": {"name": "ana", "uid": "1"}, "email": "ana@maple.example", "type": "Staff"},
    });
    json_patch::merge(&mut account, changes);
    serde_json::from_value(account).unwrap()
}

fn clinic(changes: &Value) -> ClinicView {
    let mut spec = json!({"displayName": "Maple Clinic", "timeZone": "America/Toronto"});
    json_patch::merge(&mut spec, changes);
    let spec: ClinicSpec = serde_json::from_value(spec).unwrap();
    ClinicView { zone: crate::domain::calendar::ClinicZone::find(&spec.time_zone), spec, released_hold: None }
}

fn observed(account_changes: &Value) -> Observed {
    Observed {
        open_for: jiff::SignedDuration::ZERO,
        account: account(account_changes),
        clinic: Some(clinic(&json!({}))),
        address_is_ours: true,
        holder_asks_for_it: true,
    }
}

fn written_ahead(address: &str) -> Value {
    json!({"delivery": {"round": 1, "address": address, "attempts": [{
        "kind": "Invitation", "round": 1, "copy": 1, "messageId": "<m@x>", "tokenDigest": "d1",
        "at": at(NOW).to_string(), "date": at(NOW).to_string(), "outcome": "Sending",
    }]}})
}

/// Everything that forbids an invitation, one at a time.
fn what_forbids_mail(base: &Value) -> Vec<(&'static str, Observed)> {
    let with = |changes: Value| {
        let mut all = base.clone();
        json_patch::merge(&mut all, &changes);
        observed(&all)
    };
    let acceptance = json!({"acceptedAt": at(NOW).to_string(), "login": "ana@maple.example", "firstName": "Ana",
        "lastName": "Silva", "credential": "c"});
    let mut without_address = with(json!({}));
    without_address.account.desired.email = None;
    vec![
        ("suspended", with(json!({"desired": {"suspended": true}}))),
        ("ended", with(json!({"desired": {"accessUntil": at(NOW).to_string()}}))),
        ("removed", with(json!({"desired": {"removed": {"at": at(NOW - 1).to_string()}}}))),
        ("accepted", with(json!({ "acceptance": acceptance }))),
        ("without address", without_address),
        ("claim of another", Observed { address_is_ours: false, ..with(json!({})) }),
        ("manifest deleted", Observed { holder_asks_for_it: false, ..with(json!({})) }),
        ("no clinic", Observed { clinic: None, ..with(json!({})) }),
        ("unknown zone", Observed { clinic: Some(clinic(&json!({"timeZone": "Mars/Base"}))), ..with(json!({})) }),
        ("paused", Observed { clinic: Some(clinic(&json!({"paused": true}))), ..with(json!({})) }),
    ]
}

#[test]
fn a_new_account_is_mailed_and_nobody_whom_anything_forbids() {
    let allowed = decide(&observed(&json!({})), at(NOW));
    assert_eq!(allowed.mail, Some(Due { kind: MailKind::Invitation, round: 1, continues: None }));
    for (why, forbidden) in what_forbids_mail(&json!({})) {
        assert_eq!(decide(&forbidden, at(NOW)).mail, None, "no mail may go: {why}");
    }
}

#[test]
fn a_mail_that_was_written_ahead_is_dropped_when_anything_forbids_it_meanwhile() {
    let ahead = written_ahead("ana@maple.example");
    let attempt = observed(&ahead).account.delivery.unwrap().attempts.remove(0);
    assert!(may_still_go(&observed(&ahead), &attempt, at(NOW)));
    for (why, forbidden) in what_forbids_mail(&ahead) {
        assert!(!may_still_go(&forbidden, &attempt, at(NOW)), "the mail must be dropped: {why}");
    }
    assert!(!may_still_go(&observed(&written_ahead("old@maple.example")), &attempt, at(NOW)), "the address was edited");
    assert!(may_still_go(&observed(&written_ahead("Ana@Maple.example")), &attempt, at(NOW)), "only capitals were");
    let another = Attempt { copy: 2, ..attempt.clone() };
    assert!(!may_still_go(&observed(&ahead), &another, at(NOW)), "another attempt was written since");
    let mut next_round = ahead;
    next_round["delivery"]["round"] = json!(2);
    assert!(!may_still_go(&observed(&next_round), &attempt, at(NOW)), "a new round has begun");
}

#[test]
fn a_decision_says_when_it_changes_by_itself() {
    let trainee = json!({"desired": {"accessUntil": at(NOW + 100).to_string()}});
    assert_eq!(decide(&observed(&trainee), at(NOW)).next, Some(at(NOW + 100)));
    assert_eq!(decide(&observed(&trainee), at(NOW + 100)).next, None);
    let ahead = written_ahead("ana@maple.example");
    assert_eq!(decide(&observed(&ahead), at(NOW)).next, Some(at(NOW + 600)), "unknown after ten minutes");
    assert_eq!(decide(&observed(&json!({})), at(NOW)).next, None);
}

#[test]
fn access_follows_the_record_alone_whatever_the_clinic_and_the_claim() {
    for (why, observed) in what_forbids_mail(&json!({})) {
        let expected = match why {
            "suspended" => AccessReason::Suspended,
            "ended" => AccessReason::TrainingEnded,
            "removed" => AccessReason::Removed,
            "accepted" => AccessReason::Granted,
            _ => AccessReason::NotAccepted,
        };
        let access = decide(&observed, at(NOW)).access;
        assert_eq!(access, Access { granted: why == "accepted", reason: expected }, "{why}");
    }
}

#[test]
fn a_changed_address_is_confirmed_and_its_notice_goes_to_somebody_with_access_only() {
    let acceptance = json!({"acceptedAt": at(NOW).to_string(), "login": "ana@river.example", "firstName": "Ana",
        "lastName": "Silva", "credential": "c"});
    let base = json!({ "acceptance": acceptance });
    let due = decide(&observed(&base), at(NOW)).mail.unwrap();
    assert_eq!((due.kind, due.round), (MailKind::EmailConfirmation, 1));
    let mut ahead = written_ahead("ana@maple.example");
    ahead["delivery"]["attempts"][0]["kind"] = json!("EmailConfirmation");
    json_patch::merge(&mut ahead, &base);
    let attempt = observed(&ahead).account.delivery.unwrap().attempts.remove(0);
    assert!(may_still_go(&observed(&ahead), &attempt, at(NOW)));
    for (why, mut forbidden) in what_forbids_mail(&ahead) {
        if why == "accepted" {
            // With the address wished for: nothing is to be confirmed any more.
            forbidden.account.acceptance.as_mut().unwrap().login = "ana@maple.example".into();
        }
        assert!(!may_still_go(&forbidden, &attempt, at(NOW)), "the mail must be dropped: {why}");
        assert_eq!(decide(&forbidden, at(NOW)).mail, None, "no mail may go: {why}");
    }
    ahead["delivery"]["attempts"][0]["outcome"] = json!("Sent");
    let notice = decide(&observed(&ahead), at(NOW)).mail.unwrap();
    assert_eq!((notice.kind, notice.round), (MailKind::EmailChangeNotice, 1));
}

#[test]
fn what_a_guard_holds_is_not_mailed_until_it_is_released() {
    let held = |released: bool| json!({"delivery": {"round": 1, "address": "ana@maple.example", "hold": {"id": "invitations-1", "released": released}}});
    assert_eq!(decide(&observed(&held(false)), at(NOW)).mail, None);
    assert!(decide(&observed(&held(true)), at(NOW)).mail.is_some());
}
