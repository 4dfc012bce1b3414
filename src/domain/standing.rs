//! Who may pass now (invariant I8): one answer from what the record says, what the manifest says and the time. Signing in, every
//! request of a session and accepting ask here; the members controller asks here when an end of access is over. Nothing is read here.

use jiff::Timestamp;

use super::lifecycle::{AccessFacts, AccessReason, access};

/// What the record of an account says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What access depends on.
    pub access: AccessFacts,
    /// Whether the account has a login: one that gave its address up has none.
    pub has_login: bool,
    /// How often access was given back or an administrator ended every session.
    pub grant: u32,
}

/// What the manifest of the account's holder takes away. The default takes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// It says `suspended: true`.
    pub suspended: bool,
    /// The end of access that it asks for; `None`: it has none, or it cannot be read.
    pub until: Option<Timestamp>,
    /// It ends the sessions of the record's grant, or was seen to.
    pub signs_out: bool,
}

/// Whether somebody may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With what was begun under this grant, and nothing that was begun under another.
    MayPass {
        /// The grant.
        grant: u32,
    },
    /// Nobody passes.
    MayNot(By),
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The record.
    Record,
    /// The manifest alone: no controller has told the record yet.
    Manifest,
}

/// Of record and manifest, whichever gives less counts. What gives more waits for the record, and so does a removal: a manifest
/// that is absent takes nothing away.
pub fn may_pass(record: &Record, manifest: &Manifest, now: Timestamp) -> Answer {
    let grants = |facts: &AccessFacts| record.has_login && access(facts, now) == AccessReason::Granted;
    if !grants(&record.access) {
        Answer::MayNot(By::Record)
    } else if !grants(&record.access.less(manifest)) {
        Answer::MayNot(By::Manifest)
    } else {
        Answer::MayPass { grant: record.grant_after(manifest) }
    }
}

/// Whether a write gives access back: its grant is a later one.
pub fn is_given_back(before: &Record, after: &Record, now: Timestamp) -> bool {
    let passes = |record: &Record| matches!(may_pass(record, &Manifest::default(), now), Answer::MayPass { .. });
    before.access.accepted.is_some() && !passes(before) && passes(after)
}

/// What the annotation must say to end every session of an account: its name and its grant, so that one that is left in a file ends
/// them once.
pub fn sign_out(account: &str, grant: u32) -> String {
    format!("{account}.{grant}")
}

/// The grant of a record: how often the controller raised it, and how often the portal ended every session in its stead.
pub fn grant(raised: u32, sign_outs: u32) -> u32 {
    raised.saturating_add(sign_outs)
}

impl Record {
    /// The grant under which sessions begin, which a sign-out raises before the record says so.
    pub fn grant_after(&self, manifest: &Manifest) -> u32 {
        self.grant.saturating_add(u32::from(manifest.signs_out))
    }
}

impl Manifest {
    /// What the two of them take away.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            suspended: self.suspended || other.suspended,
            until: earlier(self.until, other.until),
            signs_out: self.signs_out || other.signs_out,
        }
    }
}

impl AccessFacts {
    /// The same, but for what the manifest takes away.
    #[must_use]
    pub fn less(&self, manifest: &Manifest) -> Self {
        let until = earlier(self.until, manifest.until);
        Self { suspended: self.suspended || manifest.suspended, until, ..*self }
    }
}

/// The earlier of two ends; `None`: there is none.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn record() -> Record {
        let access = AccessFacts { accepted: Some(at(0)), suspended: false, removed: None, until: Some(at(100)) };
        Record { access, has_login: true, grant: 3 }
    }

    fn with(change: impl FnOnce(&mut Record)) -> Record {
        let mut record = record();
        change(&mut record);
        record
    }

    #[test]
    fn of_record_and_manifest_whichever_gives_less_counts() {
        let passes = Answer::MayPass { grant: 3 };
        let (record_refuses, manifest_refuses) = (Answer::MayNot(By::Record), Answer::MayNot(By::Manifest));
        let manifest = |suspended, until| Some(Manifest { suspended, until, signs_out: false });
        for (what, record, manifest, expected) in [
            ("no manifest takes nothing", record(), None, passes),
            ("nor one that says the same", record(), manifest(false, Some(at(100))), passes),
            ("suspended", record(), manifest(true, None), manifest_refuses),
            ("an earlier end", record(), manifest(false, Some(at(10))), manifest_refuses),
            ("an earlier end that is to come", record(), manifest(false, Some(at(11))), passes),
            (
                "a later end waits for the record",
                with(|r| r.access.until = Some(at(10))),
                manifest(false, Some(at(99))),
                record_refuses,
            ),
            ("and so does no end", with(|r| r.access.until = Some(at(10))), manifest(false, None), record_refuses),
            (
                "a resumption waits for the record",
                with(|r| r.access.suspended = true),
                manifest(false, None),
                record_refuses,
            ),
            ("the record first", with(|r| r.access.suspended = true), manifest(true, None), record_refuses),
            ("removed", with(|r| r.access.removed = Some(at(0))), manifest(false, None), record_refuses),
            ("not accepted", with(|r| r.access.accepted = None), manifest(true, None), record_refuses),
            ("without a login", with(|r| r.has_login = false), None, record_refuses),
        ] {
            assert_eq!(may_pass(&record, &manifest.unwrap_or_default(), at(10)), expected, "{what}");
        }
    }

    #[test]
    fn of_two_manifests_each_takes_away_what_it_takes() {
        let one = Manifest { suspended: true, until: None, signs_out: false };
        let other = Manifest { suspended: false, until: Some(at(10)), signs_out: true };
        let both = Manifest { suspended: true, until: Some(at(10)), signs_out: true };
        assert_eq!([one.and(&other), other.and(&one)], [both, both]);
        assert_eq!(other.and(&Manifest { until: Some(at(11)), ..one }), both, "the earlier end");
        assert_eq!(one.and(&Manifest::default()), one);
    }

    #[test]
    fn a_sign_out_counts_as_the_next_grant_before_the_record_says_so() {
        let manifest = Manifest { signs_out: true, ..Manifest::default() };
        assert_eq!(may_pass(&record(), &manifest, at(10)), Answer::MayPass { grant: 4 });
    }

    #[test]
    fn access_is_given_back_when_its_last_end_is_taken_back_and_never_else() {
        type Change = fn(&mut Record);
        let ends: [Change; 4] = [
            |record| record.access.suspended = true,
            |record| record.access.until = Some(at(10)),
            |record| record.access.removed = Some(at(0)),
            |record| record.has_login = false,
        ];
        let is_given_back = |before: &Record, after: &Record| is_given_back(before, after, at(10));
        assert!(!is_given_back(&record(), &record()));
        for end in ends {
            let ended = with(end);
            assert!(!is_given_back(&record(), &ended), "an end");
            assert!(is_given_back(&ended, &record()), "{ended:?}");
            for other in ends {
                let mut both = ended;
                other(&mut both);
                assert!(!is_given_back(&both, &ended), "still ended: {ended:?}");
            }
            let mut pending = ended;
            pending.access.accepted = None;
            assert!(!is_given_back(&pending, &with(|record| record.access.accepted = None)), "nobody had access");
        }
    }
}
