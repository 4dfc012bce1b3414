//! What an account asks for: its effective access, the mail that is due, and when that changes by itself. No I/O, no clock.
//! The same function decides when an account is reconciled, when its turn in the mail queue comes and just before the
//! relay is called, so that there is one answer to "may this mail go".

use jiff::Timestamp;

use crate::api::account::{Access, ClinicAccountSpec};
use crate::api::convert::ClinicView;
use crate::domain::invitation::{Due, Standing, standing};
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
    /// Whether the `ClinicUser` that holds the account is there.
    pub holder_is_there: bool,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who has access, from the record alone.
    pub access: Access,
    /// The mail that may go out now.
    pub mail: Option<Due>,
    /// What the ledger says.
    pub invitation: Standing,
    /// The next instant at which the decision changes by itself.
    pub next: Option<Timestamp>,
}

/// Decides.
pub fn decide(observed: &Observed, now: Timestamp) -> Decision {
    let account = &observed.account;
    let reason = access(&account.access_facts(), now);
    let invitation = invitation(observed, now);
    let due = if let Standing::Due(due) = &invitation { Some(due.clone()) } else { None };
    let mail = due.filter(|_| an_invitation_may_be_mailed(observed, reason));
    let next = [account.desired.access_until.filter(|until| now < *until), changes_at(&invitation)];
    Decision {
        access: Access { granted: reason == AccessReason::Granted, reason },
        mail,
        next: next.into_iter().flatten().min(),
        invitation,
    }
}

/// What the ledger says about the invitation.
pub fn invitation(observed: &Observed, now: Timestamp) -> Standing {
    let validity = observed.clinic.as_ref().map_or(1, |clinic| clinic.spec.invitation_validity_days);
    standing(observed.account.ledger().as_ref(), &observed.account.wish(validity), now)
}

/// I3: only a member who is to have access and does not have it yet, whose manifest is there and whose address is claimed, in
/// a clinic that is open.
fn an_invitation_may_be_mailed(observed: &Observed, reason: AccessReason) -> bool {
    let open = matches!(ClinicView::standing(observed.clinic.as_ref()), ClinicStanding::Open(_));
    open && observed.holder_is_there && observed.address_is_ours && reason == AccessReason::NotAccepted
}

fn changes_at(invitation: &Standing) -> Option<Timestamp> {
    match invitation {
        Standing::UnderWay { until } | Standing::BackingOff { until, .. } => Some(*until),
        Standing::Sent { expires, .. } => Some(*expires),
        Standing::NoAddress
        | Standing::Due(_)
        | Standing::Expired { .. }
        | Standing::Refused { .. }
        | Standing::Unknown => None,
    }
}

/// Whether the mail whose attempt was written ahead with this token digest may still go: it is the last of the current
/// round, its address is still the one wished for, and the member may be invited. Asked just before the relay is called.
pub fn may_still_go(observed: &Observed, token_digest: &str, now: Timestamp) -> bool {
    let reason = access(&observed.account.access_facts(), now);
    let is_current = observed.account.delivery.as_ref().is_some_and(|delivery| {
        observed.account.desired.email.as_ref() == Some(&delivery.address)
            && delivery
                .attempts
                .last()
                .is_some_and(|last| last.round == delivery.round && last.token_digest == token_digest)
    });
    is_current && an_invitation_may_be_mailed(observed, reason)
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
