//! Pods and every other object of the clinic's chart, as a real API server takes them in a namespace that lets restricted pods
//! in only. Whether they run never stands here.

use serde_json::{Value, json};

use crate::helm::{CLINIC, CLINICS, control_plane, install, name_of, namespace, objects, parse, template};
use crate::support::control_plane::{Namespace, Output};

#[test]
fn the_api_server_takes_every_object_without_a_warning() {
    for clinic in CLINICS {
        let namespace = namespace(clinic);
        let objects = template(clinic, &["--namespace", namespace.name()]).ok();
        let answer = try_out(&namespace, &objects);
        assert!(answer.success && answer.stderr.is_empty(), "{}", answer.stderr);
        assert_eq!(answer.stdout.lines().count(), parse(&objects).len());
    }
}

/// A Deployment is let in whatever its pods are; they would be refused later, one by one.
#[test]
fn every_pod_is_restricted() {
    for clinic in CLINICS {
        let namespace = namespace(clinic);
        install(clinic, CLINIC, &namespace, &[]).ok();
        let objects = objects(clinic, &["--namespace", namespace.name()]);
        let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
        let pods: Vec<_> = deployments.map(|deployment| pod_of(deployment, &namespace)).collect();
        assert_eq!(pods.len(), 2);
        for pod in pods {
            let answer = try_out(&namespace, &pod.to_string());
            assert!(answer.success && answer.stderr.is_empty(), "{}: {}", name_of(&pod), answer.stderr);
            let mut loose = pod;
            loose["spec"]["securityContext"]["runAsNonRoot"] = json!(false);
            let refused = try_out(&namespace, &loose.to_string()).refused();
            assert!(refused.contains("violates PodSecurity \"restricted:latest\""), "{refused}");
        }
    }
}

/// What Pod Security does not ask for.
#[test]
fn every_container_reads_its_own_files_only_and_no_pod_has_a_token_that_it_does_not_use() {
    for clinic in CLINICS {
        let objects = objects(clinic, &[]);
        let pods: Vec<_> =
            objects.iter().filter(|object| ["Deployment", "Pod"].contains(&object["kind"].as_str().unwrap())).collect();
        assert_eq!(pods.len(), 3);
        for object in pods {
            let spec = if object["kind"] == "Pod" { &object["spec"] } else { &object["spec"]["template"]["spec"] };
            for container in spec["containers"].as_array().unwrap() {
                assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{}", name_of(object));
                assert!(container["resources"]["limits"]["memory"].is_string(), "{}", name_of(object));
                for mount in container["volumeMounts"].as_array().into_iter().flatten() {
                    assert_eq!(mount["readOnly"], true, "{}: {mount}", name_of(object));
                }
            }
            assert_eq!(spec["automountServiceAccountToken"], object["kind"] != "Pod", "{}", name_of(object));
        }
        let accounts = objects.iter().filter(|object| object["kind"] == "ServiceAccount");
        assert_eq!(accounts.filter(|account| account["automountServiceAccountToken"] == false).count(), 2);
    }
}

#[test]
fn every_object_is_of_the_releases_namespace() {
    let namespace = namespace("kinds");
    let arguments = ["api-resources", "--namespaced=true", "--no-headers"];
    let list = control_plane().kubectl(&namespace, &arguments).ok();
    let kinds: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert!(kinds.contains(&"Clinic") && !kinds.contains(&"ClusterRole"), "{kinds:?}");
    for clinic in CLINICS {
        let more = ["--set", "monitoring.prometheusRule.enabled=true,monitoring.dashboard.enabled=true"];
        for object in objects(clinic, &more) {
            assert_eq!(object["metadata"]["namespace"], json!(clinic), "{}", name_of(&object));
            assert!(kinds.contains(&object["kind"].as_str().unwrap()), "{} is cluster-wide", name_of(&object));
        }
    }
}

fn pod_of(deployment: &Value, namespace: &Namespace) -> Value {
    let template = &deployment["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    metadata["name"] = deployment["metadata"]["name"].clone();
    metadata["namespace"] = json!(namespace.name());
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

fn try_out(namespace: &Namespace, objects: &str) -> Output {
    let arguments = ["apply", "--server-side", "--dry-run=server", "--filename", "-"];
    control_plane().kubectl_stdin(namespace, &arguments, objects)
}
