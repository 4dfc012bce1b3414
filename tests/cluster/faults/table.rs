//! Which fault at which stage is whose, once for the tests and for docs/reliability.md. Never here:
//! how a fault is made, or what the code under test says about it.

use std::fmt::Write as _;
use std::time::Duration;

use super::relay::named;
use crate::support::smtp::{Answer, Stage};

/// What a server does at a stage instead of its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Refusal,
    TemporaryRefusal,
    Silence,
    Drip,
    LostConnection,
    Garbage,
    LateReply,
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    Mailer,
    Address,
    /// Nobody yet: what becomes of other mails shows whether it is the relay or the member.
    Undecided,
    Nobody,
    Unknown,
    /// The one or the other: it depends on whether the end of the connection is seen before the dot is sent.
    NobodyOrUnknown,
    /// The mail is sent all the same.
    None,
}

/// The stages in their order.
pub(super) const STAGES: [Stage; 10] = [
    Stage::Greeting,
    Stage::Ehlo,
    Stage::StartTls,
    Stage::Auth,
    Stage::MailFrom,
    Stage::RcptTo,
    Stage::Data,
    Stage::Content,
    Stage::AfterDot,
    Stage::Quit,
];

use Blame::{Mailer as M, Nobody as N, NobodyOrUnknown as E, None as S, Undecided as D, Unknown as U};

/// One row a fault, one column a stage of [`STAGES`].
pub(super) const TABLE: [(Fault, [Blame; 10]); 7] = [
    (Fault::Refusal, [M, M, M, M, M, D, M, M, M, S]),
    (Fault::TemporaryRefusal, [M, M, M, M, M, D, D, D, D, S]),
    (Fault::Silence, [M, M, M, M, M, N, N, U, U, S]),
    (Fault::Drip, [M, M, M, M, M, N, N, N, U, S]),
    (Fault::LostConnection, [M, M, M, M, M, N, N, E, U, S]),
    (Fault::Garbage, [M, M, M, M, M, N, N, N, U, S]),
    (Fault::LateReply, [S, S, S, S, S, S, S, S, S, S]),
];

/// Replies whose code says more, with those that look alike: who is blamed when one recipient gets it, or several at one domain, while
/// nobody else is mailed, and when everybody does, at two domains; a temporary one at each try for five minutes and more.
pub(super) const CODES: [(Stage, &str, Blame, Blame); 19] = [
    (Stage::RcptTo, "550 5.7.1", M, M),
    (Stage::RcptTo, "550 5.1.8", M, M),
    (Stage::RcptTo, "530 5.5.1", M, M),
    (Stage::RcptTo, "452 4.4.5", M, M),
    (Stage::Data, "452 4.4.5", M, M),
    (Stage::AfterDot, "554 5.6.0", M, M),
    (Stage::RcptTo, "550", D, M),
    (Stage::RcptTo, "550 5.1.90", D, M),
    (Stage::RcptTo, "553 5.6.7", D, M),
    (Stage::RcptTo, "454", D, M),
    (Stage::RcptTo, "454 4.7.1", D, M),
    (Stage::RcptTo, "450 4.7.1", D, M),
    (Stage::RcptTo, "432 4.3.2", D, M),
    (Stage::RcptTo, "421 4.3.2", D, M),
    (Stage::AfterDot, "451 4.7.1", D, M),
    (Stage::RcptTo, "550 5.1.1", Blame::Address, Blame::Address),
    (Stage::RcptTo, "550 5.1.10", Blame::Address, Blame::Address),
    (Stage::RcptTo, "552 5.2.2", N, N),
    (Stage::RcptTo, "452 4.2.2", N, N),
];

/// The codes as docs/reliability.md has them.
pub(super) fn codes_documented() -> String {
    let mut text = String::from(
        "| Reply | at | To one recipient, or several at one domain | To everybody | After the repair, mailed |\n|---|---|---|---|---|\n",
    );
    for (stage, reply, one, all) in CODES {
        let again = if one == Blame::Address { "after an edit or a resend" } else { "by itself" };
        writeln!(text, "| `{reply}` | {} | {} | {} | {again} |", named(stage), one.in_words(), all.in_words())
            .expect("a string takes everything");
    }
    text
}

impl Fault {
    /// What the server does; a reply also says `canary`, as servers quote addresses.
    pub(super) fn answer(self, canary: &str) -> Answer {
        match self {
            Self::Refusal => Answer::Reply(554, format!("5.0.0 <{canary}@maple.example> no")),
            Self::TemporaryRefusal => Answer::Reply(451, format!("4.3.0 <{canary}@maple.example> not now")),
            Self::Silence => Answer::Silence,
            Self::Drip => Answer::Drip,
            Self::LostConnection => Answer::Drop,
            Self::Garbage => Answer::Garbage("HTTP/1.1 400 Bad Request"),
            Self::LateReply => Answer::Delay(Duration::from_millis(1500)),
        }
    }

    /// How the operator tells it.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Refusal => "the server answered 554 5.0.0",
            Self::TemporaryRefusal => "the server answered 451 4.3.0",
            Self::Silence | Self::Drip => "the server did not answer in time",
            Self::LostConnection => "the connection was lost",
            Self::Garbage => "the server's answer made no sense",
            Self::LateReply => "nothing: it is in time",
        }
    }

    /// In the documentation: the fault, and the test that shows it.
    fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Refusal => ("`554 5.0.0`", "a_refusal"),
            Self::TemporaryRefusal => ("`451 4.3.0`", "a_temporary_refusal"),
            Self::Silence => ("silence", "silence"),
            Self::Drip => ("a byte now and then, without end", "a_reply_that_drips"),
            Self::LostConnection => ("the connection breaks", "a_lost_connection"),
            Self::Garbage => ("garbage", "garbage"),
            Self::LateReply => ("a reply that comes late, but in time", "a_reply_that_comes_late"),
        }
    }
}

impl Blame {
    fn in_words(self) -> &'static str {
        match self {
            Self::Mailer => "mailer",
            Self::Address => "address",
            Self::Undecided => "nobody yet",
            Self::Nobody => "nobody",
            Self::Unknown => "unknown",
            Self::NobodyOrUnknown => "nobody or unknown",
            Self::None => "sent",
        }
    }
}

/// The table as docs/reliability.md has it.
pub(super) fn documented() -> String {
    let mut text = String::from(
        "| The relay, at | greeting | EHLO | STARTTLS | AUTH | MAIL | RCPT | DATA | message | after the dot | QUIT | Shown by |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (fault, blames) in TABLE {
        let (what, shown_by) = fault.in_words();
        let cells = blames.map(Blame::in_words).join(" | ");
        writeln!(text, "| {what} | {cells} | `make test ONLY={shown_by}` |").expect("a string takes everything");
    }
    text
}
