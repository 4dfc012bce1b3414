//! What proves at sign-in that somebody is the person of an account: password hash, second factor, recovery codes, sealed as a
//! whole. Made by the portal, once; a change is another object. Neither a password nor a key ever stands here, and nobody but
//! the portal has any use for it.
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// The proof, and what of it was used.
#[derive(CustomResource, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clinic-operator.dev",
    version = "v1alpha1",
    kind = "ClinicCredential",
    derive = "PartialEq",
    namespaced,
    doc = "The sealed password hash and second factor of one account. Made and read by the portal only; one that no ClinicAccount names is removed after an hour: do not edit.",
    annotation("helm.sh/resource-policy", "keep")
)]
#[serde(rename_all = "camelCase")]
pub struct ClinicCredentialSpec {
    /// The metadata.name of the `ClinicAccount` that it is for; it never changes.
    #[schemars(schema_with = "schema::account_name")]
    pub account: String,
    /// Password hash, second factor and digests of the recovery codes, encrypted with the portal's key for this object alone; it
    /// never changes.
    #[schemars(schema_with = "schema::sealed")]
    pub sealed: String,
    /// What was used of it.
    #[serde(default)]
    pub used: Used,
}

/// What was used of a credential, written before the session is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// The 30-second step of the last one-time code that was used, counted from 1970 (RFC 6238 §4.2); it never goes back, so
    /// that no code works twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::growing_step")]
    pub totp_step: Option<u64>,
    /// Which recovery codes were used, counted from 0; none is ever taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::spent_codes")]
    pub recovery_codes: Vec<u32>,
    /// Which form brought the last code, and which code that was, as a digest: so the same form sent twice has one outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 43))]
    pub last_form: Option<String>,
}

impl std::fmt::Debug for ClinicCredentialSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClinicCredentialSpec")
            .field("account", &self.account)
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}
