//! Where the documents of a text begin and end, as kubectl sees it. One that cannot be read does not hide the ones after it. What is
//! in a document never lives here.

use serde::de::IgnoredAny;

use super::node::Node;
use super::yaml::{Malformed, read};
use crate::api::GROUP;

/// The kinds that people write, without those whose names begin so too.
const KINDS: [&str; 2] = ["Clinic", "ServiceAccount"];

/// The text of one document.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub(super) text: &'a str,
    pub(super) lines_before: usize,
    /// Characters before it in its first line.
    pub(super) columns_before: usize,
}

/// The parts of a text between lines that begin with `---`. Nothing in a document can begin such a line. JSON objects that follow one
/// another are parts too.
pub fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = Some(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut lines_before = 0;
    let between_separators = std::iter::from_fn(move || {
        let text = rest?;
        let (part, after) = match separators(text).next() {
            Some((start, end)) => (&text[..start], Some(&text[end..])),
            None => (text, None),
        };
        let part = Part { text: part, lines_before, columns_before: 0 };
        lines_before += part.text.matches('\n').count() + usize::from(after.is_some());
        rest = after;
        Some(part)
    });
    between_separators.flat_map(objects)
}

/// The JSON objects of a part that follow one another, as `jq -c '.items[]'` writes them; any other part as it is.
fn objects(part: Part<'_>) -> impl Iterator<Item = Part<'_>> {
    let mut rest = Some(part);
    std::iter::from_fn(move || {
        let Part { text, lines_before, columns_before } = rest.take()?;
        let end = object(text).filter(|end| text[*end..].trim_start().starts_with('{')).unwrap_or(text.len());
        let (first, after) = text.split_at(end);
        if !after.is_empty() {
            let last_line = first.rsplit('\n').next().unwrap_or_default().chars().count();
            let lines = first.matches('\n').count();
            let columns_before = if lines == 0 { columns_before + last_line } else { last_line };
            rest = Some(Part { text: after, lines_before: lines_before + lines, columns_before });
        }
        Some(Part { text: first, lines_before, columns_before })
    })
}

/// Where the JSON object ends that a text begins with.
fn object(text: &str) -> Option<usize> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

impl<'a> Part<'a> {
    /// Its text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Lines of the whole text before it.
    pub fn lines_before(&self) -> usize {
        self.lines_before
    }

    /// Characters before it in the line that it begins in.
    pub fn columns_before(&self) -> usize {
        self.columns_before
    }

    /// Whether it says that it is of our group or of a kind of ours, be it a document that can be read or not. Of any other text
    /// nothing may be repeated: it could be a secret.
    pub fn mentions_ours(&self) -> bool {
        let after_kind = self.text.match_indices("kind").map(|(at, word)| &self.text[at + word.len()..]);
        let names_ours = |after: &str| {
            let word = after.trim_start_matches(['"', '\'', ' ']).strip_prefix(':').unwrap_or_default();
            let word = word.trim_start_matches(['"', '\'', ' ']);
            KINDS.iter().any(|kind| word.starts_with(kind))
        };
        self.text.contains(GROUP) || after_kind.into_iter().any(names_ours)
    }

    /// The document; `None`: there is nothing in it.
    ///
    /// # Errors
    /// What is not YAML, or no document that Kubernetes could have.
    pub fn read(&self) -> Result<Option<Node>, Malformed> {
        read(self)
    }

    /// The number of a line that begins with `---` and says something behind it: kubectl refuses the file.
    pub(super) fn content_on_a_separator(&self) -> Option<usize> {
        let at =
            if self.text.starts_with("---") && self.columns_before == 0 { 0 } else { self.text.find("\n---")? + 1 };
        Some(self.lines_before + self.text[..at].matches('\n').count() + 1)
    }
}

/// Where lines begin and end that say nothing but `---` and a comment.
fn separators(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(found) = text[from..].find("---") {
            let start = from + found;
            // The end of the line is looked for once a line, however many hyphens are in it.
            if start > 0 && text.as_bytes()[start - 1] != b'\n' {
                from = start + 3;
                continue;
            }
            let end = text[start..].find('\n').map_or(text.len(), |length| start + length + 1);
            let after = text[start + 3..end].trim();
            from = end;
            if after.is_empty() || after.starts_with('#') {
                return Some((start, end));
            }
        }
        None
    })
}
