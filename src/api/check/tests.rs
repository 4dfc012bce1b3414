//! What the checker says to objects, and that the rules of the clinic take whatever it takes. The corpus stands in `tests/validate`.

use proptest::prelude::*;
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

#[path = "../../../tests/support/any_spec.rs"]
mod any_spec;

use any_spec::any_spec;

use super::*;
use crate::api::clinic_user::ClinicUserSpec;
use crate::domain::hidden::{HIDDEN, IDEOGRAPHS, JOINERS, JOINING, SELECTORS};
use crate::domain::line;

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

/// Texts of what names and links are made of, and of characters at the edges of the tables.
fn any_name() -> impl Strategy<Value = String> {
    let edges = HIDDEN.iter().chain(&JOINING).chain(&IDEOGRAPHS).chain(&SELECTORS).chain([&JOINERS]);
    let edge =
        |character: &char| [-1, 0, 1].map(|by| u32::from(*character).checked_add_signed(by).and_then(char::from_u32));
    let edges: Vec<char> = edges.flat_map(|range| [range.start(), range.end()]).flat_map(edge).flatten().collect();
    let usual: Vec<char> = "Aaéw./:@ -1李ی\u{200c}\u{200d}\u{d4d}\u{8fbb}\u{e0100}".chars().collect();
    let character = prop_oneof![3 => proptest::sample::select(usual), 1 => proptest::sample::select(edges)];
    let pieces = proptest::sample::select(vec!["evil.example", "www.", "://", "Dr.", "/x"]).prop_map(str::to_owned);
    let piece = prop_oneof![6 => character.prop_map(String::from), 1 => pieces];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]
    #[test]
    fn a_manifest_and_the_portal_s_form_take_the_same_names(text in any_name()) {
        thread_local!(static CHECKER: Checker = Checker::new().unwrap());
        // What the form does before it looks.
        let text: String = text.trim().nfc().collect();
        let spec = json!({"email": "ana@maple.example", "type": "Staff", "firstName": text, "title": text});
        CHECKER.with(|checker| {
            let found = said(checker, &user(&spec));
            let is_refused = |field: &str| found.iter().any(|said| said.starts_with(field));
            prop_assert_eq!(is_refused("spec.firstName"), line::name(&text).is_err(), "{:?}", &found);
            prop_assert_eq!(is_refused("spec.title"), line::title(&text).is_err(), "{:?}", &found);
            Ok(())
        })?;
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
