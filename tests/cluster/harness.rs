//! Tests of the harness itself: what the other tests take for granted about it.

mod identity;
mod namespaces;
mod peers;
mod relay;
mod supervisor;
