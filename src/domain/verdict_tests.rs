//! The precedence of states and the sentences that people read. That every pair of causes shows the right one is tested on
//! whole records, where the status is projected.

use super::*;
use crate::domain::calendar::ClinicZone;
use crate::domain::delivery::{Cause, Stage, Trouble};
use crate::domain::invitation::{Due, MailKind};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn conflict(is_a_swap: bool) -> Obstacle {
    Obstacle::EmailConflict { holder: "ClinicUser \"ana\"".into(), is_a_swap }
}

fn former(may_reactivate: bool) -> Obstacle {
    let (account, manifest, approval) = ("a-1".into(), "zoe".into(), "a-1.0".into());
    Obstacle::FormerMember { account, manifest, approval, may_reactivate, has_access: false }
}

fn former_with_access(may_reactivate: bool) -> Obstacle {
    let (account, manifest, approval) = ("a-1".into(), "zoe".into(), "a-1.0".into());
    Obstacle::FormerMember { account, manifest, approval, may_reactivate, has_access: true }
}

fn changed() -> Obstacle {
    Obstacle::IdentityChanged { approval: "a-1.0".into() }
}

fn sent() -> Standing {
    Standing::Sent { at: at(0), expires: at(60) }
}

fn invited<'a>(zone: &'a ClinicZone, invitation: &'a Standing) -> Situation<'a> {
    Situation {
        member: ("maple", "ana"),
        deletion: None,
        violations: &[],
        clinic: ClinicStanding::Open(zone),
        obstacle: None,
        access: Some(AccessReason::NotAccepted),
        access_until: None,
        confirmed_otherwise: &[],
        invitation,
        mailer: &MailerStanding::Up,
    }
}

#[test]
fn the_first_state_that_applies_shows() {
    let zone = ClinicZone::find("America/Toronto").unwrap();
    let violation = [Violation { field: "spec.email".into(), message: "wrong".into() }];
    let (sent, due) = (sent(), Standing::Due(Due { kind: MailKind::Invitation, round: 1, continues: None }));
    let held = Standing::Held { id: "invitations-1".into() };
    let base = invited(&zone, &sent);
    let (conflict, former, changed) = (conflict(false), former(true), changed());
    let stuck = Situation { obstacle: Some(&conflict), access: Some(AccessReason::Granted), ..base.clone() };
    let deletion = Some(Deletion { finalizers: &[], hold: None });
    for (situation, expected) in [
        (Situation { deletion, violations: &violation, ..stuck.clone() }, State::BeingDeleted),
        (Situation { violations: &violation, clinic: ClinicStanding::Missing, ..stuck.clone() }, State::Invalid),
        (Situation { clinic: ClinicStanding::Missing, ..stuck.clone() }, State::ClinicMissing),
        (Situation { clinic: ClinicStanding::UnknownZone("Mars/Base"), ..stuck.clone() }, State::ClinicMissing),
        (Situation { clinic: ClinicStanding::Paused(&zone), ..stuck.clone() }, State::Paused),
        (Situation { obstacle: Some(&changed), ..stuck.clone() }, State::IdentityChanged),
        (Situation { obstacle: Some(&former), ..stuck.clone() }, State::FormerMember),
        (stuck, State::EmailConflict),
        (Situation { access: Some(AccessReason::TrainingEnded), ..base.clone() }, State::TrainingEnded),
        (Situation { access: Some(AccessReason::Suspended), ..base.clone() }, State::Suspended),
        (Situation { access: Some(AccessReason::Granted), ..base.clone() }, State::Active),
        (
            Situation { invitation: &Standing::Refused { trouble: Trouble::default() }, ..base.clone() },
            State::Undeliverable,
        ),
        (Situation { invitation: &Standing::Unknown, ..base.clone() }, State::DeliveryUnknown),
        (Situation { invitation: &held, ..base.clone() }, State::Held),
        (Situation { invitation: &Standing::Expired { at: at(0) }, ..base.clone() }, State::InvitationExpired),
        (base.clone(), State::Invited),
        (Situation { invitation: &due, ..base.clone() }, State::Pending),
        (Situation { access: None, invitation: &due, ..base }, State::Pending),
    ] {
        let verdict = state(&situation);
        assert_eq!(verdict.state, expected, "{situation:?}");
        assert!(verdict.message.ends_with('.'), "a sentence: {}", verdict.message);
    }
}

#[test]
fn who_is_stuck_is_told_whose_the_address_is_and_the_way_out() {
    let zone = ClinicZone::find("UTC").unwrap();
    let sent = sent();
    let told = |obstacle: &Obstacle| state(&Situation { obstacle: Some(obstacle), ..invited(&zone, &sent) }).message;
    assert_eq!(
        told(&conflict(false)),
        "The email address belongs to ClinicUser \"ana\". Change the address of one of the two; this member then goes on by itself."
    );
    let by_hand = "(kubectl annotate -n maple clinicuser ana --overwrite clinic-operator.dev/reactivate=a-1.0)";
    for (obstacle, parts) in [
        (conflict(true), vec!["ClinicUser \"ana\"", "third address"]),
        (former(true), vec!["\"zoe\"", "a-1", "reactivate: a-1.0", "replace: a-1.0", by_hand]),
        (
            former(false),
            vec!["\"zoe\"", "a-1", "replace: a-1.0", "clinicuser ana --overwrite clinic-operator.dev/replace=a-1.0"],
        ),
        (changed(), vec!["reactivate: a-1.0", "metadata.name", by_hand]),
    ] {
        let message = told(&obstacle);
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    assert!(!told(&former(false)).contains("reactivate"), "who has an account takes over no other");
    for may_reactivate in [false, true] {
        let access = "(ClinicAccount \"a-1\"). That account still has access. ";
        assert!(told(&former_with_access(may_reactivate)).contains(access));
        assert!(!told(&former(may_reactivate)).contains("still has access"));
    }
}

#[test]
fn what_became_of_a_mail_is_told_with_its_stage_and_what_to_do() {
    let zone = ClinicZone::find("UTC").unwrap();
    let trouble = |stage, cause, code: Option<&str>| Trouble { stage: Some(stage), cause, code: code.map(Into::into) };
    let refused = |trouble| Standing::Refused { trouble };
    let resend = "set the annotation clinic-operator.dev/resend to a new value";
    for (standing, state_, message) in [
        (
            refused(trouble(Stage::RcptTo, None, Some("550 5.1.1"))),
            State::Undeliverable,
            format!("The email address was refused (550 5.1.1). Correct it in the manifest, or {resend} to try again."),
        ),
        (
            refused(trouble(Stage::Data, None, Some("554 5.6.0"))),
            State::Undeliverable,
            format!("The mail relay refuses the mail to this member (failed to deliver at DATA: the server answered 554 5.6.0), while it takes others. Ask whoever runs the relay; to try again, {resend}."),
        ),
        (
            refused(trouble(Stage::RcptTo, None, Some("550"))),
            State::Undeliverable,
            format!("The mail relay refused the mail to this member again and again (failed to deliver at RCPT TO: the server answered 550), and nothing showed that the relay was to blame. Check the address in the manifest, or ask whoever runs the relay; to try again, {resend}."),
        ),
        (
            Standing::BackingOff { until: at(0), trouble: trouble(Stage::RcptTo, None, Some("550")) },
            State::Pending,
            "The invitation was refused (failed to deliver at RCPT TO: the server answered 550), which does not tell whether this address or the relay is to blame: check the address; next try at 2027-01-15 08:00 UTC.".into(),
        ),
        (
            Standing::BackingOff { until: at(0), trouble: trouble(Stage::Content, Some(Cause::Disconnected), None) },
            State::Pending,
            "The invitation did not get through (failed to deliver at the message: the connection was lost); next try at 2027-01-15 08:00 UTC.".into(),
        ),
        (
            Standing::UnderWay { until: at(600), is_the_last: false },
            State::Pending,
            "The invitation is on its way to the mail relay, whose answer is not known yet. If it stays unknown for 10 minutes, a copy is sent.".into(),
        ),
    ] {
        assert_eq!(state(&invited(&zone, &standing)), Verdict { state: state_, message });
    }
}

#[test]
fn an_accepted_member_with_a_changed_address_is_told_how_it_stands_and_what_to_do() {
    let zone = ClinicZone::find("UTC").unwrap();
    let told = |invitation: &Standing| {
        let active = Situation { access: Some(AccessReason::Granted), ..invited(&zone, invitation) };
        let verdict = state(&active);
        assert_eq!(verdict.state, State::Active);
        verdict.message
    };
    assert_eq!(told(&Standing::Settled), "Has access.");
    for (standing, part) in [
        (sent(), "works until"),
        (Standing::Expired { at: at(0) }, "clinic-operator.dev/resend"),
        (Standing::Refused { trouble: Trouble::default() }, "was refused"),
        (Standing::Unknown, "To send it again"),
        (Standing::UnderWay { until: at(0), is_the_last: true }, "about to be mailed"),
    ] {
        let message = told(&standing);
        assert!(
            message.starts_with("Has access. The changed") || message.starts_with("Has access. Nobody"),
            "{message}"
        );
        assert!(message.contains(part) && message.contains("the old one signs in"), "{message}");
    }
}

#[test]
fn what_the_person_confirmed_otherwise_is_named_and_not_quoted() {
    let zone = ClinicZone::find("America/Toronto").unwrap();
    let base = Situation { access: Some(AccessReason::Granted), ..invited(&zone, &Standing::Settled) };
    assert_eq!(state(&base).message, "Has access.");
    let otherwise = Situation { confirmed_otherwise: &["lastName", "title"], ..base };
    let expected = "Has access. The person confirmed something else than the manifest says: lastName, title. The member list shows what they confirmed.";
    assert_eq!(state(&otherwise).message, expected);
}

#[test]
fn who_has_access_is_mailed_again_only_while_a_changed_address_waits() {
    let zone = ClinicZone::find("America/Toronto").unwrap();
    let (due, trouble) = (Due { kind: MailKind::EmailConfirmation, round: 2, continues: None }, Trouble::default());
    for (invitation, waits) in [
        (Standing::NoAddress, false),
        (Standing::Settled, false),
        (Standing::Due(due), true),
        (Standing::Held { id: "invitations-1".into() }, false),
        (Standing::UnderWay { until: at(0), is_the_last: true }, true),
        (Standing::BackingOff { until: at(0), trouble: trouble.clone() }, true),
        (sent(), true),
        (Standing::Expired { at: at(0) }, true),
        (Standing::Refused { trouble }, true),
        (Standing::Unknown, true),
    ] {
        let situation = Situation { access: Some(AccessReason::Granted), ..invited(&zone, &invitation) };
        let situation = Situation { confirmed_otherwise: &["firstName", "lastName", "title"], ..situation };
        let verdict = state(&situation);
        assert_eq!(verdict.state, State::Active);
        assert_eq!(waits_for_a_confirmation(&verdict.message), waits, "{}", verdict.message);
    }
}

#[test]
fn who_is_being_deleted_is_told_whether_access_has_ended_and_what_keeps_the_object() {
    let zone = ClinicZone::find("America/Toronto").unwrap();
    let finalizers = ["backup.example/copy".to_owned(), "foregroundDeletion".to_owned()];
    let settled = Standing::Settled;
    for (access, hold, expected) in [
        (Some(AccessReason::Removed), None, "has no access."),
        (None, None, "has no access."),
        (Some(AccessReason::Granted), Some("removals-1"), "holds removals-1 back, so access stays until"),
        (Some(AccessReason::Granted), None, "ends once the operator has recorded the removal"),
    ] {
        let deletion = Some(Deletion { finalizers: &finalizers, hold });
        let told = state(&Situation { deletion, access, ..invited(&zone, &settled) });
        assert_eq!(told.state, State::BeingDeleted);
        assert!(told.message.contains(expected) && told.message.ends_with("backup.example/copy, foregroundDeletion."));
    }
}
