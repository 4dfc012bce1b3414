//! Values of the configuration files that are more than text or number: each is taken as it can be used, or not at all. What is
//! right is said by the table of its file (`KEYS`), so no function here has words of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use lettre::Address;
use lettre::message::Mailbox;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::adapters::mail::is_host;
use crate::domain::hidden::has_hidden;

/// A value that is there. What is wrong with another one is told by the table.
fn required<'de, T, D: Deserializer<'de>>(deserializer: D, parse: fn(&str) -> Option<T>) -> Result<T, D::Error> {
    parse(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not right"))
}

/// The same where a key may be absent.
fn optional<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse(&text).ok_or_else(|| D::Error::custom("not right"))).transpose()
}

pub(super) fn mailbox<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mailbox, D::Error> {
    required(deserializer, parse_mailbox)
}

pub(super) fn optional_mailbox<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mailbox>, D::Error> {
    optional(deserializer, parse_mailbox)
}

/// A name as people write it, whatever it holds but `@`, `"` and angle brackets, and an ASCII address in angle brackets; or the
/// address alone. lettre reads the beginning of a text and leaves the rest, such as a second address.
fn parse_mailbox(text: &str) -> Option<Mailbox> {
    let text = text.trim();
    let Some((name, address)) = text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) else {
        return Some(Mailbox::new(None, parse_address(text)?));
    };
    let name = name.trim();
    let name = match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => unquoted(quoted)?,
        None if name.contains(['@', '"', '<', '>']) => return None,
        None => name.to_owned(),
    };
    if has_hidden(&name) {
        return None;
    }
    Some(Mailbox::new(Some(name).filter(|name| !name.is_empty()), parse_address(address)?))
}

/// What stands between two quotes, where a backslash takes the next character as it is (RFC 5322 §3.2.4).
fn unquoted(text: &str) -> Option<String> {
    let mut characters = text.chars();
    let mut name = String::new();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => name.push(characters.next()?),
            _ => name.push(character),
        }
    }
    Some(name)
}

/// As it can stand in MAIL FROM without SMTPUTF8.
fn parse_address(text: &str) -> Option<Address> {
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>'));
    if is_plain { text.parse().ok() } else { None }
}

/// The name or IP address of a host, as a certificate can have it.
pub(super) fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    required(deserializer, |text| is_host(text).then(|| text.to_owned()))
}

/// An IP address and a port that others can know.
pub(super) fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let address = SocketAddr::deserialize(deserializer)?;
    if address.port() == 0 { Err(D::Error::custom("no port")) } else { Ok(address) }
}

pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    required(deserializer, parse_path)
}

pub(super) fn optional_host_and_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    optional(deserializer, |text| {
        let (host, port) = text.rsplit_once(':')?;
        let is_right = is_host(host) || text.parse::<SocketAddr>().is_ok();
        (is_right && port.parse::<u16>().is_ok_and(|port| port > 0)).then(|| text.to_owned())
    })
}

pub(super) fn optional_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    optional(deserializer, parse_path)
}

/// A path that is not blank.
fn parse_path(text: &str) -> Option<PathBuf> {
    (!text.trim().is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_taken_as_people_write_it_and_whole_or_not_at_all() {
        for (text, expected) in [
            ("desk@maple.example", Some((None, "desk@maple.example"))),
            (" <desk@maple.example> ", Some((None, "desk@maple.example"))),
            ("Maple Clinic <desk@maple.example>", Some((Some("Maple Clinic"), "desk@maple.example"))),
            ("Maple Clinic, Toronto <desk@maple.example>", Some((Some("Maple Clinic, Toronto"), "desk@maple.example"))),
            ("Dr. Roy (Maple) <desk@maple.example>", Some((Some("Dr. Roy (Maple)"), "desk@maple.example"))),
            ("Clinique de l'Érable <desk@maple.example>", Some((Some("Clinique de l'Érable"), "desk@maple.example"))),
            (
                r#""Maple, \"the\" Clinic" <desk@maple.example>"#,
                Some((Some("Maple, \"the\" Clinic"), "desk@maple.example")),
            ),
            (r#""desk @ maple" <desk@maple.example>"#, Some((Some("desk @ maple"), "desk@maple.example"))),
            ("desk@érable.example", None),
            ("désk@maple.example", None),
            ("Maple <desk@érable.example>", None),
            ("desk@maple.example, boss@maple.example", None),
            ("desk@maple.example, Boss <boss@maple.example>", None),
            ("Maple <desk@maple.example> x", None),
            ("Maple <desk@maple.example>>", None),
            ("Maple desk@maple.example", None),
            (r#""Maple" Clinic" <desk@maple.example>"#, None),
            (r#""Maple\" <desk@maple.example>"#, None),
            ("Maple\u{2060} <desk@maple.example>", None),
            ("\"\u{3164}\" <desk@maple.example>", None),
            ("Maple <>", None),
            ("nobody", None),
            ("", None),
        ] {
            let expected = expected.map(|(name, email)| (name.map(str::to_owned), email.to_owned()));
            let parsed = parse_mailbox(text).map(|mailbox| (mailbox.name, mailbox.email.to_string()));
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
