//! The guard of first invitations: those under way count as well as those in the ledgers, since mails go out side by side, and
//! what is too much is held in the ledger. How much that is, is decided in `domain::guard`.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::adapters::kubernetes::merge_difference;
use crate::api::ClinicAccount;
use crate::api::account::{ClinicAccountSpec, Delivery, Hold};
use crate::controller::accounts::decide::Observed;
use crate::controller::context::{Context, ReconcileError};
use crate::domain::guard::{Guard, one_more_may_be_invited};
use crate::domain::invitation::{Due, MailKind};

/// The accounts whose first invitation is being written ahead: they count before the ledgers show it.
#[derive(Debug, Default)]
pub struct FirstInvitations {
    under_way: Mutex<BTreeSet<String>>,
    /// Taken while an account is held, so that the next one finds that hold and joins it.
    holding: tokio::sync::Mutex<()>,
}

impl FirstInvitations {
    fn under_way(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write a mail ahead. A first invitation counts while this lasts, and by its ledger from then on.
pub struct Turn<'a> {
    counted: Option<(&'a FirstInvitations, String)>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some((first, account)) = &self.counted {
            first.under_way().remove(account);
        }
    }
}

/// The turn of a mail; `None`: the guard holds it, which is written to the ledger now.
pub async fn take_a_turn<'a>(
    context: &'a Context,
    account: &ClinicAccount,
    observed: &Observed,
    due: &Due,
) -> Result<Option<Turn<'a>>, ReconcileError> {
    if !is_first_invitation(&account.spec, due) {
        return Ok(Some(Turn { counted: None }));
    }
    if let Some(turn) = count(context, account, observed) {
        return Ok(Some(turn));
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
    Ok(None)
}

/// Counts one more first invitation; `None`: that would be too many. Counted and taken in one step, so that of two at once
/// one sees the other.
fn count<'a>(context: &'a Context, account: &ClinicAccount, observed: &Observed) -> Option<Turn<'a>> {
    let per_hour = observed.clinic.as_ref().map_or(0, |clinic| clinic.spec.guard.invitations_per_hour);
    let first = &context.first_invitations;
    let mut under_way = first.under_way();
    let index = context.cache.read();
    let guards = index.guards();
    let unseen = under_way.iter().filter(|name| !guards.was_invited(name)).count();
    let invited = guards.invited_lately(context.clock.now()) + unseen;
    one_more_may_be_invited(per_hour, invited).then(|| {
        let name = account.spec.id.clone();
        under_way.insert(name.clone());
        Turn { counted: Some((first, name)) }
    })
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
