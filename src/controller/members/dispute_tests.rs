//! §5's table where another account has the address, case by case.

use serde_json::{Value, json};

use super::super::observe::{Other, Presence};
use super::super::step::Step;
use super::super::test_world::*;
use crate::api::ClinicUser;
use crate::api::account::{Holder, Removed};
use crate::controller::members::observe::Observed;
use crate::controller::members::step::Decision;
use crate::domain::verdict::Obstacle;

fn seen_gone(mut observed: Observed) -> Observed {
    observed.live.gone.insert("0".into());
    observed
}

fn bea(annotations: &Value) -> ClinicUser {
    user(&json!({"firstName": "Bea", "lastName": "Roy"}), annotations)
}

#[test]
fn who_comes_second_does_nothing_and_is_told_who_has_the_address() {
    for observed in [new_member(), known_member(&json!({"desired": {"email": null}}))] {
        let decision = next(&taken_by(there(), Observed { own_claims: Vec::new(), ..observed }));
        let Some(Obstacle::EmailConflict { holder, is_a_swap: false }) = decision.obstacle else { panic!() };
        assert_eq!((decision.step, holder.as_str()), (None, "ClinicUser \"old\""));
    }
}

#[test]
fn two_accepted_members_who_want_each_others_address_are_told_the_way_out() {
    let other = Other { holder: Presence::There, wants_ours: true, ..gone(&json!({}), true) };
    let moved = Observed {
        user: user(&json!({"email": "old@maple.example"}), &json!({})),
        login: Some((claim("ana@maple.example"), known_member(&json!({})).address)),
        ..known_member(&accepted("ana@maple.example"))
    };
    let decision = next(&taken_by(other, moved));
    assert!(matches!(decision.obstacle, Some(Obstacle::EmailConflict { is_a_swap: true, .. })), "{decision:?}");
}

#[test]
fn nobody_counts_as_gone_before_the_api_server_was_asked() {
    for accepted in [false, true] {
        let decision = next(&taken_by(gone(&json!({}), accepted), new_member()));
        assert_eq!(decision.step, Some(Step::AskWhetherGone(Holder { name: "old".into(), uid: "0".into() })));
    }
}

#[test]
fn the_same_person_gets_the_account_back_as_it_stands_and_nothing_is_mailed() {
    let names = json!({"firstName": "Ana", "lastName": "Silva"});
    let record = json!({"desired": {"firstName": "ANA", "lastName": "Silva", "removed": {"at": "2026-11-24T09:00:00Z"},
        "hold": {"id": "removals-1"}, "decisions": 3}});
    let manifest = user(&names, &json!({"clinic-operator.dev/resend": "7"}));
    let Some(Step::PatchDesired { account, desired }) =
        next(&seen_gone(taken_by(gone(&record, true), Observed { user: manifest, ..new_member() }))).step
    else {
        panic!("expected a patch")
    };
    assert_eq!((account.spec.id.as_str(), desired.holder.uid.as_str(), desired.decisions), ("a-0", "1", 3));
    assert_eq!((desired.removed, desired.hold), (None, None));
    assert_eq!(desired.email.as_deref(), Some("ana@maple.example"));
    assert_eq!((desired.resend, desired.resend_at_adoption.as_deref()), (None, Some("7")), "counts as answered");
}

#[test]
fn a_resend_that_was_there_at_the_adoption_is_answered_for_as_long_as_it_stays() {
    let record = json!({"desired": {"resendAtAdoption": "7"}});
    let with = |value: &str| {
        let user = user(&json!({}), &json!({"clinic-operator.dev/resend": value}));
        Observed { user, ..known_member(&record) }
    };
    assert_eq!(next(&with("7")), Decision::default());
    let desired = patched(&with("8"));
    assert_eq!((desired.resend.as_deref(), desired.resend_at_adoption), (Some("8"), None));
}

#[test]
fn an_account_that_nobody_accepted_gives_the_address_up_in_two_steps() {
    let other = |record: &Value| Observed { user: bea(&json!({})), ..taken_by(gone(record, false), new_member()) };
    let mut desired = patched(&seen_gone(other(&json!({}))));
    assert_eq!((desired.email.take(), desired.releasing.as_slice()), (None, ["c0".to_owned()].as_slice()));
    let given_up = json!({"desired": {"email": null, "releasing": ["c0"]}});
    assert_eq!(
        next(&Observed { user: bea(&json!({})), ..other(&given_up) }).step,
        Some(Step::DeleteClaim { claim: claim("ana@maple.example"), uid: "c0".into() })
    );
}

#[test]
fn a_claim_without_account_gets_one_so_that_it_can_be_given_up() {
    let orphan = Other { account: None, ..gone(&json!({}), false) };
    let Some(Step::CreateAccount(made)) = next(&taken_by(orphan, new_member())).step else {
        panic!("expected an account")
    };
    assert_eq!((made.id.as_str(), made.desired.holder.uid.as_str(), made.desired.email), ("a-0", "0", None));
    assert_eq!(made.desired.releasing, ["c0"]);
}

#[test]
fn a_claim_left_over_from_another_address_is_given_up_and_the_account_left_alone() {
    let record = json!({"desired": {"email": "other@maple.example"},
        "acceptance": {"login": "other@maple.example"}});
    let desired = patched(&seen_gone(taken_by(gone(&record, true), new_member())));
    assert_eq!(desired.email.as_deref(), Some("other@maple.example"));
    assert_eq!(desired.releasing, ["c0"]);
}

#[test]
fn a_former_members_account_goes_to_nobody_before_a_person_says_whose_it_is() {
    let former = |annotations: &Value, record: &Value| {
        seen_gone(taken_by(gone(record, true), Observed { user: bea(annotations), ..new_member() }))
    };
    let decisions = json!({"desired": {"decisions": 2}});
    let stuck = next(&former(&json!({"clinic-operator.dev/reactivate": "a-0.1"}), &decisions));
    let obstacle = |has_access| {
        let (account, manifest, approval) = ("a-0".into(), "old".into(), "a-0.2".into());
        Some(Obstacle::FormerMember { account, manifest, approval, may_reactivate: true, has_access })
    };
    assert_eq!((stuck.step, stuck.obstacle), (None, obstacle(false)));
    for granted in [false, true] {
        let record = json!({"desired": {"decisions": 2}, "access": {"granted": granted, "reason": "Granted"}});
        assert_eq!(next(&former(&json!({}), &record)).obstacle, obstacle(granted));
    }
    let same = patched(&former(&json!({"clinic-operator.dev/reactivate": "a-0.2"}), &decisions));
    assert_eq!((same.holder.uid.as_str(), same.decisions, same.first_name.as_deref()), ("1", 3, Some("Bea")));
    let another = patched(&former(&json!({"clinic-operator.dev/replace": "a-0.2"}), &decisions));
    assert_eq!((another.holder.uid.as_str(), another.decisions, another.email), ("0", 3, None));
    assert_eq!((another.removed, another.releasing), (Some(Removed { at: now() }), vec!["c0".into()]));
}

#[test]
fn a_known_member_takes_over_no_other_account_and_may_only_replace_it() {
    let known = |annotations: &Value| {
        let manifest = user(&json!({"email": "old@maple.example"}), annotations);
        let observed = Observed {
            user: manifest,
            login: Some((claim("ana@maple.example"), known_member(&json!({})).address)),
            ..known_member(&accepted("ana@maple.example"))
        };
        let record = json!({"desired": {"email": "old@maple.example"}, "acceptance": {"login": "old@maple.example"}});
        let mut other = gone(&record, true);
        other.claims = vec![(claim("old@maple.example"), "c0".into())];
        seen_gone(taken_by(other, observed))
    };
    let stuck = next(&known(&json!({"clinic-operator.dev/reactivate": "a-0.0"})));
    assert!(matches!(stuck.obstacle, Some(Obstacle::FormerMember { may_reactivate: false, .. })), "{stuck:?}");
    assert_eq!(patched(&known(&json!({"clinic-operator.dev/replace": "a-0.0"}))).email, None);
}

#[test]
fn the_second_account_of_one_person_gives_its_address_up() {
    let mut observed = known_member(&json!({}));
    observed.spares = vec![there()];
    let Some(Step::PatchDesired { account, desired }) = next(&observed).step else { panic!("expected a patch") };
    assert_eq!((account.spec.id.as_str(), desired.email, desired.releasing), ("a-0", None, vec!["c0".to_owned()]));
    observed.spares =
        vec![Other { account: Some(account_0(&json!({"desired": {"email": null}}))), claims: vec![], ..there() }];
    assert_eq!(next(&observed), Decision::default());
}
