//! What the guards count of all accounts, kept up to date with the cache: who was removed or first invited when, what is held,
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
    removed: Option<Timestamp>,
    invited: Option<Timestamp>,
    /// Ids of the holds that nobody has released.
    holds: Vec<String>,
}

impl Guarded {
    /// Reads them.
    pub fn of(account: &ClinicAccountSpec) -> Self {
        let delivery = account.delivery.as_ref();
        let holds = [account.desired.hold.as_ref(), delivery.and_then(|delivery| delivery.hold.as_ref())];
        let unreleased = |hold: &&Hold| !hold.released;
        Self {
            accepted: account.acceptance.is_some(),
            removed: account.desired.removed.as_ref().map(|removed| removed.at),
            invited: account.first_invited(),
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
    invited: BTreeMap<Arc<str>, Timestamp>,
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
        if let Some(at) = guarded.invited {
            self.invited.insert(Arc::clone(account), at);
        }
        self.holds.extend(guarded.holds.iter().map(|id| (id.clone(), Arc::clone(account))));
    }

    /// Forgets an account.
    pub(super) fn forget(&mut self, account: &Arc<str>) {
        self.accepted.remove(account);
        self.removed.remove(account);
        self.invited.remove(account);
        self.orphans.remove(account);
        self.holds.retain(|(_, held)| held != account);
    }

    /// Whether somebody has accepted the account.
    pub fn has_accepted(&self, account: &str) -> bool {
        self.accepted.contains(account)
    }

    /// Accounts that were removed within the window before `now`.
    pub fn removed_lately(&self, now: Timestamp) -> usize {
        self.removed.values().filter(|at| is_within_the_window(**at, now)).count()
    }

    /// Accounts that were removed before that.
    pub fn removed_before(&self, now: Timestamp) -> usize {
        self.removed.len() - self.removed_lately(now)
    }

    /// Accounts that were written to for the first time within the window before `now`.
    pub fn invited_lately(&self, now: Timestamp) -> usize {
        self.invited.values().filter(|at| is_within_the_window(**at, now)).count()
    }

    /// Whether the account was ever written to.
    pub fn was_invited(&self, account: &str) -> bool {
        self.invited.contains_key(account)
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
