//! A watch of one kind that never ends: a list in pages, then every change, and all of it again after a break. Objects are taken
//! as they are, so that one that does not fit our types never stops the others. What is done with them never stands here.

use std::time::Duration;

use futures::StreamExt;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Config, DefaultBackoff, Event, watcher};
use tokio::time::sleep;
use tracing::{info, warn};

use super::{ApiError, Clients};

/// Objects a page: a page is parsed as a whole, so this bounds the memory that a list takes beside its result.
const PAGE: u32 = 100;
/// Longest pause between two tries.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Watches a kind in `namespace` until it is dropped, and hands each event to `take_in`; `None`: the watch broke, and is tried
/// again.
pub async fn watch(
    clients: &Clients,
    namespace: &str,
    resource: &ApiResource,
    mut take_in: impl FnMut(Option<Event<DynamicObject>>),
) {
    let api: Api<DynamicObject> = Api::namespaced_with(clients.watch.clone(), namespace, resource);
    let end = u32::try_from(clients.watches_end_after.as_secs()).unwrap_or(u32::MAX);
    let mut backoff = DefaultBackoff::default();
    let mut trouble = false;
    loop {
        let mut events = watcher(api.clone(), Config::default().page_size(PAGE).timeout(end)).boxed();
        let error = loop {
            match events.next().await {
                Some(Ok(event)) => {
                    if trouble && matches!(event, Event::InitDone) {
                        info!(resource = resource.plural, "watching again");
                        trouble = false;
                    }
                    take_in(Some(event));
                }
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        // A watch that goes on where it broke would not say so before something changes; a new list does.
        drop(events);
        if !trouble {
            let error = error.map(|error| cause(error).to_string()).unwrap_or_default();
            warn!(resource = resource.plural, error, "the watch broke; it is tried again");
            trouble = true;
        }
        take_in(None);
        sleep(backoff.next().unwrap_or(LONGEST_BACKOFF)).await;
    }
}

fn cause(error: watcher::Error) -> ApiError {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error.into(),
        watcher::Error::WatchError(status) => ApiError::from(&*status),
        watcher::Error::NoResourceVersion => ApiError::NoAnswer("no resource version in the watch".to_owned()),
    }
}
