//! When a hold begins, is released and is over, as a table of ledgers and wishes.

use super::*;
use crate::api::convert::ClinicView;
use crate::controller::accounts::decide::decide;
use crate::domain::guard::Release;
use jiff::Timestamp;
use serde_json::{Value, json};

const ID: &str = "invitations-20270115T080000Z";

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Ana, who was mailed at maple.example in round 1 and is held since; with what differs from that.
fn observed(changes: &[&Value]) -> Observed {
    let mut account = json!({
        "id": "a-1",
        "desired": {"holder": {"name": "ana", "uid": "1"}, "email": "ana@river.example", "type": "Staff"},
        "delivery": {
            "round": 1, "address": "ana@maple.example", "sent": 1, "failed": 0,
            "hold": {"id": ID, "released": false, "limit": 20},
            "attempts": [{"kind": "Invitation", "round": 1, "copy": 1, "messageId": "<m@x>", "tokenDigest": "d1",
                "at": now().to_string(), "date": now().to_string(), "outcome": "Sent"}],
        },
    });
    for change in changes {
        json_patch::merge(&mut account, change);
    }
    let spec: Value = json!({"displayName": "Maple Clinic", "timeZone": "America/Toronto"});
    let clinic = json!({"apiVersion": "clinic-operator.dev/v1alpha1", "kind": "Clinic", "metadata": {"name": "clinic"}, "spec": spec});
    Observed {
        open_for: jiff::SignedDuration::ZERO,
        account: serde_json::from_value(account).unwrap(),
        clinic: Some(ClinicView::new(&serde_json::from_value(clinic).unwrap())),
        address_is_ours: true,
        holder_asks_for_it: true,
    }
}

/// What becomes of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes {
    AsItWas,
    Released,
    Nothing,
}

fn becomes(changes: &[&Value], released: Option<&str>) -> Becomes {
    let mut observed = observed(changes);
    observed.clinic.as_mut().unwrap().released_hold = released.and_then(Release::parse);
    let decision = decide(&observed, now());
    match after(&observed, &decision.invitation).map(|delivery| delivery.hold) {
        None => Becomes::AsItWas,
        Some(None) => Becomes::Nothing,
        Some(hold) => {
            assert_eq!(
                hold,
                Some(Hold {
                    id: ID.to_owned(),
                    released: true,
                    address: Some("ana@river.example".into()),
                    limit: Some(20)
                })
            );
            Becomes::Released
        }
    }
}

#[test]
fn a_hold_lasts_until_it_is_released_or_no_round_is_to_begin_any_more() {
    let some = |names: &str| format!("{ID}: {names}");
    let first = json!({"delivery": {"attempts": null}});
    let accepted = json!({"acceptance": {"acceptedAt": now().to_string(), "login": "ana@maple.example", "firstName": "Ana",
        "lastName": "Silva", "credential": "c"}});
    let undone = json!({"desired": {"email": "ana@maple.example"}});
    let spent = json!({"delivery": {"hold": {"released": true, "limit": null}}});
    let (nothing, is_released) = (json!({}), json!({"delivery": {"hold": {"released": true}}}));
    let (between, suspended) = (json!({"desired": {"email": null}}), json!({"desired": {"suspended": true}}));
    for (why, changes, release, expected) in [
        ("nobody has said anything", &[&nothing][..], None, Becomes::AsItWas),
        ("all are released", &[], Some(ID.to_owned()), Becomes::Released),
        ("she is among those released", &[], Some(some("bea, ana")), Becomes::Released),
        ("others are released", &[], Some(some("bea")), Becomes::AsItWas),
        ("another hold is released", &[], Some("invitations-20270115T080001Z".to_owned()), Becomes::AsItWas),
        ("her first invitation is held", &[&first], None, Becomes::AsItWas),
        ("the edit was undone", &[&undone], None, Becomes::Nothing),
        ("between two addresses", &[&between], None, Becomes::AsItWas),
        ("a confirmation is held", &[&accepted], None, Becomes::AsItWas),
        ("and its edit was undone", &[&accepted, &undone], None, Becomes::Nothing),
        ("released, and about to begin", &[&is_released], Some(ID.to_owned()), Becomes::AsItWas),
        ("released and undone", &[&undone, &is_released], None, Becomes::Nothing),
        (
            "released and spent in version 0.1: nothing is written at an upgrade",
            &[&undone, &spent],
            None,
            Becomes::AsItWas,
        ),
        ("a suspension does not end it", &[&suspended], None, Becomes::AsItWas),
    ] {
        assert_eq!(becomes(changes, release.as_deref()), expected, "{why}");
    }
}

#[test]
fn a_round_that_is_held_leaves_round_and_address_of_the_mails_that_left() {
    let account = observed(&[&json!({"delivery": {"hold": null}})]).account;
    let due = decide(&observed(&[&json!({"delivery": {"hold": null}})]), now()).mail.unwrap();
    let held = begun(&account, &due, ID.to_owned(), 20).unwrap();
    let before = account.delivery.unwrap();
    assert_eq!((due.round, held.round, &held.address), (2, 1, &before.address));
    assert_eq!(held.attempts, before.attempts, "their links live as long as their address is wished for");
    let decision = decide(&observed(&[]), now());
    assert_eq!((decision.mail, decision.held), (None, Some(due)), "what is held is known");
}

#[test]
fn only_a_guard_that_was_raised_lets_a_held_round_go_on_and_only_if_it_fits() {
    let account = observed(&[]).account;
    let raised_to = |per_hour, fits: bool| raised(&account, per_hour, || fits);
    assert_eq!((raised_to(20, true), raised_to(10, true)), (None, None), "the passing of time lets nothing go");
    assert_eq!(raised_to(21, true).unwrap().hold, None);
    let still = Some(Hold { id: ID.to_owned(), released: false, address: None, limit: Some(21) });
    assert_eq!(raised_to(21, false).unwrap().hold, still, "held at the new limit");
    let of_0_1 = observed(&[&json!({"delivery": {"hold": {"limit": null}}})]).account;
    assert_eq!(raised(&of_0_1, 1000, || true), None, "the limit of a hold of version 0.1 is not known");
}

#[test]
fn a_release_is_for_the_address_that_was_held_and_for_no_later_one() {
    let mut observed = observed(&[]);
    observed.clinic.as_mut().unwrap().released_hold = Release::parse(ID);
    let decision = decide(&observed, now());
    let released = after(&observed, &decision.invitation).unwrap();
    for (address, expected) in [
        (Some("ana@river.example"), true),
        (Some("Ana@River.example"), true),
        (Some("stranger@river.example"), false),
        (None, false),
    ] {
        assert_eq!(released.is_released(address), expected, "{address:?}");
    }
}
