//! Puts a recorded clinic into a namespace of the control plane and starts today's controller and portal there, two of each, with the
//! clock at the instant of the recording. The API server gives UIDs and generations of its own, so these are put in place of the
//! recorded ones, as a migration of the cluster's storage would keep them. Never here: what must become of it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::fixture::{Fixture, name, plural};
use crate::support::control_plane::{AuditRecord, Namespace, control_plane};
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::portal::{Portal, PortalOptions, keys_of};
use crate::support::smtp::SmtpServer;
use crate::support::test_clock::TestClock;
use crate::support::wait::{PATIENCE, eventually_ok, now};

/// Longer than a lease lasts without its holder, on a busy machine.
const TAKE_OVER: Duration = Duration::from_secs(90);
/// Longer than the pause after which the Clinic's status is written.
const QUIET: Duration = Duration::from_secs(4);
/// Kinds that others name by UID first.
const ORDER: [&str; 6] = ["EmailClaim", "ClinicUser", "ServiceAccount", "ClinicCredential", "ClinicAccount", "Clinic"];

/// A clinic that a release left, with today's program.
pub(super) struct Loaded<'a> {
    pub(super) fixture: &'a Fixture,
    pub(super) relay: SmtpServer,
    pub(super) portal: Portal,
    pub(super) other: Portal,
    namespace: Namespace,
    controllers: [Operator; 2],
    clock: TestClock,
    terms: usize,
}

impl<'a> Loaded<'a> {
    #[track_caller]
    pub(super) fn start(fixture: &'a Fixture) -> Self {
        let namespace = control_plane().namespace("upgrade");
        namespace.by_hand(|| load(&namespace, fixture));
        let clock = TestClock::new();
        // A later code of each authenticator app than the last one that was used.
        clock.set(&(fixture.now + SignedDuration::from_mins(1)).to_string());
        let relay = SmtpServer::start();
        let options = PortalOptions {
            keys: Some(keys_of(&fixture.key)),
            test_clock: Some(clock.path()),
            ..PortalOptions::default()
        };
        let portal = Portal::start(&namespace, options.clone());
        let other = Portal::start(&namespace, options);
        let controller = || {
            let configuration = vec![("/leaderElection", json!(true))];
            let options =
                OperatorOptions { configuration, test_clock: Some(clock.path()), ..OperatorOptions::default() };
            Operator::start(&namespace, &relay, options)
        };
        let controllers = [controller(), controller()];
        let loaded = Self { fixture, relay, portal, other, namespace, controllers, clock, terms: 0 };
        loaded.wait_for_a_leader();
        loaded
    }

    /// Starts another portal of the same clinic, with the same keys, configured so.
    #[track_caller]
    pub(super) fn another_portal(&self, configuration: Vec<(&'static str, Value)>) -> Portal {
        let test_clock = Some(self.clock.path());
        self.portal.start_another(PortalOptions { configuration, test_clock, ..PortalOptions::default() })
    }

    /// Starts both controllers again.
    #[track_caller]
    pub(super) fn restart(&mut self) {
        self.terms = self.terms_begun();
        for controller in &mut self.controllers {
            controller.restart();
        }
        self.wait_for_a_leader();
    }

    #[track_caller]
    fn wait_for_a_leader(&self) {
        eventually_ok(TAKE_OVER, "a controller to work", || {
            if self.terms_begun() > self.terms { Ok(()) } else { Err(self.controllers[0].log()) }
        });
    }

    fn terms_begun(&self) -> usize {
        self.controllers.iter().map(|controller| controller.log().matches("this controller works").count()).sum()
    }

    /// Every write of our parts, but of the lease.
    pub(super) fn writes(&self) -> Vec<AuditRecord> {
        let parts = [self.namespace.controller(), self.namespace.portal()];
        let mut records = control_plane().audit(&self.namespace);
        records.retain(|record| record.is_write() && parts.contains(&record.user) && record.resource != "leases");
        records
    }

    /// Waits until nothing was written for a while.
    #[track_caller]
    pub(super) fn comes_to_rest(&self) {
        let mut last = (self.writes().len(), now());
        eventually_ok(2 * PATIENCE, "our parts to come to rest", || {
            let writes = self.writes();
            if writes.len() != last.0 {
                last = (writes.len(), now());
            }
            if last.1.elapsed() >= QUIET { Ok(()) } else { Err(format!("{:?}", writes.last())) }
        });
    }

    /// Lets time pass on the clock of our parts.
    pub(super) fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }

    /// What the clock of our parts shows.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The object of a recorded one, as it is now.
    #[track_caller]
    pub(super) fn object(&self, recorded: &Value) -> Value {
        let kind = recorded["kind"].as_str().expect("a kind");
        control_plane().object(&self.namespace, &plural(kind), name(recorded))
    }

    /// Waits until the member is in that state.
    #[track_caller]
    pub(super) fn member_in(&self, state: &str, name: &str) {
        eventually_ok(PATIENCE, &format!("{name} in state {state}"), || {
            let now = control_plane().object(&self.namespace, "clinicuser", name);
            if now["status"]["state"] == state { Ok(()) } else { Err(now["status"].clone()) }
        });
    }
}

/// Creates every object, and then its status.
fn load(namespace: &Namespace, fixture: &Fixture) {
    let mut uids: BTreeMap<String, String> = BTreeMap::new();
    for recorded in ORDER.iter().flat_map(|kind| fixture.of_kind(kind)) {
        let path = namespace.path(&plural(recorded["kind"].as_str().expect("a kind")));
        let mut object = recorded.clone();
        let parts = object.as_object_mut().expect("an object");
        let status = parts.remove("status");
        let metadata = recorded["metadata"].clone();
        parts.insert("metadata".to_owned(), json!({"name": metadata["name"], "annotations": metadata["annotations"]}));
        rename(&mut object, &uids);
        let created = control_plane().ask(None, "POST", &path, Some(&object)).expect("a restore may create it");
        let text = |value: &Value| value.as_str().expect("the API server gives UIDs").to_owned();
        uids.insert(text(&metadata["uid"]), text(&created["metadata"]["uid"]));
        if let Some(mut status) = status {
            observed(&mut status, &metadata["generation"], &created["metadata"]["generation"]);
            let path = format!("{path}/{}/status", name(recorded));
            control_plane()
                .ask(None, "PATCH", &path, Some(&json!({ "status": status })))
                .expect("a restore may write it");
        }
    }
}

/// Puts new UIDs in the place of old ones, where one stands alone: names of accounts, which are made of one, stay.
fn rename(value: &mut Value, uids: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(uid) = uids.get(text) {
                text.clone_from(uid);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| rename(one, uids)),
        Value::Object(all) => all.values_mut().for_each(|one| rename(one, uids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A status that was of the newest generation stays so, and one that was not does not become it.
fn observed(status: &mut Value, generation: &Value, now: &Value) {
    match status {
        Value::Array(all) => all.iter_mut().for_each(|one| observed(one, generation, now)),
        Value::Object(all) => {
            for (name, value) in all {
                if name == "observedGeneration" {
                    *value = if value == generation { now.clone() } else { json!(0) };
                } else {
                    observed(value, generation, now);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
