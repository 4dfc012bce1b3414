//! The guard of first invitations: those in the queue count as well as those in the ledgers, and what is too much is held in the
//! ledger at once, so that people see the whole of it. How much that is, is decided in `domain::guard`.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::decide::Observed;
use crate::adapters::kubernetes::merge_difference;
use crate::api::ClinicAccount;
use crate::api::account::{ClinicAccountSpec, Delivery, Hold};
use crate::controller::context::{Context, ReconcileError};
use crate::domain::guard::{Guard, one_more_may_be_invited};
use crate::domain::invitation::{Due, MailKind};

/// The accounts whose first invitation may go and is not in their ledger yet.
#[derive(Debug, Default)]
pub struct FirstInvitations {
    admitted: Mutex<BTreeSet<String>>,
    /// Taken while an account is held, so that the next one finds that hold and joins it.
    holding: tokio::sync::Mutex<()>,
}

impl FirstInvitations {
    /// A first invitation of this account is not due, or not any more.
    pub fn forget(&self, account: &str) {
        self.admitted().remove(account);
    }

    fn admitted(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the guard lets a mail into the queue. If not, its account is held.
///
/// # Errors
/// A request that failed: then it is neither.
pub async fn lets_in(
    context: &Context,
    account: &ClinicAccount,
    observed: &Observed,
    due: &Due,
) -> Result<bool, ReconcileError> {
    if !is_first_invitation(&account.spec, due) {
        context.first_invitations.forget(&account.spec.id);
        return Ok(true);
    }
    if admit(context, account, observed) {
        return Ok(true);
    }
    let _holding = context.first_invitations.holding.lock().await;
    let id = {
        let index = context.cache.read();
        let released = observed.clinic.as_ref().and_then(|clinic| clinic.released_hold.as_deref());
        Guard::Invitations.hold(index.guards().holds().into_keys(), released, context.clock.now())
    };
    if let Some(delivery) = held(&account.spec, due, id) {
        let before = serde_json::to_value(&account.spec.delivery)?;
        let difference = merge_difference(&before, &serde_json::to_value(&delivery)?);
        context.patch_account(account, &json!({ "delivery": difference })).await?;
    }
    Ok(false)
}

/// Counts one more first invitation, unless that would be too many. Counted and taken in one step, so that of two at once one
/// sees the other.
fn admit(context: &Context, account: &ClinicAccount, observed: &Observed) -> bool {
    let per_hour = observed.clinic.as_ref().map_or(0, |clinic| clinic.spec.guard.invitations_per_hour);
    let mut admitted = context.first_invitations.admitted();
    if admitted.contains(&account.spec.id) {
        return true;
    }
    let index = context.cache.read();
    let guards = index.guards();
    let queued = admitted.iter().filter(|name| !guards.was_invited(name)).count();
    let may = one_more_may_be_invited(per_hour, guards.invited_lately(context.clock.now()) + queued);
    if may {
        admitted.insert(account.spec.id.clone());
    }
    may
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
