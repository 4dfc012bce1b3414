//! One walk over a value with its schema: its shape and the rules that stand on it. Null means absent, and a default counts as
//! written, as with the API server. The words of violations never live here.

use kube::core::cel::cel::Value as Cel;
use serde_json::{Map, Number, Value};

use super::cel::{Evaluator, map};
use super::finding::{Finding, Problem};
use super::node::{Fields, Format, List, Node, Shape, Text};
use super::trail::Trail;
use super::{METADATA, words};

const SPEC: &str = "spec";

/// What was found so far.
pub(super) struct Walk<'a> {
    pub evaluator: &'a Evaluator,
    /// Of the whole object.
    pub root: &'a Node,
    pub findings: Vec<Finding>,
}

impl Walk<'_> {
    /// Checks `value` and everything below it, and fills defaults in. Returns it as rules read it; `None`: something in it has not
    /// the right shape, so that no rule can be asked that sees it.
    pub(super) fn node(
        &mut self,
        node: &Node,
        trail: &Trail<'_>,
        value: &mut Value,
        before: Option<&Value>,
    ) -> Option<Cel> {
        let read = self.shape(&node.shape, trail, value, before)?;
        if !node.one_of.is_empty() && !node.one_of.contains(value) {
            return self.wrong(trail, Problem::Unsupported, words::unsupported(value, &node.one_of));
        }
        let before = before.and_then(|before| stored(node, before));
        self.evaluator.ask(&node.rules, trail, &read, before.as_ref(), &mut self.findings);
        Some(read)
    }

    fn shape(&mut self, shape: &Shape, trail: &Trail<'_>, value: &mut Value, before: Option<&Value>) -> Option<Cel> {
        let wanted = match (shape, value) {
            (Shape::Fields(fields), Value::Object(object)) => return self.fields(fields, trail, object, before),
            (Shape::Map(values), Value::Object(object)) => return self.map(values, trail, object),
            (Shape::List(list), Value::Array(elements)) => return self.list(list, trail, elements, before),
            (Shape::Text(text), Value::String(value)) => return self.text(text, trail, value),
            (Shape::WholeNumber(least, most), Value::Number(number)) => match whole(number) {
                Some(whole) => {
                    // 1.0 is kept as 1.
                    *number = whole.into();
                    return self.whole_number(*least, *most, trail, whole);
                }
                None => words::wants_number(),
            },
            (Shape::Truth, Value::Bool(truth)) => return Some(Cel::Bool(*truth)),
            (Shape::Anything, _) => return Some(Cel::Null),
            (Shape::Fields(fields), _) => words::wants_fields(fields.names()),
            (Shape::Map(_), _) => words::wants_fields([].into_iter()),
            (Shape::List(_), _) => words::wants_list(),
            (Shape::Text(_), _) => words::wants_text(),
            (Shape::WholeNumber(..), _) => words::wants_number(),
            (Shape::Truth, _) => words::wants_truth(),
        };
        self.wrong(trail, Problem::WrongType, wanted)
    }

    fn fields(
        &mut self,
        all: &Fields,
        trail: &Trail<'_>,
        object: &mut Map<String, Value>,
        before: Option<&Value>,
    ) -> Option<Cel> {
        fill(object, all);
        let mut read = Some(Vec::with_capacity(object.len()));
        for (name, value) in object.iter_mut() {
            let place = Trail::Field(trail, name);
            let value = match all.named(name) {
                Some(node) => self.node(node, &place, value, before.and_then(|before| before.get(name))),
                None => self.wrong(&place, Problem::UnknownField, unknown(name, trail, all, self.root)),
            };
            match (value, read.as_mut()) {
                (Some(value), Some(read)) => read.push((name.clone(), value)),
                (_, _) => read = None,
            }
        }
        for name in all.required.iter().filter(|name| !object.contains_key(*name)) {
            let missing = all.named(name);
            let description = missing.and_then(|node| node.description.as_deref());
            let allowed = missing.map(|node| node.one_of.as_slice()).unwrap_or_default();
            read = self.wrong(&Trail::Field(trail, name), Problem::Required, words::required(description, allowed));
        }
        read.map(map)
    }

    fn map(&mut self, values: &Node, trail: &Trail<'_>, object: &mut Map<String, Value>) -> Option<Cel> {
        object.retain(|_, value| !value.is_null());
        let checked = object
            .iter_mut()
            .map(|(key, value)| Some((key.clone(), self.node(values, &Trail::Key(trail, key), value, None)?)));
        // All are looked at before one that is wrong counts.
        checked.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(map)
    }

    fn list(&mut self, list: &List, trail: &Trail<'_>, elements: &mut [Value], before: Option<&Value>) -> Option<Cel> {
        let most = list.most.filter(|most| elements.len() > usize::try_from(*most).unwrap_or(usize::MAX));
        if let Some(most) = most {
            self.wrong::<()>(trail, Problem::TooMany, words::too_many(elements.len(), most));
        }
        let mut read = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter_mut().enumerate() {
            let before = list.told_apart_by.counterpart(element, before);
            read.extend(self.node(&list.items, &Trail::Index(trail, index), element, before));
        }
        for index in list.told_apart_by.repeated(elements) {
            self.wrong::<()>(&Trail::Index(trail, index), Problem::Duplicate, words::twice());
        }
        (most.is_none() && read.len() == elements.len()).then(|| Cel::List(read.into()))
    }

    fn text(&mut self, wanted: &Text, trail: &Trail<'_>, text: &str) -> Option<Cel> {
        let length = text.chars().count();
        let beyond = |bound: i64| usize::try_from(bound).unwrap_or(0).cmp(&length);
        if let Some(most) = wanted.most.filter(|most| beyond(*most).is_lt()) {
            return self.wrong(trail, Problem::TooLong, words::too_long(text, length, most));
        }
        if wanted.least.is_some_and(|least| beyond(least).is_gt()) {
            return self.wrong(trail, Problem::Invalid, words::too_short());
        }
        if let Some(pattern) = wanted.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            return self.wrong(trail, Problem::Invalid, words::wants_pattern(pattern.as_str()));
        }
        match wanted.format {
            Some(Format::Instant) if text.parse::<jiff::Timestamp>().is_err() => {
                self.wrong(trail, Problem::Invalid, words::wants_instant())
            }
            Some(Format::Day) if text.parse::<jiff::civil::Date>().is_err() => {
                self.wrong(trail, Problem::Invalid, words::wants_day())
            }
            Some(Format::Instant | Format::Day) | None => Some(Cel::String(text.to_owned().into())),
        }
    }

    fn whole_number(&mut self, least: Option<f64>, most: Option<f64>, trail: &Trail<'_>, whole: i64) -> Option<Cel> {
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^52")]
        let at = whole as f64;
        if least.is_some_and(|least| at < least) || most.is_some_and(|most| at > most) {
            return self.wrong(trail, Problem::Invalid, words::out_of_range(least, most));
        }
        Some(Cel::Int(whole))
    }

    fn wrong<T>(&mut self, trail: &Trail<'_>, problem: Problem, message: String) -> Option<T> {
        self.findings.push(Finding { path: trail.path(), problem, message });
        None
    }
}

/// A stored value as rules read it.
fn stored(node: &Node, value: &Value) -> Option<Cel> {
    match (&node.shape, value) {
        (Shape::Fields(fields), Value::Object(object)) => {
            let read = |(name, node): &(String, Node)| Some((name.clone(), stored(node, object.get(name)?)?));
            Some(map(fields.fields.iter().filter_map(read).collect()))
        }
        (Shape::Map(values), Value::Object(object)) => {
            Some(map(object.iter().filter_map(|(key, value)| Some((key.clone(), stored(values, value)?))).collect()))
        }
        (Shape::List(list), Value::Array(elements)) => Some(Cel::List(
            elements.iter().filter_map(|element| stored(&list.items, element)).collect::<Vec<_>>().into(),
        )),
        (_, Value::String(text)) => Some(Cel::String(text.clone().into())),
        (_, Value::Number(number)) => whole(number).map(Cel::Int),
        (_, Value::Bool(truth)) => Some(Cel::Bool(*truth)),
        (_, Value::Null | Value::Array(_) | Value::Object(_)) => None,
    }
}

/// Drops nulls and fills in defaults.
fn fill(object: &mut Map<String, Value>, all: &Fields) {
    for (name, node) in &all.fields {
        if object.get(name).is_some_and(Value::is_null) {
            object.remove(name);
        }
        if let Some(default) = node.default.as_ref().filter(|_| !object.contains_key(name)) {
            object.insert(name.clone(), default.clone());
        }
    }
}

/// What to do about a field that there is not here: it may be one that was not indented.
fn unknown(name: &str, parent: &Trail<'_>, all: &Fields, root: &Node) -> String {
    let has = |node: &Node| node.fields().is_some_and(|fields| fields.named(name).is_some());
    let beside = |field: &str| root.fields().and_then(|fields| fields.named(field));
    let parent = parent.path().to_string();
    if [METADATA, SPEC].contains(&parent.as_str()) && has(root) {
        return words::belongs_beside(&parent);
    }
    if parent == SPEC && beside(METADATA).is_some_and(has) {
        return words::belongs_under(METADATA);
    }
    for (field, node) in &all.fields {
        if has(node) {
            return words::belongs_under(field);
        }
        if node.list().is_some_and(|list| has(&list.items)) {
            return words::belongs_in_an_entry_of(field);
        }
    }
    if parent == METADATA && beside(SPEC).is_some_and(has) {
        return words::belongs_under_spec();
    }
    words::unknown_field(name, all.names())
}

fn whole(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        Some(float as i64)
    })
}
