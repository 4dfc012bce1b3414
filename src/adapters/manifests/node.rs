//! A document as a tree of values, each with its place in the text.

use serde_json::{Map, Number, Value};

use crate::api::check::{Path, Step};

/// Where something stands: line and column, both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub at: Place,
    /// What it is.
    pub content: Content,
}

/// What a value is, as JSON has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Nothing.
    Null,
    /// True or false, and the word for it.
    Truth(bool, String),
    /// A number, and how it is written.
    Number(Number, String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Fields in their order, each with the place of its name.
    Fields(Vec<(String, Place, Node)>),
}

impl Node {
    /// The value alone.
    pub fn json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Truth(truth, _) => Value::Bool(*truth),
            Content::Number(number, _) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(list) => list.iter().map(Self::json).collect(),
            Content::Fields(fields) => {
                Value::Object(fields.iter().map(|(name, _, value)| (name.clone(), value.json())).collect::<Map<_, _>>())
            }
        }
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.named(name).map(|(_, value)| value)
    }

    /// The text of a field.
    pub fn text(&self, name: &str) -> Option<&str> {
        match &self.field(name)?.content {
            Content::Text(text) => Some(text),
            Content::Null | Content::Truth(..) | Content::Number(..) | Content::List(_) | Content::Fields(_) => None,
        }
    }

    /// What `path` leads to.
    pub fn at(&self, path: &Path) -> Option<&Self> {
        path.steps().iter().try_fold(self, |node, step| node.step(step).map(|(_, value)| value))
    }

    /// The place of what `path` leads to: of a field its name; of what is missing, that of what it is missing from.
    pub fn place(&self, path: &Path) -> Place {
        let (mut node, mut place) = (self, self.at);
        for step in path.steps() {
            match node.step(step) {
                Some((at, value)) => (place, node) = (at, value),
                None => return place,
            }
        }
        place
    }

    fn step(&self, step: &Step) -> Option<(Place, &Self)> {
        match (step, &self.content) {
            (Step::Field(name) | Step::Key(name), _) => self.named(name),
            (Step::Index(index), Content::List(list)) => list.get(*index).map(|item| (item.at, item)),
            (Step::Index(_), _) => None,
        }
    }

    fn named(&self, name: &str) -> Option<(Place, &Self)> {
        let Content::Fields(fields) = &self.content else { return None };
        fields.iter().find(|(other, _, _)| other == name).map(|(_, at, value)| (*at, value))
    }
}
