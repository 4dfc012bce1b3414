//! How much memory controller and portal take beside so many members, and after how long they are ready. They are started when all
//! members are there, and the controller has nothing to write, which is asserted (invariant I5). Never here: work.

use std::time::Duration;

use kube::Client;

use super::audit::writes;
use super::machine::{Memory, memory, processor_seconds};
use super::members::{Record, clinic, create, load};
use super::throughput::{fast, wait_until_invited};
use crate::support::operator::{self, Operator};
use crate::support::portal::{self, PortalOptions};
use crate::support::smtp::SmtpServer;
use crate::support::wait::{eventually_ok, now, pass};

/// How many members there are when the memory is read.
const SIZES: [usize; 4] = [0, 1_000, 5_000, 10_000];
/// Members of one progress line.
const BATCH: usize = 1_000;
/// An operator that used no processor time for so long has come to rest.
const REST: Duration = Duration::from_secs(3);
/// For coming to rest.
const LIMIT: Duration = Duration::from_secs(120);

/// What was measured of a part at rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) memory: Memory,
    /// From its start to the first 200 of `/readyz`.
    pub(crate) ready: Duration,
}

/// Members, and the two parts beside them.
pub(crate) struct Footprint {
    pub(crate) members: usize,
    pub(crate) controller: Part,
    pub(crate) portal: Part,
}

/// One footprint for each of the sizes.
pub(crate) async fn measure(administrator: &Client, record: &Record) -> Vec<Footprint> {
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
        let prepared = operator::Prepared::new(&namespace, &relay, fast());
        let (begin, controller) = (now(), prepared.start());
        let controller = at_rest(controller.id(), begin.elapsed());
        let written = writes(&namespace);
        assert!(written.is_empty(), "nothing changed, so nothing is written: {:?}", written.first());
        let portal = portal::Prepared::new(&namespace, PortalOptions::default());
        let (begin, portal) = (now(), portal.start());
        let portal = at_rest(portal.id(), begin.elapsed());
        eprintln!("{size} members: {controller:?}, {portal:?} (KiB)");
        footprints.push(Footprint { members: size, controller, portal });
    }
    assert!(relay.mails().is_empty(), "nothing changed, so nobody is mailed");
    footprints
}

/// `ready`: after how long it was.
fn at_rest(process: u32, ready: Duration) -> Part {
    come_to_rest(process);
    Part { memory: memory(process), ready }
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
