//! The work queue: a key that is asked for twice runs once, and never twice at the same time. Keys are spread over lanes by
//! their hash; each lane is a scheduler of kube's that works one key after the other.

use std::collections::hash_map::DefaultHasher;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::poll_fn;
use kube::runtime::scheduler::{ScheduleRequest, scheduler};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::adapters::clock::Clock;

/// How many keys are worked on at once: enough to keep the API server busy, few enough not to crowd others out.
const LANES: usize = 16;

/// A piece of work that a change makes necessary.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The `Clinic`'s status.
    Clinic,
    /// A `ClinicUser` by name.
    Member(String),
    /// A `ServiceAccount` by name.
    ServiceAccount(String),
    /// A `ClinicAccount` by name.
    Account(String),
}

type Requests = UnboundedReceiver<ScheduleRequest<Key>>;

/// The side that asks for work.
#[derive(Clone)]
pub struct Queue {
    lanes: Arc<[UnboundedSender<ScheduleRequest<Key>>]>,
    clock: Clock,
}

/// The side that does the work.
pub struct Lanes(Vec<Requests>);

/// A queue and its lanes.
pub fn queue(clock: Clock) -> (Queue, Lanes) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..LANES).map(|_| unbounded_channel()).unzip();
    (Queue { lanes: senders.into(), clock }, Lanes(receivers))
}

impl Queue {
    /// Asks for `key` to be worked on now.
    pub fn add(&self, key: Key) {
        self.add_after(key, Duration::ZERO);
    }

    /// Asks for `key` to be worked on after `delay`. Of several requests the earliest counts.
    pub fn add_after(&self, key: Key, delay: Duration) {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0);
        let request = ScheduleRequest { message: key, run_at: self.clock.monotonic() + delay };
        // A closed lane means that the process is stopping: then nothing is worked on any more.
        drop(self.lanes[lane].send(request));
    }
}

impl Lanes {
    /// Works until dropped. `work` says after how long to come back to the key; `None`: only when something changes.
    pub async fn run<F, W>(self, queue: &Queue, work: W)
    where
        W: Fn(Key) -> F,
        F: Future<Output = Option<Duration>>,
    {
        let work = &work;
        join_all(self.0.into_iter().map(|mut requests| async move {
            let mut due = scheduler(poll_fn(move |context| requests.poll_recv(context)));
            while let Some(key) = due.next().await {
                if let Some(delay) = work(key.clone()).await {
                    queue.add_after(key, delay);
                }
            }
        }))
        .await;
    }
}
