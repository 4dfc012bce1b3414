//! What the portal knows without asking: the Clinic, every account and what every manifest says that counts here, kept up to date by
//! watches and, the accounts, by the answers to its own reads and writes, whichever counts by the rule of `adapters::kubernetes::Told`.
//! Sessions are checked here at each request. It decides nothing and writes nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::Event;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch::{Receiver, Sender, channel};

use super::contact::Contact;
use super::gone::Gone;
use crate::adapters::heart::Heart;
use crate::adapters::kubernetes::{Clients, Counts, Packed, Told, version, watch};
use crate::api::account::ClinicAccountSpec;
use crate::api::holder::Manifest;
use crate::api::{CLINIC_NAME, Clinic, ClinicAccount, ClinicUser};
use crate::domain::calendar::ClinicZone;
use crate::domain::email::ClaimName;

/// The kinds that the portal watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Watched {
    /// `Clinic`.
    Clinic,
    /// `ClinicAccount`.
    Accounts,
    /// `ClinicUser`.
    Manifests,
}

impl Watched {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Clinic, Self::Accounts, Self::Manifests];
}

/// The records.
#[derive(Debug)]
pub struct Records {
    known: Mutex<Known>,
    complete: Sender<bool>,
}

#[derive(Debug, Default)]
struct Known {
    clinic: Option<KnownClinic>,
    accounts: HashMap<Arc<str>, Entry>,
    by_claim: BTreeSet<(ClaimName, Arc<str>)>,
    /// Names of `ClinicUser`s with those of the accounts that they hold.
    by_holder: BTreeSet<(Arc<str>, Arc<str>)>,
    /// By `metadata.name`.
    manifests: HashMap<Arc<str>, KnownManifest>,
    gone: Gone,
    told: HashMap<Watched, Told>,
}

#[derive(Debug)]
struct KnownClinic {
    packed: Packed,
    /// Found when the Clinic changes: it is asked for at each request of a trainee.
    zone: Option<ClinicZone>,
    /// Since which list it is known.
    list: u32,
}

#[derive(Debug)]
struct Entry {
    packed: Packed,
    claims: Vec<ClaimName>,
    /// The holder's name; empty if the account does not fit its type.
    holder: Arc<str>,
    /// Since which list it is known.
    list: u32,
}

#[derive(Debug)]
struct KnownManifest {
    manifest: Manifest,
    version: u64,
    /// Since which list it is known.
    list: u32,
}

impl Default for Records {
    fn default() -> Self {
        Self { known: Mutex::default(), complete: channel(false).0 }
    }
}

impl Records {
    /// Keeps itself up to date until it is dropped. Each manifest that changes is told.
    pub async fn keep(
        &self,
        clients: &Clients,
        namespace: &str,
        contact: &Contact,
        heart: &Heart,
        changes: &UnboundedSender<(String, Manifest)>,
    ) {
        let of = |kind: Watched, resource: ApiResource| async move {
            watch(clients, namespace, &resource, |event| match event {
                Some(event) => {
                    // Everything else may have been told before a break that is yet to be noticed, or before the first answer.
                    let is_complete = matches!(event, Event::InitDone);
                    if let Some(manifest) = self.take_in(kind, event) {
                        // Nobody listens any more when the portal stops.
                        drop(changes.send(manifest));
                    }
                    if is_complete {
                        contact.watches(kind);
                    }
                }
                None => contact.lost(kind),
            })
            .await;
        };
        let clinic = of(Watched::Clinic, ApiResource::erase::<Clinic>(&()));
        let accounts = of(Watched::Accounts, ApiResource::erase::<ClinicAccount>(&()));
        let manifests = of(Watched::Manifests, ApiResource::erase::<ClinicUser>(&()));
        heart.turn("a watch", [clinic, accounts, manifests]).await;
    }

    /// Becomes true once every kind was listed completely: before that nothing may be concluded from absence.
    pub fn complete(&self) -> Receiver<bool> {
        self.complete.subscribe()
    }

    /// The Clinic.
    pub fn clinic(&self) -> Option<Clinic> {
        self.known().clinic.as_ref()?.packed.unpack()
    }

    /// The clinic's zone; `None`: there is no Clinic, or no such zone.
    pub fn zone(&self) -> Option<ClinicZone> {
        self.known().clinic.as_ref()?.zone.clone()
    }

    /// The manifest of that name. An account's holder has it for good, under its UID; while that is absent, whoever has the name counts.
    pub fn manifest(&self, name: &str) -> Option<Manifest> {
        self.known().manifests.get(name).map(|known| known.manifest.clone())
    }

    /// Those that can take access away that a record gives.
    pub fn manifests_that_may_take_away(&self) -> Vec<(String, Manifest)> {
        let known = self.known();
        let may = known.manifests.iter().filter(|(_, known)| known.manifest.may_take_away());
        may.map(|(name, known)| (name.to_string(), known.manifest.clone())).collect()
    }

    /// The manifest of the account's holder that is gone, if it took something away of which the record is yet to be told.
    pub fn gone_manifest(&self, account: &ClinicAccountSpec) -> Option<Manifest> {
        self.known().gone.of(account).cloned()
    }

    /// The accounts that have one.
    pub fn accounts_of_gone_manifests(&self) -> Vec<ClinicAccountSpec> {
        let Known { gone, accounts, .. } = &mut *self.known();
        gone.accounts(|name| accounts.get(name)?.packed.unpack())
    }

    /// The accounts whose holder has this name.
    pub fn accounts_held_by(&self, holder: &str) -> Vec<ClinicAccount> {
        self.known().accounts_held_by(holder)
    }

    /// An account.
    pub fn account(&self, name: &str) -> Option<ClinicAccount> {
        self.known().accounts.get(name)?.packed.unpack()
    }

    /// The accounts that an address belongs to, as login or as the address wished for.
    pub fn accounts_with(&self, claim: ClaimName) -> Vec<ClinicAccount> {
        let known = self.known();
        let names = known.by_claim.range((claim, Arc::from(""))..).take_while(|(found, _)| *found == claim);
        names.filter_map(|(_, name)| known.accounts.get(name)?.packed.unpack()).collect()
    }

    /// Takes in the answer to a read or a write of ours.
    pub fn put(&self, account: &ClinicAccount) {
        let object = to_dynamic(account);
        let mut known = self.known();
        if let Some(object) = object.filter(|object| known.told(Watched::Accounts).takes_answer(&object.metadata)) {
            known.change(Watched::Accounts, object);
        }
    }

    /// Takes in what a watch tells. Returns a manifest that is told, by a list too: it may change again before the next look.
    fn take_in(&self, kind: Watched, event: Event<DynamicObject>) -> Option<(String, Manifest)> {
        let mut known = self.known();
        match event {
            Event::Init => known.told(kind).begin_list(),
            Event::InitApply(object) => {
                known.told(kind).lists(&object.metadata);
                return known.change(kind, object);
            }
            Event::InitDone => {
                known.end_list(kind);
                let complete = Watched::ALL.iter().all(|kind| known.told.get(kind).is_some_and(Told::is_complete));
                drop(known);
                self.complete.send_if_modified(|was| std::mem::replace(was, complete) != complete);
            }
            Event::Apply(object) => {
                known.told(kind).watched(&object.metadata);
                return known.change(kind, object);
            }
            Event::Delete(object) => {
                known.told(kind).watched(&object.metadata);
                known.remove(kind, object.metadata.name.as_deref().unwrap_or_default());
            }
        }
        None
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn told(&mut self, kind: Watched) -> &mut Told {
        self.told.entry(kind).or_default()
    }

    /// Takes a state of an object in, if it counts. Returns a manifest that did.
    fn change(&mut self, kind: Watched, object: DynamicObject) -> Option<(String, Manifest)> {
        let name = object.metadata.name.clone()?;
        let list = self.told(kind).list();
        match kind {
            Watched::Clinic if name != CLINIC_NAME => None,
            Watched::Clinic => {
                let packed = Packed::new(object);
                let told = self.told.entry(kind).or_default();
                let known = self.clinic.as_ref();
                if known.is_none_or(|known| told.counts(known.packed.version(), known.list, packed.version())) {
                    let clinic = packed.unpack::<Clinic>();
                    let zone = clinic.and_then(|clinic| ClinicZone::find(&clinic.spec.time_zone));
                    self.clinic = Some(KnownClinic { packed, zone, list });
                }
                None
            }
            Watched::Accounts => {
                self.apply(&name, Packed::new(object));
                None
            }
            Watched::Manifests => {
                let version = version(&object.metadata);
                let known = self.manifests.get(name.as_str()).map(|known| (known.version, known.list));
                if known.is_some_and(|(known, since)| !self.told(kind).counts(known, since, version)) {
                    return None;
                }
                let manifest = Manifest::read(&object);
                if self.manifests.get(name.as_str()).is_some_and(|known| !known.manifest.is_same_object(&manifest)) {
                    self.lose_manifest(&name);
                }
                self.manifests
                    .insert(name.as_str().into(), KnownManifest { manifest: manifest.clone(), version, list });
                Some((name, manifest))
            }
        }
    }

    fn lose_manifest(&mut self, name: &str) {
        if let Some(lost) = self.manifests.remove(name) {
            let held = self.accounts_held_by(name);
            self.gone.lose(&lost.manifest, held);
        }
    }

    fn accounts_held_by(&self, holder: &str) -> Vec<ClinicAccount> {
        let held =
            self.by_holder.range((Arc::from(holder), Arc::from(""))..).take_while(|(found, _)| &**found == holder);
        held.filter_map(|(_, name)| self.accounts.get(name)?.packed.unpack()).collect()
    }

    fn apply(&mut self, name: &str, packed: Packed) {
        let told = self.told.entry(Watched::Accounts).or_default();
        let list = told.list();
        if let Some(known) = self.accounts.get_mut(name) {
            match told.which_counts(&known.packed, known.list, &packed) {
                Counts::Known => return,
                Counts::Both => {
                    known.list = list;
                    return;
                }
                Counts::Other => {}
            }
        }
        self.remove(Watched::Accounts, name);
        let account = packed.unpack::<ClinicAccount>().map(|account| account.spec);
        let claims = account.as_ref().map(ClinicAccountSpec::claims).unwrap_or_default();
        let holder: Arc<str> = account.map(|account| account.desired.holder.name).unwrap_or_default().into();
        let name: Arc<str> = name.into();
        self.by_holder.insert((Arc::clone(&holder), Arc::clone(&name)));
        self.by_claim.extend(claims.iter().map(|claim| (*claim, Arc::clone(&name))));
        self.accounts.insert(name, Entry { packed, claims, holder, list });
    }

    fn remove(&mut self, kind: Watched, name: &str) {
        match kind {
            Watched::Clinic if name == CLINIC_NAME => self.clinic = None,
            Watched::Clinic => {}
            Watched::Manifests => self.lose_manifest(name),
            Watched::Accounts => {
                if let Some((name, entry)) = self.accounts.remove_entry(name) {
                    self.by_holder.remove(&(entry.holder, Arc::clone(&name)));
                    for claim in entry.claims {
                        self.by_claim.remove(&(claim, Arc::clone(&name)));
                    }
                }
            }
        }
    }

    fn end_list(&mut self, kind: Watched) {
        let listed = self.told(kind).end_list();
        let known: Vec<String> = match kind {
            Watched::Clinic => self.clinic.iter().map(|_| CLINIC_NAME.to_owned()).collect(),
            Watched::Accounts => self.accounts.keys().map(ToString::to_string).collect(),
            Watched::Manifests => self.manifests.keys().map(ToString::to_string).collect(),
        };
        for gone in known.iter().filter(|name| !listed.contains(*name)) {
            self.remove(kind, gone);
        }
    }
}

fn to_dynamic(object: &impl Serialize) -> Option<DynamicObject> {
    serde_json::to_value(object).and_then(serde_json::from_value).ok()
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
