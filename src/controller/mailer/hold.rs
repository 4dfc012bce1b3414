//! The guard of first invitations: counted one after the other, though mails go out side by side, and what is too much is
//! held in the ledger. How much that is, is decided in `domain::guard`.

use serde_json::json;
use tokio::sync::MutexGuard;

use crate::adapters::kubernetes::merge_difference;
use crate::api::ClinicAccount;
use crate::api::account::{ClinicAccountSpec, Delivery, Hold};
use crate::controller::accounts::decide::Observed;
use crate::controller::context::{Context, ReconcileError};
use crate::domain::guard::{Guard, one_more_may_be_invited};
use crate::domain::invitation::{Due, MailKind};

/// The right to write a mail ahead. While a first invitation has it, no other has.
pub enum Turn<'a> {
    /// Of a first invitation, which the guard counts.
    FirstInvitation {
        /// Held until the write-ahead is in the cache.
        _counted: MutexGuard<'a, ()>,
    },
    /// Of any other mail.
    Other,
}

/// Waits for the turn of a mail; `None`: the guard holds it, which is written to the ledger now.
pub async fn take_a_turn<'a>(
    context: &'a Context,
    account: &ClinicAccount,
    observed: &Observed,
    due: &Due,
) -> Result<Option<Turn<'a>>, ReconcileError> {
    if !is_first_invitation(&account.spec, due) {
        return Ok(Some(Turn::Other));
    }
    let counted = context.first_invitations.lock().await;
    let now = context.clock.now();
    let per_hour = observed.clinic.as_ref().map_or(0, |clinic| clinic.spec.guard.invitations_per_hour);
    let id = {
        let index = context.cache.read();
        let guards = index.guards();
        if one_more_may_be_invited(per_hour, guards.invited_lately(now)) {
            return Ok(Some(Turn::FirstInvitation { _counted: counted }));
        }
        let released = observed.clinic.as_ref().and_then(|clinic| clinic.released_hold.as_deref());
        Guard::Invitations.hold(guards.holds().into_keys(), released, now)
    };
    if let Some(delivery) = held(&account.spec, due, id) {
        let before = serde_json::to_value(&account.spec.delivery)?;
        let difference = merge_difference(&before, &serde_json::to_value(&delivery)?);
        context.patch_account(account, &json!({ "delivery": difference })).await?;
    }
    Ok(None)
}

/// An invitation to somebody whom nobody has written to yet, and whose hold nobody has released.
fn is_first_invitation(account: &ClinicAccountSpec, due: &Due) -> bool {
    let nobody_wrote = account.delivery.as_ref().is_none_or(|delivery| {
        delivery.attempts.is_empty() && delivery.hold.as_ref().is_none_or(|hold| !hold.released)
    });
    due.kind == MailKind::Invitation && due.continues.is_none() && nobody_wrote
}

/// The ledger of an account whose invitation is held; `None`: it has no address.
fn held(account: &ClinicAccountSpec, due: &Due, id: String) -> Option<Delivery> {
    let hold = Some(Hold { id, released: false });
    Some(match account.delivery.clone() {
        Some(delivery) => Delivery { hold, ..delivery },
        None => Delivery {
            round: due.round,
            address: account.desired.email.clone()?,
            resend: account.desired.resend.clone(),
            attempts: Vec::new(),
            not_before: None,
            sent: 0,
            failed: 0,
            hold,
        },
    })
}
