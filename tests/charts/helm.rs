//! What Helm makes of the charts, and the one control plane of these tests, on which the chart of the definitions is installed as a
//! person installs it. What a chart should make never stands here.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::control_plane::{ControlPlane, Namespace, Output};
use crate::support::tools::printed;
use crate::support::wait::{PATIENCE, eventually_ok};

#[path = "../support/helm.rs"]
mod program;
pub(crate) use program::helm;

/// The chart of a clinic.
pub(crate) const CLINIC: &str = "charts/clinic-operator";
/// The chart of the definitions.
pub(crate) const CRDS: &str = "charts/clinic-operator-crds";
/// Files of values, below `tests/charts/values`: the least that a clinic needs, and everything that can be turned on.
pub(crate) const CLINICS: [&str; 2] = ["maple", "birch"];

/// A path of the repository.
pub(crate) fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// A file of the repository.
pub(crate) fn read(below: &str) -> String {
    std::fs::read_to_string(path(below)).unwrap_or_else(|error| panic!("{below}: {error}"))
}

/// Holds a file of the repository to what it should hold; `make charts` writes it instead.
#[track_caller]
pub(crate) fn hold(below: &str, expected: &str) {
    if std::env::var_os("CHARTS_WRITE").is_some() {
        std::fs::write(path(below), expected).unwrap();
        return;
    }
    assert!(
        read(below) == expected,
        "{below} is not what the charts make: run `make charts`, look at the difference, and commit it"
    );
}

/// The file of a clinic's values.
pub(crate) fn values(clinic: &str) -> String {
    path(&format!("tests/charts/values/{clinic}.yaml")).display().to_string()
}

/// The objects that a clinic's chart makes in the namespace of its name, those of its test included, as text.
pub(crate) fn template(clinic: &str, more: &[&str]) -> Output {
    helm([&["template", clinic, CLINIC, "--namespace", clinic, "--values", &values(clinic)], more].concat())
}

/// The same as objects.
#[track_caller]
pub(crate) fn objects(clinic: &str, more: &[&str]) -> Vec<Value> {
    parse(&template(clinic, more).ok())
}

/// The documents of a text.
pub(crate) fn parse(yaml: &str) -> Vec<Value> {
    let documents = yaml.split("\n---\n").map(|document| document.trim_start_matches("---\n"));
    let parsed =
        documents.map(|document| serde_yaml::from_str(document).unwrap_or_else(|error| panic!("{document}: {error}")));
    parsed.filter(|document: &Value| !document.is_null()).collect()
}

/// `Kind/name`.
pub(crate) fn name_of(object: &Value) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}

/// A control plane with the kinds that charts make objects of: ours by our chart, those of others by their definitions.
pub(crate) fn control_plane() -> &'static ControlPlane {
    static CONTROL_PLANE: OnceLock<ControlPlane> = OnceLock::new();
    CONTROL_PLANE.get_or_init(|| {
        let control_plane = ControlPlane::without_kinds();
        let kubeconfig = control_plane.kubeconfig.clone();
        let kubectl = |arguments: &[&str]| control_plane.kubectl_as(&kubeconfig, arguments, None);
        // Helm's record of a cluster-wide chart has a namespace too.
        on(
            &control_plane,
            &["install", "clinic-operator-crds", CRDS, "--namespace", "clinic-operator", "--create-namespace"],
        )
        .ok();
        let others = printed("tests/charts/kinds", &[]);
        kubectl(&["apply", "--server-side", "--filename", others.to_str().unwrap()]).ok();
        kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).ok();
        kubectl(&["create", "priorityclass", "clinics", "--value=5"]).ok();
        eventually_ok(PATIENCE, "every kind to be served", || {
            let answer =
                kubectl(&["get", "members,clinics,servicemonitors,prometheusrules,httproutes", "--all-namespaces"]);
            if answer.success { Ok(()) } else { Err(answer.stderr) }
        });
        control_plane
    })
}

/// Runs Helm on the cluster.
pub(crate) fn on(control_plane: &ControlPlane, arguments: &[&str]) -> Output {
    let kubeconfig = control_plane.kubeconfig.to_str().unwrap();
    helm([arguments, &["--kubeconfig", kubeconfig]].concat())
}

/// A namespace of a clinic in which pods have to be restricted. Its default service account is what a controller would make.
pub(crate) fn namespace(prefix: &str) -> Namespace {
    let namespace = control_plane().namespace(prefix);
    let enforce = "pod-security.kubernetes.io/enforce=restricted";
    control_plane().kubectl(&namespace, &["label", "namespace", namespace.name(), enforce]).ok();
    control_plane().kubectl(&namespace, &["create", "serviceaccount", "default"]).ok();
    namespace
}

/// Installs a clinic.
#[track_caller]
pub(crate) fn install(clinic: &str, chart: &str, namespace: &Namespace, more: &[&str]) -> Output {
    let arguments = ["install", clinic, chart, "--namespace", namespace.name(), "--values", &values(clinic)];
    on(control_plane(), &[&arguments, more].concat())
}
