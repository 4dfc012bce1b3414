//! What happened to a person, as events on their `ClinicUser`: told from the difference of the status before and after, just
//! before that difference is written. The name of an event is made of what it tells, so that it is told once, also when the
//! operator crashes between the two. No address, no link.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::core::ObjectMeta;
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::adapters::kubernetes::ApiError;
use crate::api::ClinicUser;
use crate::api::account::{ClinicAccountSpec, Desired};
use crate::api::clinic_user::MemberStatus;
use crate::api::condition::Condition;
use crate::controller::context::Context;
use crate::domain::conditions::TRAINING_ENDS_SOON;
use crate::domain::invitation::Question;
use crate::domain::lifecycle::{Attention, State};

/// Longest message of an event, in bytes (Kubernetes API: 1024).
const LONGEST_MESSAGE: usize = 1024;
/// Bytes of the hash that ends an event's name.
const NAME_BYTES: usize = 8;

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// One word for programs.
    pub reason: &'static str,
    /// Whether a person must act.
    pub warning: bool,
    /// The sentence.
    pub message: String,
    /// Whether the same words can be true again later, as a conflict can; what says when it was cannot.
    pub may_recur: bool,
}

/// What the change of a status means to people; `accepted` is when the person accepted.
pub fn events(before: &MemberStatus, after: &MemberStatus, accepted: Option<Timestamp>) -> Vec<Told> {
    [of_invitation(before, after), of_state(before, after, accepted), of_training(before, after)]
        .into_iter()
        .flatten()
        .collect()
}

fn state(status: &MemberStatus) -> Option<State> {
    State::parse(status.state.as_deref()?)
}

fn condition<'a>(status: &'a MemberStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

fn message(status: &MemberStatus) -> String {
    condition(status, "Ready").map(|ready| ready.message.clone()).unwrap_or_default()
}

fn of_invitation(before: &MemberStatus, after: &MemberStatus) -> Option<Told> {
    let sent = |status: &MemberStatus| {
        status.invitation.as_ref().and_then(|invitation| Some((invitation.round, invitation.sent_at?)))
    };
    let is_new = state(after) == Some(State::Invited) && sent(after).is_some() && sent(after) != sent(before);
    is_new.then(|| Told { reason: "Invited", warning: false, message: message(after), may_recur: false })
}

fn of_state(before: &MemberStatus, after: &MemberStatus, accepted: Option<Timestamp>) -> Option<Told> {
    let (was, is) = (state(before), state(after)?);
    if was == Some(is) {
        return None;
    }
    let reason = match is {
        State::Active => of_access(was, condition(before, "Ready"), accepted),
        State::TrainingEnded => "AccessEnded",
        State::Invalid
        | State::IdentityChanged
        | State::FormerMember
        | State::EmailConflict
        | State::Suspended
        | State::Undeliverable
        | State::DeliveryUnknown
        | State::Held
        | State::InvitationExpired => is.name(),
        // Told by its mail, about the whole clinic, or about to pass.
        State::Invited | State::ClinicMissing | State::Paused | State::Pending => return None,
    };
    let warning = is.attention() == Attention::Stalled;
    Some(Told { reason, warning, message: message(after), may_recur: was.is_some() })
}

/// Access is new if the person accepted since the last state began.
fn of_access(was: Option<State>, ready: Option<&Condition>, accepted: Option<Timestamp>) -> &'static str {
    let since = ready.map(|ready| ready.last_transition_time);
    match was {
        Some(State::TrainingEnded | State::Suspended | State::FormerMember) => "AccessRestored",
        Some(_) | None if accepted >= since => "Accepted",
        Some(_) | None => "Active",
    }
}

fn of_training(before: &MemberStatus, after: &MemberStatus) -> Option<Told> {
    let reason = |status| condition(status, TRAINING_ENDS_SOON).map(|soon| soon.reason.clone());
    let soon = condition(after, TRAINING_ENDS_SOON).filter(|_| reason(before) != reason(after))?;
    let message = format!("{}: {}", soon.reason, soon.message);
    Some(Told { reason: TRAINING_ENDS_SOON, warning: false, message, may_recur: false })
}

/// Somebody asked to invite a person again who has accepted: that is not done, and told, when the account takes note of it.
pub fn of_resend(account: &ClinicAccountSpec, wanted: &Desired) -> Option<Told> {
    let is_new = wanted.resend.is_some() && wanted.resend != account.desired.resend;
    let nothing_is_asked = account.acceptance.is_some() && account.wish(1).question != Some(Question::Confirmation);
    (is_new && nothing_is_asked && wanted.email == account.desired.email).then(|| Told {
        reason: "ResendIgnored",
        warning: false,
        message: "The annotation clinic-operator.dev/resend was ignored: the invitation was accepted.".to_owned(),
        may_recur: true,
    })
}

/// Tells it. What cannot be told holds nothing up: the status says the same.
pub async fn tell(context: &Context, user: &ClinicUser, all: &[Told]) {
    for told in all {
        match context.events.create(&event(user, told, context)).await {
            Ok(_) | Err(ApiError::AlreadyExists) => {}
            Err(error) => warn!(member = user.metadata.name, event = told.reason, %error, "failed to write an event"),
        }
    }
}

fn event(user: &ClinicUser, told: &Told, context: &Context) -> Event {
    let ObjectMeta { name, uid, resource_version, .. } = user.metadata.clone();
    let now = Time(context.clock.now());
    Event {
        metadata: ObjectMeta {
            name: Some(event_name(user, told)),
            namespace: Some(context.namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(ClinicUser::api_version(&()).into_owned()),
            kind: Some(ClinicUser::kind(&()).into_owned()),
            namespace: Some(context.namespace.clone()),
            name,
            uid,
            resource_version,
            field_path: None,
        },
        reason: Some(told.reason.to_owned()),
        message: Some(shortened(&told.message)),
        type_: Some(if told.warning { "Warning" } else { "Normal" }.to_owned()),
        source: Some(EventSource { component: Some("clinic-operator".to_owned()), host: None }),
        reporting_component: Some("clinic-operator".to_owned()),
        first_timestamp: Some(now.clone()),
        last_timestamp: Some(now),
        count: Some(1),
        ..Event::default()
    }
}

/// The member's name and a hash of what is told; of what may recur also of the object's version at that moment, which is the
/// same when it is told again after a crash.
fn event_name(user: &ClinicUser, told: &Told) -> String {
    let version = user.metadata.resource_version.as_deref().filter(|_| told.may_recur).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [user.metadata.uid.as_deref().unwrap_or_default(), told.reason, &told.message, version] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = HEXLOWER.encode(&hash.finalize()[..NAME_BYTES]);
    format!("{}.{digest}", user.metadata.name.as_deref().unwrap_or_default())
}

fn shortened(message: &str) -> String {
    let end = (0..=LONGEST_MESSAGE.min(message.len())).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
    message[..end].to_owned()
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
