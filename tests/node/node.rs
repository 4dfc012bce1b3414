//! The node of these tests, with the image and the chart of the definitions on it: what is done to it from outside. Never here: a
//! clinic.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use serde_json::Value;

use crate::support::control_plane::{ControlPlane, Namespace, Output};
use crate::support::process::program;
use crate::support::test_clock;
use crate::support::wait::eventually_ok;

#[path = "../support/helm.rs"]
mod helm_program;

/// How long to wait for what takes pods to start or to end on a busy machine of two cores.
pub(crate) const LONG: Duration = Duration::from_secs(90);
/// The address of this machine to pods.
pub(crate) const MACHINE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1));
/// The tag of the image whose clock a test sets.
pub(crate) const WITH_CLOCK: &str = "clock";

/// Held by every test: by several at once, or by the one that disturbs all.
static DISTURBED: RwLock<()> = RwLock::new(());

/// Among others.
pub(crate) fn among_others() -> RwLockReadGuard<'static, ()> {
    DISTURBED.read().unwrap_or_else(PoisonError::into_inner)
}

/// While no other test runs.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    DISTURBED.write().unwrap_or_else(PoisonError::into_inner)
}

/// The node of this test process; the first caller boots it and the others wait.
pub(crate) fn node() -> &'static ControlPlane {
    static NODE: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
    let node = NODE.get_or_init(|| {
        let images = [image(), packed(&test_clock::program(), WITH_CLOCK)];
        let node = ControlPlane::run("tests/node/run", "-node", &[], &images)?;
        let install = ["install", "clinic-operator-crds", "charts/clinic-operator-crds", "--namespace", "clinics"];
        helm(&node.kubeconfig, &[&install[..], &["--create-namespace", "--wait"]].concat()).ok();
        Ok(node)
    });
    match node {
        Ok(node) => node,
        Err(message) => panic!("no node: {message}"),
    }
}

/// That of the release, which `make test-cluster` names; else one of the binary that the other tests run.
pub(crate) fn image() -> PathBuf {
    match std::env::var_os("CLINIC_OPERATOR_IMAGE") {
        Some(image) => image.into(),
        None => packed(&program(), env!("CARGO_PKG_VERSION")),
    }
}

/// An image of a binary, made as that of the release is.
pub(crate) fn packed(binary: &str, tag: &str) -> PathBuf {
    static PACKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = PACKING.lock().unwrap_or_else(PoisonError::into_inner);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let image = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clinic-operator-{tag}.tar"));
    let mut build = Command::new(root.join("image/build"));
    build.arg(&image).arg(tag).env("CLINIC_OPERATOR_BINARY", binary).env("IMAGE_LEVEL", "1");
    assert!(build.stdout(Stdio::null()).status().expect("image/build starts").success(), "no image of {binary}");
    image
}

/// Runs Helm on the node.
pub(crate) fn helm(kubeconfig: &Path, arguments: &[&str]) -> Output {
    let kubeconfig = kubeconfig.to_str().expect("a path in UTF-8");
    helm_program::helm([arguments, &["--kubeconfig", kubeconfig]].concat())
}

/// Sends a signal to the first process of a pod's container, without telling the kubelet.
#[track_caller]
pub(crate) fn signal(namespace: &Namespace, pod: &str, signal: &str) {
    let container = ["get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].containerID}"];
    let container = node().kubectl(namespace, &container).ok();
    let container = container.strip_prefix("containerd://").expect("a container of containerd");
    run_in_folder("bin/ctr", &["tasks", "kill", "--signal", signal, container]);
}

/// Kills the API server, which is started again, and waits until it is ready.
pub(crate) fn restart_api_server() {
    let file = node().folder.join("kube-apiserver.pid");
    let id = || std::fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
    let before = id();
    run_in_folder("bin/inside", &["kill", "-KILL", &before]);
    eventually_ok(LONG, "another API server", || {
        let ready = node().ask(None, "GET", "/version", None);
        if ready.is_ok() && id() != before { Ok(()) } else { Err(ready.err()) }
    });
}

fn run_in_folder(below: &str, arguments: &[&str]) {
    let output: Output = Command::new(node().folder.join(below)).args(arguments).output().expect("it starts").into();
    output.ok();
}

/// What the API server's log has of finished requests that a pod asked for, oldest first: verb, resource, name and status.
pub(crate) fn requests_of(pod: &str) -> Vec<(String, String, String, u64)> {
    let log = std::fs::read_to_string(&node().audit_log).expect("the audit log");
    let lines = log.lines().filter(|line| line.contains(pod));
    let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let extra = "/user/extra/authentication.kubernetes.io~1pod-name/0";
    let its = events.filter(|event| event.pointer(extra).is_some_and(|name| name == pod));
    let text =
        |event: &Value, pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let request = |event: Value| {
        let code = event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default();
        (text(&event, "/verb"), text(&event, "/objectRef/resource"), text(&event, "/objectRef/name"), code)
    };
    its.map(request).collect()
}
