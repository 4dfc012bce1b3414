//! A clinic whose namespace is gone, brought back as Velero does it and as docs/restore.md says; and a clinic that is new, which waits
//! for nothing.

use serde_json::{Value, json};

use crate::support::control_plane::{Namespace, control_plane};
use crate::support::door::{open_at, shut};
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::smtp::SmtpServer;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, staff};

/// In alphabetical order, as Velero brings back what is none of the kinds that it knows.
const KINDS: [&str; 6] =
    ["clinicaccounts", "cliniccredentials", "clinics", "clinicserviceaccounts", "clinicusers", "emailclaims"];

/// A clinic with a member in each state of access.
fn clinic() -> World {
    let world = World::at("lost", "2027-06-30T16:00:00Z");
    world.accepted("ana", &staff("ana", "ana@maple.example"));
    let sam = "apiVersion: clinic-operator.dev/v1alpha1\nkind: ClinicUser\nmetadata: {name: sam}\nspec: {email: sam@university.example, \
         type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2027-06-30}\n---\n";
    world.accepted("sam", sam);
    world.accepted("bea", &staff("bea", "bea@maple.example"));
    world.apply(&staff("bea", "bea@maple.example").replace("type: Staff", "type: Staff, suspended: true"));
    world.member_in("Suspended", "bea");
    world.clock().set("2027-07-16T16:00:00Z");
    world.member_in("TrainingEnded", "sam");
    world.apply(&staff("cyd", "cyd@maple.example"));
    world.member_in("Invited", "cyd");
    let credential = json!({"apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicCredential",
        "metadata": {"name": "c-rmp4qzztybz6g5xv4nnoylqzdt"},
        "spec": {"account": world.account_of("ana")["metadata"]["name"], "sealed": "c2VhbGVk"}});
    world.kubectl_as_portal(&["version"]);
    world.create_as(&world.namespace.portal(), "cliniccredentials", &credential);
    world
}

/// What Velero keeps and brings back: everything but what the API server sets and the status, with its labels.
fn brought_back(mut object: Value, namespace: &Namespace) -> Value {
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|field, _| ["name", "labels", "annotations"].contains(&field.as_str()));
    metadata.insert("namespace".to_owned(), json!(namespace.name()));
    metadata
        .insert("labels".to_owned(), json!({"velero.io/backup-name": "maple", "velero.io/restore-name": "maple-1"}));
    object
}

/// The records, without what is another after a restore.
fn records(namespace: &Namespace) -> Vec<Value> {
    let specs = control_plane().objects(namespace, "clinicaccounts").into_iter().map(|mut account| {
        account["spec"]["desired"]["holder"].as_object_mut().unwrap().remove("uid");
        account["spec"].take()
    });
    specs.collect()
}

fn states(namespace: &Namespace) -> Vec<(String, Value)> {
    let users = control_plane().objects(namespace, "clinicusers").into_iter();
    users.map(|user| (user["metadata"]["name"].as_str().unwrap().to_owned(), user["status"]["state"].clone())).collect()
}

#[test]
fn a_namespace_that_is_gone_comes_back_as_velero_does_it_and_everybody_has_what_they_had() {
    let mut world = clinic();
    let (before, stood) = (records(&world.namespace), states(&world.namespace));
    let stored = KINDS.map(|kind| world.objects(kind));
    let now = world.now();
    let test_clock = Some(world.clock().path());
    world.operator.terminate();

    let (namespace, relay) = (control_plane().namespace("back"), SmtpServer::start());
    let restore = |kind: &str, object: &Value| {
        let object = brought_back(object.clone(), &namespace);
        control_plane().ask(None, "POST", &namespace.path(kind), Some(&object))
    };
    // Without restore mode the records are refused, and Velero goes on with the rest.
    let refusal = restore("clinicaccounts", &stored[0][0]).unwrap_err();
    assert!(refusal.contains("turn restore mode on first"), "{refusal}");
    let annotate = |annotation: &str| {
        control_plane().kubectl(&namespace, &["annotate", "namespace", namespace.name(), annotation]).ok();
    };
    annotate(&open_at(now));
    eventually_ok(PATIENCE, "restore mode", || restore("clinicaccounts", &stored[0][0]));
    for (kind, objects) in KINDS.iter().zip(&stored) {
        assert!(!objects.is_empty() || *kind == "clinicserviceaccounts", "{kind}");
        for object in objects {
            match restore(kind, object) {
                Err(error) if !error.contains("already exists") => panic!("{error}"),
                Ok(_) | Err(_) => {}
            }
        }
    }
    annotate(&shut());
    let _operator = Operator::start(&namespace, &relay, OperatorOptions { test_clock, ..OperatorOptions::default() });
    eventually_ok(2 * PATIENCE, "everybody to be as before", || {
        let stands = states(&namespace);
        if stands == stood { Ok(()) } else { Err(stands) }
    });
    assert_eq!(records(&namespace), before, "each has what they had");
    assert!(relay.mails().is_empty(), "nobody is mailed");
}

#[test]
fn a_new_clinic_waits_for_no_restore() {
    let world = World::new("fresh");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    let path = format!("/api/v1/namespaces/{}", world.namespace.name());
    let namespace = control_plane().ask(None, "GET", &path, None).unwrap();
    assert_eq!(namespace["metadata"]["annotations"], Value::Null, "nothing was set on its namespace");
    assert_eq!(world.relay.mails().len(), 1);
}
