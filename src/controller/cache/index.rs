//! The cache of the clinic's objects with the lookups that decisions need: by name, by holder, by claim. It is fed by watches
//! and by the answers to our own writes, by the rule of `adapters::kubernetes::Told`. It decides nothing and writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::SignedDuration;
use kube::api::DynamicObject;

use super::class::Class;
use super::ends::Ends;
use super::facts::{Facts, differ_in_status_only, facts};
use super::guards::Guards;
use super::holders::Holders;
use super::kind::Kind;
use super::open::OpenAttempts;
use crate::adapters::clock::Clock;
use crate::adapters::kubernetes::{Counts, Packed, Told};
use crate::api::{Clinic, ClinicAccount, ClinicUser, ServiceAccount};
use crate::controller::queue::Key;
use crate::domain::email::ClaimName;
use crate::domain::lifecycle::State;

/// What is kept of an object. What else is asked of it is unpacked when it is asked for: a clinic has thousands of these.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) packed: Packed,
    /// A member's state; `None` for others, and before there is one.
    state: Option<State>,
    class: Class,
    /// Since which list it is known.
    list: u32,
}

/// A claim and the name of an object that has or wants its address.
type ByClaim = BTreeSet<(ClaimName, Arc<str>)>;

/// The cache.
#[derive(Debug, Default)]
pub struct Index {
    pub(super) objects: HashMap<Kind, BTreeMap<Arc<str>, Entry>>,
    members_by_claim: ByClaim,
    accounts_by_claim: ByClaim,
    holders: Holders,
    /// Without those that are being deleted: to everybody else these are gone.
    member_by_uid: BTreeMap<Box<str>, Arc<str>>,
    claims_by_account: BTreeSet<(Arc<str>, ClaimName)>,
    guards: Guards,
    ends: Ends,
    open: OpenAttempts,
    clock: Clock,
    pub(super) told: HashMap<Kind, Told>,
}

impl Index {
    /// Takes a state of an object in. Returns the work that it makes necessary: none if it is what is known, or does not count.
    pub fn apply(&mut self, kind: Kind, object: DynamicObject) -> BTreeSet<Key> {
        let Some(name) = object.metadata.name.clone() else { return BTreeSet::new() };
        let packed = Packed::new(object);
        let told = self.told.entry(kind).or_default();
        let list = told.list();
        let known = self.objects.entry(kind).or_default().get_mut(&*name);
        if let Some(known) = known {
            match told.which_counts(&known.packed, known.list, &packed) {
                Counts::Known => return BTreeSet::new(),
                Counts::Both => {
                    known.list = list;
                    return BTreeSet::new();
                }
                Counts::Other if kind == Kind::Clinic && differ_in_status_only(&known.packed, &packed) => {
                    // Nobody's decision depends on it; and each change of a member changes it.
                    (known.packed, known.list) = (packed, list);
                    return BTreeSet::from([Key::Clinic]);
                }
                Counts::Other => {}
            }
        }
        let mut work = self.forget(kind, &name);
        let facts = facts(kind, &packed);
        let entry = Entry { state: facts.state, class: facts.class, packed, list };
        let name: Arc<str> = name.into();
        self.link(kind, &name, &facts);
        work.append(&mut self.affected(kind, &name, &facts));
        self.objects.entry(kind).or_default().insert(name, entry);
        work
    }

    /// Takes in that an object is gone. If `uid` is given, only if it is still that one.
    pub fn remove(&mut self, kind: Kind, name: &str, uid: Option<&str>) -> BTreeSet<Key> {
        let known = self.entry(kind, name).map(|entry| facts(kind, &entry.packed).uid);
        let is_it = known.is_some_and(|known| uid.is_none_or(|uid| uid == known));
        if !is_it {
            return BTreeSet::new();
        }
        if kind == Kind::ClinicAccount {
            // Not in `forget`: a changed account is forgotten and learned anew, and its time goes on.
            self.open.forget(name);
        }
        self.forget(kind, name)
    }

    /// The clinic.
    pub fn clinic(&self) -> Option<Clinic> {
        self.entry(Kind::Clinic, crate::api::CLINIC_NAME)?.packed.unpack()
    }

    /// A member, who may be being deleted.
    pub fn member(&self, name: &str) -> Option<ClinicUser> {
        self.entry(Kind::ClinicUser, name)?.packed.unpack()
    }

    /// A member's object as it is stored, if it does not fit our type.
    pub fn misfit_member(&self, name: &str) -> Option<DynamicObject> {
        let entry = self.entry(Kind::ClinicUser, name)?;
        if entry.packed.unpack::<ClinicUser>().is_some() { None } else { entry.packed.unpack() }
    }

    /// A service account.
    pub fn service_account(&self, name: &str) -> Option<ServiceAccount> {
        self.entry(Kind::ServiceAccount, name)?.packed.unpack()
    }

    /// An account.
    pub fn account(&self, name: &str) -> Option<ClinicAccount> {
        self.entry(Kind::ClinicAccount, name)?.packed.unpack()
    }

    /// What the guards count.
    pub fn guards(&self) -> &Guards {
        &self.guards
    }

    /// The accounts whose holder is not seen, whether they were removed or not.
    pub fn orphans(&self) -> Vec<Arc<str>> {
        self.guards.orphans.iter().cloned().collect()
    }

    /// All accounts, one after the other.
    pub fn all_accounts(&self) -> impl Iterator<Item = ClinicAccount> {
        let all = self.objects.get(&Kind::ClinicAccount).into_iter().flat_map(BTreeMap::values);
        all.filter_map(|entry| entry.packed.unpack())
    }

    /// How many accounts there are.
    pub fn accounts(&self) -> usize {
        self.objects.get(&Kind::ClinicAccount).map_or(0, BTreeMap::len)
    }

    /// Whether there is an account of that name, whether it fits our types or not.
    pub fn has_account(&self, name: &str) -> bool {
        self.entry(Kind::ClinicAccount, name).is_some()
    }

    /// Whether there is a `ClinicUser` with this UID that is not being deleted.
    pub fn has_member(&self, uid: &str) -> bool {
        self.member_by_uid.contains_key(uid)
    }

    /// The account that a claim names, and the claim's UID.
    pub fn claim(&self, claim: ClaimName) -> Option<(String, String)> {
        let facts = facts(Kind::EmailClaim, &self.entry(Kind::EmailClaim, &claim.to_string())?.packed);
        Some((facts.points_to, facts.uid))
    }

    /// The claims that name an account, with their UIDs.
    pub fn claims_of(&self, account: &str) -> Vec<(ClaimName, String)> {
        let from = (Arc::from(account), ClaimName::FIRST);
        let claims = self.claims_by_account.range(from..).take_while(|(name, _)| **name == *account);
        claims.filter_map(|(_, claim)| self.claim(*claim).map(|(_, uid)| (*claim, uid))).collect()
    }

    /// The members whose manifest has an address.
    pub fn members_that_want(&self, claim: ClaimName) -> Vec<ClinicUser> {
        with_claim(&self.members_by_claim, claim).filter_map(|name| self.member(name)).collect()
    }

    /// Whether the manifest of this name has an address.
    pub(super) fn asks_for(&self, member: &Arc<str>, claim: ClaimName) -> bool {
        self.members_by_claim.contains(&(claim, Arc::clone(member)))
    }

    /// The accounts that have an address, other than `account`.
    pub fn other_accounts_with(&self, claim: ClaimName, account: &str) -> Vec<&str> {
        with_claim(&self.accounts_by_claim, claim).map(|name| &**name).filter(|name| *name != account).collect()
    }

    /// The state of every member and service account; `None`: none yet.
    pub fn states(&self) -> impl Iterator<Item = Option<State>> {
        let of = |kind| self.objects.get(&kind).into_iter().flat_map(|all| all.values());
        of(Kind::ClinicUser).chain(of(Kind::ServiceAccount)).map(|entry| entry.state)
    }

    /// How many members there are in each state and class.
    pub fn census(&self) -> BTreeMap<(Option<State>, Class), usize> {
        let mut census = BTreeMap::new();
        for kind in [Kind::ClinicUser, Kind::ServiceAccount] {
            for entry in self.objects.get(&kind).into_iter().flat_map(BTreeMap::values) {
                *census.entry((entry.state, entry.class)).or_default() += 1;
            }
        }
        census
    }

    /// For how long this process has seen an account's latest attempt without its outcome.
    pub fn open_for(&self, account: &str) -> SignedDuration {
        SignedDuration::try_from(self.open.seen_for(account, self.clock.passed())).unwrap_or(SignedDuration::MAX)
    }

    /// When access ends.
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// All work there is.
    pub fn everything(&self) -> BTreeSet<Key> {
        let mut work = BTreeSet::from([Key::Clinic, Key::Removals]);
        for (kind, all) in &self.objects {
            work.extend(all.keys().filter_map(|name| key(*kind, name)));
        }
        work
    }

    fn facts_of(&self, kind: Kind, name: &str) -> Facts {
        self.entry(kind, name).map(|entry| facts(kind, &entry.packed)).unwrap_or_default()
    }

    /// The accounts that the `ClinicUser` with this UID holds.
    pub(super) fn held_by(&self, uid: &str) -> impl Iterator<Item = &Arc<str>> {
        self.holders.of_uid(uid)
    }

    /// The accounts whose holder is or was called so.
    pub(super) fn accounts_of_name(&self, name: &str) -> impl Iterator<Item = &Arc<str>> {
        self.holders.of_name(name)
    }

    /// The name of the `ClinicUser` with this UID, unless it is being deleted.
    pub(super) fn member_of(&self, uid: &str) -> Option<&Arc<str>> {
        self.member_by_uid.get(uid)
    }

    pub(super) fn entry(&self, kind: Kind, name: &str) -> Option<&Entry> {
        self.objects.get(&kind)?.get(name)
    }

    fn forget(&mut self, kind: Kind, name: &str) -> BTreeSet<Key> {
        let Some((name, entry)) = self.objects.get_mut(&kind).and_then(|all| all.remove_entry(name)) else {
            return BTreeSet::new();
        };
        let facts = facts(kind, &entry.packed);
        match kind {
            Kind::ClinicUser => {
                self.member_by_uid.remove(&*facts.uid);
                let orphans: Vec<Arc<str>> = self.held_by(&facts.uid).cloned().collect();
                self.guards.orphans.extend(orphans);
                for claim in &facts.claims {
                    self.members_by_claim.remove(&(*claim, Arc::clone(&name)));
                }
            }
            Kind::ClinicAccount => {
                self.holders.forget(&name, &facts.holder);
                self.guards.forget(&name);
                self.ends.forget(&name, facts.ends);
                for claim in &facts.claims {
                    self.accounts_by_claim.remove(&(*claim, Arc::clone(&name)));
                }
            }
            Kind::EmailClaim => {
                let account: Arc<str> = facts.points_to.as_str().into();
                for claim in &facts.claims {
                    self.claims_by_account.remove(&(Arc::clone(&account), *claim));
                }
            }
            Kind::Clinic | Kind::ServiceAccount => {}
        }
        self.affected(kind, &name, &facts)
    }

    fn link(&mut self, kind: Kind, name: &Arc<str>, facts: &Facts) {
        let claims = facts.claims.iter().map(|claim| (*claim, Arc::clone(name)));
        match kind {
            Kind::ClinicUser if facts.is_being_deleted => {}
            Kind::ClinicUser => {
                self.member_by_uid.insert(facts.uid.as_str().into(), Arc::clone(name));
                let found: Vec<Arc<str>> = self.held_by(&facts.uid).cloned().collect();
                for account in &found {
                    self.guards.orphans.remove(account);
                }
                self.members_by_claim.extend(claims);
            }
            Kind::ClinicAccount => {
                self.holders.learn(name, &facts.holder);
                self.guards.learn(name, &facts.guarded);
                self.ends.learn(name, facts.ends);
                self.open.learn(name, facts.open.as_ref(), self.clock.passed());
                if !self.has_member(&facts.holder.uid) {
                    self.guards.orphans.insert(Arc::clone(name));
                }
                self.accounts_by_claim.extend(claims);
            }
            Kind::EmailClaim => {
                let account: Arc<str> = facts.points_to.as_str().into();
                self.claims_by_account.extend(facts.claims.iter().map(|claim| (Arc::clone(&account), *claim)));
            }
            Kind::Clinic | Kind::ServiceAccount => {}
        }
    }

    /// A change of an object concerns itself, everybody who has or wants one of its addresses or of those of its accounts, the
    /// holder of an account and who has the holder's name, and the accounts of a holder and of that name; and who is not there any
    /// more may have to be removed.
    fn affected(&self, kind: Kind, name: &Arc<str>, facts: &Facts) -> BTreeSet<Key> {
        if kind == Kind::Clinic {
            return self.everything();
        }
        let mut work: BTreeSet<Key> = key(kind, name).into_iter().collect();
        if matches!(kind, Kind::ClinicUser | Kind::ServiceAccount) {
            work.insert(Key::Clinic);
        }
        for claim in &facts.claims {
            work.extend(with_claim(&self.members_by_claim, *claim).cloned().map(Key::Member));
        }
        match kind {
            Kind::ClinicAccount => {
                work.extend(self.member_of(&facts.holder.uid).cloned().map(Key::Member));
                let of_the_name =
                    self.objects.get(&Kind::ClinicUser).and_then(|all| all.get_key_value(&*facts.holder.name));
                work.extend(of_the_name.map(|(name, _)| Key::Member(Arc::clone(name))));
                self.affected_accounts(
                    self.accounts_of_name(&facts.holder.name).filter(|other| *other != name),
                    &mut work,
                );
                if self.guards.orphans.contains(name) || self.wants_an_orphan(&facts.holder.name) {
                    work.insert(Key::Removals);
                }
                if facts.guarded.is_held() {
                    work.insert(Key::Clinic);
                }
            }
            Kind::EmailClaim => {
                work.insert(Key::Account(facts.points_to.as_str().into()));
                work.extend(self.member_that_holds(&facts.points_to).map(Key::Member));
            }
            Kind::ClinicUser => {
                self.affected_accounts(self.held_by(&facts.uid).chain(self.accounts_of_name(name)), &mut work);
            }
            Kind::Clinic | Kind::ServiceAccount => {}
        }
        work
    }

    /// Accounts whose holder changed, or who has the holder's name.
    fn affected_accounts<'a>(&self, accounts: impl Iterator<Item = &'a Arc<str>>, work: &mut BTreeSet<Key>) {
        for account in accounts.collect::<BTreeSet<_>>() {
            work.extend([Key::Account(Arc::clone(account)), Key::Removals]);
            for claim in self.facts_of(Kind::ClinicAccount, account).claims {
                work.extend(with_claim(&self.members_by_claim, claim).cloned().map(Key::Member));
            }
        }
    }

    /// Whether the member of this name wants the address of an account whose holder is not seen, which is left to them while they
    /// have no account.
    fn wants_an_orphan(&self, name: &str) -> bool {
        let wanted = self.facts_of(Kind::ClinicUser, name).claims;
        let is_orphan = |account: &Arc<str>| self.guards.orphans.contains(account);
        wanted.iter().any(|claim| with_claim(&self.accounts_by_claim, *claim).any(is_orphan))
    }
}

fn key(kind: Kind, name: &Arc<str>) -> Option<Key> {
    match kind {
        Kind::Clinic => Some(Key::Clinic),
        Kind::ClinicUser => Some(Key::Member(Arc::clone(name))),
        Kind::ServiceAccount => Some(Key::ServiceAccount(Arc::clone(name))),
        Kind::ClinicAccount => Some(Key::Account(Arc::clone(name))),
        Kind::EmailClaim => None,
    }
}

/// The names of those that have or want the address.
fn with_claim(names: &ByClaim, claim: ClaimName) -> impl Iterator<Item = &Arc<str>> {
    names.range((claim, Arc::from(""))..).take_while(move |(found, _)| *found == claim).map(|(_, name)| name)
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
