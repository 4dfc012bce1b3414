//! Ends for good what a manifest has ended and no controller has written down: a suspension or a sign-out that is taken back before a
//! controller saw it must not leave a copied cookie alive. What a replica saw ends old sessions there at once; some seconds later the
//! record is told, once and guarded, unless it has caught up. While a controller runs as usual nothing is written here.

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
use crate::api::account::ClinicAccountSpec;
use crate::api::holder::Manifest;
use crate::domain::session::Facts;

/// How often every manifest is looked at: an end of training comes without a change.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a controller has to write down what its manifest says.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// Between two tries of a write that was refused or got no answer.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What was seen to end.
#[derive(Debug, Default)]
pub struct Endings {
    access: Notes,
    sign_outs: Notes,
}

/// By account.
#[derive(Debug, Default)]
struct Notes(Mutex<HashMap<String, Ending>>);

#[derive(Clone, Copy, Debug)]
struct Ending {
    what: What,
    /// When that was last seen.
    at: Timestamp,
    next: Next,
}

/// What ended, and with it which sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Access: those of this epoch that are of this grant or an earlier one.
    Access { epoch: u32, grant: u32 },
    /// By a sign-out, those of this grant.
    SessionsOf { grant: u32 },
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
    /// When access with sessions of this epoch and grant was last seen to end.
    pub fn ended_at(&self, account: &str, epoch: u32, grant: u32) -> Option<Timestamp> {
        let all = self.access.all();
        let is_of = |what| matches!(what, What::Access { epoch: of, grant: last } if of == epoch && grant <= last);
        all.get(account).filter(|ending| is_of(ending.what)).map(|ending| ending.at)
    }

    /// Whether a sign-out of this grant was seen that the record does not know of.
    pub fn signs_out(&self, account: &str, grant: u32) -> bool {
        let all = self.sign_outs.all();
        all.get(account).is_some_and(|ending| ending.what == What::SessionsOf { grant })
    }

    fn of(&self, what: What) -> &Notes {
        match what {
            What::Access { .. } => &self.access,
            What::SessionsOf { .. } => &self.sign_outs,
        }
    }

    fn note(&self, account: &str, what: What, at: Timestamp, look: Instant) {
        let mut all = self.of(what).all();
        match all.get_mut(account).filter(|known| known.what == what) {
            Some(known) => known.at = at,
            None => drop(all.insert(account.to_owned(), Ending { what, at, next: Next::Look(look) })),
        }
    }

    /// What is to be written down: sign-outs first, since the grant that follows is part of how access ended.
    fn due(&self, now: Instant) -> Vec<(String, Ending)> {
        [&self.sign_outs, &self.access].into_iter().flat_map(|notes| notes.due(now)).collect()
    }

    /// The record says it, or needs not to. If access is still taken away, of this epoch and grant by now, that is not looked at again;
    /// else the next time is another time.
    fn done(&self, ending: Ending, account: &str, goes_on: Option<What>) {
        let notes = self.of(ending.what);
        match goes_on {
            Some(what) => notes.set(account, Ending { what, next: Next::Nothing, ..ending }),
            // What was noted meanwhile is another end.
            None => notes.all().retain(|known, other| known != account || other.what != ending.what),
        }
    }
}

impl Notes {
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
                let held = portal.records.accounts_held_by(&name).into_iter().map(|account| account.spec);
                let is_over = |account: &ClinicAccountSpec| {
                    !portal.facts_by(account, Some(&manifest)).is_ended_by_the_manifest(portal.clock.now())
                };
                held.filter(is_over).for_each(|account| portal.endings.access.is_over(&account.id));
            }
            _ = looks.tick() => {
                portal.endings.access.are_over_but(&portal.ended_by_manifests());
                for (account, ending) in portal.endings.due(portal.clock.monotonic()) {
                    portal.write_down(&account, ending).await;
                }
            }
        }
    }
}

impl Portal {
    /// The accounts from which a manifest alone takes access away, be it there or gone. Each is noted.
    fn ended_by_manifests(&self) -> HashSet<String> {
        let there = self.records.manifests_that_may_take_away();
        let held = there.iter().flat_map(|(name, _)| self.records.accounts_held_by(name)).map(|account| account.spec);
        let all = held.chain(self.records.accounts_of_gone_manifests());
        let ended = all.filter(|account| self.facts(account).is_ended_by_the_manifest(self.clock.now()));
        ended.map(|account| account.id).collect()
    }

    /// Notes what the manifest alone ends: sessions, by a sign-out, or access.
    pub fn note_ends(&self, account: &ClinicAccountSpec, facts: &Facts) {
        let Some(epoch) = facts.epoch else { return };
        let now = self.clock.now();
        let note = |what| self.endings.note(&account.id, what, now, self.clock.monotonic() + SETTLED_AFTER);
        if facts.manifest.signs_out {
            note(What::SessionsOf { grant: facts.record.grant });
        }
        if facts.is_ended_by_the_manifest(now) {
            note(What::Access { epoch, grant: facts.grant() });
        }
    }

    /// Ends sessions in the record if it still knows nothing of what the manifest ended some seconds ago, whatever the manifest says
    /// by now: by the epoch, or by the count of sign-outs, after which what has begun since goes on.
    async fn write_down(&self, account: &str, ending: Ending) {
        let (still, wanted) = match ending.what {
            What::Access { epoch, grant } => (Still::Grants { epoch, grant, at: self.clock.now() }, Change::SignedOut),
            What::SessionsOf { grant } => (Still::OfGrant(grant), Change::SignedOutByAdministrator),
        };
        // A controller has most often written it down by now, and what the records know needs no request.
        if let Some(known) = self.records.account(account).filter(|known| !still.is_so(&known.spec)) {
            return self.settle(ending, &known.spec);
        }
        let read = match self.account_now(account).await {
            Ok(Some(read)) => read,
            Ok(None) => return self.endings.of(ending.what).forget(account),
            Err(error) => return self.try_again(account, ending, &error),
        };
        if !still.is_so(&read.spec) {
            return self.settle(ending, &read.spec);
        }
        match change(&self.stores.accounts, account, still, wanted).await {
            Ok(written) => {
                info!(account, "ended the sessions that the manifest ended, which no controller has written down");
                self.records.put(&written);
                self.settle(ending, &written.spec);
            }
            // Read again at the next look.
            Err(ChangeError::Changed) => {}
            Err(error) => self.try_again(account, ending, &error),
        }
    }

    /// What follows once the record is as it is to be.
    fn settle(&self, ending: Ending, account: &ClinicAccountSpec) {
        let facts = self.facts(account);
        let is_ended = matches!(ending.what, What::Access { .. }) && facts.is_ended_by_the_manifest(self.clock.now());
        let goes_on = facts.epoch.filter(|_| is_ended).map(|epoch| What::Access { epoch, grant: facts.grant() });
        self.endings.done(ending, &account.id, goes_on);
    }

    fn try_again(&self, account: &str, ending: Ending, error: &dyn Display) {
        if !matches!(ending.next, Next::TryAgain(_)) {
            warn!(account, %error, "its sessions are not ended in the record yet; it is tried again");
        }
        let next = Next::TryAgain(self.clock.monotonic() + TRY_AGAIN_AFTER);
        self.endings.of(ending.what).set(account, Ending { next, ..ending });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::clock::Clock;

    #[test]
    fn an_end_of_access_is_of_its_epoch_and_every_grant_till_then_and_a_sign_out_of_one_grant() {
        let (endings, at, look) = (Endings::default(), Timestamp::UNIX_EPOCH, Clock.monotonic());
        endings.note("a-1", What::Access { epoch: 3, grant: 2 }, at, look);
        endings.note("a-1", What::SessionsOf { grant: 1 }, at, look);
        for (epoch, grant, expected) in [(3, 1, Some(at)), (3, 2, Some(at)), (3, 3, None), (2, 2, None), (4, 2, None)] {
            assert_eq!(endings.ended_at("a-1", epoch, grant), expected, "{epoch}, {grant}");
        }
        assert_eq!([0, 1, 2].map(|grant| endings.signs_out("a-1", grant)), [false, true, false]);
        assert!(!endings.signs_out("a-2", 1));
        let due: Vec<What> = endings.due(look).into_iter().map(|(_, ending)| ending.what).collect();
        assert_eq!(due, [What::SessionsOf { grant: 1 }, What::Access { epoch: 3, grant: 2 }]);
    }

    #[test]
    fn an_end_that_is_written_down_is_another_end_the_next_time_unless_it_goes_on() {
        let (endings, at, look) = (Endings::default(), Timestamp::UNIX_EPOCH, Clock.monotonic());
        let [first, second, third] = [3, 4, 5].map(|epoch| What::Access { epoch, grant: 0 });
        let due = || endings.due(look).into_iter().map(|(_, ending)| ending).collect::<Vec<_>>();
        endings.note("a-1", first, at, look);
        endings.done(due()[0], "a-1", Some(second));
        endings.note("a-1", second, at, look);
        assert!(due().is_empty(), "it goes on");
        endings.note("a-1", third, at, look);
        let written = due()[0];
        endings.done(written, "a-1", None);
        assert_eq!(endings.ended_at("a-1", 5, 0), None);
        endings.note("a-1", third, at, look);
        assert_eq!(due()[0].what, third, "another time");
        endings.done(Ending { what: first, ..written }, "a-1", None);
        assert_eq!(due()[0].what, third, "what was noted meanwhile stays");
    }
}
