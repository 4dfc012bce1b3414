//! What every reconcile is given: the cache, the guarded writes, the clock, the outbox and the mailer's standing.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch::Receiver;

use super::cache::Cache;
use super::metrics::Metrics;
use super::outbox::Outbox;
use crate::adapters::clock::Clock;
use crate::adapters::kubernetes::{ApiError, Clients, Store};
use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, ServiceAccount};
use crate::domain::lifecycle::MailerStanding;

/// Everything is looked at so often, since clocks can jump.
pub const LOOK_AT_EVERYTHING_EVERY: Duration = Duration::from_secs(3600);

/// See the file's head.
pub struct Context {
    /// What is known of the clinic's objects.
    pub cache: Cache,
    /// The time.
    pub clock: Clock,
    /// Status of the clinic.
    pub clinics: Store<Clinic>,
    /// Status of members.
    pub users: Store<ClinicUser>,
    /// Status of service accounts.
    pub service_accounts: Store<ServiceAccount>,
    /// Accounts.
    pub accounts: Store<ClinicAccount>,
    /// Claims.
    pub claims: Store<EmailClaim>,
    /// The accounts whose mail waits.
    pub outbox: Outbox,
    /// Whether mail goes out.
    pub mailer: Receiver<MailerStanding>,
    /// Counters.
    pub metrics: Metrics,
}

impl Context {
    /// Puts the parts together.
    pub fn new(
        clients: &Clients,
        namespace: &str,
        cache: Cache,
        mailer: Receiver<MailerStanding>,
        metrics: Metrics,
    ) -> Self {
        Self {
            cache,
            clock: Clock,
            clinics: Store::new(&clients.write, namespace),
            users: Store::new(&clients.write, namespace),
            service_accounts: Store::new(&clients.write, namespace),
            accounts: Store::new(&clients.write, namespace),
            claims: Store::new(&clients.write, namespace),
            outbox: Outbox::default(),
            mailer,
            metrics,
        }
    }
}

/// How long to wait for `instant`: at least a second. `None`: it will be looked at anyway before then.
pub fn wait_until(instant: Timestamp, now: Timestamp) -> Option<Duration> {
    let wait = Duration::try_from(instant.duration_since(now)).unwrap_or_default().max(Duration::from_secs(1));
    (wait < LOOK_AT_EVERYTHING_EVERY).then_some(wait)
}

/// Why a reconcile failed. All of them are tried again, with back-off.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// An API request.
    #[error("{0}")]
    Api(#[from] ApiError),
    /// An object of ours cannot be written as JSON.
    #[error("failed to serialise an object")]
    Serialise(#[from] serde_json::Error),
    /// The rules did not come to rest.
    #[error(
        "failed to come to rest: the object is changed by others at the same time, or two rules contradict each other"
    )]
    TooManySteps,
}
