//! How long a session lasts, and what ends it: the cookie that carries it is checked at every request against record and manifest
//! of its account. How it is sealed, and where it is sent, never lives here.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::standing::{Answer, By, Manifest, Record, may_pass};

/// From signing in to the end, whatever happens (NIST SP 800-63B-4 §2.2.3 asks for a new sign-in once in 24 hours at least).
pub const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// From one request to the next.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// How far ahead another replica's clock may be.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How old the last request may look before the cookie is written again.
pub const RENEWED_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// For how long a browser is known in which somebody signed in.
pub const BROWSER_IS_KNOWN: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What the cookie says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The account.
    #[serde(rename = "a")]
    pub account: String,
    /// The account's session epoch when it began.
    #[serde(rename = "e")]
    pub epoch: u32,
    /// The account's grant when it began; a cookie of version 0.1 has none.
    #[serde(rename = "g", default)]
    pub grant: u32,
    /// When it began, in seconds since 1970.
    #[serde(rename = "b")]
    began: i64,
    /// When it was last written, in seconds since 1970.
    #[serde(rename = "s")]
    seen: i64,
}

/// What is known of the account.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its session epoch; `None`: nobody has accepted.
    pub epoch: Option<u32>,
    /// What the record says.
    pub record: Record,
    /// What the manifest takes away; one that is absent takes nothing.
    pub manifest: Manifest,
    /// When the manifest last took access away of which the record knows nothing: what began before is over.
    pub ended_at: Option<Timestamp>,
}

impl Facts {
    /// Whether the person may pass now.
    pub fn may_pass(&self, now: Timestamp) -> Answer {
        may_pass(&self.record, &self.manifest, now)
    }

    /// The grant under which sessions begin.
    pub fn grant(&self) -> u32 {
        self.record.grant_after(&self.manifest)
    }

    /// Whether the manifest alone stands in the way.
    pub fn is_ended_by_the_manifest(&self, now: Timestamp) -> bool {
        self.may_pass(now) == Answer::MayNot(By::Manifest)
    }

    /// Whether what began then has ended since, although access may be there again.
    pub fn has_ended_since(&self, began: i64) -> bool {
        self.ended_at.is_some_and(|ended| began <= ended.as_second())
    }

    /// Whether what began then, under this epoch and grant, lasts: nothing that ends every session has come since. Its age is not asked.
    pub fn last(&self, epoch: u32, grant: u32, began: i64, now: Timestamp) -> bool {
        self.epoch == Some(epoch) && !self.has_ended_since(began) && self.may_pass(now) == (Answer::MayPass { grant })
    }

    /// When access ends; `None`: no end is planned.
    pub fn until(&self) -> Option<Timestamp> {
        self.record.access.less(&self.manifest).until
    }
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
    /// Signed out everywhere, or something changed by which one signs in, or access ended since and was given back.
    Elsewhere,
    /// Access has ended: suspended, removed, or the two weeks after training are over.
    NoAccess,
}

impl Session {
    /// A session that begins now.
    pub fn begin(account: &str, epoch: u32, grant: u32, now: Timestamp) -> Self {
        Self { account: account.to_owned(), epoch, grant, began: now.as_second(), seen: now.as_second() }
    }

    /// How it stands now, by record and manifest of its account.
    pub fn standing(&self, facts: &Facts, now: Timestamp) -> Standing {
        let (began, seen) = (seconds_ago(self.began, now), seconds_ago(self.seen, now));
        // A cookie of the future was written by a clock that has been set back since: it is not trusted to be young.
        let is_past = began.min(seen) >= -SKEW.as_secs();
        let is_young = is_past && began < LONGEST.as_secs() && seen < IDLE.as_secs();
        let answer = facts.may_pass(now);
        if !is_young {
            Standing::Ended(Ended::TooOld)
        } else if facts.epoch != Some(self.epoch) || facts.has_ended_since(self.began) {
            Standing::Ended(Ended::Elsewhere)
        } else if matches!(answer, Answer::MayNot(_)) {
            Standing::Ended(Ended::NoAccess)
        } else if answer != (Answer::MayPass { grant: self.grant }) {
            Standing::Ended(Ended::Elsewhere)
        } else if seen >= RENEWED_AFTER.as_secs() {
            Standing::Renewed(Self { seen: now.as_second(), ..self.clone() })
        } else {
            Standing::Lasts
        }
    }

    /// Whether facts that are older than the session would explain that it is over: then they must be read again.
    pub fn may_be_newer_than(&self, facts: &Facts, now: Timestamp) -> bool {
        let is_of_a_later_grant = match facts.may_pass(now) {
            Answer::MayPass { grant } => grant < self.grant,
            // Whoever came back a moment ago is of a later grant than the record in which they are still away.
            Answer::MayNot(_) => facts.record.grant < self.grant,
        };
        is_of_a_later_grant || facts.epoch.is_none_or(|epoch| epoch < self.epoch)
    }
}

/// A browser in which somebody signed in. What ends every session (another password or second factor, a sign-out, an end of access) ends
/// this too: a copy of its cookie is worth nothing longer than one of the session's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBrowser {
    /// Whose browser it is: the account.
    #[serde(rename = "a")]
    pub account: String,
    #[serde(rename = "e")]
    epoch: u32,
    #[serde(rename = "g")]
    grant: u32,
    /// When they signed in, in seconds since 1970.
    #[serde(rename = "s")]
    since: i64,
}

impl KnownBrowser {
    /// The one in which this session begins.
    pub fn of(session: &Session) -> Self {
        Self { account: session.account.clone(), epoch: session.epoch, grant: session.grant, since: session.began }
    }

    /// Whether it is known now, by record and manifest of its account.
    pub fn is_known(&self, facts: &Facts, now: Timestamp) -> bool {
        (-SKEW.as_secs()..BROWSER_IS_KNOWN.as_secs()).contains(&seconds_ago(self.since, now))
            && facts.last(self.epoch, self.grant, self.since, now)
    }
}

fn seconds_ago(at: i64, now: Timestamp) -> i64 {
    now.as_second().saturating_sub(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lifecycle::AccessFacts;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn facts() -> Facts {
        let access = AccessFacts { accepted: Some(at(0)), suspended: false, removed: None, until: None };
        let record = Record { access, has_login: true, grant: 2 };
        Facts { epoch: Some(3), record, manifest: Manifest::default(), ended_at: None }
    }

    fn begin() -> Session {
        Session::begin("a-1", 3, 2, at(0))
    }

    fn with(change: impl FnOnce(&mut Facts)) -> Facts {
        let mut facts = facts();
        change(&mut facts);
        facts
    }

    #[test]
    fn a_session_lasts_while_it_is_used_and_half_a_day_at_most() {
        let begun = begin();
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
        let session = begin();
        for (facts, expected) in [
            (with(|facts| facts.epoch = Some(4)), Ended::Elsewhere),
            (with(|facts| facts.epoch = Some(2)), Ended::Elsewhere),
            (with(|facts| facts.epoch = None), Ended::Elsewhere),
            (with(|facts| facts.record.has_login = false), Ended::NoAccess),
            (with(|facts| facts.record.access.suspended = true), Ended::NoAccess),
            (with(|facts| facts.record.access.removed = Some(at(0))), Ended::NoAccess),
            (with(|facts| facts.record.access.until = Some(at(10))), Ended::NoAccess),
            (with(|facts| facts.manifest = Manifest { suspended: true, ..Manifest::default() }), Ended::NoAccess),
            (with(|facts| facts.manifest = Manifest { signs_out: true, ..Manifest::default() }), Ended::Elsewhere),
            (with(|facts| facts.record.grant = 3), Ended::Elsewhere),
            (with(|facts| facts.record.grant = 1), Ended::Elsewhere),
            (with(|facts| facts.ended_at = Some(at(0))), Ended::Elsewhere),
        ] {
            assert_eq!(session.standing(&facts, at(10)), Standing::Ended(expected));
        }
        assert_eq!(session.standing(&with(|facts| facts.record.access.until = Some(at(11))), at(10)), Standing::Lasts);
        assert_eq!(session.standing(&with(|facts| facts.ended_at = Some(at(-1))), at(10)), Standing::Lasts);
        assert_eq!(session.standing(&with(|facts| facts.manifest = Manifest::default()), at(10)), Standing::Lasts);
    }

    #[test]
    fn what_ends_every_session_ends_a_known_browser_and_nothing_else_does_for_ninety_days() {
        let browser = KnownBrowser::of(&begin());
        for (facts, second, expected) in [
            (facts(), 0, true),
            (facts(), 12 * 3600, true),
            (facts(), 90 * 24 * 3600 - 1, true),
            (facts(), 90 * 24 * 3600, false),
            (facts(), -60, true),
            (facts(), -61, false),
            (with(|facts| facts.epoch = Some(4)), 10, false),
            (with(|facts| facts.epoch = None), 10, false),
            (with(|facts| facts.record.grant = 3), 10, false),
            (with(|facts| facts.record.access.suspended = true), 10, false),
            (with(|facts| facts.manifest = Manifest { signs_out: true, ..Manifest::default() }), 10, false),
            (with(|facts| facts.ended_at = Some(at(0))), 10, false),
        ] {
            assert_eq!(browser.is_known(&facts, at(second)), expected, "{facts:?} {second}");
        }
        let without_a_credential = r#"{"u": "digest", "d": "random", "s": 1800000000}"#;
        assert!(serde_json::from_str::<KnownBrowser>(without_a_credential).is_err(), "a cookie of version 0.1");
    }

    #[test]
    fn only_facts_of_an_earlier_epoch_or_grant_may_be_older_than_the_session() {
        let session = begin();
        let is_older = |facts: &Facts| session.may_be_newer_than(facts, at(10));
        let epochs = [None, Some(2), Some(3), Some(4)].map(|epoch| is_older(&with(|facts| facts.epoch = epoch)));
        assert_eq!(epochs, [true, true, false, false]);
        let grants = [1, 2, 3].map(|grant| is_older(&with(|facts| facts.record.grant = grant)));
        assert_eq!(grants, [true, false, false]);
        let away = |grant| {
            is_older(&with(|facts| {
                facts.record.grant = grant;
                facts.record.access.suspended = true;
            }))
        };
        assert_eq!([away(1), away(2)], [true, false], "the record in which they are still suspended");
    }

    #[test]
    fn a_cookie_of_version_0_1_is_of_the_first_grant() {
        let session: Session =
            serde_json::from_str(r#"{"a": "a-1", "e": 3, "b": 1800000000, "s": 1800000000}"#).unwrap();
        assert_eq!(session.standing(&with(|facts| facts.record.grant = 0), at(10)), Standing::Lasts);
        assert_eq!(session.standing(&with(|facts| facts.record.grant = 1), at(10)), Standing::Ended(Ended::Elsewhere));
    }
}
