//! The secret part of a link, and the link made of it. It is drawn for each mail and read back from the link that somebody opens;
//! only its digest is ever stored.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

use super::invitation::Question;

/// The secret part of a link: 256 random bits. Only its digest is ever stored.
pub struct Token(String);

impl Token {
    /// Makes a token of random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(BASE64URL_NOPAD.encode(&random))
    }

    /// The token as it stands in a link that somebody opened.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Hex SHA-256 of the token's text, as the ledger stores it.
    pub fn digest(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.0.as_bytes()))
    }

    /// The link by which the person of `account` answers at the portal `base` (without a slash at its end). All that is secret stands
    /// behind the `#`, which no browser sends: so no proxy's log has it.
    pub fn link(&self, base: &str, question: Question, account: &str) -> String {
        let page = match question {
            Question::Invitation => "invitations",
            Question::Confirmation => "confirmations",
        };
        format!("{base}/{page}#{}", self.code(account))
    }

    /// What the link's reader presents, `<account>.<token>`.
    pub fn code(&self, account: &str) -> String {
        format!("{account}.{}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(redacted)")
    }
}
