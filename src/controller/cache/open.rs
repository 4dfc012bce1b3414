//! For how long this process has seen the latest attempt of an account without its outcome, on the clock that never jumps: neither
//! the wall clock of the operator that wrote it nor ours tells. What follows from it is decided in `domain::invitation`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::api::account::{Attempt, ClinicAccountSpec};
use crate::domain::invitation::Outcome;

/// The accounts with an open attempt, which one, and since when it is seen.
#[derive(Debug, Default)]
pub(super) struct OpenAttempts(HashMap<Arc<str>, (Attempt, Duration)>);

impl OpenAttempts {
    /// Takes in what is seen of an account now.
    pub(super) fn learn(&mut self, account: &Arc<str>, open: Option<&Attempt>, now: Duration) {
        match (open, self.0.get(account)) {
            (None, _) => self.forget(account),
            (Some(open), Some((known, _))) if open.is_the_same(known) => {}
            (Some(open), _) => {
                self.0.insert(Arc::clone(account), (open.clone(), now));
            }
        }
    }

    /// Forgets an account.
    pub(super) fn forget(&mut self, account: &str) {
        self.0.remove(account);
    }

    /// For how long it is seen.
    pub(super) fn seen_for(&self, account: &str, now: Duration) -> Duration {
        self.0.get(account).map_or(Duration::ZERO, |(_, since)| now.saturating_sub(*since))
    }
}

/// The latest attempt of an account, if its outcome is not known.
pub(super) fn open_attempt(account: &ClinicAccountSpec) -> Option<&Attempt> {
    let last = account.delivery.as_ref()?.attempts.last()?;
    (last.outcome == Outcome::Sending).then_some(last)
}
