//! Clinics as a platform engineer installs them: the charts, from the image, on a real node whose kubelet, containerd and network run
//! them. Never here: what one process shows, which the tests of the cluster do.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/browser.rs"]
#[expect(dead_code, reason = "the pictures are taken by other tests")]
mod browser;
mod clinic;
mod image;
mod installing;
mod leading;
mod node;
mod rolling;
mod side_by_side;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "a part of what the tests of the cluster use")]
mod support;
