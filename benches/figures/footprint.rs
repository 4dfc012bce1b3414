//! How much memory the operator takes beside so many members. It is started when they are all there and has nothing to
//! write, which is asserted (invariant I5). Never here: how fast anything is.

use std::time::Duration;

use kube::Client;

use super::audit::writes;
use super::machine::{Memory, memory, processor_seconds};
use super::members::{Record, clinic, create, load};
use super::throughput::{fast, wait_until_invited};
use crate::support::operator::Operator;
use crate::support::smtp::SmtpServer;
use crate::support::wait::{eventually_ok, pass};

/// How many members there are when the memory is read.
const SIZES: [usize; 3] = [0, 5_000, 10_000];
/// Members of one progress line.
const BATCH: usize = 1_000;
/// An operator that used no processor time for so long has come to rest.
const REST: Duration = Duration::from_secs(3);
/// For coming to rest.
const LIMIT: Duration = Duration::from_secs(120);

/// Members, and the operator's memory at rest.
pub(crate) async fn measure(administrator: &Client, record: &Record) -> Vec<(usize, Memory)> {
    let namespace = clinic("footprint");
    let relay = SmtpServer::start();
    let mut loaded = 0;
    let mut footprints = Vec::new();
    for size in SIZES {
        while loaded < size {
            load(administrator, &namespace, record, loaded..loaded + BATCH).await;
            loaded += BATCH;
            eprintln!("loaded {loaded} members");
        }
        let operator = Operator::start(&namespace, &relay, fast());
        come_to_rest(operator.id());
        let memory = memory(operator.id());
        eprintln!("{size} members: {memory:?} KiB, {:.2} s of processor time", processor_seconds(operator.id()));
        let written = writes(&namespace);
        assert!(written.is_empty(), "nothing changed, so nothing is written: {:?}", written.first());
        footprints.push((size, memory));
    }
    assert!(relay.mails().is_empty(), "nothing changed, so nobody is mailed");
    footprints
}

/// Members whose mail waits.
pub(crate) const WAITING: usize = 1_000;

/// The memory of an operator whose mails all wait for a relay that is away, and of one started beside the same members when
/// they are invited.
pub(crate) async fn measure_waiting(administrator: &Client) -> (Memory, Memory) {
    let namespace = clinic("waiting");
    create(administrator, &namespace, 0..WAITING).await;
    let relay = SmtpServer::start();
    let port = relay.port;
    let operator = Operator::start(&namespace, &relay, fast());
    drop(relay);
    // Those that left before it was gone are no longer waiting.
    eventually_ok(LIMIT, "nearly all mails to wait", || {
        let metrics = operator.metrics();
        let waiting =
            metrics.lines().find_map(|line| line.strip_prefix("clinic_operator_mails_waiting ")?.parse().ok());
        let waiting: usize = waiting.unwrap_or(0);
        if waiting > WAITING * 9 / 10 && metrics.contains("clinic_operator_mailer_up 0") {
            Ok(())
        } else {
            Err(waiting)
        }
    });
    come_to_rest(operator.id());
    let waiting = memory(operator.id());
    let relay = SmtpServer::start_at(port);
    wait_until_invited(administrator, &namespace, WAITING).await;
    drop(operator);
    let operator = Operator::start(&namespace, &relay, fast());
    come_to_rest(operator.id());
    (waiting, memory(operator.id()))
}

fn come_to_rest(process: u32) {
    eventually_ok(LIMIT, "the operator to come to rest", || {
        let before = processor_seconds(process);
        pass(REST);
        let used = processor_seconds(process) - before;
        if used < 0.02 { Ok(()) } else { Err(used) }
    });
}
