//! Who is to blame when a mail did not leave, and how long to wait before the next try: DESIGN.md §7 as code. Knows the
//! stages of an SMTP dialogue (RFC 5321) and the codes of its replies; never a socket, a clock or what a server wrote.

use std::fmt;

use jiff::SignedDuration;

/// How far a delivery had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// What went wrong at a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server said no: 4xx or 5xx.
    Reply(Reply),
    /// No such host, refused, no route.
    Unreachable,
    /// The connection ended.
    Disconnected,
    /// The stage's time was up.
    TimedOut,
    /// The handshake failed: certificate, name, version.
    Tls,
    /// The server does not offer what we insist on: STARTTLS, or an AUTH mechanism that we speak.
    NotOffered,
    /// The server does not speak SMTP, or gave an answer that means nothing here.
    Malformed,
    /// A file of ours cannot be read: its name and the kind of error, never its content.
    Unreadable(String),
    /// The recipient is not an ASCII address, so it never went on the wire.
    InvalidAddress,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => write!(f, "the server answered {reply}"),
            Self::Unreachable => f.write_str("the server cannot be reached"),
            Self::Disconnected => f.write_str("the connection was lost"),
            Self::TimedOut => f.write_str("the server did not answer in time"),
            Self::Tls => f.write_str("no trusted TLS connection could be made"),
            Self::NotOffered => f.write_str("the server does not offer it"),
            Self::Malformed => f.write_str("the server's answer made no sense"),
            Self::Unreadable(file) => write!(f, "failed to read {file}"),
            Self::InvalidAddress => f.write_str("the recipient is not an address that can be mailed"),
        }
    }
}

/// Who must act before the mail can leave (DESIGN.md §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Our relay, our credentials or our standing with it: the queue stops.
    Mailer,
    /// The recipient's address: this member is `Undeliverable`.
    Address,
    /// Nobody: try again after [`back_off`].
    Nobody,
    /// It may have been delivered: wait, then send a copy.
    Unknown,
}

/// The table of DESIGN.md §7, read from the top: the first row that applies.
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
        Failure::Reply(reply) if is_quota(*reply) => Fault::Mailer,
        Failure::Reply(reply) => match (reply.code, reply.enhanced) {
            (500..=599, Some((5, 7, _))) => Fault::Mailer,
            (500..=599, Some((5, 2, 2))) => Fault::Nobody,
            (500..=599, _) => Fault::Address,
            _ => Fault::Nobody,
        },
        Failure::InvalidAddress => Fault::Address,
        Failure::Tls | Failure::NotOffered | Failure::Unreadable(_) => Fault::Mailer,
        Failure::Unreachable | Failure::Disconnected | Failure::TimedOut | Failure::Malformed => Fault::Nobody,
    }
}

/// `None`: the server gave no verdict.
fn of_content(failure: &Failure) -> Option<Fault> {
    match failure {
        Failure::Reply(reply) if is_quota(*reply) => Some(Fault::Mailer),
        Failure::Reply(reply) => match reply.code {
            500..=599 => Some(Fault::Mailer),
            400..=499 => Some(Fault::Nobody),
            _ => None,
        },
        Failure::Unreachable
        | Failure::Disconnected
        | Failure::TimedOut
        | Failure::Tls
        | Failure::NotOffered
        | Failure::Malformed
        | Failure::Unreadable(_)
        | Failure::InvalidAddress => None,
    }
}

/// Our quota with the relay, not a recipient's full mailbox (5.2.2): "mail system congestion" (x.4.5, which relays use
/// for a sender's daily limit) and "mail system full" (5.3.1), RFC 3463 §3.5 and §3.4.
fn is_quota(reply: Reply) -> bool {
    matches!(reply.enhanced, Some((4 | 5, 4, 5) | (5, 3, 1)))
}

/// The longest wait of [`back_off`].
pub const LONGEST_BACK_OFF: SignedDuration = SignedDuration::from_mins(60);

/// How long to wait after that many failures in a row (1 for the first): 1 minute, doubled each time, at most 60.
pub fn back_off(failures: u32) -> SignedDuration {
    let minutes = 1_i64 << failures.saturating_sub(1).min(6);
    SignedDuration::from_mins(minutes).min(LONGEST_BACK_OFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failures without a verdict of the server.
    fn without_verdict() -> [Failure; 5] {
        [Failure::Unreachable, Failure::Disconnected, Failure::TimedOut, Failure::Malformed, reply("250")]
    }

    fn reply(line: &str) -> Failure {
        let (code, text) = line.split_once(' ').unwrap_or((line, ""));
        Failure::Reply(Reply::parse(code.parse().unwrap_or(0), text))
    }

    const REPLIES: [&str; 19] = [
        "421",
        "421 4.7.0",
        "450 4.2.1",
        "451 4.7.1",
        "452 4.2.2",
        "452 4.3.1",
        "452 4.4.5",
        "535 5.7.8",
        "550",
        "550 5.1.1",
        "550 5.1.10",
        "550 5.4.5",
        "550 5.7.1",
        "551",
        "552 5.2.2",
        "552 5.3.1",
        "553 5.1.3",
        "554",
        "554 5.6.0",
    ];

    #[test]
    fn before_the_recipient_is_named_everything_is_the_mailers_fault() {
        let stages = &Stage::ALL[..6];
        assert_eq!(stages.last(), Some(&Stage::MailFrom));
        for stage in stages {
            for failure in without_verdict().into_iter().chain(REPLIES.map(reply)).chain([
                Failure::Tls,
                Failure::NotOffered,
                Failure::Unreadable("password".into()),
            ]) {
                assert_eq!(whose_fault(*stage, &failure), Fault::Mailer, "{stage:?} {failure:?}");
            }
        }
    }

    /// One letter a reply of `REPLIES`: Mailer, Address, Nobody.
    #[test]
    fn a_reply_is_blamed_as_the_table_says() {
        for (stage, faults) in [
            (Stage::RcptTo, "NNNNNNMMAAAMMANMAAA"),
            (Stage::Data, "NNNNNNMMMMMMMMMMMMM"),
            (Stage::Content, "NNNNNNMMMMMMMMMMMMM"),
            (Stage::AfterDot, "NNNNNNMMMMMMMMMMMMM"),
        ] {
            assert_eq!(faults.len(), REPLIES.len());
            for (line, letter) in REPLIES.into_iter().zip(faults.chars()) {
                let expected = match letter {
                    'M' => Fault::Mailer,
                    'A' => Fault::Address,
                    _ => Fault::Nobody,
                };
                assert_eq!(whose_fault(stage, &reply(line)), expected, "{stage:?} {line}");
            }
        }
    }

    #[test]
    fn no_verdict_is_nobodys_fault_before_the_dot_and_unknown_after_it() {
        for failure in without_verdict() {
            for stage in [Stage::RcptTo, Stage::Data, Stage::Content] {
                assert_eq!(whose_fault(stage, &failure), Fault::Nobody, "{stage:?} {failure:?}");
            }
            assert_eq!(whose_fault(Stage::AfterDot, &failure), Fault::Unknown, "{failure:?}");
        }
        assert_eq!(whose_fault(Stage::AfterDot, &Failure::Tls), Fault::Unknown, "a copy may have left");
    }

    #[test]
    fn an_address_that_cannot_be_mailed_is_the_addresss_fault() {
        assert_eq!(whose_fault(Stage::RcptTo, &Failure::InvalidAddress), Fault::Address);
    }

    #[test]
    fn the_enhanced_code_is_read_from_the_first_word_only() {
        for (code, text, shown) in [
            (550, "5.1.1 <zoe@people.example>: unknown", "550 5.1.1"),
            (550, "5.1.1", "550 5.1.1"),
            (550, "5.7.509 Access denied", "550 5.7.509"),
            (550, "No such user zoe@people.example", "550"),
            (550, "4.2.2 class contradicts the code", "550"),
            (550, "see 5.1.1", "550"),
            (550, "5.1.1.1 x", "550"),
            (550, "5.1 x", "550"),
            (550, "5..1 x", "550"),
            (550, "5.+1.1 x", "550"),
            (550, "5.1.1234 x", "550"),
            (550, "5.1.1: x", "550"),
            (250, "2.0.0 queued as 4F3A", "250 2.0.0"),
            (550, "", "550"),
        ] {
            assert_eq!(Reply::parse(code, text).to_string(), shown, "{code} {text}");
        }
    }

    #[test]
    fn the_wait_doubles_from_one_minute_to_an_hour() {
        let minutes = [0, 1, 2, 3, 4, 5, 6, 7, 8, u32::MAX].map(|n| back_off(n).as_mins());
        assert_eq!(minutes, [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
