//! Two replicas of the controller and their lease: one works, the other is ready to; whatever becomes of the first, nobody is mailed twice
//! and nothing is lost. Never here: two that work at once (`operators_at_once`), or how an elector decides (its own tests).

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::crash::{UNTIL_UNKNOWN, nth};
use crate::support::control_plane::control_plane;
use crate::support::door::{open_at, shut};
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::proxy::{Fault, Proxy, Which};
use crate::support::smtp::{Answer, SmtpServer, Stage};
use crate::support::test_clock::TestClock;
use crate::support::wait::{PATIENCE, eventually, eventually_ok, never};
use crate::world::{World, condition, staff};

/// Longer than a lease lasts without its holder, on a busy machine.
const TAKE_OVER: Duration = Duration::from_secs(90);
/// Longer than the pause between two looks at the namespace.
const DOOR: Duration = Duration::from_secs(120);
const QUIET: Duration = Duration::from_secs(4);
const WORKS: &str = "this controller works";
const STANDS_STILL: &str = "this controller stands still";

fn with_lease(test_clock: Option<&TestClock>) -> OperatorOptions {
    OperatorOptions {
        configuration: vec![("/leaderElection", json!(true))],
        test_clock: test_clock.map(TestClock::path),
        ..OperatorOptions::default()
    }
}

/// A clinic whose operator leads, and a second operator that stands by.
fn two(prefix: &str) -> (World, Operator) {
    let world = World::with(prefix, with_lease(None));
    leads(&world.operator);
    let second = Operator::start(&world.namespace, &world.relay, with_lease(None));
    (world, second)
}

/// A clinic whose operator leads and reaches the API server through the proxy alone.
fn behind_a_proxy(prefix: &str) -> (World, Proxy) {
    let mut world = World::with(prefix, with_lease(None));
    let proxy = Proxy::start();
    leads(&world.operator);
    let begun_before = terms(&world.operator).0;
    world.operator.restart_at(&proxy.url);
    world.operator.wait_until_ready();
    eventually(TAKE_OVER, "the operator to work again", || (terms(&world.operator).0 > begun_before).then_some(()));
    (world, proxy)
}

/// How often the operator began and ended to work.
fn terms(operator: &Operator) -> (usize, usize) {
    let log = operator.log();
    (log.matches(WORKS).count(), log.matches(STANDS_STILL).count())
}

#[track_caller]
fn leads(operator: &Operator) {
    eventually_ok(TAKE_OVER, "the operator to work", || {
        let (begun, ended) = terms(operator);
        if begun > ended { Ok(()) } else { Err(operator.log()) }
    });
}

fn lease(world: &World) -> Value {
    let lease = world.kubectl(&["get", "lease", "clinic-operator", "-o", "json"]);
    serde_json::from_str::<Value>(&lease).expect("kubectl prints JSON")["spec"].clone()
}

#[track_caller]
fn signal(operator: &Operator, signal: &str) {
    let sent = Command::new("kill").args([signal, &operator.id().to_string()]).status().expect("kill starts");
    assert!(sent.success());
}

/// Every write of the operators but those of the lease.
fn writes(world: &World) -> usize {
    world.operators_writes().iter().filter(|write| write.resource != "leases").count()
}

#[test]
fn of_two_one_works_and_the_other_is_ready_and_at_rest_nothing_but_the_lease_is_written() {
    let (world, second) = two("standby");
    assert_eq!(second.readiness(), Some(200), "its caches are complete");
    world.apply(&["ana", "bea"].map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    for name in ["ana", "bea"] {
        world.member_in("Invited", name);
    }
    assert_eq!((terms(&world.operator), terms(&second)), ((1, 0), (0, 0)));
    let mut before = writes(&world);
    eventually(PATIENCE, "the operators to come to rest", || {
        crate::support::wait::pass(QUIET);
        let now = writes(&world);
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
    let renewed = lease(&world)["renewTime"].clone();
    eventually(PATIENCE, "the lease to be renewed", || (lease(&world)["renewTime"] != renewed).then_some(()));
    never(QUIET, "a write but of the lease", || (writes(&world) != before).then(|| world.operators_writes()));
    assert_eq!(world.relay.mails().len(), 2);
    assert_eq!(lease(&world)["leaseTransitions"], 0);
}

#[test]
fn a_leader_that_is_asked_to_stop_gives_the_lease_up_and_the_other_goes_on() {
    let (mut world, second) = two("handover");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    let (status, _) = world.operator.terminate();
    assert!(status.success());
    assert!(world.operator.log().contains("the lease was given up"), "{}", world.operator.log());
    leads(&second);
    world.apply(&staff("bea", "bea@maple.example"));
    world.member_in("Invited", "bea");
    assert_eq!(world.relay.mails().len(), 2);
    let lease = lease(&world);
    assert_eq!(lease["leaseTransitions"], 1, "{lease}");
}

#[test]
fn a_leader_killed_between_write_ahead_and_mail_loses_no_mail_and_the_next_one_sends_it_once() {
    let clock = TestClock::new();
    clock.set("2027-03-01T12:00:00Z");
    let namespace = control_plane().namespace("leader-killed");
    let relay = SmtpServer::start();
    let first = Operator::start(&namespace, &relay, with_lease(Some(&clock)));
    let mut world = World::of(namespace, relay, first);
    leads(&world.operator);
    let second = Operator::start(&world.namespace, &world.relay, with_lease(Some(&clock)));
    world.relay.at(Stage::Greeting).times(1).answer(Answer::Silence);
    world.apply(&staff("ana", "ana@maple.example"));
    eventually(PATIENCE, "the relay to be called", || (world.relay.happened() > 0).then_some(()));
    world.outcomes_are("ana", &["Sending"]);
    world.operator.kill();
    leads(&second);
    world.member_in("Pending", "ana");
    assert_eq!(world.relay.mails().len(), 0, "nobody can know yet whether it arrived");
    clock.advance(UNTIL_UNKNOWN);
    world.member_in("Invited", "ana");
    world.outcomes_are("ana", &["Sending", "Sent"]);
    never(QUIET, "a second mail", || (world.relay.mails().len() != 1).then(|| world.relay.mails().len()));
}

#[test]
fn a_leader_that_stood_still_past_its_lease_writes_nothing_that_counts_and_mails_nobody() {
    let (world, proxy) = behind_a_proxy("stopped");
    let ended_before = terms(&world.operator).1;
    let second = Operator::start(&world.namespace, &world.relay, with_lease(None));
    // Its write-ahead is on the way when it is stopped, and arrives only when the other has long mailed.
    proxy.fault(nth("PATCH", &["/clinicaccounts/"], 0), Fault::Pause);
    world.apply(&staff("ana", "ana@maple.example"));
    eventually(PATIENCE, "the write-ahead to be on its way", || (proxy.happened() > 0).then_some(()));
    signal(&world.operator, "-STOP");
    leads(&second);
    world.member_in("Invited", "ana");
    let ledger = world.attempts("ana");
    proxy.mend();
    signal(&world.operator, "-CONT");
    eventually_ok(PATIENCE, "the first to find out", || {
        let (_, ended) = terms(&world.operator);
        if ended > ended_before { Ok(()) } else { Err(world.operator.log()) }
    });
    world.apply(&staff("bea", "bea@maple.example"));
    world.member_in("Invited", "bea");
    never(QUIET, "a mail of the first", || (world.relay.mails().len() != 2).then(|| world.relay.mails().len()));
    assert_eq!(world.attempts("ana"), ledger);
    let stale = world
        .operators_writes()
        .into_iter()
        .filter(|write| (write.resource.as_str(), write.verb.as_str(), write.code) == ("clinicaccounts", "patch", 409));
    assert_eq!(stale.count(), 1, "the write that arrived late was refused by its guard");
}

#[test]
fn a_lease_that_somebody_else_writes_ends_the_work_and_a_silent_holder_is_waited_for_once() {
    let world = World::with("stolen", with_lease(None));
    leads(&world.operator);
    let theirs = json!({"spec": {"holderIdentity": "somebody"}}).to_string();
    world.kubectl(&["patch", "lease", "clinic-operator", "--type=merge", "-p", &theirs]);
    eventually_ok(PATIENCE, "the operator to stand still", || {
        let terms = terms(&world.operator);
        if terms == (1, 1) { Ok(()) } else { Err(terms) }
    });
    world.apply(&staff("ana", "ana@maple.example"));
    leads(&world.operator);
    world.member_in("Invited", "ana");
    assert_eq!(lease(&world)["leaseTransitions"], 1);
}

#[test]
fn what_the_relay_did_with_a_mail_is_written_although_the_api_server_was_away_for_longer_than_the_lease() {
    let (world, proxy) = behind_a_proxy("outcome");
    let (begun_before, ended_before) = terms(&world.operator);
    // Once the relay has the mail, nothing is written any more.
    world.relay.at(Stage::AfterDot).times(1).delay(Duration::from_secs(2));
    world.apply(&staff("ana", "ana@maple.example"));
    eventually(PATIENCE, "the mail to be under way", || {
        world.relay.commands().contains(&"DATA".to_owned()).then_some(())
    });
    for method in ["PUT", "PATCH", "POST"] {
        proxy.fault(Which { method, has: &[], has_not: None, only: None }, Fault::Refuse(503));
    }
    eventually_ok(TAKE_OVER, "the tenure to end", || {
        let (_, ended) = terms(&world.operator);
        if ended > ended_before { Ok(()) } else { Err(world.operator.log()) }
    });
    // Longer than a stop waits for mails.
    never(QUIET * 6, "a term without the API server", || {
        let (begun, _) = terms(&world.operator);
        (begun != begun_before).then(|| world.operator.log())
    });
    proxy.mend();
    world.member_in("Invited", "ana");
    world.outcomes_are("ana", &["Sent"]);
    assert_eq!(world.relay.mails().len(), 1);
}

fn restore_mode(world: &World, annotation: &str) {
    world.kubectl(&["annotate", "--overwrite", "namespace", world.namespace.name(), annotation]);
}

/// Waits until the Clinic's condition `Ready` has this reason, and returns the Clinic.
#[track_caller]
fn clinic_is(world: &World, reason: &str) -> Value {
    eventually_ok(DOOR, &format!("the clinic to be {reason}"), || {
        let clinic = world.object("clinic", "clinic");
        let ready = condition(&clinic, "Ready").cloned().unwrap_or_default();
        if ready["reason"] == reason { Ok(clinic) } else { Err(ready) }
    })
}

/// The kinds of a backup, in the order in which docs/security.md brings them back.
const BACKED_UP: [&str; 5] = ["clinicusers", "clinicserviceaccounts", "clinicaccounts", "emailclaims", "clinics"];

/// What docs/security.md keeps of each kind.
fn backup(world: &World) -> Vec<String> {
    let kept = |kind: &&str| {
        let mut objects = world.objects(kind);
        for object in &mut objects {
            for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
                object["metadata"].as_object_mut().unwrap().remove(field);
            }
            object.as_object_mut().unwrap().remove("status");
        }
        (!objects.is_empty()).then(|| json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string())
    };
    BACKED_UP.iter().filter_map(kept).collect()
}

#[test]
fn a_clinic_that_was_lost_is_restored_through_the_door_while_controllers_run_and_nobody_is_mailed() {
    let (world, _second) = two("restored");
    let account = world.accepted("ana", &staff("ana", "ana@maple.example"));
    world.apply(&staff("bea", "bea@maple.example"));
    world.member_in("Invited", "bea");
    let records = |world: &World| {
        let specs = world.objects("clinicaccounts").into_iter().map(|account| {
            let mut spec = account["spec"].clone();
            spec["desired"]["holder"].as_object_mut().unwrap().remove("uid");
            spec
        });
        specs.collect::<Vec<_>>()
    };
    let (before, kept) = (records(&world), backup(&world));
    restore_mode(&world, &open_at(world.now()));
    clinic_is(&world, "RestoreDoorOpen");
    for kind in BACKED_UP {
        world.kubectl(&["delete", kind, "--all"]);
    }
    for objects in &kept {
        control_plane().kubectl_stdin(&world.namespace, &["create", "-f", "-"], objects).ok();
    }
    restore_mode(&world, &shut());
    clinic_is(&world, "Open");
    assert_eq!(world.member_in("Active", "ana")["status"]["account"], *account);
    world.member_in("Invited", "bea");
    never(QUIET, "a mail", || (world.relay.mails().len() != 2).then(|| world.relay.mails().len()));
    assert_eq!(records(&world), before, "each has what they had");
}

#[test]
fn while_the_door_for_restores_is_open_the_operator_stands_still_and_the_clinic_says_so() {
    let world = World::with("door", with_lease(None));
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    restore_mode(&world, &open_at(world.now()));
    let clinic = clinic_is(&world, "RestoreDoorOpen");
    assert_eq!(condition(&clinic, "Stalled").unwrap()["status"], "True");
    assert_eq!(clinic["status"]["members"]["invited"], 1, "the rest of the status stays");
    let before = writes(&world);
    world.apply(&staff("bea", "bea@maple.example"));
    never(QUIET, "a write with the door open", || (writes(&world) != before).then(|| world.operators_writes()));
    assert_eq!(world.operator.readiness(), Some(200), "it waits, but nothing is wrong with it");
    restore_mode(&world, &shut());
    clinic_is(&world, "Open");
    world.member_in("Invited", "bea");
    assert_eq!(world.relay.mails().len(), 2);
}
