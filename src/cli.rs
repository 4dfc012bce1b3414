//! The command line: one program, one command a part. It parses, wires and reports; nothing is decided here.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use http::Uri;
use k8s_openapi::api::rbac::v1::Role;
use kube::core::ObjectMeta;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::warn;

use crate::adapters::clock::Clock;
use crate::adapters::core_dumps;
use crate::adapters::kubernetes::{ConnectError, connect, rules};
use crate::adapters::probe::{self, ProbeError};
use crate::adapters::random::unique_id;
use crate::api::crds::{crds, to_yaml};
use crate::api::{editor, reference};
use crate::config::{self, ConfigError, LogConfig};
use crate::controller::{self, ControllerError};
use crate::kubectl::{self, StartedAs};
use crate::logging;
use crate::portal::{self, PortalError};
use crate::review;

/// Manages the accounts of a medical clinic declaratively.
#[derive(Parser)]
#[command(version, about, after_help = "Linked as kubectl-clinic on the PATH it is the plugin `kubectl clinic`.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the controller of one clinic (one namespace).
    Controller {
        #[command(flatten)]
        part: Part,
        /// What this replica is called in the lease; something random is added.
        #[arg(long, env = "POD_NAME", value_name = "NAME", default_value = "clinic-operator")]
        identity: String,
    },
    /// Run the portal of one clinic, where people accept their invitations and sign in.
    Portal(Part),
    /// Check manifests before they are merged, without a cluster: exit code 0 fine, 1 violations, 2 not everything could be checked.
    Validate(review::Validate),
    /// Say what a tree would change in a clinic: who is mailed, whose access ends or comes back, what needs a person. Changes nothing.
    Plan(review::Plan),
    /// Print the custom resource definitions (YAML), or write them to a folder.
    Crds {
        /// Write one file for each kind to this folder instead.
        #[arg(long, value_name = "FOLDER")]
        output: Option<PathBuf>,
    },
    /// Print the JSON schema of the kinds that people write, for editors, or write it and one for each kind to a folder.
    Schemas {
        /// Write the files to this folder instead.
        #[arg(long, value_name = "FOLDER")]
        output: Option<PathBuf>,
    },
    /// Print the page of every kind and field (Markdown), `docs/api.md`.
    #[command(hide = true)]
    ApiDocs,
    /// Ask addresses of a clinic's parts, as `helm test` does; each must answer with status 200.
    Probe {
        /// PEM file whose first certificate is the one that `https` addresses must show.
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
        /// How often an address is asked, a second apart, before it counts as failed.
        #[arg(long, value_name = "NUMBER", default_value_t = 30)]
        tries: u16,
        /// What to ask, such as `http://clinic-operator-controller:8080/readyz`.
        #[arg(required = true, value_name = "URL")]
        urls: Vec<Uri>,
    },
    /// Print the Role (YAML) that the controller needs in the clinic's namespace, or the portal.
    Role {
        /// The portal's instead.
        #[arg(long)]
        portal: bool,
        /// Only its rules.
        #[arg(long)]
        rules: bool,
    },
}

/// What a part of one clinic is started with.
#[derive(Args)]
struct Part {
    /// The configuration file (YAML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The clinic's namespace.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    namespace: String,
    /// How to reach the cluster; default: KUBECONFIG or ~/.kube/config, else the pod's own service account.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Controller(#[from] ControllerError),
    #[error(transparent)]
    Portal(#[from] PortalError),
    #[error("{0}: {1}")]
    Probe(String, ProbeError),
    #[error("failed to write {0}: {1}")]
    Write(String, std::io::Error),
    #[error("failed to serialise: {0}")]
    Serialise(String),
    #[error("failed to draw random bytes: {0}")]
    Random(String),
    #[error("failed to start: {0}")]
    Runtime(std::io::Error),
    #[error("failed to listen for signals: {0}")]
    Signals(std::io::Error),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    logging::leave_out_what_panics_say();
    if let Some(started_as) = StartedAs::of(std::env::args_os().next().as_deref()) {
        return kubectl::main(started_as);
    }
    let result = match Cli::parse().command {
        Command::Plan(options) => return review::plan(&options),
        Command::Validate(options) => return review::validate(&options),
        Command::Controller { part, identity } => in_runtime(run_controller(part, &identity)),
        Command::Portal(part) => in_runtime(run_portal(part)),
        Command::Probe { certificate, tries, urls } => in_runtime(probe_all(certificate, tries, urls)),
        Command::Crds { output } => write_crds(output.as_deref()),
        Command::Schemas { output } => write_schemas(output.as_deref()),
        Command::ApiDocs => print_api_docs(),
        Command::Role { portal, rules } => print_role(portal, rules),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does not wait for what cannot be interrupted, such as a name look-up that gets no answer: stopping must not take longer
/// than the controller itself takes.
fn in_runtime(command: impl Future<Output = Result<(), CommandError>>) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(CommandError::Runtime)?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}

async fn run_controller(part: Part, name: &str) -> Result<(), CommandError> {
    let config = config::controller::Config::load(&part.config).await?;
    let stop = start(config.log)?;
    let clients = connect(part.kubeconfig.as_deref(), controller::WATCHES_END_AFTER).await?;
    let identity = if config.leader_election { Some(identity(name)?) } else { None };
    let settings =
        controller::Settings { namespace: part.namespace, listen: config.listen, mailer: config.mailer(), identity };
    Ok(Box::pin(controller::run(clients, settings, stop)).await?)
}

/// A name that no other process has, nor one that comes after it in the same pod.
fn identity(name: &str) -> Result<String, CommandError> {
    let id = unique_id().map_err(|error| CommandError::Random(error.to_string()))?;
    Ok(format!("{name}_{id}"))
}

async fn run_portal(part: Part) -> Result<(), CommandError> {
    let config = config::portal::Config::load(&part.config).await?;
    let log = config.log;
    let settings = config.settings(&part.config, part.namespace).await?;
    let stop = start(log)?;
    let clients = connect(part.kubeconfig.as_deref(), portal::WATCHES_END_AFTER).await?;
    Ok(Box::pin(portal::run(clients, settings, stop)).await?)
}

async fn probe_all(certificate: Option<PathBuf>, tries: u16, urls: Vec<Uri>) -> Result<(), CommandError> {
    let trusted = match &certificate {
        Some(path) => {
            let named = |error| CommandError::Probe("--certificate".to_owned(), error);
            Some(probe::certificate(path).await.map_err(named)?)
        }
        None => None,
    };
    for url in urls {
        let answers = probe::until_it_answers(&url, trusted.as_ref(), tries).await;
        answers.map_err(|error| CommandError::Probe(url.to_string(), error))?;
        print(&format!("{url} answers\n"))?;
    }
    Ok(())
}

/// Logs from now on. What is returned becomes true when the process is asked to stop.
fn start(log: LogConfig) -> Result<watch::Receiver<bool>, CommandError> {
    logging::start(log);
    if let Some(warning) = Clock::warning() {
        warn!("{warning}");
    }
    if let Err(error) = core_dumps::switch_off() {
        warn!(%error, "core dumps are not switched off: should the program crash, one may hold keys and passwords");
    }
    let (asked, stop) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).map_err(CommandError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CommandError::Signals)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        asked.send_replace(true);
    });
    Ok(stop)
}

fn write_crds(output: Option<&Path>) -> Result<(), CommandError> {
    for crd in crds() {
        let yaml = to_yaml(&crd).map_err(|error| CommandError::Serialise(error.to_string()))?;
        match output {
            Some(folder) => {
                write(&folder.join(format!("{}.yaml", crd.spec.names.plural)), &yaml)?;
            }
            None => print(&format!("---\n{yaml}"))?,
        }
    }
    Ok(())
}

fn write_schemas(output: Option<&Path>) -> Result<(), CommandError> {
    let failed = |error: serde_json::Error| CommandError::Serialise(error.to_string());
    let Some(folder) = output else { return print(&editor::for_all().map_err(failed)?) };
    for (path, text) in editor::files().map_err(failed)? {
        write(&folder.join(path), &text)?;
    }
    Ok(())
}

fn print_api_docs() -> Result<(), CommandError> {
    print(&reference::page().map_err(|error| CommandError::Serialise(error.to_string()))?)
}

fn print_role(of_portal: bool, only_rules: bool) -> Result<(), CommandError> {
    let (name, rights) = if of_portal {
        ("clinic-operator-portal", portal::rights::rights())
    } else {
        ("clinic-operator", controller::rights::rights())
    };
    if only_rules {
        return print(&to_text(&rules(&rights))?);
    }
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    print(&to_text(&Role { metadata, rules: Some(rules(&rights)) })?)
}

fn to_text(value: &impl Serialize) -> Result<String, CommandError> {
    serde_yaml::to_string(value).map_err(|error| CommandError::Serialise(error.to_string()))
}

/// Writes a file, and makes its folder.
fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| CommandError::Write(path.display().to_string(), error))
}

fn print(text: &str) -> Result<(), CommandError> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| CommandError::Write("standard output".to_owned(), error))
}
