//! A violation: where it is, of which sort, and what to do. How it is shown never lives here.

use std::fmt;

use super::words;

/// The way from an object to one of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

/// One step of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into a field of this name.
    Field(String),
    /// Into the value of a map's key, such as an annotation's.
    Key(String),
    /// Into a list's element, from 0.
    Index(usize),
}

impl Path {
    /// Its steps, from the object.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Into a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.then(Step::Field(name.to_owned()))
    }

    /// Into a value of a map.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    /// Into an element of a list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    /// Along a rule's `fieldPath`, such as `.spec.supervisor`.
    pub(super) fn along(&self, field_path: &str) -> Self {
        field_path.split('.').filter(|name| !name.is_empty()).fold(self.clone(), |path, name| path.field(name))
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

/// As the API server writes it: `spec.coverages[0].end`.
impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if position == 0 => write!(formatter, "{name}")?,
                Step::Field(name) => write!(formatter, ".{name}")?,
                Step::Key(key) => write!(formatter, "[{key}]")?,
                Step::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The sort of a violation, by the API server's words for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A field is missing: `Required value`.
    Required,
    /// A field may not be there, or not change: `Forbidden`.
    Forbidden,
    /// A value is wrong: `Invalid value`.
    Invalid,
    /// A value is of another type: `Invalid value` too.
    WrongType,
    /// Not one of the values that there are: `Unsupported value`.
    Unsupported,
    /// `Too long`.
    TooLong,
    /// `Too many`.
    TooMany,
    /// `Duplicate value`.
    Duplicate,
    /// There is no such field: `strict decoding error: unknown field`.
    UnknownField,
}

/// A violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub path: Path,
    /// Of which sort.
    pub problem: Problem,
    /// What is wrong and what to do, as a sentence about the field. It never repeats an email address.
    pub message: String,
}

impl Finding {
    /// Whether there is something else where text is to be.
    pub fn wants_text(&self) -> bool {
        self.problem == Problem::WrongType && self.message == words::wants_text()
    }
}
