//! The portal: where people accept their invitation and sign in. It mails nothing, and of an account it writes the block
//! `acceptance` alone. Any number of replicas run at once: what one must remember is in the objects or in sealed cookies.

pub mod acceptance;
mod care;
mod codes;
mod connections;
pub mod contact;
mod credentials;
mod endings;
mod failures;
mod follow;
mod gone;
mod invitations;
mod keys;
mod known_browsers;
pub mod metrics;
mod opened;
pub mod pages;
mod peers;
mod probed;
pub mod records;
pub mod rights;
mod routes;
mod server;
mod sessions;
mod sign_in;
mod standing;
mod steps;
mod throttles;
mod web;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Duration;

use axum::body::Bytes;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::timeout;
use tracing::{info, warn};

use self::acceptance::Stores;
use self::connections::Connections;
use self::contact::{Contact, Limits};
use self::credentials::Credentials;
use self::endings::Endings;
use self::failures::Failures;
use self::keys::KeyRing;
use self::metrics::Metrics;
use self::pages::Accent;
use self::peers::Peers;
use self::records::Records;
use self::throttles::Throttles;
use self::web::cookies::Cookies;
use crate::adapters::clock::Clock;
use crate::adapters::heart::Heart;
use crate::adapters::kubernetes::{ApiError, Clients, OwnNamespace, PreflightError, Store, preflight};
use crate::adapters::passwords::{HashError, Passwords};
use crate::adapters::probes;
use crate::adapters::seal::{Folders, KeyError};
use crate::api::account::ClinicAccountSpec;
use crate::api::clinic::ClinicContact;
use crate::api::holder::Manifest;
use crate::api::{Clinic, ClinicAccount, ClinicCredential};
use crate::domain::member::Locale;
use crate::domain::portal_url::PortalUrl;
use crate::domain::restore::RestoreMode;

/// After how long the API server is to end a watch: so long at most a connection that broke without a word goes unnoticed.
pub const WATCHES_END_AFTER: Duration = Duration::from_secs(30);
/// Without contact for so long nobody new signs in.
const SIGN_IN_OUTAGE: Duration = Duration::from_secs(60);
/// Reads of single accounts at the same time, beside the watches: more than a portal needs, fewer than would trouble anybody.
const LIVE_READS: usize = 8;
/// How long somebody waits for such a read.
const LONGEST_TURN: Duration = Duration::from_secs(5);

/// Paths of the pages.
pub mod path {
    /// Who is signed in.
    pub const HOME: &str = "/";
    /// Signing in.
    pub const SIGN_IN: &str = "/sign-in";
    /// The second step of it.
    pub const CODE: &str = "/sign-in/code";
    /// Setting up a second factor while signing in.
    pub const ENROL: &str = "/sign-in/second-factor";
    /// The recovery codes of whoever has just set up a second factor.
    pub const RECOVERY_CODES: &str = "/recovery-codes";
    /// Signing out.
    pub const SIGN_OUT: &str = "/sign-out";
    /// Opening an invitation by its link's code; below it, by their accounts' names, are the invitations themselves.
    pub const INVITATIONS: &str = "/invitations";
    /// The stylesheet.
    pub const STYLE: &str = "/style.css";
    /// The script.
    pub const SCRIPT: &str = "/portal.js";
    /// The picture on a browser's tab.
    pub const ICON: &str = "/icon.svg";
    /// The clinic's logo.
    pub const LOGO: &str = "/logo";
}

/// What the portal is started with.
#[derive(Debug)]
pub struct Settings {
    /// The clinic's namespace.
    pub namespace: String,
    /// Its own address.
    pub base: PortalUrl,
    /// Where the pages are served.
    pub listen: SocketAddr,
    /// Where health and metrics are served.
    pub listen_probes: SocketAddr,
    /// How the pages are encrypted, if they are here.
    pub tls: Option<Tls>,
    /// Where the keys are.
    pub keys: Folders,
    /// Proxies that say who asks.
    pub trusted_proxies: Vec<IpNet>,
    /// Without contact for so long nobody stays signed in.
    pub session_outage: Duration,
    /// Host and port of the other replicas' probes.
    pub peers: Option<String>,
    /// How the pages look.
    pub branding: Branding,
}

/// PEM files with certificate and key.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate and those that vouch for it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What a clinic chose of the looks.
#[derive(Clone, Debug, Default)]
pub struct Branding {
    /// Its logo.
    pub logo: Option<Logo>,
    /// Its colour.
    pub accent: Option<Accent>,
}

/// A picture.
#[derive(Clone)]
pub struct Logo {
    /// Media type.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Logo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logo").field("media_type", &self.media_type).finish_non_exhaustive()
    }
}

/// Why the portal ended.
#[derive(Debug, thiserror::Error)]
pub enum PortalError {
    /// Before it began.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// An address.
    #[error("{0}: failed to serve on {1}: {2}")]
    Listen(&'static str, SocketAddr, std::io::Error),
    /// The keys.
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    /// Certificate and key.
    #[error("tls: {0}")]
    Tls(#[from] server::TlsError),
    /// The threads that compute password hashes.
    #[error("failed to start: {0}")]
    Passwords(#[from] HashError),
}

/// The portal as every request sees it.
pub struct Portal {
    clock: Clock,
    namespace: String,
    base: PortalUrl,
    cookies: Cookies,
    trusted_proxies: Vec<IpNet>,
    logo: Option<Logo>,
    style: Bytes,
    icon: Bytes,
    records: Records,
    contact: Contact,
    peers: Peers,
    stores: Stores,
    endings: Endings,
    credential_store: Store<ClinicCredential>,
    keys: KeyRing,
    passwords: Passwords,
    throttles: Throttles,
    failures: Failures,
    metrics: Metrics,
    heart: Heart,
    connections: Arc<Connections>,
    /// `None`: nobody has looked yet.
    restore_mode: watch::Sender<Option<RestoreMode>>,
    live_reads: Semaphore,
    /// It is warned once of a proxy that nobody named.
    unnamed_proxy: Once,
}

/// What every page needs to know of the clinic.
struct ClinicWords {
    name: String,
    locale: Locale,
    contact: Option<ClinicContact>,
}

impl Portal {
    /// What the pages say of the clinic. Without a Clinic object whoever is a member still signs in.
    fn clinic(&self) -> ClinicWords {
        match self.records.clinic() {
            Some(Clinic { spec, .. }) => {
                ClinicWords { name: spec.display_name, locale: spec.locale, contact: spec.contact }
            }
            None => ClinicWords { name: self.namespace.clone(), locale: Locale::default(), contact: None },
        }
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials { store: &self.credential_store, keys: &self.keys }
    }

    /// An account as the API server has it now.
    async fn account_now(&self, name: &str) -> Result<Option<ClinicAccount>, ApiError> {
        let _turn = self.turn().await?;
        match self.stores.accounts.read(name).await {
            Ok(account) => {
                self.records.put(&account);
                Ok(Some(account))
            }
            Err(ApiError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The manifest of the account's holder as the API server has it now.
    async fn manifest_of(&self, account: &ClinicAccountSpec) -> Result<Option<Manifest>, ApiError> {
        let _turn = self.turn().await?;
        self.stores.manifest(&account.desired.holder.name).await
    }

    /// A turn to read one object.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        match timeout(LONGEST_TURN, self.live_reads.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(ApiError::NoAnswer("too many read at the same time".to_owned())),
        }
    }
}

/// Runs until `stop` becomes true.
///
/// # Errors
/// See [`PortalError`].
pub async fn run(clients: Clients, settings: Settings, mut stop: watch::Receiver<bool>) -> Result<(), PortalError> {
    let Settings { namespace, base, listen, listen_probes, tls, .. } = settings;
    let rights = rights::rights();
    tokio::select! {
        result = preflight(&clients, &namespace, &rights, "clinic-operator role --portal") => result?,
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
    }
    let probes_listener = TcpListener::bind(listen_probes).await;
    let probes_listener = probes_listener.map_err(|error| PortalError::Listen("listenProbes", listen_probes, error))?;
    let encryption = server::Encryption::read(tls).await?;
    let connections = Arc::new(Connections::new(settings.trusted_proxies.clone()));
    let portal = Arc::new(Portal {
        clock: Clock,
        cookies: Cookies { is_secure: base.is_secure() },
        trusted_proxies: settings.trusted_proxies,
        logo: settings.branding.logo,
        style: pages::style(settings.branding.accent).into(),
        icon: pages::icon(settings.branding.accent).into(),
        records: Records::default(),
        contact: Contact::new(Clock, Limits { sign_in: SIGN_IN_OUTAGE, session: settings.session_outage }),
        peers: Peers::new(settings.peers),
        stores: Stores::new(&clients.write, &namespace),
        endings: Endings::default(),
        credential_store: Store::new(&clients.write, &namespace),
        keys: KeyRing::read(settings.keys, &namespace, &base).await?,
        passwords: Passwords::start()?,
        throttles: Throttles::default(),
        failures: Failures::default(),
        metrics: Metrics::new(clients.requests.clone()),
        heart: Heart::new(Clock),
        connections: Arc::clone(&connections),
        restore_mode: watch::channel(None).0,
        live_reads: Semaphore::new(LIVE_READS),
        unnamed_proxy: Once::new(),
        namespace: namespace.clone(),
        base,
    });
    let clinics = Store::new(&clients.write, &namespace);
    let own_namespace = OwnNamespace::new(&clients, &namespace);
    let pages = server::serve(listen, routes::routes(&portal), &encryption, connections, stop.clone());
    info!(namespace, version = env!("CARGO_PKG_VERSION"), "started");
    if !portal.base.is_secure() {
        warn!("portalUrl is http://: for this machine alone");
    }
    let (changes, manifests) = unbounded_channel();
    tokio::select! {
        () = portal.records.keep(&clients, &namespace, &portal.contact, &portal.heart, &changes) => {}
        () = endings::keep(&portal, manifests) => {}
        () = portal.heart.turn("the contact", [portal.contact.keep(&clinics)]) => {}
        () = portal.heart.turn("the look at the namespace", [own_namespace.follow(portal.clock, &portal.restore_mode)]) => {}
        () = portal.keys.keep() => {}
        () = care::keep(&portal) => {}
        () = peers::keep(&portal) => {}
        () = encryption.keep() => {}
        result = probes::serve(probes_listener, Arc::clone(&portal)) => {
            result.map_err(|error| PortalError::Listen("listenProbes", listen_probes, error))?;
        }
        result = pages => result.map_err(|error| PortalError::Listen("listen", listen, error))?,
    }
    info!("stopped");
    Ok(())
}
