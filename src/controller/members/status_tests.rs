//! Which state shows when two causes come together: every pair of causes, on whole records, as a person would meet them.

use serde_json::{Value, json};

use super::super::decide::decide;
use super::super::observe::{Address, Observed};
use super::super::step::Step;
use super::super::test_world::*;
use super::*;
use crate::api::account::Desired;

/// A record that can be given causes: by itself it is a member whose invitation waits for its turn.
struct Record {
    metadata: Value,
    spec: Value,
    clinic: Value,
    account: Value,
    address: Address,
}

impl Record {
    fn state(&self) -> State {
        let mut observed = Observed {
            user: user(&self.spec, &json!({})),
            clinic: Some(clinic(&self.clinic)),
            account: Some(account(&self.account)),
            address: self.address.clone(),
            ..new_member()
        };
        let mut metadata = serde_json::to_value(&observed.user.metadata).unwrap();
        json_patch::merge(&mut metadata, &self.metadata);
        observed.user.metadata = serde_json::from_value(metadata).unwrap();
        observed.live.gone.insert("0".into());
        // What its own account is still to be written is written, as far as the causes leave it to be decided.
        for _ in 0..4 {
            match decide(&observed, now()).step {
                Some(Step::PatchDesired { account, desired }) if account.spec.id == "a-1" => {
                    let kept = observed.account.as_mut().unwrap();
                    kept.spec.desired = Desired { access_until: kept.spec.desired.access_until, ..*desired };
                    kept.spec.desired.suspended = account.spec.desired.suspended;
                }
                Some(_) | None => break,
            }
        }
        let decision = decide(&observed, now());
        project(&observed, &decision, &MailerStanding::Up, "maple", now()).1
    }
}

fn attempt(copy: u32, at: &str, outcome: &str) -> Value {
    json!({"kind": "Invitation", "round": 1, "copy": copy, "messageId": "<a-1.1@x>", "tokenDigest": "", "at": at,
        "date": at, "outcome": outcome})
}

fn ledger(attempts: &Value) -> Value {
    json!({"delivery": {"round": 1, "address": "ana@maple.example", "attempts": attempts}})
}

/// What causes each state, and which part of the record it takes up: of two that take up the same part only one can be.
fn cause(state: State, record: &mut Record) -> &'static str {
    let merge = |value: &mut Value, change: Value| json_patch::merge(value, &change);
    match state {
        State::BeingDeleted => {
            merge(&mut record.metadata, json!({"deletionTimestamp": "2026-11-24T09:00:00Z", "finalizers": ["x/y"]}));
            "the object"
        }
        State::Invalid => {
            merge(&mut record.spec, json!({"classification": "ClinicalTrainee", "expectedEndOfTraining": "soon"}));
            "the manifest"
        }
        State::ClinicMissing => {
            merge(&mut record.clinic, json!({"timeZone": "Mars/Base"}));
            "the zone"
        }
        State::Paused => {
            merge(&mut record.clinic, json!({"paused": true}));
            "the pause"
        }
        State::IdentityChanged => {
            merge(&mut record.spec, json!({"firstName": "Bea", "lastName": "Roy", "email": "bea@maple.example"}));
            merge(&mut record.account, accepted("ana@maple.example"));
            "the names"
        }
        State::FormerMember => {
            record.address = Address { claim: Some(("a-0".into(), "c0".into())), others: vec![gone(&of_both(), true)] };
            "the address"
        }
        State::EmailConflict => {
            record.address = Address { claim: Some(("a-0".into(), "c0".into())), others: vec![there()] };
            "the address"
        }
        State::TrainingEnded => {
            merge(&mut record.account, json!({"desired": {"accessUntil": "2026-01-01T00:00:00Z"}}));
            "the end"
        }
        State::Suspended => {
            merge(&mut record.account, json!({"desired": {"suspended": true}}));
            "the suspension"
        }
        State::Active => {
            merge(&mut record.account, accepted("ana@maple.example"));
            "the acceptance"
        }
        State::Undeliverable => {
            merge(&mut record.account, ledger(&json!([attempt(1, "2026-11-24T09:00:00Z", "Refused")])));
            "the ledger"
        }
        State::DeliveryUnknown => {
            let copies = [1, 2, 3].map(|copy| attempt(copy, "2026-11-24T08:00:00Z", "Sending"));
            merge(&mut record.account, ledger(&json!(copies)));
            "the ledger"
        }
        State::Held => {
            let hold =
                json!({"delivery": {"round": 1, "address": "ana@maple.example", "hold": {"id": "invitations-1"}}});
            merge(&mut record.account, hold);
            "the ledger"
        }
        State::InvitationExpired => {
            merge(&mut record.account, ledger(&json!([attempt(1, "2026-11-01T09:00:00Z", "Sent")])));
            "the ledger"
        }
        State::Invited => {
            merge(&mut record.account, ledger(&json!([attempt(1, "2026-11-24T09:00:00Z", "Sent")])));
            "the ledger"
        }
        State::Pending => "the ledger",
    }
}

/// The other account has both addresses that a cause may ask for.
fn of_both() -> Value {
    json!({"desired": {"email": "bea@maple.example"}, "acceptance": {"login": "ana@maple.example"}})
}

fn record() -> Record {
    let desired = json!({"desired": {"firstName": "Ana", "lastName": "Silva"}});
    let spec = json!({"firstName": "Ana", "lastName": "Silva", "type": "Practitioner"});
    let address = Address { claim: Some(("a-1".into(), "c1".into())), others: Vec::new() };
    Record { metadata: json!({}), spec, clinic: json!({}), account: desired, address }
}

#[test]
fn each_cause_alone_shows_its_state() {
    for state in State::ALL {
        let mut record = record();
        cause(state, &mut record);
        assert_eq!(record.state(), state);
    }
}

#[test]
fn of_every_two_causes_that_can_come_together_the_first_in_the_order_of_precedence_shows() {
    let mut pairs = 0;
    for first in State::ALL {
        for second in State::ALL.into_iter().filter(|second| first < *second) {
            for order in [[first, second], [second, first]] {
                let mut record = record();
                let [one, other] = order.map(|state| cause(state, &mut record));
                if one != other {
                    assert_eq!(record.state(), first, "{order:?}");
                    pairs += 1;
                }
            }
        }
    }
    // All of 16 states but for two that are about one address and six that are about one ledger.
    assert_eq!(pairs, 2 * (16 * 15 / 2 - 1 - 6 * 5 / 2));
}
