//! Restore mode with a running controller: it ends at its instant, and who looks is told meanwhile.

use clinic_operator::domain::restore::{RESTORE_MODE, open_until};
use jiff::SignedDuration;
use serde_json::Value;

use crate::support::control_plane::control_plane;
use crate::support::door::{open_at, try_by_hand};
use crate::support::operator::OperatorOptions;
use crate::support::portal::{Portal, PortalOptions};
use crate::support::smtp::SmtpServer;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, condition, staff};

const NOON: &str = "2027-06-01T12:00:00Z";

pub(crate) fn annotate(world: &World, annotation: &str) {
    world.kubectl(&["annotate", "--overwrite", "namespace", world.namespace.name(), annotation]);
}

/// The annotation of the Namespace, if it is there.
fn annotation(world: &World) -> Option<String> {
    let namespace = format!("/api/v1/namespaces/{}", world.namespace.name());
    let namespace = control_plane().ask(None, "GET", &namespace, None).unwrap();
    namespace["metadata"]["annotations"][RESTORE_MODE].as_str().map(str::to_owned)
}

#[track_caller]
pub(crate) fn wait_until_removed(world: &World) {
    eventually_ok(2 * PATIENCE, "the controller to end restore mode", || annotation(world).map_or(Ok(()), Err));
}

/// Of the Clinic, each reason once.
fn events(world: &World) -> Vec<(String, Value)> {
    let events: Value = serde_json::from_str(&world.kubectl(&["get", "events", "-o", "json"])).unwrap();
    let of_clinic =
        events["items"].as_array().unwrap().iter().filter(|event| event["involvedObject"]["kind"] == "Clinic");
    of_clinic.map(|event| (event["reason"].as_str().unwrap().to_owned(), event["message"].clone())).collect()
}

fn reasons(world: &World) -> Vec<String> {
    let mut reasons: Vec<_> = events(world).into_iter().map(|(reason, _)| reason).collect();
    reasons.sort();
    reasons
}

#[track_caller]
fn clinic_is(world: &World, reason: &str) -> Value {
    eventually_ok(2 * PATIENCE, &format!("the clinic to be {reason}"), || {
        let ready = condition(&world.object("clinic", "clinic"), "Ready").cloned().unwrap_or_default();
        if ready["reason"] == reason { Ok(ready) } else { Err(ready) }
    })
}

#[test]
fn the_controller_ends_restore_mode_at_its_instant_and_goes_on() {
    let mut world = World::at("instant", NOON);
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    annotate(&world, &open_at(world.now()));
    let message = clinic_is(&world, "RestoreDoorOpen")["message"].clone();
    assert!(message.as_str().unwrap().contains("Restore mode is on until 2027-06-01T13:0"), "{message}");
    assert!(world.operator.metrics().contains("\nclinic_operator_restore_door_open 1\n"));
    // A restart tells nothing twice, and ends nothing early.
    world.operator.restart();
    world.clock().advance(SignedDuration::from_mins(50));
    clinic_is(&world, "RestoreDoorOpen");
    assert!(annotation(&world).is_some());
    world.apply(&staff("bea", "bea@maple.example"));
    world.clock().advance(SignedDuration::from_mins(15));
    wait_until_removed(&world);
    clinic_is(&world, "Open");
    world.member_in("Invited", "bea");
    assert_eq!(reasons(&world), ["RestoreModeEnded", "RestoreModeOn"]);
    assert!(try_by_hand(control_plane(), &world.namespace).is_err(), "records are shut again");
    assert!(world.operator.metrics().contains("\nclinic_operator_restore_door_open 0\n"));
}

#[test]
fn a_mode_of_more_than_a_day_is_ended_at_once_and_says_what_to_write() {
    let world = World::at("far", NOON);
    let too_far = open_until(world.now() + SignedDuration::from_hours(25));
    annotate(&world, &format!("{RESTORE_MODE}={too_far}"));
    wait_until_removed(&world);
    let told = eventually_ok(PATIENCE, "an event", || {
        let events = events(&world);
        events.iter().find(|(reason, _)| reason == "RestoreModeEnded").cloned().ok_or(events)
    });
    assert!(told.1.as_str().unwrap().contains("an instant within 24 hours"), "{told:?}");
    let log = world.operator.log();
    assert!(log.contains("write one that is"), "{log}");
    clinic_is(&world, "Open");
}

#[test]
fn without_a_controller_restore_mode_outlasts_its_instant_and_the_portal_says_so() {
    let relay = SmtpServer::start();
    let mut world = World::at_with("forgotten", NOON, relay, OperatorOptions::default());
    let test_clock = Some(world.clock().path());
    let portal = Portal::start(&world.namespace, PortalOptions { test_clock, ..PortalOptions::default() });
    world.operator.terminate();
    annotate(&world, &open_at(world.now()));
    let metric = |name: &str| portal.metric(&format!("clinic_operator_portal_restore_mode_{name}"));
    eventually_ok(2 * PATIENCE, "the portal to see it", || (metric("on") == 1).then_some(()).ok_or(()));
    assert_eq!(metric("overdue_seconds"), 0);
    world.clock().advance(SignedDuration::from_mins(70));
    eventually_ok(2 * PATIENCE, "the portal to say that it is overdue", || {
        let overdue = metric("overdue_seconds");
        if overdue >= 600 { Ok(()) } else { Err(overdue) }
    });
    assert!(portal.log().contains("restore mode is past its instant"), "{}", portal.log());
    assert!(annotation(&world).is_some(), "the portal ends nothing");
    world.operator.restart();
    wait_until_removed(&world);
    eventually_ok(2 * PATIENCE, "the portal to see that", || (metric("on") == 0).then_some(()).ok_or(()));
}
