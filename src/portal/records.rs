//! What the portal knows without asking: the Clinic, every account and what every manifest says that counts here, kept up to date by
//! watches and, the accounts, by the answers to its own reads and writes, whichever is newer. Sessions are checked here at each request. It decides nothing and writes nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::api::{ApiResource, DynamicObject};
use kube::core::ObjectMeta;
use kube::runtime::watcher::Event;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch::{Receiver, Sender, channel};

use super::contact::Contact;
use crate::adapters::heart::Heart;
use crate::adapters::kubernetes::{Clients, Packed, version, watch};
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
    clinic: Option<Packed>,
    accounts: HashMap<Arc<str>, Entry>,
    by_claim: BTreeSet<(ClaimName, Arc<str>)>,
    /// Names of `ClinicUser`s with those of the accounts that they hold.
    by_holder: BTreeSet<(Arc<str>, Arc<str>)>,
    /// By `metadata.name`.
    manifests: HashMap<Arc<str>, Manifest>,
    listed: HashSet<Watched>,
    listing: HashMap<Watched, HashSet<String>>,
    /// Up to which resourceVersion the watch of accounts has told everything, since its last list began.
    told: u64,
    /// Lists of accounts that have begun.
    lists: u64,
}

#[derive(Debug)]
struct Entry {
    packed: Packed,
    claims: Vec<ClaimName>,
    /// The holder's name; empty if the account does not fit its type.
    holder: Arc<str>,
    /// During which list this was taken in.
    list: u64,
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
                    let manifest = changed_manifest(kind, &event);
                    self.take_in(kind, event);
                    if let Some(manifest) = manifest {
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
        self.known().clinic.as_ref()?.unpack()
    }

    /// The clinic's zone; `None`: there is no Clinic, or no such zone.
    pub fn zone(&self) -> Option<ClinicZone> {
        ClinicZone::find(&self.clinic()?.spec.time_zone)
    }

    /// The manifest of that name. An account's holder has it for good, under its UID; while that is absent, whoever has the name counts.
    pub fn manifest(&self, name: &str) -> Option<Manifest> {
        self.known().manifests.get(name).cloned()
    }

    /// Those that can take access away that a record gives.
    pub fn manifests_that_may_take_away(&self) -> Vec<(String, Manifest)> {
        let known = self.known();
        let may = known.manifests.iter().filter(|(_, manifest)| manifest.may_take_away());
        may.map(|(name, manifest)| (name.to_string(), manifest.clone())).collect()
    }

    /// The accounts whose holder has this name.
    pub fn accounts_held_by(&self, holder: &str) -> Vec<ClinicAccount> {
        let known = self.known();
        let held =
            known.by_holder.range((Arc::from(holder), Arc::from(""))..).take_while(|(found, _)| &**found == holder);
        held.filter_map(|(_, name)| known.accounts.get(name)?.packed.unpack()).collect()
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
        // What the watch has told already may since have been told to be gone.
        if let Some(object) = object.filter(|object| version(&object.metadata) > known.told) {
            known.apply(object);
        }
    }

    fn take_in(&self, kind: Watched, event: Event<DynamicObject>) {
        let mut known = self.known();
        match event {
            Event::Init => {
                known.listing.insert(kind, HashSet::new());
                known.begin_list(kind);
            }
            Event::InitApply(object) => {
                let name = object.metadata.name.clone().unwrap_or_default();
                known.listing.entry(kind).or_default().insert(name);
                known.change(kind, object);
            }
            Event::InitDone => {
                known.end_list(kind);
                let complete = Watched::ALL.iter().all(|kind| known.listed.contains(kind));
                drop(known);
                self.complete.send_if_modified(|was| std::mem::replace(was, complete) != complete);
            }
            Event::Apply(object) => {
                known.watched(kind, &object.metadata);
                known.change(kind, object);
            }
            Event::Delete(object) => {
                known.watched(kind, &object.metadata);
                known.remove(kind, object.metadata.name.as_deref().unwrap_or_default());
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn change(&mut self, kind: Watched, object: DynamicObject) {
        match kind {
            Watched::Clinic if object.metadata.name.as_deref() == Some(CLINIC_NAME) => {
                self.clinic = Some(Packed::new(object));
            }
            Watched::Clinic => {}
            Watched::Accounts => self.apply(object),
            Watched::Manifests => {
                let name = object.metadata.name.as_deref().unwrap_or_default();
                self.manifests.insert(name.into(), Manifest::read(&object));
            }
        }
    }

    fn apply(&mut self, object: DynamicObject) {
        let Some(name) = object.metadata.name.clone() else { return };
        let packed = Packed::new(object);
        // What was known before this list began may be of a time that a restore has undone.
        let of_this_list = self.accounts.get(name.as_str()).filter(|known| known.list == self.lists);
        if of_this_list.is_some_and(|known| !packed.is_newer_than(&known.packed)) {
            return;
        }
        self.remove(Watched::Accounts, &name);
        let account = packed.unpack::<ClinicAccount>().map(|account| account.spec);
        let claims = account.as_ref().map(ClinicAccountSpec::claims).unwrap_or_default();
        let holder: Arc<str> = account.map(|account| account.desired.holder.name).unwrap_or_default().into();
        let name: Arc<str> = name.into();
        self.by_holder.insert((Arc::clone(&holder), Arc::clone(&name)));
        self.by_claim.extend(claims.iter().map(|claim| (*claim, Arc::clone(&name))));
        self.accounts.insert(name, Entry { packed, claims, holder, list: self.lists });
    }

    fn remove(&mut self, kind: Watched, name: &str) {
        match kind {
            Watched::Clinic if name == CLINIC_NAME => self.clinic = None,
            Watched::Clinic => {}
            Watched::Manifests => drop(self.manifests.remove(name)),
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

    fn begin_list(&mut self, kind: Watched) {
        if kind == Watched::Accounts {
            self.lists += 1;
            self.told = 0;
        }
    }

    fn end_list(&mut self, kind: Watched) {
        self.listed.insert(kind);
        let listed = self.listing.remove(&kind).unwrap_or_default();
        let known: Vec<String> = match kind {
            Watched::Clinic => self.clinic.iter().map(|_| CLINIC_NAME.to_owned()).collect(),
            Watched::Accounts => self.accounts.keys().map(ToString::to_string).collect(),
            Watched::Manifests => self.manifests.keys().map(ToString::to_string).collect(),
        };
        for gone in known.iter().filter(|name| !listed.contains(*name)) {
            self.remove(kind, gone);
        }
    }

    fn watched(&mut self, kind: Watched, metadata: &ObjectMeta) {
        if kind == Watched::Accounts {
            self.told = self.told.max(version(metadata));
        }
    }
}

/// Of a list nothing is told: it says how manifests stand, not what changed.
fn changed_manifest(kind: Watched, event: &Event<DynamicObject>) -> Option<(String, Manifest)> {
    match event {
        Event::Apply(object) if kind == Watched::Manifests => {
            Some((object.metadata.name.clone().unwrap_or_default(), Manifest::read(object)))
        }
        Event::Apply(_) | Event::Delete(_) | Event::Init | Event::InitApply(_) | Event::InitDone => None,
    }
}

fn to_dynamic(object: &impl Serialize) -> Option<DynamicObject> {
    serde_json::to_value(object).and_then(serde_json::from_value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::email::Email;
    use serde_json::json;

    fn account(name: &str, version: u32, email: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicAccount",
            "metadata": {"name": name, "resourceVersion": version.to_string()},
            "spec": {"id": name, "desired": {"holder": {"name": "x", "uid": "u"}, "email": email, "type": "Staff"}},
        }))
        .unwrap()
    }

    fn typed(object: &DynamicObject) -> ClinicAccount {
        serde_json::from_value(serde_json::to_value(object).unwrap()).unwrap()
    }

    fn names(records: &Records, email: &str) -> Vec<String> {
        let accounts = records.accounts_with(Email::parse(email).unwrap().key().claim());
        accounts.into_iter().map(|account| account.spec.id).collect()
    }

    #[test]
    fn an_account_is_found_by_its_address_as_it_is_now() {
        let records = Records::default();
        let tell = |event| records.take_in(Watched::Accounts, event);
        tell(Event::Init);
        tell(Event::InitApply(account("a-1", 5, "ana@maple.example")));
        assert!(!*records.complete().borrow());
        tell(Event::InitDone);
        records.take_in(Watched::Clinic, Event::InitDone);
        assert!(!*records.complete().borrow());
        records.take_in(Watched::Manifests, Event::InitDone);
        assert!(*records.complete().borrow());
        assert_eq!(names(&records, "ANA@maple.example"), ["a-1"]);
        tell(Event::Apply(account("a-1", 6, "new@maple.example")));
        assert_eq!((names(&records, "ana@maple.example").len(), names(&records, "new@maple.example").len()), (0, 1));
        tell(Event::Apply(account("a-1", 5, "ana@maple.example")));
        assert_eq!(names(&records, "new@maple.example"), ["a-1"], "nothing older is taken");
        // A list after a break, without it.
        tell(Event::Init);
        tell(Event::InitApply(account("a-2", 7, "bea@maple.example")));
        tell(Event::InitDone);
        assert_eq!((records.account("a-1"), names(&records, "new@maple.example").len()), (None, 0));
    }

    #[test]
    fn a_clinic_that_does_not_fit_says_nothing() {
        let records = Records::default();
        let is_known = |two_factor: &str| {
            let spec = json!({"displayName": "Maple", "timeZone": "America/Toronto", "twoFactor": two_factor});
            let clinic = json!({"metadata": {"name": CLINIC_NAME}, "spec": spec});
            records.take_in(Watched::Clinic, Event::Apply(serde_json::from_value(clinic).unwrap()));
            (records.clinic().is_some(), records.zone().is_some())
        };
        assert_eq!([is_known("Required"), is_known("Perhaps")], [(true, true), (false, false)]);
    }

    #[test]
    fn an_answer_of_ours_is_taken_unless_the_watch_is_further() {
        let records = Records::default();
        records.put(&typed(&account("a-1", 5, "ana@maple.example")));
        assert_eq!(names(&records, "ana@maple.example"), ["a-1"]);
        records.take_in(Watched::Accounts, Event::Delete(account("a-1", 6, "ana@maple.example")));
        records.put(&typed(&account("a-1", 5, "ana@maple.example")));
        assert_eq!(records.account("a-1"), None, "it was deleted since");
    }

    #[test]
    fn a_manifest_is_known_as_it_is_now_and_with_the_accounts_that_it_holds() {
        let records = Records::default();
        let user = |name: &str, suspended: bool| -> DynamicObject {
            serde_json::from_value(json!({
                "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
                "metadata": {"name": name}, "spec": {"email": "ana@maple.example", "suspended": suspended},
            }))
            .unwrap()
        };
        let tell = |event| records.take_in(Watched::Manifests, event);
        tell(Event::Init);
        tell(Event::InitApply(user("x", false)));
        tell(Event::InitDone);
        assert!(records.manifest("x").is_some() && records.manifests_that_may_take_away().is_empty());
        tell(Event::Apply(user("x", true)));
        assert_eq!(records.manifests_that_may_take_away(), [("x".to_owned(), Manifest::read(&user("x", true)))]);
        tell(Event::Init);
        tell(Event::InitApply(user("y", true)));
        tell(Event::InitDone);
        assert_eq!(records.manifest("x"), None, "gone while nothing was told");
        tell(Event::Delete(user("y", true)));
        assert_eq!(records.manifest("y"), None);
        // Holders of accounts.
        records.put(&typed(&account("a-1", 5, "ana@maple.example")));
        records.put(&typed(&account("a-2", 5, "bea@maple.example")));
        let held = |holder: &str| records.accounts_held_by(holder).len();
        assert_eq!((held("x"), held("y"), held("")), (2, 0, 0));
        let mut moved = typed(&account("a-1", 6, "ana@maple.example"));
        moved.spec.desired.holder.name = "y".to_owned();
        records.put(&moved);
        assert_eq!((held("x"), held("y")), (1, 1));
    }
}
