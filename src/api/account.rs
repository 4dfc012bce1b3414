//! The record of one account. Each block has one writer.
use jiff::Timestamp;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;
use crate::domain::{
    invitation::{MailKind, Outcome},
    license::License,
    lifecycle::AccessReason,
    member::{Classification, Locale, MemberType},
};

#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "clinic-operator.dev", version = "v1alpha1", kind = "ClinicAccount", namespaced)]
#[serde(rename_all = "camelCase")]
pub struct ClinicAccountSpec {
    /// `a-` and the UID of the first ClinicUser; equals the object's name. Writer: members controller, once.
    pub id: String,
    /// Writer: members controller.
    pub desired: Desired,
    /// Writer: accounts controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Writer: accounts controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Writer: portal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Acceptance>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    pub holder: Holder,
    /// Absent: the account has no login (its address was given up).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(rename = "type")]
    pub type_: MemberType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<License>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
    #[serde(default)]
    pub suspended: bool,
    /// The instant at which access ends; absent: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub access_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
    /// UIDs of claims that are being given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releasing: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Value of the resend annotation as the members controller read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend: Option<String>,
    /// Identity decisions recorded so far.
    #[serde(default)]
    pub decisions: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    pub name: String,
    pub uid: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    #[schemars(schema_with = "schema::instant")]
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    pub id: String,
    #[serde(default)]
    pub released: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Access {
    pub granted: bool,
    pub reason: AccessReason,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub round: u32,
    /// The address to which this round's mails go.
    pub address: String,
    /// The resend value that this round answered, or that was there when the first round began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// No mail before this instant (back-off).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub not_before: Option<Timestamp>,
    #[serde(default)]
    pub sent: u32,
    #[serde(default)]
    pub failed: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub kind: MailKind,
    pub round: u32,
    /// 1 for the first copy of a message; a further copy has the same Message-ID and Date.
    pub copy: u32,
    pub message_id: String,
    /// Hex SHA-256 of this copy's token.
    pub token_digest: String,
    /// When this copy was written ahead.
    #[schemars(schema_with = "schema::instant")]
    pub at: Timestamp,
    /// The message's Date header: `at` of its first copy.
    #[schemars(schema_with = "schema::instant")]
    pub date: Timestamp,
    pub outcome: Outcome,
    /// SMTP reply code and enhanced code, such as `550 5.1.1`; never the reply's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acceptance {
    #[schemars(schema_with = "schema::instant")]
    pub accepted_at: Timestamp,
    /// The email address with which the person signs in.
    pub login: String,
    pub first_name: String,
    pub last_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Name of the credential object.
    pub credential: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub first_sign_in_at: Option<Timestamp>,
    #[serde(default)]
    pub session_epoch: u32,
}
