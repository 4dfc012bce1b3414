//! Rounds, attempts and what became of them.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MailKind {
    Invitation,
    EmailConfirmation,
    EmailChangeNotice,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// Written ahead; not known yet, or never, whether it left.
    Sending,
    Sent,
    /// The address's fault.
    Refused,
    /// Nobody's fault: try again later.
    Deferred,
    /// The mailer's fault.
    MailerFailed,
    /// Not sent, since it was too late or no longer right.
    Dropped,
}
