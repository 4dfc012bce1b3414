//! Ends for good what a manifest has ended and no controller has written down: a suspension that is taken back before a controller
//! saw it must not leave a copied cookie alive. What a replica saw ends old sessions there at once; some seconds later the session
//! epoch is raised, once and guarded, unless the record has caught up. While a controller runs as usual nothing is written here.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use super::Portal;
use super::acceptance::{Change, ChangeError, Still, change};
use crate::api::account::{Acceptance, ClinicAccountSpec};
use crate::api::holder::Manifest;
use crate::domain::standing::{Answer, By};

/// How often every manifest is looked at: an end of training comes without a change.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a controller has to write down what its manifest says.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// Between two tries of a write that was refused or got no answer.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What was seen to end, by account.
#[derive(Debug, Default)]
pub struct Endings(Mutex<HashMap<String, Ending>>);

#[derive(Clone, Copy, Debug)]
struct Ending {
    /// Of the sessions that ended.
    epoch: u32,
    grant: u32,
    /// When that was last seen.
    at: Timestamp,
    next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The record is looked at then.
    Look(Instant),
    /// It was refused or got no answer, and is tried again then.
    TryAgain(Instant),
    /// Nothing: the record says it, one way or the other.
    Nothing,
}

impl Endings {
    /// When the sessions of this epoch and grant were last seen to end.
    pub fn ended_at(&self, account: &str, epoch: u32, grant: u32) -> Option<Timestamp> {
        let all = self.all();
        all.get(account).filter(|ending| (ending.epoch, ending.grant) == (epoch, grant)).map(|ending| ending.at)
    }

    fn note(&self, account: &str, epoch: u32, grant: u32, at: Timestamp, look: Instant) {
        let mut all = self.all();
        match all.get_mut(account).filter(|known| (known.epoch, known.grant) == (epoch, grant)) {
            Some(known) => known.at = at,
            None => drop(all.insert(account.to_owned(), Ending { epoch, grant, at, next: Next::Look(look) })),
        }
    }

    /// The next time that this one is seen to end is another time.
    fn is_over(&self, account: &str) {
        let mut all = self.all();
        if all.get(account).is_some_and(|ending| ending.next == Next::Nothing) {
            all.remove(account);
        }
    }

    /// The same for whoever is not among these.
    fn are_over_but(&self, still: &HashSet<String>) {
        self.all().retain(|account, ending| ending.next != Next::Nothing || still.contains(account));
    }

    fn due(&self, now: Instant) -> Vec<(String, Ending)> {
        let is_due = |ending: &Ending| match ending.next {
            Next::Look(at) | Next::TryAgain(at) => at <= now,
            Next::Nothing => false,
        };
        let all = self.all();
        all.iter().filter(|(_, ending)| is_due(ending)).map(|(account, ending)| (account.clone(), *ending)).collect()
    }

    fn set(&self, account: &str, ending: Ending) {
        self.all().insert(account.to_owned(), ending);
    }

    /// The record says it, or needs not to: what it says now is not looked at again.
    fn done(&self, ending: Ending, account: &ClinicAccountSpec) {
        match &account.acceptance {
            Some(Acceptance { session_epoch, .. }) => {
                let (epoch, grant) = (*session_epoch, account.desired.grant);
                self.set(&account.id, Ending { epoch, grant, next: Next::Nothing, ..ending });
            }
            None => self.forget(&account.id),
        }
    }

    fn forget(&self, account: &str) {
        self.all().remove(account);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Ending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until it is dropped. `changes` are the manifests as they change: every one, not the last of several, since a suspension may
/// be taken back at once.
pub async fn keep(portal: &Portal, mut changes: UnboundedReceiver<(String, Manifest)>) {
    drop(portal.records.complete().wait_for(|complete| *complete).await);
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some((name, manifest)) = changes.recv() => {
                if portal.look_at(&name, &manifest).is_empty() {
                    portal.records.accounts_held_by(&name).iter().for_each(|account| portal.endings.is_over(&account.spec.id));
                }
            }
            _ = looks.tick() => {
                let manifests = portal.records.manifests_that_may_take_away();
                let ended = manifests.iter().flat_map(|(name, manifest)| portal.look_at(name, manifest));
                portal.endings.are_over_but(&ended.collect());
                for (account, ending) in portal.endings.due(portal.clock.monotonic()) {
                    portal.write_down(&account, ending).await;
                }
            }
        }
    }
}

impl Portal {
    /// Notes and returns the accounts from which this manifest alone takes access away.
    fn look_at(&self, name: &str, manifest: &Manifest) -> Vec<String> {
        if !manifest.may_take_away() {
            return Vec::new();
        }
        let now = self.clock.now();
        let held = self.records.accounts_held_by(name).into_iter().map(|account| account.spec);
        let ended = held.filter(|account| {
            let facts = self.facts_by(account, Some(manifest));
            facts.may_pass(now) == Answer::MayNot(By::Manifest)
        });
        let note = |account: ClinicAccountSpec| {
            let epoch = account.acceptance.as_ref()?.session_epoch;
            self.endings.note(&account.id, epoch, account.desired.grant, now, self.clock.monotonic() + SETTLED_AFTER);
            Some(account.id)
        };
        ended.filter_map(note).collect()
    }

    /// Raises the epoch if the record still grants what the manifest took away some seconds ago, whatever the manifest says by now.
    async fn write_down(&self, account: &str, ending: Ending) {
        let read = match self.account_now(account).await {
            Ok(Some(read)) => read,
            Ok(None) => return self.endings.forget(account),
            Err(error) => return self.try_again(account, ending, &error),
        };
        let still = Still::Grants { epoch: ending.epoch, grant: ending.grant, at: self.clock.now() };
        if !still.is_so(&read.spec) {
            return self.endings.done(ending, &read.spec);
        }
        match change(&self.stores.accounts, account, still, Change::SignedOut).await {
            Ok(written) => {
                info!(account, "ended the sessions that the manifest ended, which no controller has written down");
                self.records.put(&written);
                self.endings.done(ending, &written.spec);
            }
            // Read again at the next look.
            Err(ChangeError::Changed) => {}
            Err(error) => self.try_again(account, ending, &error),
        }
    }

    fn try_again(&self, account: &str, ending: Ending, error: &dyn Display) {
        if !matches!(ending.next, Next::TryAgain(_)) {
            warn!(account, %error, "its sessions are not ended in the record yet; it is tried again");
        }
        self.endings.set(account, Ending { next: Next::TryAgain(self.clock.monotonic() + TRY_AGAIN_AFTER), ..ending });
    }
}
