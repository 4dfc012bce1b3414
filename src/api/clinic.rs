//! The clinic itself: what holds for all its members. The mail relay and the portal's address never stand here: whoever
//! could edit those could harvest invitation links.
use std::fmt;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    condition::{self, Condition},
    schema,
};
use crate::domain::email::RawEmail;
use crate::domain::member::Locale;

/// What holds for all members of the clinic.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clinic-operator.dev",
    version = "v1alpha1",
    kind = "Clinic",
    namespaced,
    status = "ClinicStatus",
    doc = "The clinic whose members this namespace holds. There is exactly one, named clinic; without it nobody is invited.",
    annotation("helm.sh/resource-policy", "keep")
)]
#[serde(rename_all = "camelCase")]
pub struct ClinicSpec {
    /// The clinic's name as its members know it, such as `Maple Family Clinic`: 1 to 100 characters. Mails and pages show
    /// it.
    #[schemars(schema_with = "schema::name")]
    pub display_name: String,
    /// IANA name of the time zone in which the clinic's days begin and end, such as `America/Toronto`. A clinical trainee's
    /// access ends at midnight there.
    #[schemars(schema_with = "schema::time_zone")]
    pub time_zone: String,
    /// Language of mails and pages, `en` or `fr`, for members who have none of their own.
    #[serde(default)]
    pub locale: Locale,
    /// Two-factor authentication: `Recommended` offers it when a person accepts the invitation, `Required` insists.
    #[serde(default)]
    pub two_factor: TwoFactor,
    /// Days for which the link of a mail works, 1 to 30; a clinical trainee's at most until their access ends. Mails that have left
    /// keep the instant that they name.
    #[serde(default = "default_validity")]
    #[schemars(schema_with = "schema::validity_days")]
    pub invitation_validity_days: u8,
    /// Whom members ask: pages and mails say so. Without it they say "the clinic" alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<ClinicContact>")]
    pub contact: Option<ClinicContact>,
    /// Limits that keep a mistake, such as a wrong file applied to the clinic, from reaching everybody. Removals have one
    /// without a setting: two accepted members or a quarter of them, whichever is more, in an hour.
    #[serde(default)]
    pub guard: Guard,
    /// `true`: nobody is added, mailed or removed. Suspensions and ends of access still take effect.
    #[serde(default)]
    pub paused: bool,
}

fn default_validity() -> u8 {
    7
}

/// Whom the clinic's members ask; neither shows itself in `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClinicContact {
    /// An address that somebody at the clinic reads, such as `office@maple.example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::email")]
    pub email: Option<RawEmail>,
    /// A telephone number that somebody at the clinic answers, such as `+1 416-555-0199` or `416-555-0199 ext. 12`: at most 40 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::phone")]
    pub phone: Option<String>,
}

impl fmt::Debug for ClinicContact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClinicContact(redacted)")
    }
}

/// Whether members sign in with a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TwoFactor {
    /// Offered when a person accepts the invitation.
    #[default]
    Recommended,
    /// Nobody accepts an invitation without it.
    Required,
}

/// Limits on what happens at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// Mails in any hour, 1 to 1000, that begin a round to another address than the member's round before (invitations and
    /// confirmations), or are a member's fourth resend or a further one; what is beyond it is held until a person sets the annotation
    /// clinic-operator.dev/release-hold on the Clinic to the hold's id, which its status names. A higher value lets held ones go on
    /// within it.
    #[serde(default = "default_per_hour")]
    #[schemars(schema_with = "schema::per_hour")]
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

/// What the operator says about the clinic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClinicStatus {
    /// The metadata.generation that this status speaks about; -1 until the operator has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::generation")]
    pub observed_generation: Option<i64>,
    /// How many members the clinic has, by state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<MemberCounts>")]
    pub members: Option<MemberCounts>,
    /// What the guards keep back, until a person sets the annotation clinic-operator.dev/release-hold to the id of one (for some of
    /// its members alone to `ID: NAME, NAME`) or the cause is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "holds")]
    pub holds: Vec<HoldStatus>,
    /// Ready always; others, such as those about the mail relay, while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::list")]
    pub conditions: Vec<Condition>,
}

/// What one hold keeps back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldStatus {
    /// The value of the annotation that releases it, such as `removals-20261124T093000Z`.
    #[schemars(schema_with = "schema::token")]
    pub id: String,
    /// How many members it keeps back.
    #[schemars(schema_with = "schema::count")]
    pub count: u32,
    /// The first 20 of them in the order of the alphabet, by the metadata.name of their `ClinicUser`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "held_members")]
    pub members: Vec<String>,
}

fn holds(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schema::keyed_list::<HoldStatus>(generator, 100, &["id"])
}

fn held_members(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schema::object_names(generator)
}

/// Numbers of members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberCounts {
    /// `ClinicUsers` and `ServiceAccounts` together.
    #[schemars(schema_with = "schema::count")]
    pub total: u32,
    /// Members in the state `Active`.
    #[schemars(schema_with = "schema::count")]
    pub active: u32,
    /// Members in the state `Invited`: the mail is out and the person has not accepted yet.
    #[schemars(schema_with = "schema::count")]
    pub invited: u32,
    /// Members that wait for a person to act (condition Stalled).
    #[schemars(schema_with = "schema::count")]
    pub stalled: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_members_ask_does_not_show_in_debug_output() {
        let contact = ClinicContact { email: Some("office@maple.example".into()), phone: Some("416-555-0199".into()) };
        assert_eq!(format!("{contact:?}"), "ClinicContact(redacted)");
    }
}
