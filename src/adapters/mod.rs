//! Everything that touches the outside: clock, randomness, the Kubernetes API, mail, secrets that are kept, and what is told of the
//! program itself. No rule of the clinic lives here.

pub mod clock;
pub mod core_dumps;
pub mod dates;
pub mod heart;
pub mod kubernetes;
pub mod mail;
pub mod manifests;
pub mod metrics;
pub mod output;
pub mod passwords;
pub mod places;
pub mod probe;
pub mod probes;
mod process;
pub mod random;
pub mod seal;
