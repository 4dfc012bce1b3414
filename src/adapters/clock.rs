//! The clock: the only place that reads the time. Everything else is given it.

use jiff::Timestamp;
use tokio::time::Instant;

/// Tells the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// Now, in whole seconds, rounded down. Every instant that is stored is whole, so that rounding never changes which of
    /// the two is earlier: `now < until` holds for the rounded time exactly if it holds for the time itself.
    pub fn now(self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the adapter that everything else asks")]
        let now = Timestamp::now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Now on the clock that never jumps, for waiting.
    pub fn monotonic(self) -> Instant {
        #[expect(clippy::disallowed_methods, reason = "this is the adapter that everything else asks")]
        Instant::now()
    }
}
