//! When people are told beforehand that a trainee's access ends: two weeks, one week and one day ahead.

use jiff::{SignedDuration, Timestamp};

/// Days ahead, of 24 hours each.
const AHEAD: [u8; 3] = [14, 7, 1];

fn begins(until: Timestamp, days: u8) -> Timestamp {
    until.saturating_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MIN)
}

/// The notice that holds at `now` about access that ends at `until`, by its days ahead; `None`: it is too early, or too late.
pub fn days_ahead(until: Timestamp, now: Timestamp) -> Option<u8> {
    if now >= until {
        return None;
    }
    AHEAD.into_iter().filter(|days| now >= begins(until, *days)).min()
}

/// When the next notice begins.
pub fn next(until: Timestamp, now: Timestamp) -> Option<Timestamp> {
    AHEAD.into_iter().map(|days| begins(until, days)).filter(|begins| now < *begins).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_notices_begin_two_weeks_one_week_and_one_day_ahead() {
        let until: Timestamp = "2027-07-15T04:00:00Z".parse().unwrap();
        for (now, expected, following) in [
            ("2027-07-01T03:59:59Z", None, Some("2027-07-01T04:00:00Z")),
            ("2027-07-01T04:00:00Z", Some(14), Some("2027-07-08T04:00:00Z")),
            ("2027-07-08T03:59:59Z", Some(14), Some("2027-07-08T04:00:00Z")),
            ("2027-07-08T04:00:00Z", Some(7), Some("2027-07-14T04:00:00Z")),
            ("2027-07-14T04:00:00Z", Some(1), None),
            ("2027-07-15T03:59:59Z", Some(1), None),
            ("2027-07-15T04:00:00Z", None, None),
        ] {
            let now = now.parse().unwrap();
            assert_eq!(days_ahead(until, now), expected, "{now}");
            assert_eq!(next(until, now), following.map(|at| at.parse().unwrap()), "{now}");
        }
    }
}
