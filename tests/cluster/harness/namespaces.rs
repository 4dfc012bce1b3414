//! Namespaces keep tests apart, and the audit log tells who asked for what.

use crate::support::control_plane::{AuditRecord, control_plane};
use crate::support::wait::{PATIENCE, eventually, never};

const NOTE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {text: hello}\n";

#[test]
fn each_test_gets_an_empty_namespace_of_its_own() {
    let control_plane = control_plane();
    let first = control_plane.namespace("fresh");
    let second = control_plane.namespace("fresh");
    assert_ne!(first.name(), second.name());
    control_plane.kubectl_stdin(&first, &["apply", "-f", "-"], NOTE).ok();
    let text = ["get", "configmap", "note", "-o", "jsonpath={.data.text}"];
    assert_eq!(control_plane.kubectl(&first, &text).ok(), "hello");
    assert!(control_plane.kubectl(&second, &text).refused().contains("not found"));
}

#[test]
fn the_server_listens_on_loopback_only() {
    assert!(control_plane().server.starts_with("https://127.0.0.1:"), "{}", control_plane().server);
}

#[test]
fn the_audit_log_has_each_write_of_a_namespace_with_who_what_and_the_answer() {
    let control_plane = control_plane();
    let namespace = control_plane.namespace("audit");
    let other = control_plane.namespace("audit");
    control_plane.kubectl_stdin(&namespace, &["create", "-f", "-"], NOTE).ok();
    control_plane.kubectl_stdin(&namespace, &["create", "-f", "-"], NOTE).refused();
    control_plane.kubectl_stdin(&other, &["create", "-f", "-"], NOTE).ok();
    control_plane.kubectl(&namespace, &["delete", "configmap", "note"]).ok();
    let mut records = control_plane.audit(&namespace);
    records.retain(|record| record.is_write() && record.resource == "configmaps");
    let seen = |verb: &str, code| AuditRecord {
        user: "admin".into(),
        verb: verb.into(),
        resource: "configmaps".into(),
        subresource: String::new(),
        name: "note".into(),
        code,
    };
    assert_eq!(records, [seen("create", 201), seen("create", 409), seen("delete", 200)]);
}

#[test]
#[should_panic(expected = "waited 0 s for a miracle; last seen: \"not yet\"")]
fn waiting_in_vain_says_what_was_awaited() {
    eventually(std::time::Duration::ZERO, "a miracle", || None::<()>);
}

#[test]
#[should_panic(expected = "no second mail: expected never")]
fn what_must_never_happen_is_reported_when_it_does() {
    never(PATIENCE, "no second mail", || Some("a mail"));
}
