//! The guards: how much may happen at once before a person is asked. A merge that deletes half of the clinic or invites
//! everybody anew is a mistake more often than not. What is held and where that is recorded never lives here.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// The time over which the guards count.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// Removals in the window that are never held, however small the clinic.
const REMOVALS_NEVER_HELD: usize = 2;
/// Beyond these, one account in so many may be removed in the window.
const ONE_REMOVAL_IN: usize = 4;
/// What a guard holds back within this time of a hold's beginning joins that hold: one merge, one hold to release.
const ONE_HOLD_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// Which guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// Of removals.
    Removals,
    /// Of invitations: rounds to another address than the round before, and many resends of one account.
    Invitations,
}

impl Guard {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Removals, Self::Invitations];

    /// The word that begins the ids of its holds.
    pub fn word(self) -> &'static str {
        match self {
            Self::Removals => "removals",
            Self::Invitations => "invitations",
        }
    }

    /// The guard whose hold has this id.
    pub fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guard| guard.began(id).is_some())
    }

    /// The id of a hold that begins now: `removals-20261124T093000Z`.
    fn id(self, now: Timestamp) -> String {
        format!("{}-{}", self.word(), now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ"))
    }

    /// When the hold of this id began; `None`: it is not one of this guard.
    fn began(self, id: &str) -> Option<Timestamp> {
        let time = id.strip_prefix(self.word())?.strip_prefix('-')?.strip_suffix('Z')?;
        let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", time).ok()?;
        civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    }

    /// The hold that something joins that is held now: an unreleased one that began a moment ago, else a new one. Never one
    /// that is released already, which `released` names.
    pub fn hold<'a>(self, unreleased: impl Iterator<Item = &'a str>, released: Option<&str>, now: Timestamp) -> String {
        let is_young =
            |id: &&str| self.began(id).is_some_and(|began| began <= now && now.duration_since(began) < ONE_HOLD_WITHIN);
        let joined = unreleased.filter(|id| Some(*id) != released).filter(is_young).max();
        if let Some(id) = joined {
            return id.to_owned();
        }
        let id = self.id(now);
        let a_second_later = || now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now);
        if Some(id.as_str()) == released { self.id(a_second_later()) } else { id }
    }
}

/// What a person releases by the annotation on the Clinic: all of a hold, or of its members some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The hold.
    pub id: String,
    /// The `metadata.name`s of the `ClinicUsers` whom it is for; `None`: all of them.
    pub only: Option<BTreeSet<String>>,
}

impl Release {
    /// Reads `<id>` or `<id>: <name>, <name>`; `None`: no hold is named. A colon that no name follows releases nobody.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, only) = match text.split_once(':') {
            None => (text, None),
            Some((id, names)) => {
                let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
                (id, Some(names.map(str::to_owned).collect()))
            }
        };
        let id = id.trim();
        (!id.is_empty()).then(|| Self { id: id.to_owned(), only })
    }

    /// Whether it is for the member `holder` who is held by the hold `id`.
    pub fn is_for(&self, id: &str, holder: &str) -> bool {
        self.id == id && self.only.as_ref().is_none_or(|names| names.contains(holder))
    }
}

impl fmt::Display for Release {
    /// As [`Release::parse`] reads it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.id)?;
        let names = self.only.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
        if self.only.is_some() { write!(formatter, ": {names}") } else { Ok(()) }
    }
}

/// Whether `at` counts at `now`. An instant that lies ahead was written by a clock that has been set back since, and counts.
pub fn is_within_the_window(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) < WINDOW
}

/// Whether one more account may be removed: of `accounts` that were not removed an hour ago, `removed` have been since.
pub fn one_more_may_be_removed(accounts: usize, removed: usize) -> bool {
    removed < REMOVALS_NEVER_HELD.max(accounts / ONE_REMOVAL_IN)
}

/// Whether one more round may begin that the guard counts, if `begun` did in the last hour.
pub fn one_more_may_be_invited(per_hour: u32, begun: usize) -> bool {
    begun < usize::try_from(per_hour).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn two_removals_or_a_quarter_of_the_clinic_pass_in_an_hour_and_no_more() {
        for (accounts, most) in [(0, 2), (1, 2), (8, 2), (11, 2), (12, 3), (100, 25), (1000, 250)] {
            let passed = (0..accounts + 3).take_while(|removed| one_more_may_be_removed(accounts, *removed)).count();
            assert_eq!(passed, most, "of {accounts}");
        }
    }

    #[test]
    fn as_many_counted_rounds_as_the_clinic_says_pass_in_an_hour() {
        assert!(one_more_may_be_invited(20, 19) && !one_more_may_be_invited(20, 20));
    }

    #[test]
    fn a_release_is_for_all_of_a_hold_or_for_those_it_names() {
        let id = "removals-20261124T093000Z";
        for (text, ana, bea) in [
            (id.to_owned(), true, true),
            (format!(" {id} "), true, true),
            (format!("{id}: ana"), true, false),
            (format!("{id}:bea , ana,"), true, true),
            (format!("{id}:"), false, false),
            ("removals-20261124T093001Z".to_owned(), false, false),
        ] {
            let release = Release::parse(&text).unwrap();
            assert_eq!((release.is_for(id, "ana"), release.is_for(id, "bea")), (ana, bea), "{text}");
            assert_eq!(Release::parse(&release.to_string()), Some(release));
        }
        for nothing in ["", " ", ": ana"] {
            assert_eq!(Release::parse(nothing), None);
        }
    }

    #[test]
    fn an_hour_is_sixty_minutes_and_what_a_wrong_clock_wrote_counts() {
        let now = at("2026-11-24T10:00:00Z");
        for (then, counts) in
            [("09:00:00", false), ("09:00:01", true), ("10:00:00", true), ("23:00:00", true), ("00:00:00", false)]
        {
            assert_eq!(is_within_the_window(at(&format!("2026-11-24T{then}Z")), now), counts, "{then}");
        }
    }

    #[test]
    fn what_is_held_within_minutes_is_one_hold_and_a_released_one_takes_nothing_more() {
        let now = at("2026-11-24T09:30:00Z");
        let (young, old, other) =
            ("removals-20261124T092800Z", "removals-20261124T092500Z", "invitations-20261124T092900Z");
        let new = "removals-20261124T093000Z";
        for (unreleased, released, expected) in [
            (vec![], None, new),
            (vec![old, young, other], None, young),
            (vec![young], Some(young), new),
            (vec![old, other, "nonsense", "removals-2026"], None, new),
            (vec![], Some(new), "removals-20261124T093001Z"),
        ] {
            assert_eq!(Guard::Removals.hold(unreleased.into_iter(), released, now), expected);
        }
        assert_eq!((Guard::of(young), Guard::of(other)), (Some(Guard::Removals), Some(Guard::Invitations)));
        assert_eq!(Guard::of("removals-x"), None);
    }
}
