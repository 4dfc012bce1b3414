//! Which of a clinic's controllers works: the holder of a Lease, which is created by name, taken over and renewed with its
//! resourceVersion. It saves work, and keeps two from counting the same hour apart; that no write goes wrong is up to each write's own
//! guard. What the holder does never stands here.
//!
//! A tenure ends [`RENEWED_WITHIN`] after its last renewal was asked for. Another one takes over [`TAKEN_AFTER`] after it has seen
//! the Lease change for the last time, on its own monotonic clock: no two clocks are compared, and the five seconds in between
//! are for clocks that run at different speeds.

use std::future::pending;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::ApiError;
use crate::adapters::clock::Clock;

/// The Lease's name: one in each clinic's namespace.
pub const LEASE: &str = "clinic-operator";
/// So long a Lease must have stood still before another holder takes it.
const TAKEN_AFTER: Duration = Duration::from_secs(15);
/// So long after a renewal was asked for its holder works on without another.
const RENEWED_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at the Lease, renewals included.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between two looks, the first of which failed.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long one look may take: a request as a rule, three if somebody else wrote meanwhile.
const ONE_LOOK: Duration = Duration::from_secs(4);

/// The time in which a controller works. It can end at any moment, and says so; a copy tells the same.
#[derive(Clone, Debug)]
pub struct Tenure {
    end: watch::Receiver<End>,
    clock: Clock,
}

/// When a tenure ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It does not.
    Never,
    /// Unless it is renewed. On two clocks: the monotonic one stands still while a machine is suspended, the wall clock can be set back.
    At(Instant, Timestamp),
    /// It has ended.
    Passed,
}

impl End {
    /// Of a tenure that was asked for, or for which a renewal was, at this time of the two clocks.
    fn of_what_was_asked(at: Instant, wall: Timestamp) -> Self {
        let longest = SignedDuration::try_from(RENEWED_WITHIN).unwrap_or(SignedDuration::ZERO);
        Self::At(at + RENEWED_WITHIN, wall.saturating_add(longest).unwrap_or(wall))
    }

    fn has_come(self, clock: Clock) -> bool {
        match self {
            Self::Never => false,
            Self::At(until, wall) => clock.monotonic() >= until || clock.now() > wall,
            Self::Passed => true,
        }
    }
}

impl Tenure {
    /// One that never ends, for a controller that is the only one.
    pub fn for_good() -> Self {
        Self { end: watch::channel(End::Never).1, clock: Clock }
    }

    /// Whether it is one that never ends.
    pub fn is_for_good(&self) -> bool {
        *self.end.borrow() == End::Never
    }

    /// Whether it lasts still.
    pub fn lasts(&self) -> bool {
        !self.end.borrow().has_come(self.clock)
    }

    /// Waits for its end.
    pub async fn ended(&self) {
        let mut end = self.end.clone();
        while self.lasts() {
            let known = *end.borrow_and_update();
            let another = async {
                // Nobody is left to renew it.
                if end.changed().await.is_err() {
                    pending::<()>().await;
                }
            };
            match known {
                End::At(until, _) => tokio::select! {
                    () = sleep_until(until) => {}
                    () = another => {}
                    // The wall clock may have been set, or the machine have slept.
                    () = sleep(LOOK_EVERY) => {}
                },
                End::Never | End::Passed => another.await,
            }
        }
    }
}

/// The next tenure that lasts; `None`: there never will be another.
pub async fn next_tenure(elected: &mut watch::Receiver<Option<Tenure>>) -> Option<Tenure> {
    loop {
        let lasts = elected.wait_for(|tenure| tenure.as_ref().is_some_and(Tenure::lasts));
        // Now and then, since one can last again although nobody tells: when the wall clock jumped and was set back.
        if let Ok(found) = timeout(LOOK_EVERY, lasts).await {
            return found.ok()?.clone();
        }
    }
}

/// What is to be done about the Lease.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// There is none.
    Create,
    /// It is ours, or nobody's, or its holder has been silent for too long: to be written over exactly as it was read.
    Take,
    /// Somebody else has it.
    Wait,
}

/// A Lease as it was first seen in its present version.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    /// `None`: there is none, but there was one before.
    version: Option<String>,
    since: Instant,
}

/// Decides by what is read now, and for how long it has been so.
fn decide(lease: Option<&Lease>, me: &str, seen: Option<&Seen>, now: Instant) -> Step {
    let still_for = seen.map(|seen| now.saturating_duration_since(seen.since));
    let Some(spec) = lease.map(|lease| lease.spec.clone().unwrap_or_default()) else {
        // One that somebody deleted still has a holder, who does not know yet.
        return if still_for.is_none_or(|still_for| still_for >= TAKEN_AFTER) { Step::Create } else { Step::Wait };
    };
    let holder = spec.holder_identity.unwrap_or_default();
    if holder.is_empty() || holder == me {
        return Step::Take;
    }
    // A holder of another version may need longer.
    let promised = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    let silent = TAKEN_AFTER.max(Duration::from_secs(promised));
    if still_for.is_some_and(|still_for| still_for >= silent) { Step::Take } else { Step::Wait }
}

/// The Lease as its next holder writes it: from `before`, whose resourceVersion guards it.
fn taken(before: Option<&Lease>, me: &str, now: Timestamp) -> Lease {
    let known = before.and_then(|lease| lease.spec.clone()).unwrap_or_default();
    let stays = known.holder_identity.as_deref() == Some(me);
    let transitions = known.lease_transitions.unwrap_or(0);
    let spec = LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(TAKEN_AFTER.as_secs()).ok(),
        acquire_time: if stays { known.acquire_time } else { Some(MicroTime(now)) },
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(if stays || before.is_none() { transitions } else { transitions.saturating_add(1) }),
        ..LeaseSpec::default()
    };
    let metadata = before.map_or_else(
        || ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() },
        |lease| ObjectMeta { managed_fields: None, ..lease.metadata.clone() },
    );
    Lease { metadata, spec: Some(spec) }
}

/// Takes part in the choice.
pub struct Elector {
    leases: Api<Lease>,
    me: String,
    clock: Clock,
    seen: Option<Seen>,
    held: Option<Held>,
    elected: watch::Sender<Option<Tenure>>,
}

/// What the holder knows.
struct Held {
    lease: Lease,
    end: watch::Sender<End>,
}

impl Elector {
    /// One that is called `me`, a name that nobody else ever has, in `namespace`.
    pub fn new(client: &Client, namespace: &str, me: String) -> Self {
        let elected = watch::channel(None).0;
        Self { leases: Api::namespaced(client.clone(), namespace), me, clock: Clock, seen: None, held: None, elected }
    }

    /// Tells of each tenure when it begins. A tenure tells of its end itself.
    pub fn elected(&self) -> watch::Receiver<Option<Tenure>> {
        self.elected.subscribe()
    }

    /// Takes part until `stop` becomes true or its sender is gone, and then gives the Lease up, so that nobody has to wait for it to run
    /// out: the work must have stopped by then. A look under way is ended first.
    pub async fn run(&mut self, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        while !*stop.borrow() {
            let failed = match timeout(ONE_LOOK, self.look()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("no answer from the API server in time".to_owned()),
            };
            match &failed {
                // Once, not every half second.
                Some(error) if !failing => warn!(error, "failed to read or renew the lease"),
                Some(_) | None => {}
            }
            failing = failed.is_some();
            let pause = if failing { LOOK_AGAIN_AFTER } else { LOOK_EVERY };
            if let Ok(Err(_)) = timeout(pause, stop.wait_for(|stop| *stop)).await {
                break;
            }
        }
        if timeout(ONE_LOOK, self.give_up()).await.is_err() {
            warn!("failed to give up the lease: the next controller waits until it runs out");
        }
    }

    async fn look(&mut self) -> Result<(), ApiError> {
        if self.held.as_ref().is_some_and(|held| held.end.borrow().has_come(self.clock)) {
            warn!("the lease was not renewed in time: this controller stands by");
            self.leave();
        }
        loop {
            let lease = match &self.held {
                Some(held) => Some(held.lease.clone()),
                None => self.read().await?,
            };
            let (asked, asked_at) = (self.clock.monotonic(), self.clock.now());
            let wanted = taken(lease.as_ref(), &self.me, asked_at);
            let written = match decide(lease.as_ref(), &self.me, self.seen.as_ref(), asked) {
                Step::Wait => return Ok(()),
                Step::Create => self.leases.create(&PostParams::default(), &wanted).await,
                Step::Take => self.leases.replace(LEASE, &PostParams::default(), &wanted).await,
            };
            match written.map_err(ApiError::from) {
                Ok(lease) => {
                    self.keep(lease, End::of_what_was_asked(asked, asked_at));
                    return Ok(());
                }
                // Somebody has written it since, perhaps this one, by a renewal whose answer was lost.
                Err(ApiError::Conflict | ApiError::AlreadyExists | ApiError::NotFound)
                    if self.still_has_it().await? => {}
                Err(ApiError::Conflict | ApiError::AlreadyExists | ApiError::NotFound) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the Lease, and notes when it was first seen as it is.
    async fn read(&mut self) -> Result<Option<Lease>, ApiError> {
        let lease = self.leases.get_opt(LEASE).await?;
        let version = lease.as_ref().and_then(ResourceExt::resource_version);
        let is_news = match &self.seen {
            Some(seen) => seen.version != version,
            None => version.is_some(),
        };
        if is_news {
            self.seen = Some(Seen { version, since: self.clock.monotonic() });
        }
        Ok(lease)
    }

    /// Whether this one has the Lease, as it is now read.
    async fn still_has_it(&mut self) -> Result<bool, ApiError> {
        let lease = self.read().await?;
        let holder = lease.as_ref().and_then(|lease| lease.spec.as_ref()?.holder_identity.as_deref());
        let is_ours = holder == Some(&self.me);
        match (lease, &mut self.held) {
            (Some(lease), Some(held)) if is_ours => held.lease = lease,
            (_, Some(_)) => {
                warn!("another controller has taken the lease: this one stands by");
                self.leave();
            }
            (_, None) => {}
        }
        Ok(is_ours && self.held.is_some())
    }

    fn keep(&mut self, lease: Lease, end: End) {
        match &mut self.held {
            // A tenure that has ended stays so, since whoever worked in it has stopped: another one begins.
            Some(held) if !held.end.borrow().has_come(self.clock) => {
                held.lease = lease;
                held.end.send_replace(end);
            }
            Some(_) | None => {
                self.leave();
                info!(identity = self.me, "this controller has the lease");
                let (sender, receiver) = watch::channel(end);
                self.held = Some(Held { lease, end: sender });
                self.elected.send_replace(Some(Tenure { end: receiver, clock: self.clock }));
            }
        }
    }

    /// Ends the tenure for good.
    fn leave(&mut self) {
        if let Some(held) = self.held.take() {
            held.end.send_replace(End::Passed);
        }
    }

    async fn give_up(&mut self) {
        let Some(held) = &self.held else { return };
        let mut lease = Some(held.lease.clone());
        held.end.send_replace(End::Passed);
        // The second time as it is read, if a renewal was carried out whose answer was lost.
        for _ in 0..2 {
            let Some(known) = lease else { return };
            let mut free = taken(Some(&known), &self.me, self.clock.now());
            if let Some(spec) = &mut free.spec {
                spec.holder_identity = None;
            }
            let written = self.leases.replace(LEASE, &PostParams::default(), &free).await.map_err(ApiError::from);
            match written {
                Ok(_) => return info!("the lease was given up"),
                Err(error) => warn!(%error, "failed to give up the lease"),
            }
            lease = match self.still_has_it().await {
                Ok(true) => self.held.as_ref().map(|held| held.lease.clone()),
                Ok(false) | Err(_) => None,
            };
        }
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
