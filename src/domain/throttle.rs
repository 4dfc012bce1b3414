//! How wrong tries slow down further ones: by what they are tried on, in bounded memory. Nobody is ever locked out for good: the
//! longest wait is a minute, and a quarter of an hour without a try forgets everything.

use std::collections::HashMap;
use std::hash::Hash;

use jiff::{SignedDuration, Timestamp};

/// The longest wait between two tries.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// After so long without a try nothing is remembered.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Wrong tries, by key.
#[derive(Debug)]
pub struct Throttle<K> {
    tries: HashMap<K, Tries>,
    /// Wrong tries that cost no wait.
    free: u32,
    /// Keys that are remembered at the same time.
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    wrong: u32,
    last: Timestamp,
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// One that remembers `most` keys and lets `free` wrong tries of each pass without a wait.
    pub fn new(free: u32, most: usize) -> Self {
        Self { tries: HashMap::new(), free, most }
    }

    /// How long to wait before the next try of this key; `None`: not at all. 1 s after the first wrong try that is not free,
    /// doubled with each further one, a minute at most.
    pub fn wait(&self, key: &K, now: Timestamp) -> Option<SignedDuration> {
        let tries = self.tries.get(key).filter(|tries| !tries.are_forgotten(now))?;
        let costly = tries.wrong.checked_sub(self.free).filter(|costly| *costly > 0)?;
        let wait = SignedDuration::from_secs(1 << (costly - 1).min(6)).min(LONGEST_WAIT);
        let left = wait - now.duration_since(tries.last);
        (left.is_positive() && left <= LONGEST_WAIT).then_some(left)
    }

    /// Takes in a wrong try.
    pub fn wrong(&mut self, key: &K, now: Timestamp) {
        if !self.tries.contains_key(key) && self.tries.len() >= self.most {
            self.make_room(now);
        }
        let before = self.tries.get(key).filter(|tries| !tries.are_forgotten(now)).map_or(0, |tries| tries.wrong);
        self.tries.insert(key.clone(), Tries { wrong: before.saturating_add(1), last: now });
    }

    /// Takes in a right try, which forgets the wrong ones.
    pub fn right(&mut self, key: &K) {
        self.tries.remove(key);
    }

    fn make_room(&mut self, now: Timestamp) {
        self.tries.retain(|_, tries| !tries.are_forgotten(now));
        if self.tries.len() >= self.most {
            // The least that an attacker gains: the key with the fewest wrong tries, and of these the oldest.
            let least =
                self.tries.iter().min_by_key(|(_, tries)| (tries.wrong, tries.last)).map(|(key, _)| key.clone());
            if let Some(least) = least {
                self.tries.remove(&least);
            }
        }
    }
}

impl Tries {
    /// Also if the last one lies ahead: by a clock that has been set back since.
    fn are_forgotten(&self, now: Timestamp) -> bool {
        now.duration_since(self.last).abs() >= FORGOTTEN_AFTER
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

    #[test]
    fn wrong_tries_double_the_wait_up_to_a_minute_and_a_right_one_ends_it() {
        let mut throttle = Throttle::new(3, 10);
        let waits: Vec<i64> = (0..12)
            .map(|_| {
                throttle.wrong(&"ana", at(0));
                seconds(throttle.wait(&"ana", at(0)))
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!((seconds(throttle.wait(&"ana", at(59))), throttle.wait(&"ana", at(60))), (1, None));
        assert_eq!(throttle.wait(&"bea", at(0)), None);
        throttle.right(&"ana");
        assert_eq!(throttle.wait(&"ana", at(0)), None);
    }

    #[test]
    fn a_quarter_of_an_hour_or_a_clock_set_back_by_that_forgets() {
        let mut throttle = Throttle::new(0, 10);
        for _ in 0..10 {
            throttle.wrong(&"ana", at(0));
        }
        for now in [at(900), at(-900)] {
            assert_eq!(throttle.wait(&"ana", now), None);
        }
        throttle.wrong(&"ana", at(900));
        assert_eq!(seconds(throttle.wait(&"ana", at(900))), 1, "from the beginning");
        assert!(throttle.wait(&"ana", at(890)).is_none_or(|wait| wait <= LONGEST_WAIT));
    }

    #[test]
    fn a_flood_of_keys_costs_no_more_memory_and_does_not_free_whom_it_was_tried_on_most() {
        let mut throttle = Throttle::new(3, 100);
        for _ in 0..8 {
            throttle.wrong(&0, at(0));
        }
        for key in 1..10_000 {
            throttle.wrong(&key, at(0));
            assert!(throttle.tries.len() <= 100);
        }
        assert_eq!(seconds(throttle.wait(&0, at(0))), 16);
        throttle.wrong(&20_000, at(2000));
        assert_eq!(throttle.tries.len(), 1, "what is forgotten makes room first");
    }
}
