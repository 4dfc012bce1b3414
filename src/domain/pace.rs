//! How many mails left within the last minute, and when the next one may. Whether it may at all is decided elsewhere.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// How fast mails may follow one another: the turns of at most so many come within any minute.
#[derive(Clone, Debug)]
pub struct Pace {
    a_minute: usize,
    /// When the turns of the latest mails came, at most `a_minute`, in order.
    left: VecDeque<Timestamp>,
}

/// A minute, and the second by which instants are rounded down.
const A_MINUTE: SignedDuration = SignedDuration::from_secs(61);

impl Pace {
    /// At most `a_minute` mails (at least 1) within any minute, of which these left before.
    pub fn new(a_minute: u32, left: impl Iterator<Item = Timestamp>) -> Self {
        let mut left: Vec<Timestamp> = left.collect();
        left.sort();
        let a_minute = usize::try_from(a_minute).unwrap_or(usize::MAX).max(1);
        Self { a_minute, left: left.split_off(left.len().saturating_sub(a_minute)).into() }
    }

    /// When the next mail may leave, if that is not now.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.left.len() < self.a_minute {
            return None;
        }
        let at = self.left.front()?.checked_add(A_MINUTE).ok()?;
        // Much further away than a minute: by a clock that has been set back since.
        (now < at && at.duration_since(now) <= A_MINUTE * 2).then_some(at)
    }

    /// Takes in that a mail leaves.
    pub fn leaves(&mut self, now: Timestamp) {
        self.left.push_back(now);
        if self.left.len() > self.a_minute {
            self.left.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    proptest! {
        /// By instants that are rounded down to the second, as everywhere.
        #[test]
        fn no_minute_has_more_mails_than_allowed(a_minute in 1_u32..6, pauses in prop::collection::vec(0_u64..20_000, 1..60)) {
            let mut pace = Pace::new(a_minute, std::iter::empty());
            let (mut milliseconds, mut left) = (0_u64, Vec::new());
            let rounded = |milliseconds: u64| at(i64::try_from(milliseconds / 1000).unwrap());
            for pause in pauses {
                milliseconds += pause;
                while let Some(next) = pace.next(rounded(milliseconds)) {
                    milliseconds = u64::try_from(next.duration_since(at(0)).as_millis()).unwrap();
                }
                pace.leaves(rounded(milliseconds));
                left.push(milliseconds);
            }
            for window in left.windows(usize::try_from(a_minute).unwrap() + 1) {
                prop_assert!(window[window.len() - 1] - window[0] > 60_000, "{window:?}");
            }
        }
    }

    #[test]
    fn a_restart_does_not_begin_a_new_minute_and_a_clock_set_back_holds_up_nobody_for_long() {
        let pace = Pace::new(2, [at(50), at(10), at(40)].into_iter());
        assert_eq!((pace.next(at(60)), pace.next(at(101))), (Some(at(101)), None));
        assert_eq!(pace.next(at(38)), Some(at(101)), "set back a little");
        assert_eq!(pace.next(at(-1000)), None, "set back by far");
        assert_eq!(Pace::new(2, [at(50)].into_iter()).next(at(50)), None);
    }
}
