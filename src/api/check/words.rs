//! What to do about a value that has not the shape of its schema, in words for somebody who has never written YAML. The words
//! of CEL rules stand on the rules.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

/// How alike a word must be to one that there is (Jaro-Winkler) to be taken for a slip of it.
const ALIKE: f64 = 0.86;

pub(super) fn required(description: Option<&str>, allowed: &[Value]) -> String {
    let words: Vec<_> = allowed.iter().filter_map(Value::as_str).collect();
    if !words.is_empty() {
        return format!("is missing: write {}", one_of(&words));
    }
    match description.map(first_sentence) {
        Some(sentence) => format!("is missing: {}", lower_first(sentence)),
        None => "is missing".to_owned(),
    }
}

pub(super) fn wants_text() -> String {
    "must be text: a single value, in quotes where it looks like a number or like yes or no".to_owned()
}

pub(super) fn wants_list() -> String {
    "must be a list: put each entry on a line of its own after a hyphen, or all in brackets, such as [first, second]"
        .to_owned()
}

pub(super) fn wants_truth() -> String {
    "must be true or false, without quotes".to_owned()
}

pub(super) fn wants_number() -> String {
    "must be a whole number, without quotes".to_owned()
}

pub(super) fn wants_fields<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let fields = fields.collect::<Vec<_>>();
    if fields.is_empty() {
        return "must be a group of fields, each on a line of its own and indented".to_owned();
    }
    format!("must be a group of fields, each on a line of its own and indented: {}", fields.join(", "))
}

/// The API server counts characters as they are written, the portal's forms after normalisation.
pub(super) fn too_long(text: &str, is: usize, most: i64) -> String {
    let has_marks = text.nfc().count() < is;
    let as_written = if has_marks { " as it is written, where an accent may count beside its letter" } else { "" };
    format!("is {is} characters long{as_written}, and at most {most} fit")
}

pub(super) fn too_short() -> String {
    "must not be empty".to_owned()
}

pub(super) fn too_many(is: usize, most: i64) -> String {
    format!("has {is} entries, and at most {most} fit")
}

pub(super) fn twice() -> String {
    "stands twice: remove one of the two".to_owned()
}

pub(super) fn out_of_range(least: Option<f64>, most: Option<f64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("must be between {least} and {most}"),
        (Some(least), None) => format!("must be {least} or more"),
        (None, Some(most)) => format!("must be {most} or less"),
        (None, None) => "is out of range".to_owned(),
    }
}

pub(super) fn wants_pattern(pattern: &str) -> String {
    format!("must match {pattern}")
}

pub(super) fn wants_instant() -> String {
    "must be an instant in UTC, such as 2026-11-20T12:00:00Z".to_owned()
}

pub(super) fn wants_day() -> String {
    "must be a day as year-month-day, such as 2027-06-30".to_owned()
}

pub(super) fn unsupported(value: &Value, allowed: &[Value]) -> String {
    let words: Vec<_> = allowed.iter().filter_map(Value::as_str).collect();
    let list = one_of(&words);
    match value.as_str().and_then(|word| alike(word, words.iter().copied())) {
        Some(word) => format!("must be {list}: write {word}"),
        None => format!("must be {list}"),
    }
}

/// A field that there is not, at a place whose fields are `known`.
pub(super) fn unknown_field<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match alike(name, known.clone()) {
        Some(field) => format!("there is no such field: did you mean {field}?"),
        None => format!("there is no such field here; there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// A field that there is not here but under `parent`.
pub(super) fn belongs_under(parent: &str) -> String {
    format!("belongs under {parent}: indent it there")
}

/// A field of the object, written under another of its fields.
pub(super) fn belongs_beside(other: &str) -> String {
    format!("belongs beside {other}: begin its line at the same column as {other}")
}

/// A field of the spec, written under the metadata.
pub(super) fn belongs_under_spec() -> String {
    "belongs under spec: put a line with spec: at the beginning of a line before it".to_owned()
}

/// A field of the elements of a list.
pub(super) fn belongs_in_an_entry_of(list: &str) -> String {
    format!("belongs in an entry of {list}: indent it there, after a hyphen")
}

/// Which of `known` was meant, if one is alike enough: the same but for capitals, spaces and signs, or nearly the same.
pub fn alike<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let wanted = plain(word);
    let likeness = known.map(|other| (strsim::jaro_winkler(&wanted, &plain(other)), other));
    let best = likeness.max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, other)| other)
}

fn one_of(words: &[&str]) -> String {
    match words {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        words => words.join(""),
    }
}

fn first_sentence(text: &str) -> &str {
    let end = text.find(". ").or_else(|| text.strip_suffix('.').map(str::len)).unwrap_or(text.len());
    &text[..end]
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_lowercase().collect::<String>());
    // A word in back quotes or an abbreviation stays.
    let is_word = text.chars().nth(1).is_some_and(|second| second.is_lowercase() || second == ' ');
    if is_word { first.unwrap_or_default() + characters.as_str() } else { text.to_owned() }
}
