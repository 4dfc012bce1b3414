//! How the ledger is written: the write-ahead before a mail and its outcome after it. Pure; both are patches of the `delivery`
//! block that the mailer makes with the resourceVersion of what it read.

use jiff::{SignedDuration, Timestamp};

use crate::api::account::{Attempt, ClinicAccountSpec, Delivery};
use crate::domain::delivery::{LONGEST_BACK_OFF, Trouble, back_off};
use crate::domain::invitation::{Due, MailKind, Outcome, attempts_kept};
use crate::domain::rounds::remembered;

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// The outcome.
    pub outcome: Outcome,
    /// Where and why it failed; of a mail that was taken the relay's code only.
    pub trouble: Trouble,
}

/// The link of a mail that is written ahead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewLink {
    /// SHA-256 in lower case hex of a token that was drawn for this attempt; a notice has no link and keeps none.
    pub digest: String,
    /// Until when it works unless access ends before.
    pub valid_until: Option<Timestamp>,
}

/// Hex digits of the first copy's token digest that stand in a round's Message-ID: an account that was deleted and made anew begins at
/// round 1 again, and mail servers drop a message whose ID they know.
const DIGITS_IN_MESSAGE_ID: usize = 16;

/// The ledger with the attempt written ahead; `None`: the account has no address.
pub fn written_ahead(
    account: &ClinicAccountSpec,
    due: &Due,
    message_domain: &str,
    link: NewLink,
    now: Timestamp,
) -> Option<Delivery> {
    let address = account.desired.email.clone()?;
    let before = account.delivery.clone();
    let beginning = account.beginning(due, now);
    let begun = before.as_ref().map(|delivery| delivery.begun.clone()).unwrap_or_default();
    let (message_id, date) =
        due.continues.clone().unwrap_or_else(|| (message_id(account, due, message_domain, &link.digest), now));
    let mut attempts = before.as_ref().map(|delivery| delivery.attempts.clone()).unwrap_or_default();
    let copy = attempts.iter().filter(|attempt| attempt.message_id == message_id).map(|attempt| attempt.copy).max();
    attempts.push(Attempt {
        kind: due.kind,
        round: due.round,
        copy: copy.unwrap_or(0) + 1,
        message_id,
        token_digest: if due.kind == MailKind::EmailChangeNotice { String::new() } else { link.digest },
        at: now,
        date,
        valid_until: link.valid_until,
        outcome: Outcome::Sending,
        stage: None,
        cause: None,
        code: None,
    });
    let refused_since = before.as_ref().and_then(|delivery| still_refused_since(delivery, due, now));
    let kept =
        attempts_kept(&attempts.iter().map(|attempt| (attempt.round, attempt.outcome)).collect::<Vec<_>>(), due.round);
    let mut keep = kept.into_iter();
    attempts.retain(|_| keep.next().unwrap_or(true));
    Some(Delivery {
        round: due.round,
        address,
        resend: if beginning.is_some() {
            account.desired.resend.clone()
        } else {
            before.as_ref().and_then(|delivery| delivery.resend.clone())
        },
        attempts,
        not_before: None,
        sent: before.as_ref().map_or(0, |delivery| delivery.sent),
        failed: before.as_ref().map_or(0, |delivery| delivery.failed),
        // A hold is of the round that is to begin, and spent with that.
        hold: before.and_then(|delivery| delivery.hold).filter(|_| beginning.is_none()),
        begun: beginning.map_or_else(|| begun.clone(), |by| remembered(&begun, by, now)),
        refused_since,
    })
}

/// Since when each try of the round was refused by a reply that does not tell why; `None`: this is another round, or it was not tried
/// again for so long that nobody knows what the relay would have said.
fn still_refused_since(before: &Delivery, due: &Due, now: Timestamp) -> Option<Timestamp> {
    let last = before.attempts.last()?;
    let goes_on =
        last.round == due.round && last.kind == due.kind && now.duration_since(last.at) <= LONGEST_BACK_OFF * 2;
    before.refused_since.filter(|_| goes_on)
}

fn message_id(account: &ClinicAccountSpec, due: &Due, domain: &str, token_digest: &str) -> String {
    let digits = token_digest.get(..DIGITS_IN_MESSAGE_ID).unwrap_or(token_digest);
    format!("<{}.{}.{digits}{}@{domain}>", account.id, due.round, suffix(due.kind))
}

/// What tells the Message-IDs of one round apart: the notice goes beside the mail with the link.
fn suffix(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Invitation | MailKind::EmailConfirmation => "",
        MailKind::EmailChangeNotice => ".notice",
    }
}

/// The ledger with the outcome of an attempt; `None`: it is not there, or settled already.
pub fn concluded(delivery: &Delivery, ahead: &Attempt, conclusion: &Conclusion, now: Timestamp) -> Option<Delivery> {
    let mut after = delivery.clone();
    let attempt = after.attempts.iter_mut().find(|attempt| attempt.is_the_same(ahead))?;
    if attempt.outcome != Outcome::Sending {
        return None;
    }
    attempt.outcome = conclusion.outcome;
    let Trouble { stage, cause, code } = conclusion.trouble.clone();
    (attempt.stage, attempt.cause, attempt.code) = (stage, cause, code);
    match conclusion.outcome {
        Outcome::Sent => {
            after.sent += 1;
            after.refused_since = None;
        }
        Outcome::Refused | Outcome::MailerFailed => {
            after.failed += 1;
            after.refused_since = None;
        }
        Outcome::Deferred => {
            after.failed += 1;
            let since = after.refused_since.or(Some(ahead.at));
            after.refused_since = since.filter(|_| conclusion.trouble.may_be_the_members());
            after.not_before = Some(now.saturating_add(next_try(&after)).unwrap_or(Timestamp::MAX));
        }
        Outcome::Sending | Outcome::Dropped => {}
    }
    Some(after)
}

/// The wait grows with the tries that were put off in a row; eight of them are kept, which is more than it takes to reach
/// the longest wait.
fn next_try(delivery: &Delivery) -> SignedDuration {
    let in_a_row = delivery
        .attempts
        .iter()
        .rev()
        .take_while(|attempt| attempt.round == delivery.round && attempt.outcome == Outcome::Deferred)
        .count();
    back_off(u32::try_from(in_a_row).unwrap_or(u32::MAX))
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
