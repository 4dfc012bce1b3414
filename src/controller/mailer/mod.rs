//! The mailer: one worker that takes accounts out of the outbox in turn, at the configured rate, and mails them. For each mail:
//! decide again, write ahead, look once more, hand to the relay, write the outcome. A slow or broken relay holds up this
//! worker and nothing else.

mod hold;
pub mod ledger;
mod send;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::{Quota, RateLimiter};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{info, warn};

use self::send::send;
use super::context::Context;
use crate::adapters::mail::Relay;
use crate::domain::lifecycle::MailerStanding;

/// First wait after the relay failed; doubled with each failure in a row.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

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

/// Whether one mail showed that the relay works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It did its part, whatever it said about the recipient.
    Works,
    /// It failed, and why.
    Fails(String),
    /// The mail did not get that far.
    Untested,
}

/// Mails until `stop` becomes true; then takes no new mail and ends the ones under way.
pub async fn run(
    context: Arc<Context>,
    settings: Settings,
    standing: watch::Sender<MailerStanding>,
    mut stop: watch::Receiver<bool>,
) {
    let settings = Arc::new(settings);
    let rate = RateLimiter::direct(Quota::per_minute(settings.per_minute));
    let slots = Arc::new(Semaphore::new(usize::try_from(settings.connections.get()).unwrap_or(1)));
    let mut under_way = JoinSet::new();
    let mut failures: u32 = 0;
    loop {
        let turn = async {
            context.outbox.filled().await;
            if failures > 0 {
                sleep(wait_after(failures)).await;
            }
            // While the relay fails, one mail at a time is the probe.
            let needed = if failures > 0 { settings.connections.get() } else { 1 };
            let slot = Arc::clone(&slots).acquire_many_owned(needed).await;
            rate.until_ready().await;
            slot
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(result) = under_way.join_next() => {
                let (begun_after, probe) = result.unwrap_or((failures, Probe::Untested));
                failures = learn(&standing, failures, begun_after, probe);
            }
            Ok(slot) = turn => {
                if let Some(account) = context.outbox.next() {
                    let (context, settings) = (Arc::clone(&context), Arc::clone(&settings));
                    under_way.spawn(async move {
                        let probe = send(&context, &settings, &account).await;
                        drop(slot);
                        (failures, probe)
                    });
                }
            }
        }
    }
    while under_way.join_next().await.is_some() {}
}

fn wait_after(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_WAIT)
}

/// Takes in what a mail showed about the relay that began after `begun_after` failures; returns how often it has failed in a
/// row. Mails that were under way together and fail together are one failure.
fn learn(standing: &watch::Sender<MailerStanding>, failures: u32, begun_after: u32, probe: Probe) -> u32 {
    match probe {
        Probe::Untested => failures,
        Probe::Works => {
            if standing.send_if_modified(|was| std::mem::replace(was, MailerStanding::Up) != MailerStanding::Up) {
                info!("the mail relay takes mail again");
            }
            0
        }
        Probe::Fails(why) => {
            let failures = failures.max(begun_after.saturating_add(1));
            let down = MailerStanding::Down(why.clone());
            if standing.send_if_modified(|was| std::mem::replace(was, down.clone()) != down) {
                warn!(error = why, "the mail relay does not take mail; the queue waits");
            }
            failures
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_that_fail_together_are_one_failure_and_a_failed_probe_is_another() {
        let (standing, _) = watch::channel(MailerStanding::Up);
        let fails = || Probe::Fails("the server cannot be reached".into());
        let together = (0..4).fold(0, |failures, _| learn(&standing, failures, 0, fails()));
        assert_eq!((together, wait_after(together)), (1, FIRST_WAIT));
        assert_eq!(learn(&standing, together, together, fails()), 2);
        assert_eq!(learn(&standing, 2, 2, Probe::Untested), 2);
        assert_eq!(learn(&standing, 2, 2, Probe::Works), 0);
    }
}
