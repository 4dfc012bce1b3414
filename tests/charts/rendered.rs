//! What the clinic's chart makes of values, object by object. What a cluster says to it never stands here.

use serde_json::{Value, json};

use crate::helm::{CLINICS, hold, name_of, objects, read, template};

#[test]
fn the_objects_of_two_clinics_are_those_that_were_looked_at() {
    for clinic in CLINICS {
        hold(&format!("tests/charts/rendered/{clinic}.yaml"), &template(clinic, &[]).ok());
    }
}

#[test]
fn nothing_is_said_of_a_clinic_that_comes_from_elsewhere() {
    let objects = objects("maple", &["--set", "clinic.create=false,clinic.spec=null"]);
    assert!(!objects.is_empty() && objects.iter().all(|object| object["kind"] != "Clinic"));
}

#[test]
fn a_changed_file_starts_the_pods_of_its_part_alone() {
    let pods = |more: &[&str]| {
        let objects = objects("maple", more);
        ["controller", "portal"].map(|part| {
            let deployment = format!("Deployment/maple-clinic-operator-{part}");
            let found =
                objects.iter().find(|object| name_of(object) == deployment).expect("a Deployment for each part");
            found["spec"]["template"].clone()
        })
    };
    let [controller, portal] = pods(&[]);
    let [other_controller, same_portal] = pods(&["--set", "mail.port=25"]);
    assert!(controller != other_controller && portal == same_portal, "the relay is the controller's");
    let [same_controller, other_portal] = pods(&["--set", "portal.sessionOutageSeconds=60"]);
    assert!(controller == same_controller && portal != other_portal, "sessions are the portal's");
}

#[test]
fn a_digest_counts_more_than_a_tag() {
    let images = |more: &[&str]| {
        let objects = objects("maple", more);
        let containers = objects.iter().flat_map(|object| {
            let specs = [&object["spec"]["template"]["spec"], &object["spec"]];
            specs
                .map(|spec| spec["containers"][0]["image"].as_str().map(str::to_owned))
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
        });
        containers.collect::<Vec<_>>()
    };
    assert_eq!(images(&[]), ["clinic-operator:0.2.0"; 3]);
    assert_eq!(images(&["--set", "image.tag=next"]), ["clinic-operator:next"; 3]);
    let digest = format!("sha256:{}", "0".repeat(64));
    let both = format!("image.tag=next,image.digest={digest}");
    assert_eq!(
        images(&["--set", &both]),
        [format!("clinic-operator@{digest}"), format!("clinic-operator@{digest}"), format!("clinic-operator@{digest}")]
    );
}

/// The whole cluster's Prometheus reads all rules: one clinic's must not speak for another.
#[test]
fn the_alerts_of_a_release_are_the_files_for_its_namespace() {
    let made = find("PrometheusRule", &["--set", "monitoring.prometheusRule.enabled=true"]);
    let file = read("charts/clinic-operator/files/alerts.yaml");
    let expected: Value = serde_yaml::from_str(&file.replace(r#"namespace=~".+""#, r#"namespace="maple""#)).unwrap();
    assert_eq!(made["spec"], expected);
}

#[test]
fn the_dashboard_of_a_release_is_the_file() {
    let made = find("ConfigMap/maple-clinic-operator-dashboard", &["--set", "monitoring.dashboard.enabled=true"]);
    assert_eq!(made["metadata"]["labels"]["grafana_dashboard"], json!("1"));
    let text = made["data"]["clinic-operator.json"].as_str().unwrap();
    let file = read("charts/clinic-operator/files/dashboard.json");
    let [made, expected] = [text, &file].map(|text| serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(made, expected);
}

fn find(name: &str, more: &[&str]) -> Value {
    let found: Vec<_> = objects("maple", more).into_iter().filter(|object| name_of(object).starts_with(name)).collect();
    assert_eq!(found.len(), 1, "one {name}");
    found.into_iter().next().unwrap()
}
