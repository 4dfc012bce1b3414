//! Two operators at once, each with a cache that lags behind, for each kind by another time, against an API server that only
//! promises what the real one does: names are unique, guarded writes fail when the object has changed. After every single write each address belongs to at
//! most one account, which has its claim (I1); and when everybody has caught up, everybody comes to rest (I5).

use std::collections::{BTreeMap, BTreeSet};

use kube::api::DynamicObject;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::decide::{Step, decide};
use super::observe;
use crate::adapters::kubernetes::merge_difference;
use crate::api::ClinicAccount;
use crate::api::account::{ClinicAccountSpec, Desired};
use crate::controller::cache::{Index, Kind};
use crate::domain::email::ClaimName;

const ADDRESSES: [&str; 3] = ["a@maple.example", "b@maple.example", "c@maple.example"];
const MEMBERS: usize = 3;
const OPERATORS: usize = 2;

/// The API server: the objects, and for each kind the log that its watches read.
#[derive(Default)]
struct Server {
    objects: BTreeMap<(Kind, String), Value>,
    log: BTreeMap<Kind, Vec<(String, Option<Value>)>>,
    version: u64,
}

impl Server {
    fn write(&mut self, kind: Kind, name: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["name"] = json!(name);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        self.objects.insert((kind, name.to_owned()), object.clone());
        self.log.entry(kind).or_default().push((name.to_owned(), Some(object.clone())));
        object
    }

    /// The object that is there afterwards, created by this call or before it.
    fn create(&mut self, kind: Kind, name: &str, spec: &Value) -> Value {
        match self.objects.get(&(kind, name.to_owned())) {
            Some(existing) => existing.clone(),
            None => self.write(kind, name, json!({ "spec": spec })),
        }
    }

    fn delete_user(&mut self, name: &str) {
        if self.objects.remove(&(Kind::ClinicUser, name.to_owned())).is_some() {
            self.log.entry(Kind::ClinicUser).or_default().push((name.to_owned(), None));
        }
    }

    fn delete_claim(&mut self, claim: &str, uid: &str) {
        let key = (Kind::EmailClaim, claim.to_owned());
        if self.objects.get(&key).is_some_and(|object| object["metadata"]["uid"] == uid) {
            self.objects.remove(&key);
            self.log.entry(Kind::EmailClaim).or_default().push((claim.to_owned(), None));
        }
    }

    fn accounts(&self) -> Vec<ClinicAccountSpec> {
        let accounts = self.objects.iter().filter(|((kind, _), _)| *kind == Kind::ClinicAccount);
        accounts.map(|(_, object)| serde_json::from_value::<ClinicAccount>(object.clone()).unwrap().spec).collect()
    }

    fn claims_of(&self, account: &str) -> Vec<ClaimName> {
        let claims = self.objects.iter().filter(|((kind, _), _)| *kind == Kind::EmailClaim);
        let ours = claims.filter(|(_, claim)| claim["spec"]["account"] == account);
        ours.map(|((_, name), _)| ClaimName::parse(name).unwrap()).collect()
    }

    fn claim_holder(&self, claim: ClaimName) -> Option<String> {
        let claim = self.objects.get(&(Kind::EmailClaim, claim.to_string()))?;
        claim["spec"]["account"].as_str().map(str::to_owned)
    }
}

/// One operator: what it has seen of the log.
#[derive(Default)]
struct Operator {
    index: Index,
    seen: BTreeMap<Kind, usize>,
}

impl Operator {
    fn put(&mut self, kind: Kind, object: &Value) {
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        self.index.apply(kind, object);
    }

    fn watch(&mut self, server: &Server, kind: Kind, events: usize) {
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

    fn patch_desired(&mut self, server: &mut Server, account: &ClinicAccount, wanted: &Desired) {
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

    /// Reconciles one step; false if there was nothing to do.
    fn step(&mut self, server: &mut Server, member: &str) -> bool {
        let Some(observed) = observe(&self.index, member) else { return false };
        let Some(step) = decide(&observed).step else { return false };
        match step {
            Step::PostClaim { claim, account } => {
                let object = server.create(Kind::EmailClaim, &claim.to_string(), &json!({ "account": account }));
                self.put(Kind::EmailClaim, &object);
            }
            Step::CreateAccount(spec) => {
                let object = server.create(Kind::ClinicAccount, &spec.id, &serde_json::to_value(&spec).unwrap());
                self.put(Kind::ClinicAccount, &object);
            }
            Step::PatchDesired(wanted) => {
                self.patch_desired(server, &observed.account.unwrap(), &wanted);
            }
            Step::GiveUpAbandoned { account, desired } => {
                let holder = &account.spec.desired.holder;
                match server.objects.get(&(Kind::ClinicUser, holder.name.clone())).cloned() {
                    Some(user) if user["metadata"]["uid"] == holder.uid.as_str() => self.put(Kind::ClinicUser, &user),
                    Some(_) | None => self.patch_desired(server, &account, &desired),
                }
            }
            Step::DeleteClaim { claim, uid } => {
                server.delete_claim(&claim.to_string(), &uid);
                self.index.remove(Kind::EmailClaim, &claim.to_string(), Some(&uid));
            }
        }
        true
    }
}

fn member(index: usize) -> String {
    format!("member-{index}")
}

fn edit(server: &mut Server, index: usize, address: usize) {
    let name = member(index);
    let known = server.objects.get(&(Kind::ClinicUser, name.clone())).map(|user| user["metadata"]["uid"].clone());
    let uid = known.unwrap_or_else(|| json!(format!("{:08}-0000-4000-8000-000000000000", server.version)));
    let user = json!({
        "metadata": {"uid": uid, "generation": 1}, "spec": {"email": ADDRESSES[address], "type": "Staff"},
    });
    server.write(Kind::ClinicUser, &name, user);
}

fn each_address_has_at_most_one_account_and_each_account_its_claim(server: &Server) {
    let mut taken = BTreeSet::new();
    for account in server.accounts() {
        for claim in account.claims() {
            assert!(taken.insert(claim), "two accounts have one address");
            assert_eq!(
                server.claim_holder(claim).as_deref(),
                Some(account.id.as_str()),
                "an address without its claim"
            );
        }
    }
}

#[derive(Clone, Debug)]
enum Happening {
    Edit(usize, usize),
    Delete(usize),
    Watch(usize, Kind, usize),
    Reconcile(usize, usize),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        1 => (0..MEMBERS, 0..ADDRESSES.len()).prop_map(|(member, address)| Happening::Edit(member, address)),
        1 => (0..MEMBERS).prop_map(Happening::Delete),
        6 => (0..OPERATORS, 0..Kind::ALL.len(), 1..4_usize)
            .prop_map(|(operator, kind, events)| Happening::Watch(operator, Kind::ALL[kind], events)),
        6 => (0..OPERATORS, 0..MEMBERS).prop_map(|(operator, member)| Happening::Reconcile(operator, member)),
    ];
    prop::collection::vec(one, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_race_of_two_operators_gives_one_address_to_two_accounts(happenings in happenings()) {
        let mut server = Server::default();
        let clinic = json!({"spec": {"displayName": "Maple Clinic", "timeZone": "UTC"}});
        server.write(Kind::Clinic, "clinic", clinic);
        (0..MEMBERS).for_each(|index| edit(&mut server, index, index % 2));
        let mut operators: Vec<Operator> = (0..OPERATORS).map(|_| Operator::default()).collect();
        for happening in happenings {
            match happening {
                Happening::Edit(index, address) => edit(&mut server, index, address),
                Happening::Delete(index) => server.delete_user(&member(index)),
                Happening::Watch(operator, kind, events) => operators[operator].watch(&server, kind, events),
                Happening::Reconcile(operator, index) => {
                    operators[operator].step(&mut server, &member(index));
                }
            }
            each_address_has_at_most_one_account_and_each_account_its_claim(&server);
        }
        come_to_rest(&mut server, &mut operators);
    }
}

/// Everybody catches up and works until nobody has anything to do; then each address that is wished for has its account.
fn come_to_rest(server: &mut Server, operators: &mut [Operator]) {
    for round in 0.. {
        assert!(round < 50, "the operators do not come to rest");
        let mut worked = false;
        for operator in operators.iter_mut() {
            for kind in Kind::ALL {
                operator.watch(server, kind, usize::MAX);
            }
            for index in 0..MEMBERS {
                worked |= operator.step(server, &member(index));
                each_address_has_at_most_one_account_and_each_account_its_claim(server);
            }
        }
        if !worked {
            break;
        }
    }
    let users: Vec<&Value> =
        server.objects.iter().filter(|((kind, _), _)| *kind == Kind::ClinicUser).map(|(_, user)| user).collect();
    let wished: BTreeSet<String> =
        users.iter().map(|user| user["spec"]["email"].as_str().unwrap().to_owned()).collect();
    let is_there = |uid: &str| users.iter().any(|user| user["metadata"]["uid"] == uid);
    let mut held = BTreeSet::new();
    for account in server.accounts().into_iter().filter(|account| is_there(&account.desired.holder.uid)) {
        for claim in server.claims_of(&account.id) {
            assert!(account.claims().contains(&claim), "a claim is left over");
        }
        held.extend(account.desired.email);
    }
    assert_eq!(held, wished, "each address that somebody wishes for has an account of somebody who is there");
}
