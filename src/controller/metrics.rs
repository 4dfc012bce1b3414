//! What the controller counts, under the Prometheus conventions. No label holds an address or the name of an object.

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::invitation::Outcome;
use crate::domain::lifecycle::MailerStanding;

/// A word out of a fixed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconciled {
    controller: Word,
    result: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Mailed {
    outcome: Word,
}

/// The counters.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    reconciles: Family<Reconciled, Counter>,
    mails: Family<Mailed, Counter>,
    waiting: Gauge,
    mailer_up: Gauge,
}

impl Metrics {
    /// Counts a reconcile.
    pub fn reconciled(&self, controller: &'static str, succeeded: Result<(), ()>) {
        let result = Word(if succeeded.is_ok() { "success" } else { "error" });
        self.reconciles.get_or_create(&Reconciled { controller: Word(controller), result }).inc();
    }

    /// Counts a mail.
    pub fn mailed(&self, outcome: Outcome) {
        let word = match outcome {
            Outcome::Sending => "unknown",
            Outcome::Sent => "sent",
            Outcome::Refused => "refused",
            Outcome::Deferred => "deferred",
            Outcome::MailerFailed => "mailer_failed",
            Outcome::Dropped => "dropped",
        };
        self.mails.get_or_create(&Mailed { outcome: Word(word) }).inc();
    }

    /// All of it as text, in the `OpenMetrics` format.
    pub fn text(&self, waiting: usize, mailer: &MailerStanding) -> String {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.mailer_up.set(i64::from(*mailer == MailerStanding::Up));
        let mut registry = Registry::with_prefix("clinic_operator");
        registry.register("reconciles", "Reconciles by controller and result", self.reconciles.clone());
        registry.register("mails", "Mails by outcome", self.mails.clone());
        registry.register("mails_waiting", "Accounts whose mail waits for its turn", self.waiting.clone());
        registry.register("mailer_up", "1 while the mail relay takes mail", self.mailer_up.clone());
        let mut text = String::new();
        // Writing to a string does not fail.
        encode(&mut text, &registry).unwrap_or_default();
        text
    }
}
