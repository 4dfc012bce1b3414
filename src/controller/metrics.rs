//! What the controller counts, under the Prometheus conventions. No label holds an address or the name of an object.

use jiff::SignedDuration;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::adapters::probes::{Word, text};
use crate::domain::delivery::Stage;
use crate::domain::guard::Guard;
use crate::domain::invitation::{MailKind, Outcome};

/// Upper bounds in seconds: moments as a rule, minutes while a queue waits, hours while a relay is down.
const INVITED_AFTER: [f64; 10] = [1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconciled {
    controller: Word,
    result: Word,
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

/// What is read when somebody asks, not counted.
#[derive(Clone, Debug)]
pub struct Now {
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
    reconciles: Family<Reconciled, Counter>,
    mails: Family<Mailed, Counter>,
    invited_after: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let (reconciles, mails) = (Family::default(), Family::default());
        Self { reconciles, mails, invited_after: Histogram::new(INVITED_AFTER) }
    }
}

impl Metrics {
    /// Counts a reconcile.
    pub fn reconciled(&self, controller: &'static str, succeeded: Result<(), ()>) {
        let result = Word(if succeeded.is_ok() { "success" } else { "error" });
        self.reconciles.get_or_create(&Reconciled { controller: Word(controller), result }).inc();
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

    /// All of it as text, in the `OpenMetrics` format.
    pub fn text(&self, now: &Now) -> String {
        let mut registry = Registry::with_prefix("clinic_operator");
        registry.register("reconciles", "Reconciles by controller and result", self.reconciles.clone());
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
        let held: Family<Held, Gauge> = Family::default();
        for (guard, count) in &now.held {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            held.get_or_create(&Held { guard: Word(guard.word()) }).set(count);
        }
        registry.register("held_accounts", "Accounts that a guard holds back until a person releases them", held);
        text(&registry)
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

fn kind_in_a_word(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Invitation => "invitation",
        MailKind::EmailConfirmation => "email_confirmation",
        MailKind::EmailChangeNotice => "email_change_notice",
    }
}

fn outcome_in_a_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Sending => "unknown",
        Outcome::Sent => "sent",
        Outcome::Refused => "refused",
        Outcome::Deferred => "deferred",
        Outcome::MailerFailed => "mailer_failed",
        Outcome::Dropped => "dropped",
    }
}

fn stage_in_a_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "connect",
        Stage::Greeting => "greeting",
        Stage::Ehlo => "ehlo",
        Stage::StartTls => "starttls",
        Stage::Auth => "auth",
        Stage::MailFrom => "mail_from",
        Stage::RcptTo => "rcpt_to",
        Stage::Data => "data",
        Stage::Content => "content",
        Stage::AfterDot => "after_dot",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told_in_words_of_a_fixed_set() {
        let metrics = Metrics::default();
        metrics.reconciled("member", Ok(()));
        metrics.mailed(MailKind::Invitation, Outcome::Sent, None);
        metrics.mailed(MailKind::EmailConfirmation, Outcome::MailerFailed, Some(Stage::Auth));
        metrics.invited_after(SignedDuration::from_secs(3));
        metrics.invited_after(SignedDuration::from_secs(-3));
        let now = Now {
            waiting: 2,
            oldest: SignedDuration::from_secs(90),
            mailer_fails: true,
            held: vec![(Guard::Removals, 0), (Guard::Invitations, 4)],
        };
        let text = metrics.text(&now);
        for line in [
            "clinic_operator_reconciles_total{controller=\"member\",result=\"success\"} 1",
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
    }
}
