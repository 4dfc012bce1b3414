//! The Kubernetes API: clients, guarded writes, and errors that repeat nothing secret. What is written is decided elsewhere.

mod client;
mod error;
mod merge;
mod store;

pub use client::{Clients, ConnectError, connect};
pub use error::ApiError;
pub use merge::merge_difference;
pub use store::{Guard, Store, Stored, guard};
