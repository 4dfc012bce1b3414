//! YAML text as a document. JSON is YAML here, as for kubectl. Where documents begin and end stands in `parts`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag, options};

use super::node::{Content, Node, Place};
use super::parts::Part;
use super::scalar;
use crate::adapters::output::unless_an_address;

/// Values within values, at most.
const DEEPEST: usize = 100;
/// Values of one document, at most: more than the members of the largest group in one list.
const MOST_VALUES: usize = 5_000_000;
/// Fields of one value, at most: more than an object of Kubernetes has.
const MOST_FIELDS: usize = 10_000;
/// Values that the anchors and aliases of one document stand for, at most: more than an object of Kubernetes can hold. They could make
/// far more of a short text.
const MOST_COPIED: usize = 200_000;
/// Bytes that they stand for, at most.
const MOST_COPIED_BYTES: usize = 4 * 1024 * 1024;

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where.
    pub at: Place,
    /// What is wrong and what to do.
    pub message: String,
}

pub(super) fn read(part: &Part<'_>) -> Result<Option<Node>, Malformed> {
    if let Some(line) = part.content_on_a_separator() {
        let message =
            "something stands behind --- in its line, where kubectl takes only a comment: put it in the next line";
        return Err(Malformed { at: Place { line, column: 1 }, message: message.to_owned() });
    }
    let mut reader = Reader {
        part,
        events: Parser::new_from_str_with_options(
            part.text,
            options! { emit_comments: false, block_scalar_eof_without_line_feed: true },
        ),
        anchors: HashMap::new(),
        values: 0,
        copied: Copied::default(),
    };
    let node = loop {
        match reader.next()? {
            Some((Event::StreamStart | Event::DocumentStart(..), _)) => {}
            Some((Event::StreamEnd | Event::DocumentEnd, _)) | None => return Ok(None),
            Some((event, span)) => break reader.value(event, span, 0)?,
        }
    };
    while let Some((event, span)) = reader.next()? {
        if let Event::DocumentStart(..) = event {
            let message = "a second document begins here: put a line with --- and nothing else before it";
            return Err(reader.malformed(span.start, message));
        }
    }
    Ok((node.content != Content::Null).then_some(node))
}

struct Reader<'a> {
    part: &'a Part<'a>,
    events: Parser<'a, StrInput<'a>>,
    /// `None`: it has begun and not ended.
    anchors: HashMap<usize, Option<Node>>,
    values: usize,
    copied: Copied,
}

/// What anchors keep and aliases stand for.
#[derive(Default)]
struct Copied {
    values: usize,
    bytes: usize,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library has more events than can come")]
impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Malformed> {
        self.events.next().transpose().map_err(|error| self.unreadable(&error))
    }

    /// The value that `event` begins.
    fn value(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Malformed> {
        let place = self.place(span.start);
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(self.malformed(span.start, format!("the document has more than {MOST_VALUES} values")));
        }
        if depth > DEEPEST {
            return Err(self.malformed(span.start, format!("more than {DEEPEST} values stand within one another here")));
        }
        let (anchor, content) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(&text, style, tag.as_deref(), span.start)?),
            Event::Alias(anchor) => {
                let Some(Some(node)) = self.anchors.get(&anchor) else {
                    return Err(self.malformed(span.start, "this alias stands for something around itself"));
                };
                let node = node.clone();
                self.count_copy(&node, span.start)?;
                return Ok(node);
            }
            Event::SequenceStart(_, anchor, _) => {
                self.anchors.insert(anchor, None);
                (anchor, Content::List(self.list(depth)?))
            }
            Event::MappingStart(_, anchor, _) => {
                self.anchors.insert(anchor, None);
                (anchor, Content::Fields(self.fields(depth)?))
            }
            _ => return Err(self.malformed(span.start, "a value is missing here")),
        };
        let node = Node { at: place, content };
        if anchor != 0 {
            self.count_copy(&node, span.start)?;
            self.anchors.insert(anchor, Some(node.clone()));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Malformed> {
        let mut list = Vec::new();
        while let Some((event, span)) = self.next()? {
            match event {
                Event::SequenceEnd => break,
                event => list.push(self.value(event, span, depth + 1)?),
            }
        }
        Ok(list)
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<(String, Place, Node)>, Malformed> {
        let mut fields: Vec<(String, Place, Node)> = Vec::new();
        let mut lines = HashMap::new();
        let mut merged = Vec::new();
        while let Some((event, span)) = self.next()? {
            let is_plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let (name, start) = match event {
                Event::MappingEnd => break,
                Event::Scalar(name, ..) => (name, span.start),
                _ => return Err(self.malformed(span.start, "the name of a field must be a word")),
            };
            let Some((event, span)) = self.next()? else {
                return Err(self.malformed(start, "a value is missing here"));
            };
            let value = self.value(event, span, depth + 1)?;
            let place = self.place(start);
            if is_plain && name == "<<" {
                merged.push((place, value));
                continue;
            }
            let name = if is_plain { key(&name) } else { name.into_owned() };
            if let Some(first) = lines.insert(name.clone(), place.line) {
                let message = if depth == 0 && name == "apiVersion" {
                    "another manifest begins here: put a line with --- and nothing else before it, or make it a file of its own"
                        .to_owned()
                } else {
                    let name = self.word(&name);
                    format!("{name} stands here for the second time, the first was in line {first}: keep one")
                };
                return Err(self.malformed(start, message));
            }
            if fields.len() == MOST_FIELDS {
                return Err(self.malformed(start, format!("more than {MOST_FIELDS} fields stand side by side here")));
            }
            fields.push((name, place, value));
        }
        for (place, value) in merged {
            merge(&mut fields, &mut lines, place, value)?;
        }
        Ok(fields)
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, start: Marker) -> Result<Content, Malformed> {
        let is_plain = style == ScalarStyle::Plain;
        match tag.map(ToString::to_string).as_deref() {
            None if is_plain => Ok(scalar::plain(text)),
            None => Ok(Content::Text(text.to_owned())),
            Some(tag) if tag.ends_with("str") || tag == "!" => Ok(Content::Text(text.to_owned())),
            Some(tag) if ["int", "float", "bool", "null"].iter().any(|name| tag.ends_with(name)) => {
                Ok(scalar::plain(text))
            }
            Some(tag) => {
                Err(self.malformed(start, format!("the tag {} means nothing in a manifest: remove it", self.word(tag))))
            }
        }
    }

    fn count_copy(&mut self, node: &Node, at: Marker) -> Result<(), Malformed> {
        self.copied.values += values(node);
        self.copied.bytes += bytes(node);
        let (most, what) = match self.copied {
            Copied { values, .. } if values > MOST_COPIED => (MOST_COPIED, "values"),
            Copied { bytes, .. } if bytes > MOST_COPIED_BYTES => (MOST_COPIED_BYTES, "bytes"),
            Copied { .. } => return Ok(()),
        };
        let message = format!("the anchors and aliases of the document stand for more than {most} {what}");
        Err(self.malformed(at, message))
    }

    /// A word of the document as it may be repeated.
    fn word<'b>(&self, word: &'b str) -> &'b str {
        if self.part.mentions_ours() { unless_an_address(word) } else { "…" }
    }

    fn place(&self, marker: Marker) -> Place {
        let columns_before = if marker.line() == 1 { self.part.columns_before } else { 0 };
        Place { line: marker.line() + self.part.lines_before, column: marker.col() + 1 + columns_before }
    }

    fn malformed(&self, at: Marker, message: impl Into<String>) -> Malformed {
        Malformed { at: self.place(at), message: message.into() }
    }

    /// The first tab that indents, from this line of the text on.
    fn tab_from(&self, line: usize) -> Option<Place> {
        let mut lines = self.part.text.lines().enumerate().skip(line.saturating_sub(1));
        let tab =
            |line: &str| line.chars().take_while(|character| character.is_whitespace()).position(|space| space == '\t');
        let (number, column) = lines.find_map(|(number, line)| Some((number, tab(line)?)))?;
        Some(Place { line: number + 1 + self.part.lines_before, column: column + 1 })
    }

    fn unreadable(&self, error: &ScanError) -> Malformed {
        let said = error.info();
        let said = unless_an_address(&said);
        if let Some(at) = self.tab_from(error.marker().line()).filter(|_| said.contains("tab")) {
            return Malformed {
                at,
                message: "a tab stands at the beginning of the line: indent with spaces".to_owned(),
            };
        }
        let help = if said.contains("mapping values") {
            "see that this line begins at the same column as those that it belongs to, and put a text that has a colon in quotes"
        } else {
            "see that lines which belong together begin at the same column, that a space follows each colon, and that quotes and brackets are closed"
        };
        self.malformed(*error.marker(), format!("this is not YAML ({said}): {help}"))
    }
}

/// What `<<` brings in counts where it does not stand here itself. `lines`: of the fields, by their names.
fn merge(
    fields: &mut Vec<(String, Place, Node)>,
    lines: &mut HashMap<String, usize>,
    place: Place,
    value: Node,
) -> Result<(), Malformed> {
    match value.content {
        Content::Fields(others) => {
            for (name, at, value) in others {
                if let Entry::Vacant(free) = lines.entry(name.clone()) {
                    free.insert(at.line);
                    fields.push((name, at, value));
                }
            }
            Ok(())
        }
        Content::List(list) => list.into_iter().try_for_each(|value| merge(fields, lines, place, value)),
        Content::Null | Content::Truth(..) | Content::Number(..) | Content::Text(_) => Err(Malformed {
            at: place,
            message: "<< takes fields from elsewhere, and this is a single value".to_owned(),
        }),
    }
}

/// The name of a field as JSON has it.
fn key(name: &str) -> String {
    match scalar::plain(name) {
        Content::Truth(truth, _) => truth.to_string(),
        Content::Number(number, _) => number.to_string(),
        Content::Null => "null".to_owned(),
        Content::Text(text) => text,
        Content::List(_) | Content::Fields(_) => name.to_owned(),
    }
}

/// How many values it has, with itself.
fn values(node: &Node) -> usize {
    1 + match &node.content {
        Content::List(list) => list.iter().map(values).sum(),
        Content::Fields(fields) => fields.iter().map(|(_, _, value)| values(value)).sum(),
        Content::Null | Content::Truth(..) | Content::Number(..) | Content::Text(_) => 0,
    }
}

/// How long its texts and names are.
fn bytes(node: &Node) -> usize {
    match &node.content {
        Content::List(list) => list.iter().map(bytes).sum(),
        Content::Fields(fields) => fields.iter().map(|(name, _, value)| name.len() + bytes(value)).sum(),
        Content::Text(text) | Content::Truth(_, text) | Content::Number(_, text) => text.len(),
        Content::Null => 0,
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
