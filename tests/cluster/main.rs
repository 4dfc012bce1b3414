//! Tests on a real API server: the operator as the compiled binary, a real mail dialogue. Never here: a stand-in for
//! the API server, or a test that needs none.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod accepting;
mod addresses;
mod backup;
#[path = "../support/browser.rs"]
mod browser;
mod crash;
mod events;
mod faults;
mod gitops;
mod gitops_files;
mod guards;
mod harness;
mod health;
mod identity;
mod interop;
mod kubectl;
mod leading;
mod lists;
mod mail_page;
mod mail_queue;
mod mail_trouble;
mod manifests;
mod not_mailed;
mod operators_at_once;
mod path;
mod plan;
mod policies;
mod portal;
mod reference;
mod rest;
mod restore_mode;
mod restores;
mod rights;
mod rounds;
mod secrecy;
mod startup;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
mod time;
mod uniqueness;
mod urgent;
mod velero;
mod world;
mod write_ahead;
