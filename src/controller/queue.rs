//! The work queue: a key that is asked for twice runs once, and never twice at the same time. Keys are spread over lanes by
//! their hash; each lane works one key after the other: accounts first, since people wait for their mail, then the one that
//! waits longest. What the work is never stands here.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::adapters::clock::Clock;

/// How many keys are worked on at once: enough to keep the API server busy, few enough not to crowd others out.
const LANES: usize = 16;

/// A piece of work that a change makes necessary.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The `Clinic`'s status.
    Clinic,
    /// A `ClinicUser` by name.
    Member(Arc<str>),
    /// A `ServiceAccount` by name.
    ServiceAccount(Arc<str>),
    /// A `ClinicAccount` by name.
    Account(Arc<str>),
    /// The accounts whose `ClinicUser` is gone: one after the other, since a guard counts them.
    Removals,
}

/// The queue.
#[derive(Clone)]
pub struct Queue {
    lanes: Arc<[Lane]>,
    clock: Clock,
    started: Instant,
}

#[derive(Default)]
struct Lane {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

/// The keys that wait, each once.
#[derive(Default)]
struct Waiting {
    turns: BTreeSet<(Instant, Key)>,
    due: BTreeMap<Key, Instant>,
}

impl Queue {
    /// An empty queue.
    pub fn new(clock: Clock) -> Self {
        Self { lanes: (0..LANES).map(|_| Lane::default()).collect(), clock, started: clock.monotonic() }
    }

    /// Asks for `key` to be worked on after `delay`. Of several requests the earliest counts.
    pub fn add_after(&self, key: Key, delay: Duration) {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lane = &self.lanes[usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0)];
        let at = match key {
            Key::Account(_) if delay.is_zero() => self.started,
            Key::Clinic | Key::Member(_) | Key::ServiceAccount(_) | Key::Account(_) | Key::Removals => {
                self.clock.monotonic() + delay
            }
        };
        lane.waiting.lock().unwrap_or_else(PoisonError::into_inner).add(key, at);
        lane.filled.notify_one();
    }

    /// Works until dropped. `work` says after how long to come back to the key; `None`: only when something changes.
    pub async fn run<F, W>(&self, work: W)
    where
        W: Fn(Key) -> F,
        F: Future<Output = Option<Duration>>,
    {
        let work = &work;
        join_all(self.lanes.iter().map(|lane| async move {
            loop {
                let key = lane.next(self.clock).await;
                if let Some(delay) = work(key.clone()).await {
                    self.add_after(key, delay);
                }
            }
        }))
        .await;
    }
}

impl Lane {
    /// Takes the next key out, once its time has come.
    async fn next(&self, clock: Clock) -> Key {
        loop {
            let until = match self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take(clock.monotonic()) {
                Ok(key) => return key,
                Err(until) => until,
            };
            let its_time = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = its_time => {}
                () = self.filled.notified() => {}
            }
        }
    }
}

impl Waiting {
    fn add(&mut self, key: Key, at: Instant) {
        if let Some(known) = self.due.get(&key).copied() {
            if known <= at {
                return;
            }
            self.turns.remove(&(known, key.clone()));
        }
        self.due.insert(key.clone(), at);
        self.turns.insert((at, key));
    }

    /// The key that waits longest, or when the next one's time comes.
    fn take(&mut self, now: Instant) -> Result<Key, Option<Instant>> {
        match self.turns.first() {
            Some((at, _)) if *at > now => return Err(Some(*at)),
            Some(_) | None => {}
        }
        let (_, key) = self.turns.pop_first().ok_or(None)?;
        self.due.remove(&key);
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_once_in_the_order_of_their_time_and_the_earliest_request_counts() {
        let start = Clock.monotonic();
        let after = |seconds| start + Duration::from_secs(seconds);
        let [ana, bea] = ["ana", "bea"].map(|name| Key::Member(name.into()));
        let mut waiting = Waiting::default();
        waiting.add(ana.clone(), after(3));
        waiting.add(bea.clone(), after(2));
        waiting.add(ana.clone(), after(1));
        waiting.add(bea.clone(), after(4));
        assert_eq!(waiting.take(start), Err(Some(after(1))));
        assert_eq!(waiting.take(after(5)), Ok(ana));
        assert_eq!(waiting.take(after(5)), Ok(bea));
        assert_eq!(waiting.take(after(5)), Err(None));
    }
}
