//! The cache of the clinic's objects with the lookups that decisions need: by name, by holder, by claim. It is fed by watches
//! and by the answers to our own writes, whichever is newer. It decides nothing and writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use kube::api::DynamicObject;
use kube::core::ObjectMeta;

use super::packed::{Packed, version};
use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, ServiceAccount};
use crate::controller::queue::Key;
use crate::domain::email::{ClaimName, Email};
use crate::domain::lifecycle::State;

/// The kinds that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `Clinic`.
    Clinic,
    /// `ClinicUser`.
    ClinicUser,
    /// `ServiceAccount` of our group.
    ServiceAccount,
    /// `ClinicAccount`.
    ClinicAccount,
    /// `EmailClaim`.
    EmailClaim,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Clinic, Self::ClinicUser, Self::ServiceAccount, Self::ClinicAccount, Self::EmailClaim];
}

/// What is kept of an object. What else is asked of it is unpacked when it is asked for: a clinic has thousands of these.
#[derive(Debug)]
struct Entry {
    packed: Packed,
    /// A member's state; `None` for others, and before there is one.
    state: Option<State>,
}

/// What the lookups need to know of an object.
#[derive(Debug, Default)]
struct Facts {
    /// The claims of the addresses that it has or wants.
    claims: Vec<ClaimName>,
    /// An account's holder or a claim's account; empty for others.
    points_to: String,
    uid: String,
}

/// A claim and the name of an object that has or wants its address.
type ByClaim = BTreeSet<(ClaimName, Arc<str>)>;

/// The cache.
#[derive(Debug, Default)]
pub struct Index {
    objects: HashMap<Kind, BTreeMap<Arc<str>, Entry>>,
    members_by_claim: ByClaim,
    accounts_by_claim: ByClaim,
    account_by_holder: BTreeMap<Box<str>, Arc<str>>,
    member_by_uid: BTreeMap<Box<str>, Arc<str>>,
    claims_by_account: BTreeSet<(Arc<str>, ClaimName)>,
    listed: HashSet<Kind>,
    /// Up to which resourceVersion the watch of a kind has told everything.
    told: HashMap<Kind, u64>,
}

impl Index {
    /// Takes a state of an object in. Returns the work that it makes necessary: none if it is not newer than what is known.
    pub fn apply(&mut self, kind: Kind, object: DynamicObject) -> BTreeSet<Key> {
        let Some(name) = object.metadata.name.clone() else { return BTreeSet::new() };
        let packed = Packed::new(object);
        if self.entry(kind, &name).is_some_and(|known| !packed.is_newer_than(&known.packed)) {
            return BTreeSet::new();
        }
        let known = self.entry(kind, &name);
        if kind == Kind::Clinic && known.is_some_and(|known| differ_in_status_only(&known.packed, &packed)) {
            // Nobody's decision depends on it; and each change of a member changes it.
            self.objects.entry(kind).or_default().insert(name.into(), Entry { packed, state: None });
            return BTreeSet::from([Key::Clinic]);
        }
        let mut work = self.forget(kind, &name);
        let facts = facts(kind, &packed);
        let entry = Entry { state: state(kind, &packed), packed };
        let name: Arc<str> = name.into();
        self.link(kind, &name, &facts);
        work.append(&mut self.affected(kind, &name, &facts));
        self.objects.entry(kind).or_default().insert(name, entry);
        work
    }

    /// Takes in the answer to a write of ours or to a live read. What the watch has told already is not taken: it may have
    /// told since that the object is gone.
    pub fn apply_answer(&mut self, kind: Kind, object: DynamicObject) -> BTreeSet<Key> {
        let told = self.told.get(&kind).is_some_and(|told| version(&object.metadata) <= *told);
        if told { BTreeSet::new() } else { self.apply(kind, object) }
    }

    /// Takes in that the watch of a kind has come to this state of an object (or to its end); told in order.
    pub fn watched(&mut self, kind: Kind, metadata: &ObjectMeta) {
        let told = self.told.entry(kind).or_default();
        *told = version(metadata).max(*told);
    }

    /// Takes in that an object is gone. If `uid` is given, only if it is still that one.
    pub fn remove(&mut self, kind: Kind, name: &str, uid: Option<&str>) -> BTreeSet<Key> {
        let known = self.entry(kind, name).map(|entry| facts(kind, &entry.packed).uid);
        let is_it = known.is_some_and(|known| uid.is_none_or(|uid| uid == known));
        if is_it { self.forget(kind, name) } else { BTreeSet::new() }
    }

    /// Takes in that a list is complete: what is known of the kind and was not listed is gone.
    pub fn listed(&mut self, kind: Kind, names: &HashSet<String>) -> BTreeSet<Key> {
        self.listed.insert(kind);
        let gone: Vec<Arc<str>> = self
            .objects
            .get(&kind)
            .map(|all| all.keys().filter(|name| !names.contains(&***name)).cloned().collect())
            .unwrap_or_default();
        gone.iter().flat_map(|name| self.forget(kind, name)).collect()
    }

    /// Whether every kind was listed completely once. Before that nothing may be concluded from absence.
    pub fn is_complete(&self) -> bool {
        Kind::ALL.iter().all(|kind| self.listed.contains(kind))
    }

    /// The clinic.
    pub fn clinic(&self) -> Option<Clinic> {
        self.entry(Kind::Clinic, crate::api::CLINIC_NAME)?.packed.unpack()
    }

    /// A member.
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

    /// The account that the `ClinicUser` with this UID holds.
    pub fn account_held_by(&self, uid: &str) -> Option<ClinicAccount> {
        self.account(self.account_by_holder.get(uid)?)
    }

    /// Whether there is an account of that name, whether it fits our types or not.
    pub fn has_account(&self, name: &str) -> bool {
        self.entry(Kind::ClinicAccount, name).is_some()
    }

    /// Whether there is a `ClinicUser` with this UID.
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

    /// The accounts that have an address, other than `account`.
    pub fn other_accounts_with(&self, claim: ClaimName, account: &str) -> Vec<&str> {
        with_claim(&self.accounts_by_claim, claim).map(|name| &**name).filter(|name| *name != account).collect()
    }

    /// The member whose account `account` is, described for a person.
    pub fn holder_of(&self, account: &str) -> String {
        let record = self.entry(Kind::ClinicAccount, account);
        let holder = record.map(|entry| facts(Kind::ClinicAccount, &entry.packed).points_to);
        let uid = holder.as_deref().or_else(|| account.strip_prefix("a-"));
        match uid.and_then(|uid| self.member_by_uid.get(uid)) {
            Some(name) => format!("ClinicUser \"{name}\""),
            None => format!("ClinicAccount \"{account}\", whose ClinicUser is gone"),
        }
    }

    /// The state of every member and service account; `None`: none yet.
    pub fn states(&self) -> impl Iterator<Item = Option<State>> {
        let of = |kind| self.objects.get(&kind).into_iter().flat_map(|all| all.values());
        of(Kind::ClinicUser).chain(of(Kind::ServiceAccount)).map(|entry| entry.state)
    }

    /// All work there is.
    pub fn everything(&self) -> BTreeSet<Key> {
        let mut work = BTreeSet::from([Key::Clinic]);
        for (kind, all) in &self.objects {
            work.extend(all.keys().filter_map(|name| key(*kind, name)));
        }
        work
    }

    fn entry(&self, kind: Kind, name: &str) -> Option<&Entry> {
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
                for claim in &facts.claims {
                    self.members_by_claim.remove(&(*claim, Arc::clone(&name)));
                }
            }
            Kind::ClinicAccount => {
                self.account_by_holder.remove(&*facts.points_to);
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
            Kind::ClinicUser => {
                self.member_by_uid.insert(facts.uid.as_str().into(), Arc::clone(name));
                self.members_by_claim.extend(claims);
            }
            Kind::ClinicAccount => {
                self.account_by_holder.insert(facts.points_to.as_str().into(), Arc::clone(name));
                self.accounts_by_claim.extend(claims);
            }
            Kind::EmailClaim => {
                let account: Arc<str> = facts.points_to.as_str().into();
                self.claims_by_account.extend(facts.claims.iter().map(|claim| (Arc::clone(&account), *claim)));
            }
            Kind::Clinic | Kind::ServiceAccount => {}
        }
    }

    /// A change of an object concerns itself, everybody who has or wants one of its addresses, the
    /// holder of an account and the account of a holder.
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
                work.extend(self.member_by_uid.get(&*facts.points_to).cloned().map(Key::Member));
            }
            Kind::EmailClaim => work.extend([Key::Account(facts.points_to.as_str().into())]),
            Kind::ClinicUser => work.extend(self.account_by_holder.get(&*facts.uid).cloned().map(Key::Account)),
            Kind::Clinic | Kind::ServiceAccount => {}
        }
        work
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

fn differ_in_status_only(before: &Packed, after: &Packed) -> bool {
    let decided_by = |clinic: Clinic| (clinic.metadata.uid, clinic.metadata.annotations, clinic.spec);
    let (before, after) = (before.unpack().map(decided_by), after.unpack().map(decided_by));
    before.is_some() && before == after
}

/// The names of those that have or want the address.
fn with_claim(names: &ByClaim, claim: ClaimName) -> impl Iterator<Item = &Arc<str>> {
    names.range((claim, Arc::from(""))..).take_while(move |(found, _)| *found == claim).map(|(_, name)| name)
}

fn state(kind: Kind, packed: &Packed) -> Option<State> {
    let status = match kind {
        Kind::ClinicUser => packed.unpack::<ClinicUser>()?.status,
        Kind::ServiceAccount => packed.unpack::<ServiceAccount>()?.status,
        Kind::Clinic | Kind::ClinicAccount | Kind::EmailClaim => None,
    };
    State::parse(&status?.state?)
}

/// The facts of an object. One that does not fit its type has none but its UID.
fn facts(kind: Kind, packed: &Packed) -> Facts {
    let known = match kind {
        Kind::Clinic | Kind::ServiceAccount => None,
        Kind::ClinicUser => packed.unpack::<ClinicUser>().map(|user| {
            let wanted = Email::parse(&user.spec.email).ok().map(|email| email.key().claim());
            (wanted.into_iter().collect(), String::new())
        }),
        Kind::ClinicAccount => {
            packed.unpack::<ClinicAccount>().map(|account| (account.spec.claims(), account.spec.desired.holder.uid))
        }
        Kind::EmailClaim => packed.unpack::<EmailClaim>().map(|claim| {
            let name = claim.metadata.name.as_deref().and_then(ClaimName::parse);
            (name.into_iter().collect(), claim.spec.account)
        }),
    };
    let (claims, points_to) = known.unwrap_or_default();
    Facts { claims, points_to, uid: packed.uid() }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
