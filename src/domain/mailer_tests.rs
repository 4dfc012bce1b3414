//! What mails show about the relay, mail by mail, and how fast they follow.

use super::*;
use crate::domain::delivery::{Fault, Stage};
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
    Evidence::of(trouble(Stage::Data, "554 5.6.0"), "maple.example".into(), None)
}

/// A refusal at RCPT, by a reply that does not say why.
fn unexplained(code: &str, domain: &str, since: Option<i64>) -> Evidence {
    Evidence::of(trouble(Stage::RcptTo, code), domain.into(), since.map(at))
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
        let domain = if "aceg".contains(mail) { "maple.example" } else { "university.example" };
        let refused = Evidence::of(trouble(Stage::Data, "554 5.6.0"), domain.into(), None);
        let evidence = if mail.is_lowercase() { refused } else { Evidence::Took };
        if health.learn(&mail.to_lowercase().to_string(), evidence, health.begin(), at(0)) == Blame::Member {
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
        // Two who are refused each for themselves are no relay's trouble for good: the second waits for another mail, or a day.
        ("aBcDac", "a", false),
        ("aBcDacEc", "ac", false),
        ("abcdLaMb", "ab", false),
        ("abcdLaMMMMMMbcd", "ab", false),
        ("abcdeLaMMMMMMbcde", "ab", true),
        ("aBaCa", "a", true),
        ("aBaCaDa", "aa", false),
    ] {
        assert_eq!(tried_in_turn(mails), (convicted.to_owned(), fails), "{mails}");
    }
}

#[test]
fn a_mail_taken_that_began_before_the_refusal_was_known_puts_it_down_to_nobody() {
    let mut health = RelayHealth::default();
    let together = health.begin();
    health.learn("a", refused(), together, at(0));
    health.learn("b", Evidence::Took, together, at(0));
    assert_eq!(health.learn("a", refused(), health.begin(), at(10)), Blame::Undecided);
    health.learn("b", Evidence::Took, health.begin(), at(20));
    assert_eq!(health.learn("a", refused(), health.begin(), at(30)), Blame::Member);
}

const DAY: i64 = 24 * 3600;

/// Refusals that do not say why, one a line: `account@domain code`, since when (a second, or nothing), at which second; or `account took`.
/// What each is put down to: the relay (R), its member (M), nobody yet (-).
fn weighed(lines: &[(&str, &str, Option<i64>, i64)]) -> (String, RelayHealth) {
    let mut health = RelayHealth::default();
    let mut blamed = String::new();
    for (address, said, since, second) in lines {
        let (account, domain) = address.split_once('@').unwrap_or((address, ""));
        let evidence = if *said == "took" { Evidence::Took } else { unexplained(said, domain, *since) };
        blamed.push(match health.learn(account, evidence, health.begin(), at(*second)) {
            Blame::Relay => 'R',
            Blame::Member => 'M',
            Blame::AsItSays | Blame::Undecided => '-',
        });
    }
    (blamed, health)
}

#[test]
fn three_recipients_of_two_domains_that_are_refused_for_good_are_the_relays_trouble() {
    for (why, lines, expected, fails) in [
        ("two", vec![("a@x", "550", None, 0), ("b@y", "550", None, 1)], "--", false),
        ("three", vec![("a@x", "550", None, 0), ("b@y", "550", None, 1), ("c@x", "550 5.1.90", None, 2)], "--R", true),
        (
            "of one domain, which may be what is down",
            vec![("a@x", "550", None, 0), ("b@x", "550", None, 1), ("c@x", "550", None, 2), ("d@x", "550", None, 3)],
            "----",
            false,
        ),
        (
            "one passed since",
            vec![("a@x", "550", None, 0), ("b@y", "550", None, 1), ("l@x", "took", None, 2), ("c@x", "550", None, 3)],
            "----",
            false,
        ),
        (
            "who was refused a day ago and not since tells nothing",
            vec![("a@x", "550", None, 0), ("b@y", "550", None, 1), ("c@x", "550", None, DAY + 1)],
            "---",
            false,
        ),
        (
            "the same ones again are no more",
            vec![("a@x", "550", None, 0), ("b@y", "550", None, 1), ("a@x", "550", Some(0), 61)],
            "---",
            false,
        ),
        (
            "from then on each refusal is the relay's, until one mail passes",
            vec![
                ("a@x", "550", None, 0),
                ("b@y", "550", None, 1),
                ("c@x", "550", None, 2),
                ("d@y", "550", None, 8),
                ("e@x", "took", None, 20),
                ("f@x", "450", None, 21),
            ],
            "--RR--",
            false,
        ),
    ] {
        let (blamed, health) = weighed(&lines);
        assert_eq!((blamed.as_str(), health.fails()), (expected, fails), "{why}");
    }
}

#[test]
fn a_relay_that_puts_off_whom_it_does_not_know_yet_is_not_to_blame_and_one_that_goes_on_is() {
    let first = |second| [("a@x", "450", None, second), ("b@y", "450", None, second), ("c@z", "450", None, second)];
    let again =
        |second| [("a@x", "450", Some(0), second), ("b@y", "450", Some(0), second), ("c@z", "450", Some(0), second)];
    assert_eq!(weighed(&first(0)).0, "---");
    assert_eq!(weighed(&[first(0), again(180)].concat()).0, "------", "three minutes later");
    let (blamed, health) = weighed(&[first(0), again(420)].concat());
    assert_eq!(blamed, "-----R", "seven minutes later");
    assert_eq!(health.troubled_domain(), Some("z"), "the probe goes elsewhere");
    let passed = [("l@x", "took", None, 500), ("d@x", "454 4.7.1", None, 501)];
    assert_eq!(
        weighed(&[&first(0)[..], &again(420)[..], &passed].concat()).0,
        "-----R--",
        "one passed, and all goes on"
    );
}

#[test]
fn what_is_refused_for_good_while_another_passed_is_its_members_trouble_and_for_now_only_after_a_day() {
    let took = ("l@x", "took", None, 30);
    assert_eq!(weighed(&[("a@x", "550", None, 0), took, ("a@x", "550", Some(0), 60)]).0, "--M");
    assert_eq!(weighed(&[("a@x", "550", None, 0), ("a@x", "550", Some(0), 60)]).0, "--", "nobody else was mailed");
    assert_eq!(weighed(&[("a@x", "450", None, 0), took, ("a@x", "450", Some(0), 600)]).0, "---", "it may be full");
    for code in ["450", "550"] {
        assert_eq!(weighed(&[("a@x", code, Some(0), DAY - 1)]).0, "-", "{code}");
        assert_eq!(weighed(&[("a@x", code, Some(0), DAY)]).0, "M", "{code}");
    }
    let down =
        [("b@y", "550", None, 0), ("c@z", "550", None, 0), ("d@x", "550", None, 0), ("a@x", "550", Some(0), DAY)];
    assert_eq!(weighed(&down).0, "--RR", "no member's while the relay is to blame");
}

#[test]
fn a_restart_goes_on_with_what_was_refused_before() {
    let past = |account: &str, domain: &str, second, outcome, code: &str| Past {
        mail: account.into(),
        domain: Some(domain.into()),
        refused_since: None,
        at: at(second),
        outcome,
        trouble: trouble(Stage::RcptTo, code),
    };
    let refused = |account: &str, domain: &str, second| past(account, domain, second, Outcome::Deferred, "550");
    let mut health = RelayHealth::from_ledgers(vec![refused("a", "x", 0), refused("b", "y", 1)], at(10));
    assert_eq!(health.standing(), MailerStanding::Up);
    assert_eq!(health.learn("c", unexplained("550", "x", None), health.begin(), at(11)), Blame::Relay);
    let ledgers = vec![refused("a", "x", 0), past("b", "y", 1, Outcome::Sent, "250")];
    let mut health = RelayHealth::from_ledgers(ledgers, at(10));
    assert_eq!(health.learn("a", unexplained("550", "x", Some(0)), health.begin(), at(60)), Blame::Member);
    // One mail that was taken puts one refusal down to its member, also of the same second.
    let put_down = past("a", "x", 5, Outcome::Refused, "550");
    let ledgers = vec![refused("a", "x", 0), refused("c", "y", 1), put_down, past("b", "y", 5, Outcome::Sent, "250")];
    let mut health = RelayHealth::from_ledgers(ledgers, at(10));
    assert_eq!(health.learn("c", unexplained("550", "y", Some(1)), health.begin(), at(60)), Blame::Undecided);
}

/// What a relay answers to a mail.
const ANSWERS: [(&str, Stage); 7] = [
    ("250", Stage::AfterDot),
    ("550 5.1.1", Stage::RcptTo),
    ("550", Stage::RcptTo),
    ("450", Stage::RcptTo),
    ("554 5.6.0", Stage::AfterDot),
    ("535 5.7.8", Stage::Auth),
    ("552 5.2.2", Stage::RcptTo),
];

/// An account's ledger, as far as it is read back.
#[derive(Clone, Default)]
struct Kept {
    since: Option<Timestamp>,
    past: Vec<Past>,
}

fn account(number: usize) -> (String, String) {
    (format!("a-{number}"), ["maple.example", "university.example"][number % 2].to_owned())
}

/// Takes in what the relay answered to the mail of an account at a second: whose trouble it is.
fn answered(health: &mut RelayHealth, number: usize, answer: usize, since: Option<Timestamp>, second: i64) -> Blame {
    let (code, stage) = ANSWERS[answer];
    let (account, domain) = account(number);
    let evidence = if code == "250" { Evidence::Took } else { Evidence::of(trouble(stage, code), domain, since) };
    health.learn(&account, evidence, health.begin(), at(second))
}

proptest! {
    /// A restart changes nothing: whatever the relay answers next is put down as it would have been without one.
    #[test]
    fn what_the_ledgers_say_is_what_was_known(
        mails in prop::collection::vec((0_usize..5, 0_usize..7), 0..24), next in (0_usize..5, 0_usize..7),
    ) {
        let mut health = RelayHealth::default();
        let mut ledgers: Vec<Kept> = vec![Kept::default(); 5];
        let mut second = 0;
        for (number, answer) in mails {
            second += 200;
            let kept = &mut ledgers[number];
            let blame = answered(&mut health, number, answer, kept.since, second);
            let (code, stage) = ANSWERS[answer];
            let fault = trouble(stage, code).fault();
            let outcome = match (blame, fault) {
                _ if code == "250" => Outcome::Sent,
                (Blame::Member, _) | (_, Some(Fault::Address)) => Outcome::Refused,
                (Blame::Relay, _) => Outcome::MailerFailed,
                (Blame::AsItSays | Blame::Undecided, _) => Outcome::Deferred,
            };
            kept.since = match outcome {
                Outcome::Deferred if trouble(stage, code).may_be_the_members() => kept.since.or(Some(at(second))),
                Outcome::Deferred |
                Outcome::Sent | Outcome::Refused | Outcome::MailerFailed | Outcome::Sending | Outcome::Dropped => None,
            };
            let (mail, domain) = account(number);
            let trouble = trouble(stage, code);
            kept.past.push(Past { mail, domain: Some(domain), refused_since: None, at: at(second), outcome, trouble });
        }
        let past = ledgers.iter().flat_map(|kept| {
            kept.past.iter().map(|past| Past { refused_since: kept.since, ..past.clone() })
        });
        let mut restarted = RelayHealth::from_ledgers(past.collect(), at(second));
        prop_assert_eq!(restarted.standing(), health.standing());
        let since = ledgers[next.0].since;
        let as_before = answered(&mut health, next.0, next.1, since, second + 200);
        prop_assert_eq!(answered(&mut restarted, next.0, next.1, since, second + 200), as_before);
        prop_assert_eq!(restarted.standing(), health.standing());
    }
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
        ("it refused a mail later", vec![(1, MailerFailed, &auth), (2, Refused, &content)], up.clone()),
        ("by a clock that was ahead", vec![(1, MailerFailed, &auth), (101, Sent, &auth)], down(&auth)),
        (
            "what shows nothing",
            vec![(1, MailerFailed, &auth), (2, Deferred, &lost), (3, Sending, &lost), (4, Dropped, &lost)],
            down(&auth),
        ),
    ] {
        let past = past.into_iter().map(|(second, outcome, trouble)| Past {
            mail: format!("<{second}@maple.example>"),
            domain: Some("maple.example".into()),
            refused_since: None,
            at: at(second),
            outcome,
            trouble: trouble.clone(),
        });
        let health = RelayHealth::from_ledgers(past.collect(), at(100));
        assert_eq!(health.standing(), expected, "{why}");
        let probe = (expected != MailerStanding::Up).then(|| at(105));
        assert_eq!(health.next_probe(at(100)), probe, "{why}");
    }
}
