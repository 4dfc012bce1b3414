//! A status condition, as the Kubernetes API conventions define it. Which conditions there are, and when they are true,
//! never stands here.
use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::schema;

/// One aspect of an object's state, and since when it has been so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The aspect: `Ready`, `Reconciling` or `Stalled`, or one that this kind alone has.
    #[serde(rename = "type")]
    #[schemars(schema_with = "schema::condition_type")]
    pub type_: String,
    /// Whether it is so: `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// The metadata.generation that this condition speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::generation")]
    pub observed_generation: Option<i64>,
    /// When the status last changed, UTC.
    #[schemars(schema_with = "schema::instant")]
    pub last_transition_time: Timestamp,
    /// Why, in one word for programs, such as `EmailConflict`.
    #[schemars(schema_with = "schema::condition_reason")]
    pub reason: String,
    /// Why, and what to do, in a sentence for people.
    #[schemars(schema_with = "schema::condition_message")]
    pub message: String,
}

impl Condition {
    /// The one of this type.
    pub fn of<'a>(all: &'a [Self], type_: &str) -> Option<&'a Self> {
        all.iter().find(|condition| condition.type_ == type_)
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// The operator cannot tell.
    Unknown,
}

/// At most 16 conditions, one of each type.
pub(super) fn list(generator: &mut SchemaGenerator) -> Schema {
    schema::keyed_list::<Condition>(generator, 16, &["type"])
}
