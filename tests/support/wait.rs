//! Waiting for a condition instead of sleeping: the only place of the harness that sleeps or reads a clock.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How long to wait for what takes a moment on a busy two-core machine; a healthy run needs a fraction of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Now, for measuring how long something took.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the only place of the harness that reads a clock")]
    Instant::now()
}

/// Lets time pass, where the passing of time is itself the behaviour asked for (a slow server). Tests never call it.
pub(crate) fn pass(time: Duration) {
    std::thread::sleep(time);
}

/// Looks again and again until `look` gives a value. After `limit` it panics and says `what` was awaited.
#[track_caller]
pub(crate) fn eventually<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    eventually_ok(limit, what, || look().ok_or("not yet"))
}

/// Like [`eventually`], for a look that says what it saw when that was not enough: the panic shows the last of it.
#[track_caller]
pub(crate) fn eventually_ok<T, E: Debug>(limit: Duration, what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let started = now();
    loop {
        match look() {
            Ok(value) => return value,
            Err(seen) if started.elapsed() >= limit => {
                panic!("waited {} s for {what}; last seen: {seen:?}", limit.as_secs_f64())
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Looks until `limit` is over and panics if `look` ever sees something: for "nothing happens".
#[track_caller]
pub(crate) fn never<T: Debug>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) {
    let started = now();
    while started.elapsed() < limit {
        if let Some(seen) = look() {
            panic!("{what}: expected never, seen after {:.1} s: {seen:?}", started.elapsed().as_secs_f64())
        }
        std::thread::sleep(PAUSE);
    }
}
