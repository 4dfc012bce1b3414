//! Who holds an email address: the claim's existence is the uniqueness. The address itself never stands here.
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Who holds the address.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clinic-operator.dev",
    version = "v1alpha1",
    kind = "EmailClaim",
    namespaced,
    doc = "Says that one email address of the clinic is taken, and by which account. Its name is a digest of the address. Made and deleted by the operator only, never changed: do not edit.",
    annotation("helm.sh/resource-policy", "keep")
)]
#[serde(rename_all = "camelCase")]
pub struct EmailClaimSpec {
    /// The metadata.name of the `ClinicAccount` that holds the address; it never changes.
    #[schemars(schema_with = "schema::account_name")]
    pub account: String,
}
