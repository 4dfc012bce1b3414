//! Keeps the cache as the API server has it: one watch for each kind.

use std::collections::HashSet;

use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::Event;

use super::{Cache, Kind, name_and_uid};
use crate::adapters::kubernetes::{Clients, watch};
use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, ServiceAccount};

/// Watches every kind in `namespace` until it is dropped.
pub async fn watch_all(cache: &Cache, clients: &Clients, namespace: &str) {
    let one = |kind| async move {
        let mut listing = HashSet::new();
        let take_in = |event: Option<Event<DynamicObject>>| {
            if let Some(event) = event {
                take_in(cache, kind, event, &mut listing);
            }
        };
        watch(clients, namespace, &resource(kind), take_in).await;
    };
    cache.heart().turn("a watch", Kind::ALL.map(one)).await;
}

fn take_in(cache: &Cache, kind: Kind, event: Event<DynamicObject>, listing: &mut HashSet<String>) {
    let work = match event {
        Event::Init => {
            listing.clear();
            return;
        }
        Event::InitApply(object) => {
            listing.extend(object.metadata.name.clone());
            let (name, uid) = name_and_uid(&object.metadata);
            cache.change(kind, &name, &uid, |index| index.apply(kind, object))
        }
        Event::InitDone => cache.change(kind, "", "", |index| index.listed(kind, listing)),
        Event::Apply(object) => {
            let (name, uid) = name_and_uid(&object.metadata);
            cache.change(kind, &name, &uid, |index| {
                index.watched(kind, &object.metadata);
                index.apply(kind, object)
            })
        }
        Event::Delete(object) => {
            let (name, uid) = name_and_uid(&object.metadata);
            cache.change(kind, &name, &uid, |index| {
                index.watched(kind, &object.metadata);
                index.remove(kind, &name, Some(&uid))
            })
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
