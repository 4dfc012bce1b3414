//! The work queue: a key that is asked for twice runs once, and never twice at the same time. Any lane takes any key, the most
//! urgent first, so that one slow key keeps nobody back; two lanes more take only what may end somebody's access. The cache and
//! the mailer fill it, a term works on it.

mod key;
mod waiting;

use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

pub use self::key::{Key, Urgency};
use self::waiting::{Takes, Waiting};
use crate::adapters::clock::Clock;
use crate::adapters::heart::{Heart, TURNS_AT_LEAST_EVERY};

/// How many keys are worked on at once: enough to keep the API server busy, few enough not to crowd others out.
const LANES: usize = 16;
/// Lanes that take the most urgent keys only: free when all others wait for a slow API server.
const URGENT_LANES: usize = 2;

/// The queue.
#[derive(Clone)]
pub struct Queue {
    shared: Arc<Shared>,
    clock: Clock,
    heart: Heart,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something may be there for a lane that takes everything.
    filled: Notify,
    /// Something may be there for a lane that takes the most urgent only.
    urgent: Notify,
}

/// How the queue stands at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Keys whose time has come and that wait for their turn.
    pub waiting: usize,
    /// For how long the one has waited that has waited longest.
    pub oldest: Duration,
    /// Keys that are worked on.
    pub under_way: usize,
}

impl Queue {
    /// An empty queue.
    pub fn new(clock: Clock) -> Self {
        Self { shared: Arc::default(), clock, heart: Heart::new(clock) }
    }

    /// Asks for `key` to be worked on after `delay`. Of several requests the earliest counts, and the most urgent.
    pub fn add_after(&self, key: Key, urgency: Urgency, delay: Duration) {
        self.shared.waiting().add(key, urgency, self.clock.monotonic() + delay);
        self.shared.wake(urgency);
    }

    /// Works until dropped. `work` says after how long to come back to the key; `None`: only when something changes.
    pub async fn run<F, W>(&self, work: W)
    where
        W: Fn(Key) -> F,
        F: Future<Output = Option<Duration>>,
    {
        let work = &work;
        let takes = [(Takes::All, LANES), (Takes::MostUrgent, URGENT_LANES)];
        let takes = takes.into_iter().flat_map(|(takes, lanes)| std::iter::repeat_n(takes, lanes));
        let lanes = takes.map(|takes| async move {
            loop {
                let turn = self.next(takes).await;
                let (key, urgency) = (turn.key.clone(), turn.urgency);
                let again = work(key.clone()).await;
                drop(turn);
                // A look that finds nothing to do waits for nothing: without this the others would never get their turn.
                yield_now().await;
                if let Some(delay) = again {
                    self.add_after(key, urgency, delay);
                }
            }
        });
        self.heart.turn("the queue", lanes).await;
    }

    /// Forgets what waits.
    pub fn clear(&self) {
        self.shared.waiting().clear();
    }

    /// What watches that loops turn: those of the queue, and others.
    pub fn heart(&self) -> &Heart {
        &self.heart
    }

    /// How it stands now.
    pub fn depth(&self) -> Depth {
        let waiting = self.shared.waiting();
        let under_way = waiting.under_way();
        let (waiting, oldest) = waiting.depth(self.clock.monotonic());
        Depth { waiting, oldest, under_way }
    }

    /// The next key for a lane, once its time has come.
    async fn next(&self, takes: Takes) -> Turn<'_> {
        loop {
            let until = match self.shared.take(self.clock, takes) {
                Ok(turn) => return turn,
                Err(until) => until,
            };
            let its_time = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => pending().await,
                }
            };
            let filled = match takes {
                Takes::All => &self.shared.filled,
                Takes::MostUrgent => &self.shared.urgent,
            };
            tokio::select! {
                () = its_time => {}
                () = filled.notified() => {}
                () = sleep(TURNS_AT_LEAST_EVERY) => {}
            }
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, urgency: Urgency) {
        self.filled.notify_one();
        if urgency == Urgency::Access {
            self.urgent.notify_one();
        }
    }

    fn take(&self, clock: Clock, takes: Takes) -> Result<Turn<'_>, Option<Instant>> {
        let mut waiting = self.waiting();
        let (key, urgency) = waiting.take(clock.monotonic(), takes)?;
        if !waiting.is_empty() {
            // This lane may be the only one that was told of the others, or that waits for their time.
            self.filled.notify_one();
        }
        Ok(Turn { shared: self, key, urgency })
    }
}

/// A key that a lane works on until this is dropped, with the work or before it is done.
struct Turn<'a> {
    shared: &'a Shared,
    key: Key,
    urgency: Urgency,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let again = self.shared.waiting().done(&self.key);
        if let Some(urgency) = again {
            // Whoever was told of it meanwhile could not take it.
            self.shared.wake(urgency);
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
