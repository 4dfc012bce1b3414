//! YAML text as documents. JSON is YAML here, as for kubectl. A document that is not YAML does not hide the ones after it.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag, options};

use super::node::{Content, Node, Place};
use super::scalar;
use crate::adapters::output::unless_an_address;

/// Values within values, at most.
const DEEPEST: usize = 100;
/// Values of one document, at most: more than an object of Kubernetes can hold. Aliases could make far more of a short text.
const MOST_VALUES: usize = 200_000;
/// Fields of one value, at most: each is compared with all before it.
const MOST_FIELDS: usize = 10_000;
/// Bytes that the aliases of one document stand for, at most: more than an object of Kubernetes can hold.
const MOST_ALIASED: usize = 4 * 1024 * 1024;

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where.
    pub at: Place,
    /// What is wrong and what to do.
    pub message: String,
}

/// The text of one document.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    text: &'a str,
    lines_before: usize,
}

/// The parts of a text between lines that begin with `---`. Nothing in a document can begin such a line.
pub fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = Some(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut lines_before = 0;
    std::iter::from_fn(move || {
        let text = rest?;
        let (part, after) = match separators(text).next() {
            Some((start, end)) => (&text[..start], Some(&text[end..])),
            None => (text, None),
        };
        let part = Part { text: part, lines_before };
        lines_before += part.text.matches('\n').count() + usize::from(after.is_some());
        rest = after;
        Some(part)
    })
}

impl<'a> Part<'a> {
    /// The line of the whole text that has this number, if it is in this part.
    pub fn line(&self, number: usize) -> Option<&'a str> {
        self.text.lines().nth(number.checked_sub(self.lines_before + 1)?)
    }

    /// The document; `None`: there is nothing in it.
    ///
    /// # Errors
    /// What is not YAML, or no document that Kubernetes could have.
    pub fn read(&self) -> Result<Option<Node>, Malformed> {
        read(self.text, self.lines_before)
    }
}

/// Where lines begin and end that say nothing but `---` and a comment.
fn separators(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(found) = text[from..].find("---") {
            let start = from + found;
            let end = text[start..].find('\n').map_or(text.len(), |length| start + length + 1);
            let is_first = start == 0 || text.as_bytes()[start - 1] == b'\n';
            let after = text[start + 3..end].trim();
            from = if is_first { end } else { start + 3 };
            if is_first && (after.is_empty() || after.starts_with('#')) {
                return Some((start, end));
            }
        }
        None
    })
}

fn read(text: &str, lines_before: usize) -> Result<Option<Node>, Malformed> {
    let mut reader = Reader {
        text,
        events: Parser::new_from_str_with_options(
            text,
            options! { emit_comments: false, block_scalar_eof_without_line_feed: true },
        ),
        lines_before,
        anchors: HashMap::new(),
        values: 0,
        aliased: 0,
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
    text: &'a str,
    events: Parser<'a, StrInput<'a>>,
    lines_before: usize,
    /// `None`: it has begun and not ended.
    anchors: HashMap<usize, Option<Node>>,
    values: usize,
    /// Bytes.
    aliased: usize,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library has more events than can come")]
impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Malformed> {
        self.events.next().transpose().map_err(|error| self.unreadable(&error))
    }

    /// The value that `event` begins.
    fn value(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Malformed> {
        let place = self.place(span.start);
        self.count(1, span.start)?;
        if depth > DEEPEST {
            return Err(self.malformed(span.start, format!("more than {DEEPEST} values stand within one another here")));
        }
        let (anchor, content) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(&text, style, tag.as_deref(), span.start)?),
            Event::Alias(anchor) => {
                let Some(Some(node)) = self.anchors.get(&anchor) else {
                    return Err(self.malformed(span.start, "this alias stands for something around itself"));
                };
                self.aliased += bytes(node);
                if self.aliased > MOST_ALIASED {
                    let message = format!("the aliases of the document stand for more than {MOST_ALIASED} bytes");
                    return Err(self.malformed(span.start, message));
                }
                let node = node.clone();
                self.count(values(&node), span.start)?;
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
            } else if let Some((_, first, _)) = fields.iter().find(|(other, _, _)| *other == *name) {
                let message = if depth == 0 && name == "apiVersion" {
                    "another manifest begins here: put a line with --- and nothing else before it, or make it a file of its own"
                        .to_owned()
                } else {
                    let (name, line) = (unless_an_address(&name), first.line);
                    format!("{name} stands here for the second time, the first was in line {line}: keep one")
                };
                return Err(self.malformed(start, message));
            } else if fields.len() == MOST_FIELDS {
                return Err(self.malformed(start, format!("more than {MOST_FIELDS} fields stand side by side here")));
            } else {
                let name = if is_plain { key(&name) } else { name.into_owned() };
                fields.push((name, place, value));
            }
        }
        for (place, value) in merged {
            merge(&mut fields, place, value)?;
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
            Some(tag) => Err(self.malformed(
                start,
                format!("the tag {} means nothing in a manifest: remove it", unless_an_address(tag)),
            )),
        }
    }

    fn count(&mut self, more: usize, at: Marker) -> Result<(), Malformed> {
        self.values += more;
        if self.values > MOST_VALUES {
            return Err(self.malformed(at, format!("the document has more than {MOST_VALUES} values")));
        }
        Ok(())
    }

    fn place(&self, marker: Marker) -> Place {
        Place { line: marker.line() + self.lines_before, column: marker.col() + 1 }
    }

    fn malformed(&self, at: Marker, message: impl Into<String>) -> Malformed {
        Malformed { at: self.place(at), message: message.into() }
    }

    /// The first tab that indents, from this line of the text on.
    fn tab_from(&self, line: usize) -> Option<Place> {
        let mut lines = self.text.lines().enumerate().skip(line.saturating_sub(1));
        let tab =
            |line: &str| line.chars().take_while(|character| character.is_whitespace()).position(|space| space == '\t');
        let (number, column) = lines.find_map(|(number, line)| Some((number, tab(line)?)))?;
        Some(Place { line: number + 1 + self.lines_before, column: column + 1 })
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

/// What `<<` brings in counts where it does not stand here itself.
fn merge(fields: &mut Vec<(String, Place, Node)>, place: Place, value: Node) -> Result<(), Malformed> {
    match value.content {
        Content::Fields(others) => {
            for other in others {
                if fields.iter().all(|(name, _, _)| *name != other.0) {
                    fields.push(other);
                }
            }
            Ok(())
        }
        Content::List(list) => list.into_iter().try_for_each(|value| merge(fields, place, value)),
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
