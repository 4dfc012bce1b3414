//! The life of a member: who has access, and the one word (the state) that says how somebody stands. Times are arguments;
//! how a state becomes conditions is in `conditions`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{calendar::ClinicZone, invitation::Standing, member::Violation};

/// Why an account has access, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessReason {
    /// The person accepted, and nothing speaks against it.
    Granted,
    /// The person has not accepted an invitation yet.
    NotAccepted,
    /// The manifest says `suspended: true`.
    Suspended,
    /// The manifest is gone.
    Removed,
    /// More than two weeks have passed since the Expected End of Training.
    TrainingEnded,
}

/// What access depends on, and nothing else: no conflict, mail trouble or missing Clinic ever changes it.
#[derive(Clone, Copy, Debug)]
pub struct AccessFacts {
    /// When the person accepted.
    pub accepted: Option<Timestamp>,
    /// The wish to suspend.
    pub suspended: bool,
    /// When the account was removed.
    pub removed: Option<Timestamp>,
    /// The instant from which on there is no access.
    pub until: Option<Timestamp>,
}

/// Access = accepted and not suspended and not removed and `now < until`.
pub fn access(facts: &AccessFacts, now: Timestamp) -> AccessReason {
    if facts.removed.is_some() {
        AccessReason::Removed
    } else if facts.until.is_some_and(|until| now >= until) {
        AccessReason::TrainingEnded
    } else if facts.suspended {
        AccessReason::Suspended
    } else if facts.accepted.is_none() {
        AccessReason::NotAccepted
    } else {
        AccessReason::Granted
    }
}

/// How a member stands, in one word: the Ready condition's reason and the STATE column. In order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The manifest breaks a rule.
    Invalid,
    /// There is no Clinic, or its time zone is unknown.
    ClinicMissing,
    /// The Clinic says `paused: true`.
    Paused,
    /// Another member has the address.
    EmailConflict,
    /// A trainee's access has ended.
    TrainingEnded,
    /// Suspended by the manifest.
    Suspended,
    /// Has access.
    Active,
    /// The address was refused.
    Undeliverable,
    /// Nobody knows whether the invitation left.
    DeliveryUnknown,
    /// The invitation's link works no more.
    InvitationExpired,
    /// The invitation was sent; waiting for the person.
    Invited,
    /// The invitation waits in the queue, for the relay or for its turn.
    Pending,
}

/// Who has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Nobody: it is as the manifest says (kstatus `Current`).
    None,
    /// The operator is at it (kstatus `InProgress`).
    Reconciling,
    /// A person must act (kstatus `Failed`).
    Stalled,
}

impl State {
    /// Who has to do something.
    pub fn attention(self) -> Attention {
        match self {
            Self::Invalid
            | Self::ClinicMissing
            | Self::Paused
            | Self::EmailConflict
            | Self::Undeliverable
            | Self::DeliveryUnknown => Attention::Stalled,
            Self::Pending => Attention::Reconciling,
            Self::TrainingEnded | Self::Suspended | Self::Active | Self::InvitationExpired | Self::Invited => {
                Attention::None
            }
        }
    }

    /// All states.
    pub const ALL: [Self; 12] = [
        Self::Invalid,
        Self::ClinicMissing,
        Self::Paused,
        Self::EmailConflict,
        Self::TrainingEnded,
        Self::Suspended,
        Self::Active,
        Self::Undeliverable,
        Self::DeliveryUnknown,
        Self::InvitationExpired,
        Self::Invited,
        Self::Pending,
    ];

    /// The word itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::ClinicMissing => "ClinicMissing",
            Self::Paused => "Paused",
            Self::EmailConflict => "EmailConflict",
            Self::TrainingEnded => "TrainingEnded",
            Self::Suspended => "Suspended",
            Self::Active => "Active",
            Self::Undeliverable => "Undeliverable",
            Self::DeliveryUnknown => "DeliveryUnknown",
            Self::InvitationExpired => "InvitationExpired",
            Self::Invited => "Invited",
            Self::Pending => "Pending",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// How the clinic stands.
#[derive(Clone, Debug)]
pub enum ClinicStanding<'a> {
    /// There is no Clinic named `clinic`.
    Missing,
    /// Its time zone is not in the database.
    UnknownZone(&'a str),
    /// It says `paused: true`.
    Paused(&'a ClinicZone),
    /// It is there.
    Open(&'a ClinicZone),
}

/// Whether mail goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MailerStanding {
    /// As far as is known.
    #[default]
    Up,
    /// The queue is stopped, with the relay's code or what went wrong.
    Down(String),
}

/// Everything that a member's state depends on.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// What is wrong with the manifest.
    pub violations: &'a [Violation],
    /// The clinic.
    pub clinic: ClinicStanding<'a>,
    /// Who has the address instead, in words.
    pub address_held_by: Option<&'a str>,
    /// Whether the account is there yet, with what its access is.
    pub access: Option<AccessReason>,
    /// When access ends.
    pub access_until: Option<Timestamp>,
    /// The invitation.
    pub invitation: &'a Standing,
    /// The mailer.
    pub mailer: &'a MailerStanding,
}

/// The state and its explanation, for the person who reads the status. Neither an address nor a link is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub state: State,
    /// What it means here and what to do, in whole sentences.
    pub message: String,
}

/// The state: the first that applies, in the order of `State`.
pub fn state(situation: &Situation<'_>) -> Verdict {
    verdict_before_any_account(situation)
        .or_else(|| verdict_of_access(situation))
        .unwrap_or_else(|| verdict_of_invitation(situation))
}

fn say(state: State, message: impl Into<String>) -> Verdict {
    Verdict { state, message: message.into() }
}

fn verdict_before_any_account(situation: &Situation<'_>) -> Option<Verdict> {
    if !situation.violations.is_empty() {
        let all: Vec<String> = situation.violations.iter().map(ToString::to_string).collect();
        return Some(say(State::Invalid, format!("{}. Correct the manifest.", all.join("; "))));
    }
    match situation.clinic {
        ClinicStanding::Missing => Some(say(
            State::ClinicMissing,
            "There is no Clinic named \"clinic\" in this namespace. Create it; nothing is mailed before.",
        )),
        ClinicStanding::UnknownZone(name) => Some(say(
            State::ClinicMissing,
            format!(
                "The Clinic's timeZone \"{name}\" is not in the IANA time zone database. Correct it; nothing is guessed."
            ),
        )),
        ClinicStanding::Paused(_) => Some(say(
            State::Paused,
            "The Clinic is paused: nobody is added, removed or mailed. Set paused: false to go on.",
        )),
        ClinicStanding::Open(_) => situation.address_held_by.map(|holder| {
            say(
                State::EmailConflict,
                format!("The email address belongs to {holder}. Change the address of one of the two; this member then goes on by itself."),
            )
        }),
    }
}

fn verdict_of_access(situation: &Situation<'_>) -> Option<Verdict> {
    let until = |prefix: &str| match (situation.access_until, &situation.clinic) {
        (Some(until), ClinicStanding::Open(zone)) => format!("{prefix} {}", zone.show(until)),
        _ => prefix.to_owned(),
    };
    match situation.access? {
        AccessReason::Removed | AccessReason::NotAccepted => None,
        AccessReason::TrainingEnded => Some(say(
            State::TrainingEnded,
            format!(
                "{}, two weeks after the Expected End of Training. A later date gives access back.",
                until("Access ended at")
            ),
        )),
        AccessReason::Suspended => {
            Some(say(State::Suspended, "Suspended by the manifest. Set suspended: false to give access back."))
        }
        AccessReason::Granted => {
            let message =
                if situation.access_until.is_some() { until("Has access until") + "." } else { "Has access.".into() };
            Some(say(State::Active, message))
        }
    }
}

fn verdict_of_invitation(situation: &Situation<'_>) -> Verdict {
    let show = |instant: Timestamp| match &situation.clinic {
        ClinicStanding::Open(zone) => zone.show(instant),
        ClinicStanding::Missing | ClinicStanding::UnknownZone(_) | ClinicStanding::Paused(_) => instant.to_string(),
    };
    let code = |code: &Option<String>| code.as_ref().map_or(String::new(), |code| format!(" ({code})"));
    let resend = "set the annotation clinic-operator.dev/resend to a new value";
    match situation.invitation {
        Standing::Refused { code: reply } => say(
            State::Undeliverable,
            format!(
                "The email address was refused{}. Correct it in the manifest, or {resend} to try again.",
                code(reply)
            ),
        ),
        Standing::Unknown => say(
            State::DeliveryUnknown,
            format!(
                "The invitation was handed to the mail relay three times without an answer. Ask the person; to send it again, {resend}."
            ),
        ),
        Standing::Expired { at } => say(
            State::InvitationExpired,
            format!("The invitation expired at {}. To send a new one, {resend}.", show(*at)),
        ),
        Standing::Sent { at, expires } => {
            say(State::Invited, format!("Invited at {}; the link works until {}.", show(*at), show(*expires)))
        }
        Standing::BackingOff { until, code: reply } => say(
            State::Pending,
            format!("The mail relay asked to try later{}; next try at {}.", code(reply), show(*until)),
        ),
        Standing::UnderWay { .. } | Standing::Due(_) | Standing::NoAddress => match situation.mailer {
            MailerStanding::Down(why) => say(
                State::Pending,
                format!("The invitation waits: the mail relay does not take mail ({why}). See the Clinic."),
            ),
            MailerStanding::Up => say(State::Pending, "The invitation waits for its turn."),
        },
    }
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
