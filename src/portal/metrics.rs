//! What the portal counts, under the Prometheus conventions. No label holds an address or the name of an object.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::adapters::kubernetes::Requests;
use crate::adapters::metrics::{Word, register_common, text};
use crate::domain::restore::RestoreMode;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    code: u16,
}

/// What came of somebody's try to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// They are signed in.
    SignedIn,
    /// They are asked for a second factor.
    CodeAsked,
    /// Address or password, or what the account says, does not let them in.
    Refused,
    /// The code does not.
    CodeRefused,
    /// They must wait before the next try.
    SlowedDown,
    /// A policy of the cluster refuses what the portal must write first.
    Prevented,
}

/// What came of somebody's try to accept an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// They are a member now.
    Accepted,
    /// The link lets nobody in.
    Refused,
    /// Something they typed does not do.
    Incomplete,
    /// A policy of the cluster refuses what the portal must write.
    Prevented,
}

/// Credentials that the current key does not seal, as a complete look with the present keys found them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotByCurrent {
    /// All of them.
    pub all: usize,
    /// Those among them whose key is in no file either: a process that starts now could not open them.
    pub without_file: usize,
}

/// What is read when somebody asks, not counted.
#[derive(Clone, Debug)]
pub struct Now {
    /// `None`: no look with the present keys is complete.
    pub not_by_current: Option<NotByCurrent>,
    /// Password hashes computed so far.
    pub hashes: u64,
    /// For how long the API server has been silent; `None`: it never answered.
    pub silent_for: Option<Duration>,
    /// As it was last seen.
    pub restore_mode: RestoreMode,
    /// The time.
    pub now: Timestamp,
}

/// The counters.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Requests,
    sign_ins: Family<Ended, Counter>,
    acceptances: Family<Ended, Counter>,
    answers: Family<Answered, Counter>,
    removed_credentials: Counter,
}

impl Metrics {
    /// Nothing counted yet; what the API server is asked is counted there.
    pub fn new(requests: Requests) -> Self {
        let (sign_ins, acceptances) = (Family::default(), Family::default());
        // From zero, so that the first is seen as an increase: an alert asks for it.
        for family in [&sign_ins, &acceptances] {
            drop(family.get_or_create(&Ended { outcome: Word("prevented") }));
        }
        Self { requests, sign_ins, acceptances, answers: Family::default(), removed_credentials: Counter::default() }
    }

    /// Counts a try to sign in.
    pub fn sign_in(&self, outcome: SignIn) {
        let word = match outcome {
            SignIn::SignedIn => "signed_in",
            SignIn::CodeAsked => "code_asked",
            SignIn::Refused => "refused",
            SignIn::CodeRefused => "code_refused",
            SignIn::SlowedDown => "slowed_down",
            SignIn::Prevented => "prevented",
        };
        self.sign_ins.get_or_create(&Ended { outcome: Word(word) }).inc();
    }

    /// Counts a try to accept an invitation.
    pub fn acceptance(&self, outcome: Acceptance) {
        let word = match outcome {
            Acceptance::Accepted => "accepted",
            Acceptance::Refused => "refused",
            Acceptance::Incomplete => "incomplete",
            Acceptance::Prevented => "prevented",
        };
        self.acceptances.get_or_create(&Ended { outcome: Word(word) }).inc();
    }

    /// Counts an answer. `route` is one of ours as it is declared, never a path that was asked for.
    pub fn answered(&self, route: &str, code: u16) {
        self.answers.get_or_create(&Answered { route: route.to_owned(), code }).inc();
    }

    /// Counts a credential that no account named.
    pub fn removed_credential(&self) {
        self.removed_credentials.inc();
    }

    /// All of it as text, in the `OpenMetrics` format.
    pub fn text(&self, now: &Now) -> String {
        let mut all = Registry::default();
        register_common(&mut all, "portal", &self.requests);
        let registry = all.sub_registry_with_prefix("clinic_operator_portal");
        registry.register("sign_ins", "Tries to sign in by outcome", self.sign_ins.clone());
        registry.register("acceptances", "Tries to accept an invitation by outcome", self.acceptances.clone());
        registry.register("requests", "Answers by route and HTTP status", self.answers.clone());
        let hashes = Counter::<u64, AtomicU64>::default();
        hashes.inc_by(now.hashes);
        registry.register("password_hashes", "Password hashes computed", hashes);
        let removed = self.removed_credentials.clone();
        registry.register("removed_credentials", "Credentials removed that no account named", removed);
        // Absent while nobody knows: a 0 would say that a key can go.
        if let Some(NotByCurrent { all, without_file }) = now.not_by_current {
            for (name, help, count) in [
                ("credentials_sealed_by_other_key", "Credentials that the current key does not seal", all),
                ("credentials_without_key", "Credentials whose key is in no file", without_file),
            ] {
                let gauge = Gauge::<i64>::default();
                gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
                registry.register(name, help, gauge);
            }
        }
        let silence = Gauge::<i64>::default();
        silence.set(now.silent_for.map_or(-1, |silent| i64::try_from(silent.as_secs()).unwrap_or(i64::MAX)));
        let help = "Time since the API server last answered, -1 before it first did";
        registry.register_with_unit("api_silence", help, Unit::Seconds, silence);
        let (on, overdue) = (Gauge::<i64>::default(), Gauge::<i64>::default());
        on.set(now.restore_mode.is_on().into());
        registry.register(
            "restore_mode_on",
            "1 while restore mode is on, so that nobody accepts or is let in anew",
            on,
        );
        overdue.set(now.restore_mode.overdue(now.now).as_secs());
        let help = "For how long restore mode is past its instant, 0 if it is not";
        registry.register_with_unit("restore_mode_overdue", help, Unit::Seconds, overdue);
        text(&all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::restore::WhyEnd;

    #[test]
    fn everything_is_told_in_words_of_a_fixed_set() {
        let metrics = Metrics::new(Requests::default());
        metrics.sign_in(SignIn::SlowedDown);
        metrics.acceptance(Acceptance::Incomplete);
        metrics.answered("/sign-in", 422);
        let until = "2027-03-01T12:00:00Z".parse().unwrap();
        let now = Now {
            not_by_current: Some(NotByCurrent { all: 3, without_file: 2 }),
            hashes: 7,
            silent_for: Some(Duration::from_secs(90)),
            restore_mode: RestoreMode::ToEnd(WhyEnd::Past { until }),
            now: "2027-03-01T12:01:30Z".parse().unwrap(),
        };
        let text = metrics.text(&now);
        for line in [
            "clinic_operator_portal_sign_ins_total{outcome=\"slowed_down\"} 1",
            "clinic_operator_portal_acceptances_total{outcome=\"incomplete\"} 1",
            "clinic_operator_portal_requests_total{route=\"/sign-in\",code=\"422\"} 1",
            "clinic_operator_portal_password_hashes_total 7",
            "clinic_operator_portal_removed_credentials_total 0",
            "clinic_operator_portal_credentials_sealed_by_other_key 3",
            "clinic_operator_portal_credentials_without_key 2",
            "clinic_operator_portal_api_silence_seconds 90",
            "clinic_operator_portal_restore_mode_on 1",
            "clinic_operator_portal_restore_mode_overdue_seconds 90",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        let text = metrics.text(&Now { silent_for: None, not_by_current: None, ..now });
        assert!(text.contains("api_silence_seconds -1"));
        assert!(!text.contains("credentials_sealed_by_other_key") && !text.contains("credentials_without_key"));
    }
}
