//! What a change of status means to people, and that it is told once.

use super::*;
use serde_json::{Value, json};

fn status(state: &str, changes: &Value) -> MemberStatus {
    let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-24T09:00:00Z", "reason": state,
        "message": format!("{state} now.")});
    let mut all = json!({"state": state, "conditions": [ready]});
    json_patch::merge(&mut all, changes);
    serde_json::from_value(all).unwrap()
}

fn invited(round: u32, sent: &str) -> MemberStatus {
    status("Invited", &json!({"invitation": {"round": round, "sentAt": sent}}))
}

fn told(before: &MemberStatus, after: &MemberStatus, accepted: Option<&str>) -> Vec<(&'static str, bool)> {
    let accepted = accepted.map(|at| at.parse().unwrap());
    events(before, after, accepted).into_iter().map(|told| (told.reason, told.warning)).collect()
}

#[test]
fn each_change_is_told_in_one_word_and_what_is_not_about_the_person_is_not() {
    let of = |state: &str| status(state, &json!({}));
    let nothing = MemberStatus::default();
    for (before, after, accepted, expected) in [
        (&nothing, &invited(1, "2026-11-24T09:00:00Z"), None, vec![("Invited", false)]),
        (&of("Pending"), &invited(1, "2026-11-24T09:00:00Z"), None, vec![("Invited", false)]),
        (&invited(1, "2026-11-24T09:00:00Z"), &invited(2, "2026-11-24T10:00:00Z"), None, vec![("Invited", false)]),
        (&invited(1, "2026-11-24T09:00:00Z"), &of("Active"), Some("2026-11-24T09:10:00Z"), vec![("Accepted", false)]),
        (&of("EmailConflict"), &of("Active"), Some("2026-11-20T09:10:00Z"), vec![("Active", false)]),
        (&of("TrainingEnded"), &of("Active"), Some("2026-11-20T09:10:00Z"), vec![("AccessRestored", false)]),
        (&of("Suspended"), &of("Active"), Some("2026-11-20T09:10:00Z"), vec![("AccessRestored", false)]),
        (&of("Active"), &of("TrainingEnded"), Some("2026-11-20T09:10:00Z"), vec![("AccessEnded", false)]),
        (&of("Active"), &of("EmailConflict"), Some("2026-11-20T09:10:00Z"), vec![("EmailConflict", true)]),
        (&of("Pending"), &of("Held"), None, vec![("Held", true)]),
        (&of("Invited"), &of("InvitationExpired"), None, vec![("InvitationExpired", false)]),
        (&of("Active"), &of("Paused"), None, vec![]),
        (&of("Invited"), &of("ClinicMissing"), None, vec![]),
        (&of("Active"), &of("Active"), None, vec![]),
        (&of("Undeliverable"), &of("Pending"), None, vec![]),
    ] {
        assert_eq!(told(before, after, accepted), expected, "{:?} {:?}", before.state, after.state);
    }
}

#[test]
fn the_end_of_training_is_told_at_each_of_its_steps() {
    let soon = |reason: Option<&str>| {
        let mut status = status("Active", &json!({}));
        status.conditions.extend(reason.map(|reason| {
            let soon = json!({"type": "TrainingEndsSoon", "status": "True", "reason": reason, "message": "m",
                "lastTransitionTime": "2026-11-24T09:00:00Z"});
            serde_json::from_value::<Condition>(soon).unwrap()
        }));
        status
    };
    for (before, after, expected) in [
        (None, Some("WithinFourteenDays"), 1),
        (Some("WithinFourteenDays"), Some("WithinFourteenDays"), 0),
        (Some("WithinFourteenDays"), Some("WithinSevenDays"), 1),
        (Some("WithinOneDay"), None, 0),
    ] {
        assert_eq!(told(&soon(before), &soon(after), None).len(), expected, "{before:?} {after:?}");
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
    let once = Told { reason: "Invited", warning: false, message: "Invited at 9.".into(), may_recur: false };
    let conflict = Told { reason: "EmailConflict", may_recur: true, ..once.clone() };
    assert_eq!(event_name(&user("1"), &once), event_name(&user("2"), &once));
    assert_eq!(event_name(&user("1"), &conflict), event_name(&user("1"), &conflict), "after a crash");
    assert_ne!(event_name(&user("1"), &conflict), event_name(&user("2"), &conflict));
    assert!(!event_name(&user("1"), &once).contains("canary"));
}

#[test]
fn a_long_message_is_cut_between_two_characters() {
    assert_eq!(shortened(&"é".repeat(600)).len(), 1024);
    assert_eq!(shortened(&format!("x{}", "é".repeat(600))).len(), 1023);
    assert_eq!(shortened("short"), "short");
}
