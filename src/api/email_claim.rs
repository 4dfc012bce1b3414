//! Who holds an email address: the claim's existence is the uniqueness.
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "clinic-operator.dev", version = "v1alpha1", kind = "EmailClaim", namespaced)]
#[serde(rename_all = "camelCase")]
pub struct EmailClaimSpec {
    /// Name of the ClinicAccount that holds the address.
    pub account: String,
}
