//! Restore mode: until when an annotation of the clinic's Namespace leaves its records to whoever restores them. Controller, portal
//! and `plan` read the annotation here; `validate` warns of it whatever it says. The API server's policies see its form alone, since CEL
//! knows no time: what has the form counts as open there, so nothing that has it is called off here.

use jiff::{SignedDuration, Timestamp};

/// The annotation of the Namespace.
pub const RESTORE_MODE: &str = "clinic-operator.dev/restore-door";
/// The instant lies so far ahead at most: a mode that nobody ends is over within a day.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// What stands before the instant.
const BEFORE: &str = "open until ";
/// The instant: a `0` stands for any digit.
const FORM: &str = "0000-00-00T00:00:00Z";

/// What the annotation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreMode {
    /// It is not there.
    Off,
    /// It is there and has not the form, as `open` of version 0.1: nothing is open.
    NotUnderstood,
    /// Records may be restored until then.
    On {
        /// When it ends.
        until: Timestamp,
    },
    /// The policies take it for open, and it is to end now.
    ToEnd(WhyEnd),
}

/// Why a mode that has the form is to end now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyEnd {
    /// Its instant is past.
    Past {
        /// The instant.
        until: Timestamp,
    },
    /// Its instant is further away than [`LONGEST`].
    TooFar,
    /// There is no such instant, as on 30 February.
    NoInstant,
}

impl RestoreMode {
    /// What this value of the annotation means at this instant; `None`: the annotation is not there.
    pub fn of(annotation: Option<&str>, now: Timestamp) -> Self {
        let Some(value) = annotation else { return Self::Off };
        let Some(instant) = value.strip_prefix(BEFORE).filter(|instant| has_form(instant)) else {
            return Self::NotUnderstood;
        };
        match instant.parse::<Timestamp>() {
            Ok(until) if until <= now => Self::ToEnd(WhyEnd::Past { until }),
            Ok(until) if until.duration_since(now) > LONGEST => Self::ToEnd(WhyEnd::TooFar),
            Ok(until) => Self::On { until },
            Err(_) => Self::ToEnd(WhyEnd::NoInstant),
        }
    }

    /// Whether the policies leave records to whoever restores them, and refuse what the parts write.
    pub fn is_on(self) -> bool {
        match self {
            Self::On { .. } | Self::ToEnd(_) => true,
            Self::Off | Self::NotUnderstood => false,
        }
    }

    /// For how long it should have ended; zero of one that should not.
    pub fn overdue(self, now: Timestamp) -> SignedDuration {
        match self {
            Self::ToEnd(WhyEnd::Past { until }) => now.duration_since(until),
            Self::Off | Self::NotUnderstood | Self::On { .. } | Self::ToEnd(_) => SignedDuration::ZERO,
        }
    }
}

/// The value that turns restore mode on until an instant, in whole seconds.
pub fn open_until(until: Timestamp) -> String {
    format!("{BEFORE}{}", until.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

/// A value for somebody who is told what to write: until two hours from now.
pub fn example(now: Timestamp) -> String {
    open_until(now.saturating_add(SignedDuration::from_hours(2)).unwrap_or(now))
}

fn has_form(instant: &str) -> bool {
    let fits = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    instant.len() == FORM.len() && instant.bytes().zip(FORM.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_within_a_day_turns_it_on_and_everything_else_is_shut_or_to_end() {
        let now: Timestamp = "2027-03-01T12:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let past = |text: &str| RestoreMode::ToEnd(WhyEnd::Past { until: at(text) });
        for (annotation, expected) in [
            (None, RestoreMode::Off),
            (Some("open"), RestoreMode::NotUnderstood),
            (Some(""), RestoreMode::NotUnderstood),
            (Some("shut"), RestoreMode::NotUnderstood),
            (Some("open until tomorrow"), RestoreMode::NotUnderstood),
            (Some("Open until 2027-03-01T13:00:00Z"), RestoreMode::NotUnderstood),
            (Some("open until 2027-03-01T13:00:00"), RestoreMode::NotUnderstood),
            (Some("open until 2027-03-01T13:00:00+01:00"), RestoreMode::NotUnderstood),
            (Some("open until 2027-03-01T13:00:00.5Z"), RestoreMode::NotUnderstood),
            (Some("open until 2027-03-01T13:00:00Z "), RestoreMode::NotUnderstood),
            (Some("open until 2027-03-01T12:00:01Z"), RestoreMode::On { until: at("2027-03-01T12:00:01Z") }),
            (Some("open until 2027-03-02T12:00:00Z"), RestoreMode::On { until: at("2027-03-02T12:00:00Z") }),
            (Some("open until 2027-03-02T12:00:01Z"), RestoreMode::ToEnd(WhyEnd::TooFar)),
            (Some("open until 9998-12-31T00:00:00Z"), RestoreMode::ToEnd(WhyEnd::TooFar)),
            (Some("open until 2027-02-30T12:00:00Z"), RestoreMode::ToEnd(WhyEnd::NoInstant)),
            (Some("open until 2027-99-99T99:99:99Z"), RestoreMode::ToEnd(WhyEnd::NoInstant)),
            (Some("open until 2027-03-01T12:00:00Z"), past("2027-03-01T12:00:00Z")),
            (Some("open until 1970-01-01T00:00:00Z"), past("1970-01-01T00:00:00Z")),
        ] {
            assert_eq!(RestoreMode::of(annotation, now), expected, "{annotation:?}");
        }
    }

    #[test]
    fn what_is_written_for_an_instant_is_read_as_that_instant() {
        let now: Timestamp = "2027-03-01T12:00:00Z".parse().unwrap();
        let until = now + SignedDuration::from_hours(1);
        assert_eq!(open_until(until), "open until 2027-03-01T13:00:00Z");
        assert_eq!(RestoreMode::of(Some(&open_until(until)), now), RestoreMode::On { until });
    }

    #[test]
    fn it_is_overdue_from_its_instant() {
        let until: Timestamp = "2027-03-01T12:00:00Z".parse().unwrap();
        let later = until + SignedDuration::from_secs(90);
        let mode = RestoreMode::of(Some(&open_until(until)), later);
        assert_eq!((mode.is_on(), mode.overdue(later).as_secs()), (true, 90));
        assert_eq!(RestoreMode::of(Some(&open_until(later)), until).overdue(until), SignedDuration::ZERO);
    }
}
