//! Keeps the cache as the API server has it: one watch for each kind.

use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::Event;

use super::{Cache, Kind, name_and_uid};
use crate::adapters::kubernetes::{Clients, watch};
use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, ServiceAccount};

/// Watches every kind in `namespace` until it is dropped.
pub async fn watch_all(cache: &Cache, clients: &Clients, namespace: &str) {
    let one = |kind| async move {
        let take_in = |event: Option<Event<DynamicObject>>| {
            if let Some(event) = event {
                take_in(cache, kind, event);
            }
        };
        watch(clients, namespace, &resource(kind), take_in).await;
    };
    cache.heart().turn("a watch", Kind::ALL.map(one)).await;
}

fn take_in(cache: &Cache, kind: Kind, event: Event<DynamicObject>) {
    let work = match event {
        Event::Init => {
            cache.read().begin_list(kind);
            return;
        }
        Event::InitApply(object) => {
            let (name, uid) = name_and_uid(&object.metadata);
            cache.change(kind, &name, &uid, |index| index.list(kind, object))
        }
        Event::InitDone => cache.change(kind, "", "", |index| index.end_list(kind)),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::adapters::clock::Clock;
    use crate::controller::queue::Queue;

    fn suspended(version: u32, suspended: bool) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
            "metadata": {"name": "ana", "uid": "uid-ana", "resourceVersion": version.to_string()},
            "spec": {"email": "ana@maple.example", "type": "Staff", "suspended": suspended},
        }))
        .unwrap()
    }

    /// As the watcher tells it: a list, changes, a break without a word, and a list again.
    #[tokio::test]
    async fn after_the_api_server_was_restored_from_a_snapshot_the_cache_has_what_the_snapshot_had() {
        let cache = Cache::new(Queue::new(Clock));
        let tell = |event| take_in(&cache, Kind::ClinicUser, event);
        let is_suspended = || cache.read().member("ana").map(|user| user.spec.suspended);
        for kind in Kind::ALL {
            take_in(&cache, kind, Event::Init);
            take_in(&cache, kind, Event::InitDone);
        }
        assert!(*cache.complete().borrow());
        tell(Event::Apply(suspended(500, true)));
        tell(Event::Apply(suspended(900, false)));
        assert_eq!(is_suspended(), Some(false));
        tell(Event::Init);
        assert_eq!(is_suspended(), Some(false), "until the list says otherwise");
        tell(Event::InitApply(suspended(500, true)));
        tell(Event::InitDone);
        assert_eq!(is_suspended(), Some(true));
        tell(Event::Apply(suspended(501, false)));
        assert_eq!(is_suspended(), Some(false), "the versions go on from there");
        cache.put(Kind::ClinicUser, &suspended(502, true));
        assert_eq!(is_suspended(), Some(true), "those of our own writes too");
    }
}
