//! Why a command came to nothing: one line that says what to do, and its exit code. What was asked never stands here.

use crate::adapters::kubernetes::{ConnectError, PersonError};

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The kubeconfig or its credentials.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(
        "the cluster at {server} cannot be used: {why}; check the network and the context (kubectl config current-context)"
    )]
    Unusable { server: String, why: String },
    #[error("the cluster at {server} does not accept your credentials: they are wrong or have expired; sign in again")]
    Unauthorized { server: String },
    #[error(
        "this cluster has no custom resources of clinic-operator.dev: check the context (kubectl config current-context), or have them installed (kubectl apply --server-side -f crds/)"
    )]
    NoKinds,
    /// By RBAC.
    #[error("you may not {0}; ask whoever runs the clinic for a Role that allows it")]
    Forbidden(String),
    /// By an admission policy, in its own words.
    #[error("refused: {words}; {hint}")]
    Refused { words: String, hint: &'static str },
    #[error("there is no namespace \"{0}\" in this cluster; name the clinic's with -n")]
    NoNamespace(String),
    #[error("there is no Clinic in the namespace \"{0}\"; name the clinic's namespace with -n, or apply its Clinic")]
    NoClinic(String),
    #[error("there is no member \"{name}\" in the namespace \"{namespace}\"{}", did_you_mean(.near))]
    NoMember { name: String, namespace: String, near: Vec<String> },
    #[error(
        "two members have the name \"{0}\": say clinicuser/{0} for the person or clinicserviceaccount/{0} for the service account"
    )]
    TwoMembers(String),
    #[error("\"{0}\" names no member: give its metadata.name, clinicuser/NAME or clinicserviceaccount/NAME")]
    NotAName(String),
    #[error("there is no hold \"{id}\"; {}", what_is_held(.there))]
    NoHold { id: String, there: Vec<String> },
    #[error("\"{name}\" is not held under {id}{}", did_you_mean_one(.near))]
    NotHeld { name: String, id: String, near: Vec<String> },
    /// It was not asked for, or has not happened.
    #[error("{0}")]
    NotDone(String),
    #[error("failed to write: {0}")]
    Write(std::io::Error),
    #[error("failed to write JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("failed to start: {0}")]
    Runtime(std::io::Error),
}

impl Failure {
    /// As `docs/kubectl.md` lists them; 2 is the command line's own.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Connect(_)
            | Self::Unusable { .. }
            | Self::Unauthorized { .. }
            | Self::NoKinds
            | Self::Write(_)
            | Self::Json(_)
            | Self::Runtime(_) => 1,
            Self::NotAName(_) => 2,
            Self::NoNamespace(_)
            | Self::NoClinic(_)
            | Self::NoMember { .. }
            | Self::TwoMembers(_)
            | Self::NoHold { .. }
            | Self::NotHeld { .. } => 3,
            Self::Forbidden(_) | Self::Refused { .. } => 4,
            Self::NotDone(_) => 5,
        }
    }

    /// The same; if a policy refused, with what to do about it: what is asked for is for administrators of the clinic.
    pub(super) fn for_administrators(self, hint: &'static str) -> Self {
        if let Self::Refused { words, .. } = self { Self::Refused { words, hint } } else { self }
    }

    /// A request to `server` that failed. An object that is not there is the caller's to explain.
    pub(super) fn of(error: PersonError, server: &str) -> Self {
        let server = server.to_owned();
        match error {
            PersonError::NotServed => Self::NoKinds,
            PersonError::Forbidden(right) => Self::Forbidden(right),
            PersonError::Policy(words) => {
                Self::Refused { words: sentence(&words), hint: "ask whoever administers the clinic" }
            }
            PersonError::Unauthorized => Self::Unauthorized { server },
            PersonError::NotFound | PersonError::Conflict => {
                Self::NotDone(format!("it was not done: {error}; try again"))
            }
            PersonError::Other { .. } | PersonError::NoAnswer(_) => Self::Unusable { server, why: error.to_string() },
        }
    }
}

fn sentence(words: &str) -> String {
    words.trim_end_matches('.').to_owned()
}

fn did_you_mean(names: &[String]) -> String {
    if names.is_empty() {
        "; kubectl clinic members --all lists them".to_owned()
    } else {
        format!("; did you mean {}?", names.join(" or "))
    }
}

fn did_you_mean_one(names: &[String]) -> String {
    if names.is_empty() {
        "; kubectl clinic holds names who is".to_owned()
    } else {
        format!("; did you mean {}?", names.join(" or "))
    }
}

fn what_is_held(there: &[String]) -> String {
    if there.is_empty() { "nothing is held".to_owned() } else { format!("what is held: {}", there.join(", ")) }
}
