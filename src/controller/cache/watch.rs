//! Keeps the cache as the API server has it: one watch for each kind, in pages, again after every break. Objects are taken as
//! they are and parsed one by one later, so that one that does not fit our types never stops the others.

use std::collections::HashSet;

use futures::{StreamExt, future::join_all};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::ObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event, watcher};
use tracing::{info, warn};

use super::{Cache, Kind};
use crate::adapters::kubernetes::ApiError;
use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, ServiceAccount};

/// Objects a page: a page is parsed as a whole, so this bounds the memory that a list takes beside its result.
const PAGE: u32 = 100;

/// Watches every kind in `namespace` until it is dropped.
pub async fn watch_all(cache: &Cache, client: &Client, namespace: &str) {
    join_all(Kind::ALL.map(|kind| watch(cache, kind, client, namespace))).await;
}

async fn watch(cache: &Cache, kind: Kind, client: &Client, namespace: &str) {
    let resource = resource(kind);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let mut events = watcher(api, Config::default().page_size(PAGE)).default_backoff().boxed();
    let mut listing = HashSet::new();
    let mut trouble = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if trouble {
                    info!(resource = resource.plural, "watching again");
                    trouble = false;
                }
                take_in(cache, kind, event, &mut listing);
            }
            Err(error) => {
                if !trouble {
                    warn!(resource = resource.plural, error = %cause(error), "the watch broke; it is tried again");
                    trouble = true;
                }
            }
        }
    }
}

fn take_in(cache: &Cache, kind: Kind, event: Event<DynamicObject>, listing: &mut HashSet<String>) {
    let work = match event {
        Event::Init => {
            listing.clear();
            return;
        }
        Event::InitApply(object) => {
            listing.extend(object.metadata.name.clone());
            cache.read().apply(kind, object)
        }
        Event::InitDone => cache.read().listed(kind, listing),
        Event::Apply(object) => {
            let mut index = cache.read();
            index.watched(kind, &object.metadata);
            index.apply(kind, object)
        }
        Event::Delete(object) => {
            let mut index = cache.read();
            index.watched(kind, &object.metadata);
            let ObjectMeta { name, uid, .. } = object.metadata;
            index.remove(kind, name.as_deref().unwrap_or_default(), uid.as_deref())
        }
    };
    // Until every list is there nothing is worked on, and then everything is.
    if !cache.read().is_complete() {
        return;
    }
    if cache.complete.send_if_modified(|was| !std::mem::replace(was, true)) {
        cache.work_on_everything();
    } else {
        cache.enqueue(work);
    }
}

fn resource(kind: Kind) -> ApiResource {
    match kind {
        Kind::Clinic => ApiResource::erase::<Clinic>(&()),
        Kind::ClinicUser => ApiResource::erase::<ClinicUser>(&()),
        Kind::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
        Kind::ClinicAccount => ApiResource::erase::<ClinicAccount>(&()),
        Kind::EmailClaim => ApiResource::erase::<EmailClaim>(&()),
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
