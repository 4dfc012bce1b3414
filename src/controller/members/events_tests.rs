//! What a change of status means to people, and that it is told once.

use super::*;
use crate::api::ClinicUser;
use serde_json::{Value, json};

fn status(state: &str, changes: &Value) -> MemberStatus {
    let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-24T09:00:00Z", "reason": state,
        "message": format!("{state} now.")});
    let mut all = json!({"state": state, "conditions": [ready]});
    json_patch::merge(&mut all, changes);
    serde_json::from_value(all).unwrap()
}

fn invited(round: u32, sent: &str) -> MemberStatus {
    status("Invited", &json!({"invitation": {"round": round, "sentAt": sent, "expiresAt": "2026-12-01T09:00:00Z"}}))
}

const BEFORE: &str = "2026-11-20T09:10:00Z";

/// The words for the change at 10:30, an hour and a half after the conditions of [`status`] last changed.
fn told(before: &MemberStatus, after: &MemberStatus, accepted: Option<&str>) -> Vec<(&'static str, bool)> {
    let at = |text: &str| text.parse().unwrap();
    let moment =
        Moment { accepted: accepted.map(at), ends_soon_since: Some(at(BEFORE)), now: at("2026-11-24T10:30:00Z") };
    events(before, after, &moment).into_iter().map(|told| (told.reason, told.warning)).collect()
}

#[test]
fn each_change_is_told_in_one_word_and_what_is_not_about_the_person_is_not() {
    let of = |state: &str| status(state, &json!({}));
    let nothing = MemberStatus::default();
    let expired = |at: &str| status("InvitationExpired", &json!({"invitation": {"round": 1, "expiresAt": at}}));
    for (before, after, accepted, expected) in [
        (&nothing, &invited(1, "2026-11-24T10:00:00Z"), None, vec![("Invited", false)]),
        (&of("Pending"), &invited(1, "2026-11-24T09:00:00Z"), None, vec![("Invited", false)]),
        (&invited(1, "2026-11-24T09:00:00Z"), &invited(2, "2026-11-24T10:00:00Z"), None, vec![("Invited", false)]),
        (&invited(1, "2026-11-24T09:00:00Z"), &of("Active"), Some("2026-11-24T09:10:00Z"), vec![("Accepted", false)]),
        // The clock of whoever recorded it may be slow.
        (&of("Invited"), &of("Active"), Some("2026-11-24T08:59:00Z"), vec![("Accepted", false)]),
        (&of("Paused"), &of("Active"), Some("2026-11-24T09:10:00Z"), vec![("Accepted", false)]),
        (&of("EmailConflict"), &of("Active"), Some(BEFORE), vec![("Active", false)]),
        (&of("TrainingEnded"), &of("Active"), Some(BEFORE), vec![("AccessRestored", false)]),
        (&of("Suspended"), &of("Active"), Some(BEFORE), vec![("AccessRestored", false)]),
        (&of("Active"), &of("EmailConflict"), Some(BEFORE), vec![("EmailConflict", true)]),
        (&of("Paused"), &of("EmailConflict"), Some(BEFORE), vec![("EmailConflict", true)]),
        (&of("Pending"), &of("Held"), None, vec![("Held", true)]),
        (&of("Invited"), &expired("2026-11-24T08:00:00Z"), None, vec![("InvitationExpired", false)]),
        // Longer validity brings an expired link back: nobody was mailed.
        (&expired("2026-11-24T10:00:00Z"), &invited(1, "2026-11-24T09:00:00Z"), None, vec![]),
        (&of("Active"), &of("Paused"), None, vec![]),
        (&of("Invited"), &of("ClinicMissing"), None, vec![]),
        (&of("Active"), &of("Active"), None, vec![]),
        (&of("Undeliverable"), &of("Pending"), None, vec![]),
    ] {
        assert_eq!(told(before, after, accepted), expected, "{:?} {:?}", before.state, after.state);
    }
}

#[test]
fn what_was_so_before_a_pause_or_a_wiped_status_is_not_told_again_and_what_came_since_is() {
    let wiped = MemberStatus::default();
    let ended = |at: &str| status("TrainingEnded", &json!({"accessEndsAt": at}));
    let expired = |at: &str| status("InvitationExpired", &json!({"invitation": {"round": 1, "expiresAt": at}}));
    let of = |state: &str, at: &str, generation: i64| {
        status(state, &json!({"accessEndsAt": at, "observedGeneration": generation}))
    };
    let (old, news) = ("2026-11-20T09:10:00Z", "2026-11-24T10:00:00Z");
    let paused = |at: &str| of("Paused", at, 1);
    let corrected = |state: &str| of(state, old, 2);
    for (before, after, accepted, expected) in [
        (&wiped, &invited(1, old), None, vec![]),
        (&wiped, &expired(old), None, vec![]),
        (&wiped, &expired(news), None, vec!["InvitationExpired"]),
        (&wiped, &of("Active", old, 1), Some(old), vec![]),
        (&wiped, &of("Active", old, 1), Some(news), vec!["Accepted"]),
        (&wiped, &ended(old), Some(old), vec![]),
        (&wiped, &ended(news), Some(old), vec!["AccessEnded"]),
        (&wiped, &of("Suspended", old, 1), Some(old), vec![]),
        (&paused(old), &of("Active", old, 1), Some(old), vec![]),
        (&paused(old), &of("Suspended", old, 1), Some(old), vec![]),
        (&of("Invalid", old, 1), &corrected("Suspended"), Some(old), vec!["Suspended"]),
        (&paused(old), &ended(old), Some(old), vec![]),
        (&paused(news), &ended(news), Some(old), vec!["AccessEnded"]),
        (&of("Invalid", news, 1), &ended(old), Some(old), vec!["AccessEnded"]),
        (&paused(old), &expired(old), None, vec![]),
        (&paused(old), &invited(1, old), None, vec![]),
        (&of("Active", news, 1), &ended(old), Some(old), vec!["AccessEnded"]),
    ] {
        let words: Vec<_> = told(before, after, accepted).into_iter().map(|(word, _)| word).collect();
        assert_eq!(words, expected, "{before:?} {after:?}");
    }
}

#[test]
fn the_end_of_training_is_told_at_each_of_its_steps() {
    let soon = |state: &str, reason: Option<&str>, ends: &str| {
        let mut status = status(state, &json!({"accessEndsAt": ends}));
        status.conditions.extend(reason.map(|reason| {
            let soon = json!({"type": "TrainingEndsSoon", "status": "True", "reason": reason, "message": "m",
                "lastTransitionTime": "2026-11-24T09:00:00Z"});
            serde_json::from_value::<Condition>(soon).unwrap()
        }));
        status
    };
    let (fourteen, seven) = (Some("WithinFourteenDays"), Some("WithinSevenDays"));
    let (ends, later) = ("2026-12-01T05:00:00Z", "2026-12-02T05:00:00Z");
    let active = |reason, ends| soon("Active", reason, ends);
    for (before, after, expected) in [
        (active(None, ends), active(fourteen, ends), 1),
        (active(fourteen, ends), active(fourteen, ends), 0),
        (active(fourteen, ends), active(seven, ends), 1),
        (active(Some("WithinOneDay"), ends), active(None, ends), 0),
        // Another date is told, though it is as near.
        (active(seven, ends), active(seven, later), 1),
        // Without a Clinic there is no calendar, and in a wiped status nothing: neither makes an old notice a new one.
        (soon("ClinicMissing", None, ends), soon("Invited", fourteen, ends), 0),
        (MemberStatus::default(), active(fourteen, ends), 0),
    ] {
        let words = told(&before, &after, Some(BEFORE));
        let notices = words.iter().filter(|(word, _)| *word == TRAINING_ENDS_SOON).count();
        assert_eq!(notices, expected, "{before:?} {after:?}");
    }
}

#[test]
fn the_same_thing_told_twice_has_one_name_and_two_conflicts_have_two() {
    let user = |version: &str| -> ClinicUser {
        serde_json::from_value(json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
            "metadata": {"name": "ana", "uid": "1", "resourceVersion": version},
            "spec": {"email": "canary@maple.example", "type": "Staff"},
        }))
        .unwrap()
    };
    let name = |version: &str, before: &MemberStatus, state: &str, generation: i64, round: u32| {
        let changes = json!({"observedGeneration": generation, "invitation": {"round": round}});
        let moment = Moment { accepted: None, ends_soon_since: None, now: "2026-11-24T10:30:00Z".parse().unwrap() };
        event_name(&user(version), &events(before, &status(state, &changes), &moment)[0])
    };
    let (wiped, pending) = (MemberStatus::default(), status("Pending", &json!({})));
    let conflict = name("1", &pending, "EmailConflict", 1, 1);
    assert_eq!(conflict, name("2", &pending, "EmailConflict", 1, 1), "after a crash, though the object was touched");
    assert_eq!(conflict, name("3", &wiped, "EmailConflict", 1, 1), "after its status was wiped");
    assert_ne!(conflict, name("1", &pending, "EmailConflict", 2, 1), "after an edit");
    let refused = name("1", &pending, "Undeliverable", 1, 1);
    assert_ne!(refused, name("1", &pending, "Undeliverable", 1, 2), "after a resend");
    assert!(conflict.starts_with("ana.") && !conflict.contains("canary"));
}

#[test]
fn a_resent_invitation_says_its_round() {
    let moment = Moment { accepted: None, ends_soon_since: None, now: "2026-11-24T10:30:00Z".parse().unwrap() };
    let message = |round| events(&status("Pending", &json!({})), &invited(round, BEFORE), &moment)[0].message.clone();
    assert_eq!(message(1), "Invited now.");
    assert_eq!(message(2), "Round 2, earlier links work no more. Invited now.");
}

#[test]
fn a_long_message_is_cut_between_two_characters() {
    assert_eq!(shortened(&"é".repeat(600)).len(), 1024);
    assert_eq!(shortened(&format!("x{}", "é".repeat(600))).len(), 1023);
    assert_eq!(shortened("short"), "short");
}
