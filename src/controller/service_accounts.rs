//! Service accounts: listed at once by their display name. No mail, no claim, no account record: they can never sign in.

use std::time::Duration;

use super::cache::Kind;
use super::context::{Context, ReconcileError};
use crate::api::clinic_user::{ListedMember, MemberStatus};
use crate::api::status::written;
use crate::domain::conditions::conditions;
use crate::domain::lifecycle::State;
use crate::domain::verdict::Verdict;

/// Reconciles the status of one `ServiceAccount`.
///
/// # Errors
/// A request that failed; all of it is tried again.
pub async fn reconcile(context: &Context, name: &str) -> Result<Option<Duration>, ReconcileError> {
    let seen = context.cache.read().service_account(name);
    let Some(account) = seen else { return Ok(None) };
    let verdict = if account.spec.suspended {
        Verdict {
            state: State::Suspended,
            message: "Suspended by the manifest. Set suspended: false to put it back into use.".to_owned(),
        }
    } else {
        Verdict { state: State::Active, message: "Active. A service account cannot sign in.".to_owned() }
    };
    let before = account.status.unwrap_or_default();
    let generation = account.metadata.generation;
    let status = MemberStatus {
        observed_generation: generation,
        state: Some(verdict.state.name().to_owned()),
        member: Some(ListedMember {
            name: Some(account.spec.display_name),
            title: None,
            designation: Some("Service account".to_owned()),
        }),
        conditions: written(&before.conditions, conditions(&verdict), generation, context.clock.now()),
        ..MemberStatus::default()
    };
    let store = &context.service_accounts;
    context.write_status(store, Kind::ServiceAccount, &account.metadata, &before, &status).await?;
    Ok(None)
}
