//! A namespace that is deleted goes with its records: on a control plane with the real kube-controller-manager, which does it.

use super::{ACCOUNT, CLAIM, CREDENTIAL, account, claim, credential};
use crate::support::control_plane::ControlPlane;
use clinic_operator::adapters::clock::Clock;

use crate::support::door::{open_at, shut, try_by_hand};
use crate::support::wait::{PATIENCE, eventually_ok};

#[test]
fn a_deleted_namespace_takes_its_records_along() {
    let control_plane = ControlPlane::with_controllers();
    let namespace = control_plane.namespace("ended");
    let annotate =
        |door: &str| control_plane.kubectl(&namespace, &["annotate", "namespace", namespace.name(), door]).ok();
    annotate(&open_at(Clock.now()));
    eventually_ok(PATIENCE, "the door to be open", || try_by_hand(&control_plane, &namespace));
    let records = [("clinicaccounts", ACCOUNT), ("emailclaims", CLAIM), ("cliniccredentials", CREDENTIAL)];
    for ((resource, name), object) in records.into_iter().zip([account(ACCOUNT), claim(CLAIM), credential(CREDENTIAL)])
    {
        let made = control_plane.ask(None, "POST", &namespace.path(resource), Some(&object)).unwrap();
        assert_eq!(made["metadata"]["name"], name);
    }
    annotate(&shut());
    crate::support::door::wait_until_shut(&control_plane, &namespace);
    for (resource, name) in records {
        let path = format!("{}/{name}", namespace.path(resource));
        let refusal = control_plane.ask(None, "DELETE", &path, None).unwrap_err();
        assert!(refusal.contains("ValidatingAdmissionPolicy 'clinic-operator-records'"), "{refusal}");
    }
    control_plane.kubectl(&namespace, &["delete", "namespace", namespace.name(), "--wait=false"]).ok();
    eventually_ok(2 * PATIENCE, "the namespace to be gone", || {
        let answer =
            control_plane.kubectl(&namespace, &["get", "namespace", namespace.name(), "-o", "jsonpath={.status}"]);
        if answer.stderr.contains("not found") { Ok(()) } else { Err(answer.stdout) }
    });
}
