//! The keys that wait for a lane, in the order in which lanes take them, and those that lanes work on. Pure: the time is an argument.
//! The queue asks; nothing here wakes anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::key::{Key, Urgency};

/// Of so many turns one goes to the key that waits longest among the less urgent ones, so that nobody waits for ever.
const TURNS_OF_WHICH_ONE_GIVES_WAY: u32 = 8;

/// The keys that wait, each once.
#[derive(Default)]
pub(super) struct Waiting {
    /// Those that nobody works on, of each urgency.
    turns: [BTreeSet<(Instant, Key)>; Urgency::ALL.len()],
    due: BTreeMap<Key, Due>,
    /// Those that lanes work on: they may wait again at the same time, and are not taken before that work has ended.
    under_way: BTreeSet<Key>,
    /// Turns in a row for which somebody less urgent waited.
    passed_over: u32,
}

/// When and how urgently a key waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    urgency: Urgency,
    /// From when on it waits.
    since: Instant,
}

/// Which keys a lane takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// All of them.
    All,
    /// The most urgent only.
    MostUrgent,
}

impl Waiting {
    /// Lets a key wait from `since` on. Of several requests for it the earliest time counts, and the highest urgency.
    pub(super) fn add(&mut self, key: Key, urgency: Urgency, since: Instant) {
        let asked = Due { urgency, since };
        let known = self.due.get(&key).copied();
        let due =
            known.map_or(asked, |known| Due { urgency: known.urgency.min(urgency), since: known.since.min(since) });
        if known == Some(due) {
            return;
        }
        if let Some(known) = known {
            self.turns[known.urgency as usize].remove(&(known.since, key.clone()));
        }
        self.due.insert(key.clone(), due);
        if !self.under_way.contains(&key) {
            self.turns[due.urgency as usize].insert((due.since, key));
        }
    }

    /// Takes the next key for a lane, which has to say when it is [`Waiting::done`]; the error is when the next one's time comes.
    pub(super) fn take(&mut self, now: Instant, takes: Takes) -> Result<(Key, Urgency), Option<Instant>> {
        let of = |urgency: &Urgency| match takes {
            Takes::All => true,
            Takes::MostUrgent => *urgency == Urgency::Access,
        };
        let firsts = Urgency::ALL.into_iter().filter(of).filter_map(|urgency| Some((self.first(urgency)?, urgency)));
        let firsts: Vec<(Instant, Urgency)> = firsts.collect();
        let mut due = firsts.iter().filter(|(since, _)| *since <= now);
        let Some((_, most_urgent)) = due.next() else {
            return Err(firsts.iter().map(|(since, _)| *since).min());
        };
        let longest = due.min_by_key(|(since, _)| *since).map(|(_, urgency)| *urgency);
        let urgency = self.whose_turn(*most_urgent, longest);
        let (_, key) = self.turns[urgency as usize].pop_first().ok_or(None)?;
        self.due.remove(&key);
        self.under_way.insert(key.clone());
        Ok((key, urgency))
    }

    /// Takes in that a lane works on a key no more; if it waits again, how urgently.
    pub(super) fn done(&mut self, key: &Key) -> Option<Urgency> {
        self.under_way.remove(key);
        let due = self.due.get(key)?;
        self.turns[due.urgency as usize].insert((due.since, key.clone()));
        Some(due.urgency)
    }

    /// Forgets what waits, not what is worked on.
    pub(super) fn clear(&mut self) {
        self.turns = Default::default();
        self.due.clear();
    }

    /// Whether there is a key, of now or of later, for another lane.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.iter().all(BTreeSet::is_empty)
    }

    /// How many keys wait whose time has come, and for how long the first of them.
    pub(super) fn depth(&self, now: Instant) -> (usize, Duration) {
        let waited = self.due.values().filter_map(|due| now.checked_duration_since(due.since));
        waited.fold((0, Duration::ZERO), |(count, longest), waited| (count + 1, longest.max(waited)))
    }

    /// How many keys are worked on.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    fn first(&self, urgency: Urgency) -> Option<Instant> {
        self.turns[urgency as usize].first().map(|(since, _)| *since)
    }

    /// `longest`: of the less urgent ones with a key whose time has come, that of which one waits longest.
    fn whose_turn(&mut self, most_urgent: Urgency, longest: Option<Urgency>) -> Urgency {
        match longest {
            None => self.passed_over = 0,
            Some(longest) if self.passed_over + 1 >= TURNS_OF_WHICH_ONE_GIVES_WAY => {
                self.passed_over = 0;
                return longest;
            }
            Some(_) => self.passed_over += 1,
        }
        most_urgent
    }
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;
