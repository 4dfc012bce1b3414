//! The rules of the clinic. Nothing here does I/O, reads a clock, draws randomness or knows Kubernetes.

pub mod acceptance;
pub mod calendar;
mod common_passwords;
pub mod conditions;
pub mod delivery;
pub mod email;
pub mod guard;
pub mod identity;
pub mod invitation;
pub mod license;
pub mod lifecycle;
pub mod line;
pub mod mailer;
pub mod member;
pub mod notice;
pub mod own_words;
pub mod password;
pub mod portal_url;
pub mod qr;
pub mod restore;
pub mod rounds;
pub mod second_factor;
pub mod session;
pub mod standing;
pub mod throttle;
pub mod token;
pub mod verdict;
