//! Manages the accounts of a medical clinic declaratively.

pub mod adapters;
pub mod api;
pub mod domain;
