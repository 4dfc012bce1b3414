//! How wrong tries slow down further ones: by what they are tried on, in bounded memory. Nobody is ever locked out for good: a wait
//! has an end, and after a time without a try everything is forgotten.

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
    /// After so long without a try nothing is remembered.
    pub forgotten_after: SignedDuration,
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
    wrong: u32,
    last: Timestamp,
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
        let tries = self.tries.get(key).filter(|tries| !self.are_forgotten(tries, now))?;
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
        let before = self.tries.get(key).filter(|tries| !self.are_forgotten(tries, now)).map_or(0, |tries| tries.wrong);
        self.tries.insert(key.clone(), Tries { wrong: before.saturating_add(1), last: now });
    }

    /// The last try was right, which forgets all before it.
    pub fn forget(&mut self, key: &K) {
        self.tries.remove(key);
    }

    /// The last try was right, which says nothing about those before it.
    pub fn take_back(&mut self, key: &K) {
        if let Some(tries) = self.tries.get_mut(key) {
            tries.wrong = tries.wrong.saturating_sub(1);
        }
    }

    fn make_room(&mut self, now: Timestamp) {
        let strictness = self.strictness;
        self.tries.retain(|_, tries| !strictness.forgets(tries, now));
        if self.tries.len() >= strictness.most {
            // The least that an attacker gains: the key with the fewest wrong tries, and of these the oldest.
            let least =
                self.tries.iter().min_by_key(|(_, tries)| (tries.wrong, tries.last)).map(|(key, _)| key.clone());
            if let Some(least) = least {
                self.tries.remove(&least);
            }
        }
    }

    fn are_forgotten(&self, tries: &Tries, now: Timestamp) -> bool {
        self.strictness.forgets(tries, now)
    }
}

impl Strictness {
    /// Also if the last one lies ahead: by a clock that has been set back since.
    fn forgets(&self, tries: &Tries, now: Timestamp) -> bool {
        now.duration_since(tries.last).abs() >= self.forgotten_after
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
        let (longest_wait, forgotten_after) = (SignedDuration::from_mins(1), SignedDuration::from_mins(15));
        Throttle::new(Strictness { free, longest_wait, forgotten_after, most: 100 })
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
    fn a_right_try_that_is_taken_back_leaves_those_before_it() {
        let mut throttle = throttle(0);
        for _ in 0..4 {
            throttle.tried(&"ana", at(0));
        }
        throttle.take_back(&"ana");
        throttle.take_back(&"nobody");
        assert_eq!((seconds(throttle.wait(&"ana", at(0))), throttle.tries.len()), (4, 1));
    }

    #[test]
    fn a_quarter_of_an_hour_or_a_clock_set_back_by_that_forgets() {
        let mut throttle = throttle(0);
        for _ in 0..40 {
            throttle.tried(&"ana", at(0));
        }
        for now in [at(900), at(-900)] {
            assert_eq!(throttle.wait(&"ana", now), None);
        }
        throttle.tried(&"ana", at(900));
        assert_eq!(seconds(throttle.wait(&"ana", at(900))), 1, "from the beginning");
        assert!(seconds(throttle.wait(&"ana", at(890))) <= 60);
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
