//! An API server in memory that promises what the real one does, and no more (names are unique, guarded writes fail when the
//! object has changed), and an operator whose cache lags behind it, for each kind by another time. Never in place of the real
//! one in a test of the whole.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::decide::decide;
use super::observe::{Live, observe};
use super::removal;
use super::step::Step;
use crate::adapters::kubernetes::merge_difference;
use crate::api::ClinicAccount;
use crate::api::account::{ClinicAccountSpec, Desired};
use crate::controller::cache::{Index, Kind};
use crate::domain::email::ClaimName;

/// The API server: the objects, and for each kind the log that its watches read.
pub(super) struct Server {
    pub(super) objects: BTreeMap<(Kind, String), Value>,
    log: BTreeMap<Kind, Vec<(String, Option<Value>)>>,
    pub(super) version: u64,
    /// The time on every operator's clock.
    pub(super) now: Timestamp,
    /// Whether so many were removed lately that the guard holds every removal.
    pub(super) removals_are_held: bool,
}

impl Server {
    /// One without objects.
    pub(super) fn at(now: Timestamp) -> Self {
        Self { objects: BTreeMap::new(), log: BTreeMap::new(), version: 0, now, removals_are_held: false }
    }

    pub(super) fn write(&mut self, kind: Kind, name: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["name"] = json!(name);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        if kind == Kind::ClinicAccount {
            object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        self.objects.insert((kind, name.to_owned()), object.clone());
        self.log.entry(kind).or_default().push((name.to_owned(), Some(object.clone())));
        object
    }

    /// The object that is there afterwards, created by this call or before it.
    pub(super) fn create(&mut self, kind: Kind, name: &str, spec: &Value) -> Value {
        match self.objects.get(&(kind, name.to_owned())) {
            Some(existing) => existing.clone(),
            None => self.write(kind, name, json!({ "spec": spec })),
        }
    }

    /// Deletes a `ClinicUser` that a finalizer keeps.
    pub(super) fn mark_as_deleted(&mut self, name: &str) {
        if let Some(mut user) = self.objects.get(&(Kind::ClinicUser, name.to_owned())).cloned() {
            user["metadata"]["deletionTimestamp"] = json!(self.now.to_string());
            user["metadata"]["finalizers"] = json!(["backup.example/copy"]);
            self.write(Kind::ClinicUser, name, user);
        }
    }

    /// Brings every manifest back from a backup: under a new UID and without its status. The backup has none that was being deleted.
    pub(super) fn restore_users(&mut self) {
        let users: Vec<_> = self.objects.iter().filter(|((kind, _), _)| *kind == Kind::ClinicUser).collect();
        let users: Vec<_> = users.into_iter().map(|((_, name), user)| (name.clone(), user.clone())).collect();
        for (name, mut user) in users {
            self.delete_user(&name);
            if user["metadata"]["deletionTimestamp"].is_string() {
                continue;
            }
            let uid = format!("{:08}-0000-4000-8000-000000000000", self.version);
            user["metadata"] = json!({"uid": uid, "generation": 1, "annotations": user["metadata"]["annotations"]});
            user["status"] = Value::Null;
            self.write(Kind::ClinicUser, &name, user);
        }
    }

    /// Gives a file the name of another, whose file goes or gets the first one's name.
    pub(super) fn rename_user(&mut self, from: &str, to: &str, exchanged: bool) {
        let user = |name: &str| self.objects.get(&(Kind::ClinicUser, name.to_owned())).cloned();
        let (Some(one), Some(other)) = (user(from), user(to)) else { return };
        self.delete_user(from);
        self.delete_user(to);
        for (name, mut user) in [(to, Some(one)), (from, Some(other).filter(|_| exchanged))] {
            let Some(user) = user.as_mut() else { continue };
            let uid = format!("{:08}-0000-4000-8000-000000000000", self.version);
            user["metadata"] = json!({"uid": uid, "generation": 1, "annotations": user["metadata"]["annotations"]});
            user["status"] = Value::Null;
            self.write(Kind::ClinicUser, name, user.clone());
        }
    }

    /// Brings every claim back likewise.
    pub(super) fn restore_claims(&mut self) {
        let claims: Vec<_> = self.objects.iter().filter(|((kind, _), _)| *kind == Kind::EmailClaim).collect();
        let claims: Vec<_> =
            claims.into_iter().map(|((_, name), claim)| (name.clone(), claim["spec"].clone())).collect();
        for (name, spec) in claims {
            self.delete(Kind::EmailClaim, &name);
            self.write(Kind::EmailClaim, &name, json!({ "spec": spec }));
        }
    }

    pub(super) fn delete_user(&mut self, name: &str) {
        self.delete(Kind::ClinicUser, name);
    }

    pub(super) fn delete(&mut self, kind: Kind, name: &str) {
        if self.objects.remove(&(kind, name.to_owned())).is_some() {
            self.log.entry(kind).or_default().push((name.to_owned(), None));
        }
    }

    pub(super) fn delete_claim(&mut self, claim: &str, uid: &str) {
        let key = (Kind::EmailClaim, claim.to_owned());
        if self.objects.get(&key).is_some_and(|object| object["metadata"]["uid"] == uid) {
            self.objects.remove(&key);
            self.log.entry(Kind::EmailClaim).or_default().push((claim.to_owned(), None));
        }
    }

    pub(super) fn accounts(&self) -> Vec<ClinicAccountSpec> {
        let accounts = self.objects.iter().filter(|((kind, _), _)| *kind == Kind::ClinicAccount);
        accounts.map(|(_, object)| serde_json::from_value::<ClinicAccount>(object.clone()).unwrap().spec).collect()
    }

    pub(super) fn claims_of(&self, account: &str) -> Vec<ClaimName> {
        let claims = self.objects.iter().filter(|((kind, _), _)| *kind == Kind::EmailClaim);
        let ours = claims.filter(|(_, claim)| claim["spec"]["account"] == account);
        ours.map(|((_, name), _)| ClaimName::parse(name).unwrap()).collect()
    }

    pub(super) fn claim_holder(&self, claim: ClaimName) -> Option<String> {
        let claim = self.objects.get(&(Kind::EmailClaim, claim.to_string()))?;
        claim["spec"]["account"].as_str().map(str::to_owned)
    }
}

/// One operator: what it has seen of the log, and what it has read live while it works on a member.
#[derive(Default)]
pub(super) struct Operator {
    pub(super) index: Index,
    seen: BTreeMap<Kind, usize>,
    live: BTreeMap<String, Live>,
}

/// What a step was.
#[derive(PartialEq)]
pub(super) enum Did {
    Nothing,
    Asked,
    Wrote,
}

impl Operator {
    pub(super) fn put(&mut self, kind: Kind, object: &Value) {
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        self.index.apply(kind, object);
    }

    pub(super) fn watch(&mut self, server: &Server, kind: Kind, events: usize) {
        let seen = self.seen.get(&kind).copied().unwrap_or(0);
        let news: Vec<_> = server.log.get(&kind).into_iter().flatten().skip(seen).take(events).collect();
        self.seen.insert(kind, seen + news.len());
        for (name, object) in news {
            match object {
                Some(object) => self.put(kind, object),
                None => drop(self.index.remove(kind, name, None)),
            }
        }
    }

    pub(super) fn patch_desired(&mut self, server: &mut Server, account: &ClinicAccount, wanted: &Desired) {
        let live = server.objects[&(Kind::ClinicAccount, account.spec.id.clone())].clone();
        let object = if live["metadata"]["resourceVersion"] == json!(account.metadata.resource_version) {
            let before = serde_json::to_value(&account.spec.desired).unwrap();
            let difference = merge_difference(&before, &serde_json::to_value(wanted).unwrap()).unwrap();
            let mut patched = live;
            json_patch::merge(&mut patched["spec"]["desired"], &difference);
            server.write(Kind::ClinicAccount, &account.spec.id, patched)
        } else {
            live
        };
        self.put(Kind::ClinicAccount, &object);
    }

    /// Whether the API server says that a `ClinicUser` is gone; the cache learns what it says.
    pub(super) fn is_gone(&mut self, server: &Server, name: &str, uid: &str) -> bool {
        let user = server.objects.get(&(Kind::ClinicUser, name.to_owned())).cloned();
        if let Some(user) = &user {
            self.put(Kind::ClinicUser, user);
        }
        let found = user.filter(|user| user["metadata"]["uid"] == uid);
        if found.is_none() {
            self.index.remove(Kind::ClinicUser, name, Some(uid));
        }
        found.is_none_or(|user| !user["metadata"]["deletionTimestamp"].is_null())
    }

    /// Ends every reconciliation that has begun.
    pub(super) fn forget_what_was_read_live(&mut self) {
        self.live.clear();
    }

    /// Reconciles one step.
    pub(super) fn step(&mut self, server: &mut Server, member: &str) -> Did {
        let live = self.live.remove(member).unwrap_or_default();
        let Some(observed) = observe(&self.index, member, &live) else { return Did::Nothing };
        let Some(step) = decide(&observed, server.now).step else { return Did::Nothing };
        match step {
            Step::AskWhetherGone(holder) => {
                let mut live = live;
                let gone = self.is_gone(server, &holder.name, &holder.uid);
                if gone { &mut live.gone } else { &mut live.there }.insert(holder.uid);
                self.live.insert(member.to_owned(), live);
                return Did::Asked;
            }
            Step::ReadAccount(name) => {
                let mut live = live;
                if let Some(account) = server.objects.get(&(Kind::ClinicAccount, name.clone())).cloned() {
                    self.put(Kind::ClinicAccount, &account);
                }
                live.read.insert(name);
                self.live.insert(member.to_owned(), live);
                return Did::Asked;
            }
            Step::PostClaim { claim, account } => {
                let object = server.create(Kind::EmailClaim, &claim.to_string(), &json!({ "account": account }));
                self.put(Kind::EmailClaim, &object);
            }
            Step::CreateAccount(spec) => {
                let object = server.create(Kind::ClinicAccount, &spec.id, &serde_json::to_value(&spec).unwrap());
                self.put(Kind::ClinicAccount, &object);
            }
            Step::PatchDesired { account, desired } => self.patch_desired(server, &account, &desired),
            Step::DeleteClaim { claim, uid } => {
                server.delete_claim(&claim.to_string(), &uid);
                self.index.remove(Kind::EmailClaim, &claim.to_string(), Some(&uid));
            }
        }
        self.live.insert(member.to_owned(), live);
        Did::Wrote
    }

    /// Removes the first account whose holder is gone; false if there was none.
    pub(super) fn remove_one(&mut self, server: &mut Server) -> bool {
        for name in self.index.orphans() {
            let look = |index: &Index| {
                let mut observed = removal::observe(index, &name, server.now)?;
                observed.removed += if server.removals_are_held { observed.accounts.max(2) } else { 0 };
                removal::decide(&observed, server.now).map(|desired| (observed.account, desired))
            };
            let Some((account, _)) = look(&self.index) else { continue };
            let holder = account.spec.desired.holder;
            if !self.is_gone(server, &holder.name, &holder.uid) {
                continue;
            }
            let still = look(&self.index).filter(|(account, _)| account.spec.desired.holder == holder);
            if let Some((account, desired)) = still {
                self.patch_desired(server, &account, &desired);
                return true;
            }
        }
        false
    }
}
