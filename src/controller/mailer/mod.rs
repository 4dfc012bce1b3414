//! The mailer: one worker that takes accounts out of the outbox in turn, at the configured rate, and mails them. For each mail:
//! decide again, write ahead, look once more, hand to the relay, write the outcome. A slow or broken relay holds up this
//! worker and nothing else.

mod hold;
pub mod ledger;
mod send;

pub use hold::FirstInvitations;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use self::send::send;
use super::context::Context;
use super::queue::Key;
use crate::adapters::mail::Relay;
use crate::domain::mailer::{Evidence, MailerStanding, Pace, Past, RelayHealth};

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The relay.
    pub relay: Relay,
    /// Base of the links, without a slash at its end.
    pub portal_url: String,
    /// Mails a minute.
    pub per_minute: NonZeroU32,
    /// Dialogues with the relay at the same time.
    pub connections: NonZeroU32,
}

/// The mailer and what it has learned about the relay.
pub struct Mailer {
    context: Arc<Context>,
    settings: Settings,
    health: Mutex<RelayHealth>,
    standing: watch::Sender<MailerStanding>,
}

impl Mailer {
    /// One that knows nothing yet; `standing` is where it tells whether mail goes out.
    pub fn new(context: Arc<Context>, settings: Settings, standing: watch::Sender<MailerStanding>) -> Self {
        Self { context, settings, health: Mutex::default(), standing }
    }

    /// Reads in the ledgers how the relay stood before the operator was started. Call it once the cache is complete, before
    /// anything is worked on: so a restart changes nothing of what is told.
    pub fn recollect(&self) {
        let index = self.context.cache.read();
        let attempts = index.all_accounts().filter_map(|account| account.spec.delivery);
        let attempts = attempts.flat_map(|delivery| delivery.attempts);
        let past =
            attempts.map(|attempt| Past { trouble: attempt.trouble(), at: attempt.at, outcome: attempt.outcome });
        let health = RelayHealth::from_ledgers(past, self.context.clock.now());
        self.standing.send_replace(health.standing());
        *self.health() = health;
    }

    /// Mails until `stop` becomes true; then takes no new mail and ends the ones under way.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let connections = self.settings.connections.get();
        let slots = Arc::new(Semaphore::new(usize::try_from(connections).unwrap_or(1)));
        let mut pace = self.pace();
        let mut under_way = JoinSet::new();
        loop {
            let turn = async {
                self.context.outbox.filled().await;
                let clock = self.context.clock;
                let probe = self.health().next_probe(clock.now());
                clock.reached(probe).await;
                // While the relay fails, one mail at a time is the probe.
                let needed = if self.health().failures() > 0 { connections } else { 1 };
                let slot = Arc::clone(&slots).acquire_many_owned(needed).await;
                clock.reached(pace.next(clock.now())).await;
                slot
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                // What it has shown about the relay counts for the next turn.
                Some(_) = under_way.join_next() => {}
                Ok(slot) = turn => {
                    if let Some(account) = self.context.outbox.next() {
                        pace.leaves(self.context.clock.now());
                        let mailer = Arc::clone(&self);
                        under_way.spawn(async move {
                            send(&mailer, &account).await;
                            drop(slot);
                            if mailer.context.outbox.done(&account) {
                                mailer.context.cache.work_on(Key::Account(account.into()), Duration::ZERO);
                            }
                        });
                    }
                }
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// The rate, which a restart does not begin anew.
    fn pace(&self) -> Pace {
        let index = self.context.cache.read();
        let attempts = index.all_accounts().filter_map(|account| account.spec.delivery);
        let left = attempts.flat_map(|delivery| delivery.attempts).map(|attempt| attempt.at);
        Pace::new(self.settings.per_minute.get(), left)
    }

    fn health(&self) -> MutexGuard<'_, RelayHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a mail has shown that was written ahead at `ahead` after so many failures in a row.
    fn learn(&self, evidence: Evidence, begun_after: u32, ahead: Timestamp) {
        let now_standing = {
            let mut health = self.health();
            health.learn(evidence, begun_after, ahead, self.context.clock.now());
            health.standing()
        };
        let changed = self.standing.send_if_modified(|was| {
            let changed = *was != now_standing;
            was.clone_from(&now_standing);
            changed
        });
        match now_standing {
            MailerStanding::Up if changed => info!("the mail relay takes mail again"),
            MailerStanding::Down(why) if changed => {
                warn!(error = why, "the mail relay does not take mail; the queue waits");
            }
            MailerStanding::Up | MailerStanding::Down(_) => {}
        }
    }
}
