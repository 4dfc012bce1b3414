//! What a `ClinicUser` asks for next: one step at a time, from what was observed, without I/O. After each step the world is
//! observed and decided again, so a crash between two steps leaves nothing to repair that is not repaired here.

use crate::api::account::{ClinicAccount, ClinicAccountSpec, Desired, Holder};
use crate::api::clinic_user::ClinicUserSpec;
use crate::api::convert::{ClinicView, access_until};
use crate::api::{ClinicUser, RESEND_ANNOTATION};
use crate::domain::email::{ClaimName, Email};
use crate::domain::invitation::resend_value;
use crate::domain::lifecycle::ClinicStanding;
use crate::domain::member::{Member, Violation};

/// Claims that an account remembers to have given up; the CRD allows no more.
const RELEASED_KEPT: usize = 16;

/// Everything that the decision depends on.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The manifest.
    pub user: ClinicUser,
    /// The clinic, if there is one.
    pub clinic: Option<ClinicView>,
    /// The account that this `ClinicUser` (by UID) holds.
    pub account: Option<ClinicAccount>,
    /// The claims that name this `ClinicUser`'s account.
    pub own_claims: Vec<(ClaimName, String)>,
    /// Who has the email address of the manifest.
    pub address: AddressHolder,
}

/// Who has an email address.
#[derive(Clone, Debug, PartialEq)]
pub enum AddressHolder {
    /// Nobody: neither a claim nor an account.
    Nobody,
    /// The claim with this UID names our account.
    Us(String),
    /// Another account, described for a person.
    Another(String),
    /// An account that nobody ever accepted and whose `ClinicUser` is gone, as far as the cache knows.
    Abandoned(Box<Abandoned>),
}

/// An account that has an address and nobody to whom it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Abandoned {
    /// The account; `None`: there is only its claim, since the manifest went between the two.
    pub account: Option<ClinicAccount>,
    /// The account's name.
    pub name: String,
    /// UID of the claim; `None`: the account has the address without one.
    pub claim: Option<String>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Take the address: whoever creates the claim has it.
    PostClaim {
        /// The claim of the manifest's address.
        claim: ClaimName,
        /// Our account.
        account: String,
    },
    /// Record the account, whose address is claimed.
    CreateAccount(Box<ClinicAccountSpec>),
    /// Bring the account's `desired` block up to date.
    PatchDesired(Box<Desired>),
    /// Let an abandoned account give its address up. Only if its `ClinicUser` is gone indeed, which is read from the API
    /// server first.
    GiveUpAbandoned {
        /// The account.
        account: Box<ClinicAccount>,
        /// Its block without the address.
        desired: Box<Desired>,
    },
    /// Finish giving an address up.
    DeleteClaim {
        /// The claim.
        claim: ClaimName,
        /// Its UID as the account's `releasing` names it.
        uid: String,
    },
}

/// The decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What to do next; `None`: nothing is left to do here.
    pub step: Option<Step>,
    /// What is wrong with the manifest.
    pub violations: Vec<Violation>,
    /// Who has the address instead of us.
    pub address_held_by: Option<String>,
}

impl Decision {
    fn rest() -> Self {
        Self { step: None, violations: Vec::new(), address_held_by: None }
    }

    fn step(step: Step) -> Self {
        Self { step: Some(step), ..Self::rest() }
    }
}

/// Decides.
pub fn decide(observed: &Observed) -> Decision {
    let member = match observed.user.spec.parse() {
        Ok(member) => member,
        Err(violations) => return Decision { violations, ..only_access_follows(observed) },
    };
    match ClinicView::standing(observed.clinic.as_ref()) {
        ClinicStanding::Missing | ClinicStanding::UnknownZone(_) | ClinicStanding::Paused(_) => {
            only_access_follows(observed)
        }
        ClinicStanding::Open(_) => match &observed.account {
            None => a_new_member_claims_the_address_first(observed, &member),
            Some(account) => a_known_member_follows_the_manifest(observed, account, &member),
        },
    }
}

/// The name of the account of a `ClinicUser` that never had one.
pub fn first_account_name(user: &ClinicUser) -> String {
    format!("a-{}", user.metadata.uid.as_deref().unwrap_or_default())
}

/// Whatever else is wrong, the end of access and a suspension reach the account.
fn only_access_follows(observed: &Observed) -> Decision {
    let Some(account) = &observed.account else { return Decision::rest() };
    let wanted = with_access_of(observed, &account.spec.desired);
    patch_if_different(account, wanted)
}

fn a_new_member_claims_the_address_first(observed: &Observed, member: &Member) -> Decision {
    let claim = member.email.key().claim();
    let create = |email: Option<String>, releasing: Vec<String>| {
        let desired = Desired { email, releasing, ..without_address(&observed.user.spec, holder(&observed.user)) };
        Decision::step(Step::CreateAccount(Box::new(ClinicAccountSpec {
            id: first_account_name(&observed.user),
            desired: with_access_of(observed, &with_wishes_of(&observed.user, desired)),
            access: None,
            delivery: None,
            acceptance: None,
        })))
    };
    let strays = stray_claims(observed, &[claim]);
    if !strays.is_empty() {
        // The manifest was edited between claim and account. The account is created all the same, without an address, so
        // that the claim is given up in the one way there is.
        return create(None, strays);
    }
    match &observed.address {
        AddressHolder::Another(holder) => held_by(holder),
        AddressHolder::Abandoned(abandoned) => an_abandoned_account_gives_the_address_up(observed, claim, abandoned),
        AddressHolder::Nobody => Decision::step(Step::PostClaim { claim, account: first_account_name(&observed.user) }),
        AddressHolder::Us(_) => create(Some(member.email.as_str().to_owned()), Vec::new()),
    }
}

/// In the one way there is: the account is written without the address and with the claim's UID, then the claim is deleted. A
/// claim whose account was never made gets an account for this.
fn an_abandoned_account_gives_the_address_up(observed: &Observed, claim: ClaimName, abandoned: &Abandoned) -> Decision {
    let uids: Vec<String> = abandoned.claim.iter().cloned().collect();
    let Some(account) = &abandoned.account else {
        let uid = abandoned.name.strip_prefix("a-").unwrap_or_default().to_owned();
        let gone = Holder { uid, ..holder(&observed.user) };
        return Decision::step(Step::CreateAccount(Box::new(ClinicAccountSpec {
            id: abandoned.name.clone(),
            desired: Desired { releasing: uids, ..without_address(&observed.user.spec, gone) },
            access: None,
            delivery: None,
            acceptance: None,
        })));
    };
    let desired = &account.spec.desired;
    match &abandoned.claim {
        Some(uid) if desired.releasing.contains(uid) => Decision::step(Step::DeleteClaim { claim, uid: uid.clone() }),
        Some(_) | None => {
            let given_up = Desired { email: None, releasing: released(desired, uids), ..desired.clone() };
            Decision::step(Step::GiveUpAbandoned { account: Box::new(account.clone()), desired: Box::new(given_up) })
        }
    }
}

/// The UIDs of claims that name our account and are of none of these addresses.
fn stray_claims(observed: &Observed, wanted: &[ClaimName]) -> Vec<String> {
    let strays = observed.own_claims.iter().filter(|(claim, _)| !wanted.contains(claim));
    strays.map(|(_, uid)| uid.clone()).collect()
}

/// The claims that were given up, with these added. Old entries stay (the newest 16), though their claims are gone: the
/// caches of claims and accounts are not of one moment, so "gone" cannot be seen for certain, and a UID that stands here
/// is never used again.
fn released(desired: &Desired, uids: Vec<String>) -> Vec<String> {
    let mut all = desired.releasing.clone();
    all.extend(uids);
    let surplus = all.len().saturating_sub(RELEASED_KEPT);
    all.split_off(surplus)
}

fn a_known_member_follows_the_manifest(observed: &Observed, account: &ClinicAccount, member: &Member) -> Decision {
    let desired = &account.spec.desired;
    let wanted = with_access_of(observed, &with_wishes_of(&observed.user, desired.clone()));
    if let Some((claim, uid)) = observed.own_claims.iter().find(|(_, uid)| desired.releasing.contains(uid)) {
        return Decision::step(Step::DeleteClaim { claim: *claim, uid: uid.clone() });
    }
    let claim = member.email.key().claim();
    let held = desired.email.as_deref().and_then(|address| Email::parse(address).ok()).map(|email| email.key().claim());
    let accepted = account.spec.acceptance.is_some();
    let moves = held.is_some_and(|held| held != claim) && !accepted;
    let mut kept = account.spec.claims();
    kept.push(claim);
    let strays = stray_claims(observed, if moves { &[] } else { &kept });
    if moves || !strays.is_empty() {
        let email = if moves { None } else { wanted.email.clone() };
        let given_up = Desired { email, releasing: released(desired, strays), ..wanted };
        return Decision::step(Step::PatchDesired(Box::new(given_up)));
    }
    match held {
        Some(held) if held != claim => patch_if_different(account, wanted),
        Some(_) | None => match &observed.address {
            AddressHolder::Another(holder) => {
                Decision { step: patch_if_different(account, wanted).step, ..held_by(holder) }
            }
            AddressHolder::Abandoned(abandoned) => {
                an_abandoned_account_gives_the_address_up(observed, claim, abandoned)
            }
            AddressHolder::Nobody => Decision::step(Step::PostClaim { claim, account: account.spec.id.clone() }),
            AddressHolder::Us(_) => {
                let email = Some(member.email.as_str().to_owned());
                patch_if_different(account, Desired { email, ..wanted })
            }
        },
    }
}

fn held_by(holder: &str) -> Decision {
    Decision { address_held_by: Some(holder.to_owned()), ..Decision::rest() }
}

fn patch_if_different(account: &ClinicAccount, wanted: Desired) -> Decision {
    if wanted == account.spec.desired { Decision::rest() } else { Decision::step(Step::PatchDesired(Box::new(wanted))) }
}

fn holder(user: &ClinicUser) -> Holder {
    Holder { name: user.metadata.name.clone().unwrap_or_default(), uid: user.metadata.uid.clone().unwrap_or_default() }
}

fn without_address(spec: &ClinicUserSpec, holder: Holder) -> Desired {
    Desired {
        holder,
        email: None,
        type_: spec.type_,
        classification: None,
        license: None,
        first_name: None,
        last_name: None,
        title: None,
        position: None,
        roles: Vec::new(),
        permissions: Vec::new(),
        locale: None,
        suspended: false,
        access_until: None,
        removed: None,
        releasing: Vec::new(),
        hold: None,
        resend: None,
        decisions: 0,
    }
}

/// The manifest's facts about the person, all but address and access.
fn with_wishes_of(user: &ClinicUser, desired: Desired) -> Desired {
    let spec = user.spec.clone();
    Desired {
        holder: holder(user),
        type_: spec.type_,
        classification: spec.classification,
        license: spec.license,
        first_name: spec.first_name,
        last_name: spec.last_name,
        title: spec.title,
        position: spec.position,
        roles: spec.roles,
        permissions: spec.permissions,
        locale: spec.locale,
        resend: user
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(RESEND_ANNOTATION))
            .map(|value| resend_value(value)),
        ..desired
    }
}

/// Suspension and end of access, as far as they are valid: without a zone or with a wrong date the last instant stays.
fn with_access_of(observed: &Observed, desired: &Desired) -> Desired {
    let zone = observed.clinic.as_ref().and_then(|clinic| clinic.zone.as_ref());
    let until = match (observed.user.spec.period(), zone) {
        (Ok(period), Some(zone)) => access_until(period, zone),
        _ => desired.access_until,
    };
    Desired { suspended: observed.user.spec.suspended, access_until: until, ..desired.clone() }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
