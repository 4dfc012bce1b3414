//! A letter as the bytes that go on the wire: headers, two alternative texts, nothing that a reader's program would fetch
//! or report. The same letter gives the same bytes, for a second copy must be the same mail (I2). Sends nothing.

use std::{fmt, time::SystemTime};

use lettre::{
    Address, Message,
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};

use super::letter::{Letter, RenderError};
use super::wording::{clinic, language, one_line, wording};

/// `=_` occurs in neither quoted-printable nor base64 (RFC 2045 §6.7), so no part can hold it.
const BOUNDARY: &str = "=_clinic-operator-alternative_=";

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
        .from(from(letter))
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

/// Who sends it: the name of the setting, or else the clinic's.
fn from(letter: &Letter<'_>) -> Mailbox {
    let named = with_plain_name(letter.from);
    let name = named.name.or_else(|| Some(clinic(letter)).filter(|name| !name.is_empty()));
    Mailbox::new(name, named.email)
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
