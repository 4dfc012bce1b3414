//! The record of one account, kept by the operator and the portal. It stands in spec, since backup tools drop status and a
//! restored clinic must not be mailed again. Each block has one writer, and each write carries the resourceVersion it was
//! decided on. No token, link or password is ever stored here, only digests.
use jiff::Timestamp;
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::{rules, schema};
use crate::domain::{
    delivery::{Cause, Stage, Trouble},
    email::RawEmail,
    invitation::{MailKind, Outcome},
    license::License,
    lifecycle::AccessReason,
    member::{Classification, Locale, MemberType},
    rounds::{Begun, MOST_REMEMBERED},
};

/// The record, in blocks of one writer each.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clinic-operator.dev",
    version = "v1alpha1",
    kind = "ClinicAccount",
    derive = "PartialEq",
    namespaced,
    doc = "The record of one member's account: who holds it, what was mailed, and what the person confirmed. Kept by the operator and the portal only, and never deleted by them: do not edit.",
    annotation("helm.sh/resource-policy", "keep"),
    selectable = ".spec.desired.holder.name"
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::clinic_account_spec()))]
pub struct ClinicAccountSpec {
    /// `a-` and the UID of the first `ClinicUser` that held the account; equals metadata.name and never changes. Written by
    /// the members controller, once.
    #[schemars(schema_with = "schema::account_name")]
    pub id: String,
    /// What the clinic wants of this account. Written by the members controller.
    pub desired: Desired,
    /// Whether the person may sign in. Written by the accounts controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Access>")]
    pub access: Option<Access>,
    /// The ledger of mails. Written by the accounts controller, before each mail and after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Delivery>")]
    pub delivery: Option<Delivery>,
    /// What the person confirmed when they accepted the invitation. Written by the portal; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Acceptance>")]
    pub acceptance: Option<Acceptance>,
}

/// What the clinic wants of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// The `ClinicUser` that holds the account.
    pub holder: Holder,
    /// The address that is invited and that the account has claimed. Absent: the address was given up, the account has no
    /// login and refuses sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::email")]
    pub email: Option<RawEmail>,
    /// As in the `ClinicUser`.
    #[serde(rename = "type")]
    pub type_: MemberType,
    /// As in the `ClinicUser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Classification>")]
    pub classification: Option<Classification>,
    /// As in the `ClinicUser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<License>")]
    pub license: Option<License>,
    /// As in the `ClinicUser`; what the person confirmed stands in acceptance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::recorded_text")]
    pub first_name: Option<String>,
    /// As in the `ClinicUser`; what the person confirmed stands in acceptance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::recorded_text")]
    pub last_name: Option<String>,
    /// As in the `ClinicUser`; what the person confirmed stands in acceptance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::recorded_text")]
    pub title: Option<String>,
    /// As in the `ClinicUser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::recorded_text")]
    pub position: Option<String>,
    /// As in the `ClinicUser`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::recorded_roles")]
    pub roles: Vec<String>,
    /// As in the `ClinicUser`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::recorded_permissions")]
    pub permissions: Vec<String>,
    /// Language of the person's mails and pages; absent: the clinic's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Locale>")]
    pub locale: Option<Locale>,
    /// `true` refuses sign-in.
    #[serde(default)]
    pub suspended: bool,
    /// The instant at which access ends, UTC; absent: no end. The portal compares it with its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub access_until: Option<Timestamp>,
    /// Set once the holder is gone: access has ended and the record is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Removed>")]
    pub removed: Option<Removed>,
    /// UIDs of the claims that are being given up, at most 16; a claim that stands here is never used again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::uids")]
    pub releasing: Vec<String>,
    /// Set while the guard against mass removal keeps this account's access, although its holder is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Hold>")]
    pub hold: Option<Hold>,
    /// Value of the `ClinicUser`'s annotation clinic-operator.dev/resend when last read, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::token")]
    pub resend: Option<String>,
    /// Value of that annotation when a `ClinicUser` took this account over: it counts as answered, while it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::token")]
    pub resend_at_adoption: Option<String>,
    /// Decisions about whose account this is (same person, or another) that people have made so far; never goes back, so
    /// that no annotation approves twice.
    #[serde(default)]
    #[schemars(schema_with = "schema::growing_count")]
    pub decisions: u32,
    /// How often access was given back after an end (suspension, end of training, removal) or every session was ended by
    /// the annotation clinic-operator.dev/sign-out; never goes back. A session counts only while it is of this grant and
    /// of acceptance.signOuts, both added up.
    #[serde(default)]
    #[schemars(schema_with = "schema::growing_count")]
    pub grant: u32,
}

/// The object that holds an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Holder {
    /// metadata.name of the `ClinicUser`.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// metadata.uid of the `ClinicUser`.
    #[schemars(schema_with = "schema::uid")]
    pub uid: String,
}

/// That a member was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// When the operator recorded the removal, UTC.
    #[schemars(schema_with = "schema::instant")]
    pub at: Timestamp,
}

/// That a guard holds something back until a person releases it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// Names the hold; the annotation clinic-operator.dev/release-hold on the Clinic takes this value.
    #[schemars(schema_with = "schema::token")]
    pub id: String,
    /// `true`: a person released it, and this guard never holds the same thing again.
    #[serde(default)]
    pub released: bool,
    /// Of the guard of invitations: the address that a person released, and no other; set with `released`. Absent: not released, or
    /// version 0.1 released it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::email")]
    pub address: Option<RawEmail>,
    /// Of the guard of invitations: its limit when it last held this back; a higher one lets this go on within it. Absent: version
    /// 0.1 began the hold, and only a release ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::per_hour")]
    pub limit: Option<u32>,
}

/// Whether a person may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Access {
    /// Whether sign-in is allowed; never later than desired.accessUntil, whatever stands here.
    pub granted: bool,
    /// `Granted`, or why not.
    pub reason: AccessReason,
}

/// What was mailed to the member, and what is to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The round whose links count, 1 for the first; never goes back.
    #[schemars(schema_with = "schema::growing_count")]
    pub round: u32,
    /// The address to which this round's mails go; a link counts only while it is that of desired.email (capitals do not matter).
    #[schemars(schema_with = "schema::email")]
    pub address: RawEmail,
    /// The resend value that this round answered, or that was there when the first round began; at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::token")]
    pub resend: Option<String>,
    /// The last 8 attempts and, until its round ends, each that may have been delivered; at most 64. Each is written
    /// before its mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "attempts")]
    pub attempts: Vec<Attempt>,
    /// No mail before this instant, UTC (back-off).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub not_before: Option<Timestamp>,
    /// Since when the relay refuses this round's mail at each try, by replies that do not tell whose fault it is, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub refused_since: Option<Timestamp>,
    /// Mails that the relay took, over all rounds.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub sent: u32,
    /// Attempts that failed, over all rounds.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub failed: u32,
    /// Set while the guard of invitations holds this round back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Hold>")]
    pub hold: Option<Hold>,
    /// The rounds that began within the hour before the latest of them did, oldest first, at most 64: what the guard of invitations
    /// counts. Absent in ledgers of version 0.1, of which the first invitation counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "begun")]
    pub begun: Vec<Begun>,
}

/// One copy of one mail, from its write-ahead on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::attempt()))]
pub struct Attempt {
    /// What the mail is for.
    pub kind: MailKind,
    /// The round that the mail belongs to.
    #[schemars(schema_with = "schema::count")]
    pub round: u32,
    /// 1 for the first copy of a message; a further copy has the same Message-ID and Date.
    #[schemars(schema_with = "schema::count")]
    pub copy: u32,
    /// The mail's Message-ID with its angle brackets.
    #[schemars(schema_with = "schema::message_id")]
    pub message_id: String,
    /// SHA-256 of this copy's token in lower case hex; empty for a mail without a link.
    #[schemars(schema_with = "schema::digest")]
    pub token_digest: String,
    /// When this copy was written ahead, UTC.
    #[schemars(schema_with = "schema::instant")]
    pub at: Timestamp,
    /// The mail's Date header, UTC: `at` of its first copy.
    #[schemars(schema_with = "schema::instant")]
    pub date: Timestamp,
    /// Until when this copy's link works, UTC, by the Clinic's invitationValidityDays when it was written ahead; an earlier end of
    /// access ends it. Absent for a mail without a link, and in ledgers of version 0.1: then the days of now count from `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub valid_until: Option<Timestamp>,
    /// What became of it. `Sending`: written ahead, not known yet; every other outcome is final.
    pub outcome: Outcome,
    /// How far the dialogue with the relay came, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Stage>")]
    pub stage: Option<Stage>,
    /// What went wrong, if the relay gave no reply that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::present::<Cause>")]
    pub cause: Option<Cause>,
    /// SMTP reply code and enhanced code, such as `550 5.1.1`; never the reply's text, which may name the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::reply_code")]
    pub code: Option<String>,
}

impl Attempt {
    /// Where and why it failed.
    pub fn trouble(&self) -> Trouble {
        Trouble { stage: self.stage, cause: self.cause, code: self.code.clone() }
    }

    /// Whether this is the same copy of the same mail, whatever became of it.
    pub fn is_the_same(&self, other: &Self) -> bool {
        self.message_id == other.message_id && self.copy == other.copy
    }
}

fn begun(generator: &mut SchemaGenerator) -> Schema {
    schema::atomic_list::<Begun>(generator, MOST_REMEMBERED)
}

fn attempts(generator: &mut SchemaGenerator) -> Schema {
    schema::keyed_list::<Attempt>(generator, 64, &["messageId", "copy"])
}

/// What the person confirmed, and how they sign in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acceptance {
    /// When the person accepted, UTC.
    #[schemars(schema_with = "schema::instant")]
    pub accepted_at: Timestamp,
    /// The email address with which the person signs in.
    #[schemars(schema_with = "schema::email")]
    pub login: RawEmail,
    /// First name as the person confirmed it; empty: they have a last name only.
    #[schemars(schema_with = "schema::recorded_text")]
    pub first_name: String,
    /// Last name as the person confirmed it; empty: they have a first name only.
    #[schemars(schema_with = "schema::recorded_text")]
    pub last_name: String,
    /// Form of address as the person confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::recorded_text")]
    pub title: Option<String>,
    /// Name of the object that holds the password's hash.
    #[schemars(schema_with = "schema::object_name")]
    pub credential: String,
    /// When the person first signed in, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instant")]
    pub first_sign_in_at: Option<Timestamp>,
    /// Sessions of an earlier epoch have ended; never goes back.
    #[serde(default)]
    #[schemars(schema_with = "schema::growing_count")]
    pub session_epoch: u32,
    /// How often the portal ended every session by the annotation clinic-operator.dev/sign-out, which no controller had
    /// answered; never goes back. It counts together with desired.grant.
    #[serde(default)]
    #[schemars(schema_with = "schema::growing_count")]
    pub sign_outs: u32,
}
