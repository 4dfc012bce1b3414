//! A clinic with a running operator, and what tests ask of it: the words in which the tests of the cluster are written.
//! Never here: a test.

use std::time::Duration;

use serde_json::Value;

use crate::support::control_plane::{AuditRecord, Namespace, control_plane};
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::smtp::SmtpServer;
use crate::support::wait::{PATIENCE, eventually_ok, now};

pub(crate) const CLINIC: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: Clinic
metadata: {name: clinic}
spec: {displayName: Maple Clinic, timeZone: America/Toronto}
";

/// A clinic with a running operator.
pub(crate) struct World {
    pub(crate) namespace: Namespace,
    pub(crate) relay: SmtpServer,
    pub(crate) operator: Operator,
}

impl World {
    pub(crate) fn new(prefix: &str) -> Self {
        Self::with(prefix, OperatorOptions::default())
    }

    /// A clinic whose operator runs with these options.
    pub(crate) fn with(prefix: &str, options: OperatorOptions) -> Self {
        let world = Self::start(prefix, options);
        world.apply(CLINIC);
        world
    }

    pub(crate) fn without_clinic(prefix: &str) -> Self {
        Self::start(prefix, OperatorOptions::default())
    }

    fn start(prefix: &str, options: OperatorOptions) -> Self {
        let namespace = control_plane().namespace(prefix);
        let relay = SmtpServer::start();
        let operator = Operator::start(&namespace, &relay, options);
        Self { namespace, relay, operator }
    }

    pub(crate) fn apply(&self, manifest: &str) {
        control_plane().kubectl_stdin(&self.namespace, &["apply", "-f", "-"], manifest).ok();
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        control_plane().kubectl(&self.namespace, arguments).ok()
    }

    pub(crate) fn object(&self, resource: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", resource, name, "-o", "json"])).unwrap()
    }

    /// Waits until the member is in that state, and returns it.
    #[track_caller]
    pub(crate) fn member_in(&self, state: &str, name: &str) -> Value {
        self.in_state("clinicuser", state, name)
    }

    #[track_caller]
    pub(crate) fn in_state(&self, resource: &str, state: &str, name: &str) -> Value {
        eventually_ok(PATIENCE, &format!("{name} in state {state}"), || {
            let object = self.object(resource, name);
            if object["status"]["state"] == state { Ok(object) } else { Err(object["status"].clone()) }
        })
    }

    /// The record of the member's account.
    pub(crate) fn account_of(&self, member: &str) -> Value {
        let user = self.object("clinicuser", member);
        self.object("clinicaccount", &format!("a-{}", user["metadata"]["uid"].as_str().unwrap()))
    }

    /// Waits until the message of the member's condition `Ready` contains `part`, and returns the member.
    #[track_caller]
    pub(crate) fn member_told(&self, name: &str, part: &str) -> Value {
        eventually_ok(PATIENCE, &format!("{name} to be told: {part}"), || {
            let object = self.object("clinicuser", name);
            let told = condition(&object, "Ready").and_then(|ready| ready["message"].as_str().map(str::to_owned));
            if told.as_ref().is_some_and(|told| told.contains(part)) { Ok(object) } else { Err(told) }
        })
    }

    /// Every write that the operator asked for so far, in order.
    pub(crate) fn operators_writes(&self) -> Vec<AuditRecord> {
        let identity = format!("system:serviceaccount:{}:clinic-operator", self.namespace.name());
        let mut records = control_plane().audit(&self.namespace);
        records.retain(|record| record.is_write() && record.user == identity);
        records
    }

    /// Waits until the operator has written nothing for `quiet`, and returns how many writes there were until then.
    #[track_caller]
    pub(crate) fn at_rest(&self, quiet: Duration) -> usize {
        let mut last = (self.operators_writes().len(), now());
        eventually_ok(PATIENCE, "the operator to come to rest", || {
            let writes = self.operators_writes();
            if writes.len() != last.0 {
                last = (writes.len(), now());
            }
            if last.1.elapsed() >= quiet { Ok(writes.len()) } else { Err(format!("{:?}", writes.last())) }
        })
    }

    pub(crate) fn names(&self, resource: &str) -> Vec<String> {
        self.kubectl(&["get", resource, "-o", "name"]).lines().map(str::to_owned).collect()
    }
}

/// A staff member's manifest.
pub(crate) fn staff(name: &str, email: &str) -> String {
    format!(
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ClinicUser\nmetadata: {{name: {name}}}\nspec: {{email: {email}, type: Staff}}\n---\n"
    )
}

pub(crate) fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}
