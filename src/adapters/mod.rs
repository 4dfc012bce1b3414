//! Everything that touches the outside: clock, randomness, the Kubernetes API, mail. No rule of the clinic lives here.

pub mod clock;
pub mod kubernetes;
pub mod mail;
pub mod passwords;
pub mod random;
pub mod seal;
