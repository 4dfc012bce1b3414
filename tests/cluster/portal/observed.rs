//! A clinic as Prometheus sees it: both parts of the program are scraped by a real one, which answers every query of the dashboard and
//! the alerts. Never here: when an alert fires (`tests/alerts`).

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{House, PASSWORD, WRONG, email, sign_in};
use crate::support::control_plane::{AuditRecord, control_plane};
use crate::support::operator::OperatorOptions;
use crate::support::portal::{Portal, PortalOptions};
use crate::support::prometheus::{Prometheus, Target, complaints};
use crate::support::smtp::Stage;
use crate::support::wait::{PATIENCE, eventually_ok, never};
use crate::world::{World, staff};

/// Longer than the pause after which the Clinic's status is written.
const QUIET: Duration = Duration::from_secs(4);

/// One member for each thing that is measured.
fn clinic_with_some_of_everything(prefix: &str) -> House {
    let house = House::new(prefix);
    house.accepted_by(
        "sam",
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ClinicUser\nmetadata: {name: sam}\nspec: {email: sam@maple.example, type: \
         Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2087-06-30}\n",
    );
    house.accepted("ana");
    let mut visitor = house.portal.visitor();
    assert_eq!(sign_in(&mut visitor, &email("ana"), WRONG).status, 422);
    assert_eq!(sign_in(&mut visitor, &email("ana"), PASSWORD).status, 303);
    house.world.relay.at(Stage::RcptTo).of(&email("mei")).reply(450, "4.2.0 greylisted");
    house.world.apply(&staff("mei", &email("mei")));
    house.world.member_told("mei", "did not get through");
    // Whether a member is gone is asked of the API server, which answers 404.
    house.invited("omar");
    house.world.kubectl(&["delete", "clinicuser", "omar"]);
    eventually_ok(PATIENCE, "omar to be removed", || {
        let accounts = house.world.objects("clinicaccounts");
        let removed = accounts.iter().any(|account| account["spec"]["desired"]["removed"].is_object());
        if removed { Ok(()) } else { Err(accounts.len()) }
    });
    house
}

/// Every query of the dashboard, as it is for this clinic.
fn queries_of_the_dashboard(namespace: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/clinic-operator/files/dashboard.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let query = |target: Value| {
        let query = target["expr"].as_str().unwrap().replace("$namespace", namespace);
        query.replace("$__rate_interval", "1m")
    };
    targets.map(query).collect()
}

#[test]
fn prometheus_scrapes_both_parts_and_answers_every_query_of_dashboard_and_alerts() {
    let house = clinic_with_some_of_everything("observed");
    let namespace = house.world.namespace.name();
    let controller = Target { pod: "controller", port: house.world.operator.port() };
    let portal = Target { pod: "portal", port: house.portal.port() };
    let prometheus = Prometheus::start(namespace, &[controller, portal]);

    // Every alert was evaluated, and none has a reason.
    eventually_ok(PATIENCE, "every rule to be evaluated", || {
        let rules = prometheus.rules()?;
        let sound = |rule: &&Value| rule["health"] == "ok" && rule["state"] == "inactive";
        let unsound: Vec<&Value> = rules.iter().filter(|rule| !sound(rule)).collect();
        if rules.len() > 10 && unsound.is_empty() { Ok(()) } else { Err(format!("{} rules, {unsound:?}", rules.len())) }
    });
    assert_eq!(prometheus.query("count_over_time(ALERTS{alertstate=\"firing\"}[1h])").unwrap(), Vec::<Value>::new());
    house.world.apply(&staff("ana-again", &email("ana")));
    house.world.member_in("EmailConflict", "ana-again");
    eventually_ok(PATIENCE, "an alert about the member", || {
        let alerts = prometheus.query("ALERTS")?;
        let names: Vec<_> =
            alerts.iter().map(|alert| (&alert["metric"]["alertname"], &alert["metric"]["namespace"])).collect();
        let expected = [(&json!("ClinicMembersStalled"), &json!(namespace))];
        if names == expected { Ok(()) } else { Err(format!("{alerts:?}")) }
    });

    let queries = queries_of_the_dashboard(namespace);
    assert!(queries.len() > 30, "{queries:?}");
    for query in &queries {
        eventually_ok(PATIENCE, &format!("data for {query}"), || match prometheus.query(query) {
            Ok(series) if series.is_empty() => Err("none".to_owned()),
            other => other.map(drop),
        });
    }

    // I5: neither scrapes nor anything else writes while nothing changes.
    house.world.at_rest(QUIET);
    let writes = || control_plane().audit(&house.world.namespace).into_iter().filter(AuditRecord::is_write).count();
    let before = writes();
    never(QUIET, "a write while it is scraped", || (writes() != before).then(writes));
}

#[test]
fn promtool_has_nothing_against_the_metrics_of_either_part() {
    let house = clinic_with_some_of_everything("promtool");
    for page in [house.world.operator.metrics(), house.portal.metrics()] {
        assert!(page.contains("clinic_operator_build_info"), "{page}");
        assert_eq!(complaints(&page), "", "{page}");
    }
    // It would have said so.
    assert_ne!(complaints("# TYPE mails counter\nmails 1\n"), "");
}

/// The lines of a log, each as it was written.
fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

#[test]
fn every_line_of_a_reconcile_carries_its_id_and_every_field_is_told_of() {
    let options = OperatorOptions { configuration: vec![("/log/level", json!("debug"))], ..OperatorOptions::default() };
    let world = World::with("logs", options);
    let portal = Portal::start(&world.namespace, PortalOptions::default());
    world.relay.at(Stage::RcptTo).of(&email("mei")).reply(450, "4.2.0 greylisted");
    world.apply(&(staff("ana", &email("ana")) + &staff("mei", &email("mei"))));
    world.member_in("Invited", "ana");
    world.member_told("mei", "did not get through");
    let log = lines(&world.operator.log());

    // From the manifest to the account, in one reconcile: three steps, and the end.
    let created = |line: &&Value| line["verb"] == "create" && line["resource"] == "clinicaccounts";
    let id = |line: &Value| line["span"]["reconcile_id"].as_str().map(str::to_owned);
    let ids: BTreeSet<String> = log.iter().filter(created).filter_map(id).collect();
    assert_eq!(ids.len(), 2, "each member's account is created in a reconcile of its own");
    for of_one in ids {
        let lines: Vec<&Value> = log.iter().filter(|line| id(line).as_deref() == Some(of_one.as_str())).collect();
        let (first, last) = (lines[0], lines[lines.len() - 1]);
        assert!(lines.len() >= 3, "{lines:?}");
        assert_eq!((first["verb"].as_str(), first["resource"].as_str()), (Some("create"), Some("emailclaims")));
        assert_eq!(last["message"], "reconciled");
        let object = first["span"]["object"].as_str().unwrap();
        assert!(["ana", "mei"].contains(&object), "{first}");
        for line in lines {
            assert_eq!(
                (line["span"]["controller"].as_str(), line["span"]["object"].as_str()),
                (Some("member"), Some(object))
            );
        }
    }
    // A mail is told of within a span too, beside the write-ahead and the outcome that belong to it.
    let mailed = log.iter().find(|line| line["message"] == "mailed").unwrap();
    let around: Vec<_> = log.iter().filter(|line| id(line) == id(mailed)).map(|line| line["verb"].as_str()).collect();
    assert_eq!(around, [Some("patch"), None, Some("patch")]);
    // What belongs to no reconcile has no id.
    assert!(log.iter().find(|line| line["message"] == "started").unwrap()["span"].is_null());

    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    for line in log.iter().chain(&lines(&portal.log())) {
        let within = line["span"].as_object().into_iter().flat_map(|span| span.keys().map(|key| format!("span.{key}")));
        let itself = line.as_object().unwrap().keys().filter(|key| *key != "span").cloned();
        for field in itself.chain(within) {
            assert!(page.contains(&format!("`{field}`")), "docs/operations.md does not tell of the field {field}");
        }
    }
}
