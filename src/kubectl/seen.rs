//! What the plugin reads of the objects, and no more: an object of a newer or older version that has other fields is read all the
//! same. Digests and claims are never read.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kube::api::ApiResource;
use kube::core::{Object, ObjectMeta};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::clinic::{ClinicStatus, HoldStatus};
use crate::api::clinic_user::MemberStatus;
use crate::api::{ClinicUser, Condition, ServiceAccount};
use crate::domain::calendar::ClinicZone;
use crate::domain::email::RawEmail;
use crate::domain::lifecycle::State;
use crate::domain::member::{Classification, MemberType, designation};
use crate::domain::standing;

/// Which of the two kinds of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberKind {
    /// A person.
    ClinicUser,
    /// A shared inbox or schedule.
    ServiceAccount,
}

impl MemberKind {
    pub(super) const ALL: [Self; 2] = [Self::ClinicUser, Self::ServiceAccount];

    pub(super) fn resource(self) -> ApiResource {
        match self {
            Self::ClinicUser => ApiResource::erase::<ClinicUser>(&()),
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
        }
    }

    /// As kubectl calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::ClinicUser => "clinicuser",
            Self::ServiceAccount => "clinicserviceaccount",
        }
    }

    /// The kind that kubectl means by this word.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        match word.strip_suffix(".clinic-operator.dev").unwrap_or(&word) {
            "clinicuser" | "clinicusers" | "cu" => Some(Self::ClinicUser),
            "clinicserviceaccount" | "clinicserviceaccounts" | "csa" => Some(Self::ServiceAccount),
            "serviceaccount" if word.contains('.') => Some(Self::ServiceAccount),
            _ => None,
        }
    }
}

/// Of a member's spec.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct MemberSpec {
    #[serde(default)]
    pub(super) email: Option<RawEmail>,
}

/// A member of either kind.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) kind: MemberKind,
    pub(super) metadata: ObjectMeta,
    pub(super) email: Option<RawEmail>,
    pub(super) status: MemberStatus,
}

impl Member {
    pub(super) fn new(kind: MemberKind, object: Object<MemberSpec, MemberStatus>) -> Self {
        let status = object.status.unwrap_or_default();
        Self { kind, metadata: object.metadata, email: object.spec.email, status }
    }

    pub(super) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// As kubectl takes it: `clinicuser/ana-silva`.
    pub(super) fn reference(&self) -> String {
        format!("{}/{}", self.kind.word(), self.name())
    }

    /// The name in the member list; empty until the first sign-in.
    pub(super) fn shown_name(&self) -> Option<&str> {
        self.status.member.as_ref()?.name.as_deref()
    }

    /// `None`: the operator has not looked yet, or this version does not know the word.
    pub(super) fn state(&self) -> Option<State> {
        State::parse(self.status.state.as_deref()?)
    }

    pub(super) fn condition(&self, type_: &str) -> Option<&Condition> {
        Condition::of(&self.status.conditions, type_)
    }

    /// What the operator says about the state.
    pub(super) fn message(&self) -> &str {
        self.condition("Ready").map_or("", |ready| ready.message.as_str())
    }

    /// Whether the status speaks of an earlier edit.
    pub(super) fn is_behind(&self) -> bool {
        self.status.observed_generation != self.metadata.generation
    }
}

/// Of the Clinic's spec.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClinicSpec {
    #[serde(default)]
    pub(super) time_zone: String,
}

/// The Clinic.
pub(super) type Clinic = Object<ClinicSpec, ClinicStatus>;

/// What is held.
pub(super) fn holds_of(clinic: &Clinic) -> &[HoldStatus] {
    clinic.status.as_ref().map(|status| status.holds.as_slice()).unwrap_or_default()
}

/// An instant by the clinic's clocks, or in UTC where those are not known.
pub(super) fn show(instant: Timestamp, clinic: Option<&Clinic>) -> String {
    format!("{} {}", show_without_zone(instant, clinic), zone_of(clinic))
}

/// The zone of [`show`] and [`show_without_zone`].
pub(super) fn zone_of(clinic: Option<&Clinic>) -> &str {
    let name = clinic.map(|clinic| clinic.spec.time_zone.as_str());
    name.filter(|name| ClinicZone::find(name).is_some()).unwrap_or("UTC")
}

/// The same without the zone's name, for lists that say it once.
pub(super) fn show_without_zone(instant: Timestamp, clinic: Option<&Clinic>) -> String {
    let zone = ClinicZone::find(zone_of(clinic)).map_or(TimeZone::UTC, |zone| zone.rules().clone());
    instant.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Of an account: whose it is, its access, its ledger.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct AccountSpec {
    /// Its metadata.name.
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) desired: Desired,
    #[serde(default)]
    pub(super) access: Option<Access>,
    #[serde(default)]
    pub(super) delivery: Option<Ledger>,
    #[serde(default)]
    pub(super) acceptance: Option<Acceptance>,
}

impl AccountSpec {
    /// The grant of its sessions.
    pub(super) fn grant(&self) -> u32 {
        let sign_outs = self.acceptance.as_ref().map_or(0, |acceptance| acceptance.sign_outs);
        standing::grant(self.desired.grant, sign_outs)
    }
}

/// Of what the clinic wants of an account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Desired {
    #[serde(default)]
    pub(super) holder: Holder,
    #[serde(default)]
    position: Option<String>,
    #[serde(default)]
    classification: Option<Value>,
    #[serde(default, rename = "type")]
    type_: Option<Value>,
    #[serde(default)]
    pub(super) removed: Option<Value>,
    #[serde(default)]
    pub(super) hold: Option<Hold>,
    #[serde(default)]
    grant: u32,
}

impl Desired {
    /// As the operator says it; `None`: this version does not know the words.
    pub(super) fn designation(&self) -> Option<String> {
        let known = |word: &Value| serde_json::from_value::<Classification>(word.clone()).ok();
        let type_: MemberType = serde_json::from_value(self.type_.clone()?).ok()?;
        Some(designation(self.position.as_deref(), self.classification.as_ref().and_then(known), type_))
    }
}

/// The `ClinicUser` that holds an account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Holder {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) uid: String,
}

/// That a guard holds something back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hold {
    pub(super) id: String,
    #[serde(default)]
    pub(super) released: bool,
}

/// Of an account's access: whether there is any.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Access {
    pub(super) granted: bool,
}

/// Of what the person confirmed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Acceptance {
    pub(super) accepted_at: Timestamp,
    #[serde(default)]
    pub(super) first_name: String,
    #[serde(default)]
    pub(super) last_name: String,
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) first_sign_in_at: Option<Timestamp>,
    #[serde(default)]
    sign_outs: u32,
}

/// The ledger, without digests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) round: u32,
    #[serde(default)]
    pub(super) attempts: Vec<Attempt>,
    #[serde(default)]
    pub(super) hold: Option<Hold>,
}

/// One copy of one mail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) kind: String,
    pub(super) round: u32,
    pub(super) copy: u32,
    pub(super) at: Timestamp,
    pub(super) outcome: String,
    #[serde(default)]
    pub(super) stage: Option<String>,
    #[serde(default)]
    pub(super) cause: Option<String>,
    #[serde(default)]
    pub(super) code: Option<String>,
}
