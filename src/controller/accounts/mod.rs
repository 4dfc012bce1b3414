//! The accounts controller: keeps the `access` block true and puts due mail in the outbox. The `delivery` block is written by
//! the mailer on its behalf, around each mail; nobody else writes either.

pub mod decide;
mod guard;
mod hold;

pub use guard::{Admissions, may_begin};

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use self::decide::{Observed, decide};
use super::cache::Index;
use super::context::{Context, Guarded, ReconcileError, wait_until};
use super::outbox::Turn;
use super::queue::Key;
use crate::adapters::kubernetes::merge_difference;
use crate::api::account::{Access, ClinicAccount, ClinicAccountSpec};
use crate::api::convert::ClinicView;
use crate::domain::email::Email;
use crate::domain::invitation::{Due, Outcome};
use crate::domain::lifecycle::AccessReason;

/// Reconciles one account. Returns after how long its access or its invitation changes by itself.
///
/// # Errors
/// A request that failed; all of it is tried again.
pub async fn reconcile(context: &Context, name: &str) -> Result<Option<Duration>, ReconcileError> {
    let seen = observe(&context.cache.read(), name);
    let Some((account, observed)) = seen else {
        context.outbox.withdraw(name);
        context.admissions.forget(name);
        return Ok(None);
    };
    let now = context.clock.now();
    let decision = decide(&observed, now);
    // When access ended, if the record still grants it.
    let ended = account.spec.granted_until().filter(|_| decision.access.reason == AccessReason::TrainingEnded);
    let is_suspended_now = decision.access.reason == AccessReason::Suspended
        && account.spec.access.as_ref().is_some_and(|was| was.granted);
    let mut patch = Map::new();
    if access_differs(&account.spec, &decision.access) {
        patch.extend(block("access", &account.spec.access, &Some(decision.access))?);
    }
    let with_its_hold_changed = hold::after(&observed, &decision.invitation);
    let held = decision.held.filter(|_| with_its_hold_changed.is_none());
    if let Some(delivery) = with_its_hold_changed {
        // The change brings us back, and what was released is due then.
        patch.extend(block("delivery", &account.spec.delivery, &Some(delivery))?);
    }
    if !patch.is_empty() {
        let written = context.patch_account(&account, &Value::Object(patch)).await?;
        if let (Guarded::Written, Some(end)) = (written, ended) {
            context.metrics.access_ended(context.clock.now().duration_since(end));
        }
        if written == Guarded::Written && is_suspended_now {
            context.suspensions.add(context.clock.now());
            context.cache.work_on(Key::Clinic, Duration::ZERO);
        }
    }
    match decision.mail {
        Some(due) if guard::lets_in(context, &account, &observed, &due).await? => {
            let created = account.metadata.creation_timestamp.as_ref();
            let since = due.continues.as_ref().map_or(now, |(_, date)| *date);
            context.outbox.add(name, Turn::new(&due, created, relay_failed_at(&account.spec, &due)), since);
        }
        // Held, which brings us back.
        Some(_) => context.outbox.withdraw(name),
        None => {
            context.outbox.withdraw(name);
            match held {
                Some(due) => guard::look_again(context, &account, &observed, &due).await?,
                None => context.admissions.forget(name),
            }
        }
    }
    Ok(decision.next.and_then(|next| wait_until(next, now)))
}

/// When the relay failed the last mail of this round, if that is how it ended.
fn relay_failed_at(account: &ClinicAccountSpec, due: &Due) -> Option<Timestamp> {
    let last = account.delivery.as_ref()?.attempts.last()?;
    (last.round == due.round && last.outcome == Outcome::MailerFailed).then_some(last.at)
}

/// Reads an account and everything that decides about it from one state of the cache.
pub fn observe(index: &Index, name: &str) -> Option<(ClinicAccount, Observed)> {
    let account = index.account(name)?;
    let address = account.spec.desired.email.as_deref().and_then(|address| Email::parse(address).ok());
    let holder = address.and_then(|email| index.claim(email.key().claim()));
    let address_is_ours =
        holder.is_some_and(|(holder, uid)| holder == name && !account.spec.desired.releasing.contains(&uid));
    let observed = Observed {
        holder_asks_for_it: index.is_held(&account) && index.is_asked_for(&account),
        account: account.spec.clone(),
        clinic: index.clinic().as_ref().map(ClinicView::new),
        address_is_ours,
        open_for: index.open_for(name),
    };
    Some((account, observed))
}

/// Whether the record must be written. An account that says nothing about access yet has none: nothing was accepted.
pub fn access_differs(account: &ClinicAccountSpec, wanted: &Access) -> bool {
    match &account.access {
        Some(access) => access != wanted,
        None => wanted.reason != AccessReason::NotAccepted,
    }
}

/// The patch of one block.
fn block<T: Serialize>(name: &str, before: &T, wanted: &T) -> Result<Option<(String, Value)>, serde_json::Error> {
    let difference = merge_difference(&serde_json::to_value(before)?, &serde_json::to_value(wanted)?);
    Ok(difference.map(|difference| (name.to_owned(), difference)))
}
