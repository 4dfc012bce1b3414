//! What people do and what can be seen of it, in the words of the reference model. Shared by the run against `decide` with
//! records in memory and by the run against the compiled binary on a real API server.

pub(crate) mod inputs;
mod mails;
pub(crate) mod manifests;
pub(crate) mod model;

use std::collections::BTreeMap;

/// What a manifest says. Addresses and names are small numbers; times are hours since the test began.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manifest {
    pub(crate) address: u8,
    /// Whether the address is written in capitals.
    pub(crate) capitals: bool,
    /// Whether it breaks a rule: a trainee without a date.
    pub(crate) invalid: bool,
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
    /// A manifest is deleted, and a finalizer keeps the object.
    Mark { name: String },
    /// Everything is lost and restored from a backup without statuses, the Clinic last. All UIDs are new: those of the manifests. Or no
    /// operator runs for a while, and only a file that is renamed has a new one.
    Restore { uids: BTreeMap<String, String>, renamed: Option<Renamed> },
    /// The person of a member opens the latest link and does what it asks for; nothing if there is none that works.
    Answer { name: String },
    /// From now on the Clinic is like this.
    Clinic(Stand),
    /// From now on the relay does this with each mail.
    Relay(Answer),
    /// From now on the guard of invitations holds each first one, or none.
    Guard { holds: bool },
    /// From now on the guard of removals holds each one, or none.
    Removals { holds: bool },
    /// A person releases every hold.
    Release,
    /// Hours pass.
    Pass(i64),
}

/// A file that gets the name of another, whose file goes, or gets the first one's name.
#[derive(Clone, Debug)]
pub(crate) struct Renamed {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) exchanged: bool,
}

/// How the Clinic stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stand {
    #[default]
    Open,
    Paused,
    Missing,
}

/// What the relay does with a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    #[default]
    Takes,
    /// The address is refused.
    Refuses,
    /// Nobody knows what became of it; here it did not arrive.
    IsSilent,
    /// Not now.
    PutsOff,
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
