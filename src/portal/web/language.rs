//! In which language a page is shown. Its words never stand here.

use crate::domain::member::Locale;

/// The language of a tag such as `fr` or `fr-CA`; `None`: there are no pages in it.
pub fn of_tag(tag: &str) -> Option<Locale> {
    match tag.split('-').next()?.trim().to_ascii_lowercase().as_str() {
        "en" => Some(Locale::English),
        "fr" => Some(Locale::French),
        _ => None,
    }
}

/// Its tag (RFC 5646).
pub fn tag(locale: Locale) -> &'static str {
    match locale {
        Locale::English => "en",
        Locale::French => "fr",
    }
}

/// The language of the header `Accept-Language` (RFC 9110 §12.5.4) that is wished for most, of those that there are.
pub fn accepted(header: &str) -> Option<Locale> {
    let mut best: Option<(u16, Locale)> = None;
    for part in header.split(',') {
        let mut parameters = part.split(';');
        let Some(locale) = parameters.next().and_then(of_tag) else { continue };
        let quality = parameters.find_map(|parameter| parameter.trim().strip_prefix("q=").map(quality)).unwrap_or(1000);
        if quality > best.map_or(0, |(best, _)| best) {
            best = Some((quality, locale));
        }
    }
    best.map(|(_, locale)| locale)
}

/// In thousandths; what cannot be read is not wished for.
fn quality(text: &str) -> u16 {
    let value: f32 = text.trim().parse().unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (value.clamp(0.0, 1.0) * 1000.0) as u16;
    thousandths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_wished_for_most_of_those_that_there_are() {
        for (header, expected) in [
            ("", None),
            ("de, es;q=0.5", None),
            ("fr-CA,fr;q=0.9,en;q=0.8", Some(Locale::French)),
            ("en;q=0.8, fr;q=0.9", Some(Locale::French)),
            ("EN-us", Some(Locale::English)),
            ("de, en;q=0.1", Some(Locale::English)),
            ("fr;q=0, en;q=0.1", Some(Locale::English)),
            ("fr;q=0", None),
            ("fr;q=x, en;q=NaN", None),
            ("fr;q=9", Some(Locale::French)),
            (",;,fr;;q=1", Some(Locale::French)),
        ] {
            assert_eq!(accepted(header), expected, "{header}");
        }
    }
}
