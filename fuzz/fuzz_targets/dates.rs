//! Any text as a day: the schema of the CRDs and the operator take the same ones.
#![no_main]

use std::cell::OnceCell;

use clinic_operator::api::check::Checker;
use clinic_operator::domain::calendar::parse_date;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

thread_local!(static CHECKER: OnceCell<Checker> = const { OnceCell::new() });

fuzz_target!(|text: &str| {
    let trainee = json!({
        "apiVersion": "clinic-operator.dev/v1alpha1",
        "kind": "ClinicUser",
        "metadata": {"name": "sam"},
        "spec": {
            "type": "Practitioner",
            "classification": "ClinicalTrainee",
            "email": "sam@university.example",
            "expectedEndOfTraining": text,
        },
    });
    let findings = CHECKER.with(|checker| {
        checker.get_or_init(|| Checker::new().expect("the CRDs compile")).check("ClinicUser", &trainee, None)
    });
    assert_eq!(findings.is_empty(), parse_date(text).is_some(), "{text:?}: {findings:?}");
});
