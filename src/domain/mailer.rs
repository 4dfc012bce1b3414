//! What the mailer must know before it takes the next mail: whether the relay takes mail, as the mails before have shown, and
//! how many mails left within the last minute. Both are read back from the ledgers after a restart. Who is to blame for one
//! failure is in `delivery`; nothing is sent here.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::delivery::Trouble;
use super::invitation::Outcome;

/// First wait after the relay failed; doubled with each failure in a row.
pub const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(5);
/// Longest wait: so long at most it takes to notice that the relay works again.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// Whether mail goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MailerStanding {
    /// As far as is known.
    #[default]
    Up,
    /// The queue is stopped, and why.
    Down(String),
}

/// What one mail has shown about the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It took the mail.
    Took,
    /// It did its part, but refused the recipient.
    Works,
    /// It failed, and why.
    Fails(String),
    /// Nothing: the mail did not get that far, or what it said is nobody's fault.
    Nothing,
}

/// One attempt of a ledger, as far as it tells about the relay.
#[derive(Clone, Debug)]
pub struct Past {
    /// When it was written ahead.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// Where and why it failed.
    pub trouble: Trouble,
}

/// What the mails so far have shown about the relay.
#[derive(Clone, Debug, Default)]
pub struct RelayHealth {
    /// How often in a row it has failed.
    failures: u32,
    /// Why it failed last; `None`: it works.
    why: Option<String>,
    /// When the next mail may be tried while it fails.
    probe_at: Option<Timestamp>,
    /// The write-ahead of the latest mail that it took.
    took_at: Option<Timestamp>,
}

impl RelayHealth {
    /// What the ledgers of all accounts say when the operator starts. A relay that failed last is tried again soon: a restart
    /// may well be what mended the configuration.
    pub fn from_ledgers(past: impl Iterator<Item = Past>, now: Timestamp) -> Self {
        let mut health = Self::default();
        let mut latest: Option<(Timestamp, bool)> = None;
        for Past { at, outcome, trouble } in past {
            let fails = match outcome {
                Outcome::Sent => false,
                Outcome::MailerFailed => true,
                Outcome::Refused if trouble.is_of_the_address() => false,
                Outcome::Refused | Outcome::Sending | Outcome::Deferred | Outcome::Dropped => continue,
            };
            if outcome == Outcome::Sent {
                health.took_at = health.took_at.max(Some(at));
            }
            // Of two in one second the one that passed counts.
            if latest.is_none_or(|known| (known.0, !known.1) <= (at, !fails)) {
                latest = Some((at, fails));
                health.why = fails.then(|| trouble.to_string());
            }
        }
        if health.why.is_some() {
            health.fail(1, now);
        }
        health
    }

    /// Takes in what a mail has shown that was written ahead at `ahead`, when the relay had failed `begun_after` times in a
    /// row: mails that were under way together and fail together are one failure.
    pub fn learn(&mut self, evidence: Evidence, begun_after: u32, ahead: Timestamp, now: Timestamp) {
        match evidence {
            Evidence::Nothing => {}
            Evidence::Took | Evidence::Works => {
                if evidence == Evidence::Took {
                    self.took_at = self.took_at.max(Some(ahead));
                }
                (self.failures, self.why, self.probe_at) = (0, None, None);
            }
            Evidence::Fails(why) => {
                self.why = Some(why);
                if begun_after.saturating_add(1) > self.failures {
                    self.fail(begun_after.saturating_add(1), now);
                }
            }
        }
    }

    fn fail(&mut self, failures: u32, now: Timestamp) {
        self.failures = failures;
        self.probe_at = now.checked_add(wait_after(failures)).ok();
    }

    /// How often in a row it has failed; 0: it works.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When the next mail may be tried, if that is not now. An instant that is further away than any wait was written by a
    /// clock that has been set back since, and is not waited for.
    pub fn next_probe(&self, now: Timestamp) -> Option<Timestamp> {
        self.probe_at.filter(|at| now < *at && at.duration_since(now) <= LONGEST_WAIT)
    }

    /// Whether it has taken another mail since one was written ahead at `at`.
    pub fn took_another_since(&self, at: Timestamp) -> bool {
        self.took_at.is_some_and(|took| at <= took)
    }

    /// In a word, with the reason.
    pub fn standing(&self) -> MailerStanding {
        self.why.clone().map_or(MailerStanding::Up, MailerStanding::Down)
    }
}

/// How long to wait after so many failures in a row: 5 s, doubled each time, at most 5 min.
pub fn wait_after(failures: u32) -> SignedDuration {
    let seconds = FIRST_WAIT.as_secs() << failures.saturating_sub(1).min(16);
    SignedDuration::from_secs(seconds).min(LONGEST_WAIT)
}

/// How fast mails may follow one another: at most so many within any minute.
#[derive(Clone, Debug)]
pub struct Pace {
    a_minute: usize,
    /// When the latest mails left, at most `a_minute`, in order.
    left: VecDeque<Timestamp>,
}

/// A minute, and the second by which instants are rounded down.
const A_MINUTE: SignedDuration = SignedDuration::from_secs(61);

impl Pace {
    /// At most `a_minute` mails (at least 1) within any minute, of which these left before.
    pub fn new(a_minute: u32, left: impl Iterator<Item = Timestamp>) -> Self {
        let mut left: Vec<Timestamp> = left.collect();
        left.sort();
        let a_minute = usize::try_from(a_minute).unwrap_or(usize::MAX).max(1);
        Self { a_minute, left: left.split_off(left.len().saturating_sub(a_minute)).into() }
    }

    /// When the next mail may leave, if that is not now.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.left.len() < self.a_minute {
            return None;
        }
        let at = self.left.front()?.checked_add(A_MINUTE).ok()?;
        // Further away than a minute: by a clock that has been set back since.
        (now < at && at.duration_since(now) <= A_MINUTE).then_some(at)
    }

    /// Takes in that a mail leaves.
    pub fn leaves(&mut self, now: Timestamp) {
        self.left.push_back(now);
        if self.left.len() > self.a_minute {
            self.left.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{Cause, Stage};
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn fails() -> Evidence {
        Evidence::Fails("the server cannot be reached".into())
    }

    #[test]
    fn mails_that_fail_together_are_one_failure_and_a_failed_probe_is_another() {
        let mut health = RelayHealth::default();
        for _ in 0..4 {
            health.learn(fails(), 0, at(0), at(1));
        }
        assert_eq!((health.failures(), health.next_probe(at(1))), (1, Some(at(6))));
        health.learn(fails(), 1, at(6), at(7));
        assert_eq!((health.failures(), health.next_probe(at(7))), (2, Some(at(17))));
        health.learn(Evidence::Nothing, 2, at(17), at(18));
        assert_eq!(health.failures(), 2);
        assert!(matches!(health.standing(), MailerStanding::Down(_)));
        health.learn(Evidence::Works, 2, at(17), at(18));
        assert_eq!((health.failures(), health.next_probe(at(7)), health.standing()), (0, None, MailerStanding::Up));
    }

    #[test]
    fn the_wait_doubles_from_five_seconds_to_five_minutes_and_a_clock_set_back_does_not_lengthen_it() {
        let seconds = [1, 2, 3, 4, 5, 6, 7, 8, u32::MAX].map(|failures| wait_after(failures).as_secs());
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        let mut health = RelayHealth::default();
        health.learn(fails(), 0, at(1000), at(1000));
        assert_eq!((health.next_probe(at(1000)), health.next_probe(at(0))), (Some(at(1005)), None));
    }

    #[test]
    fn a_mail_is_refused_while_others_pass_if_one_was_taken_since() {
        let mut health = RelayHealth::default();
        health.learn(fails(), 0, at(10), at(11));
        assert!(!health.took_another_since(at(10)));
        health.learn(Evidence::Took, 1, at(16), at(17));
        assert!(health.took_another_since(at(10)) && !health.took_another_since(at(17)));
        health.learn(Evidence::Works, 0, at(30), at(30));
        assert!(!health.took_another_since(at(20)), "who refuses a recipient has taken nothing");
    }

    #[test]
    fn a_restart_finds_in_the_ledgers_how_the_relay_stood() {
        use Outcome::{Deferred, Dropped, MailerFailed, Refused, Sending, Sent};
        let auth = Trouble { stage: Some(Stage::Auth), cause: None, code: Some("535 5.7.8".into()) };
        let address = Trouble { stage: Some(Stage::RcptTo), cause: None, code: Some("550 5.1.1".into()) };
        let content = Trouble { stage: Some(Stage::Data), cause: None, code: Some("554".into()) };
        let lost = Trouble { stage: Some(Stage::Data), cause: Some(Cause::Disconnected), code: None };
        let down = MailerStanding::Down("failed to deliver at AUTH: the server answered 535 5.7.8".into());
        for (why, past, expected) in [
            ("nothing was mailed", vec![], MailerStanding::Up),
            ("it failed", vec![(1, MailerFailed, &auth)], down.clone()),
            ("in any order", vec![(3, MailerFailed, &auth), (1, Sent, &auth)], down.clone()),
            ("it took one later", vec![(3, Sent, &auth), (1, MailerFailed, &auth)], MailerStanding::Up),
            ("in the same second", vec![(3, Sent, &auth), (3, MailerFailed, &auth)], MailerStanding::Up),
            ("in the same second", vec![(3, MailerFailed, &auth), (3, Sent, &auth)], MailerStanding::Up),
            ("it refused an address later", vec![(1, MailerFailed, &auth), (2, Refused, &address)], MailerStanding::Up),
            ("it refused a mail later", vec![(1, MailerFailed, &auth), (2, Refused, &content)], down.clone()),
            (
                "what shows nothing",
                vec![(1, MailerFailed, &auth), (2, Deferred, &lost), (3, Sending, &lost), (4, Dropped, &lost)],
                down.clone(),
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
    fn a_restart_does_not_begin_a_new_minute_and_a_clock_set_back_holds_up_nobody() {
        let pace = Pace::new(2, [at(50), at(10), at(40)].into_iter());
        assert_eq!((pace.next(at(60)), pace.next(at(101))), (Some(at(101)), None));
        assert_eq!(pace.next(at(-1000)), None);
        assert_eq!(Pace::new(2, [at(50)].into_iter()).next(at(50)), None);
    }
}
