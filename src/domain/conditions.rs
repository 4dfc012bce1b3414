//! A state as Kubernetes conditions: the one place that says which are true (kstatus: `Current`, `InProgress`, `Failed`).
//! When a condition last changed is the writer's business.

use super::lifecycle::{Attention, State};
use super::verdict::Verdict;

/// The condition of a trainee whose access ends within two weeks.
pub const TRAINING_ENDS_SOON: &str = "TrainingEndsSoon";

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can tell.
    Unknown,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `Ready`, `Reconciling`, `Stalled`, `InvitationExpired`, `TrainingEndsSoon` or `MailerReady`.
    pub type_: &'static str,
    /// Whether it holds; conditions other than `Ready` and `MailerReady` are present only when they do.
    pub status: Truth,
    /// The state's name.
    pub reason: &'static str,
    /// The state's explanation.
    pub message: String,
}

/// The conditions of a member. `Ready` is always among them.
pub fn conditions(verdict: &Verdict) -> Vec<Wanted> {
    let attention = verdict.state.attention();
    let wanted = |type_, holds: bool| Wanted {
        type_,
        status: holds.into(),
        reason: verdict.state.name(),
        message: verdict.message.clone(),
    };
    let mut all = vec![wanted("Ready", attention == Attention::None)];
    match attention {
        Attention::None => {}
        Attention::Reconciling => all.push(wanted("Reconciling", true)),
        Attention::Stalled => all.push(wanted("Stalled", true)),
    }
    if verdict.state == State::InvitationExpired {
        all.push(wanted("InvitationExpired", true));
    }
    all
}

/// The condition about a trainee whose access ends in so many days or fewer; `at` is the instant as people read it.
pub fn training_ends_soon(days: u8, at: &str) -> Wanted {
    let reason = match days {
        0..=1 => "WithinOneDay",
        2..=7 => "WithinSevenDays",
        8.. => "WithinFourteenDays",
    };
    let message = format!("Access ends at {at}. A later expectedEndOfTraining extends it.");
    Wanted { type_: TRAINING_ENDS_SOON, status: Truth::True, reason, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_ready_or_says_who_has_to_act() {
        for (state, expected) in [
            (State::Active, vec![("Ready", true)]),
            (State::Invited, vec![("Ready", true)]),
            (State::Pending, vec![("Ready", false), ("Reconciling", true)]),
            (State::Held, vec![("Ready", false), ("Stalled", true)]),
            (State::EmailConflict, vec![("Ready", false), ("Stalled", true)]),
            (State::InvitationExpired, vec![("Ready", true), ("InvitationExpired", true)]),
        ] {
            let found = conditions(&Verdict { state, message: "m".into() });
            assert_eq!(found.iter().map(|c| (c.type_, c.status == Truth::True)).collect::<Vec<_>>(), expected);
            assert!(found.iter().all(|c| c.reason == state.name() && c.message == "m"));
        }
    }
}
