//! Invariant I5: while nothing changes nothing is written and nobody is mailed, after a restart neither; and what is
//! written when something changes is counted. Never here: what the writes say.

use std::time::Duration;

use crate::support::control_plane::AuditRecord;
use crate::support::wait::never;
use crate::world::{World, staff};

/// Longer than the pause after which the Clinic's status is written.
const QUIET: Duration = Duration::from_secs(4);

const SERVICE_ACCOUNT_AND_TRAINEE: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ServiceAccount
metadata: {name: lab-inbox}
spec: {email: ana@maple.example, displayName: Lab inbox, manager: {firstName: Ana, lastName: Silva}}
---
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: sam}
spec: {email: sam@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2087-06-30}
---
";

/// A clinic with three invited members, one conflict, one service account and one trainee, at rest; and its manifests.
fn clinic_at_rest(prefix: &str) -> (World, String) {
    let world = World::new(prefix);
    let first = ["ana", "bea", "cai"].map(|name| staff(name, &format!("{name}@maple.example"))).concat();
    world.apply(&first);
    for name in ["ana", "bea", "cai"] {
        world.member_in("Invited", name);
    }
    let manifests = first + SERVICE_ACCOUNT_AND_TRAINEE + &staff("ana-again", "Ana@maple.example");
    world.apply(&manifests);
    world.member_in("EmailConflict", "ana-again");
    world.in_state("clinicserviceaccount", "Active", "lab-inbox");
    world.member_in("Invited", "sam");
    world.at_rest(QUIET);
    (world, manifests)
}

/// Demands that the operator writes and mails nothing for a while.
#[track_caller]
fn stays_at_rest(world: &World, after: &str, writes_before: usize) {
    never(QUIET, after, || {
        let writes = world.operators_writes().split_off(writes_before);
        (!writes.is_empty()).then_some(writes)
    });
    assert_eq!(world.relay.mails().len(), 4, "{after}");
}

#[test]
fn after_a_restart_nothing_is_written_and_nobody_is_mailed() {
    let (mut world, _) = clinic_at_rest("restart");
    let before = world.operators_writes().len();
    world.operator.restart();
    stays_at_rest(&world, "a write after a restart", before);
}

#[test]
fn applying_the_same_manifests_again_or_a_foreign_annotation_writes_nothing() {
    let (world, manifests) = clinic_at_rest("reapply");
    let before = world.operators_writes().len();
    world.apply(&manifests);
    world.kubectl(&["annotate", "clinicusers,clinicserviceaccounts", "--all", "maple.example/note=x"]);
    world.kubectl_as_controller(&["annotate", "clinicaccounts", "--all", "maple.example/note=x"]);
    stays_at_rest(&world, "a write after the same manifests", before);
}

#[test]
fn a_status_deleted_by_hand_is_written_back_with_one_write_each_and_no_mail() {
    let (world, _) = clinic_at_rest("wiped");
    let objects = [
        ("clinicusers", "ana"),
        ("clinicusers", "ana-again"),
        ("clinicusers", "sam"),
        ("clinicserviceaccounts", "lab-inbox"),
        ("clinics", "clinic"),
    ];
    let statuses = || objects.map(|(resource, name)| without_times(world.object(resource, name)["status"].take()));
    let (before, wanted) = (world.operators_writes().len(), statuses());
    for (resource, name) in objects {
        world.wipe_status(resource, name);
    }
    world.at_rest(QUIET);
    let (told, written): (Vec<_>, Vec<_>) =
        world.operators_writes().split_off(before).into_iter().partition(|write| write.resource == "events");
    assert!(told.iter().all(|write| write.code == 409), "what was told is not told again: {told:#?}");
    let mut seen: Vec<_> = written.iter().map(in_words).collect();
    seen.sort();
    let mut expected = objects.map(|(resource, name)| format!("patch {resource}/status {name} 200"));
    expected.sort();
    assert_eq!(seen, expected);
    assert_eq!(statuses(), wanted);
    assert_eq!(world.relay.mails().len(), 4);
}

#[test]
fn a_new_member_costs_five_writes_and_an_event() {
    let world = World::new("cost");
    world.at_rest(QUIET);
    let before = world.operators_writes().len();
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    world.at_rest(QUIET);
    let mut writes = world.operators_writes().split_off(before);
    writes.retain(|write| write.resource != "clinics");
    let account = world.object("clinicuser", "ana")["status"]["account"].as_str().unwrap().to_owned();
    let writes: Vec<_> = writes.iter().map(in_words).collect();
    assert_eq!(writes.len(), 6, "{writes:#?}");
    assert!(writes[0].starts_with("create emailclaims/") && writes[0].ends_with(" 201"), "{writes:#?}");
    assert!(writes[1].starts_with("create clinicaccounts/") && writes[1].ends_with(" 201"), "{writes:#?}");
    for ledger in &writes[2..4] {
        assert_eq!(*ledger, format!("patch clinicaccounts/ {account} 200"), "write-ahead and outcome");
    }
    assert!(writes[4].starts_with("create events/") && writes[4].ends_with(" 201"), "{writes:#?}");
    assert_eq!(writes[5], "patch clinicusers/status ana 200");
}

fn in_words(write: &AuditRecord) -> String {
    let AuditRecord { verb, resource, subresource, name, code, .. } = write;
    format!("{verb} {resource}/{subresource} {name} {code}")
}

/// The times of conditions begin anew when a status was wiped: nothing else may differ.
fn without_times(mut status: serde_json::Value) -> serde_json::Value {
    for condition in status["conditions"].as_array_mut().unwrap() {
        condition.as_object_mut().unwrap().remove("lastTransitionTime");
    }
    status
}
