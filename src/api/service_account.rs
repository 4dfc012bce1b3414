//! A shared inbox or schedule, which can never sign in.
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clinic_user::MemberStatus;

#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clinic-operator.dev",
    version = "v1alpha1",
    kind = "ServiceAccount",
    plural = "clinicserviceaccounts",
    singular = "clinicserviceaccount",
    namespaced,
    status = "MemberStatus"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountSpec {
    pub email: String,
    pub manager: Manager,
    pub display_name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
    #[serde(default)]
    pub suspended: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Manager {
    pub first_name: String,
    pub last_name: String,
}
