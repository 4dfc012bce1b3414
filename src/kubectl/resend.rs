//! `kubectl clinic resend`: asks the operator to mail somebody again, and waits until it says that it has, or why not. Whether a
//! mail may go is the operator's decision; what would change nothing is not asked for.

use super::failure::Failure;
use super::output::{plain, tell};
use super::seen::{Member, MemberKind, show};
use super::session::{Perhaps, Session};
use super::wait::{Patience, Progress};
use crate::adapters::kubernetes::keeper_of;
use crate::api::RESEND_ANNOTATION;
use crate::domain::lifecycle::State;
use crate::domain::verdict::waits_for_a_confirmation;

/// How often the annotation is set on a member who changes at the same moment.
const TRIES: usize = 5;

/// Asks, and waits.
pub(super) async fn resend(session: &Session, words: &str, patience: Patience) -> Result<String, Failure> {
    let (member, rounds_before) = ask(session, words).await?;
    let (name, flags) = (member.name(), &session.flags);
    let later = format!("it goes on without you; see how: kubectl clinic why {name}{flags}");
    if !patience.waits() {
        return Ok(format!("Asked for; see how it goes: kubectl clinic why {name}{flags}\n"));
    }
    match rounds_before {
        Rounds::OfInvitation(before) => {
            let clinic = session.clinic_if_any().await?;
            let look = async || {
                let Some(now) = session.member_of(MemberKind::ClinicUser, name).await? else {
                    return Ok(Progress::Not(format!("the manifest of {name} was deleted meanwhile")));
                };
                Ok(of_invitation(&now, before, |instant| show(instant, clinic.as_ref())))
            };
            patience.until(session, &later, look).await
        }
        Rounds::OfConfirmation { account, before } => {
            let look = async || match session.account(&account).await? {
                Perhaps::NotAllowed(_) => Ok(Progress::Done(format!(
                    "Asked for. Whether the mail left is in a record that you may not read; the person can tell.\n"
                ))),
                Perhaps::Read(record) => {
                    let ledger = record.and_then(|record| record.delivery).unwrap_or_default();
                    let last = ledger.attempts.iter().rev().find(|attempt| attempt.kind == "EmailConfirmation");
                    Ok(match last.filter(|attempt| before.is_some_and(|before| attempt.round > before)) {
                        Some(attempt) if attempt.outcome == "Sent" => Progress::Done(
                            "Mailed the confirmation of the changed address again; earlier links work no more.\n"
                                .to_owned(),
                        ),
                        Some(attempt) if attempt.outcome == "Refused" => {
                            Progress::Not("the relay refused the mail to the changed address".to_owned())
                        }
                        Some(attempt) => Progress::Waiting(format!("The mail is under way: {}.", attempt.outcome)),
                        None => Progress::Waiting("The mail waits for its turn.".to_owned()),
                    })
                }
            };
            patience.until(session, &later, look).await
        }
    }
}

/// What was mailed before, by which a new mail is told from an old one.
enum Rounds {
    OfInvitation(u32),
    OfConfirmation { account: String, before: Option<u32> },
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
    let invited = member.status.invitation.as_ref().map(|invitation| invitation.round);
    match (member.state(), &member.status.account) {
        (Some(State::Active), Some(account)) => {
            let before = match session.account(account).await? {
                Perhaps::Read(record) => {
                    Some(record.and_then(|record| record.delivery).map_or(0, |ledger| ledger.round))
                }
                Perhaps::NotAllowed(_) => None,
            };
            Ok(Rounds::OfConfirmation { account: account.clone(), before })
        }
        _ => Ok(Rounds::OfInvitation(invited.unwrap_or(0))),
    }
}

/// The time, and something more if that is the value already.
fn new_value(now: &str, old: Option<&String>) -> String {
    match old {
        Some(old) if old.starts_with(now) => format!("{old}+"),
        Some(_) | None => now.to_owned(),
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
    match member.state() {
        None => not("the operator has not said yet how this member stands; is it running?"),
        Some(State::Active) if waits_for_a_confirmation(&message) => Ok(()),
        Some(State::Active) => not(&format!("{name} has accepted and has access, so there is no invitation to send")),
        Some(State::Pending) if member.status.invitation.is_none() => {
            not(&format!("the first invitation has not left yet, and a second would not be faster. {message}"))
        }
        Some(
            State::Invited | State::InvitationExpired | State::Undeliverable | State::DeliveryUnknown | State::Pending,
        ) => Ok(()),
        Some(
            state @ (State::Invalid
            | State::ClinicMissing
            | State::Paused
            | State::IdentityChanged
            | State::FormerMember
            | State::EmailConflict
            | State::TrainingEnded
            | State::Suspended
            | State::Held),
        ) => not(&format!("no mail leaves while {name} is {}. {message}", state.name())),
    }
}

/// How a new invitation stands, when the round before was `before`.
fn of_invitation(now: &Member, before: u32, show: impl Fn(jiff::Timestamp) -> String) -> Progress {
    let message = now.message().to_owned();
    let invitation = now.status.invitation.as_ref().filter(|invitation| invitation.round > before);
    let said = || Progress::Not(format!("not mailed: {}", plain(&message)));
    match (now.state(), invitation) {
        (Some(State::Invited), Some(invitation)) => {
            let until = invitation.expires_at.map(|until| format!("; the link works until {}", show(until)));
            let at = invitation.sent_at.map(|at| format!(" at {}", show(at)));
            Progress::Done(format!(
                "Mailed{} (round {}){}. Links of earlier mails work no more.\n",
                at.unwrap_or_default(),
                invitation.round,
                until.unwrap_or_default()
            ))
        }
        (Some(State::Undeliverable | State::DeliveryUnknown | State::InvitationExpired), Some(_)) => said(),
        (Some(State::Active), _) => Progress::Not("not mailed: the person has accepted meanwhile".to_owned()),
        (
            Some(
                State::Invalid
                | State::ClinicMissing
                | State::Paused
                | State::IdentityChanged
                | State::FormerMember
                | State::EmailConflict
                | State::TrainingEnded
                | State::Suspended
                | State::Held,
            ),
            _,
        ) => said(),
        (Some(State::Pending), _) => Progress::Waiting(message),
        // Of before: the operator has not come to it yet.
        (Some(State::Invited | State::Undeliverable | State::DeliveryUnknown | State::InvitationExpired) | None, _) => {
            Progress::Waiting(String::new())
        }
    }
}

#[cfg(test)]
#[path = "resend_tests.rs"]
mod tests;
