//! The work queue: a key that is asked for twice runs once, and never twice at the same time. Keys are spread over lanes by
//! their hash; each lane works one key after the other: accounts first, since people wait for their mail, then the one that
//! waits longest. What the work is never stands here.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

use crate::adapters::clock::Clock;
use crate::adapters::heart::{Heart, TURNS_AT_LEAST_EVERY};

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

impl Key {
    /// Who works on it, in a word.
    pub fn controller(&self) -> &'static str {
        match self {
            Self::Clinic => "clinic",
            Self::Member(_) => "member",
            Self::ServiceAccount(_) => "service_account",
            Self::Account(_) => "account",
            Self::Removals => "removals",
        }
    }

    /// The name of the object, if it is about one.
    pub fn object(&self) -> Option<&str> {
        match self {
            Self::Member(name) | Self::ServiceAccount(name) | Self::Account(name) => Some(name),
            Self::Clinic | Self::Removals => None,
        }
    }
}

/// The queue.
#[derive(Clone)]
pub struct Queue {
    lanes: Arc<[Lane]>,
    clock: Clock,
    started: Instant,
    heart: Heart,
    under_way: Arc<AtomicUsize>,
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

#[derive(Default)]
struct Lane {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

/// The keys that wait, each once.
#[derive(Default)]
struct Waiting {
    turns: BTreeSet<(Instant, Key)>,
    due: BTreeMap<Key, Due>,
}

/// When a key's time comes.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// Its place among the others; for an account before everything else.
    turn: Instant,
    /// From when on it waits.
    since: Instant,
}

impl Queue {
    /// An empty queue.
    pub fn new(clock: Clock) -> Self {
        Self {
            lanes: (0..LANES).map(|_| Lane::default()).collect(),
            clock,
            started: clock.monotonic(),
            heart: Heart::new(clock),
            under_way: Arc::default(),
        }
    }

    /// Asks for `key` to be worked on after `delay`. Of several requests the earliest counts.
    pub fn add_after(&self, key: Key, delay: Duration) {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lane = &self.lanes[usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0)];
        let since = self.clock.monotonic() + delay;
        let turn = match key {
            Key::Account(_) if delay.is_zero() => self.started,
            Key::Clinic | Key::Member(_) | Key::ServiceAccount(_) | Key::Account(_) | Key::Removals => since,
        };
        lane.waiting().add(key, Due { turn, since });
        lane.filled.notify_one();
    }

    /// Works until dropped. `work` says after how long to come back to the key; `None`: only when something changes.
    pub async fn run<F, W>(&self, work: W)
    where
        W: Fn(Key) -> F,
        F: Future<Output = Option<Duration>>,
    {
        let work = &work;
        let lanes = self.lanes.iter().map(|lane| async move {
            loop {
                let key = lane.next(self.clock).await;
                let under_way = UnderWay::begin(&self.under_way);
                let again = work(key.clone()).await;
                drop(under_way);
                // A look that finds nothing to do waits for nothing: without this the others would never get their turn.
                yield_now().await;
                if let Some(delay) = again {
                    self.add_after(key, delay);
                }
            }
        });
        self.heart.turn("the queue", lanes).await;
    }

    /// Forgets what waits.
    pub fn clear(&self) {
        for lane in self.lanes.iter() {
            *lane.waiting() = Waiting::default();
        }
    }

    /// What watches that loops turn: those of the queue, and others.
    pub fn heart(&self) -> &Heart {
        &self.heart
    }

    /// How it stands now.
    pub fn depth(&self) -> Depth {
        let now = self.clock.monotonic();
        let mut depth = Depth { under_way: self.under_way.load(Ordering::Relaxed), ..Depth::default() };
        for lane in self.lanes.iter() {
            let (waiting, oldest) = lane.waiting().depth(now);
            depth.waiting += waiting;
            depth.oldest = depth.oldest.max(oldest);
        }
        depth
    }
}

/// Counts a key as worked on until it is dropped, with the work or before it is done.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next key out, once its time has come.
    async fn next(&self, clock: Clock) -> Key {
        loop {
            let until = match self.waiting().take(clock.monotonic()) {
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
                () = sleep(TURNS_AT_LEAST_EVERY) => {}
            }
        }
    }
}

impl Waiting {
    fn add(&mut self, key: Key, due: Due) {
        if let Some(known) = self.due.get(&key).copied() {
            if known.turn <= due.turn {
                return;
            }
            self.turns.remove(&(known.turn, key.clone()));
        }
        self.due.insert(key.clone(), due);
        self.turns.insert((due.turn, key));
    }

    /// How many keys wait whose time has come, and for how long the first of them.
    fn depth(&self, now: Instant) -> (usize, Duration) {
        let waited = self.due.values().filter_map(|due| now.checked_duration_since(due.since));
        waited.fold((0, Duration::ZERO), |(count, longest), waited| (count + 1, longest.max(waited)))
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
    use std::future::ready;
    use std::pin::{Pin, pin};

    use futures::FutureExt;

    use super::*;
    use crate::adapters::heart::HANGS_AFTER;
    use crate::adapters::heart::test_heart::heart;

    fn due(at: Instant) -> Due {
        Due { turn: at, since: at }
    }

    #[test]
    fn keys_come_once_in_the_order_of_their_time_and_the_earliest_request_counts() {
        let start = Clock.monotonic();
        let after = |seconds| start + Duration::from_secs(seconds);
        let [ana, bea] = ["ana", "bea"].map(|name| Key::Member(name.into()));
        let mut waiting = Waiting::default();
        waiting.add(ana.clone(), due(after(3)));
        waiting.add(bea.clone(), due(after(2)));
        waiting.add(ana.clone(), due(after(1)));
        waiting.add(bea.clone(), due(after(4)));
        assert_eq!(waiting.take(start), Err(Some(after(1))));
        assert_eq!(waiting.take(after(5)), Ok(ana));
        assert_eq!(waiting.take(after(5)), Ok(bea));
        assert_eq!(waiting.take(after(5)), Err(None));
    }

    #[test]
    fn keys_wait_from_when_their_time_comes_whatever_their_turn() {
        let start = Clock.monotonic();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut waiting = Waiting::default();
        waiting.add(Key::Member("ana".into()), due(after(4)));
        waiting.add(Key::Account("a-1".into()), Due { turn: start, since: after(3) });
        waiting.add(Key::Clinic, due(after(60)));
        assert_eq!(waiting.depth(after(2)), (0, Duration::ZERO));
        assert_eq!(waiting.depth(after(10)), (2, Duration::from_secs(7)));
    }

    /// Every lane gets some of so many.
    fn fill(queue: &Queue, name: &str) {
        for number in 0..LANES * 32 {
            queue.add_after(Key::Member(format!("{name}-{number}").into()), Duration::ZERO);
        }
    }

    /// Each key lets the others have their turn, so it is polled as often as there are keys, and more.
    async fn until_it_waits(mut run: Pin<&mut impl Future<Output = ()>>) {
        for _ in 0..1_000 {
            assert!(run.as_mut().now_or_never().is_none());
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn work_that_hangs_is_noticed_although_all_other_keys_are_worked_on() {
        let (passed, heart) = heart();
        let queue = Queue { heart: heart.clone(), ..Queue::new(Clock) };
        let work = |key| if key == Key::Clinic { pending().boxed() } else { ready(None).boxed() };
        let mut run = pin!(queue.run(work));
        fill(&queue, "at first");
        until_it_waits(run.as_mut()).await;
        assert_eq!(queue.depth().under_way, 0);
        *passed.lock().unwrap() = HANGS_AFTER;
        assert_eq!(heart.hangs(), Some("the queue"), "nothing woke a lane");
        fill(&queue, "while nothing hangs");
        until_it_waits(run.as_mut()).await;
        assert_eq!(heart.hangs(), None);
        queue.add_after(Key::Clinic, Duration::ZERO);
        until_it_waits(run.as_mut()).await;
        *passed.lock().unwrap() = HANGS_AFTER * 2;
        fill(&queue, "while one hangs");
        until_it_waits(run.as_mut()).await;
        assert_eq!(heart.hangs(), Some("the queue"));
        assert_eq!(queue.depth().under_way, 1);
    }
}
