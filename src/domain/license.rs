//! What each license opens.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum License {
    CHRLite,
    CHRLiteVV,
    CHRPlus,
}
