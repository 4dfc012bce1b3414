//! What a controller does while it leads: the queue is worked on, mails go out. A term begins with what the objects say and nothing
//! else in memory, as a process does, and it can end at any moment. Who leads is decided elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{Instrument, debug, info, warn};

use super::cache::{Cache, Kind};
use super::context::{Context, LOOK_AT_EVERYTHING_EVERY, ReconcileError, Standing};
use super::mailer::{self, Mailer};
use super::queue::{Key, Queue};
use super::{accounts, clinic, members, service_accounts, spans};
use crate::adapters::clock::Clock;
use crate::adapters::random::fraction;
use crate::domain::mailer::MailerStanding;

/// How long the relay must have worked before members are told that it does.
const STEADY_AFTER: Duration = Duration::from_secs(60);
/// First wait after a reconcile failed; doubled with each failure in a row.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest wait.
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// Works until `over`. The caches are complete. `run_mailer` runs the mailer, which ends later: what the relay did with the mails under
/// way is written whoever leads by then.
pub async fn run(
    context: Arc<Context>,
    queue: &Queue,
    mail: &mailer::Settings,
    standing: Standing,
    run_mailer: impl FnOnce(BoxFuture<'static, ()>),
    over: impl Future<Output = ()>,
) {
    let (end, is_to_end) = watch::channel(false);
    let Standing { told, for_members } = standing;
    let stands = told.subscribe();
    let mailer = Arc::new(Mailer::new(Arc::clone(&context), mail.clone(), told, is_to_end));
    let all = async {
        catch_up(&context).await;
        // Nothing is worked on before it is known how the relay stood.
        let pace = mailer.recollect();
        for_members.send_replace(stands.borrow().clone());
        queue.clear();
        context.cache.work_on_everything();
        run_mailer(mailer.run(pace).boxed());
        tokio::select! {
            () = work(&context, queue) => {}
            () = tell_how_the_mailer_stands(&context.cache, stands, &for_members) => {}
            () = look_at_everything_now_and_then(&context.cache, context.clock) => {}
        }
    };
    tokio::select! {
        () = all => {}
        () = over => {}
    }
    end.send_replace(true);
}

/// Reads all accounts once more. What another one did when it led may not have reached the cache yet, or never will if its watch broke
/// without a word, and the guards count it. Who leads from the beginning for good has no other before it.
async fn catch_up(context: &Context) {
    if context.tenure.is_for_good() {
        return;
    }
    let mut wait = FIRST_RETRY;
    let put = async |account| {
        context.cache.put(Kind::ClinicAccount, &account);
        Ok(())
    };
    while let Err(error) = context.accounts.each(put).await {
        warn!(%error, "failed to read the accounts; nothing is done before that");
        sleep(wait).await;
        wait = wait.saturating_mul(2).min(LONGEST_RETRY);
    }
}

/// What changes by itself later than this is not kept as a timer for each object: it is found here. A timer does not see
/// that the clock was set, so then too.
async fn look_at_everything_now_and_then(cache: &Cache, clock: Clock) {
    loop {
        tokio::select! {
            () = sleep(LOOK_AT_EVERYTHING_EVERY) => {}
            () = clock.jumped() => info!("the clock was set; everything is looked at again"),
        }
        cache.work_on_everything();
    }
}

/// The Clinic is told at once how the relay stands and why; members whose mail waits, that it fails at once, and that it works
/// only once it has for a while: a relay that lets one mail in now and then is not worth two writes for everybody who waits.
async fn tell_how_the_mailer_stands(
    cache: &Cache,
    mut standing: watch::Receiver<MailerStanding>,
    for_members: &watch::Sender<MailerStanding>,
) {
    loop {
        let now = standing.borrow_and_update().clone();
        cache.work_on(Key::Clinic, Duration::ZERO);
        let members_wait = now == MailerStanding::Up && *for_members.borrow() != MailerStanding::Up;
        if members_wait && timeout(STEADY_AFTER, standing.changed()).await.is_ok_and(|changed| changed.is_ok()) {
            continue;
        }
        let is_news = for_members.send_if_modified(|was| {
            let differs = (*was == MailerStanding::Up) != (now == MailerStanding::Up);
            was.clone_from(&now);
            differs
        });
        if is_news {
            cache.work_on_everything();
        }
        if standing.changed().await.is_err() {
            return;
        }
    }
}

async fn work(context: &Context, queue: &Queue) {
    let failures: Mutex<HashMap<Key, u32>> = Mutex::default();
    let failures = &failures;
    queue
        .run(|key| async move {
            let (span, begun) = (spans::of_a_reconcile(&key), context.clock.monotonic());
            let result = reconcile(context, &key).instrument(span.clone()).await;
            let _within = span.entered();
            let took = begun.elapsed();
            context.metrics.reconciled(key.controller(), result.as_ref().map(drop).map_err(drop), took);
            let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
            let again = match result {
                Ok(again) => {
                    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                    debug!(milliseconds, "reconciled");
                    failures.remove(&key);
                    again
                }
                Err(error) => {
                    let in_a_row = failures.entry(key.clone()).or_default();
                    let wait = FIRST_RETRY.saturating_mul(1 << (*in_a_row).min(16)).min(LONGEST_RETRY);
                    *in_a_row = in_a_row.saturating_add(1);
                    warn!(?key, %error, "a reconcile failed; it is tried again");
                    Some(wait.mul_f64(0.5 + fraction() / 2.0))
                }
            };
            context.metrics.retrying(failures.len());
            again
        })
        .await;
}

async fn reconcile(context: &Context, key: &Key) -> Result<Option<Duration>, ReconcileError> {
    match key {
        Key::Clinic => clinic::reconcile(context).await,
        Key::Member(name) => members::reconcile(context, name).await,
        Key::ServiceAccount(name) => service_accounts::reconcile(context, name).await,
        Key::Account(name) => accounts::reconcile(context, name).await,
        Key::Removals => members::removal::reconcile(context).await,
    }
}
