//! What a state waits for, and what somebody can do about it, in a line each. Which state applies was decided by the operator, and
//! its own sentence stands beside.

use crate::domain::lifecycle::State;

/// The two lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Advice {
    pub(super) waits_for: &'static str,
    pub(super) to_do: String,
}

/// About a member of this name; `flags` make a command mean the same clinic.
pub(super) fn advice(state: State, name: &str, flags: &str) -> Advice {
    let resend = format!("kubectl clinic resend {name}{flags}");
    let holds = format!("kubectl clinic holds{flags}");
    let (waits_for, to_do) = match state {
        State::BeingDeleted => {
            ("the finalizers that keep the object", "nothing; who owns them can let the object go".to_owned())
        }
        State::Invalid => ("a correct manifest", "correct what is named above".to_owned()),
        State::ClinicMissing => ("the Clinic", "apply it, or correct its time zone".to_owned()),
        State::Paused => {
            ("the end of the pause", "set paused: false in the Clinic, when the clinic is to go on".to_owned())
        }
        State::IdentityChanged | State::FormerMember => (
            "a person, who says whose account it is",
            "set the annotation that is named above, or undo the edit".to_owned(),
        ),
        State::EmailConflict => ("the address", "change the address of one of the two members".to_owned()),
        State::TrainingEnded => {
            ("nothing", "nothing; if the training goes on, set a later expectedEndOfTraining".to_owned())
        }
        State::Suspended => ("nothing", "nothing; set suspended: false when access is to come back".to_owned()),
        State::Active => ("nothing", "nothing".to_owned()),
        State::Undeliverable => {
            ("an address that takes mail", format!("correct the address in the manifest, or try it again: {resend}"))
        }
        State::DeliveryUnknown => {
            ("somebody who knows whether the mail came", format!("ask the person; if it did not come: {resend}"))
        }
        State::Held => (
            "a person, who says whether all of these invitations are meant",
            format!("see what is held with it: {holds}"),
        ),
        State::InvitationExpired => ("a new invitation", resend),
        State::Invited => ("the person, who has the mail", format!("nothing; if the mail is lost: {resend}")),
        State::Pending => ("the mail to leave", "nothing".to_owned()),
    };
    Advice { waits_for, to_do }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lifecycle::Attention;

    #[test]
    fn whoever_must_act_is_told_what_to_do_and_nobody_else_has_to() {
        for state in State::ALL {
            let advice = advice(state, "ana", " -n maple");
            let nothing = advice.to_do.starts_with("nothing");
            match state.attention() {
                Attention::Stalled => assert!(!nothing && advice.waits_for != "nothing", "{state:?}"),
                Attention::Reconciling => assert!(nothing && advice.waits_for != "nothing", "{state:?}"),
                Attention::None => assert!(nothing || state == State::InvitationExpired, "{state:?}"),
            }
            let command = advice.to_do.split_once("kubectl clinic ").map(|(_, command)| command);
            assert!(command.is_none_or(|command| command.ends_with(" -n maple")), "{state:?}: the same clinic");
        }
    }
}
