//! What the rules say, as status: conditions with the time of their last change, which is the only thing ever read back.

use jiff::Timestamp;

use super::condition::{Condition, ConditionStatus};
use crate::domain::conditions::{Truth, Wanted};

/// The conditions to write: those wanted, each with the time at which its status last changed.
pub fn written(before: &[Condition], wanted: Vec<Wanted>, generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let written = |wanted: Wanted| {
        let status = match wanted.status {
            Truth::True => ConditionStatus::True,
            Truth::False => ConditionStatus::False,
            Truth::Unknown => ConditionStatus::Unknown,
        };
        let same = before.iter().find(|condition| condition.type_ == wanted.type_ && condition.status == status);
        Condition {
            type_: wanted.type_.to_owned(),
            status,
            observed_generation: generation,
            last_transition_time: same.map_or(now, |condition| condition.last_transition_time),
            reason: wanted.reason.to_owned(),
            message: wanted.message,
        }
    };
    wanted.into_iter().map(written).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_condition_changes_with_its_status_only() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let wanted = |status: bool, reason| {
            vec![Wanted { type_: "Ready", status: status.into(), reason, message: String::new() }]
        };
        let first = written(&[], wanted(false, "Pending"), Some(1), at(10));
        let second = written(&first, wanted(false, "Undeliverable"), Some(1), at(20));
        let third = written(&second, wanted(true, "Invited"), Some(2), at(30));
        let times: Vec<_> = [&first, &second, &third].map(|all| all[0].last_transition_time).into();
        assert_eq!(times, [at(10), at(10), at(30)]);
        assert_eq!((third[0].reason.as_str(), third[0].observed_generation), ("Invited", Some(2)));
    }
}
