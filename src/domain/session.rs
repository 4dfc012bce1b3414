//! How long a session lasts, and what ends it: the cookie that carries it is checked at every request against the record of its
//! account. How it is sealed, and where it is sent, never lives here.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::lifecycle::{AccessFacts, AccessReason, access};

/// From signing in to the end, whatever happens (NIST SP 800-63B-4 §2.2.3 asks for a new sign-in once in 24 hours at least).
pub const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// From one request to the next.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// How far ahead another replica's clock may be.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How old the last request may look before the cookie is written again.
pub const RENEWED_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// What the cookie says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The account.
    #[serde(rename = "a")]
    pub account: String,
    /// The account's session epoch when it began.
    #[serde(rename = "e")]
    pub epoch: u32,
    /// When it began, in seconds since 1970.
    #[serde(rename = "b")]
    began: i64,
    /// When it was last written, in seconds since 1970.
    #[serde(rename = "s")]
    seen: i64,
}

/// What the record of the account says.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its session epoch; `None`: nobody has accepted.
    pub epoch: Option<u32>,
    /// What access depends on.
    pub access: AccessFacts,
    /// Whether the account has a login: one that gave its address up has none.
    pub has_login: bool,
}

/// How a session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It lasts.
    Lasts,
    /// It lasts, and the cookie is to be written again.
    Renewed(Session),
    /// It is over, for good.
    Ended(Ended),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Too long ago, or nothing was asked for too long.
    TooOld,
    /// Signed out everywhere, or something changed by which one signs in.
    Elsewhere,
    /// Access has ended: suspended, removed, or the two weeks after training are over.
    NoAccess,
}

impl Session {
    /// A session that begins now.
    pub fn begin(account: &str, epoch: u32, now: Timestamp) -> Self {
        Self { account: account.to_owned(), epoch, began: now.as_second(), seen: now.as_second() }
    }

    /// How it stands now, by the record of its account.
    pub fn standing(&self, facts: &Facts, now: Timestamp) -> Standing {
        let (began, seen) = (seconds_ago(self.began, now), seconds_ago(self.seen, now));
        // A cookie of the future was written by a clock that has been set back since: it is not trusted to be young.
        let is_past = began.min(seen) >= -SKEW.as_secs();
        let is_young = is_past && began < LONGEST.as_secs() && seen < IDLE.as_secs();
        if !is_young {
            Standing::Ended(Ended::TooOld)
        } else if facts.epoch != Some(self.epoch) {
            Standing::Ended(Ended::Elsewhere)
        } else if !facts.has_login || access(&facts.access, now) != AccessReason::Granted {
            Standing::Ended(Ended::NoAccess)
        } else if seen >= RENEWED_AFTER.as_secs() {
            Standing::Renewed(Self { seen: now.as_second(), ..self.clone() })
        } else {
            Standing::Lasts
        }
    }

    /// Whether a record that is older than the session would explain that it is over: then the record must be read again.
    pub fn may_be_newer_than(&self, facts: &Facts) -> bool {
        facts.epoch.is_none_or(|epoch| epoch < self.epoch)
    }
}

fn seconds_ago(at: i64, now: Timestamp) -> i64 {
    now.as_second().saturating_sub(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn facts() -> Facts {
        let access = AccessFacts { accepted: Some(at(0)), suspended: false, removed: None, until: None };
        Facts { epoch: Some(3), access, has_login: true }
    }

    fn with(change: impl FnOnce(&mut Facts)) -> Facts {
        let mut facts = facts();
        change(&mut facts);
        facts
    }

    #[test]
    fn a_session_lasts_while_it_is_used_and_half_a_day_at_most() {
        let begun = Session::begin("a-1", 3, at(0));
        for (second, expected) in [
            (0, Standing::Lasts),
            (299, Standing::Lasts),
            (300, Standing::Renewed(Session { seen: at(300).as_second(), ..begun.clone() })),
            (1799, Standing::Renewed(Session { seen: at(1799).as_second(), ..begun.clone() })),
            (1800, Standing::Ended(Ended::TooOld)),
            (-60, Standing::Lasts),
            (-61, Standing::Ended(Ended::TooOld)),
        ] {
            assert_eq!(begun.standing(&facts(), at(second)), expected, "{second}");
        }
        let mut used = begun;
        let mut lasted = 0;
        for second in (0..100_000).step_by(60) {
            match used.standing(&facts(), at(second)) {
                Standing::Lasts => {}
                Standing::Renewed(renewed) => used = renewed,
                Standing::Ended(why) => {
                    assert_eq!(why, Ended::TooOld);
                    break;
                }
            }
            lasted = second;
        }
        assert_eq!(lasted, LONGEST.as_secs() - 60);
    }

    #[test]
    fn a_new_epoch_and_the_end_of_access_end_every_session_at_once() {
        let session = Session::begin("a-1", 3, at(0));
        for (facts, expected) in [
            (with(|facts| facts.epoch = Some(4)), Ended::Elsewhere),
            (with(|facts| facts.epoch = Some(2)), Ended::Elsewhere),
            (with(|facts| facts.epoch = None), Ended::Elsewhere),
            (with(|facts| facts.has_login = false), Ended::NoAccess),
            (with(|facts| facts.access.suspended = true), Ended::NoAccess),
            (with(|facts| facts.access.removed = Some(at(0))), Ended::NoAccess),
            (with(|facts| facts.access.until = Some(at(10))), Ended::NoAccess),
        ] {
            assert_eq!(session.standing(&facts, at(10)), Standing::Ended(expected));
        }
        assert_eq!(session.standing(&with(|facts| facts.access.until = Some(at(11))), at(10)), Standing::Lasts);
    }

    #[test]
    fn only_a_record_of_an_earlier_epoch_may_be_older_than_the_session() {
        let session = Session::begin("a-1", 3, at(0));
        let older =
            [None, Some(2), Some(3), Some(4)].map(|epoch| session.may_be_newer_than(&with(|f| f.epoch = epoch)));
        assert_eq!(older, [true, true, false, false]);
    }
}
