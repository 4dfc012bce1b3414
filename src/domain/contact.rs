//! Whom a clinic's members ask: what counts as a telephone number, and where the links of a page lead that write or call.

use super::second_factor::percent_encoded;

/// A telephone number as people write it, with an extension or without: `+1 416-555-0199 ext. 12`. Of the signs of a keyboard alone,
/// so nothing in it is invisible. A regular expression of RE2, for the CRD.
pub const PHONE: &str = "^[+(]?[0-9][0-9 ()./-]+[0-9)]( (ext[.]?|x|poste) ?[0-9]{1,6})?$";
/// Characters of a telephone number.
pub const LONGEST_PHONE: usize = 40;

/// Where a link leads that writes to an address (RFC 6068).
pub fn mailto(email: &str) -> String {
    let (name, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    format!("mailto:{}@{}", percent_encoded(name), percent_encoded(domain))
}

/// Where a link leads that calls a number (RFC 3966), of several the first; the extension is for the reader, since few telephones dial it.
pub fn tel(phone: &str) -> String {
    let first = phone.split(" / ").next().unwrap_or_default();
    let number = first.split(|character: char| character.is_ascii_alphabetic()).next().unwrap_or_default();
    let dialled = number.chars().filter(|character| character.is_ascii_digit() || *character == '+');
    format!("tel:{}", dialled.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_dialled_without_what_makes_it_readable() {
        for (phone, expected) in [
            ("416-555-0199", "tel:4165550199"),
            ("+1 (416) 555.0199", "tel:+14165550199"),
            ("416 555-0199 ext. 12", "tel:4165550199"),
            ("418 555-0142 poste 3", "tel:4185550142"),
            ("418/555-0142 / 0143", "tel:4185550142"),
        ] {
            assert_eq!(tel(phone), expected);
        }
    }

    #[test]
    fn an_address_is_one_recipient_and_no_question() {
        assert_eq!(mailto("office@maple.example"), "mailto:office@maple.example");
        assert_eq!(mailto("a?cc=b&c%d@maple.example"), "mailto:a%3Fcc%3Db%26c%25d@maple.example");
    }
}
