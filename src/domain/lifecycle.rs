//! Access and state.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessReason {
    Granted,
    NotAccepted,
    Suspended,
    Removed,
    TrainingEnded,
}
