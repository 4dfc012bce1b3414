//! When people are told beforehand that a trainee's access ends: two weeks, one week and one day ahead, by the clinic's calendar.

use jiff::{Timestamp, ToSpan};

use super::calendar::ClinicZone;

/// Days ahead.
const AHEAD: [u8; 3] = [14, 7, 1];

/// A notice that holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Access ends in so many days or fewer.
    pub days: u8,
    /// Since when that is so.
    pub since: Timestamp,
}

/// The same time of day so many days before, by the clinic's clocks: a day on which they change has 23 or 25 hours.
fn begins(until: Timestamp, days: u8, zone: &ClinicZone) -> Timestamp {
    let before = until.to_zoned(zone.rules().clone()).checked_sub(i64::from(days).days());
    before.map_or(Timestamp::MIN, |before| before.timestamp())
}

/// The notice that holds at `now` about access that ends at `until`; `None`: it is too early, or too late.
pub fn notice(until: Timestamp, zone: &ClinicZone, now: Timestamp) -> Option<Notice> {
    let all = AHEAD.into_iter().map(|days| Notice { days, since: begins(until, days, zone) });
    all.filter(|notice| notice.since <= now && now < until).min_by_key(|notice| notice.days)
}

/// When the next notice begins.
pub fn next(until: Timestamp, zone: &ClinicZone, now: Timestamp) -> Option<Timestamp> {
    AHEAD.into_iter().map(|days| begins(until, days, zone)).filter(|begins| now < *begins).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_notices_begin_two_weeks_one_week_and_one_day_ahead_by_the_clinics_calendar() {
        let zone = ClinicZone::find("America/Toronto").unwrap();
        for (until, now, expected, following) in [
            ("2027-07-15T04:00:00Z", "2027-07-01T03:59:59Z", None, Some("2027-07-01T04:00:00Z")),
            ("2027-07-15T04:00:00Z", "2027-07-01T04:00:00Z", Some(14), Some("2027-07-08T04:00:00Z")),
            ("2027-07-15T04:00:00Z", "2027-07-08T03:59:59Z", Some(14), Some("2027-07-08T04:00:00Z")),
            ("2027-07-15T04:00:00Z", "2027-07-08T04:00:00Z", Some(7), Some("2027-07-14T04:00:00Z")),
            ("2027-07-15T04:00:00Z", "2027-07-14T04:00:00Z", Some(1), None),
            ("2027-07-15T04:00:00Z", "2027-07-15T03:59:59Z", Some(1), None),
            ("2027-07-15T04:00:00Z", "2027-07-15T04:00:00Z", None, None),
            // Clocks go back on 1 November 2026 and forward on 14 March 2027: each notice begins at midnight all the same.
            ("2026-11-09T05:00:00Z", "2026-10-26T03:59:59Z", None, Some("2026-10-26T04:00:00Z")),
            ("2026-11-09T05:00:00Z", "2026-10-26T04:00:00Z", Some(14), Some("2026-11-02T05:00:00Z")),
            ("2027-03-16T04:00:00Z", "2027-03-02T05:00:00Z", Some(14), Some("2027-03-09T05:00:00Z")),
            ("2027-03-16T04:00:00Z", "2027-03-09T05:00:00Z", Some(7), Some("2027-03-15T04:00:00Z")),
        ] {
            let [until, now] = [until, now].map(|at| at.parse::<Timestamp>().unwrap());
            let found = notice(until, &zone, now);
            assert_eq!(found.map(|notice| notice.days), expected, "{now}");
            assert!(found.is_none_or(|notice| notice.since <= now), "{now}");
            assert_eq!(next(until, &zone, now), following.map(|at| at.parse().unwrap()), "{now}");
        }
    }
}
