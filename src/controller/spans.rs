//! The spans within which the controller works: what a line of the log belongs to. They hold names of objects, never an address.

use tracing::{Span, error_span};

use super::queue::Key;
use crate::adapters::random::log_id;

/// The span of one look at one key. At the level of errors, so that no level of the log leaves it out.
pub fn of_a_reconcile(key: &Key) -> Span {
    error_span!("reconcile", reconcile_id = log_id(), controller = key.controller(), object = key.object())
}

/// The span of one mail, from its turn to its outcome.
pub fn of_a_mail(account: &str) -> Span {
    error_span!("reconcile", reconcile_id = log_id(), controller = "mailer", object = account)
}
