//! Who may take the Lease when, as a table; and several electors on a clock of their own against a Lease that keeps versions as the
//! API server does, with requests and answers that are late or lost. The real API server's part is in `tests/cluster/leading.rs`.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn lease(holder: Option<&str>, seconds: i32) -> Lease {
    let spec = LeaseSpec {
        holder_identity: holder.map(str::to_owned),
        lease_duration_seconds: Some(seconds),
        lease_transitions: Some(3),
        ..LeaseSpec::default()
    };
    let metadata = ObjectMeta { resource_version: Some("7".into()), ..ObjectMeta::default() };
    Lease { metadata, spec: Some(spec) }
}

#[test]
fn a_lease_is_taken_when_it_is_ours_or_nobodys_or_has_stood_still_for_as_long_as_its_holder_was_promised() {
    let start = Clock.monotonic();
    let since = |seconds| Seen { version: Some("7".into()), since: start - Duration::from_secs(seconds) };
    let gone = |seconds| Seen { version: None, ..since(seconds) };
    for (lease, seen, expected) in [
        (None, None, Step::Create),
        (None, Some(gone(14)), Step::Wait),
        (None, Some(gone(15)), Step::Create),
        (Some(lease(Some("me"), 15)), None, Step::Take),
        (Some(lease(None, 15)), None, Step::Take),
        (Some(lease(Some(""), 15)), None, Step::Take),
        (Some(lease(Some("other"), 15)), None, Step::Wait),
        (Some(lease(Some("other"), 15)), Some(since(14)), Step::Wait),
        (Some(lease(Some("other"), 15)), Some(since(15)), Step::Take),
        (Some(lease(Some("other"), 1)), Some(since(14)), Step::Wait),
        (Some(lease(Some("other"), 60)), Some(since(59)), Step::Wait),
        (Some(lease(Some("other"), 60)), Some(since(60)), Step::Take),
        (Some(lease(Some("other"), -1)), Some(since(14)), Step::Wait),
    ] {
        assert_eq!(decide(lease.as_ref(), "me", seen.as_ref(), start), expected, "{lease:?} {seen:?}");
    }
}

#[test]
fn what_is_written_is_guarded_by_what_was_read_and_counts_the_holders() {
    let now: Timestamp = "2027-03-01T12:00:00Z".parse().unwrap();
    let written = taken(Some(&lease(Some("other"), 15)), "me", now);
    assert_eq!(written.metadata.resource_version.as_deref(), Some("7"));
    let spec = written.spec.clone().unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("me"), Some(4)));
    let renewed = taken(Some(&written), "me", now + SignedDuration::from_secs(2)).spec.unwrap();
    assert_eq!((renewed.acquire_time, renewed.lease_transitions), (spec.acquire_time, Some(4)));
    assert_ne!(renewed.renew_time, spec.renew_time);
    assert_eq!(taken(None, "me", now).spec.unwrap().lease_transitions, Some(0));
}

/// The Lease of a server.
#[derive(Default)]
struct Server {
    lease: Option<Value>,
    version: u64,
}

/// What befalls each request of an elector in turn, the last one first: milliseconds before it arrives, milliseconds before its answer
/// does.
type Delays = Vec<(u64, u64)>;

const PROMPT: (u64, u64) = (5, 5);

impl Server {
    fn answer(&mut self, method: &Method, sent: Option<Value>) -> (StatusCode, Value) {
        let failed = |code: u16, reason: &str| {
            let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason, "reason": reason, "code": code, "details": {"name": LEASE}});
            (StatusCode::from_u16(code).unwrap(), body)
        };
        let version = |lease: &Value| lease["metadata"]["resourceVersion"].clone();
        match (&self.lease, sent) {
            (None, None) => return failed(404, "NotFound"),
            (Some(lease), None) => return (StatusCode::OK, lease.clone()),
            (Some(_), Some(_)) if *method == Method::POST => return failed(409, "AlreadyExists"),
            (None, Some(_)) if *method == Method::PUT => return failed(404, "NotFound"),
            // As the API server: a write that names no version is not guarded.
            (Some(lease), Some(sent)) if !version(&sent).is_null() && version(lease) != version(&sent) => {
                return failed(409, "Conflict");
            }
            (_, Some(mut sent)) => {
                self.version += 1;
                sent["metadata"]["resourceVersion"] = json!(self.version.to_string());
                self.lease = Some(sent);
            }
        }
        (StatusCode::OK, self.lease.clone().unwrap_or_default())
    }
}

fn elector(name: &str, server: &Arc<Mutex<Server>>, delays: Delays) -> Elector {
    let server = Arc::clone(server);
    let delays = Arc::new(Mutex::new(delays));
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&server);
        let (before, after) = delays.lock().unwrap().pop().unwrap_or(PROMPT);
        async move {
            let (parts, body) = request.into_parts();
            let sent = body.collect_bytes().await.unwrap();
            let sent = (!sent.is_empty()).then(|| serde_json::from_slice(&sent).unwrap());
            // Whoever stops waiting does not take back what is on its way.
            let carried_out = tokio::spawn(async move {
                sleep(Duration::from_millis(before)).await;
                let answer = server.lock().unwrap().answer(&parts.method, sent);
                sleep(Duration::from_millis(after)).await;
                answer
            });
            let (status, body) = carried_out.await.unwrap();
            let body = Body::from(serde_json::to_vec(&body).unwrap());
            Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
        }
    });
    Elector::new(&Client::new(service, "maple"), "maple", name.to_owned())
}

/// How many of those elected at this moment believe that they are.
fn leaders(elected: &[watch::Receiver<Option<Tenure>>]) -> usize {
    elected.iter().filter(|elected| elected.borrow().as_ref().is_some_and(Tenure::lasts)).count()
}

/// What tells nobody to stop.
fn never() -> watch::Receiver<bool> {
    let (sender, stop) = watch::channel(false);
    std::mem::forget(sender);
    stop
}

/// Works in each tenure until it ends, as the controller does.
async fn work(mut elected: watch::Receiver<Option<Tenure>>, works: &AtomicBool) {
    while let Some(tenure) = next_tenure(&mut elected).await {
        works.store(true, Ordering::Relaxed);
        tenure.ended().await;
        works.store(false, Ordering::Relaxed);
    }
}

/// Runs an elector for each of `delays`, and who works when it is elected, over minutes of virtual time: for how many half seconds
/// somebody worked, and whether somebody does in the end.
async fn contest(delays: Vec<Delays>, minutes: usize) -> (usize, bool) {
    let server = Arc::new(Mutex::new(Server::default()));
    let named = delays.into_iter().zip(["a", "b", "c"]);
    let mut electors: Vec<Elector> = named.map(|(delays, name)| elector(name, &server, delays)).collect();
    let elected: Vec<_> = electors.iter().map(Elector::elected).collect();
    let works: Vec<AtomicBool> = electors.iter().map(|_| AtomicBool::new(false)).collect();
    let working = || works.iter().filter(|works| works.load(Ordering::Relaxed)).count();
    let workers = elected.iter().zip(&works).map(|(elected, works)| work(elected.clone(), works));
    let workers = futures::future::join_all(workers);
    let contest = futures::future::join_all(electors.iter_mut().map(|elector| elector.run(never())));
    let watched = async {
        let mut worked = 0;
        for _ in 0..minutes * 120 {
            sleep(Duration::from_millis(500)).await;
            let leaders = leaders(&elected);
            assert!(leaders <= 1, "{leaders} lead at once");
            worked += usize::from(working() > 0);
        }
        (worked, working() == 1)
    };
    tokio::select! {
        seen = watched => seen,
        _ = futures::future::join(contest, workers) => unreachable!("they take part until they are dropped"),
    }
}

fn in_virtual_time<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(what)
}

fn delays() -> impl Strategy<Value = Delays> {
    // Bad times come in rows: a holder that renews late several times while the others are prompt is what matters.
    let row = prop_oneof![
        proptest::collection::vec(Just(PROMPT), 1..10),
        proptest::collection::vec((0..12_000u64, 0..12_000u64), 1..6),
        proptest::collection::vec((0..20u64, 3_000..12_000u64), 1..6),
    ];
    proptest::collection::vec(row, 0..4).prop_map(|rows| rows.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn never_do_two_lead_at_once_however_late_requests_and_answers_are(
        delays in proptest::collection::vec(delays(), 3),
    ) {
        let (_, in_the_end) = in_virtual_time(contest(delays, 5));
        prop_assert!(in_the_end, "somebody works in the end");
    }
}

/// The holder's requests are late, one after another, until two others are after the lease.
#[test]
fn a_write_that_comes_late_takes_the_lease_from_nobody() {
    let late = [(15, 8696), (2744, 8521), (3853, 2803), (8470, 6898), (5678, 1076), (57, 3785)];
    let delays: Delays = late.into_iter().rev().chain([PROMPT; 6]).collect();
    let (_, in_the_end) = in_virtual_time(contest(vec![delays, Vec::new(), Vec::new()], 5));
    assert!(in_the_end, "somebody works in the end");
}

#[test]
fn an_answer_that_is_late_or_lost_now_and_then_costs_no_tenure() {
    for late in [3_900, 60_000] {
        let late = |number| if number % 5 == 0 { (0, late) } else { PROMPT };
        let (worked, _) = in_virtual_time(contest(vec![(0..200).map(late).collect()], 5));
        assert!(worked > 5 * 120 - 20, "worked for {worked} half seconds of {}", 5 * 120);
    }
}

/// The renewal that comes too late is carried out, so the lease is ours again: then somebody must work again too.
#[test]
fn whoever_gets_the_lease_back_after_the_tenure_has_ended_works_again() {
    for late in (0..40).map(|tenths| tenths * 100) {
        let lost = (60_000, 0);
        let delays = vec![PROMPT, lost, (late, late), PROMPT, PROMPT];
        let (_, in_the_end) = in_virtual_time(contest(vec![delays.into_iter().rev().collect()], 2));
        assert!(in_the_end, "nobody works, after {late} ms");
    }
}

#[test]
fn a_lease_that_is_given_up_is_taken_at_the_next_look_and_one_of_a_dead_holder_when_it_runs_out() {
    in_virtual_time(async {
        for given_up in [true, false] {
            let server = Arc::new(Mutex::new(Server::default()));
            let [mut first, mut second] = ["a", "b"].map(|name| elector(name, &server, Vec::new()));
            let [of_first, of_second] = [first.elected(), second.elected()];
            tokio::select! {
                _ = futures::future::join(first.run(never()), async { sleep(LOOK_EVERY / 2).await; second.run(never()).await; }) => {}
                () = sleep(Duration::from_secs(60)) => {}
            }
            assert_eq!((leaders(std::slice::from_ref(&of_first)), leaders(std::slice::from_ref(&of_second))), (1, 0));
            if given_up {
                first.give_up().await;
            }
            drop(first);
            let began = Clock.monotonic();
            let mut elected = of_second;
            let waited = tokio::select! {
                _ = elected.wait_for(Option::is_some) => began.elapsed(),
                () = second.run(never()) => unreachable!("it takes part until it is dropped"),
            };
            assert_eq!(waited < Duration::from_secs(5), given_up, "{waited:?}");
        }
    });
}

#[test]
fn a_tenure_ends_at_once_when_somebody_else_has_written_the_lease() {
    in_virtual_time(async {
        let server = Arc::new(Mutex::new(Server::default()));
        let mut elector = elector("a", &server, Vec::new());
        let mut elected = elector.elected();
        let stolen = async {
            let tenure = elected.wait_for(Option::is_some).await.unwrap().clone().unwrap();
            assert!(tenure.lasts());
            let mut other = serde_json::to_value(lease(Some("thief"), 15)).unwrap();
            other["metadata"]["resourceVersion"] = json!("99");
            server.lock().unwrap().lease = Some(other);
            let began = Clock.monotonic();
            tenure.ended().await;
            assert!(!tenure.lasts());
            began.elapsed()
        };
        tokio::select! {
            waited = stolen => assert!(waited < Duration::from_secs(5), "{waited:?}"),
            () = elector.run(never()) => unreachable!("it takes part until it is dropped"),
        }
    });
}

#[test]
fn a_tenure_ends_when_the_wall_clock_has_passed_its_end_though_the_monotonic_one_has_not() {
    let (monotonic, wall) = (Clock.monotonic(), Clock.now());
    let later = End::of_what_was_asked(monotonic, wall);
    assert!(!later.has_come(Clock));
    let slept = End::of_what_was_asked(monotonic, wall - SignedDuration::from_secs(20));
    assert!(slept.has_come(Clock), "the machine was suspended");
    assert!(!End::Never.has_come(Clock) && End::Passed.has_come(Clock));
}
