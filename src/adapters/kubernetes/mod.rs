//! The Kubernetes API: clients, watches, guarded writes, rights, and errors that repeat nothing secret. What is written is
//! decided elsewhere.

mod admission;
mod client;
mod error;
mod lease;
mod merge;
mod own_namespace;
mod packed;
mod person;
mod preflight;
mod requests;
mod rights;
mod store;
mod told;
mod watch;

pub use admission::Admission;
pub use client::{BEYOND_THE_END, Clients, ConnectError, connect};
pub use error::ApiError;
pub use lease::{Elector, LEASE, Tenure, next_tenure};
pub use merge::merge_difference;
pub use own_namespace::OwnNamespace;
pub use packed::{Packed, version};
pub use person::{Login, Person, PersonError, keeper_of};
pub use preflight::{PreflightError, preflight};
pub use requests::Requests;
pub use rights::{Right, rules};
pub use store::{AsTheyAre, Guard, Store, Stored, guard};
pub use told::{Counts, Told};
pub use watch::watch;
