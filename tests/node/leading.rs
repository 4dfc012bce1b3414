//! Who leads among the controller's pods: what happens when that one is killed in the middle of a mail, or stands still.

use serde_json::{Value, json};

use crate::clinic::{A_WHILE, Clinic, accept, path, staff};
use crate::node::{LONG, WITH_CLOCK, among_others, node, requests_of, signal};
use crate::support::smtp::{Answer, Stage};
use crate::support::visitor::Visitor;
use crate::support::wait::{eventually_ok, never};

/// Seconds after which an outcome that is not known yet is taken for unknown, and a bit.
const UNTIL_UNKNOWN: u32 = 660;

/// The attempts in the ledger of a member's account.
fn outcomes(clinic: &Clinic, name: &str) -> Vec<Value> {
    let member = node().object(&clinic.namespace, "clinicuser", name);
    let id = format!("a-{}", member["metadata"]["uid"].as_str().unwrap());
    let accounts = node().objects(&clinic.namespace, "clinicaccounts");
    let account = accounts.into_iter().find(|account| account["metadata"]["name"] == *id).unwrap_or_default();
    let attempts = account["spec"]["delivery"]["attempts"].as_array().cloned().unwrap_or_default();
    attempts.iter().map(|attempt| attempt["outcome"].clone()).collect()
}

#[track_caller]
fn outcomes_are(clinic: &Clinic, name: &str, wanted: &[&str]) {
    eventually_ok(LONG, &format!("{wanted:?} of {name}"), || {
        let outcomes = outcomes(clinic, name);
        if outcomes == wanted { Ok(()) } else { Err(outcomes) }
    });
}

/// Lets so many seconds pass, by the wall clock and by the monotonic one.
fn set_clock(clinic: &Clinic, ahead: u32) {
    let clock = format!("{ahead} {ahead}");
    let clock =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clock"}, "data": {"clock": clock}});
    clinic.apply(&clock.to_string());
}

/// The controller's pods get a clock that the test sets: the ten minutes after which a mail is sent again are too long.
fn with_a_clock(clinic: &Clinic) {
    set_clock(clinic, 0);
    clinic.install(&[&format!("image.tag={WITH_CLOCK}")]);
    let container = json!({"name": "controller",
        "env": [{"name": "CLINIC_OPERATOR_TEST_CLOCK", "value": "/clock/clock"}],
        "volumeMounts": [{"name": "clock", "mountPath": "/clock", "readOnly": true}]});
    let pod = json!({"containers": [container], "volumes": [{"name": "clock", "configMap": {"name": "clock"}}]});
    let patch = json!({"spec": {"template": {"spec": pod}}}).to_string();
    let deployment = clinic.part("controller");
    clinic.kubectl(&["patch", "deployment", &deployment, "-p", &patch]);
    clinic.kubectl(&["rollout", "status", "deployment", &deployment, "--timeout", "90s"]);
}

#[test]
fn a_leader_that_is_killed_between_write_ahead_and_mail_loses_no_mail_and_sends_none_twice() {
    let _others = among_others();
    let clinic = Clinic::new("maple");
    with_a_clock(&clinic);
    clinic.relay.at(Stage::Greeting).answer(Answer::Silence);
    clinic.apply(&staff("ana"));
    outcomes_are(&clinic, "ana", &["Sending"]);
    let leader = clinic.leader();
    signal(&clinic.namespace, &leader, "SIGKILL");
    clinic.kubectl(&["delete", "pod", &leader, "--grace-period=0", "--force"]);
    clinic.relay.take_everything();
    clinic.leader_after(&leader);
    never(A_WHILE, "a mail while nobody can know whether the first arrived", || {
        (!clinic.relay.mails().is_empty()).then(|| clinic.relay.commands())
    });
    assert_eq!(outcomes(&clinic, "ana"), ["Sending"]);
    set_clock(&clinic, UNTIL_UNKNOWN);
    outcomes_are(&clinic, "ana", &["Sending", "Sent"]);
    let mails = clinic.mails_to("ana");
    assert_eq!(mails.len(), 1, "one mail of two attempts");
    accept(&mut clinic.visitor(), &path(&mails[0]));
    clinic.member_in("Active", "ana");
}

#[test]
fn a_leader_that_stands_still_past_its_lease_is_succeeded_and_then_writes_nothing_that_counts() {
    let _others = among_others();
    let clinic = Clinic::installed("maple");
    clinic.invited("ana");
    let leader = clinic.leader();
    signal(&clinic.namespace, &leader, "SIGSTOP");
    let next = clinic.leader_after(&leader);
    clinic.invited("bea");
    // Whatever it sent before it stood still has been answered by now.
    let before = requests_of(&leader).len();
    assert!(before > 0, "its requests are known by its pod's name");
    signal(&clinic.namespace, &leader, "SIGCONT");
    let address = clinic.kubectl(&["get", "pod", &leader, "-o", "jsonpath={.status.podIP}"]);
    let mut awake = Visitor::to(format!("http://{address}:8080"));
    eventually_ok(LONG, "the former leader to go on", || awake.try_to_send("GET", "/metrics", &[], ""));
    clinic.invited("carl");
    never(A_WHILE, "the former leader to lead again", || (clinic.leader() != next).then(|| clinic.leader()));
    let writes = requests_of(&leader).split_off(before);
    let counted = writes.into_iter().filter(|(verb, resource, _, code)| {
        ["create", "update", "patch", "delete"].contains(&verb.as_str()) && resource != "leases" && *code < 300
    });
    assert_eq!(counted.collect::<Vec<_>>(), []);
    for name in ["ana", "bea", "carl"] {
        assert_eq!(clinic.mails_to(name).len(), 1, "{name}");
    }
}
