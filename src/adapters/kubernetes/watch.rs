//! A watch of one kind that never ends: a list in pages, then every change, and all of it again after a break. Objects are taken
//! as they are, so that one that does not fit our types never stops the others. What is done with them never stands here.

use futures::StreamExt;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event, watcher};
use tracing::{info, warn};

use super::{ApiError, Clients};

/// Objects a page: a page is parsed as a whole, so this bounds the memory that a list takes beside its result.
const PAGE: u32 = 100;

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
    let mut events = watcher(api, Config::default().page_size(PAGE).timeout(end)).default_backoff().boxed();
    let mut trouble = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if trouble {
                    info!(resource = resource.plural, "watching again");
                    trouble = false;
                }
                take_in(Some(event));
            }
            Err(error) => {
                if !trouble {
                    warn!(resource = resource.plural, error = %cause(error), "the watch broke; it is tried again");
                    trouble = true;
                }
                take_in(None);
            }
        }
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
