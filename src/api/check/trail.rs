//! The way to the value that is looked at, as it is walked. Most values are right: a [`Path`] is made only for those that are not.

use super::finding::Path;

/// From a value back to the object.
pub(super) enum Trail<'a> {
    Object,
    Field(&'a Trail<'a>, &'a str),
    Key(&'a Trail<'a>, &'a str),
    Index(&'a Trail<'a>, usize),
}

impl Trail<'_> {
    pub(super) fn path(&self) -> Path {
        match self {
            Self::Object => Path::default(),
            Self::Field(before, name) => before.path().field(name),
            Self::Key(before, key) => before.path().key(key),
            Self::Index(before, index) => before.path().index(*index),
        }
    }
}
