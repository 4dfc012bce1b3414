//! What the clinic's chart makes of values, object by object. What a cluster says to it never stands here.

use std::fs;
use std::process::Command;

use clinic_operator::config;
use clinic_operator::domain::portal_url::PortalUrl;
use serde_json::{Value, json};

use crate::helm::{CLINIC, CLINICS, CRDS, hold, name_of, objects, read, template};
use crate::support::control_plane::Output;
use crate::support::tools::tool;

#[test]
fn the_objects_of_two_clinics_are_those_that_were_looked_at() {
    for clinic in CLINICS {
        hold(&format!("tests/charts/rendered/{clinic}.yaml"), &template(clinic, &[]).ok());
    }
}

#[test]
fn the_charts_name_the_version_of_the_program() {
    for chart in [CLINIC, CRDS] {
        let chart: Value = serde_yaml::from_str(&read(&format!("{chart}/Chart.yaml"))).unwrap();
        assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"), "the image has the program's version for its tag");
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

/// The files that they name are not here; the pods have them.
#[test]
fn controller_and_portal_understand_their_files() {
    for clinic in CLINICS {
        let objects = objects(clinic, &[]);
        let file = |part: &str| {
            let name = format!("ConfigMap/{clinic}-clinic-operator-{part}");
            let found = objects.iter().find(|object| name_of(object) == name).expect("a ConfigMap for each part");
            found["data"]["config.yaml"].as_str().unwrap().to_owned()
        };
        let controller: config::controller::Config = serde_yaml::from_str(&file("controller")).unwrap();
        let portal: config::portal::Config = serde_yaml::from_str(&file("portal")).unwrap();
        assert_eq!(controller.portal_url, portal.portal_url, "links lead to the portal");
        assert!(PortalUrl::parse(&portal.portal_url).is_ok(), "{}", portal.portal_url);
        assert_eq!(controller.mail.host, format!("smtp.{clinic}.example"));
        assert_eq!(portal.tls.is_some(), clinic == "birch");
        assert_eq!(portal.session_outage_seconds, if clinic == "birch" { 300 } else { 600 });
    }
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
    assert_eq!(images(&[]), [concat!("clinic-operator:", env!("CARGO_PKG_VERSION")); 3]);
    assert_eq!(images(&["--set", "image.tag=next"]), ["clinic-operator:next"; 3]);
    let digest = format!("sha256:{}", "0".repeat(64));
    let both = format!("image.tag=next,image.digest={digest}");
    assert_eq!(
        images(&["--set", &both]),
        [format!("clinic-operator@{digest}"), format!("clinic-operator@{digest}"), format!("clinic-operator@{digest}")]
    );
}

/// A Prometheus evaluates the rules of every release over the metrics of every clinic.
#[test]
fn the_alerts_of_a_release_are_those_of_the_file_for_its_namespace_alone() {
    let made = find("PrometheusRule", &["--set", "monitoring.prometheusRule.enabled=true"])["spec"].take();
    let mut expected: Value = serde_yaml::from_str(&read("charts/clinic-operator/files/alerts.yaml")).unwrap();
    for group in expected["groups"].as_array_mut().unwrap() {
        for rule in group["rules"].as_array_mut().unwrap() {
            let everywhere = rule["expr"].as_str().unwrap().trim().to_owned();
            let here = r#"and on (namespace) label_replace(vector(1), "namespace", "maple", "", "")"#;
            rule["expr"] = json!(format!("(\n{everywhere}\n)\n{here}"));
        }
    }
    assert_eq!(made, expected);

    let folder = tempfile::tempdir().unwrap();
    let tests = folder.path().join("tests.yaml");
    fs::write(folder.path().join("rules.yaml"), made.to_string()).unwrap();
    fs::write(&tests, HERE_AND_ELSEWHERE).unwrap();
    let answer: Output = Command::new(tool("promtool")).args(["test", "rules"]).arg(&tests).output().unwrap().into();
    assert!(answer.success, "{}{}", answer.stdout, answer.stderr);
}

/// The same trouble in two clinics.
const HERE_AND_ELSEWHERE: &str = r#"
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: 'clinic_operator_restore_door_open{namespace="maple"}', values: '1x60'}
  - {series: 'clinic_operator_restore_door_open{namespace="birch"}', values: '1x60'}
  promql_expr_test:
  - expr: count by (alertname, namespace) (ALERTS{alertstate="firing"})
    eval_time: 45m
    exp_samples:
    - {labels: '{alertname="ClinicRestoreDoorOpen", namespace="maple"}', value: 1}
"#;

#[test]
fn the_key_and_its_second_part_come_from_any_volume() {
    let of_csi = |class: &str| json!({"csi": {"driver": "secrets-store.csi.k8s.io", "readOnly": true, "volumeAttributes": {"secretProviderClass": class}}});
    let values = [
        "--set".to_owned(),
        "portal.keysSecret=".to_owned(),
        "--set-json".to_owned(),
        format!("portal.keysVolume={}", of_csi("keys")),
        "--set-json".to_owned(),
        format!("portal.keysSecondPartVolume={}", of_csi("second")),
    ];
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let pod = find("Deployment/maple-clinic-operator-portal", &values)["spec"]["template"]["spec"].take();
    let volumes = pod["volumes"].as_array().unwrap();
    let volume = |name: &str| volumes.iter().find(|volume| volume["name"] == name).unwrap();
    assert_eq!(volume("keys")["csi"], of_csi("keys")["csi"]);
    assert_eq!(volume("keys-second-part")["csi"], of_csi("second")["csi"]);
    let mounts = pod["containers"][0]["volumeMounts"].to_string();
    assert!(mounts.contains("/etc/clinic-operator/keys-second-part"), "{mounts}");
    let config = find("ConfigMap/maple-clinic-operator-portal", &values)["data"]["config.yaml"].to_string();
    assert!(config.contains("keysSecondPart: /etc/clinic-operator/keys-second-part"), "{config}");
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
