//! Every page as its reader meets it: rendered, served with the portal's security policy and opened in a real browser, on a phone
//! and on a desk, in light and in dark. The pictures are left in the build folder, in `screenshots/portal`, to be looked at.
//! Never here: what the handlers do.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/browser.rs"]
mod browser;
mod cases;
mod looks;
mod markup;
mod readers;
mod rules;
mod server;
mod uses;
