//! The ledger before and after a mail.

use super::*;
use crate::domain::delivery::{Cause, Stage};
use serde_json::json;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
}

fn account() -> ClinicAccountSpec {
    serde_json::from_value(json!({
        "id": "a-1",
        "desired": {"holder": {"name": "ana", "uid": "1"}, "email": "ana@maple.example", "type": "Staff", "resend": "x"},
    }))
    .unwrap()
}

fn due(round: u32, continues: Option<(String, Timestamp)>) -> Due {
    Due { kind: MailKind::Invitation, round, continues }
}

fn link(digest: &str) -> NewLink {
    NewLink { digest: digest.to_owned(), valid_until: Some(at(100)) }
}

fn write(account: &mut ClinicAccountSpec, due: &Due, digest: &str, minute: i64) {
    account.delivery = written_ahead(account, due, "maple.example", link(digest), at(minute));
}

fn conclude(account: &mut ClinicAccountSpec, digest: &str, outcome: Outcome, minute: i64) {
    let conclusion = Conclusion {
        outcome,
        trouble: Trouble { stage: Some(Stage::RcptTo), cause: None, code: Some("450 4.2.1".into()) },
    };
    let delivery = account.delivery.as_ref().unwrap();
    let ahead = delivery.attempts.iter().find(|attempt| attempt.token_digest == digest).unwrap();
    account.delivery = concluded(delivery, ahead, &conclusion, at(minute));
}

#[test]
fn a_second_copy_has_the_message_id_and_date_of_the_first_and_a_token_of_its_own() {
    let mut account = account();
    write(&mut account, &due(1, None), "d1", 0);
    let first = account.delivery.clone().unwrap().attempts[0].clone();
    write(&mut account, &due(1, Some((first.message_id.clone(), first.date))), "d2", 10);
    let attempts = &account.delivery.as_ref().unwrap().attempts;
    assert_eq!(attempts[0].message_id, "<a-1.1.d1@maple.example>");
    assert_eq!((&attempts[1].message_id, attempts[1].date), (&first.message_id, first.date));
    assert_eq!((attempts[1].copy, attempts[1].at, attempts[1].token_digest.as_str()), (2, at(10), "d2"));
}

#[test]
fn a_round_goes_to_the_address_wished_for_and_answers_the_resend_value_that_is_there() {
    let mut account = account();
    write(&mut account, &due(1, None), "d1", 0);
    let delivery = account.delivery.as_ref().unwrap();
    assert_eq!((&*delivery.address, delivery.resend.as_deref()), ("ana@maple.example", Some("x")));
    account.desired.email = None;
    assert_eq!(written_ahead(&account, &due(2, None), "m", NewLink::default(), at(1)), None);
}

#[test]
fn each_try_that_is_put_off_doubles_the_wait_up_to_an_hour() {
    let mut account = account();
    let mut waits = Vec::new();
    for turn in 0..9 {
        let digest = format!("d{turn}");
        write(&mut account, &due(1, (turn > 0).then(|| ("<a-1.1@maple.example>".into(), at(0)))), &digest, turn);
        conclude(&mut account, &digest, Outcome::Deferred, turn);
        let until = account.delivery.as_ref().unwrap().not_before.unwrap();
        waits.push(until.duration_since(at(turn)).as_mins());
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(account.delivery.as_ref().unwrap().attempts.len(), 8);
    assert_eq!(account.delivery.unwrap().failed, 9);
}

#[test]
fn it_is_kept_since_when_each_try_of_a_round_is_refused_without_saying_why() {
    let again = || due(1, Some(("<a-1.1@maple.example>".into(), at(0))));
    let since = |account: &ClinicAccountSpec| account.delivery.as_ref().unwrap().refused_since;
    let tried = |account: &mut ClinicAccountSpec, due: &Due, minute: i64, outcome| {
        write(account, due, &format!("d{minute}"), minute);
        conclude(account, &format!("d{minute}"), outcome, minute);
        since(account)
    };
    let mut account = account();
    assert_eq!(tried(&mut account, &due(1, None), 0, Outcome::Deferred), Some(at(0)));
    assert_eq!(tried(&mut account, &again(), 60, Outcome::Deferred), Some(at(0)));
    assert_eq!(tried(&mut account, &again(), 181, Outcome::Deferred), Some(at(181)), "not tried for two hours");
    assert_eq!(tried(&mut account, &again(), 182, Outcome::MailerFailed), None, "the relay was to blame");
    assert_eq!(tried(&mut account, &again(), 183, Outcome::Deferred), Some(at(183)));
    let lost = Conclusion {
        outcome: Outcome::Deferred,
        trouble: Trouble { cause: Some(Cause::Disconnected), ..Trouble::default() },
    };
    write(&mut account, &again(), "lost", 184);
    let ahead = account.delivery.as_ref().unwrap().attempts.last().unwrap().clone();
    account.delivery = concluded(account.delivery.as_ref().unwrap(), &ahead, &lost, at(184));
    assert_eq!(since(&account), None, "it was not refused then");
    assert_eq!(tried(&mut account, &due(2, None), 184, Outcome::Deferred), Some(at(184)), "another round");
}

#[test]
fn an_outcome_is_written_once_and_to_its_own_attempt_only() {
    let mut account = account();
    write(&mut account, &due(1, None), "d1", 0);
    conclude(&mut account, "d1", Outcome::Sent, 1);
    let delivery = account.delivery.unwrap();
    assert_eq!((delivery.sent, delivery.attempts[0].outcome), (1, Outcome::Sent));
    let late = Conclusion { outcome: Outcome::Refused, trouble: Trouble::default() };
    let first = delivery.attempts[0].clone();
    assert_eq!(concluded(&delivery, &first, &late, at(2)), None);
    assert_eq!(concluded(&delivery, &Attempt { copy: 2, ..first }, &late, at(2)), None);
}

#[test]
fn the_notice_of_a_round_has_a_message_id_of_its_own_and_leaves_the_round_as_it_is() {
    let mut account = account();
    write(&mut account, &Due { kind: MailKind::EmailConfirmation, round: 2, continues: None }, "d1", 0);
    account.desired.resend = Some("y".into());
    write(&mut account, &Due { kind: MailKind::EmailChangeNotice, round: 2, continues: None }, "d2", 1);
    let delivery = account.delivery.unwrap();
    let ids: Vec<_> = delivery.attempts.iter().map(|attempt| (attempt.message_id.as_str(), attempt.copy)).collect();
    assert_eq!(ids, [("<a-1.2.d1@maple.example>", 1), ("<a-1.2.d2.notice@maple.example>", 1)]);
    assert_eq!((delivery.round, delivery.resend.as_deref()), (2, Some("x")), "the resend is still to be answered");
}

#[test]
fn an_account_that_was_deleted_and_made_anew_writes_other_messages_though_it_begins_at_round_1_again() {
    for kind in [MailKind::Invitation, MailKind::EmailConfirmation, MailKind::EmailChangeNotice] {
        let of_the_first_round = |digest: &str| {
            let due = Due { kind, round: 1, continues: None };
            written_ahead(&account(), &due, "maple.example", link(&digest.repeat(64)), at(0))
                .unwrap()
                .attempts
                .remove(0)
        };
        let (one, other) = (of_the_first_round("a"), of_the_first_round("b"));
        assert_ne!(one.message_id, other.message_id, "{kind:?}");
        assert_eq!(one.token_digest.is_empty(), kind == MailKind::EmailChangeNotice, "a notice has no link");
    }
}
