//! Days and instants in a reader's words, for mails and pages alike. The words stand in one template a language; which instant
//! is told where never stands here.

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use minijinja::{Environment, UndefinedBehavior, Value, context};

use crate::domain::member::Locale;

const NO_BREAK_SPACE: char = '\u{a0}';

/// A template that ships with the program is wrong: what kind of mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to tell a date: {0}")]
pub struct DateError(String);

/// Below these the zones of the database are named after places.
const AREAS: [&str; 10] =
    ["Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"];

/// An instant in the reader's words, to the minute, and whose time it is: that of the place that the clinic's zone is named after. Not
/// escaped.
///
/// # Errors
/// Only what a test would have found.
pub fn moment(instant: Timestamp, zone: &TimeZone, locale: Locale) -> Result<String, DateError> {
    let at = instant.to_zoned(zone.clone());
    let name = zone.iana_name().map_or_else(|| at.strftime("UTC%:z").to_string(), str::to_owned);
    told(at.date(), locale, context! { hour => at.hour(), minute => at.minute(), place => place(&name), zone => name })
}

/// `America/Toronto`, `America/Indiana/Knox`; `None`: named after no place, such as `UTC` and `Canada/Eastern`.
fn place(zone: &str) -> Option<String> {
    let (area, below) = zone.split_once('/')?;
    let place = below.rsplit('/').next().unwrap_or(below);
    AREAS.contains(&area).then(|| place.replace('_', " "))
}

/// A day in the reader's words. Not escaped.
///
/// # Errors
/// Only what a test would have found.
pub fn day(day: Date, locale: Locale) -> Result<String, DateError> {
    told(day, locale, context! { zone => false })
}

/// What a further language adds to.
fn words(locale: Locale) -> &'static str {
    match locale {
        Locale::English => include_str!("en.jinja"),
        Locale::French => include_str!("fr.jinja"),
    }
}

fn told(day: Date, locale: Locale, time: Value) -> Result<String, DateError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let values = context! {
        nbsp => NO_BREAK_SPACE.to_string(),
        year => day.year(),
        month => day.month(),
        day => day.day(),
        weekday => day.weekday().to_monday_one_offset(),
        ..time
    };
    let rendered = environment.render_named_str("date.txt", words(locale), values);
    // Its comment and its lists leave line breaks before it.
    rendered.map(|text| text.trim_matches('\n').to_owned()).map_err(|error| DateError(error.kind().to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_day_is_told_as_the_instants_in_it_are() {
        let day_of = |locale| day(jiff::civil::date(2027, 7, 14), locale).unwrap();
        assert_eq!(day_of(Locale::English), "Wednesday, July 14, 2027");
        assert_eq!(day_of(Locale::French).replace('\u{a0}', " "), "mercredi 14 juillet 2027");
    }

    #[test]
    fn a_moment_is_told_in_the_readers_language() {
        for (instant, zone, english, french) in [
            (
                "2027-06-28T18:05:00Z",
                "America/Toronto",
                "Monday, June 28, 2027 at 2:05 p.m., Toronto time",
                "lundi 28 juin 2027 à 14 h 05, heure de Toronto",
            ),
            (
                "2027-08-01T06:00:00Z",
                "America/Edmonton",
                "Sunday, August 1, 2027 at 12:00 a.m., Edmonton time",
                "dimanche 1er août 2027 à 0 h, heure d’Edmonton",
            ),
            (
                "2027-12-31T23:59:59Z",
                "Pacific/Kiritimati",
                "Saturday, January 1, 2028 at 1:59 p.m., Kiritimati time",
                "samedi 1er janvier 2028 à 13 h 59, heure de Kiritimati",
            ),
            (
                "2027-06-28T14:30:00Z",
                "America/St_Johns",
                "Monday, June 28, 2027 at 12:00 p.m., St. John’s time",
                "lundi 28 juin 2027 à 12 h, heure de Terre-Neuve",
            ),
            (
                "2027-06-28T18:05:00Z",
                "America/Argentina/Buenos_Aires",
                "Monday, June 28, 2027 at 3:05 p.m., Buenos Aires time",
                "lundi 28 juin 2027 à 15 h 05, heure de Buenos Aires",
            ),
            (
                "2027-06-28T18:05:00Z",
                "Canada/Eastern",
                "Monday, June 28, 2027 at 2:05 p.m. (Canada/Eastern)",
                "lundi 28 juin 2027 à 14 h 05 (Canada/Eastern)",
            ),
        ] {
            let instant: Timestamp = instant.parse().unwrap();
            let zone = TimeZone::get(zone).unwrap();
            let told = |locale| moment(instant, &zone, locale).unwrap().replace('\u{a0}', " ");
            assert_eq!(told(Locale::English), english);
            assert_eq!(told(Locale::French), french);
        }
        let fixed = TimeZone::fixed(jiff::tz::offset(-5));
        let instant: Timestamp = "2027-06-28T18:05:00Z".parse().unwrap();
        let told = moment(instant, &fixed, Locale::English).unwrap().replace('\u{a0}', " ");
        assert_eq!(told, "Monday, June 28, 2027 at 1:05 p.m. (UTC-05:00)");
    }

    #[test]
    fn each_hour_is_told_as_people_say_it() {
        for (hour, expected) in
            [(0, "12:05 a.m."), (1, "1:05 a.m."), (11, "11:05 a.m."), (12, "12:05 p.m."), (23, "11:05 p.m.")]
        {
            let at = jiff::civil::date(2027, 7, 14).at(hour, 5, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
            let told = moment(at, &TimeZone::UTC, Locale::English).unwrap().replace('\u{a0}', " ");
            assert_eq!(told, format!("Wednesday, July 14, 2027 at {expected} (UTC)"));
        }
    }

    #[test]
    fn every_month_and_every_weekday_has_its_name() {
        let mut french = HashSet::new();
        for month in 1..=12 {
            for day_of_month in 1..=7 {
                let day_of = |locale| day(jiff::civil::date(2027, month, day_of_month), locale).unwrap();
                let english = jiff::civil::date(2027, month, day_of_month).strftime("%A, %B %-d, %Y").to_string();
                assert_eq!(day_of(Locale::English), english);
                french.extend(day_of(Locale::French).split([' ', '\u{a0}']).map(str::to_owned));
            }
        }
        let others = ["1er", "2", "3", "4", "5", "6", "7", "2027"];
        assert_eq!(french.len(), 12 + 7 + others.len(), "{french:?}");
    }
}
