//! The controller: watches the clinic's objects, decides, writes, mails. `members` and `accounts` each hold one pure function
//! that decides; everything around them only carries facts in and effects out.

pub mod accounts;
pub mod cache;
mod clinic;
pub mod context;
pub mod mailer;
pub mod members;
pub mod metrics;
mod outbox;
mod probed;
mod queue;
mod restore;
pub mod rights;
mod service_accounts;
mod spans;
pub mod suspensions;
mod term;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use self::cache::{Cache, watch_all};
use self::context::{Context, Standing};
use self::metrics::Metrics;
use self::queue::Queue;
use crate::adapters::clock::Clock;
use crate::adapters::kubernetes::{Clients, Elector, OwnNamespace, PreflightError, Tenure, next_tenure, preflight};
use crate::adapters::mail::TlsMode;
use crate::adapters::probes;
use crate::domain::restore::RestoreMode;

/// After how long the API server is to end a watch (it allows 295 s at most, as kube sees it): what changes meanwhile is told at
/// once anyway.
pub const WATCHES_END_AFTER: Duration = Duration::from_secs(290);

/// How long mails under way are waited for when the process is asked to stop.
const LAST_MAIL_WITHIN: Duration = Duration::from_secs(20);

/// Why the controller ended.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// Before it began.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// `listen`.
    #[error("listen: failed to serve on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
}

/// What the controller is started with.
pub struct Settings {
    /// The clinic's namespace.
    pub namespace: String,
    /// Where health and metrics are served.
    pub listen: SocketAddr,
    /// How mail is sent.
    pub mailer: mailer::Settings,
    /// What this replica is called in the lease, a name that no other ever has; `None`: it works without one.
    pub identity: Option<String>,
}

/// Runs until `stop` becomes true.
///
/// # Errors
/// See [`ControllerError`].
pub async fn run(clients: Clients, settings: Settings, stop: watch::Receiver<bool>) -> Result<(), ControllerError> {
    let Settings { namespace, listen, mailer: mail, identity } = settings;
    let (rights, mut asked_to_stop) = (rights::rights(), stop.clone());
    tokio::select! {
        result = preflight(&clients, &namespace, &rights, "clinic-operator role") => result?,
        () = asked(&mut asked_to_stop) => return Ok(()),
    }
    let listener = TcpListener::bind(listen).await.map_err(|error| ControllerError::Listen(listen, error))?;
    info!(namespace, version = env!("CARGO_PKG_VERSION"), "started");
    if mail.relay.tls == TlsMode::None {
        warn!("mail.tls is None: mails, their links and the relay's password travel in the clear");
    }
    let controller = Arc::new(Controller::new(clients, namespace, mail));
    let elector = identity.map(|identity| Elector::new(&controller.clients.write, &controller.namespace, identity));
    let elected = elector.as_ref().map_or_else(|| watch::channel(Some(Tenure::for_good())).1, Elector::elected);
    // A task of its own, so that no amount of work keeps it from renewing the lease in time.
    let (release, to_be_released) = watch::channel(false);
    let election = elector.map(|mut elector| {
        let heart = controller.cache.heart().clone();
        tokio::spawn(async move { heart.turn("the lease", [elector.run(to_be_released)]).await })
    });
    let ended = tokio::select! {
        () = controller.terms(elected, stop) => Ok(()),
        () = watch_all(&controller.cache, &controller.clients, &controller.namespace) => Ok(()),
        () = controller.follow_restore_mode() => Ok(()),
        result = probes::serve(listener, Arc::clone(&controller)) => result.map_err(|error| ControllerError::Listen(listen, error)),
    };
    // Others may work while the last mails end: these are theirs to send no more, and their outcome is the same whoever writes it.
    release.send_replace(true);
    if let Some(election) = election {
        drop(election.await);
    }
    controller.let_mails_end().await;
    info!("stopped");
    ended
}

/// What a replica has whether or not it leads.
struct Controller {
    clients: Clients,
    namespace: String,
    mail: mailer::Settings,
    queue: Queue,
    cache: Cache,
    own_namespace: OwnNamespace,
    /// `None`: nobody has looked yet.
    restore_mode: watch::Sender<Option<RestoreMode>>,
    metrics: Metrics,
    /// Of the term that runs.
    context: Mutex<Option<Arc<Context>>>,
    /// The mailers of all terms, each until its last mail has ended.
    mailers: Mutex<JoinSet<()>>,
}

impl Controller {
    fn new(clients: Clients, namespace: String, mail: mailer::Settings) -> Self {
        let queue = Queue::new(Clock);
        let cache = Cache::new(queue.clone());
        let own_namespace = OwnNamespace::new(&clients, &namespace);
        let restore_mode = watch::channel(None).0;
        let metrics = Metrics::new(clients.requests.clone());
        let (context, mailers) = (Mutex::default(), Mutex::default());
        Self { clients, namespace, mail, queue, cache, own_namespace, restore_mode, metrics, context, mailers }
    }

    async fn follow_restore_mode(&self) {
        let followed = self.own_namespace.follow(Clock, &self.restore_mode);
        self.cache.heart().turn("the look at the namespace", [followed]).await;
    }

    /// One term after the other, until `stop` becomes true.
    async fn terms(&self, mut elected: watch::Receiver<Option<Tenure>>, mut stop: watch::Receiver<bool>) {
        // Nothing is concluded from absence before every list is there.
        let mut complete = self.cache.complete();
        let complete = async {
            drop(complete.wait_for(|complete| *complete).await);
            info!("the caches are complete");
        };
        tokio::select! {
            () = asked(&mut stop) => return,
            () = complete => {}
        }
        while !*stop.borrow() {
            tokio::select! {
                () = asked(&mut stop) => return,
                Some(tenure) = next_tenure(&mut elected) => {
                    self.term(tenure, &stop).await;
                    self.metrics.leading(false);
                }
            }
        }
    }

    /// Ends with the tenure, when restore mode changes, or when `stop` becomes true.
    async fn term(&self, tenure: Tenure, stop: &watch::Receiver<bool>) {
        let (mut mode, mut stop) = (self.restore_mode.subscribe(), stop.clone());
        let stands = tokio::select! {
            () = asked(&mut stop) => return,
            () = tenure.ended() => return,
            Ok(mode) = mode.wait_for(Option::is_some) => mode.unwrap_or(RestoreMode::Off),
        };
        self.metrics.leading(true);
        let standing = Standing::default();
        let context = Arc::new(Context::new(
            &self.clients,
            &self.namespace,
            self.cache.clone(),
            tenure.clone(),
            &standing,
            self.metrics.clone(),
        ));
        let over = async {
            tokio::select! {
                () = asked(&mut stop) => {}
                () = tenure.ended() => {}
                _ = mode.wait_for(|mode| *mode != Some(stands)) => {}
            }
        };
        if stands.is_on() {
            tokio::select! {
                () = restore::stand_still(&context, &self.own_namespace, stands) => {}
                () = over => {}
            }
            return;
        }
        restore::tell_what_is_not_understood(&context, stands).await;
        info!("this controller works");
        *self.current() = Some(Arc::clone(&context));
        let mailer = |mailer| drop(self.mailers().spawn(mailer));
        term::run(context, &self.queue, &self.mail, standing, mailer, over).await;
        *self.current() = None;
        info!("this controller stands still");
    }

    /// Waits for the mails under way. Where their outcome stays unknown, a copy follows: so for nearly as long as Kubernetes grants.
    async fn let_mails_end(&self) {
        let mut mailers = std::mem::take(&mut *self.mailers());
        let ended = async { while mailers.join_next().await.is_some() {} };
        if timeout(LAST_MAIL_WITHIN, ended).await.is_err() {
            warn!("stopping with a mail under way: its outcome counts as unknown");
        }
    }

    fn mailers(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.mailers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Context>>> {
        self.context.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn asked(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
