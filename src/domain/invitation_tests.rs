//! What the ledger says, case by case.

use super::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
}

fn attempt(round: u32, minute: i64, outcome: Outcome) -> Try<'static> {
    Try { round, message_id: "<m@maple.example>", at: at(minute), date: at(0), outcome, code: Some("451 4.3.0") }
}

fn ledger(round: u32, tries: Vec<Try<'static>>) -> Ledger<'static> {
    Ledger { round, address: "ana@maple.example", resend: None, tries, not_before: Some(at(5)) }
}

const WISH: Wish<'static> =
    Wish { address: Some("ana@maple.example"), resend: None, validity_days: 7, access_until: None };
const WEEK: i64 = 7 * 24 * 60;

fn due_again() -> Standing {
    Standing::Due(Due { round: 1, continues: Some(("<m@maple.example>".into(), at(0))) })
}

#[test]
fn the_ledger_says_what_is_to_be_done() {
    use Outcome::{Deferred, Dropped, MailerFailed, Refused, Sending, Sent};
    let code = Some("451 4.3.0".to_owned());
    for (name, tries, minute, expected) in [
        ("round opened only", vec![], 0, Standing::Due(Due { round: 1, continues: None })),
        ("just written ahead", vec![attempt(1, 0, Sending)], 9, Standing::UnderWay { until: at(10) }),
        ("written ahead by a clock that was set back", vec![attempt(1, 100, Sending)], 0, due_again()),
        ("no outcome in time", vec![attempt(1, 0, Sending)], 10, due_again()),
        (
            "second copy under way",
            vec![attempt(1, 0, Sending), attempt(1, 10, Sending)],
            19,
            Standing::UnderWay { until: at(20) },
        ),
        ("two copies unknown", vec![attempt(1, 0, Sending), attempt(1, 10, Sending)], 20, due_again()),
        (
            "three copies unknown",
            vec![attempt(1, 0, Sending), attempt(1, 10, Sending), attempt(1, 20, Sending)],
            30,
            Standing::Unknown,
        ),
        (
            "a copy arrived after all",
            vec![attempt(1, 0, Sending), attempt(1, 10, Sent)],
            11,
            Standing::Sent { at: at(10), expires: at(10 + WEEK) },
        ),
        ("sent", vec![attempt(1, 0, Sent)], WEEK - 1, Standing::Sent { at: at(0), expires: at(WEEK) }),
        ("expired", vec![attempt(1, 0, Sent)], WEEK, Standing::Expired { at: at(WEEK) }),
        ("refused", vec![attempt(1, 0, Refused)], 1000, Standing::Refused { code: code.clone() }),
        ("deferred", vec![attempt(1, 0, Deferred)], 4, Standing::BackingOff { until: at(5), code: code.clone() }),
        ("deferred by a clock that was set back", vec![attempt(1, 0, Deferred)], -100, due_again()),
        ("deferred, time over", vec![attempt(1, 0, Deferred)], 5, due_again()),
        ("mailer failed", vec![attempt(1, 0, MailerFailed)], 1, due_again()),
        ("dropped", vec![attempt(1, 0, Dropped)], 1, due_again()),
    ] {
        assert_eq!(standing(Some(&ledger(1, tries)), &WISH, at(minute)), expected, "{name}");
    }
}

#[test]
fn attempts_of_an_earlier_round_do_not_count() {
    let old = vec![attempt(1, 0, Outcome::Sent)];
    assert_eq!(standing(Some(&ledger(2, old)), &WISH, at(1)), Standing::Due(Due { round: 2, continues: None }));
}

#[test]
fn another_address_or_a_new_resend_value_begins_a_round() {
    let sent = ledger(3, vec![attempt(3, 0, Outcome::Sent)]);
    let next = Standing::Due(Due { round: 4, continues: None });
    let moved = Wish { address: Some("ana@river.example"), ..WISH };
    let resend = Wish { resend: Some("2"), ..WISH };
    assert_eq!(standing(Some(&sent), &moved, at(1)), next);
    assert_eq!(standing(Some(&sent), &resend, at(1)), next);
    let answered = Ledger { resend: Some("2"), ..sent.clone() };
    assert!(matches!(standing(Some(&answered), &resend, at(1)), Standing::Sent { .. }), "answered once");
    assert!(matches!(standing(Some(&answered), &WISH, at(1)), Standing::Sent { .. }), "annotation taken away");
    assert_eq!(standing(None, &resend, at(1)), Standing::Due(Due { round: 1, continues: None }));
}

#[test]
fn without_an_address_nothing_is_due() {
    assert_eq!(standing(None, &Wish { address: None, ..WISH }, at(0)), Standing::NoAddress);
}

#[test]
fn no_link_of_a_trainee_outlives_access() {
    assert_eq!(link_expires(at(0), &Wish { access_until: Some(at(60)), ..WISH }), at(60));
    assert_eq!(link_expires(at(0), &Wish { access_until: Some(at(WEEK + 1)), ..WISH }), at(WEEK));
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
    let link = token.link("https://portal.maple.example", "a-1");
    assert_eq!(link.len(), "https://portal.maple.example/invitations/a-1.".len() + 43);
    assert_eq!(token.digest().len(), 64);
    assert!(!format!("{token:?}").contains(&link[link.len() - 43..]));
}

#[test]
fn a_resend_value_of_any_length_is_stored_in_at_most_64_bytes_and_two_values_stay_two() {
    let long = |end: &str| resend_value(&format!("{}{end}", "x".repeat(1000)));
    assert_eq!(resend_value("2026-11-22"), "2026-11-22");
    assert_eq!(long("1").len(), 64);
    assert_ne!(long("1"), long("2"));
}
