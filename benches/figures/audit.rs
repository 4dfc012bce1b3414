//! The writes of one user in one namespace with their times, as the API server's audit log has them: the same clock for the
//! operator and for the raw client. Never here: requests that only read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};

use jiff::Timestamp;
use serde_json::Value;

use crate::support::control_plane::{Namespace, control_plane};

/// A write that was carried out.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// Such as `patch clinicusers/status`.
    pub(crate) what: String,
    /// When the request came in.
    began: Timestamp,
    /// When the answer had left.
    ended: Timestamp,
}

/// The writes of the namespace's service account that were carried out, but for those of the Clinic's status, which is
/// written at most every two seconds for all members together. Waits until the log has everything that was answered.
pub(crate) fn writes(namespace: &Namespace) -> Vec<Write> {
    parse(namespace).into_iter().filter(|write| write.what != "patch clinics/status").collect()
}

/// How many writes of each kind.
pub(crate) fn by_kind(writes: &[Write]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for write in writes {
        *counts.entry(write.what.clone()).or_default() += 1;
    }
    counts
}

/// Seconds from the first request to the last answer.
pub(crate) fn seconds(writes: &[Write]) -> f64 {
    let began = writes.iter().map(|write| write.began).min().expect("there were writes");
    let ended = writes.iter().map(|write| write.ended).max().expect("there were writes");
    ended.duration_since(began).as_secs_f64()
}

fn parse(namespace: &Namespace) -> Vec<Write> {
    let log = File::open(&control_plane().audit_log).expect("the audit log can be read");
    let lines = BufReader::new(log).lines().map_while(Result::ok);
    lines.filter(|line| line.contains(namespace.name())).filter_map(|line| write(&line, namespace)).collect()
}

fn write(line: &str, namespace: &Namespace) -> Option<Write> {
    let event: Value = serde_json::from_str(line).ok()?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let user = format!("system:serviceaccount:{}:clinic-operator", namespace.name());
    let verb = text("/verb");
    let carried_out = event["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300);
    let counts = text("/user/username") == user && ["create", "update", "patch", "delete"].contains(&verb);
    let subresource = text("/objectRef/subresource");
    let resource = text("/objectRef/resource");
    (counts && carried_out && text("/objectRef/namespace") == namespace.name()).then(|| Write {
        what: if subresource.is_empty() {
            format!("{verb} {resource}")
        } else {
            format!("{verb} {resource}/{subresource}")
        },
        began: text("/requestReceivedTimestamp").parse().expect("the log has times"),
        ended: text("/stageTimestamp").parse().expect("the log has times"),
    })
}
