//! The clinic's own Namespace object: whether restore mode is on, which controller and portal look for now and then, and the one patch
//! by which the controller ends it. What the annotation means stands in `domain::restore`.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{ApiError, Clients, Guard, Requests, guard};
use crate::adapters::clock::Clock;
use crate::domain::restore::{RESTORE_MODE, RestoreMode, WhyEnd, example};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Between two looks at least, after one that failed, and while a mode is on or to end: people wait for its end.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The Namespace of a clinic.
pub struct OwnNamespace {
    api: Api<Namespace>,
    name: String,
    requests: Requests,
}

/// What was seen of it.
struct Seen {
    mode: RestoreMode,
    guard: Guard,
}

impl OwnNamespace {
    /// The one of this name.
    pub fn new(clients: &Clients, name: &str) -> Self {
        let (api, requests) = (Api::all(clients.write.clone()), clients.requests.clone());
        Self { api, name: name.to_owned(), requests }
    }

    /// Looks until dropped: every half minute, more often while a mode is on, when its instant comes, and sooner when a request was
    /// refused. When a look fails the mode stays as it was seen last; `None`: nobody has looked yet.
    pub async fn follow(&self, clock: Clock, mode: &watch::Sender<Option<RestoreMode>>) {
        let mut failing = false;
        loop {
            let (wait, ends_at) = match self.look(clock.now()).await {
                Ok(Seen { mode: seen, .. }) => {
                    failing = false;
                    if mode.send_if_modified(|was| was.replace(seen) != Some(seen)) {
                        tell(seen, clock.now());
                    }
                    next_look(seen)
                }
                Err(error) => {
                    if !failing {
                        warn!(%error, "failed to read the namespace's annotations");
                    }
                    failing = true;
                    (LOOK_AGAIN_AFTER, None)
                }
            };
            let comes = async {
                match ends_at {
                    Some(_) => clock.reached(ends_at).await,
                    None => std::future::pending().await,
                }
            };
            // A right that is missing is refused again and again.
            let refused = async {
                sleep(LOOK_AGAIN_AFTER).await;
                self.requests.refused().await;
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = comes => {}
                () = refused => {}
            }
        }
    }

    /// Ends a mode that is to end, by what the API server says now. The annotation alone is removed, as it was read.
    ///
    /// # Errors
    /// A failed request; [`ApiError::Conflict`]: somebody else wrote the Namespace, and nothing was written.
    pub async fn end_restore_mode(&self, now: Timestamp) -> Result<Option<WhyEnd>, ApiError> {
        let Seen { mode: RestoreMode::ToEnd(why), guard } = self.look(now).await? else { return Ok(None) };
        let metadata = json!({
            "uid": guard.uid,
            "resourceVersion": guard.resource_version,
            "annotations": {RESTORE_MODE: null},
        });
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        self.api.patch(&self.name, &PatchParams::default(), &patch).await?;
        Ok(Some(why))
    }

    async fn look(&self, now: Timestamp) -> Result<Seen, ApiError> {
        let namespace = self.api.get(&self.name).await?;
        let annotation = namespace.annotations().get(RESTORE_MODE).map(String::as_str);
        Ok(Seen { mode: RestoreMode::of(annotation, now), guard: guard(&namespace.metadata) })
    }
}

/// After how long to look again, and an instant that is waited for too.
fn next_look(seen: RestoreMode) -> (Duration, Option<Timestamp>) {
    match seen {
        RestoreMode::On { until } => (LOOK_AGAIN_AFTER, Some(until)),
        RestoreMode::ToEnd(_) => (LOOK_AGAIN_AFTER, None),
        RestoreMode::Off | RestoreMode::NotUnderstood => (LOOK_EVERY, None),
    }
}

fn tell(mode: RestoreMode, now: Timestamp) {
    match mode {
        RestoreMode::On { until } => warn!(
            %until,
            "restore mode is on (annotation {RESTORE_MODE} of the namespace): the controller and the portal write no record, and nobody is mailed"
        ),
        RestoreMode::Off => info!("restore mode is off"),
        RestoreMode::NotUnderstood => warn!(
            "the annotation {RESTORE_MODE} of the namespace has a value that turns nothing on; to restore, write an instant within 24 hours, such as \"{}\"",
            example(now)
        ),
        RestoreMode::ToEnd(WhyEnd::Past { until }) => {
            warn!(%until, "restore mode is past its instant; the controller that leads ends it, and until then records can be restored");
        }
        RestoreMode::ToEnd(WhyEnd::TooFar | WhyEnd::NoInstant) => warn!(
            "restore mode was turned on until no instant within 24 hours; the controller that leads ends it: write one that is"
        ),
    }
}
