//! A structural schema, compiled. How a value is checked against it stands in `walk`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use regex::Regex;
use serde_json::Value;

use super::cel::{Rule, RuleError};

/// The schema of one value.
pub(super) struct Node {
    pub shape: Shape,
    pub description: Option<String>,
    pub default: Option<Value>,
    /// Values that there are; empty: any.
    pub one_of: Vec<Value>,
    pub rules: Vec<Rule>,
}

pub(super) enum Shape {
    Fields(Fields),
    Map(Box<Node>),
    List(List),
    Text(Text),
    /// Within bounds, both included.
    WholeNumber(Option<f64>, Option<f64>),
    Truth,
    Anything,
}

pub(super) struct Fields {
    pub fields: Vec<(String, Node)>,
    pub required: Vec<String>,
}

pub(super) struct List {
    pub items: Box<Node>,
    pub most: Option<i64>,
    pub told_apart_by: ToldApartBy,
}

/// What no two elements of a list may share.
pub(super) enum ToldApartBy {
    Nothing,
    Value,
    Fields(Vec<String>),
}

pub(super) struct Text {
    /// In characters.
    pub least: Option<i64>,
    pub most: Option<i64>,
    pub pattern: Option<Regex>,
    pub format: Option<Format>,
}

pub(super) enum Format {
    /// `date-time`.
    Instant,
    /// `date`.
    Day,
}

impl Node {
    pub(super) fn compile(schema: &JSONSchemaProps) -> Result<Self, RuleError> {
        let rules =
            schema.x_kubernetes_validations.iter().flatten().map(Rule::compile).collect::<Result<_, RuleError>>()?;
        Ok(Self {
            shape: Shape::compile(schema)?,
            description: schema.description.clone(),
            default: schema.default.as_ref().map(|default| default.0.clone()),
            one_of: schema.enum_.iter().flatten().map(|value| value.0.clone()).collect(),
            rules,
        })
    }

    pub(super) fn fields(&self) -> Option<&Fields> {
        if let Shape::Fields(fields) = &self.shape { Some(fields) } else { None }
    }

    pub(super) fn list(&self) -> Option<&List> {
        if let Shape::List(list) = &self.shape { Some(list) } else { None }
    }
}

impl Shape {
    fn compile(schema: &JSONSchemaProps) -> Result<Self, RuleError> {
        if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
            return Ok(Self::Anything);
        }
        Ok(match schema.type_.as_deref() {
            Some("object") => match (&schema.properties, &schema.additional_properties) {
                (None, Some(JSONSchemaPropsOrBool::Schema(values))) => Self::Map(Box::new(Node::compile(values)?)),
                (fields, _) => {
                    let compiled = |(name, schema): (&String, _)| Ok((name.clone(), Node::compile(schema)?));
                    let fields = fields.iter().flatten().map(compiled).collect::<Result<_, RuleError>>()?;
                    Self::Fields(Fields { fields, required: schema.required.clone().unwrap_or_default() })
                }
            },
            Some("array") => Self::List(List {
                items: Box::new(match &schema.items {
                    Some(JSONSchemaPropsOrArray::Schema(items)) => Node::compile(items)?,
                    Some(JSONSchemaPropsOrArray::Schemas(_)) | None => Node::compile(&JSONSchemaProps::default())?,
                }),
                most: schema.max_items,
                told_apart_by: match (schema.x_kubernetes_list_type.as_deref(), &schema.x_kubernetes_list_map_keys) {
                    (Some("set"), _) => ToldApartBy::Value,
                    (Some("map"), Some(keys)) => ToldApartBy::Fields(keys.clone()),
                    (_, _) => ToldApartBy::Nothing,
                },
            }),
            Some("string") => Self::Text(Text {
                least: schema.min_length,
                most: schema.max_length,
                pattern: schema.pattern.as_deref().map(Regex::new).transpose()?,
                format: match schema.format.as_deref() {
                    Some("date-time") => Some(Format::Instant),
                    Some("date") => Some(Format::Day),
                    Some(_) | None => None,
                },
            }),
            Some("integer") => Self::WholeNumber(schema.minimum, schema.maximum),
            Some("boolean") => Self::Truth,
            Some(_) | None => Self::Anything,
        })
    }
}

impl Fields {
    pub(super) fn named(&self, name: &str) -> Option<&Node> {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, node)| node)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.fields.iter().map(|(name, _)| name.as_str())
    }
}

impl ToldApartBy {
    /// The elements that are there already.
    pub(super) fn repeated(&self, list: &[Value]) -> Vec<usize> {
        let mut seen = std::collections::HashSet::new();
        let is_repeated = |(index, element)| self.key(element).is_some_and(|key| !seen.insert(key)).then_some(index);
        list.iter().enumerate().filter_map(is_repeated).collect()
    }

    /// The element of a stored list that `element` changes. The API server looks for it only where fields tell elements apart.
    pub(super) fn counterpart<'a>(&self, element: &Value, stored: Option<&'a Value>) -> Option<&'a Value> {
        match self {
            Self::Nothing | Self::Value => None,
            Self::Fields(_) => {
                let key = self.key(element)?;
                stored?.as_array()?.iter().find(|other| self.key(other).as_ref() == Some(&key))
            }
        }
    }

    fn key(&self, element: &Value) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Value => Some(element.to_string()),
            Self::Fields(fields) => {
                let fields = fields.iter().map(|field| element.get(field).cloned()).collect::<Option<Value>>();
                fields.map(|fields| fields.to_string())
            }
        }
    }
}
