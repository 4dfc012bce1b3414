//! What mails show about the relay, mail by mail, and how fast they follow.

use super::*;
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn trouble(stage: Stage, code: &str) -> Trouble {
    Trouble { stage: Some(stage), cause: None, code: Some(code.into()) }
}

fn failed() -> Evidence {
    Evidence::Failed(trouble(Stage::Auth, "535 5.7.8"))
}

fn refused() -> Evidence {
    Evidence::RefusedTheMail(trouble(Stage::Data, "554 5.6.0"))
}

#[test]
fn mails_that_fail_together_are_one_failure_and_a_failed_probe_is_another() {
    let mut health = RelayHealth::default();
    let begun = health.begin();
    for _ in 0..4 {
        health.learn("a", failed(), begun, at(1));
    }
    assert!(health.fails());
    assert_eq!(health.next_probe(at(1)), Some(at(6)));
    health.learn("a", failed(), health.begin(), at(7));
    assert_eq!(health.next_probe(at(7)), Some(at(17)));
    health.learn("a", Evidence::Nothing, health.begin(), at(18));
    assert!(matches!(health.standing(), MailerStanding::Down(_)));
    health.learn("a", Evidence::Took, health.begin(), at(18));
    assert_eq!((health.fails(), health.next_probe(at(7)), health.standing()), (false, None, MailerStanding::Up));
}

#[test]
fn the_wait_doubles_from_five_seconds_to_five_minutes_and_a_clock_set_back_does_not_lengthen_it() {
    let seconds = [1, 2, 3, 4, 5, 6, 7, 8, u32::MAX].map(|failures| wait_after(failures).as_secs());
    assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    let mut health = RelayHealth::default();
    health.learn("a", failed(), health.begin(), at(1000));
    assert_eq!((health.next_probe(at(1000)), health.next_probe(at(0))), (Some(at(1005)), None));
}

#[test]
fn a_relay_that_refuses_a_recipient_works_up_to_there() {
    for (stage, is_over) in
        [(Stage::Connect, true), (Stage::MailFrom, true), (Stage::RcptTo, false), (Stage::Data, false)]
    {
        let mut health = RelayHealth::default();
        health.learn("a", Evidence::Failed(trouble(stage, "554 5.7.1")), health.begin(), at(0));
        health.learn("b", Evidence::RefusedTheRecipient, health.begin(), at(6));
        assert_eq!(health.standing() == MailerStanding::Up, is_over, "{stage}");
    }
}

/// One letter a mail: who it is for, small if the relay refuses it, capital if it takes it. Who is convicted, and whether the
/// relay counts as failing in the end.
fn tried_in_turn(mails: &str) -> (String, bool) {
    let mut health = RelayHealth::default();
    let mut convicted = String::new();
    for mail in mails.chars() {
        let evidence = if mail.is_lowercase() { refused() } else { Evidence::Took };
        if health.learn(&mail.to_lowercase().to_string(), evidence, health.begin(), at(0)) {
            convicted.push(mail);
        }
    }
    (convicted, health.fails())
}

#[test]
fn a_mail_that_is_refused_again_after_another_was_taken_is_its_members_trouble() {
    for (mails, convicted, fails) in [
        ("aBa", "a", false),
        ("aaBa", "a", false),
        ("Ba", "", true),
        ("aa", "", true),
        ("aBcC", "", false),
        // One taken mail tells of one refusal: a relay that begins to refuse everybody is failing.
        ("abcdLabcd", "a", true),
        ("abcdLaMb", "ab", false),
        ("abcdLaMMMMMMbcd", "ab", true),
        ("aBaCa", "a", true),
        ("aBaCaDa", "aa", false),
    ] {
        assert_eq!(tried_in_turn(mails), (convicted.to_owned(), fails), "{mails}");
    }
}

#[test]
fn a_mail_taken_that_began_before_the_refusal_was_known_tells_nothing_about_it() {
    let mut health = RelayHealth::default();
    let together = health.begin();
    health.learn("a", refused(), together, at(0));
    health.learn("b", Evidence::Took, together, at(0));
    assert!(!health.learn("a", refused(), health.begin(), at(10)));
    health.learn("b", Evidence::Took, health.begin(), at(20));
    assert!(health.learn("a", refused(), health.begin(), at(30)));
}

#[test]
fn a_restart_finds_in_the_ledgers_how_the_relay_stood() {
    use Outcome::{Deferred, Dropped, MailerFailed, Refused, Sending, Sent};
    let auth = trouble(Stage::Auth, "535 5.7.8");
    let address = trouble(Stage::RcptTo, "550 5.1.1");
    let content = trouble(Stage::Data, "554");
    let lost = Trouble { stage: Some(Stage::Data), cause: Some(Cause::Disconnected), code: None };
    let never_sent = Trouble { stage: Some(Stage::RcptTo), cause: Some(Cause::InvalidAddress), code: None };
    let down = |trouble: &Trouble| MailerStanding::Down(trouble.to_string());
    let up = MailerStanding::Up;
    for (why, past, expected) in [
        ("nothing was mailed", vec![], up.clone()),
        ("it failed", vec![(1, MailerFailed, &auth)], down(&auth)),
        ("in any order", vec![(3, MailerFailed, &auth), (1, Sent, &auth)], down(&auth)),
        ("it took one later", vec![(3, Sent, &auth), (1, MailerFailed, &auth)], up.clone()),
        ("in the same second", vec![(3, Sent, &auth), (3, MailerFailed, &auth)], up.clone()),
        ("in the same second", vec![(3, MailerFailed, &auth), (3, Sent, &auth)], up.clone()),
        ("it refused an address later", vec![(1, MailerFailed, &auth), (2, Refused, &address)], up.clone()),
        ("it had refused one before", vec![(3, MailerFailed, &auth), (2, Refused, &address)], down(&auth)),
        ("which tells nothing of DATA", vec![(1, MailerFailed, &content), (2, Refused, &address)], down(&content)),
        ("one that was never tried", vec![(1, MailerFailed, &auth), (2, Refused, &never_sent)], down(&auth)),
        ("it refused a mail later", vec![(1, MailerFailed, &auth), (2, Refused, &content)], down(&auth)),
        ("by a clock that was ahead", vec![(1, MailerFailed, &auth), (101, Sent, &auth)], down(&auth)),
        (
            "what shows nothing",
            vec![(1, MailerFailed, &auth), (2, Deferred, &lost), (3, Sending, &lost), (4, Dropped, &lost)],
            down(&auth),
        ),
    ] {
        let past = past.into_iter().map(|(second, outcome, trouble)| Past {
            at: at(second),
            outcome,
            trouble: trouble.clone(),
        });
        let health = RelayHealth::from_ledgers(past, at(100));
        assert_eq!(health.standing(), expected, "{why}");
        let probe = (expected != MailerStanding::Up).then(|| at(105));
        assert_eq!(health.next_probe(at(100)), probe, "{why}");
    }
}

proptest! {
    /// By instants that are rounded down to the second, as everywhere.
    #[test]
    fn no_minute_has_more_mails_than_allowed(a_minute in 1_u32..6, pauses in prop::collection::vec(0_u64..20_000, 1..60)) {
        let mut pace = Pace::new(a_minute, std::iter::empty());
        let (mut milliseconds, mut left) = (0_u64, Vec::new());
        let rounded = |milliseconds: u64| at(i64::try_from(milliseconds / 1000).unwrap());
        for pause in pauses {
            milliseconds += pause;
            while let Some(next) = pace.next(rounded(milliseconds)) {
                milliseconds = u64::try_from(next.duration_since(at(0)).as_millis()).unwrap();
            }
            pace.leaves(rounded(milliseconds));
            left.push(milliseconds);
        }
        for window in left.windows(usize::try_from(a_minute).unwrap() + 1) {
            prop_assert!(window[window.len() - 1] - window[0] > 60_000, "{window:?}");
        }
    }
}

#[test]
fn a_restart_does_not_begin_a_new_minute_and_a_clock_set_back_holds_up_nobody_for_long() {
    let pace = Pace::new(2, [at(50), at(10), at(40)].into_iter());
    assert_eq!((pace.next(at(60)), pace.next(at(101))), (Some(at(101)), None));
    assert_eq!(pace.next(at(38)), Some(at(101)), "set back a little");
    assert_eq!(pace.next(at(-1000)), None, "set back by far");
    assert_eq!(Pace::new(2, [at(50)].into_iter()).next(at(50)), None);
}
