//! Access as a truth table, and the precedence of states.

use super::*;
use crate::domain::invitation::Due;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

#[test]
fn access_is_accepted_and_not_suspended_and_not_removed_and_before_its_end() {
    for accepted in [None, Some(at(0))] {
        for suspended in [false, true] {
            for removed in [None, Some(at(0))] {
                for (until, ended) in [(None, false), (Some(at(11)), false), (Some(at(10)), true), (Some(at(9)), true)]
                {
                    let facts = AccessFacts { accepted, suspended, removed, until };
                    let granted = accepted.is_some() && !suspended && removed.is_none() && !ended;
                    assert_eq!(access(&facts, at(10)) == AccessReason::Granted, granted, "{facts:?}");
                }
            }
        }
    }
}

#[test]
fn the_first_state_that_applies_shows() {
    let zone = ClinicZone::find("America/Toronto").unwrap();
    let violation = [Violation { field: "spec.email".into(), message: "wrong".into() }];
    let sent = Standing::Sent { at: at(0), expires: at(60) };
    let due = Standing::Due(Due { round: 1, continues: None });
    let base = Situation {
        violations: &[],
        clinic: ClinicStanding::Open(&zone),
        address_held_by: None,
        access: Some(AccessReason::NotAccepted),
        access_until: None,
        invitation: &sent,
        mailer: &MailerStanding::Up,
    };
    let conflict = Situation { address_held_by: Some("ClinicUser \"ana\""), ..base.clone() };
    for (situation, expected) in [
        (Situation { violations: &violation, clinic: ClinicStanding::Missing, ..conflict.clone() }, State::Invalid),
        (Situation { clinic: ClinicStanding::Missing, ..conflict.clone() }, State::ClinicMissing),
        (Situation { clinic: ClinicStanding::UnknownZone("Mars/Base"), ..conflict.clone() }, State::ClinicMissing),
        (Situation { clinic: ClinicStanding::Paused(&zone), ..conflict.clone() }, State::Paused),
        (Situation { access: Some(AccessReason::Granted), ..conflict }, State::EmailConflict),
        (Situation { access: Some(AccessReason::TrainingEnded), ..base.clone() }, State::TrainingEnded),
        (Situation { access: Some(AccessReason::Suspended), ..base.clone() }, State::Suspended),
        (Situation { access: Some(AccessReason::Granted), ..base.clone() }, State::Active),
        (Situation { invitation: &Standing::Refused { code: None }, ..base.clone() }, State::Undeliverable),
        (Situation { invitation: &Standing::Unknown, ..base.clone() }, State::DeliveryUnknown),
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
fn the_loser_of_an_address_is_told_who_has_it_and_what_to_do() {
    let zone = ClinicZone::find("UTC").unwrap();
    let verdict = state(&Situation {
        violations: &[],
        clinic: ClinicStanding::Open(&zone),
        address_held_by: Some("ClinicUser \"ana\""),
        access: None,
        access_until: None,
        invitation: &Standing::NoAddress,
        mailer: &MailerStanding::Up,
    });
    assert_eq!(
        verdict.message,
        "The email address belongs to ClinicUser \"ana\". Change the address of one of the two; this member then goes on by itself."
    );
}
