//! A shared inbox or schedule, which can never sign in: no claim, no mail and no account record ever comes from it.
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{clinic_user::MemberStatus, rules, schema};
use crate::domain::email::RawEmail;

/// What the service account is and who answers for it.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clinic-operator.dev",
    version = "v1alpha1",
    kind = "ServiceAccount",
    plural = "clinicserviceaccounts",
    singular = "clinicserviceaccount",
    namespaced,
    status = "MemberStatus",
    doc = "A clinic's service account, for administrative purposes such as a shared inbox or a schedule. It can never sign in, and nobody is mailed. Not the Kubernetes (v1) ServiceAccount.",
    shortname = "csa",
    category = "members",
    annotation("helm.sh/resource-policy", "keep"),
    selectable = ".spec.suspended",
    selectable = ".status.state"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountSpec {
    /// Address of the person who manages the account, or any other, such as `ana@maple.example`. It need not be unique,
    /// and nothing is mailed to it.
    #[schemars(schema_with = "schema::email")]
    pub email: RawEmail,
    /// The person who answers for the account.
    pub manager: Manager,
    /// Name by which the account is listed and shown, such as `Lab inbox`: 1 to 100 characters.
    #[schemars(schema_with = "schema::name")]
    pub display_name: String,
    /// Roles, each of which gives its default access, such as `[Lab reviewer]`; at most 32 different ones of 1 to 64
    /// characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::roles")]
    pub roles: Vec<String>,
    /// Single permissions on top of those of the roles; at most 100 different ones of 1 to 64 characters. They only add:
    /// none takes access away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::permissions")]
    pub permissions: Vec<String>,
    /// `true` takes the account out of use and keeps it; `false` puts it back.
    #[serde(default)]
    pub suspended: bool,
}

/// The person who answers for a service account: first and last name, or one of the two for whoever has one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::manager()))]
pub struct Manager {
    /// First name, such as `Ana`: 1 to 100 characters. Whoever has one name only has it here or as lastName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::name")]
    pub first_name: Option<String>,
    /// Last name, such as `Silva`: 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::name")]
    pub last_name: Option<String>,
}
