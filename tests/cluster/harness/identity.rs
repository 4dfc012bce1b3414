//! The operator runs under its own identity, as a process that can be asked, killed and started again.

use serde_json::json;

use crate::support::control_plane::control_plane;
use crate::support::operator::{Operator, OperatorOptions, Prepared};
use crate::support::process::run_once;
use crate::support::smtp::SmtpServer;

#[test]
fn the_operators_identity_reads_neither_secrets_nor_another_clinic() {
    let control_plane = control_plane();
    let namespace = control_plane.namespace("identity");
    let other = control_plane.namespace("identity");
    let relay = SmtpServer::start();
    let prepared = Prepared::new(&namespace, &relay, OperatorOptions::default());
    let as_operator = |arguments: &[&str]| control_plane.kubectl_as(&prepared.kubeconfig, arguments, None);
    assert!(as_operator(&["auth", "whoami"]).ok().contains(":clinic-operator"));
    let refusal = as_operator(&["get", "secrets"]).refused();
    assert!(refusal.contains("secrets is forbidden"), "{refusal}");
    let refusal = as_operator(&["get", "clinicusers", "--namespace", other.name()]).refused();
    assert!(refusal.contains("is forbidden"), "{refusal}");
    as_operator(&["get", "clinicaccounts"]).ok();
}

#[test]
fn a_changed_configuration_and_credentials_are_files_of_the_operator_alone() {
    use std::os::unix::fs::PermissionsExt;
    let namespace = control_plane().namespace("files");
    let relay = SmtpServer::start();
    let options = OperatorOptions {
        configuration: vec![("/mail/mailsPerMinute", json!(7)), ("/mail/connections", json!(null))],
        credentials: Some(("clinic".into(), "correct horse".into())),
        ..OperatorOptions::default()
    };
    let prepared = Prepared::new(&namespace, &relay, options);
    let configuration = std::fs::read_to_string(&prepared.configuration).unwrap();
    assert!(configuration.contains("mailsPerMinute: 7"), "{configuration}");
    assert!(!configuration.contains("connections"), "{configuration}");
    let password = prepared.credentials.join("password");
    assert_eq!(std::fs::read_to_string(&password).unwrap(), "correct horse");
    assert_eq!(password.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_operator_gets_ready_stops_when_asked_and_starts_again() {
    let namespace = control_plane().namespace("process");
    let relay = SmtpServer::start();
    let mut operator = Operator::start(&namespace, &relay, OperatorOptions::default());
    assert!(!operator.metrics().is_empty());
    let first = operator.id();
    operator.restart();
    assert_ne!(operator.id(), first);
    let (status, _) = operator.terminate();
    assert!(status.success(), "{status}, log: {}", operator.log());
    assert_eq!(operator.readiness(), None);
}

#[test]
fn a_start_that_fails_is_reported_and_not_waited_for() {
    let namespace = control_plane().namespace("failing");
    let relay = SmtpServer::start();
    let prepared = Prepared::new(&namespace, &relay, OperatorOptions::default());
    std::fs::remove_file(&prepared.configuration).unwrap();
    prepared.run().refused();
    run_once(&["no-such-command"]).refused();
}
