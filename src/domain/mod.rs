//! The rules of the clinic, without I/O, clock or Kubernetes.

pub mod delivery;
pub mod invitation;
pub mod license;
pub mod lifecycle;
pub mod member;
