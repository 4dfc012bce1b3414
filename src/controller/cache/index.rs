//! The cache of the clinic's objects with the lookups that decisions need: by name, by holder, by claim. It is fed by watches
//! and by the answers to our own writes, whichever is newer. It decides nothing and writes nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use kube::api::DynamicObject;
use kube::core::ObjectMeta;

use super::packed::{Packed, version};
use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, ServiceAccount};
use crate::controller::queue::Key;
use crate::domain::email::{ClaimName, Email};

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

/// What is kept of an object beside its text.
#[derive(Debug)]
struct Entry {
    packed: Packed,
    /// The claims of the addresses that it has or wants.
    claims: Vec<ClaimName>,
    /// An account's holder or a claim's account; empty for others.
    points_to: String,
    uid: String,
    state: String,
}

/// The cache.
#[derive(Debug, Default)]
pub struct Index {
    objects: HashMap<Kind, HashMap<String, Entry>>,
    members_by_claim: HashMap<ClaimName, BTreeSet<String>>,
    accounts_by_claim: HashMap<ClaimName, BTreeSet<String>>,
    account_by_holder: HashMap<String, String>,
    member_by_uid: HashMap<String, String>,
    claims_by_account: HashMap<String, BTreeSet<ClaimName>>,
    listed: HashSet<Kind>,
    /// Up to which resourceVersion the watch of a kind has told everything.
    told: HashMap<Kind, u64>,
}

impl Index {
    /// Takes a state of an object in. Returns the work that it makes necessary: none if it is not newer than what is known.
    pub fn apply(&mut self, kind: Kind, object: DynamicObject) -> BTreeSet<Key> {
        let Some(name) = object.metadata.name.clone() else { return BTreeSet::new() };
        let uid = object.metadata.uid.clone().unwrap_or_default();
        let packed = Packed::new(object);
        let known = self.objects.get(&kind).and_then(|all| all.get(&name));
        if known.is_some_and(|known| !packed.is_newer_than(&known.packed)) {
            return BTreeSet::new();
        }
        let only_status =
            kind == Kind::Clinic && known.is_some_and(|known| differ_in_status_only(&known.packed, &packed));
        let mut work = self.forget(kind, &name);
        let entry = describe(kind, packed, uid);
        if only_status {
            // Nobody's decision depends on it; and each change of a member changes it.
            self.objects.entry(kind).or_default().insert(name, entry);
            return BTreeSet::from([Key::Clinic]);
        }
        self.link(kind, &name, &entry);
        work.append(&mut self.affected(kind, &name, &entry));
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
        let is_it = self.entry(kind, name).is_some_and(|entry| uid.is_none_or(|uid| uid == entry.uid));
        if is_it { self.forget(kind, name) } else { BTreeSet::new() }
    }

    /// Takes in that a list is complete: what is known of the kind and was not listed is gone.
    pub fn listed(&mut self, kind: Kind, names: &HashSet<String>) -> BTreeSet<Key> {
        self.listed.insert(kind);
        let gone: Vec<String> = self
            .objects
            .get(&kind)
            .map(|all| all.keys().filter(|name| !names.contains(*name)).cloned().collect())
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

    /// Whether there is a `ClinicUser` with this UID.
    pub fn has_member(&self, uid: &str) -> bool {
        self.member_by_uid.contains_key(uid)
    }

    /// The account that a claim names, and the claim's UID.
    pub fn claim(&self, claim: ClaimName) -> Option<(&str, &str)> {
        self.entry(Kind::EmailClaim, &claim.to_string()).map(|entry| (entry.points_to.as_str(), entry.uid.as_str()))
    }

    /// The claims that name an account, with their UIDs.
    pub fn claims_of(&self, account: &str) -> Vec<(ClaimName, String)> {
        let claims = self.claims_by_account.get(account).into_iter().flatten();
        claims.filter_map(|claim| self.claim(*claim).map(|(_, uid)| (*claim, uid.to_owned()))).collect()
    }

    /// The accounts that have an address, other than `account`.
    pub fn other_accounts_with(&self, claim: ClaimName, account: &str) -> Vec<&str> {
        let all = self.accounts_by_claim.get(&claim).into_iter().flatten();
        all.map(String::as_str).filter(|name| *name != account).collect()
    }

    /// The member whose account `account` is, described for a person.
    pub fn holder_of(&self, account: &str) -> String {
        let holder = self.entry(Kind::ClinicAccount, account).map(|entry| entry.points_to.as_str());
        let uid = holder.or_else(|| account.strip_prefix("a-"));
        match uid.and_then(|uid| self.member_by_uid.get(uid)) {
            Some(name) => format!("ClinicUser \"{name}\""),
            None => format!("ClinicAccount \"{account}\""),
        }
    }

    /// Every member and service account with its state (empty: none yet).
    pub fn states(&self) -> impl Iterator<Item = &str> {
        let of = |kind| self.objects.get(&kind).into_iter().flat_map(|all| all.values());
        of(Kind::ClinicUser).chain(of(Kind::ServiceAccount)).map(|entry| entry.state.as_str())
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
        let Some(entry) = self.objects.get_mut(&kind).and_then(|all| all.remove(name)) else { return BTreeSet::new() };
        match kind {
            Kind::ClinicUser => {
                self.member_by_uid.remove(&entry.uid);
                unlink(&mut self.members_by_claim, &entry.claims, name);
            }
            Kind::ClinicAccount => {
                self.account_by_holder.remove(&entry.points_to);
                unlink(&mut self.accounts_by_claim, &entry.claims, name);
            }
            Kind::EmailClaim => {
                if let Some(claims) = self.claims_by_account.get_mut(&entry.points_to) {
                    claims.retain(|claim| !entry.claims.contains(claim));
                    if claims.is_empty() {
                        self.claims_by_account.remove(&entry.points_to);
                    }
                }
            }
            Kind::Clinic | Kind::ServiceAccount => {}
        }
        self.affected(kind, name, &entry)
    }

    fn link(&mut self, kind: Kind, name: &str, entry: &Entry) {
        match kind {
            Kind::ClinicUser => {
                self.member_by_uid.insert(entry.uid.clone(), name.to_owned());
                link(&mut self.members_by_claim, &entry.claims, name);
            }
            Kind::ClinicAccount => {
                self.account_by_holder.insert(entry.points_to.clone(), name.to_owned());
                link(&mut self.accounts_by_claim, &entry.claims, name);
            }
            Kind::EmailClaim => {
                self.claims_by_account.entry(entry.points_to.clone()).or_default().extend(&entry.claims);
            }
            Kind::Clinic | Kind::ServiceAccount => {}
        }
    }

    /// A change of an object concerns itself, everybody who has or wants one of its addresses, the
    /// holder of an account and the account of a holder.
    fn affected(&self, kind: Kind, name: &str, entry: &Entry) -> BTreeSet<Key> {
        if kind == Kind::Clinic {
            return self.everything();
        }
        let mut work: BTreeSet<Key> = key(kind, name).into_iter().collect();
        if matches!(kind, Kind::ClinicUser | Kind::ServiceAccount) {
            work.insert(Key::Clinic);
        }
        for members in entry.claims.iter().filter_map(|claim| self.members_by_claim.get(claim)) {
            work.extend(members.iter().cloned().map(Key::Member));
        }
        match kind {
            Kind::ClinicAccount => work.extend(self.member_by_uid.get(&entry.points_to).cloned().map(Key::Member)),
            Kind::EmailClaim => work.extend([Key::Account(entry.points_to.clone())]),
            Kind::ClinicUser => work.extend(self.account_by_holder.get(&entry.uid).cloned().map(Key::Account)),
            Kind::Clinic | Kind::ServiceAccount => {}
        }
        work
    }
}

fn key(kind: Kind, name: &str) -> Option<Key> {
    match kind {
        Kind::Clinic => Some(Key::Clinic),
        Kind::ClinicUser => Some(Key::Member(name.to_owned())),
        Kind::ServiceAccount => Some(Key::ServiceAccount(name.to_owned())),
        Kind::ClinicAccount => Some(Key::Account(name.to_owned())),
        Kind::EmailClaim => None,
    }
}

fn differ_in_status_only(before: &Packed, after: &Packed) -> bool {
    let decided_by = |clinic: Clinic| (clinic.metadata.uid, clinic.metadata.annotations, clinic.spec);
    let (before, after) = (before.unpack().map(decided_by), after.unpack().map(decided_by));
    before.is_some() && before == after
}

fn describe(kind: Kind, packed: Packed, uid: String) -> Entry {
    let entry = |packed, claims, points_to, state| Entry { packed, claims, points_to, uid, state };
    match kind {
        Kind::Clinic => entry(packed, Vec::new(), String::new(), String::new()),
        Kind::ServiceAccount => {
            let state = packed.unpack::<ServiceAccount>().and_then(|object| object.status?.state).unwrap_or_default();
            entry(packed, Vec::new(), String::new(), state)
        }
        Kind::ClinicUser => {
            let user: Option<ClinicUser> = packed.unpack();
            let wanted =
                user.as_ref().and_then(|user| Email::parse(&user.spec.email).ok()).map(|email| email.key().claim());
            let state = user.and_then(|user| user.status?.state).unwrap_or_default();
            entry(packed, wanted.into_iter().collect(), String::new(), state)
        }
        Kind::ClinicAccount => match packed.unpack::<ClinicAccount>() {
            Some(account) => {
                let claims = account.spec.claims();
                entry(packed, claims, account.spec.desired.holder.uid, String::new())
            }
            None => entry(packed, Vec::new(), String::new(), String::new()),
        },
        Kind::EmailClaim => match packed.unpack::<EmailClaim>() {
            Some(claim) => {
                let name = claim.metadata.name.as_deref().and_then(ClaimName::parse);
                entry(packed, name.into_iter().collect(), claim.spec.account, String::new())
            }
            None => entry(packed, Vec::new(), String::new(), String::new()),
        },
    }
}

fn link(map: &mut HashMap<ClaimName, BTreeSet<String>>, claims: &[ClaimName], name: &str) {
    for claim in claims {
        map.entry(*claim).or_default().insert(name.to_owned());
    }
}

fn unlink(map: &mut HashMap<ClaimName, BTreeSet<String>>, claims: &[ClaimName], name: &str) {
    for claim in claims {
        if let Some(names) = map.get_mut(claim) {
            names.remove(name);
            if names.is_empty() {
                map.remove(claim);
            }
        }
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
