//! The reference model (tests/reference) against the compiled binary on a real API server: a few of the same random sequences
//! that run by the thousand against `decide`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use self::shared::inputs::{Clinic, Op, run, sequences};
use self::shared::manifests::{START, annotations, confirmed, number, spec};
use self::shared::{Input, Mail, Manifest, Outcome, Renamed, Seen, Stand};
use crate::support::mail;
use crate::support::wait::{PATIENCE, eventually, now};
use crate::world::{CLINIC, World, torture};

#[path = "../reference/mod.rs"]
mod shared;

/// Sequences of each test, and how long they are.
const SEQUENCES: usize = 4;
const LONGEST: usize = 14;

struct OnTheServer(World);

impl OnTheServer {
    fn new() -> Self {
        let world = World::at("reference", START);
        world.apply(&clinic(Stand::Open));
        Self(world)
    }

    /// Those of the manifests.
    fn uids(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let named = |user: Value| (text(&user["metadata"]["name"]), text(&user["metadata"]["uid"]));
        self.all("clinicusers").into_iter().map(named).collect()
    }

    fn all(&self, resource: &str) -> Vec<Value> {
        self.0.objects(resource)
    }

    fn look(&self) -> Outcome {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let members = self.all("clinicusers").into_iter().map(|user| {
            // A status that does not speak about this manifest yet says nothing.
            let status = &user["status"];
            let is_current = status["observedGeneration"] == user["metadata"]["generation"];
            let state = if is_current { text(&status["state"]) } else { String::new() };
            (text(&user["metadata"]["name"]), (state, status["account"].as_str().map(str::to_owned)))
        });
        let accounts = self.all("clinicaccounts").into_iter().map(|account| {
            let spec = &account["spec"];
            let seen = Seen {
                holder: text(&spec["desired"]["holder"]["uid"]),
                address: spec["desired"]["email"].as_str().map(number),
                login: spec["acceptance"]["login"].as_str().map(number),
                removed: spec["desired"]["removed"].is_object(),
                granted: spec["access"]["granted"] == true,
                decisions: u32::try_from(spec["desired"]["decisions"].as_u64().unwrap_or(0)).unwrap(),
            };
            (text(&account["metadata"]["name"]), seen)
        });
        let (members, accounts) = (members.collect(), accounts.collect());
        let mut mails: Vec<_> =
            self.0.relay.mails().iter().map(|mail| (kind(mail), number(&mail.recipients[0]))).collect();
        mails.sort_unstable();
        Outcome { members, accounts, mails }
    }
}

fn kind(mail: &mail::Mail) -> Mail {
    match mail.links().first() {
        Some(link) if link.contains("/confirmations#") => Mail::Confirmation,
        Some(_) => Mail::Invitation,
        None => Mail::Notice,
    }
}

fn clinic(stand: Stand) -> String {
    CLINIC.replace("America/Toronto", &format!("UTC, paused: {}", stand == Stand::Paused))
}

impl Clinic for OnTheServer {
    fn apply(&mut self, name: &str, manifest: &Manifest) -> String {
        let user = json!({"apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
            "metadata": {"name": name, "annotations": annotations(manifest)}, "spec": spec(manifest)});
        self.0.apply(&user.to_string());
        self.0.object("clinicuser", name)["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    fn delete(&mut self, name: &str) {
        let is_kept = self.0.object("clinicuser", name)["metadata"]["deletionTimestamp"].is_string();
        if is_kept {
            self.0.let_go(name);
        } else {
            self.0.kubectl(&["delete", "clinicuser", name]);
        }
    }

    fn mark(&mut self, name: &str) {
        self.0.delete_with_a_finalizer(name);
    }

    fn stop(&mut self) {
        // One that runs stands still while records are restored, but half a minute may pass until it knows.
        self.0.operator.terminate();
    }

    fn restore(&mut self) -> BTreeMap<String, String> {
        self.0.lose_and_restore();
        self.0.operator.restart();
        self.uids()
    }

    fn goes_on(&mut self) -> BTreeMap<String, String> {
        self.0.operator.restart();
        self.uids()
    }

    fn rename(&mut self, renamed: &Renamed) {
        let Renamed { from, to, exchanged } = renamed;
        let file = |from: &str, name: &str| {
            let user = self.0.object("clinicuser", from);
            let annotations = &user["metadata"]["annotations"];
            json!({"apiVersion": user["apiVersion"], "kind": "ClinicUser", "spec": user["spec"],
                "metadata": {"name": name, "annotations": annotations}})
            .to_string()
        };
        let (one, other) = (file(from, to), file(to, from));
        self.0.kubectl(&["delete", "clinicuser", from, to]);
        self.0.apply(&one);
        if *exchanged {
            self.0.apply(&other);
        }
    }

    fn answer(&mut self, account: &str, what: Mail, address: u8) {
        if what == Mail::Invitation {
            let mails = self.0.relay.mails();
            let of_account = |mail: &&mail::Mail| mail.links().first().is_some_and(|link| link.contains(account));
            let latest = mails.iter().rev().find(of_account).expect("a mailed link");
            let desired = self.0.object("clinicaccounts", account)["spec"]["desired"].clone();
            let (first, last) = confirmed(desired["firstName"].as_str(), desired["lastName"].as_str());
            self.0.accept(latest, first, last).expect("the link works");
        } else {
            // What the portal will write.
            let login = json!({"spec": {"acceptance": {"login": format!("x{address}@maple.example")}}}).to_string();
            self.0.kubectl_as_portal(&["patch", "clinicaccount", account, "--type=merge", "-p", &login]);
        }
    }

    fn everybody(&mut self, input: &Input) {
        match input {
            Input::Clinic(Stand::Missing) => {
                drop(self.0.kubectl(&["delete", "clinic", "clinic", "--ignore-not-found"]));
            }
            Input::Clinic(stand) => self.0.apply(&clinic(*stand)),
            Input::Pass(hours) => self.0.clock().advance(SignedDuration::from_hours(*hours)),
            Input::Relay(_) | Input::Guard { .. } | Input::Removals { .. } | Input::Release => {
                unreachable!("only in memory")
            }
            Input::Apply { .. }
            | Input::Delete { .. }
            | Input::Mark { .. }
            | Input::Restore { .. }
            | Input::Answer { .. } => unreachable!("it happens to somebody"),
        }
    }

    fn restart(&mut self) {
        self.0.operator.restart();
    }

    fn outcome(&mut self, allowed: &[Outcome]) -> Outcome {
        // What is not allowed in all that time is told by whoever compares.
        let begun = now();
        eventually(2 * PATIENCE, "everything to come to rest", || {
            let seen = self.look();
            (allowed.contains(&seen) || begun.elapsed() > PATIENCE).then_some(seen)
        })
    }
}

/// The sequences of one test: always the same, but for the long tests, which try others each time.
fn some_sequences(skipped: usize) -> Vec<Vec<Op>> {
    let mut runner = if torture() > 1 { TestRunner::default() } else { TestRunner::deterministic() };
    let one = |_| sequences(LONGEST, 0).new_tree(&mut runner).unwrap().current();
    (0..skipped + SEQUENCES * torture()).map(one).skip(skipped).collect()
}

fn check(skipped: usize) {
    for ops in some_sequences(skipped) {
        if let Err(difference) = run(&ops, &mut OnTheServer::new()) {
            panic!("{difference}, after {ops:#?}");
        }
    }
}

#[test]
fn the_binary_stands_as_the_reference_model_says_after_random_sequences() {
    check(0);
}

#[test]
fn the_binary_stands_as_the_reference_model_says_after_other_random_sequences() {
    check(SEQUENCES);
}
