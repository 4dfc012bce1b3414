//! The members controller: from `ClinicUser` to claim and account, and back to the status. It writes claims, the `id` and
//! `desired` blocks of accounts and the status of members; never a ledger, never a mail.

pub mod decide;
mod status;

use std::time::Duration;

use serde_json::json;

use self::decide::{Abandoned, AddressHolder, Observed, Step, decide, first_account_name};
use super::cache::{Index, Kind};
use super::context::{Context, ReconcileError};
use crate::adapters::kubernetes::{ApiError, merge_difference};
use crate::api::EmailClaim;
use crate::api::account::{ClinicAccount, ClinicAccountSpec, Desired, Holder};
use crate::api::convert::ClinicView;
use crate::api::email_claim::EmailClaimSpec;
use crate::domain::email::{ClaimName, Email};

/// Steps in one go; more would mean that two rules undo each other.
const MOST_STEPS: usize = 8;

/// Reconciles one `ClinicUser`. Returns after how long its status changes by itself.
///
/// # Errors
/// A request that failed; all of it is tried again.
pub async fn reconcile(context: &Context, name: &str) -> Result<Option<Duration>, ReconcileError> {
    for _ in 0..MOST_STEPS {
        let seen = observe(&context.cache.read(), name);
        let Some(observed) = seen else { return status::write_that_it_does_not_fit(context, name).await };
        let decision = decide(&observed);
        match decision.step {
            Some(step) => perform(context, &observed, step).await?,
            None => return status::write(context, &observed, &decision).await,
        }
    }
    Err(ReconcileError::TooManySteps)
}

/// Reads everything that the decision depends on from one state of the cache; `None`: there is no such member.
fn observe(index: &Index, name: &str) -> Option<Observed> {
    let user = index.member(name)?;
    let account = index.account_held_by(user.metadata.uid.as_deref()?);
    let own_name = account.as_ref().map_or_else(|| first_account_name(&user), |account| account.spec.id.clone());
    let claim = Email::parse(&user.spec.email).ok().map(|email| email.key().claim());
    Some(Observed {
        clinic: index.clinic().as_ref().map(ClinicView::new),
        own_claims: index.claims_of(&own_name),
        address: claim.map_or(AddressHolder::Nobody, |claim| address_holder(index, claim, &own_name)),
        account,
        user,
    })
}

/// A claim decides; without one an account that has the address already goes before us, since its claim will be restored.
fn address_holder(index: &Index, claim: ClaimName, own: &str) -> AddressHolder {
    match index.claim(claim) {
        Some((account, uid)) if account == own => AddressHolder::Us(uid),
        Some((account, uid)) => another_holder(index, &account, Some(uid)),
        None => match index.other_accounts_with(claim, own).first() {
            Some(account) => another_holder(index, account, None),
            None => AddressHolder::Nobody,
        },
    }
}

fn another_holder(index: &Index, name: &str, claim: Option<String>) -> AddressHolder {
    let account = index.account(name);
    let holder = account.as_ref().map(|account| account.spec.desired.holder.uid.as_str()).or(name.strip_prefix("a-"));
    let accepted = account.as_ref().is_some_and(|account| account.spec.acceptance.is_some());
    // An account that does not fit our types is nobody's to give up.
    let known = account.is_some() || !index.has_account(name);
    if known && !accepted && holder.is_some_and(|uid| !index.has_member(uid)) {
        AddressHolder::Abandoned(Box::new(Abandoned { account, name: name.to_owned(), claim }))
    } else {
        AddressHolder::Another(index.holder_of(name))
    }
}

async fn perform(context: &Context, observed: &Observed, step: Step) -> Result<(), ReconcileError> {
    match step {
        Step::PostClaim { claim, account } => post_claim(context, claim, account).await,
        Step::CreateAccount(spec) => create_account(context, *spec).await,
        Step::PatchDesired(desired) => match &observed.account {
            Some(account) => patch_desired(context, account, &desired).await,
            None => Ok(()),
        },
        Step::GiveUpAbandoned { account, desired } => {
            if is_gone(context, &account.spec.desired.holder).await? {
                patch_desired(context, &account, &desired).await?;
            }
            Ok(())
        }
        Step::DeleteClaim { claim, uid } => {
            context.claims.delete(&claim.to_string(), &uid).await?;
            context.cache.forget(Kind::EmailClaim, &claim.to_string(), &uid);
            Ok(())
        }
    }
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

/// Whether a `ClinicUser` is gone: the cache does not have its UID, and now the API server says that there is no object of
/// that name or that it is another. What it says goes into the cache.
async fn is_gone(context: &Context, holder: &Holder) -> Result<bool, ReconcileError> {
    match context.users.read(&holder.name).await {
        Ok(user) => {
            let is_it = user.metadata.uid.as_deref() == Some(&holder.uid);
            context.cache.put(Kind::ClinicUser, &user);
            Ok(!is_it)
        }
        Err(ApiError::NotFound) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

async fn patch_desired(context: &Context, account: &ClinicAccount, wanted: &Desired) -> Result<(), ReconcileError> {
    let read = serde_json::to_value(&account.spec.desired)?;
    let Some(difference) = merge_difference(&read, &serde_json::to_value(wanted)?) else { return Ok(()) };
    let patch = json!({ "desired": difference });
    context.patch_account(account, &patch).await.map(drop)
}

#[cfg(test)]
mod race_tests;
