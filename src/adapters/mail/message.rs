//! A letter as the bytes that go on the wire: headers, two alternative texts, nothing that a reader's program would fetch
//! or report. The same letter gives the same bytes, for a second copy must be the same mail (I2). Sends nothing.

use std::{fmt, time::SystemTime};

use jiff::{Timestamp, tz::TimeZone};
use lettre::{
    Address, Message,
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use secrecy::SecretString;

use super::wording::{language, one_line, wording};
use crate::{api::clinic::TwoFactor, domain::member::Locale};

/// `=_` occurs in neither quoted-printable nor base64 (RFC 2045 §6.7), so no part can hold it.
const BOUNDARY: &str = "=_clinic-operator-alternative_=";

/// What a mail needs to know, and no more. Debug shows neither address nor link.
pub struct Letter<'a> {
    /// Header From; the relay's mailbox.
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
    /// What it is about.
    pub content: Content<'a>,
}

/// The kinds of letter; each has its own template per language.
pub enum Content<'a> {
    /// To set up an account.
    Invitation(Invitation<'a>),
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
    /// Whether two-factor authentication is advised or demanded before the first login.
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

/// A mail, ready for `deliver`. Debug shows its size only, for it holds address and link.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedMail {
    bytes: Vec<u8>,
}

impl RenderedMail {
    /// RFC 5322 message, 7-bit, lines ending with CRLF.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for RenderedMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RenderedMail({} bytes)", self.bytes.len())
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

/// The letter as a mail. Pure: no clock, no randomness.
pub fn render(letter: &Letter<'_>) -> Result<RenderedMail, RenderError> {
    let to: Address = letter.to.parse().map_err(|_| RenderError::Recipient)?;
    if !letter.to.is_ascii() {
        return Err(RenderError::Recipient);
    }
    if !is_message_id(letter.message_id) {
        return Err(RenderError::MessageId);
    }
    let seconds = letter.date.as_second();
    if !(0..=LAST_SECOND).contains(&seconds) {
        return Err(RenderError::Date);
    }
    let words = wording(letter)?;
    let mut message = Message::builder()
        .date(SystemTime::from(letter.date))
        .from(with_plain_name(letter.from))
        .to(Mailbox::new(None, to))
        .subject(words.subject)
        .message_id(Some(letter.message_id.to_owned()));
    if let Some(mailbox) = letter.reply_to {
        message = message.reply_to(with_plain_name(mailbox));
    }
    for (name, value) in [
        // RFC 3834 §5, and what Exchange listens to: no out-of-office answers.
        (HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated"),
        (HeaderName::new_from_ascii_str("X-Auto-Response-Suppress"), "All"),
        (HeaderName::new_from_ascii_str("Content-Language"), language(letter.locale)),
    ] {
        message = message.raw_header(HeaderValue::new(name, value.to_owned()));
    }
    let parts = MultiPart::alternative()
        .boundary(BOUNDARY)
        .singlepart(part(ContentType::TEXT_PLAIN, words.plain)?)
        .singlepart(part(ContentType::TEXT_HTML, words.html)?);
    let message = message.multipart(parts).map_err(|_| RenderError::Headers)?;
    Ok(RenderedMail { bytes: message.formatted() })
}

/// 9999-12-31T23:59:59Z, the last second that header Date can say.
const LAST_SECOND: i64 = 253_402_300_799;

/// Quoted-printable whatever the text, so that lines stay short and no relay needs 8BITMIME.
fn part(kind: ContentType, text: String) -> Result<SinglePart, RenderError> {
    let body = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable);
    Ok(SinglePart::builder().header(kind).body(body.map_err(|_| RenderError::Headers)?))
}

fn with_plain_name(mailbox: &Mailbox) -> Mailbox {
    let name = mailbox.name.as_deref().map(|name| one_line(name, usize::MAX)).filter(|name| !name.is_empty());
    Mailbox::new(name, mailbox.email.clone())
}

fn is_message_id(text: &str) -> bool {
    let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let sides = inner.and_then(|inner| inner.split_once('@'));
    let plain = |side: &str| !side.is_empty() && side.bytes().all(|b| b.is_ascii_graphic() && !b"<>@".contains(&b));
    sides.is_some_and(|(left, right)| plain(left) && plain(right))
}
