//! When a resend is asked for at all, and when it counts as done: over statuses as the operator writes them.

use serde_json::{Value, json};

use super::*;
use crate::kubectl::seen::MemberSpec;

fn member(kind: MemberKind, status: &Value) -> Member {
    let object = json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
        "metadata": {"name": "ana"}, "spec": {}, "status": status,
    });
    let object: kube::core::Object<MemberSpec, crate::api::clinic_user::MemberStatus> =
        serde_json::from_value(object).unwrap();
    Member::new(kind, object)
}

fn in_state(state: &str, message: &str, round: Option<u32>, sent: bool) -> Member {
    let mut status = json!({"state": state, "conditions": [{"type": "Ready", "status": "False", "reason": state,
        "message": message, "lastTransitionTime": "2027-06-01T12:00:00Z"}]});
    if let Some(round) = round {
        status["invitation"] = json!({"round": round});
        if sent {
            status["invitation"]["sentAt"] = json!("2027-06-02T12:00:00Z");
            status["invitation"]["expiresAt"] = json!("2027-06-09T12:00:00Z");
        }
    }
    member(MemberKind::ClinicUser, &status)
}

#[test]
fn it_is_asked_for_only_where_a_mail_can_follow() {
    let changed = "Has access. The changed email address was refused; until then the old one signs in.";
    for (state, message, round, asks) in [
        ("Invited", "", Some(1), true),
        ("InvitationExpired", "", Some(1), true),
        ("Undeliverable", "", Some(1), true),
        ("DeliveryUnknown", "", Some(1), true),
        ("Pending", "", Some(1), true),
        ("Pending", "", None, false),
        ("Active", "Has access.", None, false),
        ("Active", changed, None, true),
        ("Paused", "", Some(1), false),
        ("Held", "", None, false),
        ("Suspended", "", Some(1), false),
        ("TrainingEnded", "", Some(1), false),
        ("EmailConflict", "", None, false),
        ("FormerMember", "", None, false),
        ("IdentityChanged", "", None, false),
        ("Invalid", "", None, false),
        ("ClinicMissing", "", None, false),
        ("StateOfTheFuture", "", None, false),
    ] {
        assert_eq!(would_mail(&in_state(state, message, round, false)).is_ok(), asks, "{state} {message}");
    }
    assert!(would_mail(&member(MemberKind::ServiceAccount, &json!({"state": "Active"}))).is_err());
    assert!(would_mail(&member(MemberKind::ClinicUser, &json!({}))).is_err(), "the operator has not looked yet");
}

#[test]
fn it_is_done_when_a_later_round_was_mailed_and_in_vain_when_that_round_was_refused() {
    let look = |member: &Member| match of_invitation(member, 1, |at| at.to_string()) {
        Progress::Waiting(_) => "waiting",
        Progress::Done(_) => "done",
        Progress::Not(_) => "not",
    };
    for (state, round, sent, expected) in [
        ("Invited", 1, true, "waiting"),
        ("Invited", 2, true, "done"),
        ("Invited", 3, true, "done"),
        ("Pending", 1, false, "waiting"),
        ("Pending", 2, false, "waiting"),
        ("Undeliverable", 1, false, "waiting"),
        ("Undeliverable", 2, false, "not"),
        ("DeliveryUnknown", 1, false, "waiting"),
        ("DeliveryUnknown", 2, false, "not"),
        ("InvitationExpired", 1, false, "waiting"),
        ("Paused", 1, false, "not"),
        ("EmailConflict", 1, false, "not"),
        ("Suspended", 2, false, "not"),
        ("Active", 1, false, "not"),
    ] {
        assert_eq!(look(&in_state(state, "", Some(round), sent)), expected, "{state} {round}");
    }
    let done = of_invitation(&in_state("Invited", "", Some(2), true), 1, |at| at.to_string());
    let told = "Mailed at 2027-06-02T12:00:00Z (round 2); the link works until 2027-06-09T12:00:00Z. Links of earlier \
                mails work no more.\n";
    assert_eq!(done, Progress::Done(told.to_owned()));
}

#[test]
fn a_value_is_new_even_twice_in_a_second() {
    let now = "2027-06-01T12:00:00Z";
    let mut values: Vec<String> = Vec::new();
    for _ in 0..3 {
        let value = new_value(now, values.last());
        assert!(!values.contains(&value), "{values:?}");
        values.push(value);
    }
    assert_eq!(new_value(now, Some(&"2".to_owned())), now);
}

#[test]
fn a_confirmation_is_done_when_a_later_round_was_mailed() {
    let ledger = |attempts: &[(&str, u32, &str)]| -> Ledger {
        let attempt = |(kind, round, outcome): &(&str, u32, &str)| json!({"kind": kind, "round": round, "copy": 1, "at": "2027-06-01T12:00:00Z", "outcome": outcome});
        let attempts: Vec<Value> = attempts.iter().map(attempt).collect();
        serde_json::from_value(json!({"round": 9, "attempts": attempts})).unwrap()
    };
    let look = |attempts: &[(&str, u32, &str)]| match of_confirmation(&ledger(attempts), 2) {
        Progress::Waiting(_) => "waiting",
        Progress::Done(_) => "done",
        Progress::Not(_) => "not",
    };
    let before = ("EmailConfirmation", 2, "Sent");
    for (last, expected) in [
        (before, "waiting"),
        (("EmailConfirmation", 3, "Sent"), "done"),
        (("EmailConfirmation", 3, "Refused"), "not"),
        (("EmailConfirmation", 3, "Sending"), "waiting"),
        (("EmailConfirmation", 3, "MailerFailed"), "waiting"),
        (("EmailChangeNotice", 3, "Sent"), "waiting"),
    ] {
        assert_eq!(look(&[before, last]), expected, "{last:?}");
    }
    assert_eq!(look(&[]), "waiting");
}
