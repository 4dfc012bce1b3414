//! The clock: the only place that reads the time. Everything else is given it.

use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

/// How often it is looked whether the wall clock was set.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Wall clock and monotonic clock drift apart by less than this in the time between two looks, unless one was set or the
/// machine slept.
const DRIFT: Duration = Duration::from_secs(5);

/// Tells the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// Now, in whole seconds, rounded down. Every instant that is stored is whole, so that rounding never changes which of
    /// the two is earlier: `now < until` holds for the rounded time exactly if it holds for the time itself.
    pub fn now(self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the adapter that everything else asks")]
        let now = set_by_test(Timestamp::now());
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Now on the clock that never jumps, for waiting.
    pub fn monotonic(self) -> Instant {
        #[expect(clippy::disallowed_methods, reason = "this is the adapter that everything else asks")]
        Instant::now()
    }

    /// How much time has passed, on the clock that never jumps, since this was asked first.
    pub fn passed(self) -> Duration {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        let now = self.monotonic();
        now.saturating_duration_since(*FIRST.get_or_init(|| now)) + test_clock::passed()
    }

    /// Waits until the wall clock shows `instant`, or for as long as that is away now: a clock that is set forward meanwhile ends
    /// the wait, one that is set back does not lengthen it. Does not wait at all if there is none.
    pub async fn reached(self, instant: Option<Timestamp>) {
        let left = instant.and_then(|instant| Duration::try_from(instant.duration_since(self.now())).ok());
        let (Some(instant), Some(left)) = (instant, left) else { return };
        let end = self.monotonic() + left;
        while self.now() < instant && self.monotonic() < end {
            sleep(end.saturating_duration_since(self.monotonic()).min(LOOK_EVERY)).await;
        }
    }

    /// Waits until the wall clock was set, or the machine slept: what was to wait for an instant must look at it again.
    pub async fn jumped(self) {
        let (wall, monotonic) = (self.now(), self.monotonic());
        loop {
            sleep(LOOK_EVERY).await;
            let on_the_wall = self.now().duration_since(wall);
            let passed = i64::try_from(monotonic.elapsed().as_secs()).unwrap_or(i64::MAX);
            if (on_the_wall.as_secs() - passed).unsigned_abs() >= DRIFT.as_secs() {
                return;
            }
        }
    }

    /// What to say at the start about a clock that is not to be trusted.
    pub fn warning() -> Option<&'static str> {
        test_clock::WARNING
    }
}

fn set_by_test(now: Timestamp) -> Timestamp {
    test_clock::shifted(now)
}

#[cfg(feature = "test-clock")]
mod test_clock {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};

    /// Names a file with two numbers: the seconds by which the wall clock is ahead (or behind, if negative), and those that have passed
    /// besides the real ones, also on the clock that never jumps.
    const VARIABLE: &str = "CLINIC_OPERATOR_TEST_CLOCK";

    pub(super) const WARNING: Option<&str> =
        Some("this is a build for tests: whoever writes the file that CLINIC_OPERATOR_TEST_CLOCK names sets its clock");

    pub(super) fn shifted(now: Timestamp) -> Timestamp {
        now.saturating_add(SignedDuration::from_secs(number(0))).unwrap_or(now)
    }

    pub(super) fn passed() -> Duration {
        Duration::from_secs(u64::try_from(number(1)).unwrap_or(0))
    }

    fn number(index: usize) -> i64 {
        let file = std::env::var_os(VARIABLE);
        let text = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        text.split_whitespace().nth(index).and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

#[cfg(not(feature = "test-clock"))]
mod test_clock {
    use std::time::Duration;

    use jiff::Timestamp;

    pub(super) const WARNING: Option<&str> = None;

    pub(super) fn shifted(now: Timestamp) -> Timestamp {
        now
    }

    pub(super) fn passed() -> Duration {
        Duration::ZERO
    }
}
