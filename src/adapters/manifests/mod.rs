//! Manifests as people keep them: files and folders of YAML and JSON, read as kubectl reads them, with the place of every value.
//! What a manifest means never lives here.

mod files;
mod node;
mod parts;
mod scalar;
mod yaml;

pub use self::files::{Found, Input, ReadError, STANDARD_INPUT, Source, find, read};
pub use self::node::{Content, Node, Place};
pub use self::parts::{Part, parts};
pub use self::yaml::Malformed;
