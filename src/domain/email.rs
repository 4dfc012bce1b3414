//! Email addresses: the address as typed, the key that makes it unique, and the name of its claim. An address never shows
//! itself in `Debug` and has no `Display` (I7); only `Email::as_str` gives it out. How mail is sent never lives here.

use std::fmt;
use std::ops::Deref;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::host::is_label;

/// Separates these hashes from any other use of SHA-256 over an address.
const CLAIM_PREFIX: &str = "clinic-operator.dev/email-claim:";
/// Bytes of the hash that name a claim: 160 bits.
const CLAIM_BYTES: usize = 20;

/// An address as an object holds it, whether it is one or not. Objects are printed in whole by whoever debugs: this part of
/// them then does not show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawEmail(String);

impl RawEmail {
    /// What follows the `@`, in small letters.
    pub fn domain(&self) -> String {
        self.0.rsplit_once('@').map_or(String::new(), |(_, domain)| domain.to_ascii_lowercase())
    }
}

impl Deref for RawEmail {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RawEmail {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&Email> for RawEmail {
    fn from(email: &Email) -> Self {
        Self(email.0.clone())
    }
}

impl fmt::Debug for RawEmail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RawEmail(redacted)")
    }
}

/// An email address as typed: ASCII, a dot-atom of at most 64 characters before the `@`, a domain name of at least two
/// labels after it, at most 254 characters in all (RFC 5321 section 4.5.3.1, RFC 3696 erratum 1690).
///
/// It cannot be written into a text by accident:
///
/// ```compile_fail,E0277
/// let email = clinic_operator::domain::email::Email::parse("ana@maple.example").unwrap();
/// println!("{email}");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

/// Why a text is not an address that a member can have. The CRD refuses the same texts, in more words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// More than 254 characters.
    #[error("may not be more than 254 bytes")]
    TooLong,
    /// The part before the `@`.
    #[error(
        "the part before the @ must be 1 to 64 plain letters, digits or !#$%&'*+-/=?^_`{{|}}~ with single dots between them"
    )]
    LocalPart,
    /// The part after the `@`.
    #[error(
        "the part after the @ must be a domain name such as clinic.example (write accented domains in their xn-- form)"
    )]
    Domain,
}

impl Email {
    /// Parses an address as the CRD's rules do.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.len() > 254 {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailError::LocalPart)?;
        if !is_dot_atom(local) {
            return Err(EmailError::LocalPart);
        }
        if !is_domain(domain) {
            return Err(EmailError::Domain);
        }
        Ok(Self(text.to_owned()))
    }

    /// The address as typed: mail goes exactly there.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes the address unique: two addresses are the same login exactly if their keys are equal. ASCII lowercase of
    /// the whole; no folding of plus-tags or dots, since only the receiving domain knows what these mean.
    pub fn key(&self) -> EmailKey {
        EmailKey(self.0.to_ascii_lowercase())
    }

    /// The key without a plus-tag. Two members who share it are probably one person twice; nothing is decided by it.
    pub fn untagged(&self) -> EmailKey {
        let EmailKey(key) = self.key();
        let untagged = key.split_once('@').and_then(|(local, domain)| {
            let (name, _) = local.split_once('+').filter(|(name, _)| !name.is_empty())?;
            Some(format!("{name}@{domain}"))
        });
        EmailKey(untagged.unwrap_or(key))
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Email(redacted)")
    }
}

/// Whether two texts are one address, as their keys are compared ([`Email::key`]): only capitals may differ. A record may spell an
/// address as the manifest did before.
pub fn is_the_same_address(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The unique form of an address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailKey(String);

impl EmailKey {
    /// The name of the `EmailClaim` whose existence gives this address to one account.
    pub fn claim(&self) -> ClaimName {
        let mut hash = Sha256::new();
        hash.update(CLAIM_PREFIX.as_bytes());
        hash.update(self.0.as_bytes());
        let mut name = [0; CLAIM_BYTES];
        name.copy_from_slice(&hash.finalize()[..CLAIM_BYTES]);
        ClaimName(name)
    }
}

impl fmt::Debug for EmailKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EmailKey(redacted)")
    }
}

/// The name of a claim: `e-` and the lowercase base32 of 160 bits of a hash of the key. It does not tell the address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimName([u8; CLAIM_BYTES]);

impl ClaimName {
    /// The lowest of all, for lookups in an order.
    pub const FIRST: Self = Self([0; CLAIM_BYTES]);

    /// Reads an object name; `None` if no address can have it.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix("e-")?;
        if encoded.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let bytes = BASE32_NOPAD.decode(encoded.to_ascii_uppercase().as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for ClaimName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "e-{}", BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for ClaimName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

fn is_dot_atom(local: &str) -> bool {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

fn is_domain(domain: &str) -> bool {
    let labels: Vec<&str> = domain.split('.').collect();
    labels.len() >= 2
        && labels.iter().copied().all(is_label)
        && labels
            .last()
            .is_some_and(|last| last.len() >= 2 && last.starts_with(|first: char| first.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_accepted_and_refused_as_the_crd_does() {
        let long_local = format!("{}@maple.example", "a".repeat(65));
        let longest_local = format!("{}@maple.example", "a".repeat(64));
        let long = format!("a@{}.example", "a.".repeat(130));
        for (text, expected) in [
            ("ana@maple.example", Ok(())),
            ("Ana.O'Hara+x@xn--clnica-cva.example", Ok(())),
            (longest_local.as_str(), Ok(())),
            (long_local.as_str(), Err(EmailError::LocalPart)),
            (long.as_str(), Err(EmailError::TooLong)),
            ("", Err(EmailError::LocalPart)),
            ("ana", Err(EmailError::LocalPart)),
            ("@maple.example", Err(EmailError::LocalPart)),
            ("a..b@maple.example", Err(EmailError::LocalPart)),
            ("josé@maple.example", Err(EmailError::LocalPart)),
            ("Ana <ana@maple.example>", Err(EmailError::LocalPart)),
            ("ana@clínica.example", Err(EmailError::Domain)),
            ("ana@localhost", Err(EmailError::Domain)),
            ("ana@maple.example.", Err(EmailError::Domain)),
            ("ana@maple.example\n", Err(EmailError::Domain)),
            ("ana@b@maple.example", Err(EmailError::Domain)),
            ("ana@maple.1example", Err(EmailError::Domain)),
            ("ana@maple.e", Err(EmailError::Domain)),
            ("a@[10.0.0.1]", Err(EmailError::Domain)),
        ] {
            assert_eq!(Email::parse(text).map(drop), expected, "{text:?}");
        }
    }

    #[test]
    fn addresses_that_differ_in_case_only_are_one_login_and_tags_and_dots_are_not_folded() {
        let claim = |text: &str| Email::parse(text).unwrap().key().claim();
        assert_eq!(claim("Ana@Maple.EXAMPLE"), claim("ana@maple.example"));
        assert!(is_the_same_address("Ana@Maple.EXAMPLE", "ana@maple.example"));
        assert_ne!(claim("ana+x@maple.example"), claim("ana@maple.example"));
        assert_ne!(claim("a.na@maple.example"), claim("ana@maple.example"));
    }

    #[test]
    fn a_claim_name_is_stable_reads_back_and_tells_nothing() {
        let claim = Email::parse("ana@maple.example").unwrap().key().claim();
        let name = claim.to_string();
        assert_eq!(name, "e-rmp4qzztybz6g5xv4nnoylqzdtplvz4f");
        assert_eq!(ClaimName::parse(&name), Some(claim));
        for wrong in ["", "e-", "e-abc", "x-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "e-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(ClaimName::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_does_not_show_in_debug_output() {
        let email = Email::parse("canary@maple.example").unwrap();
        assert!(!format!("{email:?} {:?} {:?}", email.key(), email.key().claim()).contains("canary"));
    }
}
