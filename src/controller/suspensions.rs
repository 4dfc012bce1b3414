//! Suspensions that follow each other closely. No guard holds them, so the Clinic tells once how many there were: whoever made a mistake
//! sees its size. The accounts controller adds each that takes access away, the clinic's controller tells. Kept in memory alone: after a
//! restart nothing is told again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Suspensions with no more than this between them are told together.
const TOGETHER: SignedDuration = SignedDuration::from_secs(5);

/// Those that were not told yet.
#[derive(Debug, Default)]
pub struct Suspensions(Mutex<Option<Untold>>);

#[derive(Clone, Copy, Debug)]
struct Untold {
    count: usize,
    last: Timestamp,
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// There was none, or one alone, which its member's own event tells.
    Nothing,
    /// More may follow: look again after this time.
    Later(Duration),
    /// So many, the last of them then.
    Now(usize, Timestamp),
}

impl Suspensions {
    /// Somebody's access ended by a suspension.
    pub fn add(&self, now: Timestamp) {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = untold.map_or(0, |untold| untold.count);
        *untold = Some(Untold { count: count + 1, last: now });
    }

    /// Takes out what is to be told at `now`. A clock that was set back tells at once.
    pub fn take(&self, now: Timestamp) -> Telling {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(untold) = *all else { return Telling::Nothing };
        let passed = now.duration_since(untold.last);
        if !passed.is_negative() && passed < TOGETHER {
            return Telling::Later((TOGETHER - passed).unsigned_abs());
        }
        *all = None;
        if untold.count > 1 { Telling::Now(untold.count, untold.last) } else { Telling::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn suspensions_that_follow_each_other_closely_are_told_together_once_and_one_alone_never() {
        let suspensions = Suspensions::default();
        assert_eq!(suspensions.take(at(0)), Telling::Nothing);
        suspensions.add(at(0));
        assert_eq!(suspensions.take(at(4)), Telling::Later(Duration::from_secs(1)));
        suspensions.add(at(4));
        suspensions.add(at(6));
        assert_eq!(suspensions.take(at(10)), Telling::Later(Duration::from_secs(1)));
        assert_eq!(suspensions.take(at(11)), Telling::Now(3, at(6)));
        assert_eq!(suspensions.take(at(12)), Telling::Nothing, "told once");
        suspensions.add(at(20));
        assert_eq!(suspensions.take(at(30)), Telling::Nothing, "one alone");
        suspensions.add(at(40));
        suspensions.add(at(40));
        assert_eq!(suspensions.take(at(20)), Telling::Now(2, at(40)), "a clock that was set back");
    }
}
