//! What a `ClinicUser` asks for next: one step at a time, from what was observed, without I/O. After each step the world is
//! observed and decided again, so a crash between two steps leaves nothing to repair that is not repaired here. Whose an
//! address is that another account has is in `dispute`.

use jiff::Timestamp;

use super::dispute::{a_second_account_gives_up, another_account_has_the_address};
use super::observe::{Observed, Other, Presence, created, first_account_name, holder};
use super::step::{Decision, Step, patch, patch_if_different};
use super::wishes::{decided, names, new_account, releasing, wishes};
use crate::api::account::{ClinicAccount, ClinicAccountSpec, Desired};
use crate::api::convert::ClinicView;
use crate::api::wishes::signed_out;
use crate::domain::email::{ClaimName, RawEmail};
use crate::domain::identity::{
    Approval, Claimant, approval, may_have_become_another_person, precedence, takes_another_name,
};
use crate::domain::lifecycle::ClinicStanding;
use crate::domain::member::Member;
use crate::domain::standing;
use crate::domain::verdict::Obstacle;

/// Decides. `now` is recorded, and says whether an end of access has passed that is taken back.
pub fn decide(observed: &Observed, now: Timestamp) -> Decision {
    let mut decision = what_follows(observed, now);
    match &mut decision.step {
        Some(Step::PatchDesired { account, desired }) => {
            desired.grant = grant_of(observed, account, desired, now);
            decision
        }
        // A sign-out waits for nothing.
        Some(_) | None => sign_out(observed, now).before(decision),
    }
}

/// The grant that is written with this block: the one place where it rises.
fn grant_of(observed: &Observed, account: &ClinicAccount, desired: &Desired, now: Timestamp) -> u32 {
    let after = ClinicAccountSpec { desired: desired.clone(), ..account.spec.clone() };
    let signs_out = account.spec.is_signed_out_by(signed_out(observed.user.metadata.annotations.as_ref()));
    let is_given_back = standing::is_given_back(&account.spec.standing(), &after.standing(), now);
    // With one patch that does both it rises twice: what began since the sign-out has ended with access.
    account.spec.desired.grant.saturating_add(u32::from(is_given_back)).saturating_add(u32::from(signs_out))
}

/// Ends the sessions of the member's account, if an administrator has asked for it and that is not answered yet.
fn sign_out(observed: &Observed, now: Timestamp) -> Decision {
    let Some(account) = &observed.account else { return Decision::default() };
    let desired = &account.spec.desired;
    patch_if_different(account, Desired { grant: grant_of(observed, account, desired, now), ..desired.clone() })
}

fn what_follows(observed: &Observed, now: Timestamp) -> Decision {
    if observed.user.is_being_deleted() {
        // Being deleted is being gone: what becomes of the account is a removal.
        return Decision::default();
    }
    if let Some(decision) = the_place_of_the_gone_holder_is_taken(observed) {
        return decision;
    }
    let member = match observed.user.spec.parse() {
        Ok(member) => member,
        Err(violations) => return Decision { violations, ..an_invalid_manifest_keeps_what_it_has(observed) },
    };
    match ClinicView::standing(observed.clinic.as_ref()) {
        ClinicStanding::Missing | ClinicStanding::UnknownZone(_) | ClinicStanding::Paused(_) => {
            only_access_follows(observed)
        }
        ClinicStanding::Open(_) => match &observed.account {
            None => a_new_member_claims_the_address_first(observed, &member, now),
            Some(account) => a_known_member_follows_the_manifest(observed, account, &member, now),
        },
    }
}

/// Whatever else is wrong, the end of access and a suspension reach the account.
fn only_access_follows(observed: &Observed) -> Decision {
    let Some(account) = &observed.account else { return Decision::default() };
    patch_if_different(account, wishes(observed).access(&account.spec.desired))
}

/// Nothing of it takes effect but access; an address that the person gave up before, by confirming another, is free all the same.
fn an_invalid_manifest_keeps_what_it_has(observed: &Observed) -> Decision {
    let is_open = matches!(ClinicView::standing(observed.clinic.as_ref()), ClinicStanding::Open(_));
    let Some(account) = observed.account.as_ref().filter(|_| is_open) else { return only_access_follows(observed) };
    let desired = &account.spec.desired;
    if let Some((claim, uid)) = observed.own_claims.iter().find(|(_, uid)| desired.releasing.contains(uid)) {
        return Decision::step(Step::DeleteClaim { claim: *claim, uid: uid.clone() });
    }
    let wanted = wishes(observed).access(desired);
    let releasing = releasing(&wanted, stray_claims(observed, &account.spec.claims()));
    patch_if_different(account, Desired { releasing, ..wanted })
}

/// A manifest that comes back under its name takes its account over before anybody looks who has its address, and whatever else is
/// wrong: after a restore all UIDs are new, and every pending edit is still to be one.
fn the_place_of_the_gone_holder_is_taken(observed: &Observed) -> Option<Decision> {
    let account = observed.left.as_ref()?;
    let desired = &account.spec.desired;
    if let Some(named) = an_account_named_by_the_status(observed) {
        return Some(Decision::step(Step::ReadAccount(named.to_owned())));
    }
    if observed.live.there.contains(&desired.holder.uid) {
        return None;
    }
    if !observed.live.gone.contains(&desired.holder.uid) {
        return Some(Decision::step(Step::AskWhetherGone(desired.holder.clone())));
    }
    Some(patch(account, wishes(observed).in_the_place_of_the_holder(desired)))
}

/// A status that names an account is a hint, which the API server itself confirms or refutes.
fn an_account_named_by_the_status(observed: &Observed) -> Option<&str> {
    let named = observed.user.status.as_ref()?.account.as_deref()?;
    (!observed.live.read.contains(named)).then_some(named)
}

fn a_new_member_claims_the_address_first(observed: &Observed, member: &Member, now: Timestamp) -> Decision {
    if let Some(named) = an_account_named_by_the_status(observed) {
        return Decision::step(Step::ReadAccount(named.to_owned()));
    }
    let claim = member.email.key().claim();
    let name = first_account_name(&observed.user);
    let create = |email: Option<RawEmail>, releasing: Vec<String>| {
        let desired =
            Desired { email, releasing, ..Desired::without_address(observed.user.spec.type_, holder(&observed.user)) };
        Decision::step(Step::CreateAccount(Box::new(new_account(
            &name,
            wishes(observed).all_but_the_address(&desired),
        ))))
    };
    let usable = observed.address.others.is_empty().then_some(claim);
    let strays = stray_claims(observed, usable.as_slice());
    if !strays.is_empty() {
        // The manifest was edited between claim and account, or somebody has the address after all. The account is created
        // all the same, without an address, so that the claim is given up in the one way there is.
        return create(None, strays);
    }
    match observed.address.others.first() {
        Some(other) => another_account_has_the_address(observed, Claimant::New, claim, other, now),
        None if observed.address.is_claimed_by(&name) => create(Some(RawEmail::from(&member.email)), Vec::new()),
        None => Decision::step(Step::PostClaim { claim, account: name }),
    }
}

/// The UIDs of claims that name our account and are of none of these addresses.
fn stray_claims(observed: &Observed, wanted: &[ClaimName]) -> Vec<String> {
    let strays = observed.own_claims.iter().filter(|(claim, _)| !wanted.contains(claim));
    strays.map(|(_, uid)| uid.clone()).collect()
}

fn a_known_member_follows_the_manifest(
    observed: &Observed,
    account: &ClinicAccount,
    member: &Member,
    now: Timestamp,
) -> Decision {
    let desired = &account.spec.desired;
    if let Some(decision) = a_second_account_gives_up(observed) {
        return decision;
    }
    if let Some((claim, uid)) = observed.own_claims.iter().find(|(_, uid)| desired.releasing.contains(uid)) {
        return Decision::step(Step::DeleteClaim { claim: *claim, uid: uid.clone() });
    }
    if (desired.removed.is_some() || desired.hold.is_some()) && !observed.live.there.contains(&desired.holder.uid) {
        // Somebody saw that we are gone, and our cache may be late.
        return Decision::step(Step::AskWhetherGone(holder(&observed.user)));
    }
    let wanted = wishes(observed).all_but_the_address(desired);
    if let Some(decision) = an_accepted_member_may_have_become_another(observed, account, member, &wanted) {
        return decision;
    }
    if account.spec.acceptance.is_some() {
        an_accepted_member_keeps_the_login(observed, account, member, wanted, now)
    } else {
        a_pending_member_gives_up_the_old_address_first(observed, account, member, wanted, now)
    }
}

fn an_accepted_member_may_have_become_another(
    observed: &Observed,
    account: &ClinicAccount,
    member: &Member,
    wanted: &Desired,
) -> Option<Decision> {
    let desired = &account.spec.desired;
    let another_address = account.spec.address_key().is_some_and(|key| key != member.email.key());
    let another_name = takes_another_name(names(&observed.user), account.spec.names());
    if !may_have_become_another_person(account.spec.acceptance.is_some(), another_address, another_name) {
        return None;
    }
    let approval = approval(&account.spec.id, desired.decisions);
    Some(match decided(observed, &approval) {
        Approval::SamePerson => {
            patch(account, Desired { decisions: desired.decisions.saturating_add(1), ..wanted.clone() })
        }
        Approval::None | Approval::AnotherPerson => {
            // An address that was claimed before the name changed too is nobody's now.
            let releasing = releasing(desired, stray_claims(observed, &account.spec.claims()));
            let kept = Desired { removed: None, hold: None, releasing, ..desired.clone() };
            let access = wishes(observed).access(&kept);
            patch_if_different(account, access).before(Decision::stuck(Obstacle::IdentityChanged { approval }))
        }
    })
}

fn a_pending_member_gives_up_the_old_address_first(
    observed: &Observed,
    account: &ClinicAccount,
    member: &Member,
    wanted: Desired,
    now: Timestamp,
) -> Decision {
    let claim = member.email.key().claim();
    let held = account.spec.address_key().map(|key| key.claim());
    let has_it = held == Some(claim);
    let goes = held.is_some() && (!has_it || a_stronger_account_has_the_address(observed, account));
    let usable = (!goes && (has_it || observed.address.others.is_empty())).then_some(claim);
    let strays = stray_claims(observed, usable.as_slice());
    if goes || !strays.is_empty() {
        let email = if goes { None } else { wanted.email.clone() };
        return patch(account, Desired { email, releasing: releasing(&wanted, strays), ..wanted });
    }
    take_the_address(observed, account, member, wanted, now)
}

/// Of two accounts that have one address already the one whose claim it is keeps it, but never against an accepted one.
fn a_stronger_account_has_the_address(observed: &Observed, account: &ClinicAccount) -> bool {
    let rank = precedence(account.spec.acceptance.is_some(), created(account), &account.spec.id);
    let is_stronger = |other: &Other| {
        let is_first = other
            .account
            .as_ref()
            .is_some_and(|other| precedence(other.spec.acceptance.is_some(), created(other), &other.spec.id) < rank);
        match &observed.address.claim {
            Some((name, _)) if *name == other.name => true,
            Some((name, _)) if *name == account.spec.id => other.is_accepted(),
            Some(_) | None => is_first && (other.is_accepted() || other.holder == Presence::There),
        }
    };
    observed.address.others.iter().any(is_stronger)
}

/// The new address is claimed beside the login, which stays until the person has confirmed the new one.
fn an_accepted_member_keeps_the_login(
    observed: &Observed,
    account: &ClinicAccount,
    member: &Member,
    wanted: Desired,
    now: Timestamp,
) -> Decision {
    let claim = member.email.key().claim();
    let held = account.spec.address_key().map(|key| key.claim());
    let login = account.spec.login_key().map(|key| key.claim());
    let may_take_it = held == Some(claim) || observed.address.others.is_empty();
    let usable: Vec<ClaimName> = [held, login, may_take_it.then_some(claim)].into_iter().flatten().collect();
    let strays = stray_claims(observed, &usable);
    if !strays.is_empty() {
        return patch(account, Desired { releasing: releasing(&wanted, strays), ..wanted });
    }
    if let Some((login, address)) = &observed.login
        && !address.is_claimed_by(&account.spec.id)
    {
        // The login's claim is restored before anything else is taken: without it the address might become another's.
        let restored = match address.others.first() {
            Some(other) => another_account_has_the_address(observed, Claimant::Known, *login, other, now),
            None => Decision::step(Step::PostClaim { claim: *login, account: account.spec.id.clone() }),
        };
        return patch_if_different(account, wanted).before(restored);
    }
    take_the_address(observed, account, member, wanted, now)
}

/// Claims the manifest's address and records it, or says who has it.
fn take_the_address(
    observed: &Observed,
    account: &ClinicAccount,
    member: &Member,
    wanted: Desired,
    now: Timestamp,
) -> Decision {
    let claim = member.email.key().claim();
    let has_it = account.spec.claims().contains(&claim);
    let ours = observed.address.is_claimed_by(&account.spec.id);
    // Whoever has the address beside us gives it up by themselves, unless they accepted too.
    let in_the_way = |other: &&Other| !(has_it && ours) || (account.spec.acceptance.is_some() && other.is_accepted());
    match observed.address.others.iter().find(in_the_way) {
        Some(other) => patch_if_different(account, wanted).before(another_account_has_the_address(
            observed,
            Claimant::Known,
            claim,
            other,
            now,
        )),
        None if ours => patch_if_different(account, Desired { email: Some(RawEmail::from(&member.email)), ..wanted }),
        None => patch_if_different(account, wanted)
            .before(Decision::step(Step::PostClaim { claim, account: account.spec.id.clone() })),
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
