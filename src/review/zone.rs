//! Which time zone was meant by a name that none has. Most cities have no zone: a wrong one would be worse than none.

use crate::domain::calendar::ClinicZone;

/// Shorter names are too like one another.
const LONG_ENOUGH: usize = 5;

/// What to say about a name that no zone has.
pub(super) fn no_such_zone(name: &str) -> String {
    let known: Vec<_> = ClinicZone::names().collect();
    let wanted = city(name);
    let same = || known.iter().find(|zone| city(zone) == wanted);
    // One letter too many, too few, wrong, or two in the wrong order.
    let alike = |zone: &&String| strsim::damerau_levenshtein(&city(zone), &wanted) == 1;
    let alike = || known.iter().filter(|_| wanted.len() >= LONG_ENOUGH).find(alike);
    match same().or_else(alike) {
        Some(zone) => format!("there is no such time zone: did you mean {zone}?"),
        None => "there is no such time zone: take one of the IANA database, such as America/Toronto".to_owned(),
    }
}

/// The last part of a zone's name, without capitals, spaces and signs.
fn city(zone: &str) -> String {
    let city = zone.rsplit('/').next().unwrap_or_default();
    city.chars().filter(|character| character.is_alphanumeric()).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_city_that_was_meant_is_named() {
        for (name, meant) in [
            ("America/Torontoo", Some("America/Toronto")),
            ("America/Tornoto", Some("America/Toronto")),
            ("Canada/Toronto", Some("America/Toronto")),
            ("America/London", Some("Europe/London")),
            ("America/St Johns", Some("America/St_Johns")),
            ("America/Ottawa", None),
            ("America/Calgary", None),
            ("America/Rom", None),
            ("Nowhere/Atall", None),
            ("", None),
        ] {
            let said = no_such_zone(name);
            let named = said.split_once("did you mean ").map(|(_, zone)| zone.trim_end_matches('?'));
            assert_eq!(named, meant, "{name}");
        }
    }
}
