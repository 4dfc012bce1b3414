//! Days, time zones and the instant at which a trainee's access ends. What time it is now is always an argument.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// Days of access after the Expected End of Training: "two weeks after the defined end of training date".
const DAYS_AFTER_TRAINING: i64 = 14;
/// Years in which a training can end; any other is a slip.
const YEARS: RangeInclusive<i16> = 1900..=2199;

/// A time zone that was found in the time zone database, with the name that it was asked by.
#[derive(Clone, PartialEq, Eq)]
pub struct ClinicZone {
    zone: TimeZone,
    name: String,
}

impl ClinicZone {
    /// Looks an IANA name up, such as `America/Toronto`. `None`: there is no such zone, and nothing is guessed.
    pub fn find(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(|zone| Self { zone, name: name.to_owned() })
    }

    /// The zone in which each day ends last.
    pub fn last_of_all() -> Option<Self> {
        Self::find("Etc/GMT+12")
    }

    /// The names of all zones.
    pub fn names() -> impl Iterator<Item = String> {
        jiff::tz::db().available().map(|name| name.to_string())
    }

    /// The zone's rules.
    pub fn rules(&self) -> &TimeZone {
        &self.zone
    }

    /// The instant at which the access of a trainee ends whose Expected End of Training is `end`: access lasts through day
    /// `end` + 14, so it ends when day `end` + 15 starts here (at 00:00, or where a clock change skips it the first
    /// instant after). `None` if that lies outside the calendar (year 9999).
    pub fn access_ends(&self, end: Date) -> Option<Timestamp> {
        let first_day_without = end.checked_add((DAYS_AFTER_TRAINING + 1).days()).ok()?;
        let start = first_day_without.to_zoned(self.zone.clone()).ok()?.start_of_day().ok()?;
        Some(start.timestamp())
    }

    /// The day that it is here at `instant`.
    pub fn day(&self, instant: Timestamp) -> Date {
        instant.to_zoned(self.zone.clone()).date()
    }

    /// The last day on which there is access if it ends at `instant`.
    pub fn last_day(&self, instant: Timestamp) -> Date {
        let last = instant.checked_sub(1.second()).unwrap_or(instant);
        last.to_zoned(self.zone.clone()).date()
    }

    /// An instant as people at the clinic read it, to the minute: `2026-11-29 14:05 America/Toronto`.
    pub fn show(&self, instant: Timestamp) -> String {
        let local = instant.to_zoned(self.zone.clone());
        format!("{} {}", local.strftime("%Y-%m-%d %H:%M"), self.name)
    }
}

impl fmt::Debug for ClinicZone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// Parses a day of the years 1900 to 2199 as `YYYY-MM-DD`, as the CRD's rules do, and nothing else that a date parser might take.
pub fn parse_date(text: &str) -> Option<Date> {
    let is_written_so = |(position, byte): (usize, u8)| match position {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    if text.len() != 10 || !text.bytes().enumerate().all(is_written_so) {
        return None;
    }
    text.parse::<Date>().ok().filter(|date| YEARS.contains(&date.year()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;
    use proptest::sample::select;

    #[test]
    fn access_ends_when_the_fifteenth_day_after_training_starts_in_the_clinics_zone() {
        for (zone, end, ends, last_day) in [
            ("America/Toronto", "2027-06-30", "2027-07-15T04:00:00Z", "2027-07-14"),
            ("UTC", "2027-06-30", "2027-07-15T00:00:00Z", "2027-07-14"),
            ("Pacific/Pago_Pago", "2027-06-30", "2027-07-15T11:00:00Z", "2027-07-14"),
            ("Pacific/Kiritimati", "2027-06-30", "2027-07-14T10:00:00Z", "2027-07-14"),
            // Across the change to winter time and to summer time.
            ("America/Toronto", "2026-10-25", "2026-11-09T05:00:00Z", "2026-11-08"),
            ("America/Toronto", "2027-03-01", "2027-03-16T04:00:00Z", "2027-03-15"),
            // Leap day and year end.
            ("UTC", "2028-02-15", "2028-03-01T00:00:00Z", "2028-02-29"),
            ("UTC", "2028-02-29", "2028-03-15T00:00:00Z", "2028-03-14"),
            ("UTC", "2026-12-17", "2027-01-01T00:00:00Z", "2026-12-31"),
            ("UTC", "2027-02-14", "2027-03-01T00:00:00Z", "2027-02-28"),
            // Midnight of that day did not exist in Asunción: the day starts at 01:00.
            ("America/Asuncion", "2023-09-16", "2023-10-01T04:00:00Z", "2023-09-30"),
            // Midnight of that day comes twice in Havana: the day starts at the first.
            ("America/Havana", "2026-10-17", "2026-11-01T04:00:00Z", "2026-10-31"),
            // Zones that are not whole hours away from UTC, and one whose summer time is half an hour.
            ("Asia/Kathmandu", "2027-06-30", "2027-07-14T18:15:00Z", "2027-07-14"),
            ("Pacific/Chatham", "2026-12-31", "2027-01-14T10:15:00Z", "2027-01-14"),
            ("Australia/Lord_Howe", "2027-03-20", "2027-04-03T13:00:00Z", "2027-04-03"),
            ("Australia/Lord_Howe", "2027-03-21", "2027-04-04T13:30:00Z", "2027-04-04"),
        ] {
            let clinic = ClinicZone::find(zone).unwrap();
            let instant = clinic.access_ends(parse_date(end).unwrap()).unwrap();
            assert_eq!(instant, ends.parse::<Timestamp>().unwrap(), "{zone} {end}");
            assert_eq!(clinic.last_day(instant).to_string(), last_day, "{zone} {end}");
        }
    }

    /// Access is there in the last second of day `end` + 14, and gone in the first of the next.
    fn ends_with_the_last_day(name: &str, end: Date) -> Result<(), String> {
        let zone = ClinicZone::find(name).unwrap();
        let instant = zone.access_ends(end).unwrap();
        let first_day_without = instant.to_zoned(zone.rules().clone()).date();
        let expected = (end + 14.days(), end + 15.days());
        let seen = (zone.last_day(instant), first_day_without);
        if seen == expected { Ok(()) } else { Err(format!("{name} {end}: {seen:?}, expected {expected:?}")) }
    }

    fn zones() -> Vec<String> {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        assert!(names.len() > 400, "the database has every zone: {}", names.len());
        names
    }

    #[test]
    fn every_zone_ends_access_with_the_last_day_around_each_change_of_its_clock() {
        // Before 2012 zones skipped whole days, and clocks went back a minute past midnight.
        let [from, to] = ["2012-01-01T00:00:00Z", "2040-01-01T00:00:00Z"].map(|at| at.parse::<Timestamp>().unwrap());
        let mut changes = 0;
        let mut wrong = Vec::new();
        for name in zones() {
            let zone = ClinicZone::find(&name).unwrap();
            for change in zone.rules().following(from).take_while(|change| change.timestamp() < to) {
                let day = change.timestamp().to_zoned(zone.rules().clone()).date();
                changes += 1;
                wrong.extend((13..=16).filter_map(|before| ends_with_the_last_day(&name, day - before.days()).err()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(changes > 1000, "clocks change: {changes}");
    }

    proptest! {
        #[test]
        fn any_zone_ends_access_with_the_last_day_whatever_the_date(name in select(zones()), day in 0_i32..30_000) {
            let end = parse_date("2012-01-01").unwrap() + day.days();
            prop_assert_eq!(ends_with_the_last_day(&name, end), Ok(()));
        }
    }

    #[test]
    fn an_end_beyond_the_calendar_has_no_instant() {
        let zone = ClinicZone::find("Pacific/Kiritimati").unwrap();
        assert_eq!(zone.access_ends(date(9999, 12, 17)), None);
        assert!(zone.access_ends(date(9999, 12, 1)).is_some());
    }

    #[test]
    fn an_unknown_zone_is_not_guessed() {
        assert!(ClinicZone::find("America/Torontoo").is_none());
        assert!(ClinicZone::find("").is_none());
    }

    #[test]
    fn only_whole_dates_of_the_calendar_are_dates() {
        for (text, expected) in [
            ("2027-06-30", true),
            ("2028-02-29", true),
            ("2027-02-29", false),
            ("2027-6-30", false),
            ("2027-06-30T00:00:00Z", false),
            ("", false),
            ("30/06/2027", false),
            ("1900-01-01", true),
            ("1899-12-31", false),
            ("2199-12-31", true),
            ("2200-01-01", false),
            ("0202-06-30", false),
            ("+202-06-30", false),
            ("-202-06-30", false),
            ("2027-06- 3", false),
            ("2027-6-030", false),
            ("2027-06-3é", false),
        ] {
            assert_eq!(parse_date(text).is_some(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_instant_is_shown_in_the_clinics_zone() {
        let zone = ClinicZone::find("America/Toronto").unwrap();
        assert_eq!(zone.show("2026-11-29T19:05:42Z".parse().unwrap()), "2026-11-29 14:05 America/Toronto");
    }
}
