//! The portal as people run it: its configuration, keys and certificate. Never here: how a process is started and ended
//! (`process`), or what a person does in it (`visitor`).

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use clinic_operator::adapters::random::secret_bytes;
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::control_plane::{Namespace, control_plane};
use super::process::{Files, Part, Process, write_private};
use super::visitor::Visitor;
use super::{certificate, http};

const PORTAL: Part = Part { command: "portal", identity: "clinic-operator-portal", role: &["role", "--portal"] };
/// Where mails say that it is.
pub(crate) const HOST: &str = "portal.maple.example";

/// What a test wants different from the usual.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortalOptions {
    /// Changes of the configuration file (see [`Files::configure`]).
    pub(crate) configuration: Vec<(&'static str, Value)>,
    /// The file of a clock that the test sets; with it the portal is the build that has one.
    pub(crate) test_clock: Option<String>,
    /// Whether it encrypts its pages itself; else as behind an ingress.
    pub(crate) tls: bool,
    /// The folder of keys of another replica; absent: a new one.
    pub(crate) keys: Option<PathBuf>,
}

/// The portal's files and rights, made but not used yet.
pub(crate) struct Prepared {
    files: Files,
    pages: u16,
    keys: PathBuf,
}

/// A running portal.
pub(crate) struct Portal {
    process: Process,
    /// Where it serves its pages, on loopback.
    pub(crate) pages: u16,
    keys: PathBuf,
}

impl Portal {
    /// Starts a portal for the namespace and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(namespace: &Namespace, options: PortalOptions) -> Self {
        Prepared::new(namespace, options).start()
    }

    /// Starts another replica: the same clinic, the same keys.
    #[track_caller]
    pub(crate) fn start_another(&self, options: PortalOptions) -> Self {
        Self::start(&self.files.namespace, PortalOptions { keys: Some(self.keys.clone()), ..options })
    }

    /// Somebody with a browser that has never been here.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::of(self.pages)
    }

    /// The value of a metric, labels and all; 0 if it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.metric_told(name).unwrap_or(0)
    }

    /// The same; `None`: it is not there.
    pub(crate) fn metric_told(&self, name: &str) -> Option<u64> {
        let metrics = self.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a whole number"))
    }

    /// The folder with its keys.
    pub(crate) fn keys(&self) -> &Path {
        &self.keys
    }

    /// The folder with `certificate` and `key`, if it encrypts its pages.
    pub(crate) fn folder(&self) -> &Path {
        self.files.folder.path()
    }
}

impl Prepared {
    #[track_caller]
    pub(crate) fn new(namespace: &Namespace, options: PortalOptions) -> Self {
        let files = Files::new(PORTAL, namespace, Vec::new(), options.test_clock);
        // Beside those of every process: a replica outlives the one whose keys it has.
        let keys = options.keys.unwrap_or_else(new_keys);
        let pages = http::free_port();
        let mut usual = json!({
            "portalUrl": format!("https://{HOST}"),
            "listen": format!("127.0.0.1:{pages}"),
            "listenProbes": format!("127.0.0.1:{}", files.port),
            "keys": keys,
            "log": {"level": "debug", "format": "json"},
        });
        if options.tls {
            write_certificate(files.folder.path());
            let named = |name: &str| files.folder.path().join(name);
            usual["tls"] = json!({"certificate": named("certificate"), "key": named("key")});
        }
        files.configure(usual, &options.configuration);
        Self { files, pages, keys }
    }

    /// The folder with its keys.
    pub(crate) fn keys(&self) -> &Path {
        &self.keys
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(self) -> Portal {
        let Self { files, pages, keys } = self;
        Portal { process: files.start(), pages, keys }
    }
}

impl Deref for Prepared {
    type Target = Files;

    fn deref(&self) -> &Files {
        &self.files
    }
}

impl Deref for Portal {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Portal {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// A folder with a new key; it goes with the control plane's.
fn new_keys() -> PathBuf {
    let folder = key_folder();
    write_key(&folder.join("current"));
    folder
}

/// A folder with this key, in base64.
pub(crate) fn keys_of(key: &str) -> PathBuf {
    let folder = key_folder();
    write_private(&folder.join("current"), &format!("{key}\n"));
    folder
}

fn key_folder() -> PathBuf {
    let within = &control_plane().folder;
    tempfile::Builder::new().prefix("keys").tempdir_in(within).expect("a temporary folder").keep()
}

/// Writes a new key in one step: nobody reads half a key.
pub(crate) fn write_key(path: &Path) {
    let next = path.with_extension("next");
    write_private(&next, &format!("{}\n", BASE64.encode(&secret_bytes::<32>().expect("random bytes"))));
    std::fs::rename(next, path).expect("its own folder");
}

/// Writes a new certificate for [`HOST`] and its key.
pub(crate) fn write_certificate(folder: &Path) {
    let (certificate, key) = certificate::pem(HOST);
    write_private(&folder.join("certificate"), &certificate);
    write_private(&folder.join("key"), &key);
}
