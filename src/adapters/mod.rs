//! Everything that touches the outside: clock, randomness, the Kubernetes API, mail, secrets that are kept. No rule of the clinic
//! lives here.

pub mod clock;
pub mod dates;
pub mod kubernetes;
pub mod mail;
pub mod passwords;
pub mod probe;
pub mod probes;
pub mod random;
pub mod seal;
