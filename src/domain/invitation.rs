//! Invitations: rounds, their attempts, and what the ledger says about them. The ledger is written before each mail (I2),
//! so everything that a restart must know is read from it here. Sending never lives here.
//!
//! A *round* is one invitation as its reader sees it: one address, one Message-ID, one Date. An *attempt* is one try to
//! hand it to the relay; each carries a link of its own, and all links of the current round work.

use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::delivery::{LONGEST_BACK_OFF, Trouble};
use super::email::{EmailKey, is_the_same_address};
use super::lifecycle::AccessReason;
pub use super::token::Token;

/// How long an attempt without known outcome may still be under way, before another copy may be sent. Longer than the sum
/// of all time limits of a mail dialogue.
pub const OUTCOME_KNOWN_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// How old such an attempt is at most by the wall clock, so that an operator which is started again and again decides at last.
const OUTCOME_GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// How old a write-ahead may be when the dialogue begins (I3): after that somebody may have decided otherwise.
pub const WRITE_AHEAD_VALID: SignedDuration = SignedDuration::from_secs(60);
/// Copies of one round that may be sent without knowing what became of the ones before: the first and two more.
const COPIES_WITHOUT_OUTCOME: usize = 3;
/// Attempts that the ledger keeps whatever became of them.
const ATTEMPTS_KEPT: usize = 8;

/// What a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MailKind {
    /// Asks a person to log in, confirm their information and create a password.
    Invitation,
    /// Asks an accepted member to confirm a changed address; goes to the new one.
    EmailConfirmation,
    /// Tells the old address of an accepted member about the change.
    EmailChangeNotice,
}

impl MailKind {
    /// How somebody must stand to be mailed it (I3): an invitation goes to a member who is to have access and has not accepted yet,
    /// the mails about a changed address to one who has access.
    pub fn goes_to(self) -> AccessReason {
        match self {
            Self::Invitation => AccessReason::NotAccepted,
            Self::EmailConfirmation | Self::EmailChangeNotice => AccessReason::Granted,
        }
    }
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// Written ahead; not known yet, or never, whether it left.
    Sending,
    /// The relay took it (250 after the final dot).
    Sent,
    /// The address was refused, or the mail while others passed, or for a day.
    Refused,
    /// Nobody's fault, or not known whose: try again later.
    Deferred,
    /// The relay or our access to it failed, whoever the mail was for.
    MailerFailed,
    /// Not sent: too late, or no longer right.
    Dropped,
}

impl Outcome {
    /// Whether the mail may have reached the person, so that its link must work while its round lasts.
    pub fn may_have_arrived(self) -> bool {
        match self {
            Self::Sending | Self::Sent => true,
            Self::Refused | Self::Deferred | Self::MailerFailed | Self::Dropped => false,
        }
    }
}

/// One attempt, as the ledger holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Try<'a> {
    /// What it was for.
    pub kind: MailKind,
    /// Its round.
    pub round: u32,
    /// The same for all attempts of a round.
    pub message_id: &'a str,
    /// When it was written ahead.
    pub at: Timestamp,
    /// Until when its link works unless access ends before; `None`: version 0.1 wrote it ahead, and the clinic's validity counts.
    pub valid_until: Option<Timestamp>,
    /// The Date header: `at` of the round's first attempt.
    pub date: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// Where and why it failed, if it did.
    pub trouble: Trouble,
}

/// The ledger of one account.
#[derive(Clone)]
pub struct Ledger<'a> {
    /// The current round, from 1.
    pub round: u32,
    /// The address that this round's mails go to.
    pub address: &'a str,
    /// The resend value that the current round has answered.
    pub resend: Option<&'a str>,
    /// Attempts, oldest first, of this and earlier rounds.
    pub tries: Vec<Try<'a>>,
    /// No mail before this instant.
    pub not_before: Option<Timestamp>,
    /// The hold that keeps the round back, while nobody has released it.
    pub held: Option<&'a str>,
    /// For how long the process that asks has seen the latest attempt without its outcome, on a clock that nobody sets: another
    /// operator's wall clock may differ from its own.
    pub open_for: SignedDuration,
}

/// What is wished for, against which the ledger is read.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// What the person is to be asked by mail; `None`: nothing.
    pub question: Option<Question>,
    /// The address to ask at; `None`: the account has given its address up.
    pub address: Option<&'a str>,
    /// The value of the resend annotation.
    pub resend: Option<&'a str>,
    /// Days for which a link works.
    pub validity_days: u8,
    /// When access ends: no link works longer.
    pub access_until: Option<Timestamp>,
}

/// What a mail with a link asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Will you accept the invitation? To somebody who has not.
    Invitation,
    /// Is this changed address yours? To somebody who accepted and still signs in with another.
    Confirmation,
}

impl Question {
    /// What an account asks of its person: an invitation before it was accepted, a confirmation while the address wished
    /// for is not the login.
    pub fn of(address: Option<&EmailKey>, login: Option<&EmailKey>) -> Option<Self> {
        match (address, login) {
            (None, _) => None,
            (Some(_), None) => Some(Self::Invitation),
            (Some(address), Some(login)) => (address != login).then_some(Self::Confirmation),
        }
    }

    /// The mail that asks.
    pub fn mail(self) -> MailKind {
        match self {
            Self::Invitation => MailKind::Invitation,
            Self::Confirmation => MailKind::EmailConfirmation,
        }
    }
}

/// What the ledger says about the mail that is wished for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no address to write to.
    NoAddress,
    /// The person has answered: nothing is to be asked.
    Settled,
    /// A guard holds the mail back until a person releases it.
    Held {
        /// The hold.
        id: String,
    },
    /// A mail is to be sent.
    Due(Due),
    /// Written ahead; whether it left is known by `until`, or taken as unknown then.
    UnderWay {
        /// When another copy may be sent, by the clock of whoever asks: not to be told.
        until: Timestamp,
        /// Whether no copy follows.
        is_the_last: bool,
    },
    /// It did not get through, which is nobody's fault.
    BackingOff {
        /// When to try.
        until: Timestamp,
        /// Where and why.
        trouble: Trouble,
    },
    /// The relay took the mail.
    Sent {
        /// When it was written ahead.
        at: Timestamp,
        /// When its link stops to work.
        expires: Timestamp,
    },
    /// The relay took the mail, and its link works no more.
    Expired {
        /// When the link stopped to work.
        at: Timestamp,
    },
    /// The address was refused, or the mail while others passed.
    Refused {
        /// Where and why.
        trouble: Trouble,
    },
    /// Three copies may or may not have left; sending more would be guessing.
    Unknown,
}

impl Standing {
    /// The mail that is to be sent, if one is.
    pub fn due(&self) -> Option<&Due> {
        match self {
            Self::Due(due) => Some(due),
            Self::NoAddress
            | Self::Settled
            | Self::Held { .. }
            | Self::UnderWay { .. }
            | Self::BackingOff { .. }
            | Self::Sent { .. }
            | Self::Expired { .. }
            | Self::Refused { .. }
            | Self::Unknown => None,
        }
    }
}

/// The mail that is to be sent next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// What it is for.
    pub kind: MailKind,
    /// Its round; greater than the ledger's if it begins one.
    pub round: u32,
    /// Message-ID and Date of the round's earlier attempts; `None` if it begins the round.
    pub continues: Option<(String, Timestamp)>,
}

/// Reads the ledger.
pub fn standing(ledger: Option<&Ledger<'_>>, wish: &Wish<'_>, now: Timestamp) -> Standing {
    let Some(address) = wish.address else { return Standing::NoAddress };
    let Some(question) = wish.question else { return Standing::Settled };
    let kind = question.mail();
    let Some(ledger) = ledger else { return Standing::Due(Due { kind, round: 1, continues: None }) };
    let standing = if a_new_round_is_wished_for(ledger, kind, address, wish.resend) {
        Standing::Due(Due { kind, round: ledger.round + 1, continues: None })
    } else {
        standing_of_mail(ledger, kind, wish, now)
    };
    match (standing, ledger.held) {
        // What goes on with a round that began before is never held.
        (Standing::Due(due), Some(id)) if due.continues.is_none() => Standing::Held { id: id.to_owned() },
        (standing, _) => standing,
    }
}

/// Reads the ledger for the notice that tells an old address about a change: it follows the confirmation, whatever became
/// of that, once a round.
pub fn notice(confirmation: &Standing, ledger: Option<&Ledger<'_>>, wish: &Wish<'_>, now: Timestamp) -> Standing {
    let is_wished = wish.question == Some(Question::Confirmation);
    match (confirmation, ledger) {
        (
            Standing::Sent { .. } | Standing::Expired { .. } | Standing::Refused { .. } | Standing::Unknown,
            Some(ledger),
        ) if is_wished => standing_of_mail(ledger, MailKind::EmailChangeNotice, wish, now),
        (
            Standing::NoAddress
            | Standing::Settled
            | Standing::Held { .. }
            | Standing::Due(_)
            | Standing::UnderWay { .. }
            | Standing::BackingOff { .. }
            | Standing::Sent { .. }
            | Standing::Expired { .. }
            | Standing::Refused { .. }
            | Standing::Unknown,
            _,
        ) => Standing::Settled,
    }
}

/// How the mail of one kind of the current round stands.
fn standing_of_mail(ledger: &Ledger<'_>, kind: MailKind, wish: &Wish<'_>, now: Timestamp) -> Standing {
    let is_its = |attempt: &&Try<'_>| attempt.round == ledger.round && attempt.kind == kind;
    let tries: Vec<&Try<'_>> = ledger.tries.iter().filter(is_its).collect();
    let Some(last) = tries.last() else {
        return Standing::Due(Due { kind, round: ledger.round, continues: None });
    };
    if let Some(sent) = tries.iter().rev().find(|attempt| attempt.outcome == Outcome::Sent) {
        let expires = link_expires(sent.at, sent.valid_until, wish);
        return if now < expires { Standing::Sent { at: sent.at, expires } } else { Standing::Expired { at: expires } };
    }
    let again =
        Standing::Due(Due { kind, round: ledger.round, continues: Some((last.message_id.to_owned(), last.date)) });
    match last.outcome {
        Outcome::Sending => {
            let unknown = tries.iter().filter(|attempt| attempt.outcome == Outcome::Sending).count();
            let (is_the_last, then) = match unknown {
                ..COPIES_WITHOUT_OUTCOME => (false, again),
                COPIES_WITHOUT_OUTCOME.. => (true, Standing::Unknown),
            };
            let until = given_up_at(last.at, ledger.open_for, is_the_last, now);
            if now < until { Standing::UnderWay { until, is_the_last } } else { then }
        }
        Outcome::Refused => Standing::Refused { trouble: last.trouble.clone() },
        Outcome::Deferred => match ledger.not_before {
            Some(until) if is_waited_for(until, LONGEST_BACK_OFF, now) => {
                Standing::BackingOff { until, trouble: last.trouble.clone() }
            }
            Some(_) | None => again,
        },
        Outcome::MailerFailed | Outcome::Dropped | Outcome::Sent => again,
    }
}

/// When an attempt counts as lost that was written ahead at `at` and has been seen open for so long: ten minutes of that, or an hour
/// after `at`, whichever comes first. After the last copy no mail depends on it, and a restart must not take back what was told: ten
/// minutes after `at`.
fn given_up_at(at: Timestamp, open_for: SignedDuration, is_the_last: bool, now: Timestamp) -> Timestamp {
    let later = |instant: Timestamp, by| instant.saturating_add(by).unwrap_or(Timestamp::MAX);
    let seen = later(now, OUTCOME_KNOWN_WITHIN - open_for.min(OUTCOME_KNOWN_WITHIN));
    let after = if is_the_last { OUTCOME_KNOWN_WITHIN } else { OUTCOME_GIVEN_UP_AFTER };
    seen.min(later(at, after))
}

/// Whether to wait for an instant that was `longest` away at most when it was written. One that is twice as far away was written
/// by a clock that has been set back since, and is not waited for; a little further is another operator's clock.
fn is_waited_for(until: Timestamp, longest: SignedDuration, now: Timestamp) -> bool {
    now < until && until.duration_since(now) <= longest * 2
}

fn a_new_round_is_wished_for(ledger: &Ledger<'_>, kind: MailKind, address: &str, resend: Option<&str>) -> bool {
    let asked_something_else = ledger.tries.iter().any(|attempt| {
        attempt.round == ledger.round && attempt.kind != kind && attempt.kind != MailKind::EmailChangeNotice
    });
    !is_the_same_address(ledger.address, address)
        || (resend.is_some() && resend != ledger.resend)
        || asked_something_else
}

/// When the link of a mail stops to work that was written ahead at `at`: when the ledger says (`valid_until`), or, if version 0.1 wrote
/// it ahead, after the clinic's validity of now; and at the latest when access ends.
pub fn link_expires(at: Timestamp, valid_until: Option<Timestamp>, wish: &Wish<'_>) -> Timestamp {
    let expires = valid_until.unwrap_or_else(|| validity_ends(at, wish.validity_days));
    wish.access_until.map_or(expires, |until| expires.min(until))
}

/// When the validity of a link ends that begins at `at`, by the clinic's days alone.
pub fn validity_ends(at: Timestamp, days: u8) -> Timestamp {
    at.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX)
}

/// Which attempts the ledger keeps, given (round, outcome) of each, oldest first: the last 8, and of the current round all
/// that may have arrived, since their links work.
pub fn attempts_kept(attempts: &[(u32, Outcome)], round: u32) -> Vec<bool> {
    let recent = attempts.len().saturating_sub(ATTEMPTS_KEPT);
    attempts
        .iter()
        .enumerate()
        .map(|(index, (of, outcome))| index >= recent || (*of == round && outcome.may_have_arrived()))
        .collect()
}

/// Longest resend value that is stored as it is, in bytes.
const RESEND_VALUE_KEPT: usize = 64;

/// A resend value as it is stored: only whether it is new matters, so a long one is stored as its SHA-256.
pub fn resend_value(annotation: &str) -> String {
    if annotation.len() <= RESEND_VALUE_KEPT {
        annotation.to_owned()
    } else {
        HEXLOWER.encode(&Sha256::digest(annotation.as_bytes()))
    }
}

#[cfg(test)]
#[path = "invitation_tests.rs"]
mod tests;
