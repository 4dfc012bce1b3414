//! The clinic itself.
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use crate::domain::member::Locale;

#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "clinic-operator.dev", version = "v1alpha1", kind = "Clinic", namespaced, status = "ClinicStatus")]
#[serde(rename_all = "camelCase")]
pub struct ClinicSpec {
    pub display_name: String,
    pub time_zone: String,
    #[serde(default)]
    pub locale: Locale,
    #[serde(default)]
    pub two_factor: TwoFactor,
    /// Days.
    #[serde(default = "default_validity")]
    pub invitation_validity_days: u8,
    #[serde(default)]
    pub guard: Guard,
    #[serde(default)]
    pub paused: bool,
}

fn default_validity() -> u8 {
    7
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TwoFactor {
    #[default]
    Recommended,
    Required,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    #[serde(default = "default_per_hour")]
    pub invitations_per_hour: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self { invitations_per_hour: default_per_hour() }
    }
}

fn default_per_hour() -> u32 {
    20
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClinicStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<MemberCounts>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberCounts {
    /// ClinicUsers and ServiceAccounts together.
    pub total: u32,
    pub active: u32,
    pub invited: u32,
    /// Members that wait for a person to act (Stalled).
    pub stalled: u32,
}
