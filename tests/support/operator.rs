//! The operator as people run it: its configuration and its relay's credentials. Never here: how a process is started and ended
//! (`process`).

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::control_plane::Namespace;
use super::process::{Files, Part, Process, write_private};
use super::smtp::SmtpServer;

const CONTROLLER: Part = Part { command: "controller", identity: "clinic-operator", role: &["role"] };

/// What a test wants different from the usual.
#[derive(Clone, Debug, Default)]
pub(crate) struct OperatorOptions {
    /// Changes of the configuration file (see [`Files::configure`]).
    pub(crate) configuration: Vec<(&'static str, Value)>,
    /// The relay's user name and password; written to files in the folder that `mail.credentials` names.
    pub(crate) credentials: Option<(String, String)>,
    /// Environment variables of the process, besides an empty environment with `PATH`.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// The file of a clock that the test sets; with it the operator is the build that has one.
    pub(crate) test_clock: Option<String>,
}

/// The operator's files and rights, made but not used yet.
pub(crate) struct Prepared {
    files: Files,
    /// The folder with `username` and `password`, when credentials were asked for.
    pub(crate) credentials: PathBuf,
}

/// A running operator.
pub(crate) struct Operator {
    process: Process,
    credentials: PathBuf,
}

impl Operator {
    /// Starts an operator for the namespace that mails through `relay`, and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(namespace: &Namespace, relay: &SmtpServer, options: OperatorOptions) -> Self {
        Prepared::new(namespace, relay, options).start()
    }

    /// Starts a second operator for the same clinic, with a token of the same identity, as a roll-out that goes wrong
    /// would; waits until it is ready.
    #[track_caller]
    pub(crate) fn start_another(first: &Self, relay: &SmtpServer) -> Self {
        Self::start(&first.process.files.namespace, relay, OperatorOptions::default())
    }

    /// The folder with its `username` and `password`.
    pub(crate) fn credentials(&self) -> &Path {
        &self.credentials
    }
}

impl Prepared {
    /// Makes the service account with its rights, a token, and the files that the operator reads.
    #[track_caller]
    pub(crate) fn new(namespace: &Namespace, relay: &SmtpServer, options: OperatorOptions) -> Self {
        let files = Files::new(CONTROLLER, namespace, options.environment, options.test_clock);
        let credentials = files.folder.path().join("credentials");
        if let Some((user, password)) = &options.credentials {
            std::fs::create_dir(&credentials).expect("a new folder");
            write_private(&credentials.join("username"), user);
            write_private(&credentials.join("password"), password);
        }
        let named = options.credentials.is_some().then_some(credentials.as_path());
        files.configure(usual_configuration(files.port, relay.port, named), &options.configuration);
        Self { files, credentials }
    }

    /// Starts the controller and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(self) -> Operator {
        let Self { files, credentials } = self;
        Operator { process: files.start(), credentials }
    }
}

impl Deref for Prepared {
    type Target = Files;

    fn deref(&self) -> &Files {
        &self.files
    }
}

impl Deref for Operator {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Operator {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn usual_configuration(port: u16, relay: u16, credentials: Option<&Path>) -> Value {
    let mut configuration = json!({
        "portalUrl": "https://portal.maple.example",
        "listen": format!("127.0.0.1:{port}"),
        // Tests kill operators and start others at once, or two that work at the same time; those of the lease turn it on.
        "leaderElection": false,
        "log": {"level": "info", "format": "json"},
        "mail": {
            "host": "127.0.0.1",
            "port": relay,
            "tls": "None",
            "from": "Maple Clinic <no-reply@maple.example>",
            "mailsPerMinute": 6000,
            "connections": 4,
        },
    });
    if let Some(folder) = credentials {
        configuration["mail"]["credentials"] = json!(folder);
    }
    configuration
}
