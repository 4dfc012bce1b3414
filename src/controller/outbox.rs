//! The accounts whose mail is due, in the order in which they are served. It holds names only: what is mailed, and whether
//! it still may be, is decided when a turn comes, so forgetting the outbox loses nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::sync::Notify;

use crate::domain::invitation::Due;

/// The place in the queue: somebody who was written to before (a resend, another try) goes before first invitations, and
/// the oldest account first. Whose mail the relay has just failed goes last, so that the next one is the probe and a mail
/// that the relay never takes holds up nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    group: Group,
    since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    WrittenToBefore,
    FirstInvitation,
    RelayFailed,
}

impl Turn {
    /// The place of a due mail of an account created at `created`, whose last mail the relay failed at `failed`.
    pub fn new(due: &Due, created: Option<&Time>, failed: Option<Timestamp>) -> Self {
        let since = created.map_or(Timestamp::UNIX_EPOCH, |created| created.0);
        match failed {
            Some(failed) => Self { group: Group::RelayFailed, since: failed },
            None if due.round == 1 && due.continues.is_none() => Self { group: Group::FirstInvitation, since },
            None => Self { group: Group::WrittenToBefore, since },
        }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    order: BTreeSet<(Turn, String)>,
    places: HashMap<String, Place>,
    /// Whose mail is under way, and whether it was asked for again meanwhile.
    under_way: HashMap<String, bool>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    turn: Turn,
    /// Since when it waits, whatever its turn.
    since: Timestamp,
}

/// The accounts whose mail waits.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    waiting: Arc<Mutex<Waiting>>,
    filled: Arc<Notify>,
}

impl Outbox {
    /// Adds an account whose mail has waited since then, or moves it to another place. One whose mail is under way is not
    /// added: see [`Self::done`].
    pub fn add(&self, account: &str, turn: Turn, since: Timestamp) {
        let mut waiting = self.waiting();
        if let Some(asked_again) = waiting.under_way.get_mut(account) {
            *asked_again = true;
            return;
        }
        let old = waiting.places.get(account).copied();
        if let Some(old) = old {
            waiting.order.remove(&(old.turn, account.to_owned()));
        }
        let since = old.map_or(since, |old| old.since.min(since));
        waiting.places.insert(account.to_owned(), Place { turn, since });
        waiting.order.insert((turn, account.to_owned()));
        drop(waiting);
        self.filled.notify_one();
    }

    /// Takes an account out: its mail is no longer due.
    pub fn withdraw(&self, account: &str) {
        let mut waiting = self.waiting();
        if let Some(place) = waiting.places.remove(account) {
            waiting.order.remove(&(place.turn, account.to_owned()));
        }
    }

    /// Waits until somebody waits.
    pub async fn filled(&self) {
        loop {
            let filled = self.filled.notified();
            if !self.waiting().order.is_empty() {
                return;
            }
            filled.await;
        }
    }

    /// Takes the next account out; its mail is under way until it is `done`.
    pub fn next(&self) -> Option<String> {
        self.next_rather(|_| true)
    }

    /// The same, but rather the first of which this is true, if there is one.
    pub fn next_rather(&self, rather: impl Fn(&str) -> bool) -> Option<String> {
        let mut waiting = self.waiting();
        let found =
            waiting.order.iter().find(|(_, account)| rather(account)).or_else(|| waiting.order.first()).cloned();
        let (turn, account) = found?;
        waiting.order.remove(&(turn, account.clone()));
        waiting.places.remove(&account);
        waiting.under_way.insert(account.clone(), false);
        Some(account)
    }

    /// The mail of an account is not under way any more. Returns whether it was asked for again meanwhile, so that somebody
    /// must look whether it is still due.
    pub fn done(&self, account: &str) -> bool {
        self.waiting().under_way.remove(account).unwrap_or(false)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting().order.len()
    }

    /// Since when the one waits that has waited longest.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.waiting().places.values().map(|place| place.since).min()
    }

    /// Whether nobody waits and no mail is under way.
    pub fn is_idle(&self) -> bool {
        let waiting = self.waiting();
        waiting.order.is_empty() && waiting.under_way.is_empty()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::invitation::MailKind;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn turn(round: u32, second: i64) -> Turn {
        let created = Time(at(second));
        Turn::new(&Due { kind: MailKind::Invitation, round, continues: None }, Some(&created), None)
    }

    #[test]
    fn whose_mail_the_relay_failed_is_not_the_next_probe() {
        let outbox = Outbox::default();
        let created = Time(at(10));
        let again = Due { kind: MailKind::Invitation, round: 1, continues: Some(("<m@x>".into(), created.0)) };
        for (name, failed) in [("failed just now", 90), ("failed before", 80)] {
            outbox.add(name, Turn::new(&again, Some(&created), Some(at(failed))), at(0));
        }
        outbox.add("not tried yet", turn(1, 50), at(0));
        let order: Vec<String> = std::iter::from_fn(|| outbox.next()).collect();
        assert_eq!(order, ["not tried yet", "failed before", "failed just now"]);
    }

    #[test]
    fn while_a_domain_is_refused_the_next_is_rather_for_another_one_and_else_in_turn() {
        let outbox = Outbox::default();
        for (name, second) in [("ana@maple", 1), ("bea@maple", 2), ("cai@university", 3)] {
            outbox.add(name, turn(1, second), at(second));
        }
        let elsewhere = |account: &str| !account.ends_with("@maple");
        let order: Vec<String> = std::iter::from_fn(|| outbox.next_rather(elsewhere)).collect();
        assert_eq!(order, ["cai@university", "ana@maple", "bea@maple"]);
        assert_eq!((outbox.len(), outbox.oldest()), (0, None));
    }

    #[test]
    fn an_account_whose_mail_is_under_way_is_not_taken_again() {
        let outbox = Outbox::default();
        for (asked_again, name) in [(true, "ana"), (false, "bea")] {
            outbox.add(name, turn(1, 1), at(1));
            assert_eq!(outbox.next().as_deref(), Some(name));
            if asked_again {
                outbox.add(name, turn(1, 1), at(2));
            }
            assert_eq!(outbox.next(), None);
            assert_eq!(outbox.done(name), asked_again);
            outbox.add(name, turn(1, 1), at(3));
            assert_eq!(outbox.next().as_deref(), Some(name));
        }
    }

    #[test]
    fn resends_go_first_then_the_oldest_and_nobody_waits_twice() {
        let outbox = Outbox::default();
        outbox.add("young", turn(1, 20), at(20));
        outbox.add("old", turn(1, 10), at(10));
        outbox.add("again", turn(2, 30), at(30));
        outbox.add("young", turn(1, 20), at(20));
        outbox.add("gone", turn(1, 5), at(5));
        assert_eq!(outbox.oldest(), Some(at(5)));
        outbox.withdraw("gone");
        assert_eq!(outbox.oldest(), Some(at(10)));
        let order: Vec<String> = std::iter::from_fn(|| outbox.next()).collect();
        assert_eq!(order, ["again", "old", "young"]);
    }
}
