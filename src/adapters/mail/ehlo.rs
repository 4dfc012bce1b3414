//! The name that the mailer gives itself in EHLO (RFC 5321 §4.1.1.1): what is configured, else the host's own, else the sender's
//! domain. Relays refuse a client without a name in DNS, and a pod has none. Read by `config`, said by `smtp`.

use std::{fmt, net::Ipv4Addr, net::Ipv6Addr};

use lettre::Address;
use serde::Deserialize;

use crate::domain::host::{LONGEST_NAME, is_label};

/// Where the kernel keeps the name of this host. A container has a name of its own.
const NAME_OF_THIS_HOST: &str = "/proc/sys/kernel/hostname";
/// Last labels that no DNS server outside knows (RFC 6761, RFC 6762, ICANN's `internal`), a cluster's `svc.cluster.local` among them.
const PRIVATE: [&str; 11] =
    ["arpa", "corp", "home", "internal", "invalid", "lan", "local", "localdomain", "localhost", "private", "test"];

/// A host name, or an address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EhloName(String);

/// What [`EhloName::parse`] takes, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Self::RIGHT)]
pub struct InvalidEhloName;

impl InvalidEhloName {
    /// What is right, for whoever wrote something else.
    pub const RIGHT: &str = "must be a host name such as mail.maple.example, or an address in brackets such as [192.0.2.7] or \
                             [IPv6:2001:db8::7]";
}

impl EhloName {
    /// A host name, or an address literal (RFC 5321 §4.1.3).
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidEhloName> {
        let is_literal = |inside: &str| match inside.strip_prefix("IPv6:") {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => inside.parse::<Ipv4Addr>().is_ok(),
        };
        let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let fits = inside.map_or_else(|| is_host_name(text), is_literal);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidEhloName) }
    }

    /// Where none is configured: the name of this host if others may know it, else the domain of the sender.
    pub fn default_for(sender: &Address) -> Self {
        let host = std::fs::read_to_string(NAME_OF_THIS_HOST).unwrap_or_default();
        Self::of(host.trim(), sender)
    }

    fn of(host: &str, sender: &Address) -> Self {
        Self::of_host(host).unwrap_or_else(|| Self(sender.domain().to_owned()))
    }

    /// `None` unless it is fully qualified and of a domain that is not private.
    fn of_host(name: &str) -> Option<Self> {
        let (_, domain) = name.split_once('.')?;
        let last = domain.rsplit('.').next()?.to_ascii_lowercase();
        if PRIVATE.contains(&last.as_str()) || !is_host_name(name) { None } else { Some(Self(name.to_owned())) }
    }
}

impl TryFrom<String> for EhloName {
    type Error = InvalidEhloName;

    fn try_from(text: String) -> Result<Self, InvalidEhloName> {
        Self::parse(&text)
    }
}

impl fmt::Display for EhloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Labels between dots. What ends in a number is an address without its brackets.
fn is_host_name(text: &str) -> bool {
    let ends_in_a_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= LONGEST_NAME && text.split('.').all(is_label) && !ends_in_a_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_host_or_an_address_in_brackets() {
        let long = format!("{}.example", "a".repeat(64));
        for (text, fits) in [
            ("mail.maple.example", true),
            ("MAIL-2.maple.example", true),
            ("xn--rable-9ua.example", true),
            ("[192.0.2.7]", true),
            ("[IPv6:2001:db8::7]", true),
            ("", false),
            (" ", false),
            ("192.0.2.7", false),
            ("2001:db8::7", false),
            ("[2001:db8::7]", false),
            ("[IPv6:192.0.2.7]", false),
            ("[]", false),
            ("mail.maple.example.", false),
            ("mail..example", false),
            ("-mail.example", false),
            ("mail_2.maple.example", false),
            ("mail.érable.example", false),
            ("mail.maple.example\r\nMAIL FROM:<x@y.example>", false),
            ("mail maple", false),
            (&long, false),
        ] {
            assert_eq!(EhloName::parse(text).is_ok(), fits, "{text:?}");
        }
    }

    #[test]
    fn the_name_of_a_host_counts_where_others_may_know_it() {
        for (host, counts) in [
            ("mail.maple.example", true),
            ("maple-clinic-operator-controller-7d5c9b-x2x4z", false),
            ("controller-0.maple.svc.cluster.local", false),
            ("laptop.localdomain", false),
            ("node.c.project.Internal", false),
            ("10.1.2.3", false),
            ("", false),
        ] {
            assert_eq!(EhloName::of_host(host).is_some(), counts, "{host}");
        }
        let sender: Address = "no-reply@maple.example".parse().unwrap();
        let given = |host| EhloName::of(host, &sender).to_string();
        assert_eq!(given("mail.birch.example"), "mail.birch.example");
        assert_eq!(given("maple-clinic-operator-controller-7d5c9b-x2x4z"), "maple.example");
    }
}
