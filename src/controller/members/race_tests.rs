//! Two operators at once, each with a cache that lags behind, for each kind by another time, against an API server that only
//! promises what the real one does: names are unique, guarded writes fail when the object has changed. People edit, delete, re-create
//! and restore manifests, accept, confirm, reactivate and replace meanwhile. After every single write each address belongs to at
//! most one account, which has its claim (I1); nobody gets an accepted account of another name unless a person said so (I6);
//! and when everybody has caught up, everybody comes to rest (I5).

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::decide::decide;
use super::observe::{Live, observe};
use super::race_world::{Did, Operator, Server};
use super::step::Step;
use super::test_world::{cases, now};
use crate::api::account::{ClinicAccountSpec, Desired};
use crate::controller::cache::Kind;
use crate::domain::identity::normalised;

const ADDRESSES: [&str; 3] = ["a@maple.example", "b@maple.example", "c@maple.example"];
const MEMBERS: usize = 3;
const OPERATORS: usize = 2;

fn member(index: usize) -> String {
    format!("member-{index}")
}

/// Names that a manifest gives: none, the first or the last of two people's.
const NAMES: [Option<&str>; 3] = [None, Some("Ana"), Some("Bea")];

fn edit(server: &mut Server, index: usize, address: usize, name: usize) {
    let object = member(index);
    let known = server.objects.get(&(Kind::ClinicUser, object.clone())).cloned();
    let uid = json!(format!("{:08}-0000-4000-8000-000000000000", server.version));
    let mut user = known.unwrap_or_else(|| json!({"metadata": {"uid": uid, "generation": 1}}));
    user["spec"] = json!({"email": ADDRESSES[address], "type": "Staff"});
    if let Some(name) = NAMES[name] {
        user["spec"]["firstName"] = json!(name);
        user["spec"]["lastName"] = json!("Silva");
    }
    server.write(Kind::ClinicUser, &object, user);
}

/// What the person of an account does at the portal: accept, or confirm a changed address. Only with the address of the same
/// read.
fn person_answers(server: &mut Server, account: usize) {
    let name = server.accounts().get(account).map(|account| account.id.clone());
    let Some(key) = name.map(|name| (Kind::ClinicAccount, name)) else { return };
    let mut object = server.objects[&key].clone();
    let desired = object["spec"]["desired"].clone();
    if desired["email"].is_null() || !desired["removed"].is_null() {
        return;
    }
    object["spec"]["acceptance"] = json!({"acceptedAt": "2026-11-01T00:00:00Z", "login": desired["email"],
        "firstName": "X", "lastName": "Y", "credential": "c"});
    server.write(Kind::ClinicAccount, &key.1, object);
}

/// A person says about an account whose it is, on some manifest.
fn person_decides(server: &mut Server, index: usize, account: usize, verb: &str) {
    let accounts = server.accounts();
    let Some(account) = accounts.get(account) else { return };
    let key = (Kind::ClinicUser, member(index));
    let Some(mut user) = server.objects.get(&key).cloned() else { return };
    let value = format!("{}.{}", account.id, account.desired.decisions);
    user["metadata"]["annotations"] = json!({ format!("clinic-operator.dev/{verb}"): value });
    server.write(Kind::ClinicUser, &key.1, user);
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

/// Between two states of the records: an accepted account changes hands only to somebody with the same names or the same
/// object name, or with a decision that a person made; and decisions are counted.
fn nobody_inherits(before: &[ClinicAccountSpec], after: &[ClinicAccountSpec]) {
    for old in before {
        let new = after.iter().find(|new| new.id == old.id).expect("no account is ever deleted");
        let (was, is) = (&old.desired, &new.desired);
        assert!(is.decisions >= was.decisions, "a decision is forgotten");
        if was.holder.uid == is.holder.uid || old.acceptance.is_none() {
            continue;
        }
        let full = |desired: &Desired| {
            desired.first_name.as_ref().zip(desired.last_name.as_ref()).map(|(a, b)| normalised(&format!("{a} {b}")))
        };
        let same_names = full(was).is_some() && full(was) == full(is);
        let restored = was.holder.name == is.holder.name && was.removed.is_none();
        assert!(same_names || restored || is.decisions == was.decisions + 1, "inherited: {was:?} {is:?}");
    }
}

#[derive(Clone, Debug)]
enum Happening {
    Edit(usize, usize, usize),
    Delete(usize),
    Mark(usize),
    Restore,
    Rename(usize, usize, bool),
    Answer(usize),
    Decide(usize, usize, &'static str),
    Watch(usize, Kind, usize),
    Reconcile(usize, usize),
    Remove(usize),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        3 => (0..MEMBERS, 0..ADDRESSES.len(), 0..NAMES.len())
            .prop_map(|(member, address, name)| Happening::Edit(member, address, name)),
        2 => (0..MEMBERS).prop_map(Happening::Delete),
        1 => (0..MEMBERS).prop_map(Happening::Mark),
        1 => Just(Happening::Restore),
        1 => (0..MEMBERS, 1..MEMBERS, any::<bool>())
            .prop_map(|(from, by, exchanged)| Happening::Rename(from, (from + by) % MEMBERS, exchanged)),
        2 => (0..2 * MEMBERS).prop_map(Happening::Answer),
        1 => (0..MEMBERS, 0..2 * MEMBERS, prop_oneof![Just("reactivate"), Just("replace")])
            .prop_map(|(member, account, verb)| Happening::Decide(member, account, verb)),
        12 => (0..OPERATORS, 0..Kind::ALL.len(), 1..4_usize)
            .prop_map(|(operator, kind, events)| Happening::Watch(operator, Kind::ALL[kind], events)),
        14 => (0..OPERATORS, 0..MEMBERS).prop_map(|(operator, member)| Happening::Reconcile(operator, member)),
        2 => (0..OPERATORS).prop_map(Happening::Remove),
    ];
    prop::collection::vec(one, 1..160)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(600), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_race_of_two_operators_gives_one_address_to_two_accounts_or_an_account_to_another_person(
        happenings in happenings(),
    ) {
        race(happenings);
    }
}

fn race(happenings: Vec<Happening>) {
    let mut server = Server::at(now());
    let clinic = json!({"spec": {"displayName": "Maple Clinic", "timeZone": "UTC"}});
    server.write(Kind::Clinic, "clinic", clinic);
    (0..MEMBERS).for_each(|index| edit(&mut server, index, index % 2, 0));
    let mut operators: Vec<Operator> = (0..OPERATORS).map(|_| Operator::default()).collect();
    for happening in happenings {
        let before = server.accounts();
        match happening {
            Happening::Edit(index, address, name) => edit(&mut server, index, address, name),
            Happening::Delete(index) => server.delete_user(&member(index)),
            Happening::Mark(index) => server.mark_as_deleted(&member(index)),
            Happening::Restore => server.restore_users(),
            Happening::Rename(from, to, exchanged) => server.rename_user(&member(from), &member(to), exchanged),
            Happening::Answer(account) => person_answers(&mut server, account),
            Happening::Decide(index, account, verb) => person_decides(&mut server, index, account, verb),
            Happening::Watch(operator, kind, events) => operators[operator].watch(&server, kind, events),
            Happening::Reconcile(operator, index) => {
                operators[operator].step(&mut server, &member(index));
            }
            Happening::Remove(operator) => {
                operators[operator].remove_one(&mut server);
            }
        }
        each_address_has_at_most_one_account_and_each_account_its_claim(&server);
        nobody_inherits(&before, &server.accounts());
    }
    come_to_rest(&mut server, &mut operators);
}

/// Here what was read live was of before the restore, and everybody else had come to rest.
#[test]
fn a_restore_right_after_a_holder_was_seen_is_followed_once_its_events_come() {
    use Happening::{Answer, Delete, Edit, Mark, Reconcile, Restore, Watch};
    race(vec![
        Edit(0, 0, 0),
        Watch(1, Kind::ClinicUser, 3),
        Watch(0, Kind::ClinicUser, 3),
        Edit(0, 2, 0),
        Edit(1, 0, 0),
        Restore,
        Watch(1, Kind::ClinicUser, 2),
        Watch(0, Kind::Clinic, 1),
        Reconcile(0, 0),
        Mark(1),
        Delete(1),
        Reconcile(0, 0),
        Watch(1, Kind::ClinicAccount, 1),
        Restore,
        Delete(1),
        Answer(0),
        Watch(0, Kind::ClinicUser, 1),
        Watch(0, Kind::ClinicUser, 3),
        Watch(1, Kind::Clinic, 1),
        Edit(1, 0, 0),
        Reconcile(0, 1),
        Reconcile(0, 0),
        Reconcile(0, 0),
        Reconcile(0, 1),
        Reconcile(0, 0),
        Restore,
        Mark(1),
        Reconcile(1, 0),
        Reconcile(0, 0),
        Reconcile(0, 1),
        Reconcile(1, 0),
        Edit(0, 2, 0),
        Reconcile(1, 0),
        Reconcile(0, 0),
        Reconcile(0, 0),
        Watch(1, Kind::ClinicUser, 3),
        Reconcile(1, 0),
        Restore,
    ]);
}

/// Everybody catches up and works until nobody has anything to do; then everybody who is there has the address that they
/// wish for, or is told why not.
fn come_to_rest(server: &mut Server, operators: &mut [Operator]) {
    for round in 0.. {
        assert!(round < 60, "the operators do not come to rest");
        let mut worked = false;
        for operator in operators.iter_mut() {
            // What happened since a reconciliation began is followed by another, which reads anew.
            operator.forget_what_was_read_live();
            for kind in Kind::ALL {
                operator.watch(server, kind, usize::MAX);
            }
            for index in 0..MEMBERS {
                loop {
                    match operator.step(server, &member(index)) {
                        Did::Nothing => break,
                        Did::Asked => {}
                        Did::Wrote => worked = true,
                    }
                    each_address_has_at_most_one_account_and_each_account_its_claim(server);
                }
            }
            worked |= operator.remove_one(server);
        }
        if !worked {
            break;
        }
    }
    everybody_has_their_address_or_is_told_why(server, &mut operators[0]);
}

fn everybody_has_their_address_or_is_told_why(server: &mut Server, operator: &mut Operator) {
    let accounts = server.accounts();
    for index in 0..MEMBERS {
        let user = server.objects.get(&(Kind::ClinicUser, member(index))).filter(|user| is_there(user)).cloned();
        let Some(user) = user else { continue };
        let uid = user["metadata"]["uid"].as_str().unwrap();
        let mut live = Live::default();
        let decision = loop {
            let decision = decide(&observe(&operator.index, &member(index), &live).unwrap(), now());
            match decision.step {
                Some(Step::AskWhetherGone(holder)) => {
                    let gone = operator.is_gone(server, &holder.name, &holder.uid);
                    if gone { &mut live.gone } else { &mut live.there }.insert(holder.uid);
                }
                Some(step) => panic!("not at rest: {step:?}"),
                None => break decision,
            }
        };
        let held: Vec<_> = accounts.iter().filter(|account| account.desired.holder.uid == uid).collect();
        let with_address = held.iter().filter(|account| account.desired.email.is_some()).count();
        let accepted = held.iter().filter(|account| account.acceptance.is_some()).count();
        assert!(with_address <= accepted.max(1), "a second account");
        if decision.obstacle.is_none() {
            assert_eq!(json!(held[0].desired.email), user["spec"]["email"], "{held:?}");
            assert!(held[0].desired.removed.is_none() && held[0].desired.hold.is_none());
        }
    }
    for account in &accounts {
        let holder = account.desired.holder.uid.as_str();
        let is_there = server.objects.values().any(|user| user["metadata"]["uid"] == holder && is_there(user));
        let stays = is_there || account.desired.hold.is_some() || waits_for_a_decision(server, account);
        assert!(stays || account.desired.removed.is_some(), "not removed");
        for claim in server.claims_of(&account.id) {
            assert!(!is_there || account.claims().contains(&claim), "a claim is left over: {claim} {account:?}");
        }
    }
}

/// Whether nobody is deleting it.
fn is_there(user: &Value) -> bool {
    user["metadata"]["deletionTimestamp"].is_null()
}

/// Whether a manifest of its holder's name came back with other names, so that a person must say whose the account is.
fn waits_for_a_decision(server: &Server, account: &ClinicAccountSpec) -> bool {
    let Some(user) = server.objects.get(&(Kind::ClinicUser, account.desired.holder.name.clone())) else { return false };
    let holds_one = server.accounts().iter().any(|other| user["metadata"]["uid"] == other.desired.holder.uid.as_str());
    let gives_other_names = json!(account.desired.first_name) != user["spec"]["firstName"];
    account.acceptance.is_some() && !holds_one && gives_other_names
}
