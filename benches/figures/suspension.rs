//! How long a suspension takes from the manifest to the record that the portal reads, in a clinic at rest and while thousands of new
//! members wait. Never here: how soon the portal itself refuses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clinic_operator::api::account::Acceptance;
use clinic_operator::api::{CLINIC_NAME, Clinic, ClinicAccount, ClinicUser, EmailClaim};
use futures::TryStreamExt;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::sleep;

use super::members::{Record, clinic, create, for_each, name};
use super::throughput::fast;
use crate::support::control_plane::Namespace;
use crate::support::operator::Operator;
use crate::support::smtp::SmtpServer;
use crate::support::wait::now;

/// New members, all in files that were applied a moment ago.
pub(crate) const NEW: usize = 4_000;
/// Suspended while the clinic is at rest, and as many again while the new ones wait.
pub(crate) const SUSPENDED: usize = 200;
/// One after the other, whether or not the one before is through.
const EVERY: Duration = Duration::from_millis(50);
/// For what takes seconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(600);

/// What was measured.
pub(crate) struct Figures {
    /// From the manifest to the record, the clinic at rest; in order.
    pub(crate) at_rest: Vec<Duration>,
    /// The same while the new members wait; in order.
    pub(crate) behind_a_bulk: Vec<Duration>,
    /// From the first of the new files to the last new account.
    pub(crate) bulk: Duration,
    /// Keys that waited at the first suspension and at the last one.
    pub(crate) waited: (u64, u64),
}

/// When each account lost its access, as a watch tells it.
type Ends = Arc<Mutex<HashMap<String, Instant>>>;

/// Measures it in a new clinic.
pub(crate) async fn measure(administrator: &Client, record: &Record) -> Figures {
    eprintln!("suspending {SUSPENDED} members at rest and {SUSPENDED} behind {NEW} new ones …");
    let namespace = clinic("suspension");
    let accounts = accepted(administrator, &namespace, record).await;
    let relay = SmtpServer::start();
    let operator = Operator::start(&namespace, &relay, fast());
    wait_until_active(administrator, &namespace).await;
    let ends = follow(administrator, &namespace);
    let at_rest = suspend(administrator, &namespace, &accounts, &ends, 0..SUSPENDED).await;
    let began = now();
    create(administrator, &namespace, 2 * SUSPENDED..2 * SUSPENDED + NEW).await;
    let first = waiting(&operator);
    let (behind_a_bulk, last) =
        tokio::join!(suspend(administrator, &namespace, &accounts, &ends, SUSPENDED..2 * SUSPENDED), async {
            sleep(EVERY * u32::try_from(SUSPENDED).expect("a few hundred")).await;
            waiting(&operator)
        });
    wait_for_accounts(administrator, &namespace, 2 * SUSPENDED + NEW).await;
    Figures { at_rest, behind_a_bulk, bulk: began.elapsed(), waited: (first, last) }
}

/// Members who have accepted, written by hand; the names of their accounts.
async fn accepted(client: &Client, namespace: &Namespace, record: &Record) -> Vec<String> {
    let users = create(client, namespace, 0..2 * SUSPENDED).await;
    let claims: Api<EmailClaim> = Api::namespaced(client.clone(), namespace.name());
    let accounts: Api<ClinicAccount> = Api::namespaced(client.clone(), namespace.name());
    let (claims, accounts, users) = (&claims, &accounts, &users);
    let _open = namespace.open_door();
    let mut names = for_each(0..users.len(), |index| async move {
        let (number, user) = &users[index];
        let member = record.of(*number, user);
        let mut account = member.account;
        account.spec.acceptance = Some(acceptance(user));
        claims.create(&PostParams::default(), &member.claim).await.expect("the claim is a copy");
        accounts.create(&PostParams::default(), &account).await.expect("the account is a copy");
        (*number, account.spec.id)
    })
    .await;
    names.sort();
    names.into_iter().map(|(_, account)| account).collect()
}

fn acceptance(user: &ClinicUser) -> Acceptance {
    serde_json::from_value(json!({
        "acceptedAt": "2026-11-24T14:00:00Z", "login": user.spec.email, "firstName": "Ana", "lastName": "Silva",
        "credential": "c-1", "firstSignInAt": "2026-11-24T14:00:00Z",
    }))
    .expect("it is an acceptance")
}

async fn wait_until_active(client: &Client, namespace: &Namespace) {
    let clinics: Api<Clinic> = Api::namespaced(client.clone(), namespace.name());
    let began = now();
    loop {
        let status = clinics.get(CLINIC_NAME).await.expect("the clinic is there").status;
        let members = status.and_then(|status| status.members);
        if members.as_ref().is_some_and(|members| usize::try_from(members.active) == Ok(2 * SUSPENDED)) {
            return;
        }
        assert!(began.elapsed() < LIMIT, "not everybody is active: {members:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

async fn wait_for_accounts(client: &Client, namespace: &Namespace, count: usize) {
    let accounts: Api<ClinicAccount> = Api::namespaced(client.clone(), namespace.name());
    let began = now();
    loop {
        let page = accounts.list_metadata(&ListParams::default().limit(1)).await.expect("accounts can be listed");
        let found = page
            .metadata
            .remaining_item_count
            .map_or(page.items.len(), |more| usize::try_from(more).expect("a count") + page.items.len());
        if found >= count {
            return;
        }
        assert!(began.elapsed() < LIMIT, "{found} of {count} accounts");
        sleep(Duration::from_millis(500)).await;
    }
}

/// Notes when each account has no access any more, for as long as the bench runs.
fn follow(client: &Client, namespace: &Namespace) -> Ends {
    let accounts: Api<ClinicAccount> = Api::namespaced(client.clone(), namespace.name());
    let ends = Ends::default();
    let noted = Arc::clone(&ends);
    tokio::spawn(async move {
        let changes = watcher(accounts, watcher::Config::default()).applied_objects();
        let noted = changes.try_for_each(|account| {
            if account.spec.access.is_some_and(|access| !access.granted) {
                noted.lock().expect("nobody panics with it").entry(account.spec.id).or_insert_with(now);
            }
            std::future::ready(Ok(()))
        });
        noted.await.expect("the watch goes on");
    });
    ends
}

/// Suspends these members; how long each took, in order.
async fn suspend(
    client: &Client,
    namespace: &Namespace,
    accounts: &[String],
    ends: &Ends,
    numbers: std::ops::Range<usize>,
) -> Vec<Duration> {
    let users: Api<ClinicUser> = Api::namespaced(client.clone(), namespace.name());
    let patch = Patch::Merge(json!({"spec": {"suspended": true}}));
    let mut asked = Vec::new();
    for number in numbers {
        asked.push((&accounts[number], now()));
        users.patch(&name(number), &PatchParams::default(), &patch).await.expect("the manifest is there");
        sleep(EVERY.saturating_sub(asked[asked.len() - 1].1.elapsed())).await;
    }
    let began = now();
    loop {
        let ended = ends.lock().expect("nobody panics with it").clone();
        let took = asked.iter().filter_map(|(account, at)| Some(ended.get(*account)?.duration_since(*at)));
        let mut took: Vec<Duration> = took.collect();
        if took.len() == asked.len() {
            took.sort();
            return took;
        }
        assert!(began.elapsed() < LIMIT, "{} of {} suspensions are written", took.len(), asked.len());
        sleep(Duration::from_millis(100)).await;
    }
}

fn waiting(operator: &Operator) -> u64 {
    let metrics = operator.metrics();
    let depth = metrics.lines().find_map(|line| line.strip_prefix("clinic_operator_queue_depth "));
    depth.and_then(|depth| depth.parse().ok()).expect("the queue's depth is a metric")
}
