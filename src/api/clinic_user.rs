//! A person who works at the clinic: what people write about them, and the status that the operator answers with. The
//! account's record never lives here: this status may be wiped at any time.
use jiff::Timestamp;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    condition::{self, Condition},
    rules, schema,
};
use crate::domain::{
    email::RawEmail,
    license::License,
    member::{Classification, Locale, MemberType},
};

/// Who the person is and what they may use. The person confirms their own name and title when they accept the invitation.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clinic-operator.dev",
    version = "v1alpha1",
    kind = "ClinicUser",
    namespaced,
    status = "MemberStatus",
    doc = "A person who works at the clinic and signs in to its medical record. Creating one invites the person by email; deleting it ends their access.",
    shortname = "cu",
    category = "members",
    annotation("helm.sh/resource-policy", "keep"),
    selectable = ".spec.type",
    selectable = ".spec.classification",
    selectable = ".spec.license",
    selectable = ".spec.suspended",
    selectable = ".status.state"
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::clinic_user_spec()))]
pub struct ClinicUserSpec {
    /// Where the invitation is mailed, and the username to sign in with, such as `ana@maple.example`. Unique among the
    /// `ClinicUsers` of the clinic, whatever its capitals. Plain ASCII; write an accented domain in its `xn--` form.
    #[schemars(schema_with = "schema::email")]
    pub email: RawEmail,
    /// `Practitioner`: provides clinical care; needs a classification. `Staff`: everybody else, such as front desk and
    /// management; has none.
    #[serde(rename = "type")]
    pub type_: MemberType,
    /// The kind of practitioner; required for practitioners and refused for staff. `Standard` needs a license; `Locum`
    /// stands in for somebody for a time; `ClinicalTrainee` needs an expectedEndOfTraining.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Classification>")]
    pub classification: Option<Classification>,
    /// What a Standard practitioner may use; required for them and refused for everybody else. `CHRLite` is the smallest,
    /// `CHRLiteVV` adds virtual visits, `CHRPlus` is the largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<License>")]
    pub license: Option<License>,
    /// First name as you know it, such as `Ana`: 1 to 100 characters. Optional: the person confirms their own. Whoever has one
    /// name only has it here or as lastName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::name")]
    pub first_name: Option<String>,
    /// Last name as you know it, such as `Silva`: 1 to 100 characters. Optional: the person confirms their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::name")]
    pub last_name: Option<String>,
    /// Form of address shown before the name, such as `Dr.`, `RN` or `NP`: 1 to 60 characters. Optional: the person
    /// confirms their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::title")]
    pub title: Option<String>,
    /// What the person does at the clinic, such as `Family physician`: 1 to 100 characters. The member list shows it
    /// instead of the classification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::position")]
    pub position: Option<String>,
    /// Number under which a Standard or Locum practitioner bills, 1 to 32 letters, digits and hyphens. Write it in quotes,
    /// such as `"012345"`: without them YAML reads a number and loses leading zeros. Refused for clinical trainees and
    /// staff, who do not bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::billing_number")]
    pub billing_number: Option<String>,
    /// The day on which a clinical trainee's training is expected to end, such as `2027-06-30`; required for them and
    /// refused for everybody else. Access goes on for two weeks after it, through the end of the fourteenth day in the
    /// clinic's time zone. A later day gives access back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::day")]
    pub expected_end_of_training: Option<String>,
    /// The primary clinician who supervises a clinical trainee: the metadata.name of their `ClinicUser`, such as `ana`.
    /// For clinical trainees only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::member_name")]
    pub supervisor: Option<String>,
    /// Whom a locum stands in for, and when; at most 50. For locums only. A coverage informs people: it neither gives nor
    /// ends access.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "coverages")]
    pub coverages: Vec<Coverage>,
    /// Roles, each of which gives its default access, such as `[Physician, Lab reviewer]`; at most 32 different ones of 1
    /// to 64 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::roles")]
    pub roles: Vec<String>,
    /// Single permissions on top of those of the roles; at most 100 different ones of 1 to 64 characters. They only add:
    /// none takes access away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::permissions")]
    pub permissions: Vec<String>,
    /// Language of the person's mails and pages: `en` or `fr`. Without it, the clinic's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Locale>")]
    pub locale: Option<Locale>,
    /// `true` ends access at once and keeps the account; `false` gives it back.
    #[serde(default)]
    pub suspended: bool,
}

/// A time for which a locum stands in for another practitioner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::coverage()))]
pub struct Coverage {
    /// The practitioner who is away: the metadata.name of their `ClinicUser`, such as `ana`.
    #[schemars(schema_with = "schema::member_name")]
    pub covers: String,
    /// First day of the coverage, such as `2026-12-01`.
    #[schemars(schema_with = "schema::day")]
    pub start: String,
    /// Last day of the coverage, such as `2027-03-31`; the same day as start for a single day.
    #[schemars(schema_with = "schema::day")]
    pub end: String,
}

fn coverages(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schema::keyed_list::<Coverage>(generator, 50, &["covers", "start"])
}

/// What the operator says about a member. It is written anew from the account's record whenever it is missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// The metadata.generation that this status speaks about; -1 until the operator has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::generation")]
    pub observed_generation: Option<i64>,
    /// Where the member stands, in one word, such as `Invited`, `Active` or `EmailConflict`. The same word is the reason of
    /// the Ready condition, whose message says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::state")]
    pub state: Option<String>,
    /// The metadata.name of the member's `ClinicAccount`, which holds the record. Service accounts have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub account: Option<String>,
    /// How the member is shown in the clinic's member list. Empty until the first sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<ListedMember>")]
    pub member: Option<ListedMember>,
    /// The invitation that counts now. Empty until one was mailed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<InvitationStatus>")]
    pub invitation: Option<InvitationStatus>,
    /// Last day with access, in the clinic's time zone, such as `2027-07-14`: the expected end of training and two weeks.
    /// Absent: access has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::shown_day")]
    pub access_until: Option<String>,
    /// The instant at which access ends, in UTC, such as `2027-07-15T04:00:00Z`: the midnight after accessUntil in the
    /// clinic's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub access_ends_at: Option<Timestamp>,
    /// Ready always; Reconciling (the operator is at work) and Stalled (a person must act) only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::list")]
    pub conditions: Vec<Condition>,
}

/// A row of the clinic's member list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedMember {
    /// First and last name as the person confirmed them; a service account's display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::shown_text")]
    pub name: Option<String>,
    /// Form of address as the person confirmed it, such as `Dr.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::shown_text")]
    pub title: Option<String>,
    /// Position, else classification, else type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::shown_text")]
    pub designation: Option<String>,
}

/// The latest round of invitation: only its links work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationStatus {
    /// 1 for the first invitation; each resend or change of address begins a new round, and the old links stop working.
    #[schemars(schema_with = "schema::count")]
    pub round: u32,
    /// When the mail relay took the latest mail of this round, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub sent_at: Option<Timestamp>,
    /// When the links of this round stop working, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub expires_at: Option<Timestamp>,
}
