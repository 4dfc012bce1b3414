//! Mail to people: what a letter looks like (`letter`, `wording`, `templates/`, `message`) and how it reaches a relay (`smtp`, `wire`, `tls`,
//! `connect`, `ehlo`, `relay`). When a mail may be sent, and what its outcome means for a member, is decided elsewhere.

mod connect;
mod ehlo;
mod letter;
mod message;
mod relay;
mod smtp;
mod tls;
mod wire;
mod wording;

#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod scripted_relay;
#[cfg(test)]
mod smtp_tests;
#[cfg(test)]
mod tls_tests;

pub use ehlo::{EhloName, InvalidEhloName};
pub use letter::{Content, EmailChangeNotice, EmailConfirmation, Invitation, Letter, Occasion, RenderError};
pub use message::{RenderedMail, render};
pub use relay::{Credentials, Limits, Relay, SecretKind, SignIn, TlsMode, is_host};
pub use smtp::{Accepted, deliver};
pub use tls::check_authorities;

#[cfg(test)]
mod address_change_tests;
