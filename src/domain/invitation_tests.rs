//! What the ledger says, case by case.

use super::*;
use crate::domain::delivery::Stage;
use crate::domain::email::Email;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
}

fn attempt(round: u32, minute: i64, outcome: Outcome) -> Try<'static> {
    Try {
        kind: MailKind::Invitation,
        round,
        message_id: "<m@maple.example>",
        at: at(minute),
        valid_until: None,
        date: at(0),
        outcome,
        trouble: trouble(),
    }
}

fn trouble() -> Trouble {
    Trouble { stage: Some(Stage::RcptTo), cause: None, code: Some("451 4.3.0".into()) }
}

fn ledger(round: u32, tries: Vec<Try<'static>>) -> Ledger<'static> {
    let (not_before, open_for) = (Some(at(5)), SignedDuration::ZERO);
    Ledger { round, address: "ana@maple.example", resend: None, tries, not_before, held: None, open_for }
}

const WISH: Wish<'static> = Wish {
    question: Some(Question::Invitation),
    address: Some("ana@maple.example"),
    resend: None,
    validity_days: 7,
    access_until: None,
};
const WEEK: i64 = 7 * 24 * 60;

fn due(round: u32) -> Standing {
    Standing::Due(Due { kind: MailKind::Invitation, round, continues: None })
}

fn due_again() -> Standing {
    let continues = Some(("<m@maple.example>".into(), at(0)));
    Standing::Due(Due { kind: MailKind::Invitation, round: 1, continues })
}

#[test]
fn the_ledger_says_what_is_to_be_done() {
    use Outcome::{Deferred, Dropped, MailerFailed, Refused, Sending, Sent};
    for (name, tries, minute, expected) in [
        ("round opened only", vec![], 0, due(1)),
        (
            "a copy arrived after all",
            vec![attempt(1, 0, Sending), attempt(1, 10, Sent)],
            11,
            Standing::Sent { at: at(10), expires: at(10 + WEEK) },
        ),
        ("sent", vec![attempt(1, 0, Sent)], WEEK - 1, Standing::Sent { at: at(0), expires: at(WEEK) }),
        ("expired", vec![attempt(1, 0, Sent)], WEEK, Standing::Expired { at: at(WEEK) }),
        ("refused", vec![attempt(1, 0, Refused)], 1000, Standing::Refused { trouble: trouble() }),
        ("deferred", vec![attempt(1, 0, Deferred)], 4, Standing::BackingOff { until: at(5), trouble: trouble() }),
        ("deferred by a clock that was set back", vec![attempt(1, 0, Deferred)], -200, due_again()),
        ("deferred, time over", vec![attempt(1, 0, Deferred)], 5, due_again()),
        ("mailer failed", vec![attempt(1, 0, MailerFailed)], 1, due_again()),
        ("dropped", vec![attempt(1, 0, Dropped)], 1, due_again()),
    ] {
        assert_eq!(standing(Some(&ledger(1, tries)), &WISH, at(minute)), expected, "{name}");
    }
}

#[test]
fn an_attempt_without_outcome_counts_as_lost_once_it_was_seen_so_for_ten_minutes_or_is_an_hour_old() {
    use Outcome::Sending;
    let open = |minutes: &[i64]| minutes.iter().map(|minute| attempt(1, *minute, Sending)).collect::<Vec<_>>();
    let under_way = |minute| Standing::UnderWay { until: at(minute), is_the_last: false };
    // Minutes: of the attempts, for how long the last is seen, and now.
    for (name, tries, seen, minute, expected) in [
        ("just written ahead", open(&[0]), 0, 0, under_way(10)),
        ("seen by who wrote it", open(&[0]), 9, 9, under_way(10)),
        ("seen for long enough", open(&[0]), 10, 10, due_again()),
        ("by an operator whose clock is ahead", open(&[0]), 1, 12, under_way(21)),
        ("by one whose clock is behind", open(&[20]), 10, 5, due_again()),
        ("by one that was just started", open(&[0]), 0, 59, under_way(60)),
        ("by one that is started again and again", open(&[0]), 0, 60, due_again()),
        ("written by a clock that was far ahead", open(&[1000]), 0, 0, under_way(10)),
        ("the second copy", open(&[0, 10]), 9, 19, under_way(20)),
        ("two copies", open(&[0, 10]), 10, 20, due_again()),
        ("three copies", open(&[0, 10, 20]), 9, 29, Standing::UnderWay { until: at(30), is_the_last: true }),
        ("three copies, none known", open(&[0, 10, 20]), 10, 30, Standing::Unknown),
        ("three copies, after a restart", open(&[0, 10, 20]), 0, 30, Standing::Unknown),
    ] {
        let ledger = Ledger { open_for: SignedDuration::from_mins(seen), ..ledger(1, tries) };
        assert_eq!(standing(Some(&ledger), &WISH, at(minute)), expected, "{name}");
    }
}

#[test]
fn attempts_of_an_earlier_round_do_not_count() {
    let old = vec![attempt(1, 0, Outcome::Sent)];
    assert_eq!(standing(Some(&ledger(2, old)), &WISH, at(1)), due(2));
}

#[test]
fn another_address_or_a_new_resend_value_begins_a_round() {
    let sent = ledger(3, vec![attempt(3, 0, Outcome::Sent)]);
    let next = due(4);
    let moved = Wish { address: Some("ana@river.example"), ..WISH };
    let resend = Wish { resend: Some("2"), ..WISH };
    assert_eq!(standing(Some(&sent), &moved, at(1)), next);
    assert_eq!(standing(Some(&sent), &resend, at(1)), next);
    let answered = Ledger { resend: Some("2"), ..sent.clone() };
    assert!(matches!(standing(Some(&answered), &resend, at(1)), Standing::Sent { .. }), "answered once");
    assert!(matches!(standing(Some(&answered), &WISH, at(1)), Standing::Sent { .. }), "annotation taken away");
    assert_eq!(standing(None, &resend, at(1)), due(1));
}

#[test]
fn without_an_address_nothing_is_due() {
    assert_eq!(standing(None, &Wish { address: None, ..WISH }, at(0)), Standing::NoAddress);
}

#[test]
fn no_link_of_a_trainee_outlives_access() {
    assert_eq!(link_expires(at(0), None, &Wish { access_until: Some(at(60)), ..WISH }), at(60));
    assert_eq!(link_expires(at(0), None, &Wish { access_until: Some(at(WEEK + 1)), ..WISH }), at(WEEK));
}

#[test]
fn the_ledger_keeps_the_last_eight_and_every_link_of_the_round_that_may_have_arrived() {
    let mut attempts = vec![(1, Outcome::Sent), (2, Outcome::Sending), (2, Outcome::Deferred)];
    attempts.extend([(2, Outcome::Deferred); 8]);
    let kept = attempts_kept(&attempts, 2);
    assert_eq!(kept[..3], [false, true, false]);
    assert!(kept[3..].iter().all(|kept| *kept));
}

#[test]
fn a_token_shows_only_in_its_link() {
    let token = Token::new([7; 32]);
    for (question, page) in [(Question::Invitation, "invitations"), (Question::Confirmation, "confirmations")] {
        let link = token.link("https://portal.maple.example", question, "a-1");
        let (start, secret) = link.split_at(link.len() - 43);
        assert_eq!(start, format!("https://portal.maple.example/{page}#a-1."));
        assert!(!format!("{token:?}").contains(secret));
    }
    assert_eq!(token.digest().len(), 64);
}

#[test]
fn a_resend_value_of_any_length_is_stored_in_at_most_64_bytes_and_two_values_stay_two() {
    let long = |end: &str| resend_value(&format!("{}{end}", "x".repeat(1000)));
    assert_eq!(resend_value("2026-11-22"), "2026-11-22");
    assert_eq!(long("1").len(), 64);
    assert_ne!(long("1"), long("2"));
}

#[test]
fn who_accepted_is_asked_only_about_another_address() {
    let key = |address: &str| Email::parse(address).unwrap().key();
    let (old, new) = (key("ana@maple.example"), key("ana@river.example"));
    for (address, login, expected) in [
        (None, None, None),
        (None, Some(&old), None),
        (Some(&old), None, Some(Question::Invitation)),
        (Some(&key("ANA@maple.example")), Some(&old), None),
        (Some(&new), Some(&old), Some(Question::Confirmation)),
    ] {
        assert_eq!(Question::of(address, login), expected);
    }
    let answered = Wish { question: None, ..WISH };
    let resend = Wish { resend: Some("2"), ..answered };
    assert_eq!(standing(Some(&ledger(1, vec![attempt(1, 0, Outcome::Sent)])), &answered, at(1)), Standing::Settled);
    assert_eq!(standing(Some(&ledger(1, vec![])), &resend, at(1)), Standing::Settled, "a resend never invites again");
}

#[test]
fn a_changed_address_is_asked_in_a_round_of_its_own_and_the_old_one_is_told_after_that() {
    use {MailKind as M, Outcome as O};
    let wish = Wish { question: Some(Question::Confirmation), ..WISH };
    let asked = |kind, outcome| Try { kind, ..attempt(2, 0, outcome) };
    let round_of = |standing| {
        let Standing::Due(due) = standing else { return None };
        Some((due.kind, due.round, due.continues.is_some()))
    };
    let both = |tries: Vec<Try<'static>>| {
        let ledger = ledger(2, tries);
        let confirmation = standing(Some(&ledger), &wish, at(1));
        let notice = notice(&confirmation, Some(&ledger), &wish, at(1));
        (round_of(confirmation), round_of(notice))
    };
    for (why, tries, expected) in [
        ("the invitation's round", vec![asked(M::Invitation, O::Sent)], (Some((M::EmailConfirmation, 3, false)), None)),
        ("nothing sent yet", vec![], (Some((M::EmailConfirmation, 2, false)), None)),
        ("under way", vec![asked(M::EmailConfirmation, O::Sending)], (None, None)),
        ("failed", vec![asked(M::EmailConfirmation, O::MailerFailed)], (Some((M::EmailConfirmation, 2, true)), None)),
        ("sent", vec![asked(M::EmailConfirmation, O::Sent)], (None, Some((M::EmailChangeNotice, 2, false)))),
        ("refused", vec![asked(M::EmailConfirmation, O::Refused)], (None, Some((M::EmailChangeNotice, 2, false)))),
        ("told", vec![asked(M::EmailConfirmation, O::Sent), asked(M::EmailChangeNotice, O::Sent)], (None, None)),
        (
            "telling failed",
            vec![asked(M::EmailConfirmation, O::Sent), asked(M::EmailChangeNotice, O::MailerFailed)],
            (None, Some((M::EmailChangeNotice, 2, true))),
        ),
    ] {
        assert_eq!(both(tries), expected, "{why}");
    }
    let sent = ledger(1, vec![attempt(1, 0, Outcome::Sent)]);
    let invited = standing(Some(&sent), &WISH, at(1));
    assert_eq!(notice(&invited, Some(&sent), &WISH, at(1)), Standing::Settled, "an invitation has no notice");
}

#[test]
fn what_a_guard_holds_waits_until_it_is_released_whatever_else_is_wished() {
    let held = Ledger { held: Some("invitations-1"), ..ledger(1, vec![]) };
    for wish in [WISH, Wish { address: Some("ana@river.example"), ..WISH }, Wish { resend: Some("2"), ..WISH }] {
        assert_eq!(standing(Some(&held), &wish, at(0)), Standing::Held { id: "invitations-1".into() });
    }
    assert_eq!(standing(Some(&ledger(1, vec![])), &WISH, at(0)), due(1));
}

#[test]
fn other_capitals_of_an_address_are_no_other_address_and_begin_no_round() {
    let sent = ledger(1, vec![attempt(1, 0, Outcome::Sent)]);
    let spelled = Wish { address: Some("Ana@Maple.example"), ..WISH };
    assert_eq!(standing(Some(&sent), &spelled, at(1)), Standing::Sent { at: at(0), expires: at(WEEK) });
}
