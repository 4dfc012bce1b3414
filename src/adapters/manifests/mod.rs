//! Manifests as people keep them: files and folders of YAML and JSON, read as kubectl reads them, with the place of every value.
//! What a manifest means never lives here.

mod files;
mod node;
mod scalar;
mod yaml;

pub use self::files::{Found, Input, ReadError, STANDARD_INPUT, Source, find, read};
pub use self::node::{Content, Node, Place};
pub use self::yaml::{Malformed, Part, parts};
