//! Which state applies to a member and what it says: the one place that knows the order of precedence and the sentences that
//! people read in a status. Neither an address nor a link ever stands in them.

use jiff::Timestamp;

use super::delivery::Fault;
use super::invitation::{OUTCOME_KNOWN_WITHIN, Standing};
use super::lifecycle::{AccessReason, ClinicStanding, State};
use super::mailer::MailerStanding;
use super::member::Violation;

/// What stands between a manifest and its account or address until a person acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Address and name of an accepted member changed at once.
    IdentityChanged {
        /// What the annotation `reactivate` must say.
        approval: String,
    },
    /// The address belongs to an account that was accepted and whose `ClinicUser` is gone.
    FormerMember {
        /// The account.
        account: String,
        /// metadata.name of the former member's manifest.
        manifest: String,
        /// What one of the annotations must say.
        approval: String,
        /// Whether this manifest may take that account over; one that has an account may not.
        may_reactivate: bool,
        /// Whether somebody has access by it: its manifest was replaced before anybody saw that it was gone, or a guard holds its
        /// removal.
        has_access: bool,
    },
    /// The address belongs to another.
    EmailConflict {
        /// The object that has it, in words.
        holder: String,
        /// Whether the two want each other's address and both accepted, so that neither can go first.
        is_a_swap: bool,
    },
}

/// That somebody deleted the manifest, and a finalizer keeps the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion<'a> {
    /// What keeps the object.
    pub finalizers: &'a [String],
    /// The hold by which the guard of removals keeps access.
    pub hold: Option<&'a str>,
}

/// Everything that a member's state depends on.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The member's metadata.namespace and metadata.name.
    pub member: (&'a str, &'a str),
    /// That the manifest is being deleted, if it is.
    pub deletion: Option<Deletion<'a>>,
    /// What is wrong with the manifest.
    pub violations: &'a [Violation],
    /// The clinic.
    pub clinic: ClinicStanding<'a>,
    /// What stands in the way of account or address.
    pub obstacle: Option<&'a Obstacle>,
    /// Whether the account is there yet, with what its access is.
    pub access: Option<AccessReason>,
    /// When access ends.
    pub access_until: Option<Timestamp>,
    /// The fields of the manifest that the person confirmed otherwise.
    pub confirmed_otherwise: &'a [&'static str],
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

fn verdict_of_deletion(deletion: Deletion<'_>, access: Option<AccessReason>) -> Verdict {
    let access = match (access, deletion.hold) {
        (Some(AccessReason::Granted), Some(hold)) => {
            format!("The guard of removals holds {hold} back, so access stays until a person releases it.")
        }
        (Some(AccessReason::Granted), None) => {
            "Access ends once the operator has recorded the removal, which waits while the Clinic is paused or missing."
                .to_owned()
        }
        (
            Some(
                AccessReason::NotAccepted
                | AccessReason::Suspended
                | AccessReason::Removed
                | AccessReason::TrainingEnded,
            )
            | None,
            _,
        ) => "The person has no access.".to_owned(),
    };
    let kept_by = match deletion.finalizers {
        [] => String::new(),
        finalizers => format!(" The object is kept by its finalizers: {}.", finalizers.join(", ")),
    };
    say(
        State::BeingDeleted,
        format!("The manifest was deleted, so the member counts as gone and is not mailed. {access}{kept_by}"),
    )
}

fn verdict_before_any_account(situation: &Situation<'_>) -> Option<Verdict> {
    if let Some(deletion) = situation.deletion {
        return Some(verdict_of_deletion(deletion, situation.access));
    }
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
        ClinicStanding::Open(_) => situation.obstacle.map(|obstacle| verdict_of_obstacle(obstacle, situation.member)),
    }
}

/// The command that sets the annotation which decides, for whoever works without Git.
fn command((namespace, name): (&str, &str), decision: &str, approval: &str) -> String {
    format!("kubectl annotate -n {namespace} clinicuser {name} --overwrite clinic-operator.dev/{decision}={approval}")
}

fn verdict_of_obstacle(obstacle: &Obstacle, member: (&str, &str)) -> Verdict {
    let command = |decision, approval: &str| command(member, decision, approval);
    match obstacle {
        Obstacle::IdentityChanged { approval } => say(
            State::IdentityChanged,
            format!(
                "Email address and name of this accepted member changed at once, so nothing of the edit but access has taken effect. If it is the same person, set the annotation clinic-operator.dev/reactivate: {approval} ({}). If it is another person, undo the edit and give them a manifest with a new metadata.name.",
                command("reactivate", approval)
            ),
        ),
        Obstacle::FormerMember { account, manifest, approval, may_reactivate, has_access } => {
            let replace = command("replace", approval);
            let access = if *has_access { " That account still has access." } else { "" };
            let decide = if *may_reactivate {
                format!(
                    "If this is the same person, set the annotation clinic-operator.dev/reactivate: {approval}, which gives that account back ({}). If it is another person, set clinic-operator.dev/replace: {approval}, which takes the address from that account for good ({replace}).",
                    command("reactivate", approval)
                )
            } else {
                format!(
                    "This member has an account already; to take the address from the other for good, set the annotation clinic-operator.dev/replace: {approval} ({replace}). Or choose another address."
                )
            };
            say(
                State::FormerMember,
                format!(
                    "The email address belongs to a former member, whose manifest was \"{manifest}\" (ClinicAccount \"{account}\").{access} {decide}"
                ),
            )
        }
        Obstacle::EmailConflict { holder, is_a_swap: false } => say(
            State::EmailConflict,
            format!(
                "The email address belongs to {holder}. Change the address of one of the two; this member then goes on by itself."
            ),
        ),
        Obstacle::EmailConflict { holder, is_a_swap: true } => say(
            State::EmailConflict,
            format!(
                "The email address belongs to {holder}, whose manifest has this member's address: of two accepted members neither can go first. Give one of the two a third address, and its new one once the other has confirmed theirs."
            ),
        ),
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
            let access =
                if situation.access_until.is_some() { until("Has access until") + "." } else { "Has access.".into() };
            Some(say(State::Active, access + &about_confirmed_facts(situation) + &about_a_changed_address(situation)))
        }
    }
}

fn show(situation: &Situation<'_>, instant: Timestamp) -> String {
    match &situation.clinic {
        ClinicStanding::Open(zone) => zone.show(instant),
        ClinicStanding::Missing | ClinicStanding::UnknownZone(_) | ClinicStanding::Paused(_) => instant.to_string(),
    }
}

/// What a person asks for by the annotation `resend`, as part of a sentence.
const RESEND: &str = "set the annotation clinic-operator.dev/resend to a new value";

/// What they are is not said: a manifest may be read by others than the record.
fn about_confirmed_facts(situation: &Situation<'_>) -> String {
    match situation.confirmed_otherwise {
        [] => String::new(),
        fields => format!(
            " The person confirmed something else than the manifest says: {}. The member list shows what they confirmed.",
            fields.join(", ")
        ),
    }
}

/// What every sentence about an address names that its person has not confirmed yet.
const CHANGED_ADDRESS: &str = "changed email address";

/// Whether the message of an `Active` member says that a changed address waits to be confirmed, so that a resend mails something.
pub fn waits_for_a_confirmation(message: &str) -> bool {
    message.contains(CHANGED_ADDRESS)
}

/// An accepted member goes on signing in with the old address until the new one is confirmed.
fn about_a_changed_address(situation: &Situation<'_>) -> String {
    let old = "until then the old one signs in";
    match situation.invitation {
        Standing::NoAddress | Standing::Settled => String::new(),
        Standing::Sent { expires, .. } => format!(
            " The changed email address waits for its confirmation by the link that was mailed to it, which works until {}; {old}.",
            show(situation, *expires)
        ),
        Standing::Expired { at } => format!(
            " The changed email address was not confirmed by {}; {old}. To mail the link again, {RESEND}.",
            show(situation, *at)
        ),
        Standing::Refused { trouble } if trouble.is_of_the_address() => {
            format!(
                " The changed email address was refused; {old}. Correct it in the manifest, or {RESEND} to try again."
            )
        }
        Standing::Refused { trouble } => format!(
            " The mail relay refuses the mail to the changed email address ({trouble}); {old}. Check the address in the manifest, or ask whoever runs the relay; to try again, {RESEND}."
        ),
        Standing::Unknown => format!(
            " Nobody knows whether the mail to the changed email address left; {old}. To send it again, {RESEND}."
        ),
        Standing::Held { id } => format!(
            " The mail to the changed address is held by the guard of the Clinic; {old}. If it is meant, set the annotation clinic-operator.dev/release-hold: {id} on the Clinic."
        ),
        Standing::Due(_) | Standing::UnderWay { .. } | Standing::BackingOff { .. } => {
            format!(" The changed email address is about to be mailed a link for its confirmation; {old}.")
        }
    }
}

fn verdict_of_invitation(situation: &Situation<'_>) -> Verdict {
    let show = |instant| show(situation, instant);
    let resend = RESEND;
    match situation.invitation {
        Standing::Refused { trouble } if trouble.is_of_the_address() => say(
            State::Undeliverable,
            format!(
                "The email address was refused{}. Correct it in the manifest, or {resend} to try again.",
                trouble.code.as_ref().map_or(String::new(), |code| format!(" ({code})"))
            ),
        ),
        Standing::Refused { trouble } if trouble.fault() == Some(Fault::Undecided) => say(
            State::Undeliverable,
            format!(
                "The mail relay refused the mail to this member again and again ({trouble}), and nothing showed that the relay was to blame. Check the address in the manifest, or ask whoever runs the relay; to try again, {resend}."
            ),
        ),
        Standing::Refused { trouble } => say(
            State::Undeliverable,
            format!(
                "The mail relay refuses the mail to this member ({trouble}), while it takes others. Ask whoever runs the relay; to try again, {resend}."
            ),
        ),
        Standing::Unknown => say(
            State::DeliveryUnknown,
            format!(
                "Three times nobody learned whether the mail relay took the invitation. Ask the person; to send it again, {resend}."
            ),
        ),
        Standing::Held { id } => say(
            State::Held,
            format!(
                "The guard of the Clinic holds this invitation: within an hour more mails were to go to new addresses, or to this one again, than it lets pass. If all of them are meant, set the annotation clinic-operator.dev/release-hold: {id} on the Clinic."
            ),
        ),
        Standing::Expired { at } => say(
            State::InvitationExpired,
            format!("The invitation expired at {}. To send a new one, {resend}.", show(*at)),
        ),
        Standing::Sent { at, expires } => {
            say(State::Invited, format!("Invited at {}; the link works until {}.", show(*at), show(*expires)))
        }
        Standing::BackingOff { until, trouble }
            if trouble.fault() == Some(Fault::Undecided) && trouble.is_for_good() =>
        {
            say(
                State::Pending,
                format!(
                    "The invitation was refused ({trouble}), which does not tell whether this address or the relay is to blame: check the address; next try at {}.",
                    show(*until)
                ),
            )
        }
        Standing::BackingOff { until, trouble } => say(
            State::Pending,
            format!("The invitation did not get through ({trouble}); next try at {}.", show(*until)),
        ),
        Standing::UnderWay { is_the_last, .. } => say(
            State::Pending,
            format!(
                "The invitation is on its way to the mail relay, whose answer is not known yet. If it stays unknown for {} minutes, {}.",
                OUTCOME_KNOWN_WITHIN.as_mins(),
                if *is_the_last { "nothing more is sent" } else { "a copy is sent" }
            ),
        ),
        Standing::Due(_) | Standing::NoAddress | Standing::Settled => match situation.mailer {
            MailerStanding::Down(_) => say(
                State::Pending,
                "The invitation waits: the mail relay does not take mail. The Clinic's condition MailerReady says why.",
            ),
            MailerStanding::Up => say(State::Pending, "The invitation waits for its turn."),
        },
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
