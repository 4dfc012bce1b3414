//! What a decision about a `ClinicUser` depends on, read from one state of the cache, and what was read live because the cache
//! alone must not be believed. Nothing is decided here.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::api::ClinicUser;
use crate::api::account::{ClinicAccount, Holder};
use crate::api::convert::ClinicView;
use crate::controller::cache::Index;
use crate::domain::email::{ClaimName, Email};
use crate::domain::identity::precedence;

/// Everything that the decision depends on.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The manifest.
    pub user: ClinicUser,
    /// The clinic, if there is one.
    pub clinic: Option<ClinicView>,
    /// The account that this `ClinicUser` (by UID) holds.
    pub account: Option<ClinicAccount>,
    /// What else it holds: of two accounts for one person, which a race can make, one must give its address up.
    pub spares: Vec<Other>,
    /// The account of a holder of the same name who is not seen, which this `ClinicUser` takes over if that one is gone.
    pub left: Option<Box<ClinicAccount>>,
    /// The claims that name this `ClinicUser`'s account, with their UIDs.
    pub own_claims: Vec<(ClaimName, String)>,
    /// Who has the email address of the manifest.
    pub address: Address,
    /// The claim of the login of an accepted member, where that is another address, and who has it.
    pub login: Option<(ClaimName, Address)>,
    /// For how long the account's latest attempt has been seen without its outcome.
    pub open_for: SignedDuration,
    /// What was read live so far.
    pub live: Live,
}

/// Who has an email address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Address {
    /// Its claim: the account that it names and its UID.
    pub claim: Option<(String, String)>,
    /// The accounts other than ours that have the address or that the claim names, whoever decides first.
    pub others: Vec<Other>,
}

impl Address {
    /// Whether its claim names this account.
    pub fn is_claimed_by(&self, account: &str) -> bool {
        self.claim.as_ref().is_some_and(|(name, _)| name == account)
    }

    /// Whether neither a claim nor an account stands in the way of claiming it.
    pub fn is_free(&self) -> bool {
        self.claim.is_none() && self.others.is_empty()
    }
}

/// Another account.
#[derive(Clone, Debug, PartialEq)]
pub struct Other {
    /// Its name.
    pub name: String,
    /// The account; `None`: there is only a claim that names it, since its manifest went between the two.
    pub account: Option<ClinicAccount>,
    /// The claims that name it, with their UIDs.
    pub claims: Vec<(ClaimName, String)>,
    /// Who holds it, as far as the cache knows.
    pub holder: Presence,
    /// Its holder, described for a person.
    pub in_words: String,
    /// Whether its holder's manifest wishes for an address of ours.
    pub wants_ours: bool,
}

/// Whether the `ClinicUser` that holds an account is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is, or nobody can tell since the account does not fit our types: it is left alone.
    There,
    /// The cache does not have it.
    NotSeen,
}

impl Other {
    /// Whether the account has this address, so that the claim is not only left over from another.
    pub fn has(&self, claim: ClaimName) -> bool {
        self.account.as_ref().is_some_and(|account| account.spec.claims().contains(&claim))
    }

    /// Whether a person accepted it.
    pub fn is_accepted(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.spec.acceptance.is_some())
    }
}

/// What was read from the API server itself since the decision began. A UID that is gone stays gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// UIDs of `ClinicUser`s that are gone.
    pub gone: BTreeSet<String>,
    /// UIDs of `ClinicUser`s that are there.
    pub there: BTreeSet<String>,
    /// Names of accounts that were read (and went into the cache, if they are there).
    pub read: BTreeSet<String>,
}

/// The name of the account of a `ClinicUser` that never had one.
pub fn first_account_name(user: &ClinicUser) -> String {
    format!("a-{}", user.metadata.uid.as_deref().unwrap_or_default())
}

/// The `ClinicUser` as an account names it.
pub fn holder(user: &ClinicUser) -> Holder {
    Holder { name: user.metadata.name.clone().unwrap_or_default(), uid: user.metadata.uid.clone().unwrap_or_default() }
}

/// Reads everything from one state of the cache; `None`: there is no such member.
pub fn observe(index: &Index, name: &str, live: &Live) -> Option<Observed> {
    let user = index.member(name)?;
    let mut held = index.accounts_held_by(user.metadata.uid.as_deref()?).into_iter();
    let account = held.next();
    let own_name = account.as_ref().map_or_else(|| first_account_name(&user), |account| account.spec.id.clone());
    let own = Own {
        user: &user,
        name: &own_name,
        claims: account.as_ref().map(|account| account.spec.claims()).unwrap_or_default(),
    };
    let wanted = Email::parse(&user.spec.email).ok().map(|email| email.key().claim());
    let login = account.as_ref().and_then(|account| account.spec.login_key()).map(|login| login.claim());
    let address = |claim| address(index, live, claim, &own);
    Some(Observed {
        clinic: index.clinic().as_ref().map(ClinicView::new),
        spares: held.map(|spare| other(index, live, &spare.spec.id, &own)).collect(),
        own_claims: index.claims_of(&own_name),
        address: wanted.map_or_else(Address::default, address),
        left: if account.is_none() { left_to(index, &user).map(Box::new) } else { None },
        login: login.filter(|login| wanted != Some(*login)).map(|login| (login, address(login))),
        live: live.clone(),
        open_for: index.open_for(&own_name),
        account,
        user,
    })
}

/// Of several accounts that a manifest could take over by its name, none where it is certainly of another's person: the one that has
/// its address, one that no guard held, an accepted one.
fn left_to(index: &Index, user: &ClinicUser) -> Option<ClinicAccount> {
    let name = user.metadata.name.as_deref()?;
    let wanted = Email::parse(&user.spec.email).ok().map(|email| email.key().claim());
    let rank = |account: &ClinicAccount| {
        let spec = &account.spec;
        let has_it = wanted.is_some_and(|wanted| spec.claims().contains(&wanted));
        let (accepted, made, id) = precedence(spec.acceptance.is_some(), created(account), &spec.id);
        (!has_it, spec.desired.hold.is_some(), accepted, made, id.to_owned())
    };
    let left = index.accounts_left_by(name).into_iter().filter(|account| account.spec.passes_to(&user.spec, name));
    left.filter(|account| !index.goes_to_another(account, user)).min_by_key(rank)
}

/// Us, as far as others are compared with us.
struct Own<'a> {
    user: &'a ClinicUser,
    /// Our account, or the one that we would make.
    name: &'a str,
    claims: Vec<ClaimName>,
}

/// The account that the claim names comes first, then those that have the address without it: accepted ones before others,
/// then the older.
fn address(index: &Index, live: &Live, claim: ClaimName, own: &Own<'_>) -> Address {
    let found = index.claim(claim);
    let named = found.as_ref().map(|(account, _)| account.as_str()).filter(|account| *account != own.name);
    let mut others: Vec<Other> = index
        .other_accounts_with(claim, own.name)
        .into_iter()
        .filter(|account| Some(*account) != named)
        .map(|account| other(index, live, account, own))
        .collect();
    others.sort_by(|one, two| rank(one).cmp(&rank(two)));
    if let Some(named) = named {
        others.insert(0, other(index, live, named, own));
    }
    Address { claim: found, others }
}

fn rank(other: &Other) -> (bool, i64, &str) {
    precedence(other.is_accepted(), other.account.as_ref().map_or(i64::MAX, created), &other.name)
}

/// When the API server made an account, in whole seconds.
pub fn created(account: &ClinicAccount) -> i64 {
    account.metadata.creation_timestamp.as_ref().map_or(i64::MAX, |created| created.0.as_second())
}

fn other(index: &Index, live: &Live, name: &str, own: &Own<'_>) -> Other {
    let account = index.account(name);
    let wants = account.as_ref().and_then(|account| index.member(&account.spec.desired.holder.name));
    let wants = wants.filter(|user| !user.is_being_deleted()).and_then(|user| Email::parse(&user.spec.email).ok());
    let wants = wants.map(|email| email.key().claim());
    Other {
        claims: index.claims_of(name),
        holder: presence(index, live, name, account.as_ref(), own),
        in_words: index.holder_of(name),
        wants_ours: wants.is_some_and(|wants| own.claims.contains(&wants)),
        name: name.to_owned(),
        account,
    }
}

fn presence(index: &Index, live: &Live, name: &str, account: Option<&ClinicAccount>, own: &Own<'_>) -> Presence {
    let is_there = |uid: &str| live.there.contains(uid) || (index.has_member(uid) && !live.gone.contains(uid));
    let is_another = |user: &ClinicUser| user.metadata.uid != own.user.metadata.uid;
    let is_theirs = match account {
        Some(account) => {
            // Whoever is about to take it over, or of whom a person must say whether it is theirs, is as good as there.
            is_there(&account.spec.desired.holder.uid) || index.heir(account).is_some_and(|user| is_another(&user))
        }
        // An account that does not fit our types is nobody's to give up.
        None if index.has_account(name) => true,
        // A claim of ours from before we took an account over is to be given up like another's.
        None => {
            name.strip_prefix("a-").is_some_and(|uid| own.user.metadata.uid.as_deref() != Some(uid) && is_there(uid))
        }
    };
    if is_theirs { Presence::There } else { Presence::NotSeen }
}
