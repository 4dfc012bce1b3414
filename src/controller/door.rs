//! The door for restores: an annotation of the clinic's namespace with which records are open to whoever restores them, and closed to
//! us. The API server's policies see it at once and refuse our writes; here it is asked for now and then, so that we stand still.
//! What the policies say never stands here.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::adapters::kubernetes::{ApiError, Clients};

/// The annotation.
pub const RESTORE_DOOR: &str = "clinic-operator.dev/restore-door";
/// Its value while the door is open; any other means shut.
pub const OPEN: &str = "open";
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Between two looks at least, and after one that failed.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How the door stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Nobody has looked yet.
    Unknown,
    /// We work.
    Shut,
    /// Somebody restores: we stand still.
    Open,
}

/// Looks until dropped, and sooner when a request was refused. When a look fails the door stays as it was seen last.
pub async fn follow(clients: &Clients, namespace: &str, door: &watch::Sender<Door>) {
    let mut failing = false;
    loop {
        let wait = match look(&clients.write, namespace).await {
            Ok(seen) => {
                failing = false;
                if door.send_if_modified(|was| std::mem::replace(was, seen) != seen) {
                    tell(seen);
                }
                LOOK_EVERY
            }
            Err(error) => {
                if !failing {
                    warn!(%error, "failed to read the namespace's annotations");
                }
                failing = true;
                LOOK_AGAIN_AFTER
            }
        };
        // A right that is missing is refused again and again.
        sleep(LOOK_AGAIN_AFTER).await;
        drop(timeout(wait.saturating_sub(LOOK_AGAIN_AFTER), clients.requests.refused()).await);
    }
}

fn tell(door: Door) {
    match door {
        Door::Open => warn!(
            "the door for restores is open (annotation {RESTORE_DOOR} of the namespace): nothing is written or mailed"
        ),
        Door::Shut => info!("the door for restores is shut"),
        Door::Unknown => {}
    }
}

async fn look(client: &Client, namespace: &str) -> Result<Door, ApiError> {
    let namespace = Api::<Namespace>::all(client.clone()).get(namespace).await?;
    let is_open = namespace.annotations().get(RESTORE_DOOR).is_some_and(|value| value == OPEN);
    Ok(if is_open { Door::Open } else { Door::Shut })
}
