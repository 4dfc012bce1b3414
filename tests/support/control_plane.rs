//! One real control plane per test process, a fresh namespace per test, kubectl and the audit log.
//! Never here: the operator, or an API server that is not real.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::door;
use super::wait::{PATIENCE, eventually_ok};

/// The API group whose kinds the operator serves.
const GROUP_VERSION: &str = "clinic-operator.dev/v1alpha1";

/// A running API server with etcd, RBAC on, the kinds of `crds/` installed.
pub(crate) struct ControlPlane {
    /// The administrator's kubeconfig (system:masters).
    pub(crate) kubeconfig: PathBuf,
    /// `https://127.0.0.1:<port>`.
    pub(crate) server: String,
    /// One JSON line per finished write, and per finished request of our group.
    pub(crate) audit_log: PathBuf,
    /// Files of a test go here too: they are removed when the control plane ends, however that comes about.
    pub(crate) folder: PathBuf,
    /// For looking at objects: a process of kubectl for each look would take most of the time of the tests.
    reader: Reader,
    /// The programs end when this process does, however it ends: then the pipe to their supervisor closes.
    _supervisor: Child,
}

/// Objects that are created at the same time.
const AT_ONCE: usize = 16;

/// The administrator's client.
struct Reader {
    client: Client,
    runtime: Runtime,
}

impl Reader {
    fn new(kubeconfig: &Path) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let file = Kubeconfig::read_from(kubeconfig).map_err(|error| error.to_string())?;
        let client = wait_for(&runtime, async {
            let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
            Client::try_from(config.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
        })?;
        Ok(Self { client, runtime })
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        self.ask(None, "GET", path, None)
    }

    fn ask(&self, user: Option<&str>, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(user) = user {
            request = request.header("impersonate-user", user);
        }
        let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = request.header("content-type", content);
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = request.body(body).expect("a path of a URL");
        let (client, what) = (self.client.clone(), format!("{method} {path}"));
        wait_for(&self.runtime, async move {
            client.request::<Value>(request).await.map_err(|error| format!("{what}: {error}"))
        })
    }

    fn create_all(&self, objects: Vec<(String, Value)>) -> Result<(), String> {
        let client = self.client.clone();
        wait_for(&self.runtime, async move {
            let create = |(path, object): (String, Value)| {
                let request = http::Request::post(&path).header("content-type", "application/json");
                let request = request.body(object.to_string().into_bytes()).expect("a path of a URL");
                let client = client.clone();
                async move { client.request::<Value>(request).await.map_err(|error| format!("POST {path}: {error}")) }
            };
            stream::iter(objects).map(create).buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
        })
    }
}

/// Works in a task of the runtime, so that any thread may wait for it, one of another runtime too.
fn wait_for<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    let (answer, answered) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        // Whoever asked may have ended.
        let _ = answer.send(work.await);
    });
    answered.recv().expect("the runtime goes on as long as the tests")
}

/// A namespace that no other test has.
#[derive(Clone, Debug)]
pub(crate) struct Namespace(String);

impl Namespace {
    /// Its name in the API.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// The path of a kind of ours (`clinicuser`, `clinicusers`, …) in it.
    pub(crate) fn path(&self, resource: &str) -> String {
        let plural = if resource.ends_with('s') { resource.to_owned() } else { format!("{resource}s") };
        format!("/apis/{GROUP_VERSION}/namespaces/{}/{plural}", self.0)
    }
}

/// What a command said and whether it exited with 0.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) success: bool,
}

impl Output {
    /// Standard output of a command that must have worked.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert!(self.success, "the command failed: {}{}", self.stderr, self.stdout);
        self.stdout
    }

    /// Standard error of a command that must have failed.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert!(!self.success, "the command worked, but should have been refused: {}", self.stdout);
        self.stderr
    }
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        Self {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            success: output.status.success(),
        }
    }
}

/// One finished request, as the API server's audit log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditRecord {
    /// `admin`, or `system:serviceaccount:<namespace>:clinic-operator`.
    pub(crate) user: String,
    /// `create`, `update`, `patch`, `delete`, `get`, `list`, `watch`, …
    pub(crate) verb: String,
    /// The plural, for instance `clinicusers`.
    pub(crate) resource: String,
    /// `status`, or empty.
    pub(crate) subresource: String,
    /// The object's name; empty for lists, and for creations whose name stands in the body only.
    pub(crate) name: String,
    /// The HTTP status code of the answer.
    pub(crate) code: u16,
}

impl AuditRecord {
    fn parse(line: &str, namespace: &str) -> Option<Self> {
        let event: Value = serde_json::from_str(line).ok()?;
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let of_namespace = text("/objectRef/namespace") == namespace;
        of_namespace.then(|| Self {
            user: text("/user/username"),
            verb: text("/verb"),
            resource: text("/objectRef/resource"),
            subresource: text("/objectRef/subresource"),
            name: text("/objectRef/name"),
            code: event
                .pointer("/responseStatus/code")
                .and_then(Value::as_u64)
                .map_or(0, |code| u16::try_from(code).expect("a status code is small")),
        })
    }

    /// Whether the request asked for a change, also when it was refused.
    pub(crate) fn is_write(&self) -> bool {
        ["create", "update", "patch", "delete", "deletecollection"].contains(&self.verb.as_str())
    }
}

/// The control plane of this test process; the first caller boots it and the others wait.
pub(crate) fn control_plane() -> &'static ControlPlane {
    static CONTROL_PLANE: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
    match CONTROL_PLANE.get_or_init(ControlPlane::with_kinds) {
        Ok(control_plane) => control_plane,
        Err(message) => panic!("no control plane: {message}"),
    }
}

/// The folder of the CRDs, of another release if one is named. It is a link, which kubectl follows with the slash only.
pub(crate) fn crds() -> PathBuf {
    let named = std::env::var_os("CLINIC_OPERATOR_CRDS");
    named.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/"), PathBuf::from)
}

/// The files of the CRDs in it, without what stands beside them.
pub(crate) fn crd_files() -> Vec<PathBuf> {
    let files = crds().read_dir().expect("crds/ can be read").map(|entry| entry.expect("crds/ can be read").path());
    files
        .filter(|file| {
            file.extension().is_some_and(|extension| extension == "yaml") && !file.ends_with("policies.yaml")
        })
        .collect()
}

impl ControlPlane {
    fn with_kinds() -> Result<Self, String> {
        let control_plane = Self::boot("", &[])?;
        control_plane.install_kinds(&crds());
        Ok(control_plane)
    }

    /// Another one, of the test that asks for it alone: a cluster in which our kinds were never installed.
    pub(crate) fn without_kinds() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(1);
        let suffix = format!("-bare-{}", COUNTER.fetch_add(1, Ordering::Relaxed));
        Self::boot(&suffix, &[]).unwrap_or_else(|message| panic!("no control plane: {message}"))
    }

    /// Another one, of the test that asks for it alone: with kube-controller-manager, which empties namespaces.
    pub(crate) fn with_controllers() -> Self {
        let booted = Self::boot("-controllers", &["--with-controller-manager"]);
        let control_plane = booted.unwrap_or_else(|message| panic!("no control plane: {message}"));
        control_plane.install_kinds(&crds());
        control_plane
    }

    fn boot(suffix: &str, options: &[&str]) -> Result<Self, String> {
        Self::run("tests/control-plane/run", suffix, options, &[])
    }

    /// What this script boots, which takes the options, a folder and the images. It has none of our kinds.
    pub(crate) fn run(script: &str, suffix: &str, options: &[&str], images: &[PathBuf]) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = std::env::temp_dir().join(format!("clinic-operator-tests-{}{suffix}", std::process::id()));
        let mut supervisor = Command::new(root.join(script))
            .args(options)
            .arg(&folder)
            .args(images)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("failed to start {script}: {error}"))?;
        let mut line = String::new();
        let output = supervisor.stdout.take().ok_or("the supervisor has no output")?;
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        let kubeconfig = line.trim_end().strip_prefix("ready ").ok_or("its boot failed; the lines above say why")?;
        let kubeconfig = PathBuf::from(kubeconfig);
        let mut control_plane = Self {
            reader: Reader::new(&kubeconfig)?,
            kubeconfig,
            server: String::new(),
            audit_log: folder.join("audit.log"),
            folder,
            _supervisor: supervisor,
        };
        let server = ["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"];
        control_plane.server = control_plane.admin(&server, None).ok();
        Ok(control_plane)
    }

    /// Applies the CRDs and policies, and waits until the API server serves and describes the kinds and the policies count.
    pub(crate) fn install_kinds(&self, folder: &Path) {
        let folder = folder.to_str().expect("the path of the clone is UTF-8");
        self.admin(&["apply", "--server-side", "-f", folder], None).ok();
        self.admin(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], None).ok();
        let schema = format!("/openapi/v3/apis/{GROUP_VERSION}");
        eventually_ok(PATIENCE, "the schema of the kinds", || {
            let answer = self.admin(&["get", "--raw", &schema], None);
            if answer.success { Ok(()) } else { Err(answer.stderr) }
        });
        door::wait_until_shut(self, &Namespace("default".to_owned()));
    }

    /// A request in the name of that user, else of the administrator: a JSON body, of a patch the merge patch. The error is the answer
    /// in words.
    pub(crate) fn ask(
        &self,
        user: Option<&str>,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        self.reader.ask(user, method, path, body)
    }

    /// Makes a namespace whose name starts with `prefix` (lowercase letters, digits, dashes).
    pub(crate) fn namespace(&self, prefix: &str) -> Namespace {
        static COUNTER: AtomicU32 = AtomicU32::new(1);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let namespace = Namespace(format!("{prefix}-{}-{number}", std::process::id()));
        self.admin(&["create", "namespace", namespace.name()], None).ok();
        namespace
    }

    /// Reads an object of ours (`clinicuser`, `clinicusers`, …) as it is stored.
    #[track_caller]
    pub(crate) fn object(&self, namespace: &Namespace, resource: &str, name: &str) -> Value {
        let path = format!("{}/{name}", namespace.path(resource));
        self.reader.get(&path).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Creates objects of ours, many at the same time.
    #[track_caller]
    pub(crate) fn create_all(&self, namespace: &Namespace, resource: &str, objects: Vec<Value>) {
        let path = namespace.path(resource);
        let objects = objects.into_iter().map(|object| (path.clone(), object)).collect();
        self.reader.create_all(objects).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Reads all objects of a kind of ours, in the order of their names.
    #[track_caller]
    pub(crate) fn objects(&self, namespace: &Namespace, resource: &str) -> Vec<Value> {
        let mut list = self.reader.get(&namespace.path(resource)).unwrap_or_else(|error| panic!("{error}"));
        std::mem::take(list["items"].as_array_mut().expect("a list has items"))
    }

    /// Runs kubectl as the administrator in the namespace.
    pub(crate) fn kubectl(&self, namespace: &Namespace, arguments: &[&str]) -> Output {
        self.kubectl_with(namespace, arguments, None)
    }

    /// Runs kubectl as the administrator in the namespace, with `input` on its standard input (`apply -f -`).
    pub(crate) fn kubectl_stdin(&self, namespace: &Namespace, arguments: &[&str], input: &str) -> Output {
        self.kubectl_with(namespace, arguments, Some(input))
    }

    fn kubectl_with(&self, namespace: &Namespace, arguments: &[&str], input: Option<&str>) -> Output {
        self.admin(&[&["--namespace", namespace.name()], arguments].concat(), input)
    }

    fn admin(&self, arguments: &[&str], input: Option<&str>) -> Output {
        self.kubectl_as(&self.kubeconfig, arguments, input)
    }

    /// Runs kubectl as whoever the kubeconfig names.
    pub(crate) fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str], input: Option<&str>) -> Output {
        let mut kubectl = Command::new(self.folder.join("bin/kubectl"))
            .env_remove("KUBECONFIG")
            .env("KUBECACHEDIR", self.folder.join("cache")) // ports come again, so the user's cache could be another server's
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(arguments)
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        if let (Some(mut pipe), Some(input)) = (kubectl.stdin.take(), input) {
            // A refused command may end before it has read everything; its own message is the better one.
            let _ = pipe.write_all(input.as_bytes());
        }
        kubectl.wait_with_output().expect("kubectl ends").into()
    }

    /// Every request of our group and every write in the namespace that was finished before this call, in the
    /// order of the log. The harness's own marker requests are left out.
    pub(crate) fn audit(&self, namespace: &Namespace) -> Vec<AuditRecord> {
        static COUNTER: AtomicU32 = AtomicU32::new(1);
        let marker = format!("audit-marker-{}", COUNTER.fetch_add(1, Ordering::Relaxed));
        // The log may lag behind an answer by a moment, so ask for something and wait until that is in it.
        let answer = self.reader.get(&format!("{}/{marker}", namespace.path("clinics")));
        assert!(answer.is_err(), "not found, and in the log all the same");
        eventually_ok(PATIENCE, "the audit log to catch up", || {
            let mut records = self.audit_so_far(namespace);
            let caught_up = records.iter().any(|record| record.name == marker);
            records.retain(|record| !record.name.starts_with("audit-marker-"));
            if caught_up { Ok(records) } else { Err(records.len()) }
        })
    }

    fn audit_so_far(&self, namespace: &Namespace) -> Vec<AuditRecord> {
        let log = File::open(&self.audit_log).expect("the audit log can be read");
        let lines = BufReader::new(log).lines().map_while(Result::ok);
        // Most lines are of other tests, and parsing is what takes the time.
        let may_be_its = |line: &String| line.contains(namespace.name());
        lines.filter(may_be_its).filter_map(|line| AuditRecord::parse(&line, namespace.name())).collect()
    }
}
