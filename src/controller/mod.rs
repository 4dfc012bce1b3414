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
pub mod rights;
mod service_accounts;
mod spans;

use std::collections::HashMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{Instrument, debug, info, warn};

use self::cache::{Cache, watch_all};
use self::context::{Context, LOOK_AT_EVERYTHING_EVERY, ReconcileError};
use self::mailer::Mailer;
use self::metrics::Metrics;
use self::queue::{Key, Queue};
use crate::adapters::clock::Clock;
use crate::adapters::kubernetes::{Clients, PreflightError, preflight};
use crate::adapters::mail::TlsMode;
use crate::adapters::probes;
use crate::adapters::random::fraction;
use crate::domain::mailer::MailerStanding;

/// After how long the API server is to end a watch (it allows 295 s at most, as kube sees it): what changes meanwhile is told at
/// once anyway.
pub const WATCHES_END_AFTER: Duration = Duration::from_secs(290);
/// How long mails under way are waited for when the process is asked to stop.
const LAST_MAIL_WITHIN: Duration = Duration::from_secs(4);
/// How long the relay must have worked before members are told that it does.
const STEADY_AFTER: Duration = Duration::from_secs(60);
/// First wait after a reconcile failed; doubled with each failure in a row.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest wait.
const LONGEST_RETRY: Duration = Duration::from_secs(300);

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
}

/// Runs until `stop` becomes true.
///
/// # Errors
/// See [`ControllerError`].
pub async fn run(clients: Clients, settings: Settings, stop: watch::Receiver<bool>) -> Result<(), ControllerError> {
    let Settings { namespace, listen, mailer: mail } = settings;
    let mut asked_to_stop = stop.clone();
    let rights = rights::rights();
    tokio::select! {
        result = preflight(&clients, &namespace, &rights, "clinic-operator role") => result?,
        _ = asked_to_stop.wait_for(|stop| *stop) => return Ok(()),
    }
    let queue = Queue::new(Clock);
    let cache = Cache::new(queue.clone());
    let (standing, mailer_standing) = watch::channel(MailerStanding::Up);
    let (for_members, mailer_for_members) = watch::channel(MailerStanding::Up);
    let context = Arc::new(Context::new(
        &clients,
        &namespace,
        cache.clone(),
        mailer_standing.clone(),
        mailer_for_members,
        Metrics::new(clients.requests.clone()),
    ));
    let listener = TcpListener::bind(listen).await.map_err(|error| ControllerError::Listen(listen, error))?;
    info!(namespace, version = env!("CARGO_PKG_VERSION"), "started");
    if mail.relay.tls == TlsMode::None {
        warn!("mail.tls is None: mails, their links and the relay's password travel in the clear");
    }

    let mailer = Arc::new(Mailer::new(Arc::clone(&context), mail, standing, stop.clone()));
    // Nothing is concluded from absence before every list is there, and nothing worked on before it is known how the relay stood.
    let ready = async {
        drop(cache.complete().wait_for(|complete| *complete).await);
        let pace = mailer.recollect();
        for_members.send_replace(mailer_standing.borrow().clone());
        info!("the caches are complete");
        context.metrics.leading(true);
        pace
    };
    let ready = ready.shared();
    let work = async {
        ready.clone().await;
        work(&context, &queue).await;
    };
    let mails = async {
        let mut asked_to_stop = stop.clone();
        let pace = tokio::select! {
            pace = ready.clone() => pace,
            _ = asked_to_stop.wait_for(|stop| *stop) => return,
        };
        Arc::clone(&mailer).run(pace).await;
    };
    let tell = async {
        ready.clone().await;
        tell_how_the_mailer_stands(&cache, mailer_standing.clone(), &for_members).await;
    };
    let others = async {
        tokio::select! {
            () = watch_all(&cache, &clients, &namespace) => {}
            () = work => {}
            () = tell => {}
            () = look_at_everything_now_and_then(&cache, context.clock) => {}
            result = probes::serve(listener, Arc::clone(&context)) => return result.map_err(|error| ControllerError::Listen(listen, error)),
            _ = asked_to_stop.wait_for(|stop| *stop) => {}
        }
        Ok(())
    };
    // The mailer ends after the others: outcomes of mails under way are still written.
    let mails = mails.shared();
    let ended = tokio::select! {
        ended = others => ended,
        () = mails.clone().then(|()| pending::<()>()) => Ok(()),
    };
    if timeout(LAST_MAIL_WITHIN, mails).await.is_err() {
        warn!("stopping with a mail under way: its outcome counts as unknown");
    }
    info!("stopped");
    ended
}

/// What changes by itself later than this is not kept as a timer for each object: it is found here. A timer does not see
/// that the clock was set, so then too.
async fn look_at_everything_now_and_then(cache: &Cache, clock: Clock) {
    loop {
        tokio::select! {
            () = sleep(LOOK_AT_EVERYTHING_EVERY) => {}
            () = clock.jumped() => info!("the clock was set; everything is looked at again"),
        }
        cache.work_on_everything();
    }
}

/// The Clinic is told at once how the relay stands and why; members whose mail waits, that it fails at once, and that it works
/// only once it has for a while: a relay that lets one mail in now and then is not worth two writes for everybody who waits.
async fn tell_how_the_mailer_stands(
    cache: &Cache,
    mut standing: watch::Receiver<MailerStanding>,
    for_members: &watch::Sender<MailerStanding>,
) {
    loop {
        let now = standing.borrow_and_update().clone();
        cache.work_on(Key::Clinic, Duration::ZERO);
        let members_wait = now == MailerStanding::Up && *for_members.borrow() != MailerStanding::Up;
        if members_wait && timeout(STEADY_AFTER, standing.changed()).await.is_ok_and(|changed| changed.is_ok()) {
            continue;
        }
        let is_news = for_members.send_if_modified(|was| {
            let differs = (*was == MailerStanding::Up) != (now == MailerStanding::Up);
            was.clone_from(&now);
            differs
        });
        if is_news {
            cache.work_on_everything();
        }
        if standing.changed().await.is_err() {
            return;
        }
    }
}

async fn work(context: &Context, queue: &Queue) {
    let failures: Mutex<HashMap<Key, u32>> = Mutex::default();
    let failures = &failures;
    queue
        .run(|key| async move {
            let (span, begun) = (spans::of_a_reconcile(&key), context.clock.monotonic());
            let result = reconcile(context, &key).instrument(span.clone()).await;
            let _within = span.entered();
            let took = begun.elapsed();
            context.metrics.reconciled(key.controller(), result.as_ref().map(drop).map_err(drop), took);
            let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
            let again = match result {
                Ok(again) => {
                    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                    debug!(milliseconds, "reconciled");
                    failures.remove(&key);
                    again
                }
                Err(error) => {
                    let in_a_row = failures.entry(key.clone()).or_default();
                    let wait = FIRST_RETRY.saturating_mul(1 << (*in_a_row).min(16)).min(LONGEST_RETRY);
                    *in_a_row = in_a_row.saturating_add(1);
                    warn!(?key, %error, "a reconcile failed; it is tried again");
                    Some(wait.mul_f64(0.5 + fraction() / 2.0))
                }
            };
            context.metrics.retrying(failures.len());
            again
        })
        .await;
}

async fn reconcile(context: &Context, key: &Key) -> Result<Option<Duration>, ReconcileError> {
    match key {
        Key::Clinic => clinic::reconcile(context).await,
        Key::Member(name) => members::reconcile(context, name).await,
        Key::ServiceAccount(name) => service_accounts::reconcile(context, name).await,
        Key::Account(name) => accounts::reconcile(context, name).await,
        Key::Removals => members::removal::reconcile(context).await,
    }
}
