//! The cache, shared: watches and our own writes feed it, and every change puts the work that it makes necessary in the queue.
//! Nothing is handed out before every list is complete.

mod class;
mod ends;
mod facts;
mod guards;
mod holders;
mod index;
mod kind;
mod lists;
mod open;
mod urgency;
mod watch;
mod whose;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::api::DynamicObject;
use kube::core::ObjectMeta;
use serde::Serialize;
use tokio::sync::watch::{Receiver, Sender, channel};

pub use class::Class;
pub use index::Index;
pub use kind::Kind;
pub use watch::watch_all;

use super::queue::{Depth, Key, Queue, Urgency};
use crate::adapters::heart::Heart;

/// The Clinic's status counts members, so every change of one changes it: it is written once for all changes in this time.
const CLINIC_STATUS_AT_MOST_EVERY: Duration = Duration::from_secs(2);

/// The shared cache.
#[derive(Clone)]
pub struct Cache {
    index: Arc<Mutex<Index>>,
    queue: Queue,
    complete: Sender<bool>,
}

impl Cache {
    /// An empty cache whose changes go to `queue`.
    pub fn new(queue: Queue) -> Self {
        Self { index: Arc::default(), queue, complete: channel(false).0 }
    }

    /// Reads several things of one state of the cache.
    pub fn read(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Becomes true once every kind was listed completely.
    pub fn complete(&self) -> Receiver<bool> {
        self.complete.subscribe()
    }

    /// How the queue of the work stands.
    pub fn depth(&self) -> Depth {
        self.queue.depth()
    }

    /// What watches that loops turn.
    pub fn heart(&self) -> &Heart {
        self.queue.heart()
    }

    /// Takes in the answer to a write of ours or to a live read.
    pub fn put<K: Serialize>(&self, kind: Kind, object: &K) {
        let dynamic = serde_json::to_value(object).and_then(serde_json::from_value::<DynamicObject>);
        if let Ok(object) = dynamic {
            let (name, uid) = name_and_uid(&object.metadata);
            let work = self.change(kind, &name, &uid, |index| index.apply_answer(kind, object));
            self.enqueue(work);
        }
    }

    /// Takes in that the object of this UID is gone.
    pub fn forget(&self, kind: Kind, name: &str, uid: &str) {
        let work = self.change(kind, name, uid, |index| index.remove(kind, name, Some(uid)));
        self.enqueue(work);
    }

    /// Asks for a key to be worked on after `delay`.
    pub fn work_on(&self, key: Key, delay: Duration) {
        let work = self.read().by_urgency([key].into(), &BTreeSet::new());
        for (key, urgency) in work {
            self.queue.add_after(key, urgency, delay);
        }
    }

    /// Asks for everything to be worked on.
    pub fn work_on_everything(&self) {
        let index = self.read();
        let work = index.by_urgency(index.everything(), &BTreeSet::new());
        drop(index);
        self.enqueue(work);
    }

    /// Makes a change that is about one object; the work that it makes necessary, by urgency.
    fn change(
        &self,
        kind: Kind,
        name: &str,
        uid: &str,
        make: impl FnOnce(&mut Index) -> BTreeSet<Key>,
    ) -> Vec<(Key, Urgency)> {
        let mut index = self.read();
        let work = make(&mut index);
        let of_the_same_person = index.of_the_same_person(kind, name, uid);
        index.by_urgency(work, &of_the_same_person)
    }

    fn enqueue(&self, work: Vec<(Key, Urgency)>) {
        for (key, urgency) in work {
            let delay = if key == Key::Clinic { CLINIC_STATUS_AT_MOST_EVERY } else { Duration::ZERO };
            self.queue.add_after(key, urgency, delay);
        }
    }
}

fn name_and_uid(metadata: &ObjectMeta) -> (String, String) {
    (metadata.name.clone().unwrap_or_default(), metadata.uid.clone().unwrap_or_default())
}
