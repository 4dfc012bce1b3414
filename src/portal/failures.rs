//! What the log says of tries to get in that failed: whose, from where, by what and why; of what was typed nothing that anybody could
//! test a guess with. Tries that cost nobody anything write a few lines a minute only, whoever floods the portal.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::time::Instant;
use tracing::info;

use super::Portal;
use super::codes::CodeRefused;
use super::known_browsers::digest;
use super::sign_in::NotLetIn;
use super::web::visitor::Visitor;
use crate::adapters::random::secret_bytes;
use crate::domain::acceptance::Refusal;

/// Lines a minute of tries that cost no hash and that no throttle has counted.
const FEW: u32 = 60;
const A_MINUTE: Duration = Duration::from_secs(60);
/// Bytes of a digest: enough to tell what was typed apart.
const DIGEST: usize = 8;

/// A try that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// What was tried.
    pub attempt: Attempt,
    /// By whose account, or by what was typed.
    pub who: Who<'a>,
    /// What was to prove it.
    pub factor: Factor,
    /// What came of it.
    pub outcome: Outcome,
}

/// What somebody tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// To sign in.
    SignIn,
    /// To accept an invitation, or to open its link.
    Acceptance,
}

/// Whose account is tried.
#[derive(Clone, Copy)]
pub enum Who<'a> {
    /// Nobody knows: the form that says it is none of ours.
    Nobody,
    /// This account's.
    Account(&'a str),
    /// The one with this username, if there is one.
    Username(&'a str),
    /// The one that a link names, if there is one.
    OfLink(&'a str),
}

/// What proves who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// Username and password.
    Password,
    /// The code of an app.
    Totp,
    /// A recovery code.
    RecoveryCode,
    /// The link of an invitation.
    Link,
}

/// Why a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was typed is not right.
    Wrong,
    /// It was used already.
    Used,
    /// It is no code at all.
    Malformed,
    /// It is right, and its person has no access now, or signs in by something else since.
    NoAccess,
    /// Form or link is too old, or a newer one counts.
    OutOfDate,
    /// Too many tries before: it was not compared.
    SlowedDown,
    /// Too much to do: it was not compared.
    Busy,
    /// The API server cannot be reached.
    Unreachable,
    /// A policy of the cluster refuses what is to be written first.
    Prevented,
    /// The portal itself failed.
    Failed,
}

/// What the log needs for it.
pub struct Failures {
    /// Of this process alone, so that no reader of the log can compute a digest. `None`: there were no random bytes.
    key: Option<[u8; 32]>,
    few: Mutex<Few>,
}

/// The lines of the present minute.
#[derive(Debug)]
struct Few {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl fmt::Debug for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Who(redacted)")
    }
}

impl Attempt {
    fn message(self) -> &'static str {
        match self {
            Self::SignIn => "a sign-in failed",
            Self::Acceptance => "an acceptance failed",
        }
    }
}

impl Factor {
    fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Link => "link",
        }
    }
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Used => "used",
            Self::Malformed => "malformed",
            Self::NoAccess => "no_access",
            Self::OutOfDate => "out_of_date",
            Self::SlowedDown => "slowed_down",
            Self::Busy => "busy",
            Self::Unreachable => "unreachable",
            Self::Prevented => "prevented",
            Self::Failed => "failed",
        }
    }
}

impl From<&NotLetIn> for Outcome {
    fn from(why: &NotLetIn) -> Self {
        match why {
            NotLetIn::Wrong => Self::Wrong,
            NotLetIn::Refused => Self::NoAccess,
            NotLetIn::Unreachable => Self::Unreachable,
            NotLetIn::Prevented => Self::Prevented,
            NotLetIn::Busy => Self::Busy,
            NotLetIn::Failed => Self::Failed,
        }
    }
}

impl From<&CodeRefused> for Outcome {
    fn from(why: &CodeRefused) -> Self {
        match why {
            CodeRefused::Malformed => Self::Malformed,
            CodeRefused::Wrong => Self::Wrong,
            CodeRefused::Used => Self::Used,
            CodeRefused::Otherwise(why) => why.into(),
        }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::Wrong,
            Refusal::AlreadyAccepted => Self::Used,
            Refusal::Replaced | Refusal::Expired => Self::OutOfDate,
            Refusal::Removed | Refusal::TrainingEnded | Refusal::Suspended => Self::NoAccess,
        }
    }
}

impl Failure<'_> {
    /// Whether a hash or a throttle bounds how often this can be.
    fn is_bounded(&self) -> bool {
        match (self.factor, self.outcome) {
            (Factor::Link, _) => false,
            (_, Outcome::Wrong | Outcome::Used) | (Factor::Password, Outcome::NoAccess) => true,
            (
                _,
                Outcome::Malformed
                | Outcome::NoAccess
                | Outcome::OutOfDate
                | Outcome::SlowedDown
                | Outcome::Busy
                | Outcome::Unreachable
                | Outcome::Prevented
                | Outcome::Failed,
            ) => false,
        }
    }
}

impl Default for Failures {
    fn default() -> Self {
        let few = Few { since: None, written: 0, left_out: 0 };
        Self { key: secret_bytes().ok(), few: Mutex::new(few) }
    }
}

impl Failures {
    /// The same for all that is read as one username, as long as this process runs.
    fn digest(&self, typed: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key?).ok()?;
        mac.update(&digest(typed));
        mac.finalize().into_bytes().get(..DIGEST).map(|bytes| HEXLOWER.encode(bytes))
    }
}

impl Few {
    /// Whether a line may be written at `now`: how many were not since the last one.
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= A_MINUTE) {
            (self.since, self.written) = (Some(now), 0);
        }
        if self.written == FEW {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Portal {
    /// Writes down that somebody was not let in.
    pub fn failed(&self, visitor: &Visitor, failure: &Failure<'_>) {
        let Failure { attempt, who, factor, outcome } = *failure;
        let left_out = if failure.is_bounded() {
            None
        } else {
            let mut few = self.failures.few.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(left_out) = few.take(self.clock.monotonic()) else { return };
            Some(left_out).filter(|left_out| *left_out > 0)
        };
        let (account, typed) = match who {
            Who::Nobody => (None, None),
            Who::Account(id) => (Some(id.to_owned()), None),
            Who::Username(typed) => (self.account_of(typed).map(|account| account.spec.id), Some(typed)),
            Who::OfLink(name) => (self.records.account(name).map(|account| account.spec.id), Some(name)),
        };
        let typed = typed.filter(|_| account.is_none()).and_then(|typed| self.failures.digest(typed));
        info!(
            account,
            typed,
            client = %visitor.client,
            factor = factor.word(),
            outcome = outcome.word(),
            left_out,
            "{}",
            attempt.message()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_usernames_apart_within_a_process_and_nothing_to_whoever_guesses() {
        let (one, other) = (Failures::default(), Failures::default());
        let digest = one.digest("nobody@maple.example").unwrap();
        assert_eq!(one.digest(" Nobody@Maple.Example ").as_ref(), Some(&digest));
        assert_ne!(one.digest("nobody@maple.example.org").as_ref(), Some(&digest));
        assert_ne!(other.digest("nobody@maple.example").as_ref(), Some(&digest), "the key is of one process");
        assert_eq!(digest.len(), 2 * DIGEST);
        assert_eq!(format!("{:?}", Who::Username("canary")), "Who(redacted)");
    }

    #[test]
    fn a_flood_writes_a_few_lines_a_minute_and_how_many_it_did_not() {
        let mut few = Few { since: None, written: 0, left_out: 0 };
        #[expect(clippy::disallowed_methods, reason = "an instant to begin with")]
        let begin = Instant::now();
        let lines = |few: &mut Few, at: u64, tries: usize| {
            let at = begin + Duration::from_secs(at);
            (0..tries).filter_map(|_| few.take(at)).collect::<Vec<_>>()
        };
        assert_eq!(lines(&mut few, 0, 1000), vec![0; 60]);
        assert_eq!(lines(&mut few, 59, 10), Vec::<u64>::new());
        assert_eq!(lines(&mut few, 60, 2), vec![950, 0]);
    }

    #[test]
    fn what_costs_a_hash_or_is_counted_has_a_line_each_and_nothing_else() {
        let failure = |factor, outcome| Failure { attempt: Attempt::SignIn, who: Who::Nobody, factor, outcome };
        let all = [Factor::Password, Factor::Totp, Factor::RecoveryCode, Factor::Link];
        let bounded = |outcome| all.map(|factor| failure(factor, outcome).is_bounded());
        assert_eq!(bounded(Outcome::Wrong), [true, true, true, false]);
        assert_eq!(bounded(Outcome::NoAccess), [true, false, false, false]);
        assert_eq!(bounded(Outcome::SlowedDown), [false; 4]);
    }
}
