//! What the mailer must know before it takes the next mail: whether the relay takes mail, as the mails before have shown, and
//! how many mails left within the last minute. Both are read back from the ledgers after a restart. Who is to blame for one
//! failure is in `delivery`; nothing is sent here.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::delivery::{Cause, Stage, Trouble};
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
    /// It did its part up to the recipient, whom it refused.
    RefusedTheRecipient,
    /// It refused this very mail for good, after it had let us in: its trouble, ours, or this member's.
    RefusedTheMail(Trouble),
    /// It failed.
    Failed(Trouble),
    /// Nothing: the mail did not get that far, or what it said is nobody's fault.
    Nothing,
}

/// What was known when the turn of a mail came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// How often in a row the relay had failed.
    failures: u32,
    /// How many mails had shown something.
    known: u64,
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
    /// How it failed last; `None`: it works.
    trouble: Option<Trouble>,
    /// When the next mail may be tried while it fails.
    probe_at: Option<Timestamp>,
    /// How many mails have shown something.
    known: u64,
    /// What was known when the latest mail that it took began.
    took: Option<u64>,
    /// The accounts whose mail it refused, and what was known then.
    refused: HashMap<String, u64>,
    /// What was known when a refusal was last put down to its member.
    convicted: u64,
}

impl RelayHealth {
    /// What the ledgers of all accounts say when the operator starts. A relay that failed last is tried again soon: a restart
    /// may well be what mended the configuration. An instant that lies ahead was written by a clock that has been set back
    /// since, and tells nothing.
    pub fn from_ledgers(past: impl Iterator<Item = Past>, now: Timestamp) -> Self {
        let mut health = Self::default();
        let mut latest: Option<(Timestamp, bool)> = None;
        let mut latest_works_to_recipient: Option<Timestamp> = None;
        for Past { at, outcome, trouble } in past.filter(|past| past.at <= now) {
            let fails = match outcome {
                Outcome::Sent => false,
                Outcome::MailerFailed => true,
                Outcome::Refused if is_of_the_recipient(&trouble) => {
                    latest_works_to_recipient = latest_works_to_recipient.max(Some(at));
                    continue;
                }
                Outcome::Refused | Outcome::Sending | Outcome::Deferred | Outcome::Dropped => continue,
            };
            // Of two in one second the one that passed counts.
            if latest.is_none_or(|known| (known.0, !known.1) <= (at, !fails)) {
                latest = Some((at, fails));
                health.trouble = fails.then_some(trouble);
            }
        }
        let failed_at = latest.filter(|(_, fails)| *fails).map(|(at, _)| at);
        if health.trouble.as_ref().is_some_and(is_before_the_recipient) && failed_at <= latest_works_to_recipient {
            health.trouble = None;
        }
        if health.trouble.is_some() {
            health.fail(1, now);
        }
        health
    }

    /// What is known now, for the mail whose turn it is.
    pub fn begin(&self) -> Begun {
        Begun { failures: self.failures, known: self.known }
    }

    /// Takes in what the mail of an account has shown that began so: mails that were under way together and fail together are
    /// one failure. Returns whether a refusal of the mail is its member's trouble: the relay refused that member's mail
    /// before, has taken another that began after that, and no other refusal was put down to that one. So a relay that
    /// begins to refuse everybody costs one member at most before it counts as failing.
    pub fn learn(&mut self, account: &str, evidence: Evidence, begun: Begun, now: Timestamp) -> bool {
        self.known += 1;
        match evidence {
            Evidence::Nothing => false,
            Evidence::Took => {
                self.took = self.took.max(Some(begun.known));
                self.refused.remove(account);
                self.works();
                false
            }
            Evidence::RefusedTheRecipient => {
                self.refused.remove(account);
                if self.trouble.as_ref().is_some_and(is_before_the_recipient) {
                    self.works();
                }
                false
            }
            Evidence::RefusedTheMail(trouble) => {
                let before = self.refused.insert(account.to_owned(), self.known);
                if before.is_some_and(|before| self.took >= Some(before.max(self.convicted))) {
                    self.refused.remove(account);
                    self.convicted = self.known;
                    return true;
                }
                self.failed(trouble, begun, now);
                false
            }
            Evidence::Failed(trouble) => {
                self.failed(trouble, begun, now);
                false
            }
        }
    }

    fn works(&mut self) {
        (self.failures, self.trouble, self.probe_at) = (0, None, None);
    }

    fn failed(&mut self, trouble: Trouble, begun: Begun, now: Timestamp) {
        self.trouble = Some(trouble);
        let failures = begun.failures.saturating_add(1);
        if failures > self.failures {
            self.fail(failures, now);
        }
    }

    fn fail(&mut self, failures: u32, now: Timestamp) {
        self.failures = failures;
        self.probe_at = now.checked_add(wait_after(failures)).ok();
    }

    /// Whether it has failed since it last worked.
    pub fn fails(&self) -> bool {
        self.failures > 0
    }

    /// When the next mail may be tried, if that is not now. An instant that is further away than any wait was written by a
    /// clock that has been set back since, and is not waited for.
    pub fn next_probe(&self, now: Timestamp) -> Option<Timestamp> {
        self.probe_at.filter(|at| now < *at && at.duration_since(now) <= LONGEST_WAIT)
    }

    /// In a word, with the reason: the same as after a restart.
    pub fn standing(&self) -> MailerStanding {
        self.trouble.as_ref().map_or(MailerStanding::Up, |trouble| MailerStanding::Down(trouble.to_string()))
    }
}

/// Whether a refusal was of the recipient, by the relay: then everything before it works.
fn is_of_the_recipient(trouble: &Trouble) -> bool {
    trouble.is_of_the_address() && trouble.cause != Some(Cause::InvalidAddress)
}

/// Whether a relay that refuses a recipient shows that this is over.
fn is_before_the_recipient(trouble: &Trouble) -> bool {
    trouble.stage.is_some_and(|stage| match stage {
        Stage::Connect | Stage::Greeting | Stage::Ehlo | Stage::StartTls | Stage::Auth | Stage::MailFrom => true,
        Stage::RcptTo | Stage::Data | Stage::Content | Stage::AfterDot => false,
    })
}

/// How long to wait after so many failures in a row: 5 s, doubled each time, at most 5 min.
pub fn wait_after(failures: u32) -> SignedDuration {
    let seconds = FIRST_WAIT.as_secs() << failures.saturating_sub(1).min(16);
    SignedDuration::from_secs(seconds).min(LONGEST_WAIT)
}

/// How fast mails may follow one another: the turns of at most so many come within any minute.
#[derive(Clone, Debug)]
pub struct Pace {
    a_minute: usize,
    /// When the turns of the latest mails came, at most `a_minute`, in order.
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
        // Much further away than a minute: by a clock that has been set back since.
        (now < at && at.duration_since(now) <= A_MINUTE * 2).then_some(at)
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
#[path = "mailer_tests.rs"]
mod tests;
