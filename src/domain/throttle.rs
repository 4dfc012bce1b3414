//! How wrong tries slow down further ones: by what they are tried on, in bounded memory. Nobody is ever locked out for good: a wait
//! has an end, and wrong tries are forgotten one by one.

use std::collections::HashMap;
use std::hash::Hash;

use jiff::{SignedDuration, Timestamp};

/// How strict it is.
#[derive(Clone, Copy, Debug)]
pub struct Strictness {
    /// Wrong tries that cost no wait.
    pub free: u32,
    /// The longest wait between two tries.
    pub longest_wait: SignedDuration,
    /// In so long one wrong try is forgotten: so many mistakes as people make all day long cost nothing.
    pub one_forgotten_in: SignedDuration,
    /// Keys that are remembered at the same time.
    pub most: usize,
}

/// Tries by key, each counted as wrong until it is known to be right: so many at the same moment gain nothing.
#[derive(Debug)]
pub struct Throttle<K> {
    tries: HashMap<K, Tries>,
    strictness: Strictness,
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    /// Those that were not forgotten, as of `since`.
    wrong: u32,
    /// From when on the next one is being forgotten.
    since: Timestamp,
    /// The last one, from which the wait counts.
    last: Timestamp,
    /// The one before, which counts again if the last one was right.
    before: Timestamp,
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// One without memories.
    pub fn new(strictness: Strictness) -> Self {
        Self { tries: HashMap::new(), strictness }
    }

    /// How long to wait before the next try of this key; `None`: not at all. 1 s after the first wrong try that is not free,
    /// doubled with each further one.
    pub fn wait(&self, key: &K, now: Timestamp) -> Option<SignedDuration> {
        let Strictness { free, longest_wait, .. } = self.strictness;
        let tries = self.remembered(key, now)?;
        let costly = tries.wrong.checked_sub(free).filter(|costly| *costly > 0)?;
        let wait = SignedDuration::from_secs(1 << (costly - 1).min(30)).min(longest_wait);
        let left = wait - now.duration_since(tries.last);
        (left.is_positive() && left <= longest_wait).then_some(left)
    }

    /// Takes in a try, as a wrong one.
    pub fn tried(&mut self, key: &K, now: Timestamp) {
        if !self.tries.contains_key(key) && self.tries.len() >= self.strictness.most {
            self.make_room(now);
        }
        let known = self.remembered(key, now);
        let known = known.unwrap_or(Tries { wrong: 0, since: now, last: Timestamp::MIN, before: Timestamp::MIN });
        // More than makes the longest wait are not remembered: so it is known how long it takes to forget them.
        let wrong = known.wrong.saturating_add(1).min(self.strictness.most_wrong());
        self.tries.insert(key.clone(), Tries { wrong, last: now, before: known.last, ..known });
    }

    /// The last try was right, which forgets all before it.
    pub fn forget(&mut self, key: &K) {
        self.tries.remove(key);
    }

    /// The try that was taken in at this time was right, which says nothing about those before it.
    pub fn take_back(&mut self, key: &K, at: Timestamp) {
        if let Some(tries) = self.tries.get_mut(key) {
            tries.wrong = tries.wrong.saturating_sub(1);
            if tries.last == at {
                tries.last = tries.before;
            }
        }
    }

    fn make_room(&mut self, now: Timestamp) {
        let strictness = self.strictness;
        self.tries.retain(|_, tries| strictness.left_of(*tries, now).is_some());
        if self.tries.len() >= strictness.most {
            // The least that an attacker gains: the key with the fewest wrong tries, and of these the oldest.
            let least =
                self.tries.iter().min_by_key(|(_, tries)| (tries.wrong, tries.last)).map(|(key, _)| key.clone());
            if let Some(least) = least {
                self.tries.remove(&least);
            }
        }
    }

    fn remembered(&self, key: &K, now: Timestamp) -> Option<Tries> {
        self.strictness.left_of(*self.tries.get(key)?, now)
    }
}

impl Strictness {
    /// What is not forgotten by now; `None`: nothing. A clock that was set back forgets as much as one that goes on.
    fn left_of(&self, tries: Tries, now: Timestamp) -> Option<Tries> {
        let forgotten = now.duration_since(tries.since).abs().as_secs() / self.one_forgotten_in.as_secs().max(1);
        let wrong = tries.wrong.checked_sub(u32::try_from(forgotten).ok()?).filter(|wrong| *wrong > 0)?;
        let ahead = now < tries.since;
        let since = if ahead { now } else { tries.since + self.one_forgotten_in * i32::try_from(forgotten).ok()? };
        Some(Tries { wrong, since, ..tries })
    }

    fn most_wrong(&self) -> u32 {
        let longest = u64::try_from(self.longest_wait.as_secs()).unwrap_or(1).max(1);
        self.free.saturating_add(1 + longest.next_power_of_two().trailing_zeros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn seconds(wait: Option<SignedDuration>) -> i64 {
        wait.map_or(0, |wait| wait.as_secs())
    }

    fn throttle<K: Clone + Eq + Hash>(free: u32) -> Throttle<K> {
        let (longest_wait, one_forgotten_in) = (SignedDuration::from_mins(1), SignedDuration::from_mins(3));
        Throttle::new(Strictness { free, longest_wait, one_forgotten_in, most: 100 })
    }

    #[test]
    fn wrong_tries_double_the_wait_up_to_a_minute_and_a_right_one_ends_it() {
        let mut throttle = throttle(3);
        let waits: Vec<i64> = (0..12)
            .map(|_| {
                throttle.tried(&"ana", at(0));
                seconds(throttle.wait(&"ana", at(0)))
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!((seconds(throttle.wait(&"ana", at(59))), throttle.wait(&"ana", at(60))), (1, None));
        assert_eq!(throttle.wait(&"bea", at(0)), None);
        throttle.forget(&"ana");
        assert_eq!(throttle.wait(&"ana", at(0)), None);
    }

    #[test]
    fn a_right_try_that_is_taken_back_leaves_those_before_it_and_no_wait_of_its_own() {
        let mut throttle = throttle(0);
        for second in 0..4 {
            throttle.tried(&"ana", at(second));
        }
        assert_eq!(seconds(throttle.wait(&"ana", at(3))), 8);
        throttle.tried(&"ana", at(11));
        throttle.take_back(&"ana", at(11));
        throttle.take_back(&"nobody", at(11));
        assert_eq!(
            (throttle.wait(&"ana", at(11)), throttle.tries.len()),
            (None, 1),
            "the wait after the fourth is over"
        );
        throttle.tried(&"ana", at(11));
        assert_eq!(seconds(throttle.wait(&"ana", at(11))), 16, "the fifth");
    }

    #[test]
    fn wrong_tries_are_forgotten_one_by_one() {
        let mut throttle = throttle(0);
        for _ in 0..40 {
            throttle.tried(&"ana", at(0));
        }
        // Seven make the longest wait; no more are remembered.
        for (after, left) in [(179, Some(7)), (180, Some(6)), (359, Some(6)), (360, Some(5)), (7 * 180, None)] {
            assert_eq!(throttle.remembered(&"ana", at(after)).map(|tries| tries.wrong), left, "{after}");
        }
        // The time since the last one was forgotten counts towards the next.
        throttle.tried(&"ana", at(359));
        assert_eq!(throttle.remembered(&"ana", at(360)).map(|tries| tries.wrong), Some(6));
        assert_eq!(throttle.wait(&"ana", at(-7 * 180)), None, "a clock that was set back forgets too");
        assert!(seconds(throttle.wait(&"ana", at(-10))) <= 60);
    }

    #[test]
    fn mistakes_that_people_make_all_day_long_never_add_up() {
        let mut throttle = throttle(5);
        for minute in 0..600 {
            let now = at(minute * 60);
            if minute % 4 == 0 {
                throttle.tried(&"the clinic", now);
            } else {
                throttle.tried(&"the clinic", now);
                throttle.take_back(&"the clinic", now);
            }
            assert_eq!(throttle.wait(&"the clinic", now), None, "minute {minute}");
        }
    }

    #[test]
    fn a_flood_of_keys_costs_no_more_memory_and_does_not_free_whom_it_was_tried_on_most() {
        let mut throttle = throttle(3);
        for _ in 0..8 {
            throttle.tried(&0, at(0));
        }
        for key in 1..10_000 {
            throttle.tried(&key, at(0));
            assert!(throttle.tries.len() <= 100);
        }
        assert_eq!(seconds(throttle.wait(&0, at(0))), 16);
        throttle.tried(&20_000, at(2000));
        assert_eq!(throttle.tries.len(), 1, "what is forgotten makes room first");
    }
}
