//! The mailer: one worker that takes accounts out of the outbox in turn, at the configured rate, and mails them. For each mail:
//! decide again, write ahead, look once more, hand to the relay, write the outcome. A slow or broken relay holds up this
//! worker and nothing else.

pub mod ledger;
mod send;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{Instrument, info, warn};

use self::send::{addressee, send};
use super::context::Context;
use super::queue::Key;
use super::spans::of_a_mail;
use crate::adapters::heart::TURNS_AT_LEAST_EVERY;
use crate::adapters::mail::Relay;
use crate::api::account::{Attempt, ClinicAccountSpec};
use crate::domain::mailer::{Begun, Blame, Evidence, MailerStanding, Past, RelayHealth};
use crate::domain::pace::Pace;

/// Longer than the time within which mails are counted.
const LATELY: SignedDuration = SignedDuration::from_mins(5);

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
    stop: watch::Receiver<bool>,
}

impl Mailer {
    /// One that knows nothing yet; `standing` is where it tells whether mail goes out. It takes mail until `stop` becomes true.
    pub fn new(
        context: Arc<Context>,
        settings: Settings,
        standing: watch::Sender<MailerStanding>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { context, settings, health: Mutex::default(), standing, stop }
    }

    /// Reads in the ledgers how the relay stood and how many mails left lately, before the operator was started. Call it once the
    /// cache is complete, before anything is worked on: so a restart changes nothing of what is told.
    pub fn recollect(&self) -> Pace {
        let now = self.context.clock.now();
        let index = self.context.cache.read();
        let past: Vec<Past> = index.all_accounts().flat_map(|account| attempts_of(&account.spec)).collect();
        let left = past.iter().map(|past| past.at).filter(|at| now.duration_since(*at) <= LATELY);
        let pace = Pace::new(self.settings.per_minute.get(), left);
        let health = RelayHealth::from_ledgers(past, now);
        self.standing.send_replace(health.standing());
        *self.health() = health;
        pace
    }

    /// Mails until it is to stop; then takes no new mail and ends the ones under way.
    pub async fn run(self: Arc<Self>, pace: Pace) {
        let heart = self.context.cache.heart().clone();
        heart.turn("the mailer", [self.take_turns(pace)]).await;
    }

    async fn take_turns(self: Arc<Self>, mut pace: Pace) {
        let connections = self.settings.connections.get();
        let slots = Arc::new(Semaphore::new(usize::try_from(connections).unwrap_or(1)));
        let mut stop = self.stop.clone();
        let mut under_way = JoinSet::new();
        loop {
            let turn = async {
                self.context.outbox.filled().await;
                let clock = self.context.clock;
                let probe = self.health().next_probe(clock.now());
                clock.reached(probe).await;
                // While the relay fails, one mail at a time is the probe.
                let needed = if self.health().fails() { connections } else { 1 };
                let slot = Arc::clone(&slots).acquire_many_owned(needed).await;
                clock.reached(pace.next(clock.now())).await;
                slot
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                // What it has shown about the relay counts for the next turn.
                Some(_) = under_way.join_next() => {}
                () = sleep(TURNS_AT_LEAST_EVERY) => {}
                Ok(slot) = turn => {
                    if let Some(account) = self.next() {
                        pace.leaves(self.context.clock.now());
                        under_way.spawn(Arc::clone(&self).mail(account, slot));
                    }
                }
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// The account whose turn it is. While the relay fails, somebody at another domain than the one that it failed for goes first.
    fn next(&self) -> Option<String> {
        let Some(troubled) = self.health().troubled_domain().map(str::to_owned) else {
            return self.context.outbox.next();
        };
        let index = self.context.cache.read();
        let is_elsewhere = |account: &str| {
            let address = index.account(account).and_then(|account| account.spec.desired.email);
            address.is_some_and(|address| address.domain() != troubled)
        };
        self.context.outbox.next_rather(is_elsewhere)
    }

    async fn mail(self: Arc<Self>, account: String, slot: OwnedSemaphorePermit) {
        let begun = self.health().begin();
        send(&self, &account, begun).instrument(of_a_mail(&account)).await;
        drop(slot);
        if self.context.outbox.done(&account) {
            self.context.cache.work_on(Key::Account(account.into()), Duration::ZERO);
        }
    }

    fn health(&self) -> MutexGuard<'_, RelayHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no further dialogue may begin.
    fn is_to_stop(&self) -> bool {
        *self.stop.borrow()
    }

    /// Takes in what the mail of an account has shown. Returns whose trouble it is.
    fn learn(&self, mail: &str, evidence: Evidence, begun: Begun) -> Blame {
        let (blame, now_standing) = {
            let mut health = self.health();
            let blame = health.learn(mail, evidence, begun, self.context.clock.now());
            (blame, health.standing())
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
        blame
    }
}

/// What the ledger of an account tells about the relay.
fn attempts_of(account: &ClinicAccountSpec) -> Vec<Past> {
    let Some(delivery) = &account.delivery else { return Vec::new() };
    let past = |attempt: &Attempt| Past {
        mail: attempt.message_id.clone(),
        domain: addressee(account, attempt.kind)
            .map(|address| address.domain())
            .filter(|_| attempt.round == delivery.round),
        refused_since: delivery.refused_since,
        at: attempt.at,
        outcome: attempt.outcome,
        trouble: attempt.trouble(),
    };
    delivery.attempts.iter().map(past).collect()
}
