//! What an account asks for: its effective access, the mail that is due, and when that changes by itself. No I/O, no clock.
//! The same function decides when an account is reconciled, when its turn in the mail queue comes and just before the
//! relay is called, so that there is one answer to "may this mail go".

use jiff::{SignedDuration, Timestamp};

use crate::api::account::{Access, Attempt, ClinicAccountSpec};
use crate::api::convert::ClinicView;
use crate::domain::email::is_the_same_address;
use crate::domain::invitation::{Due, Ledger, MailKind, Question, Standing, Wish, notice, standing};
use crate::domain::lifecycle::{AccessReason, ClinicStanding, access};

/// Everything that the decision depends on.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The account.
    pub account: ClinicAccountSpec,
    /// The clinic, if there is one.
    pub clinic: Option<ClinicView>,
    /// Whether the claim of the address wished for names this account.
    pub address_is_ours: bool,
    /// Whether the `ClinicUser` that holds the account is there and asks for its address.
    pub holder_asks_for_it: bool,
    /// For how long the latest attempt has been seen without its outcome.
    pub open_for: SignedDuration,
}

impl Observed {
    /// What was mailed.
    fn ledger(&self) -> Option<Ledger<'_>> {
        self.account.ledger().map(|ledger| Ledger { open_for: self.open_for, ..ledger })
    }

    /// What is wished for, against which the ledger is read.
    pub fn wish(&self) -> Wish<'_> {
        self.account.wish(self.clinic.as_ref().map_or(1, |clinic| clinic.spec.invitation_validity_days))
    }
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who has access, from the record alone.
    pub access: Access,
    /// The mail that may go out now.
    pub mail: Option<Due>,
    /// The mail that might go out now if no guard held it.
    pub held: Option<Due>,
    /// What the ledger says about the mail with a link: the invitation or, once that was accepted, the confirmation of a
    /// changed address.
    pub invitation: Standing,
    /// The next instant at which the decision changes by itself.
    pub next: Option<Timestamp>,
}

/// Decides.
pub fn decide(observed: &Observed, now: Timestamp) -> Decision {
    let account = &observed.account;
    let reason = access(&account.access_facts(), now);
    let (invitation, notice) = standings(observed, now);
    let due = [&invitation, &notice].into_iter().find_map(Standing::due).cloned();
    let next =
        [account.desired.access_until.filter(|until| now < *until), changes_at(&invitation), changes_at(&notice)];
    Decision {
        access: Access { granted: reason == AccessReason::Granted, reason },
        mail: due.filter(|due| a_mail_may_go(observed, due.kind, reason)),
        held: held_mail(observed, &invitation, now).filter(|due| a_mail_may_go(observed, due.kind, reason)),
        next: next.into_iter().flatten().min(),
        invitation,
    }
}

/// What the ledger says about the mail with a link (an invitation, or the confirmation of a changed address), and about the
/// notice that follows a confirmation.
fn standings(observed: &Observed, now: Timestamp) -> (Standing, Standing) {
    let (ledger, wish) = (observed.ledger(), observed.wish());
    let mail = standing(ledger.as_ref(), &wish, now);
    let notice = notice(&mail, ledger.as_ref(), &wish, now);
    (mail, notice)
}

/// The mail that a guard holds.
fn held_mail(observed: &Observed, invitation: &Standing, now: Timestamp) -> Option<Due> {
    let Standing::Held { .. } = invitation else { return None };
    let ledger = observed.ledger().map(|ledger| Ledger { held: None, ..ledger });
    standing(ledger.as_ref(), &observed.wish(), now).due().cloned()
}

/// I3: only somebody whose manifest is there and asks for the address, which is claimed, in a clinic that is open.
fn a_mail_may_go(observed: &Observed, kind: MailKind, reason: AccessReason) -> bool {
    let open = matches!(ClinicView::standing(observed.clinic.as_ref()), ClinicStanding::Open(_));
    open && observed.holder_asks_for_it && observed.address_is_ours && reason == kind.goes_to()
}

fn changes_at(standing: &Standing) -> Option<Timestamp> {
    match standing {
        Standing::UnderWay { until, .. } | Standing::BackingOff { until, .. } => Some(*until),
        Standing::Sent { expires, .. } => Some(*expires),
        Standing::NoAddress
        | Standing::Settled
        | Standing::Held { .. }
        | Standing::Due(_)
        | Standing::Expired { .. }
        | Standing::Refused { .. }
        | Standing::Unknown => None,
    }
}

/// Whether the mail of this attempt may still go: it is the last of the current round, its address is still the one wished
/// for, what it asks is still asked, and the member may be mailed. Asked just before the relay is called.
pub fn may_still_go(observed: &Observed, ahead: &Attempt, now: Timestamp) -> bool {
    let account = &observed.account;
    let reason = access(&account.access_facts(), now);
    let is_current = account.delivery.as_ref().is_some_and(|delivery| {
        account.desired.email.as_ref().is_some_and(|address| is_the_same_address(address, &delivery.address))
            && delivery.hold.as_ref().is_none_or(|hold| hold.released)
            && delivery.attempts.last().is_some_and(|last| last.round == delivery.round && last.is_the_same(ahead))
    });
    let question = account.wish(1).question;
    let is_asked = match ahead.kind {
        MailKind::Invitation => question == Some(Question::Invitation),
        MailKind::EmailConfirmation | MailKind::EmailChangeNotice => question == Some(Question::Confirmation),
    };
    is_current && is_asked && a_mail_may_go(observed, ahead.kind, reason)
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
