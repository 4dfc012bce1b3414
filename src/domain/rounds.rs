//! What the guard of invitations counts: rounds that begin at another address than the round before, and the resends of one account
//! beyond a few in an hour. The ledger remembers how its latest rounds began; whether one more is too many is decided in `guard`.

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::email::is_the_same_address;
use super::guard::is_within_the_window;

/// Resends of one account in the window that are never counted.
const RESENDS_NOT_COUNTED: usize = 3;
/// Rounds of one account that the ledger remembers; more within the window never begin without a person.
pub const MOST_REMEMBERED: usize = 64;

/// How a round began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Beginning {
    /// Its mails go to another address than those of the round before, or to somebody whom nobody had written to.
    AnotherAddress,
    /// One of the first three of an hour to the same address again.
    Resend,
    /// A further one.
    FurtherResend,
}

impl Beginning {
    /// How a round to `address` begins at `now`, in an account whose last mail went to `before` and whose latest rounds began so.
    pub fn of(before: Option<&str>, address: &str, begun: &[Begun], now: Timestamp) -> Self {
        if before.is_none_or(|before| !is_the_same_address(before, address)) {
            return Self::AnotherAddress;
        }
        let is_resend = |round: &&Begun| round.by != Self::AnotherAddress && is_within_the_window(round.at, now);
        if begun.iter().filter(is_resend).count() < RESENDS_NOT_COUNTED { Self::Resend } else { Self::FurtherResend }
    }

    /// Whether the guard counts a round that began so.
    pub fn counts(self) -> bool {
        match self {
            Self::AnotherAddress | Self::FurtherResend => true,
            Self::Resend => false,
        }
    }
}

/// That a round began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Begun {
    /// When its first mail was written ahead, UTC.
    #[schemars(schema_with = "instant")]
    pub at: Timestamp,
    /// `AnotherAddress`, `Resend` (to the same address, one of the first three of an hour) or `FurtherResend`. All but `Resend` count
    /// for the guard of invitations.
    pub by: Beginning,
}

/// As `api::schema::instant`, which this layer does not know.
fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "maxLength": 32})
}

/// What the ledger remembers once a round begins at `now`: of the rounds before only those that still matter.
pub fn remembered(begun: &[Begun], by: Beginning, now: Timestamp) -> Vec<Begun> {
    let mut kept: Vec<Begun> = begun.iter().filter(|round| is_within_the_window(round.at, now)).copied().collect();
    kept.push(Begun { at: now, by });
    let too_many = kept.len().saturating_sub(MOST_REMEMBERED);
    kept.split_off(too_many)
}

/// Whether the ledger can remember one more round, so that the guard's count stays true.
pub fn one_more_is_remembered(begun: &[Begun], now: Timestamp) -> bool {
    begun.iter().filter(|round| is_within_the_window(round.at, now)).count() < MOST_REMEMBERED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::guard::one_more_may_be_invited;
    use proptest::prelude::{any, prop_assert, proptest};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn another_address_counts_always_and_a_resend_after_the_third_in_an_hour() {
        use Beginning::{AnotherAddress, FurtherResend, Resend};
        let (ana, river) = ("ana@maple.example", "ana@river.example");
        let mut begun = Vec::new();
        let mut last = None;
        for (minute, address, expected) in [
            (0, ana, AnotherAddress),
            (1, "Ana@MAPLE.example", Resend),
            (2, river, AnotherAddress),
            (3, ana, AnotherAddress),
            (10, ana, Resend),
            (20, ana, Resend),
            (30, ana, FurtherResend),
            // The hour of the first three is over one by one, and further ones are resends too.
            (62, ana, FurtherResend),
            (71, ana, FurtherResend),
            (200, ana, Resend),
        ] {
            let by = Beginning::of(last, address, &begun, at(minute));
            assert_eq!(by, expected, "at minute {minute}");
            begun = remembered(&begun, by, at(minute));
            last = Some(address);
        }
        assert_eq!(begun, [Begun { at: at(200), by: Resend }], "what no longer matters is forgotten");
        assert_eq!([AnotherAddress, Resend, FurtherResend].map(Beginning::counts), [true, false, true]);
    }

    #[test]
    fn an_account_remembers_no_more_than_the_ledger_takes_and_begins_no_more() {
        let mut begun = Vec::new();
        for _ in 0..MOST_REMEMBERED {
            assert!(one_more_is_remembered(&begun, at(0)));
            begun = remembered(&begun, Beginning::AnotherAddress, at(0));
        }
        assert!(!one_more_is_remembered(&begun, at(59)) && one_more_is_remembered(&begun, at(60)));
        assert_eq!(remembered(&begun, Beginning::AnotherAddress, at(0)).len(), MOST_REMEMBERED);
    }

    /// An operator as far as the guard is concerned: what it last saw of all ledgers, and the round that it decided to begin.
    #[derive(Clone, Default)]
    struct Operator {
        seen: Vec<Begun>,
        under_way: Option<(Begun, usize)>,
    }

    proptest! {
        /// Two operators, one of which may be frozen at any moment between its decision and its write. A write of an account that
        /// changed since is refused, as the API server does.
        #[test]
        fn of_two_operators_no_more_rounds_begin_in_an_hour_than_the_guard_and_one_for_each_frozen_write(
            per_hour in 1u32..6,
            steps in proptest::collection::vec((any::<bool>(), 0usize..4, 0i64..20), 1..80),
        ) {
            let mut operators = [Operator::default(), Operator::default()];
            let mut versions = [0usize; 4];
            let mut ledger: Vec<Begun> = Vec::new();
            let (mut minute, mut frozen) = (0, 0);
            for (second, account, passes) in steps {
                minute += passes;
                let operator = &mut operators[usize::from(second)];
                if let Some((round, version)) = operator.under_way.take() {
                    // A write that was decided on an older state of all ledgers than there is now was frozen.
                    frozen += usize::from(operator.seen != ledger);
                    if versions[account] == version {
                        versions[account] += 1;
                        ledger.push(round);
                    }
                    operator.seen.clone_from(&ledger);
                    continue;
                }
                operator.seen.clone_from(&ledger);
                let now = at(minute);
                let counted = operator.seen.iter().filter(|round| is_within_the_window(round.at, now)).count();
                if one_more_may_be_invited(per_hour, counted) {
                    let round = Begun { at: now, by: Beginning::AnotherAddress };
                    operator.under_way = Some((round, versions[account]));
                }
            }
            for round in &ledger {
                let in_its_hour = |other: &&Begun| other.at <= round.at && is_within_the_window(other.at, round.at);
                let begun = ledger.iter().filter(in_its_hour).count();
                prop_assert!(begun <= usize::try_from(per_hour).unwrap() + frozen, "{begun} with {frozen} frozen");
            }
        }
    }
}
