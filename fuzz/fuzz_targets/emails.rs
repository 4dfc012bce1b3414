//! Any text as an address: the schema of the CRDs and the operator take the same ones.
#![no_main]

use std::cell::OnceCell;

use clinic_operator::api::check::Checker;
use clinic_operator::domain::email::Email;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

thread_local!(static CHECKER: OnceCell<Checker> = const { OnceCell::new() });

fuzz_target!(|text: &str| {
    let member = json!({
        "apiVersion": "clinic-operator.dev/v1alpha1",
        "kind": "ClinicUser",
        "metadata": {"name": "ana"},
        "spec": {"type": "Staff", "email": text},
    });
    let findings = CHECKER.with(|checker| {
        checker.get_or_init(|| Checker::new().expect("the CRDs compile")).check("ClinicUser", &member, None)
    });
    assert_eq!(findings.is_empty(), Email::parse(text).is_ok(), "{text:?}: {findings:?}");
});
