//! Whether the loops of a part still turn. Each is watched while it runs and beats whenever something wakes it; one that nothing
//! has woken for long hangs, and only a restart helps. What a loop does never stands here.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::clock::Clock;

/// A loop that waits for work looks up so often, to show that it could.
pub const TURNS_AT_LEAST_EVERY: Duration = Duration::from_secs(60);
/// A loop hangs when nothing woke it for so long. Nothing that a loop waits for lasts half as long: a request ends after seconds, a
/// watch after five minutes.
pub const HANGS_AFTER: Duration = Duration::from_secs(900);

/// The loops that are to turn.
#[derive(Clone)]
pub struct Heart {
    now: Arc<dyn Fn() -> Instant + Send + Sync>,
    loops: Arc<Mutex<Loops>>,
}

#[derive(Default)]
struct Loops {
    begun: u64,
    turning: BTreeMap<u64, Turning>,
}

struct Turning {
    name: &'static str,
    last: Instant,
}

/// A loop from its beginning until it is dropped.
struct Watched<'a> {
    heart: &'a Heart,
    id: u64,
}

impl Heart {
    /// One without loops.
    pub fn new(clock: Clock) -> Self {
        Self::with(move || clock.monotonic())
    }

    fn with(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), loops: Arc::default() }
    }

    /// Runs loops until all have ended, or it is dropped. Each is woken by itself, so that one that hangs is not taken for one that
    /// turns because its neighbours do.
    pub async fn turn<F: Future<Output = ()>>(&self, name: &'static str, loops: impl IntoIterator<Item = F>) {
        let loops: FuturesUnordered<_> = loops.into_iter().map(|each| self.watched(name, each)).collect();
        loops.collect::<()>().await;
    }

    /// The name of a loop that hangs, if any does.
    pub fn hangs(&self) -> Option<&'static str> {
        let now = (self.now)();
        let loops = self.loops();
        let hanging = loops.turning.values().find(|turning| now.duration_since(turning.last) >= HANGS_AFTER);
        hanging.map(|turning| turning.name)
    }

    async fn watched<F: Future<Output = ()>>(&self, name: &'static str, turning: F) {
        let watched = self.begin(name);
        let mut turning = pin!(turning);
        poll_fn(|context| {
            watched.beat();
            turning.as_mut().poll(context)
        })
        .await;
    }

    fn begin(&self, name: &'static str) -> Watched<'_> {
        let last = (self.now)();
        let mut loops = self.loops();
        loops.begun += 1;
        let id = loops.begun;
        loops.turning.insert(id, Turning { name, last });
        Watched { heart: self, id }
    }

    fn loops(&self) -> MutexGuard<'_, Loops> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched<'_> {
    fn beat(&self) {
        let now = (self.heart.now)();
        if let Some(turning) = self.heart.loops().turning.get_mut(&self.id) {
            turning.last = now;
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.heart.loops().turning.remove(&self.id);
    }
}

/// A heart whose time passes when a test says so.
#[cfg(test)]
pub(crate) mod test_heart {
    use super::{Arc, Clock, Duration, Heart, Mutex};

    /// The time that has passed, and what beats by it.
    pub(crate) fn heart() -> (Arc<Mutex<Duration>>, Heart) {
        let passed = Arc::new(Mutex::new(Duration::ZERO));
        let (start, clock) = (Clock.monotonic(), Arc::clone(&passed));
        (passed, Heart::with(move || start + *clock.lock().unwrap()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt;
    use tokio::sync::Notify;

    use super::test_heart::heart;
    use super::*;

    #[test]
    fn a_loop_hangs_when_nothing_woke_it_for_long_although_its_neighbours_turn() {
        let (passed, heart) = heart();
        let [one, other] = [Notify::new(), Notify::new()];
        let turning = |wakes: &'static str| match wakes {
            "one" => &one,
            _ => &other,
        };
        let loops = ["one", "other"].map(|name| async move {
            loop {
                turning(name).notified().await;
            }
        });
        let mut both = pin!(heart.turn("both", loops));
        assert!(both.as_mut().now_or_never().is_none());
        *passed.lock().unwrap() = HANGS_AFTER.saturating_sub(Duration::from_secs(1));
        assert_eq!(heart.hangs(), None, "a moment before");
        one.notify_one();
        assert!(both.as_mut().now_or_never().is_none());
        *passed.lock().unwrap() = HANGS_AFTER;
        assert_eq!(heart.hangs(), Some("both"), "only one of them was woken");
        other.notify_one();
        assert!(both.as_mut().now_or_never().is_none());
        assert_eq!(heart.hangs(), None);
    }

    #[test]
    fn a_loop_that_was_dropped_need_not_turn() {
        let (passed, heart) = heart();
        let mut work = Box::pin(heart.turn("work", [pending()]));
        assert!(work.as_mut().now_or_never().is_none());
        *passed.lock().unwrap() = HANGS_AFTER;
        assert_eq!(heart.hangs(), Some("work"));
        drop(work);
        assert_eq!(heart.hangs(), None);
    }
}
