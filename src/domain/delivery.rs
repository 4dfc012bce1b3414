//! Who is to blame when a mail did not leave, and how long to wait before the next try (docs/reliability.md). Knows the
//! stages of an SMTP dialogue (RFC 5321) and the codes of its replies; never a socket, a clock or what a server wrote.

use std::fmt;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a delivery had come when it failed; a stage is less than those that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Stage {
    /// Name look-up, TCP, and the TLS handshake where TLS comes before the dialogue.
    Connect,
    /// The server speaks first (220).
    Greeting,
    /// EHLO, also the second one after STARTTLS.
    Ehlo,
    /// The STARTTLS command and its handshake.
    StartTls,
    /// Reading our credentials, AUTH and its challenges.
    Auth,
    /// MAIL FROM.
    MailFrom,
    /// RCPT TO.
    RcptTo,
    /// The DATA command, up to 354.
    Data,
    /// The message, before any byte of the dot that ends it.
    Content,
    /// From the first byte of the dot on: the server may have taken the message.
    AfterDot,
}

impl Stage {
    /// Every stage, in the order of a dialogue.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Greeting,
        Self::Ehlo,
        Self::StartTls,
        Self::Auth,
        Self::MailFrom,
        Self::RcptTo,
        Self::Data,
        Self::Content,
        Self::AfterDot,
    ];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Greeting => "the greeting",
            Self::Ehlo => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::MailFrom => "MAIL FROM",
            Self::RcptTo => "RCPT TO",
            Self::Data => "DATA",
            Self::Content => "the message",
            Self::AfterDot => "the end of the message",
        })
    }
}

/// A reply as far as it may be repeated: its numbers. The text is dropped, since servers quote addresses in it (I7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    /// Three digits, RFC 5321 §4.2.
    pub code: u16,
    /// Class, subject and detail (RFC 3463), where the server gives them.
    pub enhanced: Option<(u8, u16, u16)>,
}

impl Reply {
    /// From the code and the first line's text. An enhanced code whose class contradicts the code counts as none
    /// (RFC 2034 §4: both must agree).
    pub fn parse(code: u16, text: &str) -> Self {
        let enhanced = parse_enhanced(text).filter(|(class, _, _)| u16::from(*class) == code / 100);
        Self { code, enhanced }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        match self.enhanced {
            Some((class, subject, detail)) => write!(f, " {class}.{subject}.{detail}"),
            None => Ok(()),
        }
    }
}

/// `class "." subject "." detail`, then a blank or the end (RFC 2034 §4, RFC 3463 §2).
fn parse_enhanced(text: &str) -> Option<(u8, u16, u16)> {
    let word = text.split([' ', '\t']).next()?;
    let mut numbers = word.split('.').map(|digits| {
        let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if plain { digits.parse::<u16>().ok() } else { None }
    });
    let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
    match (class, numbers.next()) {
        (2 | 4 | 5, None) => Some((u8::try_from(class).ok()?, subject, detail)),
        _ => None,
    }
}

/// What went wrong where the server gave no verdict, in a word that the ledger keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Cause {
    /// No such host, refused, no route.
    Unreachable,
    /// The connection ended.
    Disconnected,
    /// The stage's time was up.
    TimedOut,
    /// The handshake failed otherwise: version, ciphers, or what version 0.1 did not tell apart.
    Tls,
    /// The server answers the handshake with something else, such as a greeting in the clear.
    NotTls,
    /// The certificate's last day is over.
    CertificateExpired,
    /// The certificate's first day is still to come.
    CertificateNotYetValid,
    /// The certificate has names, and `mail.host` is none of them.
    CertificateOfOtherName,
    /// The certificate has no subjectAltName that a host could have.
    CertificateWithoutName,
    /// No authority that is trusted signed the certificate.
    CertificateOfUnknownAuthority,
    /// The server shows an authority's own certificate, and `mail.caFile` does not hold this very one.
    CertificateOfAuthority,
    /// The server does not offer what we insist on: STARTTLS, or an AUTH mechanism that we speak.
    NotOffered,
    /// The server does not speak SMTP, or gave an answer that means nothing here.
    Malformed,
    /// The files of `mail.credentials` cannot be read.
    UnreadableCredentials,
    /// The authorities to trust cannot be read: `mail.caFile`, or the platform's.
    UnreadableAuthorities,
    /// The recipient is not an ASCII address, so it never went on the wire.
    InvalidAddress,
    /// No mail could be made of our configuration, so nothing went on the wire.
    NotRendered,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the server cannot be reached",
            Self::Disconnected => "the connection was lost",
            Self::TimedOut => "the server did not answer in time",
            Self::Tls => "no trusted TLS connection could be made; the log says why",
            Self::NotTls => "the server does not speak TLS here; mail.port and mail.tls do not belong together",
            Self::CertificateExpired => "the server's certificate has expired",
            Self::CertificateNotYetValid => "the server's certificate is not valid yet, or the clock of this host is wrong",
            Self::CertificateOfOtherName => "the server's certificate is for other names than mail.host; the log has them",
            Self::CertificateWithoutName => "the server's certificate has no name of a host (subjectAltName)",
            Self::CertificateOfUnknownAuthority => {
                "the server's certificate is of an authority that is not trusted; mail.caFile names those to trust"
            }
            Self::CertificateOfAuthority => {
                "the server shows the certificate of an authority (CA:TRUE), and mail.caFile does not hold this very one"
            }
            Self::NotOffered => "the server does not offer it",
            Self::Malformed => "the server's answer made no sense",
            Self::UnreadableCredentials => "failed to read the files of mail.credentials; the log says why",
            Self::UnreadableAuthorities => "failed to read the authorities to trust (mail.caFile); the log says why",
            Self::InvalidAddress => "the recipient is not an address that can be mailed",
            Self::NotRendered => "no mail could be made of the configuration",
        })
    }
}

/// What went wrong at a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server said no: 4xx or 5xx.
    Reply(Reply),
    /// A file of ours cannot be read: which, and for the log its name and the kind of error, never its content.
    Unreadable(Cause, String),
    /// Anything else.
    Other(Cause),
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self::Other(cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => write!(f, "the server answered {reply}"),
            Self::Unreadable(_, file) => write!(f, "failed to read {file}"),
            Self::Other(cause) => cause.fmt(f),
        }
    }
}

/// A delivery that did not end with the relay taking the message, or of which that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to deliver at {stage}: {failure}")]
pub struct Undelivered {
    /// How far it came.
    pub stage: Stage,
    /// What went wrong there.
    pub failure: Failure,
}

impl Undelivered {
    /// Who must act (docs/reliability.md).
    pub fn fault(&self) -> Fault {
        whose_fault(self.stage, &self.failure)
    }

    /// As the ledger keeps it.
    pub fn trouble(&self) -> Trouble {
        let (cause, code) = match &self.failure {
            Failure::Reply(reply) => (None, Some(reply.to_string())),
            Failure::Unreadable(cause, _) | Failure::Other(cause) => (Some(*cause), None),
        };
        Trouble { stage: Some(self.stage), cause, code }
    }
}

/// Where and why an attempt failed, as far as the ledger keeps it: what a status tells must be the same after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// How far it came; `None`: nothing went on the wire.
    pub stage: Option<Stage>,
    /// What went wrong, where the server gave no verdict.
    pub cause: Option<Cause>,
    /// The server's code, such as `550 5.1.1`.
    pub code: Option<String>,
}

impl Trouble {
    /// Who must act; `None`: it tells nothing.
    pub fn fault(&self) -> Option<Fault> {
        let failure = self.reply().map(Failure::Reply).or_else(|| self.cause.map(Failure::Other))?;
        self.stage.map(|stage| whose_fault(stage, &failure))
    }

    /// Whether the server refused the recipient, rather than the mail or us.
    pub fn is_of_the_address(&self) -> bool {
        self.fault().is_none_or(|fault| fault == Fault::Address)
    }

    /// Whether the server refused a mail by a reply that other mails must explain: it may be the member's.
    pub fn may_be_the_members(&self) -> bool {
        match self.fault() {
            Some(Fault::Undecided) => true,
            Some(Fault::Mailer) => self.is_a_refusal_of_the_mail(),
            Some(Fault::Address | Fault::Nobody | Fault::Unknown) | None => false,
        }
    }

    /// Whether the server said no for good, rather than for now.
    pub fn is_for_good(&self) -> bool {
        self.reply().is_some_and(|reply| reply.code >= 500)
    }

    /// Whether the server refused this very mail for good after it had let us in: what may lie in the mail or its recipient
    /// as well as in us. A quota is ours.
    pub fn is_a_refusal_of_the_mail(&self) -> bool {
        let is_of_it = |reply: Reply| reply.code >= 500 && !is_quota(reply) && !is_about_us(reply);
        !self.is_before_the_recipient() && self.reply().is_some_and(is_of_it)
    }

    /// Whether a server that comes to speak of a recipient shows that this is over.
    pub fn is_before_the_recipient(&self) -> bool {
        self.stage.is_some_and(|stage| stage < Stage::RcptTo)
    }

    fn reply(&self) -> Option<Reply> {
        let (code, text) = self.code.as_deref().map(|code| code.split_once(' ').unwrap_or((code, "")))?;
        Some(Reply::parse(code.parse().ok()?, text))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to deliver")?;
        if let Some(stage) = self.stage {
            write!(f, " at {stage}")?;
        }
        match (&self.code, self.cause) {
            (Some(code), _) => write!(f, ": the server answered {code}"),
            (None, Some(cause)) => write!(f, ": {cause}"),
            (None, None) => Ok(()),
        }
    }
}

/// Who must act before the mail can leave (docs/reliability.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Our relay, our credentials or our standing with it: the queue stops.
    Mailer,
    /// The recipient's address: this member is `Undeliverable`.
    Address,
    /// The relay's or this member's: what becomes of other mails shows which (`mailer`). Until then as if it were nobody's.
    Undecided,
    /// Nobody: try again after [`back_off`].
    Nobody,
    /// It may have been delivered: wait, then send a copy.
    Unknown,
}

/// As the tables of docs/reliability.md have it for one recipient.
pub fn whose_fault(stage: Stage, failure: &Failure) -> Fault {
    match stage {
        Stage::Connect | Stage::Greeting | Stage::Ehlo | Stage::StartTls | Stage::Auth | Stage::MailFrom => {
            Fault::Mailer
        }
        Stage::RcptTo => of_recipient(failure),
        Stage::Data | Stage::Content => of_content(failure).unwrap_or(Fault::Nobody),
        Stage::AfterDot => of_content(failure).unwrap_or(Fault::Unknown),
    }
}

fn of_recipient(failure: &Failure) -> Fault {
    match failure {
        Failure::Reply(reply) if is_quota(*reply) || is_about_us(*reply) => Fault::Mailer,
        Failure::Reply(reply) => match reply.enhanced {
            Some((5, 7, _)) => Fault::Mailer,
            Some((5, 1, 1 | 3 | 6 | 10)) => Fault::Address,
            Some((4 | 5, 2, 2)) => Fault::Nobody,
            _ if reply.code >= 400 => Fault::Undecided,
            _ => Fault::Nobody,
        },
        Failure::Other(Cause::InvalidAddress) => Fault::Address,
        Failure::Unreadable(..)
        | Failure::Other(
            Cause::Tls
            | Cause::NotTls
            | Cause::CertificateExpired
            | Cause::CertificateNotYetValid
            | Cause::CertificateOfOtherName
            | Cause::CertificateWithoutName
            | Cause::CertificateOfUnknownAuthority
            | Cause::CertificateOfAuthority
            | Cause::NotOffered
            | Cause::UnreadableCredentials
            | Cause::UnreadableAuthorities
            | Cause::NotRendered,
        ) => Fault::Mailer,
        Failure::Other(Cause::Unreachable | Cause::Disconnected | Cause::TimedOut | Cause::Malformed) => Fault::Nobody,
    }
}

/// `None`: the server gave no verdict.
fn of_content(failure: &Failure) -> Option<Fault> {
    match failure {
        Failure::Reply(reply) if is_quota(*reply) => Some(Fault::Mailer),
        Failure::Reply(reply) => match reply.code {
            500..=599 => Some(Fault::Mailer),
            400..=499 => Some(Fault::Undecided),
            _ => None,
        },
        Failure::Unreadable(..) | Failure::Other(_) => None,
    }
}

/// Our quota with the relay, not a recipient's full mailbox (5.2.2): "mail system congestion" (x.4.5, which relays use
/// for a sender's daily limit) and "mail system full" (5.3.1), RFC 3463 §3.5 and §3.4.
fn is_quota(reply: Reply) -> bool {
    matches!(reply.enhanced, Some((4 | 5, 4, 5) | (5, 3, 1)))
}

/// A refusal at RCPT that is of the sender's address (5.1.7, 5.1.8), of the dialogue (5.5.x, 503) or for want of a sign-in
/// (530), or of our name in EHLO (504): many servers say only then what they hold against the sender.
fn is_about_us(reply: Reply) -> bool {
    match reply.enhanced {
        Some(enhanced) => matches!(enhanced, (5, 1, 7 | 8) | (5, 5, _)),
        None => matches!(reply.code, 503 | 504 | 530),
    }
}

/// The longest wait of [`back_off`].
pub const LONGEST_BACK_OFF: SignedDuration = SignedDuration::from_mins(60);

/// How long to wait after that many failures in a row (1 for the first): 1 minute, doubled each time, at most 60.
pub fn back_off(failures: u32) -> SignedDuration {
    let minutes = 1_i64 << failures.saturating_sub(1).min(6);
    SignedDuration::from_mins(minutes).min(LONGEST_BACK_OFF)
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
