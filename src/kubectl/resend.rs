//! `kubectl clinic resend`: asks the operator to mail somebody again, and waits until it says that it has, or why not. Whether a
//! mail may go is the operator's decision; what would change nothing is not asked for.

use jiff::Timestamp;

use super::failure::Failure;
use super::seen::{Attempt, Ledger, Member, MemberKind, show};
use super::session::{Perhaps, Session, TRIES};
use super::wait::{Patience, Progress};
use crate::adapters::kubernetes::keeper_of;
use crate::adapters::output::{plain, tell};
use crate::api::RESEND_ANNOTATION;
use crate::domain::lifecycle::State;
use crate::domain::verdict::waits_for_a_confirmation;

/// Asks, and waits.
pub(super) async fn resend(session: &Session, words: &str, patience: Patience) -> Result<String, Failure> {
    let (member, rounds_before) = ask(session, words).await?;
    let (name, flags) = (member.name(), &session.flags);
    if !patience.waits() {
        return Ok(format!("Asked for; see how it goes: kubectl clinic why {name}{flags}\n"));
    }
    let later = format!("it goes on without you; see how: kubectl clinic why {name}{flags}");
    let clinic = session.clinic_for_times().await?;
    let look = async || match &rounds_before {
        Rounds::OfInvitation(before) => Ok(match session.member_of(MemberKind::ClinicUser, name).await? {
            Some(now) => of_invitation(&now, *before, |instant| show(instant, clinic.as_ref())),
            None => Progress::Not(format!("the manifest of {name} was deleted meanwhile")),
        }),
        Rounds::OfConfirmation { account, before } => Ok(match session.account(account).await? {
            Perhaps::Read(record) => {
                of_confirmation(&record.and_then(|record| record.delivery).unwrap_or_default(), *before)
            }
            Perhaps::NotAllowed => Progress::Done(
                "Asked for. Whether the mail left is in a record that you may not read; the person can tell.\n"
                    .to_owned(),
            ),
        }),
    };
    patience.until(session, &later, look).await
}

/// What was mailed before, by which a new mail is told from an old one.
enum Rounds {
    OfInvitation(u32),
    OfConfirmation { account: String, before: u32 },
}

/// Sets the annotation, on what was looked at.
async fn ask(session: &Session, words: &str) -> Result<(Member, Rounds), Failure> {
    for _ in 0..TRIES {
        let member = session.person(words).await?;
        would_mail(&member)?;
        if let Some(keeper) = keeper_of(&member.metadata, RESEND_ANNOTATION) {
            return Err(Failure::NotDone(format!(
                "the manifest in Git sets {RESEND_ANNOTATION} itself (written by {keeper}): whatever is set here would be set \
                 back, which mails once more; change its value in Git instead"
            )));
        }
        let rounds = rounds_of(session, &member).await?;
        let annotations = member.metadata.annotations.as_ref();
        let value = new_value(&session.clock.now().to_string(), annotations.and_then(|all| all.get(RESEND_ANNOTATION)));
        if session.annotate(&member.kind.resource(), &member.metadata, RESEND_ANNOTATION, &value).await? {
            tell(&format!("Asked to mail {} again ({RESEND_ANNOTATION}: {value}).", member.reference()));
            return Ok((member, rounds));
        }
    }
    Err(Failure::NotDone(format!("{words} changes all the time, so nothing was asked for; try again")))
}

async fn rounds_of(session: &Session, member: &Member) -> Result<Rounds, Failure> {
    match (member.state(), &member.status.account) {
        (Some(State::Active), Some(account)) => {
            let before = match session.account(account).await? {
                Perhaps::Read(record) => record.and_then(|record| record.delivery).map_or(0, |ledger| ledger.round),
                Perhaps::NotAllowed => 0,
            };
            Ok(Rounds::OfConfirmation { account: account.clone(), before })
        }
        _ => Ok(Rounds::OfInvitation(member.status.invitation.as_ref().map_or(0, |invitation| invitation.round))),
    }
}

/// How a new confirmation of a changed address stands, when the round before was `before`.
fn of_confirmation(ledger: &Ledger, before: u32) -> Progress {
    let is_new = |attempt: &&Attempt| attempt.kind == "EmailConfirmation" && attempt.round > before;
    match ledger.attempts.iter().rev().find(is_new) {
        None => Progress::Waiting("The mail waits for its turn.".to_owned()),
        Some(attempt) => match attempt.outcome.as_str() {
            "Sent" => Progress::Done(
                "Mailed the confirmation of the changed address again; earlier links work no more.\n".to_owned(),
            ),
            "Refused" => Progress::Not("not mailed: the relay refused the mail to the changed address".to_owned()),
            outcome => Progress::Waiting(format!("The mail has not left yet ({outcome}).")),
        },
    }
}

/// The time, and something more if that is the value already.
fn new_value(now: &str, old: Option<&String>) -> String {
    match old {
        Some(old) if old.starts_with(now) => format!("{old}+"),
        Some(_) | None => now.to_owned(),
    }
}

/// What asking leads to in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chance {
    /// A new invitation.
    Invitation,
    /// The confirmation of a changed address, if one waits.
    Confirmation,
    /// No mail while it lasts.
    None,
}

fn chance(state: State) -> Chance {
    match state {
        State::Invited | State::InvitationExpired | State::Undeliverable | State::DeliveryUnknown | State::Pending => {
            Chance::Invitation
        }
        State::Active => Chance::Confirmation,
        State::BeingDeleted
        | State::Invalid
        | State::ClinicMissing
        | State::Paused
        | State::IdentityChanged
        | State::FormerMember
        | State::EmailConflict
        | State::TrainingEnded
        | State::Suspended
        | State::Held => Chance::None,
    }
}

/// Whether asking can lead to a mail as the member stands.
fn would_mail(member: &Member) -> Result<(), Failure> {
    let name = member.name();
    if member.kind == MemberKind::ServiceAccount {
        return Err(Failure::NotDone(format!("{name} is a service account: nobody is ever mailed for it")));
    }
    let not = |why: &str| Err(Failure::NotDone(format!("nothing was asked for: {why}")));
    let message = plain(member.message());
    let Some(state) = member.state() else {
        return not("the operator has not said yet how this member stands; is it running?");
    };
    match chance(state) {
        Chance::None => not(&format!("no mail leaves while {name} is {}. {message}", state.name())),
        Chance::Confirmation if waits_for_a_confirmation(&message) => Ok(()),
        Chance::Confirmation => not(&format!("{name} has accepted and has access, so there is no invitation to send")),
        Chance::Invitation if state == State::Pending && member.status.invitation.is_none() => {
            not(&format!("the first invitation has not left yet, and a second would not be faster. {message}"))
        }
        Chance::Invitation => Ok(()),
    }
}

/// How a new invitation stands, when the round before was `before`.
fn of_invitation(now: &Member, before: u32, show: impl Fn(Timestamp) -> String) -> Progress {
    let message = now.message().to_owned();
    let Some(state) = now.state() else { return Progress::Waiting(String::new()) };
    let said = || Progress::Not(format!("not mailed: {}", plain(&message)));
    match chance(state) {
        Chance::None => said(),
        Chance::Confirmation => Progress::Not("not mailed: the person has accepted meanwhile".to_owned()),
        Chance::Invitation if state == State::Pending => Progress::Waiting(message),
        Chance::Invitation => match now.status.invitation.as_ref().filter(|invitation| invitation.round > before) {
            // Of before: the operator has not come to it yet.
            None => Progress::Waiting(String::new()),
            Some(invitation) if state == State::Invited => {
                let at = invitation.sent_at.map(|at| format!(" at {}", show(at))).unwrap_or_default();
                let until = invitation.expires_at.map(|until| format!("; the link works until {}", show(until)));
                Progress::Done(format!(
                    "Mailed{at} (round {}){}. Links of earlier mails work no more.\n",
                    invitation.round,
                    until.unwrap_or_default()
                ))
            }
            Some(_) => said(),
        },
    }
}

#[cfg(test)]
#[path = "resend_tests.rs"]
mod tests;
