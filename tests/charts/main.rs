//! The two charts: what they refuse, what they make of values, and what a real API server says to it. Never here: a running
//! pod, which needs a node (`make test-cluster`).
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod conformity;
mod helm;
mod people;
mod pods;
mod refused;
mod releases;
mod rendered;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the charts need a part of what the other tests use")]
mod support;
mod values;
