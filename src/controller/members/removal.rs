//! Who is gone loses access, and the account stays: one task, one account after the other, since the guard counts them. That a
//! `ClinicUser` is gone is read from the API server itself; an absent one in a cache means nothing yet.

use std::time::Duration;

use jiff::Timestamp;

use super::wishes::names;
use super::{is_gone, patch_desired};
use crate::api::ClinicUser;
use crate::api::account::{ClinicAccount, Desired, Hold, Removed};
use crate::api::convert::ClinicView;
use crate::controller::cache::Index;
use crate::controller::context::{Context, ReconcileError};
use crate::domain::email::ClaimName;
use crate::domain::guard::{Guard, Release, one_more_may_be_removed};
use crate::domain::identity::is_the_same_person;
use crate::domain::lifecycle::ClinicStanding;

/// What the decision about one account depends on.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The account, whose holder is not seen.
    pub account: ClinicAccount,
    /// What a person has released, by the annotation on the Clinic.
    pub released: Option<Release>,
    /// Ids of the holds that nobody has released.
    pub unreleased: Vec<String>,
    /// Accepted accounts that were not removed an hour ago.
    pub accounts: usize,
    /// Of these, those that were removed since.
    pub removed: usize,
}

/// Removes whoever is gone, or holds it back.
///
/// # Errors
/// A request that failed; all of it is tried again.
pub async fn reconcile(context: &Context) -> Result<Option<Duration>, ReconcileError> {
    let orphans = context.cache.read().orphans();
    for name in orphans {
        let Some(observed) = what_is_to_be_removed(context, &name) else { continue };
        let holder = &observed.account.spec.desired.holder;
        if !is_gone(context, holder).await? {
            continue;
        }
        // Looked at anew: the answer may have shown a manifest that takes the account over, and may have taken long.
        let still = what_is_to_be_removed(context, &name);
        if let Some(observed) = still.filter(|still| still.account.spec.desired.holder == *holder)
            && let Some(desired) = decide(&observed, context.clock.now())
        {
            patch_desired(context, &observed.account, &desired).await?;
        }
    }
    Ok(None)
}

/// Observed anew for each, so that the guard counts those before it. `None`: it is as it should be.
fn what_is_to_be_removed(context: &Context, name: &str) -> Option<Observed> {
    let now = context.clock.now();
    let observed = observe(&context.cache.read(), name, now)?;
    decide(&observed, now).map(|_| observed)
}

/// Reads one state of the cache; `None`: there is nothing to decide.
pub fn observe(index: &Index, name: &str, now: Timestamp) -> Option<Observed> {
    let clinic = index.clinic().as_ref().map(ClinicView::new);
    let open = matches!(ClinicView::standing(clinic.as_ref()), ClinicStanding::Open(_));
    let account = index.account(name).filter(|_| open)?;
    let guards = index.guards();
    let absent = !index.has_member(&account.spec.desired.holder.uid);
    (absent && !somebody_takes_it_over(index, &account)).then(|| Observed {
        account,
        released: clinic.and_then(|clinic| clinic.released_hold),
        unreleased: guards.holds().into_keys().map(str::to_owned).collect(),
        accounts: guards.accepted() - guards.removed_before(now),
        removed: guards.removed_lately(now),
    })
}

/// Whether the account is left to a manifest without an account: to one of its holder's name, or to one that is certainly of its
/// person and asks for its address. That one takes it over as it stands, so that a restore does not race with removals. A namesake
/// that is certainly of another account's person must have got that one first: what seems certain may change before.
fn somebody_takes_it_over(index: &Index, account: &ClinicAccount) -> bool {
    let holder = &account.spec.desired.holder;
    if index.namesake(&account.spec).is_some_and(|user| account.spec.is_left_to(&user.spec, &holder.name)) {
        return true;
    }
    let is_theirs = |claim: &ClaimName| index.claim(*claim).is_some_and(|(name, _)| name == account.spec.id);
    let takes_over = |user: ClinicUser| {
        let uid = user.metadata.uid.as_deref().unwrap_or_default();
        index.accounts_held_by(uid).is_empty()
            && user.spec.parse().is_ok()
            && is_the_same_person(names(&user), account.spec.names(), account.spec.desired.removed.is_some())
    };
    let claims = account.spec.claims();
    claims.into_iter().filter(is_theirs).any(|claim| index.members_that_want(claim).into_iter().any(takes_over))
}

/// The account's block once its holder is gone; `None`: it is as it should be.
pub fn decide(observed: &Observed, now: Timestamp) -> Option<Desired> {
    let desired = &observed.account.spec.desired;
    if desired.removed.is_some() {
        return None;
    }
    let removed = Desired { removed: Some(Removed { at: now }), ..desired.clone() };
    if observed.account.spec.acceptance.is_none() {
        // An invitation is withdrawn, which takes access from nobody; also one that the guard held before it knew that.
        return Some(Desired { hold: None, ..removed });
    }
    let released = observed.released.as_ref();
    let is_released = |hold: &Hold| released.is_some_and(|release| release.is_for(&hold.id, &desired.holder.name));
    match &desired.hold {
        Some(hold) if hold.released || is_released(hold) => {
            let hold = Some(Hold { released: true, ..hold.clone() });
            Some(Desired { hold, ..removed })
        }
        Some(_) => None,
        None if one_more_may_be_removed(observed.accounts, observed.removed) => Some(removed),
        None => {
            let released = released.map(|release| release.id.as_str());
            let id = Guard::Removals.hold(observed.unreleased.iter().map(String::as_str), released, now);
            Some(Desired { hold: Some(Hold { id, released: false, address: None, limit: None }), ..desired.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn observed(desired: &Value, accounts: usize, removed: usize) -> Observed {
        let mut all = json!({"holder": {"name": "ana", "uid": "1"}, "email": "ana@maple.example", "type": "Staff"});
        json_patch::merge(&mut all, desired);
        let account = json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicAccount",
            "metadata": {"name": "a-1"},
            "spec": {"id": "a-1", "desired": all, "acceptance": {"acceptedAt": "2026-11-01T00:00:00Z",
                "login": "ana@maple.example", "firstName": "Ana", "lastName": "Silva", "credential": "c"}},
        });
        let account = serde_json::from_value(account).unwrap();
        Observed { account, released: None, unreleased: Vec::new(), accounts, removed }
    }

    fn now() -> Timestamp {
        "2026-11-24T09:30:00Z".parse().unwrap()
    }

    #[test]
    fn who_is_gone_is_removed_once_and_keeps_address_and_account() {
        let removed = decide(&observed(&json!({}), 10, 0), now()).unwrap();
        assert_eq!(removed.removed, Some(Removed { at: now() }));
        assert_eq!((removed.email.as_deref(), removed.hold), (Some("ana@maple.example"), None));
        let again = observed(&json!({"removed": {"at": "2026-11-24T09:00:00Z"}}), 10, 0);
        assert_eq!(decide(&again, now()), None);
    }

    #[test]
    fn what_the_guard_holds_keeps_access_until_a_person_releases_exactly_that_hold() {
        let id = "removals-20261124T093000Z";
        let held = decide(&observed(&json!({}), 8, 2), now()).unwrap();
        assert_eq!(
            (held.removed, held.hold),
            (None, Some(Hold { id: id.into(), released: false, address: None, limit: None }))
        );
        let waiting = observed(&json!({"hold": {"id": id, "released": false}}), 8, 0);
        assert_eq!(decide(&waiting, now()), None, "also when the hour is over");
        let another = Observed { released: Release::parse("removals-20261124T080000Z"), ..waiting.clone() };
        assert_eq!(decide(&another, now()), None);
        for (names, is_hers) in [("bea", false), ("bea, ana", true)] {
            let some = Observed { released: Release::parse(&format!("{id}: {names}")), ..waiting.clone() };
            assert_eq!(decide(&some, now()).is_some(), is_hers, "{names}");
        }
        let released = Observed { released: Release::parse(id), removed: 8, ..waiting };
        let removed = decide(&released, now()).unwrap();
        assert_eq!(removed.removed, Some(Removed { at: now() }));
        assert_eq!(removed.hold, Some(Hold { id: id.into(), released: true, address: None, limit: None }));
        let once = observed(&json!({"hold": {"id": id, "released": true}}), 8, 8);
        assert!(decide(&once, now()).unwrap().removed.is_some(), "what was released is never held again");
    }

    #[test]
    fn an_invitation_that_nobody_accepted_is_withdrawn_at_once_whatever_the_guard_counts_and_also_if_it_was_held() {
        for held in [json!({}), json!({"hold": {"id": "removals-20261124T093000Z", "released": false}})] {
            let mut full = observed(&held, 8, 8);
            full.account.spec.acceptance = None;
            let withdrawn = decide(&full, now()).unwrap();
            assert_eq!((withdrawn.removed, withdrawn.hold), (Some(Removed { at: now() }), None));
        }
    }
}
