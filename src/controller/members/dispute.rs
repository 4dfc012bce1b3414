//! An address that another account has: what §5's table makes of it here. The table itself is `domain::identity`; that the
//! other account's holder is gone is read live before anything is taken from it.

use jiff::Timestamp;

use super::observe::{Observed, Other, Presence, holder};
use super::step::{Decision, Step, patch};
use super::wishes::{decided, names, new_account, releasing, wishes};
use crate::api::account::{ClinicAccount, Desired, Holder, Removed};
use crate::domain::email::ClaimName;
use crate::domain::identity::{Claimant, Occupant, Ruling, approval, is_the_same_person, whose_account_it_is};
use crate::domain::verdict::Obstacle;

/// Decides about an address (by its claim) that `other` has.
pub fn another_account_has_the_address(
    observed: &Observed,
    claimant: Claimant,
    claim: ClaimName,
    other: &Other,
    now: Timestamp,
) -> Decision {
    if let Some(decision) = a_release_is_finished(other, claim) {
        return decision;
    }
    if other.holder == Presence::There {
        return email_conflict(observed, other);
    }
    let Some(account) = &other.account else { return a_claim_without_account_gets_one(observed, other) };
    let desired = &account.spec.desired;
    if !observed.live.gone.contains(&desired.holder.uid) {
        return Decision::step(Step::AskWhetherGone(desired.holder.clone()));
    }
    // A claim that is left over from another address is nobody's account.
    let has_it = other.has(claim);
    let same_person =
        has_it && is_the_same_person(names(&observed.user), account.spec.names(), desired.removed.is_some());
    let occupant = Occupant { holder_is_gone: true, accepted: has_it && other.is_accepted(), same_person };
    let approval = approval(&account.spec.id, desired.decisions);
    let one_more_decision = desired.decisions.saturating_add(1);
    match whose_account_it_is(claimant, occupant, decided(observed, &approval)) {
        Ruling::EmailConflict => email_conflict(observed, other),
        Ruling::TheOtherGivesUp if has_it => patch(account, given_up(other, desired)),
        Ruling::TheOtherGivesUp => patch(account, without_claim(other, desired, claim)),
        Ruling::Adopt => patch(account, wishes(observed).adopted(desired)),
        Ruling::Reactivate => {
            patch(account, Desired { decisions: one_more_decision, ..wishes(observed).adopted(desired) })
        }
        Ruling::Replace => {
            let removed = desired.removed.clone().or(Some(Removed { at: now }));
            let given_up = given_up(other, desired);
            patch(account, Desired { removed, hold: None, decisions: one_more_decision, ..given_up })
        }
        Ruling::FormerMember => Decision::stuck(Obstacle::FormerMember {
            account: account.spec.id.clone(),
            manifest: desired.holder.name.clone(),
            approval,
            may_reactivate: claimant == Claimant::New,
            has_access: account.spec.access.as_ref().is_some_and(|access| access.granted),
        }),
    }
}

/// Of two accounts of one person the second gives its address up, unless somebody accepted it: then a person must look.
pub fn a_second_account_gives_up(observed: &Observed) -> Option<Decision> {
    observed.spares.iter().filter(|spare| !spare.is_accepted()).find_map(|spare| {
        let account = spare.account.as_ref()?;
        let desired = &account.spec.desired;
        let finished = spare.claims.iter().find(|(_, uid)| desired.releasing.contains(uid));
        if let Some((claim, uid)) = finished {
            return Some(Decision::step(Step::DeleteClaim { claim: *claim, uid: uid.clone() }));
        }
        let has_any = desired.email.is_some() || !spare.claims.is_empty();
        has_any.then(|| patch(account, given_up(spare, desired)))
    })
}

/// Claims that the other account has given up already are deleted, the one that is waited for last, so that none is left
/// over.
fn a_release_is_finished(other: &Other, claim: ClaimName) -> Option<Decision> {
    let releasing = &other.account.as_ref()?.spec.desired.releasing;
    let mut released: Vec<_> = other.claims.iter().filter(|(_, uid)| releasing.contains(uid)).collect();
    released.sort_by_key(|(name, _)| *name == claim);
    let is_waited_for = released.iter().any(|(name, _)| *name == claim);
    let (claim, uid) = released.first().filter(|_| is_waited_for)?;
    Some(Decision::step(Step::DeleteClaim { claim: *claim, uid: uid.clone() }))
}

/// A claim whose account was never made, since its manifest went between the two: it gets one without an address, so that the
/// claim is given up in the one way there is.
fn a_claim_without_account_gets_one(observed: &Observed, other: &Other) -> Decision {
    let uid = other.name.strip_prefix("a-").unwrap_or_default().to_owned();
    let gone = Holder { uid, ..holder(&observed.user) };
    let desired = Desired::without_address(observed.user.spec.type_, gone);
    let releasing = releasing(&desired, other.claims.iter().map(|(_, uid)| uid.clone()));
    Decision::step(Step::CreateAccount(Box::new(new_account(&other.name, Desired { releasing, ..desired }))))
}

/// The account without its address and its claims.
fn given_up(other: &Other, desired: &Desired) -> Desired {
    let releasing = releasing(desired, other.claims.iter().map(|(_, uid)| uid.clone()));
    Desired { email: None, releasing, ..desired.clone() }
}

/// The account without a claim that is of none of its addresses.
fn without_claim(other: &Other, desired: &Desired, claim: ClaimName) -> Desired {
    let uids = other.claims.iter().filter(|(name, _)| *name == claim).map(|(_, uid)| uid.clone());
    Desired { releasing: releasing(desired, uids), ..desired.clone() }
}

fn email_conflict(observed: &Observed, other: &Other) -> Decision {
    let we_accepted =
        observed.account.as_ref().is_some_and(|account: &ClinicAccount| account.spec.acceptance.is_some());
    Decision::stuck(Obstacle::EmailConflict {
        holder: other.in_words.clone(),
        is_a_swap: we_accepted && other.is_accepted() && other.wants_ours,
    })
}

#[cfg(test)]
#[path = "dispute_tests.rs"]
mod tests;
