//! What the guards count of all accounts, kept up to date with the cache: who was removed when, which rounds began when, what is held,
//! and whose `ClinicUser` is not seen. Whether that is too much is decided in `domain::guard`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::account::{ClinicAccountSpec, Hold};
use crate::domain::guard::is_within_the_window;

/// What the guards count of one account.
#[derive(Debug, Default)]
pub struct Guarded {
    accepted: bool,
    /// When it was removed, if somebody had accepted it: to withdraw an invitation is no removal.
    removed: Option<Timestamp>,
    /// When rounds began that count, oldest first.
    counted: Vec<Timestamp>,
    last_round: u32,
    /// Ids of the holds that nobody has released.
    holds: Vec<String>,
}

impl Guarded {
    /// Reads them.
    pub fn of(account: &ClinicAccountSpec) -> Self {
        let delivery = account.delivery.as_ref();
        let holds = [account.desired.hold.as_ref(), delivery.and_then(|delivery| delivery.hold.as_ref())];
        // Who was removed is not kept, nor waits for a mail: there is nothing to release.
        let unreleased = |hold: &&Hold| !hold.released && account.desired.removed.is_none();
        let accepted = account.acceptance.is_some();
        Self {
            accepted,
            removed: account.desired.removed.as_ref().filter(|_| accepted).map(|removed| removed.at),
            counted: account.counted_rounds().into_iter().collect(),
            last_round: account.last_round(),
            holds: holds.into_iter().flatten().filter(unreleased).map(|hold| hold.id.clone()).collect(),
        }
    }

    /// Whether something of it is held.
    pub fn is_held(&self) -> bool {
        !self.holds.is_empty()
    }
}

/// What the guards count.
#[derive(Debug, Default)]
pub struct Guards {
    accepted: BTreeSet<Arc<str>>,
    removed: BTreeMap<Arc<str>, Timestamp>,
    counted: BTreeMap<Arc<str>, Box<[Timestamp]>>,
    last_round: BTreeMap<Arc<str>, u32>,
    holds: BTreeSet<(String, Arc<str>)>,
    /// Accounts whose holder is not seen.
    pub(super) orphans: BTreeSet<Arc<str>>,
}

impl Guards {
    /// Takes an account in.
    pub(super) fn learn(&mut self, account: &Arc<str>, guarded: &Guarded) {
        if guarded.accepted {
            self.accepted.insert(Arc::clone(account));
        }
        if let Some(at) = guarded.removed {
            self.removed.insert(Arc::clone(account), at);
        }
        if !guarded.counted.is_empty() {
            self.counted.insert(Arc::clone(account), guarded.counted.as_slice().into());
        }
        if guarded.last_round > 0 {
            self.last_round.insert(Arc::clone(account), guarded.last_round);
        }
        self.holds.extend(guarded.holds.iter().map(|id| (id.clone(), Arc::clone(account))));
    }

    /// Forgets an account.
    pub(super) fn forget(&mut self, account: &Arc<str>) {
        self.accepted.remove(account);
        self.removed.remove(account);
        self.counted.remove(account);
        self.last_round.remove(account);
        self.orphans.remove(account);
        self.holds.retain(|(_, held)| held != account);
    }

    /// Whether somebody has accepted the account.
    pub fn has_accepted(&self, account: &str) -> bool {
        self.accepted.contains(account)
    }

    /// Accounts that somebody has accepted, removed or not.
    pub fn accepted(&self) -> usize {
        self.accepted.len()
    }

    /// Accepted accounts that were removed within the window before `now`.
    pub fn removed_lately(&self, now: Timestamp) -> usize {
        self.removed.values().filter(|at| is_within_the_window(**at, now)).count()
    }

    /// Accepted accounts that were removed before that.
    pub fn removed_before(&self, now: Timestamp) -> usize {
        self.removed.len() - self.removed_lately(now)
    }

    /// Rounds of all accounts that count and began within the window before `now`.
    pub fn begun_lately(&self, now: Timestamp) -> usize {
        self.counted.values().flatten().filter(|at| is_within_the_window(**at, now)).count()
    }

    /// Whether a mail of this round of the account, or of a later one, was written ahead.
    pub fn has_begun(&self, account: &str, round: u32) -> bool {
        self.last_round.get(account).is_some_and(|last| *last >= round)
    }

    /// The holds that nobody has released, each with the accounts that it keeps back.
    pub fn holds(&self) -> BTreeMap<&str, Vec<&Arc<str>>> {
        let mut holds: BTreeMap<&str, Vec<&Arc<str>>> = BTreeMap::new();
        for (id, account) in &self.holds {
            holds.entry(id).or_default().push(account);
        }
        holds
    }
}
