//! What the checker says to objects, and that the rules of the clinic take whatever it takes. The corpus stands in `tests/validate`.

use proptest::prelude::*;
use serde_json::json;

#[path = "../../../tests/support/any_spec.rs"]
mod any_spec;

use any_spec::any_spec;

use super::*;
use crate::api::clinic_user::ClinicUserSpec;

fn user(spec: &Value) -> Value {
    json!({"apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser", "metadata": {"name": "ana"}, "spec": spec})
}

fn said(checker: &Checker, object: &Value) -> Vec<String> {
    checker
        .check("ClinicUser", object, None)
        .into_iter()
        .map(|finding| format!("{}: {}", finding.path, finding.message))
        .collect()
}

#[test]
fn every_violation_is_told_at_once_and_a_rule_only_where_it_sees_right_shapes() {
    let checker = Checker::new().unwrap();
    let object = user(&json!({
        "email": "ana", "type": "Staff", "license": "CHRPlus", "firstName": 7, "roles": ["a", "a"], "sign": 1,
    }));
    let found: Vec<_> =
        checker.check("ClinicUser", &object, None).into_iter().map(|f| (f.path.to_string(), f.problem)).collect();
    let expected = [
        ("spec.email", Problem::Invalid),
        ("spec.firstName", Problem::WrongType),
        ("spec.roles[1]", Problem::Duplicate),
        ("spec.sign", Problem::UnknownField),
    ];
    assert_eq!(found, expected.map(|(path, problem)| (path.to_owned(), problem)));
    let without_them = user(&json!({"email": "ana@maple.example", "type": "Staff", "license": "CHRPlus"}));
    assert_eq!(said(&checker, &without_them), ["spec.license: only a Standard practitioner has a license: remove it"]);
}

#[test]
fn a_kind_of_somebody_else_is_not_judged() {
    let checker = Checker::new().unwrap();
    assert_eq!(checker.check("Deployment", &json!({"spec": 1}), None), []);
}

#[test]
fn an_object_that_is_no_object_is_refused() {
    let checker = Checker::new().unwrap();
    for object in [json!(null), json!([]), json!("text"), json!(1)] {
        assert_eq!(checker.check("ClinicUser", &object, None).len(), 1, "{object}");
    }
}

proptest! {
    #[test]
    fn what_is_accepted_here_is_accepted_by_the_domain(spec in any_spec()) {
        thread_local!(static CHECKER: Checker = Checker::new().unwrap());
        CHECKER.with(|checker| {
            if checker.check("ClinicUser", &user(&spec), None).is_empty() {
                let mut spec = spec;
                spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
                let parsed: ClinicUserSpec = serde_json::from_value(spec).unwrap();
                prop_assert!(parsed.parse().is_ok(), "{parsed:?}");
            }
            Ok(())
        })?;
    }
}
