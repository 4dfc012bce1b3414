//! The members controller: from `ClinicUser` to claim and account, and back to the status. It writes claims, the `id` and
//! `desired` blocks of accounts and the status of members; never a ledger, never a mail.

pub mod decide;
mod dispute;
pub mod events;
pub mod observe;
pub mod removal;
mod status;
pub mod step;
mod wishes;

use std::time::Duration;

use serde_json::json;

use self::decide::decide;
use self::observe::{Live, Observed, observe};
use self::step::Step;
use super::cache::Kind;
use super::context::{Context, ReconcileError};
use crate::adapters::kubernetes::{ApiError, merge_difference};
use crate::api::EmailClaim;
use crate::api::account::{ClinicAccount, ClinicAccountSpec, Desired, Holder};
use crate::api::email_claim::EmailClaimSpec;
use crate::domain::email::ClaimName;

/// Steps in one go; more would mean that two rules undo each other.
const MOST_STEPS: usize = 16;

/// Reconciles one `ClinicUser`. Returns after how long its status changes by itself.
///
/// # Errors
/// A request that failed; all of it is tried again.
pub async fn reconcile(context: &Context, name: &str) -> Result<Option<Duration>, ReconcileError> {
    let mut live = Live::default();
    for _ in 0..MOST_STEPS {
        let seen = observe(&context.cache.read(), name, &live);
        let Some(observed) = seen else { return status::write_that_it_does_not_fit(context, name).await };
        let decision = decide(&observed, context.clock.now());
        match decision.step {
            Some(step) => {
                tell_of_a_resend_that_is_ignored(context, &observed, &step).await;
                perform(context, &mut live, step).await?;
            }
            None => return status::write(context, &observed, &decision).await,
        }
    }
    Err(ReconcileError::TooManySteps)
}

async fn tell_of_a_resend_that_is_ignored(context: &Context, observed: &Observed, step: &Step) {
    if let Step::PatchDesired { account, desired } = step
        && observed.account.as_ref().is_some_and(|ours| ours.spec.id == account.spec.id)
        && let Some(told) = events::of_resend(&account.spec, desired)
    {
        events::tell(context, &observed.user, &[told]).await;
    }
}

async fn perform(context: &Context, live: &mut Live, step: Step) -> Result<(), ReconcileError> {
    context.may_write()?;
    match step {
        Step::AskWhetherGone(holder) => {
            let known = if is_gone(context, &holder).await? { &mut live.gone } else { &mut live.there };
            known.insert(holder.uid);
            Ok(())
        }
        Step::ReadAccount(name) => read_account(context, live, name).await,
        Step::PostClaim { claim, account } => post_claim(context, claim, account).await,
        Step::CreateAccount(spec) => create_account(context, *spec).await,
        Step::PatchDesired { account, desired } => patch_desired(context, &account, &desired).await,
        Step::DeleteClaim { claim, uid } => {
            context.claims.delete(&claim.to_string(), &uid).await?;
            context.cache.forget(Kind::EmailClaim, &claim.to_string(), &uid);
            Ok(())
        }
    }
}

/// Whether a `ClinicUser` is gone: the API server says that there is no object of that name, that it is another one, or that it is
/// being deleted. What it says goes into the cache, which may be late either way.
async fn is_gone(context: &Context, holder: &Holder) -> Result<bool, ReconcileError> {
    let found = match context.users.read(&holder.name).await {
        Ok(user) => {
            context.cache.put(Kind::ClinicUser, &user);
            Some(user).filter(|user| user.metadata.uid.as_deref() == Some(&holder.uid))
        }
        Err(ApiError::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    if found.is_none() {
        context.cache.forget(Kind::ClinicUser, &holder.name, &holder.uid);
    }
    Ok(found.is_none_or(|user| user.is_being_deleted()))
}

async fn read_account(context: &Context, live: &mut Live, name: String) -> Result<(), ReconcileError> {
    match context.accounts.read(&name).await {
        Ok(account) => context.cache.put(Kind::ClinicAccount, &account),
        Err(ApiError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    live.read.insert(name);
    Ok(())
}

/// Whoever creates the claim has the address. If it exists, whose it is decides the next turn: it may be ours, from a create
/// whose answer was lost.
async fn post_claim(context: &Context, claim: ClaimName, account: String) -> Result<(), ReconcileError> {
    let name = claim.to_string();
    let object = EmailClaim::new(&name, EmailClaimSpec { account });
    let known = match context.claims.create(&object).await {
        Ok(created) => created,
        Err(ApiError::AlreadyExists) => match context.claims.read(&name).await {
            Ok(existing) => existing,
            Err(ApiError::NotFound) => return Ok(()),
            Err(error) => return Err(error.into()),
        },
        Err(error) => return Err(error.into()),
    };
    context.cache.put(Kind::EmailClaim, &known);
    Ok(())
}

async fn create_account(context: &Context, spec: ClinicAccountSpec) -> Result<(), ReconcileError> {
    let name = spec.id.clone();
    let known = match context.accounts.create(&ClinicAccount::new(&name, spec)).await {
        Err(ApiError::AlreadyExists) => context.accounts.read(&name).await?,
        other => other?,
    };
    context.cache.put(Kind::ClinicAccount, &known);
    Ok(())
}

/// Patches the block as it was read; if the account has changed since, the next turn sees it as it is.
async fn patch_desired(context: &Context, account: &ClinicAccount, wanted: &Desired) -> Result<(), ReconcileError> {
    let read = serde_json::to_value(&account.spec.desired)?;
    let Some(difference) = merge_difference(&read, &serde_json::to_value(wanted)?) else { return Ok(()) };
    let patch = json!({ "desired": difference });
    context.patch_account(account, &patch).await.map(drop)
}

#[cfg(test)]
mod race_tests;
#[cfg(test)]
mod race_world;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod test_world;
