//! What a letter needs to know, and why one cannot be a mail. Neither its words nor its bytes live here.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};
use lettre::message::Mailbox;
use secrecy::SecretString;

use crate::{
    api::clinic::{ClinicContact, TwoFactor},
    domain::member::Locale,
};

/// What a mail needs to know, and no more. Debug shows neither address nor link.
pub struct Letter<'a> {
    /// Header From: the relay's mailbox, and the clinic's name where it has none.
    pub from: &'a Mailbox,
    /// Where an answer goes; none: to `from`.
    pub reply_to: Option<&'a Mailbox>,
    /// The one recipient, as typed.
    pub to: &'a str,
    /// `<unique@domain>` (RFC 5322 §3.6.4), written ahead, the same for each copy.
    pub message_id: &'a str,
    /// Written ahead, the same for each copy. Header Date has whole seconds.
    pub date: Timestamp,
    /// The reader's language.
    pub locale: Locale,
    /// The clinic as its people call it.
    pub clinic_name: &'a str,
    /// Whom to ask, where the clinic says so.
    pub contact: Option<&'a ClinicContact>,
    /// What it is about.
    pub content: Content<'a>,
}

/// The kinds of letter; each has its own template per language.
pub enum Content<'a> {
    /// To set up an account.
    Invitation(Invitation<'a>),
    /// To confirm a changed address.
    EmailConfirmation(EmailConfirmation<'a>),
    /// To tell the old address about the change.
    EmailChangeNotice(EmailChangeNotice<'a>),
}

/// What a confirmation says.
pub struct EmailConfirmation<'a> {
    /// As the manifest spells it, if it does.
    pub first_name: Option<&'a str>,
    /// Absolute http(s) URL, for this reader only.
    pub link: &'a SecretString,
    /// When the link ends to work.
    pub expires: Timestamp,
    /// The clinic's zone, in which `expires` is told.
    pub zone: &'a TimeZone,
    /// Whether an earlier confirmation was mailed.
    pub occasion: Occasion,
}

/// What a notice says.
pub struct EmailChangeNotice<'a> {
    /// As the manifest spells it, if it does.
    pub first_name: Option<&'a str>,
}

/// What an invitation says.
pub struct Invitation<'a> {
    /// As the manifest spells it, if it does.
    pub first_name: Option<&'a str>,
    /// Absolute http(s) URL, for this reader only.
    pub link: &'a SecretString,
    /// When the link ends to work.
    pub expires: Timestamp,
    /// The clinic's zone, in which `expires` is told.
    pub zone: &'a TimeZone,
    /// Whether two-factor authentication is advised or demanded before the first sign-in.
    pub two_factor: TwoFactor,
    /// Whether an earlier invitation was mailed.
    pub occasion: Occasion,
}

/// Whether the reader has an earlier invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The first one.
    First,
    /// A new round: the links of the earlier ones are dead.
    Again,
}

impl fmt::Debug for Letter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("locale", &self.locale).finish_non_exhaustive()
    }
}

/// Why a letter cannot be a mail. Permanent: the same letter will fail again. None quotes what it complains about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Not one ASCII address.
    #[error("failed to render a mail: the recipient is not an address")]
    Recipient,
    /// Not `<unique@domain>`.
    #[error("failed to render a mail: the Message-ID is malformed")]
    MessageId,
    /// Not an absolute http(s) URL, or one with characters that need escaping.
    #[error("failed to render a mail: the link is malformed")]
    Link,
    /// Before 1970 or after 9999, which header Date cannot say.
    #[error("failed to render a mail: the date is out of range")]
    Date,
    /// A template of ours is wrong.
    #[error("failed to render a mail: {0}")]
    Template(String),
    /// A header of ours is missing or doubled.
    #[error("failed to render a mail: its headers are incomplete")]
    Headers,
}
