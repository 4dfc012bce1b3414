//! What every reconcile is given: the cache, the clock, the outbox, the mailer's standing, and the two writes that several
//! of them make: a status and a block of an account. What is written is decided elsewhere.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::core::ObjectMeta;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch::{self, Receiver};

use super::accounts::Admissions;
use super::cache::{Cache, Kind};
use super::metrics::Metrics;
use super::outbox::Outbox;
use super::suspensions::Suspensions;
use crate::adapters::clock::Clock;
use crate::adapters::kubernetes::{ApiError, Clients, Store, Stored, Tenure, guard, merge_difference};
use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, ServiceAccount};
use crate::domain::mailer::MailerStanding;

/// Everything is looked at so often, since clocks can jump.
pub const LOOK_AT_EVERYTHING_EVERY: Duration = Duration::from_secs(3600);

/// How the relay stands: what the mailer tells, and what members are told.
pub struct Standing {
    /// What the mailer tells.
    pub told: watch::Sender<MailerStanding>,
    /// What members are told.
    pub for_members: watch::Sender<MailerStanding>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { told: watch::channel(MailerStanding::Up).0, for_members: watch::channel(MailerStanding::Up).0 }
    }
}

/// See the file's head.
pub struct Context {
    /// What is known of the clinic's objects.
    pub cache: Cache,
    /// The time.
    pub clock: Clock,
    /// In which all of it is done.
    pub tenure: Tenure,
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
    /// Events on members.
    pub events: Store<Event>,
    /// The clinic's namespace.
    pub namespace: String,
    /// The accounts whose mail waits.
    pub outbox: Outbox,
    /// Whether mail goes out.
    pub mailer: Receiver<MailerStanding>,
    /// The same as members are told: that it goes out again only once it has for a while.
    pub mailer_for_members: Receiver<MailerStanding>,
    /// The rounds that wait for their turn, which the guard of invitations counts.
    pub admissions: Admissions,
    /// The suspensions that the Clinic has not told yet.
    pub suspensions: Suspensions,
    /// Counters.
    pub metrics: Metrics,
}

impl Context {
    /// Puts the parts together.
    pub fn new(
        clients: &Clients,
        namespace: &str,
        cache: Cache,
        tenure: Tenure,
        standing: &Standing,
        metrics: Metrics,
    ) -> Self {
        Self {
            cache,
            clock: Clock,
            tenure,
            clinics: Store::new(&clients.write, namespace),
            users: Store::new(&clients.write, namespace),
            service_accounts: Store::new(&clients.write, namespace),
            accounts: Store::new(&clients.write, namespace),
            claims: Store::new(&clients.write, namespace),
            events: Store::new(&clients.write, namespace),
            namespace: namespace.to_owned(),
            outbox: Outbox::default(),
            mailer: standing.told.subscribe(),
            mailer_for_members: standing.for_members.subscribe(),
            admissions: Admissions::default(),
            suspensions: Suspensions::default(),
            metrics,
        }
    }
}

/// What became of a guarded write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// It was made, or there was nothing to write.
    Written,
    /// The object was not as it was read, so nothing was written.
    Stale,
}

impl Context {
    /// To be asked before each write but that of a mail's outcome, which is true whoever leads. A controller that stood still for
    /// longer than its tenure finds out here; what it had asked for before that is up to the guards.
    ///
    /// # Errors
    /// The tenure is over.
    pub fn may_write(&self) -> Result<(), ReconcileError> {
        if self.tenure.lasts() { Ok(()) } else { Err(ReconcileError::NotLeading) }
    }

    /// Writes the status of an object if `wanted` differs from the status `before` that was read. Either way the cache has the
    /// latest afterwards, or will be told by the watch: a stale object is being edited or deleted, which brings us back.
    pub async fn write_status<K>(
        &self,
        store: &Store<K>,
        kind: Kind,
        metadata: &ObjectMeta,
        before: &impl Serialize,
        wanted: &impl Serialize,
    ) -> Result<Guarded, ReconcileError>
    where
        K: Stored,
    {
        let Some(difference) = merge_difference(&serde_json::to_value(before)?, &serde_json::to_value(wanted)?) else {
            return Ok(Guarded::Written);
        };
        self.may_write()?;
        let name = metadata.name.as_deref().unwrap_or_default();
        match store.patch_status(name, &guard(metadata), &difference).await {
            Ok(written) => {
                self.cache.put(kind, &written);
                Ok(Guarded::Written)
            }
            Err(ApiError::Conflict | ApiError::NotFound) => Ok(Guarded::Stale),
            Err(error) => Err(error.into()),
        }
    }

    /// Patches an account as it was read. If it is stale it is read again, so that whoever decides again sees the latest.
    pub async fn patch_account(&self, account: &ClinicAccount, spec: &Value) -> Result<Guarded, ReconcileError> {
        self.may_write()?;
        let name = &account.spec.id;
        let (known, result) = match self.accounts.patch_spec(name, &guard(&account.metadata), spec).await {
            Ok(written) => (written, Guarded::Written),
            Err(ApiError::Conflict) => (self.accounts.read(name).await?, Guarded::Stale),
            Err(error) => return Err(error.into()),
        };
        self.cache.put(Kind::ClinicAccount, &known);
        Ok(result)
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
    /// Another replica may lead by now, so nothing was written.
    #[error("this controller does not have the lease any more")]
    NotLeading,
    /// An object of ours cannot be written as JSON.
    #[error("failed to serialise an object")]
    Serialise(#[from] serde_json::Error),
    /// The rules did not come to rest.
    #[error(
        "failed to come to rest: the object is changed by others at the same time, or two rules contradict each other"
    )]
    TooManySteps,
}
