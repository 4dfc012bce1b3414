//! When access ends of those who have access, as the records say. That it ends is decided in `domain::lifecycle`.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

/// The accounts that have access until an instant, by it.
#[derive(Debug, Default)]
pub struct Ends(BTreeSet<(Timestamp, Arc<str>)>);

impl Ends {
    /// Takes an account in.
    pub(super) fn learn(&mut self, account: &Arc<str>, end: Option<Timestamp>) {
        self.0.extend(end.map(|end| (end, Arc::clone(account))));
    }

    /// Forgets an account with the end that it had.
    pub(super) fn forget(&mut self, account: &Arc<str>, end: Option<Timestamp>) {
        if let Some(end) = end {
            self.0.remove(&(end, Arc::clone(account)));
        }
    }

    /// The earliest; one that is over is yet to be written.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.0.first().map(|(end, _)| *end)
    }

    /// The earliest that is to come.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.iter().map(|(end, _)| *end).find(|end| *end > now)
    }
}
