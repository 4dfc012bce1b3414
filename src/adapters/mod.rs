//! Everything that touches the outside: clock, randomness, the API server, mail. No rule of the clinic is decided here.

pub mod mail;
