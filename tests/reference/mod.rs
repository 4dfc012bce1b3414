//! What people do and what can be seen of it, in the words of the reference model. Shared by the run against `decide` with
//! records in memory and by the run against the compiled binary on a real API server.

pub(crate) mod inputs;
pub(crate) mod manifests;
pub(crate) mod model;

use std::collections::BTreeMap;

/// What a manifest says. Addresses and names are small numbers; times are hours since the test began.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manifest {
    pub(crate) address: u8,
    pub(crate) first: Option<u8>,
    pub(crate) last: Option<u8>,
    /// The day of the Expected End of Training, counted from the test's first day; `None`: no trainee.
    pub(crate) end_of_training: Option<i64>,
    pub(crate) suspended: bool,
    pub(crate) resend: Option<u8>,
    pub(crate) reactivate: Option<String>,
    pub(crate) replace: Option<String>,
}

/// What people do.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A manifest is applied; `uid` is that of the object, a new one if it was not there.
    Apply { name: String, uid: String, manifest: Manifest },
    /// A manifest is deleted.
    Delete { name: String },
    /// The person of a member opens the latest link and does what it asks for; nothing if there is none that works.
    Answer { name: String },
    /// The clinic is paused, or goes on.
    Pause(bool),
    /// Hours pass.
    Pass(i64),
}

/// How everything stands once it is at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Name of each member with state and account.
    pub(crate) members: BTreeMap<String, (String, Option<String>)>,
    /// Name of each account with the rest.
    pub(crate) accounts: BTreeMap<String, Seen>,
    /// Every mail so far, as kind and address, sorted.
    pub(crate) mails: Vec<(Mail, u8)>,
}

/// What can be seen of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) holder: String,
    pub(crate) address: Option<u8>,
    pub(crate) login: Option<u8>,
    pub(crate) removed: bool,
    pub(crate) granted: bool,
    pub(crate) decisions: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mail {
    Invitation,
    Confirmation,
    Notice,
}
