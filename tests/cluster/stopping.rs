//! How the operator ends when it is asked to: at once, with exit code 0, and without losing or repeating a mail.
//! Never here: a crash.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use crate::support::operator::OperatorOptions;
use crate::support::smtp::Stage;
use crate::support::wait::{PATIENCE, eventually, eventually_ok, never};
use crate::world::{World, condition, staff};

/// Within what time a stop is over where no mail is under way: a sixth of what Kubernetes grants by default.
const PROMPTLY: Duration = Duration::from_secs(5);
/// Within what time it is over while a mail hangs: what Kubernetes grants, and a little less.
const WITHIN_THE_GRACE: Duration = Duration::from_secs(28);
/// Longer than any test waits.
const HANGS: Duration = Duration::from_secs(50);
const A_WHILE: Duration = Duration::from_secs(4);

/// Asks the operator to stop by this signal, and demands that it does so promptly and content.
#[track_caller]
fn stops(world: &mut World, signal: &str) {
    stops_within(PROMPTLY, world, signal);
}

#[track_caller]
fn stops_within(limit: Duration, world: &mut World, signal: &str) {
    let (status, time) = world.operator.stop(signal);
    assert!(status.success(), "{status}");
    assert!(time < limit, "stopping took {time:?}");
}

#[test]
fn an_idle_operator_stops_at_once_on_either_signal() {
    for signal in ["-TERM", "-INT"] {
        let mut world = World::new("idle");
        world.apply(&staff("ana", "ana@maple.example"));
        world.member_in("Invited", "ana");
        stops(&mut world, signal);
        assert_eq!(world.operator.readiness(), None);
        let log = world.operator.log();
        let mut warnings = log.lines().filter(|line| line.contains("WARN"));
        assert!(warnings.all(|line| line.contains("mail.tls is None")), "nothing else is wrong: {log}");
        assert!(log.contains("mail.tls is None"), "a relay without TLS is warned of: {log}");
    }
}

#[test]
fn a_mail_that_hangs_after_its_dot_does_not_delay_the_stop_beyond_the_grace_and_is_not_sent_again_soon() {
    let mut world = World::new("hanging");
    world.relay.at(Stage::AfterDot).times(1).delay(HANGS);
    world.apply(&staff("ana", "ana@maple.example"));
    eventually(PATIENCE, "the mail to be under way", || {
        world.relay.commands().contains(&"DATA".to_owned()).then_some(())
    });
    stops_within(WITHIN_THE_GRACE, &mut world, "-TERM");
    let attempts = |world: &World| world.account_of("ana")["spec"]["delivery"]["attempts"].clone();
    let ledger = attempts(&world);
    assert_eq!((ledger.as_array().unwrap().len(), &ledger[0]["outcome"]), (1, &json!("Sending")));

    world.operator.restart();
    let ana = world.member_in("Pending", "ana");
    assert_eq!(condition(&ana, "Reconciling").unwrap()["status"], "True");
    let connections = world.relay.connections();
    never(A_WHILE, "a second copy", || (world.relay.connections() != connections).then(|| world.relay.commands()));
    assert_eq!(attempts(&world), ledger);
}

#[test]
fn a_mail_that_ends_while_the_operator_stops_is_recorded_as_sent() {
    let mut world = World::new("ending");
    world.relay.at(Stage::AfterDot).times(1).delay(Duration::from_secs(6));
    world.apply(&staff("ana", "ana@maple.example"));
    eventually(PATIENCE, "the mail to be under way", || {
        world.relay.commands().contains(&"DATA".to_owned()).then_some(())
    });
    stops_within(WITHIN_THE_GRACE, &mut world, "-TERM");
    assert_eq!(world.account_of("ana")["spec"]["delivery"]["attempts"][0]["outcome"], "Sent");
    world.operator.restart();
    world.member_in("Invited", "ana");
    assert_eq!(world.relay.mails().len(), 1);
}

#[test]
fn an_unreachable_relay_does_not_delay_the_stop() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let configuration = vec![("/mail/port", json!(port))];
    for signal in ["-TERM", "-INT"] {
        let options = OperatorOptions { configuration: configuration.clone(), ..OperatorOptions::default() };
        let mut world = World::with("unreachable", options);
        world.apply(&staff("ana", "ana@maple.example"));
        world.member_told("ana", "the mail relay does not take mail");
        stops(&mut world, signal);
    }
}

#[test]
fn a_cluster_that_hangs_does_not_delay_the_stop_of_an_operator_that_is_starting() {
    let mut world = World::new("silent");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    world.operator.restart_at(&format!("https://{}", silent.local_addr().unwrap()));
    let _connection = silent.accept().unwrap(); // it waits for an answer now
    stops(&mut world, "-TERM");
}

#[test]
fn a_secret_file_that_hangs_does_not_delay_the_stop_beyond_the_grace() {
    let credentials = Some(("clinic".to_owned(), "correct horse".to_owned()));
    let mut world = World::with("fifo", OperatorOptions { credentials, ..OperatorOptions::default() });
    let password = world.operator.credentials().join("password");
    std::fs::remove_file(&password).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&password).status().unwrap().success());
    world.apply(&staff("ana", "ana@maple.example"));
    eventually(PATIENCE, "the mail to be under way", || (world.relay.connections() > 0).then_some(()));
    stops_within(WITHIN_THE_GRACE, &mut world, "-TERM");
}

#[test]
fn no_new_mail_is_taken_while_the_last_one_ends() {
    let options =
        OperatorOptions { configuration: vec![("/mail/connections", json!(1))], ..OperatorOptions::default() };
    let mut world = World::with("queue", options);
    world.relay.at(Stage::AfterDot).times(1).delay(Duration::from_secs(3));
    let names = ["ana", "bea", "cai", "dev", "eva"];
    world.apply(&names.map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    eventually_ok(PATIENCE, "the first mail to be under way and the others to wait", || {
        let waiting = world.operator.metrics().contains("clinic_operator_mails_waiting 4\n");
        let under_way = world.relay.commands().iter().any(|line| line == "DATA");
        if waiting && under_way { Ok(()) } else { Err((waiting, under_way)) }
    });
    stops_within(WITHIN_THE_GRACE, &mut world, "-TERM");
    assert_eq!(world.relay.mails().len(), 1);
    let attempts =
        names.map(|name| world.account_of(name)["spec"]["delivery"]["attempts"].as_array().map_or(0, Vec::len));
    assert_eq!(attempts.iter().sum::<usize>(), 1, "nothing else was even written ahead: {attempts:?}");
    world.operator.restart();
    for name in names {
        world.member_in("Invited", name);
    }
    assert_eq!(world.relay.mails().len(), 5);
}
