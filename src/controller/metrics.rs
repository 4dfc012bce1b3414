//! What the controller counts, under the Prometheus conventions. No label holds an address or the name of an object.

mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use self::words::{kind_in_a_word, outcome_in_a_word, stage_in_a_word};
use super::cache::Class;
pub use super::queue::Depth;
use crate::adapters::kubernetes::Requests;
use crate::adapters::metrics::{Word, register_common, text};
use crate::domain::delivery::Stage;
use crate::domain::guard::Guard;
use crate::domain::invitation::{MailKind, Outcome};
use crate::domain::lifecycle::State;
use crate::domain::restore::RestoreMode;

/// Upper bounds in seconds: moments as a rule, minutes while a queue waits or the operator is away, hours while something is down.
const WAITED: [f64; 10] = [1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0];
/// Upper bounds in seconds: without a write it takes less than the first, each write takes some milliseconds of a healthy API server.
const WORKED: [f64; 9] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 2.0, 10.0, 60.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconciled {
    controller: Word,
    result: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct By {
    controller: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Mailed {
    kind: Word,
    outcome: Word,
    stage: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Held {
    guard: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    state: Word,
    classification: Word,
}

/// What is read when somebody asks, not counted.
#[derive(Clone, Debug)]
pub struct Now {
    /// As it was last seen.
    pub restore_mode: RestoreMode,
    /// The time.
    pub now: Timestamp,
    /// How the queue of the work stands.
    pub queue: Depth,
    /// Members in each state and class; `None`: they have no state yet.
    pub members: Vec<((Option<State>, Class), usize)>,
    /// For how long access is over that a record still grants; zero: of nobody.
    pub overdue: SignedDuration,
    /// The time to the next end of access; `None`: none is planned.
    pub next_end: Option<SignedDuration>,
    /// Accounts whose mail waits for its turn.
    pub waiting: usize,
    /// For how long the one has waited that has waited longest.
    pub oldest: SignedDuration,
    /// Whether the relay fails while mails wait for it.
    pub mailer_fails: bool,
    /// Accounts that each guard holds back.
    pub held: Vec<(Guard, usize)>,
}

/// The counters.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Requests,
    reconciles: Family<Reconciled, Counter>,
    durations: Family<By, Histogram>,
    retrying: Gauge,
    mails: Family<Mailed, Counter>,
    invited_after: Histogram,
    ended_after: Histogram,
    leads: Arc<AtomicBool>,
    transitions: Counter,
}

impl Metrics {
    /// Nothing counted yet; what the API server is asked is counted there.
    pub fn new(requests: Requests) -> Self {
        Self {
            requests,
            reconciles: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(WORKED)),
            retrying: Gauge::default(),
            mails: Family::default(),
            invited_after: Histogram::new(WAITED),
            ended_after: Histogram::new(WAITED),
            leads: Arc::default(),
            transitions: Counter::default(),
        }
    }

    /// Counts a reconcile that took so long.
    pub fn reconciled(&self, controller: &'static str, succeeded: Result<(), ()>, took: Duration) {
        let result = Word(if succeeded.is_ok() { "success" } else { "error" });
        self.reconciles.get_or_create(&Reconciled { controller: Word(controller), result }).inc();
        self.durations.get_or_create(&By { controller: Word(controller) }).observe(took.as_secs_f64());
    }

    /// Takes in for how many keys the last reconcile failed.
    pub fn retrying(&self, keys: usize) {
        self.retrying.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// Counts a mail, with the stage at which it failed.
    pub fn mailed(&self, kind: MailKind, outcome: Outcome, stage: Option<Stage>) {
        let mailed = Mailed {
            kind: Word(kind_in_a_word(kind)),
            outcome: Word(outcome_in_a_word(outcome)),
            stage: Word(stage.map_or("", stage_in_a_word)),
        };
        self.mails.get_or_create(&mailed).inc();
    }

    /// Takes in how long somebody waited for the first invitation, from the manifest to the relay's 250.
    pub fn invited_after(&self, time: SignedDuration) {
        // Below zero by two clocks that differ.
        self.invited_after.observe(time.as_secs_f64().max(0.0));
    }

    /// Takes in how long after the end of somebody's access their record said so.
    pub fn access_ended(&self, after: SignedDuration) {
        self.ended_after.observe(after.as_secs_f64().max(0.0));
    }

    /// Takes in whether this replica leads. One that does not tries nothing again.
    pub fn leading(&self, leads: bool) {
        if !leads {
            self.retrying.set(0);
        }
        if self.leads.swap(leads, Ordering::Relaxed) != leads {
            self.transitions.inc();
        }
    }

    /// All of it as text, in the `OpenMetrics` format.
    pub fn text(&self, now: &Now) -> String {
        let mut registry = Registry::default();
        register_common(&mut registry, "controller", &self.requests);
        let ours = registry.sub_registry_with_prefix("clinic_operator");
        self.register_members(ours, now);
        self.register_work(ours, now);
        self.register_mail(ours, now);
        text(&registry)
    }

    fn register_members(&self, registry: &mut Registry, now: &Now) {
        let members: Family<Standing, Gauge> = Family::default();
        for ((state, class), count) in &now.members {
            let (state, classification) = (Word(state.map_or("None", State::name)), Word(class.word()));
            members.get_or_create(&Standing { state, classification }).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        registry.register("members", "Members and service accounts by state and classification", members);
        let back: Family<Held, Gauge> = Family::default();
        for (guard, count) in &now.held {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            back.get_or_create(&Held { guard: Word(guard.word()) }).set(count);
        }
        registry.register("held_accounts", "Accounts that a guard holds back until a person releases them", back);
        registry.register_with_unit(
            "access_end_lateness",
            "Time from the end of somebody's access to the write that says so in the record",
            Unit::Seconds,
            self.ended_after.clone(),
        );
        registry.register_with_unit(
            "access_end_overdue",
            "For how long access is over that a record still grants, 0 if none does",
            Unit::Seconds,
            whole_seconds(now.overdue),
        );
        if let Some(time) = now.next_end {
            let help = "Time to the next end of somebody's access, absent if none is planned";
            registry.register_with_unit("next_access_end", help, Unit::Seconds, whole_seconds(time));
        }
    }

    fn register_work(&self, registry: &mut Registry, now: &Now) {
        registry.register("reconciles", "Reconciles by controller and result", self.reconciles.clone());
        let help = "How long reconciles took, by controller";
        registry.register_with_unit("reconcile_duration", help, Unit::Seconds, self.durations.clone());
        registry.register(
            "queue_depth",
            "Keys whose time has come and that wait for their turn",
            gauge(now.queue.waiting),
        );
        let oldest = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
        oldest.set(now.queue.oldest.as_secs_f64());
        let help = "How long the key has waited that has waited longest";
        registry.register_with_unit("queue_oldest_wait", help, Unit::Seconds, oldest);
        registry.register("queue_under_way", "Keys that are worked on", gauge(now.queue.under_way));
        registry.register("queue_retrying", "Keys whose last reconcile failed", self.retrying.clone());
        let leads = gauge(usize::from(self.leads.load(Ordering::Relaxed)));
        registry.register("leading", "1 while this replica is the one that works", leads);
        let help = "How often this replica began or ceased to lead";
        registry.register("leader_transitions", help, self.transitions.clone());
        let help = "1 while restore mode is on, so that the operator stands still";
        registry.register("restore_door_open", help, gauge(usize::from(now.restore_mode.is_on())));
        let help = "For how long restore mode is past its instant, 0 if it is not";
        let overdue = whole_seconds(now.restore_mode.overdue(now.now));
        registry.register_with_unit("restore_mode_overdue", help, Unit::Seconds, overdue);
    }

    fn register_mail(&self, registry: &mut Registry, now: &Now) {
        registry.register("mails", "Mails by kind, outcome and the stage at which they failed", self.mails.clone());
        registry.register("mails_waiting", "Accounts whose mail waits for its turn", gauge(now.waiting));
        registry.register_with_unit(
            "mails_oldest_waiting",
            "How long the mail has waited that has waited longest",
            Unit::Seconds,
            whole_seconds(now.oldest),
        );
        registry.register_with_unit(
            "invitation_wait",
            "Time from a manifest to the relay's 250, of first invitations",
            Unit::Seconds,
            self.invited_after.clone(),
        );
        let up = gauge(usize::from(!now.mailer_fails));
        registry.register("mailer_up", "0 while the mail relay does not take mail that waits for it", up);
    }
}

fn gauge(value: usize) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge
}

fn whole_seconds(time: SignedDuration) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(time.as_secs().max(0));
    gauge
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::restore::WhyEnd;

    #[test]
    fn everything_is_told_in_words_of_a_fixed_set() {
        let metrics = Metrics::new(Requests::default());
        metrics.reconciled("member", Ok(()), Duration::from_millis(3));
        metrics.mailed(MailKind::Invitation, Outcome::Sent, None);
        metrics.mailed(MailKind::EmailConfirmation, Outcome::MailerFailed, Some(Stage::Auth));
        metrics.invited_after(SignedDuration::from_secs(3));
        metrics.invited_after(SignedDuration::from_secs(-3));
        metrics.access_ended(SignedDuration::from_secs(30));
        for leads in [true, true, false, true] {
            metrics.leading(leads);
        }
        metrics.retrying(5);
        let now = Now {
            restore_mode: RestoreMode::ToEnd(WhyEnd::Past { until: "2027-03-01T12:00:00Z".parse().unwrap() }),
            now: "2027-03-01T12:01:30Z".parse().unwrap(),
            queue: Depth { waiting: 7, oldest: Duration::from_millis(1500), under_way: 2 },
            members: vec![((Some(State::Active), Class::Staff), 3), ((None, Class::ServiceAccount), 1)],
            overdue: SignedDuration::from_secs(40),
            next_end: Some(SignedDuration::from_hours(2)),
            waiting: 2,
            oldest: SignedDuration::from_secs(90),
            mailer_fails: true,
            held: vec![(Guard::Removals, 0), (Guard::Invitations, 4)],
        };
        let text = metrics.text(&now);
        for line in [
            "clinic_operator_members{state=\"Active\",classification=\"Staff\"} 3",
            "clinic_operator_members{state=\"None\",classification=\"ServiceAccount\"} 1",
            "clinic_operator_reconciles_total{controller=\"member\",result=\"success\"} 1",
            "clinic_operator_reconcile_duration_seconds_bucket{le=\"0.005\",controller=\"member\"} 1",
            "clinic_operator_queue_depth 7",
            "clinic_operator_queue_oldest_wait_seconds 1.5",
            "clinic_operator_queue_under_way 2",
            "clinic_operator_queue_retrying 5",
            "clinic_operator_leading 1",
            "clinic_operator_leader_transitions_total 3",
            "clinic_operator_restore_door_open 1",
            "clinic_operator_restore_mode_overdue_seconds 90",
            "clinic_operator_access_end_lateness_seconds_bucket{le=\"60.0\"} 1",
            "clinic_operator_access_end_overdue_seconds 40",
            "clinic_operator_next_access_end_seconds 7200",
            "clinic_operator_mails_total{kind=\"invitation\",outcome=\"sent\",stage=\"\"} 1",
            "clinic_operator_mails_total{kind=\"email_confirmation\",outcome=\"mailer_failed\",stage=\"auth\"} 1",
            "clinic_operator_mails_waiting 2",
            "clinic_operator_mails_oldest_waiting_seconds 90",
            "clinic_operator_invitation_wait_seconds_bucket{le=\"1.0\"} 1",
            "clinic_operator_invitation_wait_seconds_count 2",
            "clinic_operator_mailer_up 0",
            "clinic_operator_held_accounts{guard=\"invitations\"} 4",
            "clinic_operator_held_accounts{guard=\"removals\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        metrics.leading(false);
        let text = metrics.text(&Now { next_end: None, ..now });
        assert!(!text.contains("next_access_end"), "none is planned");
        assert!(text.contains("queue_retrying 0\n"), "who does not lead tries nothing again");
    }
}
