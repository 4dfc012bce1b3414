//! What happened to a person, as events on their `ClinicUser`: told from the difference of the status before and after, just
//! before that difference is written. The name of an event is made of what it tells, so that it is told once, also when the
//! operator crashes between the two. No address, no link.

use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::core::ObjectMeta;
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::adapters::kubernetes::ApiError;
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
/// How long a cluster keeps events unless it is told otherwise. What happened earlier is no news to a status without memory.
const NEWS_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// One word for programs.
    pub reason: &'static str,
    /// Whether a person must act.
    pub warning: bool,
    /// The sentence.
    pub message: String,
    /// What makes it this one and not the next of its kind, whenever it is told: its instant or its round, or else the
    /// generation of the manifest with the words.
    pub mark: String,
}

/// What a status does not say, but what it means depends on.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When the person accepted.
    pub accepted: Option<Timestamp>,
    /// Since when it holds that access ends soon.
    pub ends_soon_since: Option<Timestamp>,
    /// The time.
    pub now: Timestamp,
}

/// What the change of a status means to people.
pub fn events(before: &MemberStatus, after: &MemberStatus, moment: &Moment) -> Vec<Told> {
    let change = Change { before, after, moment, was: state(before) };
    let Some(is) = state(after) else { return Vec::new() };
    [of_invitation(&change, is), of_state(&change, is), of_training(&change)].into_iter().flatten().collect()
}

struct Change<'a> {
    before: &'a MemberStatus,
    after: &'a MemberStatus,
    moment: &'a Moment,
    was: Option<State>,
}

impl Change<'_> {
    /// Whether an instant is later than what the status before can have told of. One that was wiped tells of nothing, so only
    /// what is news counts; one that speaks of something else (`hides`) has done so since its `Ready` changed.
    fn is_later(&self, instant: Option<Timestamp>) -> bool {
        let Some(instant) = instant else { return false };
        match self.was {
            None => self.moment.now.duration_since(instant) < NEWS_FOR,
            Some(was) if hides(was) => {
                condition(self.before, "Ready").is_none_or(|ready| ready.last_transition_time <= instant)
            }
            Some(_) => true,
        }
    }

    fn told(&self, reason: &'static str, mark: String) -> Told {
        let warning = state(self.after).is_some_and(|state| state.attention() == Attention::Stalled);
        Told { reason, warning, message: message(self.after), mark }
    }

    /// The mark of what has no instant of its own.
    fn mark(&self) -> String {
        let round = self.after.invitation.as_ref().map(|invitation| invitation.round);
        format!("{:?} {round:?} {}", self.after.observed_generation, message(self.after))
    }

    fn access_ends_elsewhen(&self) -> bool {
        self.was.is_some() && self.before.access_ends_at != self.after.access_ends_at
    }
}

/// Whether a state comes before access and invitation, so that its status tells of neither.
fn hides(state: State) -> bool {
    match state {
        State::BeingDeleted
        | State::Invalid
        | State::ClinicMissing
        | State::Paused
        | State::IdentityChanged
        | State::FormerMember
        | State::EmailConflict => true,
        State::TrainingEnded
        | State::Suspended
        | State::Active
        | State::Undeliverable
        | State::DeliveryUnknown
        | State::Held
        | State::InvitationExpired
        | State::Invited
        | State::Pending => false,
    }
}

fn state(status: &MemberStatus) -> Option<State> {
    State::parse(status.state.as_deref()?)
}

fn condition<'a>(status: &'a MemberStatus, type_: &str) -> Option<&'a Condition> {
    Condition::of(&status.conditions, type_)
}

fn message(status: &MemberStatus) -> String {
    condition(status, "Ready").map(|ready| ready.message.clone()).unwrap_or_default()
}

fn of_invitation(change: &Change<'_>, is: State) -> Option<Told> {
    let sent = change.after.invitation.as_ref().filter(|invitation| invitation.sent_at.is_some())?;
    let is_new = match &change.before.invitation {
        // A link that had expired works again when the Clinic lets links work longer: nothing was mailed.
        Some(known) => known.round != sent.round || (known.sent_at.is_none() && known.expires_at.is_none()),
        None => change.is_later(sent.sent_at),
    };
    (is == State::Invited && is_new).then(|| {
        let told = change.told("Invited", format!("{} {:?}", sent.round, sent.sent_at));
        let again = format!("Round {}, earlier links work no more. {}", sent.round, told.message);
        if sent.round > 1 { Told { message: again, ..told } } else { told }
    })
}

fn of_state(change: &Change<'_>, is: State) -> Option<Told> {
    if change.was == Some(is) {
        return None;
    }
    match is {
        State::Active => of_access(change),
        State::TrainingEnded => {
            let ended = change.after.access_ends_at;
            let is_new = change.access_ends_elsewhen() || change.is_later(ended);
            is_new.then(|| change.told("AccessEnded", format!("{ended:?}")))
        }
        State::InvitationExpired => {
            let invitation = change.after.invitation.as_ref()?;
            let expired = invitation.expires_at;
            let is_new = change.is_later(expired);
            is_new.then(|| change.told(is.name(), format!("{} {expired:?}", invitation.round)))
        }
        State::Suspended => {
            let edited = change.before.observed_generation != change.after.observed_generation;
            let is_new = change.was.is_some_and(|was| !hides(was) || edited);
            is_new.then(|| change.told(is.name(), change.mark()))
        }
        State::Invalid
        | State::IdentityChanged
        | State::FormerMember
        | State::EmailConflict
        | State::Undeliverable
        | State::DeliveryUnknown
        | State::Held => Some(change.told(is.name(), change.mark())),
        // Told by its mail, done by whoever deletes, about the whole clinic, or about to pass.
        State::Invited | State::BeingDeleted | State::ClinicMissing | State::Paused | State::Pending => None,
    }
}

fn of_access(change: &Change<'_>) -> Option<Told> {
    let accepted = change.moment.accepted;
    let accepts = || change.told("Accepted", format!("{accepted:?}"));
    match change.was {
        Some(State::TrainingEnded | State::Suspended | State::FormerMember) => {
            Some(change.told("AccessRestored", change.mark()))
        }
        // About the whole clinic, or wiped: the person has access as before.
        None | Some(State::Paused | State::ClinicMissing) => change.is_later(accepted).then(accepts),
        Some(State::Invalid | State::IdentityChanged | State::EmailConflict) if !change.is_later(accepted) => {
            Some(change.told("Active", change.mark()))
        }
        Some(_) => Some(accepts()),
    }
}

fn of_training(change: &Change<'_>) -> Option<Told> {
    let reason = |status| condition(status, TRAINING_ENDS_SOON).map(|soon| soon.reason.as_str());
    let soon = condition(change.after, TRAINING_ENDS_SOON)?;
    let elsewhen = change.access_ends_elsewhen();
    let is_next = reason(change.before) != reason(change.after) && change.is_later(change.moment.ends_soon_since);
    (elsewhen || is_next).then(|| Told {
        reason: TRAINING_ENDS_SOON,
        warning: false,
        message: format!("{}: {}", soon.reason, soon.message),
        mark: format!("{} {:?}", soon.reason, change.after.access_ends_at),
    })
}

/// Somebody asked to invite a person again who has accepted: that is not done, and told, when the account takes note of it.
pub fn of_resend(account: &ClinicAccountSpec, wanted: &Desired) -> Option<Told> {
    let is_new = wanted.resend.is_some() && wanted.resend != account.desired.resend;
    let nothing_is_asked = account.acceptance.is_some() && account.wish(1).question != Some(Question::Confirmation);
    (is_new && nothing_is_asked && wanted.email == account.desired.email).then(|| Told {
        reason: "ResendIgnored",
        warning: false,
        message: "The annotation clinic-operator.dev/resend was ignored: the invitation was accepted.".to_owned(),
        mark: wanted.resend.clone().unwrap_or_default(),
    })
}

/// Tells it. What cannot be told holds nothing up: the status says the same.
pub async fn tell<K: Resource<DynamicType = ()>>(context: &Context, object: &K, all: &[Told]) {
    for told in all {
        if context.may_write().is_err() {
            return;
        }
        match context.events.create(&event(object, told, context)).await {
            Ok(_) | Err(ApiError::AlreadyExists) => {}
            Err(error) => warn!(object = object.meta().name, event = told.reason, %error, "failed to write an event"),
        }
    }
}

fn event<K: Resource<DynamicType = ()>>(object: &K, told: &Told, context: &Context) -> Event {
    let ObjectMeta { name, uid, resource_version, .. } = object.meta().clone();
    let now = Time(context.clock.now());
    Event {
        metadata: ObjectMeta {
            name: Some(event_name(object, told)),
            namespace: Some(context.namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(K::api_version(&()).into_owned()),
            kind: Some(K::kind(&()).into_owned()),
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

/// The member's name and a hash of what is told by its mark: the same when it is told again, after a crash or because a status
/// was wiped, whatever became of the object meanwhile.
fn event_name<K: Resource>(object: &K, told: &Told) -> String {
    let ObjectMeta { name, uid, .. } = object.meta();
    let mut hash = Sha256::new();
    for part in [uid.as_deref().unwrap_or_default(), told.reason, &told.mark] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = HEXLOWER.encode(&hash.finalize()[..NAME_BYTES]);
    format!("{}.{digest}", name.as_deref().unwrap_or_default())
}

fn shortened(message: &str) -> String {
    let end = (0..=LONGEST_MESSAGE.min(message.len())).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
    message[..end].to_owned()
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
