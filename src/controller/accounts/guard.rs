//! The guard of invitations: rounds that wait in the queue count as well as those in the ledgers, and what is too much is held in the
//! ledger at once, so that people see the whole of it. What counts is decided in `domain::rounds`, how much that may be in
//! `domain::guard`, what a hold is in `hold`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::decide::Observed;
use super::{block, hold};
use crate::api::ClinicAccount;
use crate::api::account::{ClinicAccountSpec, Delivery};
use crate::controller::context::{Context, ReconcileError};
use crate::domain::guard::{Guard, Release, one_more_may_be_invited};
use crate::domain::invitation::Due;
use crate::domain::rounds::{Beginning, one_more_is_remembered};

/// The rounds that count, may begin and are in no ledger yet.
#[derive(Debug, Default)]
pub struct Admissions {
    /// By account.
    admitted: Mutex<BTreeMap<String, u32>>,
    /// Taken while an account is held, so that the next one finds that hold and joins it.
    holding: tokio::sync::Mutex<()>,
}

impl Admissions {
    /// No round of this account that counts is due, or not any more.
    pub fn forget(&self, account: &str) {
        self.admitted().remove(account);
    }

    fn admitted(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
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
    if !counts(&account.spec, due, context.clock.now()) {
        context.admissions.forget(&account.spec.id);
        return Ok(true);
    }
    if admit(context, &account.spec, observed, due.round) {
        return Ok(true);
    }
    let _holding = context.admissions.holding.lock().await;
    let id = {
        let index = context.cache.read();
        let release: Option<&Release> = observed.clinic.as_ref().and_then(|clinic| clinic.released_hold.as_ref());
        let released = release.map(|release| release.id.as_str());
        Guard::Invitations.hold(index.guards().holds().into_keys(), released, context.clock.now())
    };
    if let Some(delivery) = hold::begun(&account.spec, due, id, limit(observed)) {
        write(context, account, &delivery).await?;
    }
    Ok(false)
}

/// Whether a mail that is due may be written ahead: it does not count, or was let in.
pub fn may_begin(context: &Context, account: &ClinicAccountSpec, due: &Due) -> bool {
    !counts(account, due, context.clock.now()) || context.admissions.admitted().get(&account.id) == Some(&due.round)
}

/// Lets a held round go on if the guard was raised since and has room for it.
///
/// # Errors
/// A request that failed: then it stays held.
pub async fn look_again(
    context: &Context,
    account: &ClinicAccount,
    observed: &Observed,
    due: &Due,
) -> Result<(), ReconcileError> {
    let fits = || admit(context, &account.spec, observed, due.round);
    let Some(delivery) = hold::raised(&account.spec, limit(observed), fits) else {
        context.admissions.forget(&account.spec.id);
        return Ok(());
    };
    write(context, account, &delivery).await
}

async fn write(context: &Context, account: &ClinicAccount, delivery: &Delivery) -> Result<(), ReconcileError> {
    let patch = block("delivery", &account.spec.delivery, &Some(delivery.clone()))?;
    if let Some(patch) = patch {
        context.patch_account(account, &Value::Object(Map::from_iter([patch]))).await?;
    }
    Ok(())
}

fn limit(observed: &Observed) -> u32 {
    observed.clinic.as_ref().map_or(0, |clinic| clinic.spec.guard.invitations_per_hour)
}

/// Counts one more round, unless that would be too many. Counted and taken in one step, so that of two at once one sees the other.
fn admit(context: &Context, account: &ClinicAccountSpec, observed: &Observed, round: u32) -> bool {
    let mut admitted = context.admissions.admitted();
    if admitted.get(&account.id) == Some(&round) {
        return true;
    }
    let index = context.cache.read();
    let (guards, now) = (index.guards(), context.clock.now());
    let others = admitted.iter().filter(|(name, _)| **name != account.id);
    let queued = others.filter(|(name, round)| !guards.has_begun(name, **round)).count();
    let begun = account.delivery.as_ref().map_or(&[][..], |delivery| &delivery.begun);
    let may = one_more_may_be_invited(limit(observed), guards.begun_lately(now) + queued)
        && one_more_is_remembered(begun, now);
    if may {
        admitted.insert(account.id.clone(), round);
    }
    may
}

/// Whether a mail begins a round that the guard counts and that nobody has released.
fn counts(account: &ClinicAccountSpec, due: &Due, now: Timestamp) -> bool {
    account.beginning(due, now).is_some_and(Beginning::counts)
        && !account.delivery.as_ref().is_some_and(|delivery| delivery.is_released(account.desired.email.as_deref()))
}
