//! A part of the program as people run it: the compiled binary, in one namespace, under a service account that has exactly the
//! rights that this part asks for. Never here: the administrator's rights, what is special about a part, or a call into its code.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use clinic_operator::adapters::clock::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::control_plane::{Namespace, Output, control_plane};
use super::wait::{PATIENCE, eventually, eventually_ok, now};
use super::{http, test_clock};

/// The compiled binary; `make bench` names the release build instead.
pub(crate) fn program() -> String {
    std::env::var("CLINIC_OPERATOR_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_clinic-operator").to_owned())
}

/// What tells the parts of the program apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Its command.
    pub(crate) command: &'static str,
    /// Its service account in the namespace of a test.
    pub(crate) identity: &'static str,
    /// The command that prints its Role.
    pub(crate) role: &'static [&'static str],
}

/// A part's files and rights. Dropping it removes the files.
#[derive(Debug)]
pub(crate) struct Files {
    /// The configuration file.
    pub(crate) configuration: PathBuf,
    /// A kubeconfig with the service account's token.
    pub(crate) kubeconfig: PathBuf,
    /// For whatever else it reads.
    pub(crate) folder: TempDir,
    part: Part,
    pub(crate) namespace: Namespace,
    /// Where it serves health and metrics, on loopback.
    pub(crate) port: u16,
    environment: Vec<(&'static str, String)>,
    program: String,
}

/// A running part. It is killed when this is dropped, when the thread that started it ends, and so with the tests, however they
/// end.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) files: Files,
}

impl Files {
    /// Makes the service account with its rights, a token, and a folder. The configuration is yet to be written.
    #[track_caller]
    pub(crate) fn new(
        part: Part,
        namespace: &Namespace,
        mut environment: Vec<(&'static str, String)>,
        test_clock: Option<String>,
    ) -> Self {
        let within = &control_plane().folder;
        let folder = tempfile::Builder::new().prefix(part.command).tempdir_in(within).expect("a temporary folder");
        let kubeconfig = folder.path().join("kubeconfig");
        write_private(&kubeconfig, &kubeconfig_of(part, namespace));
        let program = match test_clock {
            Some(file) => {
                environment.push((test_clock::VARIABLE, file));
                test_clock::program()
            }
            None => program(),
        };
        Self {
            configuration: folder.path().join("config.yaml"),
            kubeconfig,
            folder,
            part,
            namespace: namespace.clone(),
            port: http::free_port(),
            environment,
            program,
        }
    }

    /// Writes the configuration, with changes: JSON pointer and value, for instance `("/mail/mailsPerMinute", json!(10))`. A null
    /// removes the field.
    pub(crate) fn configure(&self, usual: Value, changes: &[(&'static str, Value)]) {
        let text = serde_yaml::to_string(&changed(usual, changes)).expect("JSON is also YAML");
        write_private(&self.configuration, &text);
    }

    /// The arguments of `clinic-operator` that start the part with these files.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let file = |path: &Path| path.to_str().expect("a temporary folder's path is UTF-8").to_owned();
        let (configuration, kubeconfig) = (file(&self.configuration), file(&self.kubeconfig));
        let (command, namespace) = (self.part.command, self.namespace.name());
        let words = [command, "--config", &configuration, "--namespace", namespace, "--kubeconfig", &kubeconfig];
        words.map(str::to_owned).to_vec()
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(self) -> Process {
        let mut process = Process { child: self.spawn(), files: self };
        process.wait_until_ready();
        process
    }

    /// Runs it until it ends by itself, for a start that must fail; panics if it goes on.
    #[track_caller]
    pub(crate) fn run(&self) -> Output {
        let arguments = self.arguments();
        run_once(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a new log file");
        let errors = log.try_clone().expect("a second handle");
        let mut command = isolated(&self.program, &self.arguments().iter().map(String::as_str).collect::<Vec<_>>());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdout(log).stderr(errors).spawn().expect("setpriv (package util-linux) starts the program")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Process {
    /// What it said so far, on standard output and standard error.
    pub(crate) fn log(&self) -> String {
        self.files.log()
    }

    /// The file with all of it.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.files.log_file()
    }

    /// Where it serves its metrics, on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.files.port
    }

    /// The metrics page.
    pub(crate) fn metrics(&self) -> String {
        http::get(self.files.port, "/metrics").expect("it serves its metrics").1
    }

    /// The status code of `/readyz`; `None` when nothing answers.
    pub(crate) fn readiness(&self) -> Option<u16> {
        http::get(self.files.port, "/readyz").ok().map(|(status, _)| status)
    }

    /// The process id, for figures such as memory.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop (SIGTERM) and waits: how it ended and how long that took.
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        self.stop("-TERM")
    }

    /// Asks it to stop by a signal (`-TERM`, `-INT`) and waits: how it ended and how long that took.
    #[track_caller]
    pub(crate) fn stop(&mut self, signal: &str) -> (ExitStatus, Duration) {
        let asked = now();
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().expect("kill starts");
        assert!(sent.success(), "it had stopped before it was asked to");
        let status = eventually(PATIENCE, "it to stop", || self.child.try_wait().expect("its own child"));
        (status, asked.elapsed())
    }

    /// Kills it without warning (SIGKILL), as a node that fails would.
    pub(crate) fn kill(&mut self) {
        // It may have stopped by itself already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops being this process and starts another one with the same files and rights.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = self.files.spawn();
        self.wait_until_ready();
    }

    /// Stops being this process and starts another one whose kubeconfig names `server`; does not wait for it.
    pub(crate) fn restart_at(&mut self, server: &str) {
        self.kill();
        let text = std::fs::read_to_string(&self.files.kubeconfig).expect("its own file");
        let changed =
            changed(serde_json::from_str(&text).expect("JSON"), &[("/clusters/0/cluster/server", json!(server))]);
        write_private(&self.files.kubeconfig, &changed.to_string());
        self.child = self.files.spawn();
    }

    /// Waits until it is ready; panics if it stops instead.
    #[track_caller]
    pub(crate) fn wait_until_ready(&mut self) {
        let mut stopped = None;
        eventually_ok(PATIENCE, "it to be ready", || {
            stopped = self.child.try_wait().expect("its own child");
            match (stopped, self.readiness()) {
                (Some(_), _) | (None, Some(200)) => Ok(()),
                (None, seen) => Err(format!("readiness {seen:?}, log: {}", self.log())),
            }
        });
        assert!(stopped.is_none(), "it stopped ({}) instead of getting ready", stopped.unwrap_or_default());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let threads = threads(self.child.id());
        self.kill();
        if std::thread::panicking() {
            let (part, namespace) = (self.files.part.command, self.files.namespace.name());
            eprintln!(
                "--- log of the {part} in {namespace}, which ended at {}\n{}{threads}---",
                Clock.now(),
                self.log()
            );
        }
    }
}

/// What the threads of a process do, in a line each: how a program that hangs differs from one that is kept from running.
fn threads(process: u32) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let file = |task: &std::fs::DirEntry, name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
    let line = |task| format!("thread in {:?}: {}", file(&task, "wchan"), file(&task, "stat"));
    tasks.map(line).collect::<Vec<_>>().concat()
}

/// Runs `clinic-operator` with these arguments until it ends by itself; panics after half a minute.
#[track_caller]
pub(crate) fn run_once(arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["--signal", "KILL", &PATIENCE.as_secs().to_string()]);
    let inner = isolated(&program(), arguments);
    command.arg(inner.get_program()).args(inner.get_args()).env_clear().envs(environment()).stdin(Stdio::null());
    let output = command.output().expect("timeout (package coreutils) starts");
    let killed = output.status.code() == Some(137) || output.status.signal() == Some(9);
    let output = Output::from(output);
    assert!(!killed, "`clinic-operator {}` went on for {PATIENCE:?}: {}", arguments.join(" "), output.stderr);
    output
}

/// The program with nothing of the developer's environment: no kubeconfig, no proxy, no log settings.
fn isolated(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]).args(arguments);
    command.env_clear().envs(environment()).stdin(Stdio::null());
    command
}

fn environment() -> impl Iterator<Item = (&'static str, String)> {
    let home = ("HOME", "/nonexistent".to_owned()); // without it the user's own home is looked up
    std::env::var("PATH").ok().map(|path| ("PATH", path)).into_iter().chain([home])
}

fn changed(mut configuration: Value, changes: &[(&'static str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').expect("a JSON pointer starts with a slash");
        let parent = configuration.pointer_mut(parent).and_then(Value::as_object_mut).expect("the parent is there");
        if value.is_null() {
            parent.remove(field);
        } else {
            parent.insert(field.to_owned(), value.clone());
        }
    }
    configuration
}

/// Makes the service account and binds it to the Role that the binary itself prints; the kubeconfig of a new token.
#[track_caller]
fn kubeconfig_of(part: Part, namespace: &Namespace) -> String {
    let (control_plane, identity) = (control_plane(), part.identity);
    let role = run_once(part.role).ok();
    assert!(role.contains("kind: Role"), "`clinic-operator role` printed no Role: {role:?}");
    let role: Value = serde_yaml::from_str(&role).expect("`clinic-operator role` prints YAML");
    let role_name = role.pointer("/metadata/name").and_then(Value::as_str).expect("the Role has a name").to_owned();
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": identity}});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": identity},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role_name},
        "subjects": [{"kind": "ServiceAccount", "name": identity, "namespace": namespace.name()}],
    });
    let mut manifests = String::new();
    for object in [role, account, binding] {
        writeln!(manifests, "---\n{object}").expect("a string takes everything");
    }
    control_plane.kubectl_stdin(namespace, &["apply", "--server-side", "-f", "-"], &manifests).ok();
    let token = control_plane.kubectl(namespace, &["create", "token", identity, "--duration", "24h"]).ok();
    let kubeconfig = std::fs::read_to_string(&control_plane.kubeconfig).expect("the administrator's kubeconfig");
    let mut kubeconfig: Value = serde_yaml::from_str(&kubeconfig).expect("a kubeconfig is YAML");
    kubeconfig["users"] = json!([{"name": identity, "user": {"token": token.trim()}}]);
    kubeconfig["contexts"][0]["context"]["user"] = json!(identity);
    kubeconfig["contexts"][0]["context"]["namespace"] = json!(namespace.name());
    kubeconfig.to_string()
}

pub(crate) fn write_private(path: &Path, content: &str) {
    std::fs::write(path, content).expect("a temporary file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("its own file");
}
