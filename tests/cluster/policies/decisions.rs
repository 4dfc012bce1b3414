//! Who decides whose account it is and what a guard lets through: clinic administrators, not whoever edits members.

use serde_json::{Value, json};

use super::Ground;
use crate::support::control_plane::control_plane;
use crate::support::wait::{PATIENCE, eventually_ok};

const REACTIVATE: &str = "clinic-operator.dev/reactivate";
const REPLACE: &str = "clinic-operator.dev/replace";
const SIGN_OUT: &str = "clinic-operator.dev/sign-out";
const RELEASE_HOLD: &str = "clinic-operator.dev/release-hold";

/// As the chart's Roles for people are.
fn people(ground: &Ground) -> [Option<&'static str>; 3] {
    let edits = ["get", "list", "create", "update", "patch", "delete"];
    ground.grant("member-editor", &edits, &["clinicusers", "clinicserviceaccounts", "clinics"], "edith");
    ground.bind("member-editor", "ada");
    ground.grant("clinic-administrator", &["administer"], &["clinics"], "ada");
    for who in ["edith", "ada"] {
        ground.wait_until_may("patch", "clinicusers", who);
    }
    ground.wait_until_may("administer", "clinics", "ada");
    [Some("edith"), Some("ada"), None]
}

fn annotated(annotations: &Value) -> Value {
    json!({"metadata": {"annotations": annotations}})
}

#[test]
fn only_an_administrator_of_the_clinic_sets_or_changes_a_decision() {
    let ground = Ground::new("decisions");
    let everybody = people(&ground);
    for (resource, name, annotation) in [
        ("clinicusers", "ana", REACTIVATE),
        ("clinicusers", "ana", REPLACE),
        ("clinicusers", "ana", SIGN_OUT),
        ("clinics", "clinic", RELEASE_HOLD),
    ] {
        let ask = |user, body: &Value| ground.ask(user, "PATCH", resource, name, Some(body)).map(drop);
        let refused = |body: &Value| {
            let refusal = ask(Some("edith"), body).unwrap_err();
            let clinic = ground.namespace.name();
            let expected = format!(
                "only an administrator of the clinic {clinic} (a Role with the verb administer on clinics) may set {annotation}; ask one"
            );
            assert!(refusal.contains(&expected), "{refusal}");
        };
        refused(&annotated(&json!({annotation: "1"})));
        for (value, user) in ["1", "2"].into_iter().zip(&everybody[1..]) {
            ask(*user, &annotated(&json!({annotation: value}))).unwrap();
            refused(&annotated(&json!({annotation: "3"})));
        }
        // What is not a decision, who edits may do: everything else, repeating it, and taking it back.
        ask(Some("edith"), &annotated(&json!({"clinic-operator.dev/resend": "1", "maple.example/note": "x"}))).unwrap();
        ask(Some("edith"), &annotated(&json!({annotation: "2"}))).unwrap();
        ask(Some("edith"), &annotated(&json!({annotation: null}))).unwrap();
        refused(&annotated(&json!({annotation: "2"})));
    }
}

#[test]
fn a_decision_that_a_new_manifest_brings_along_is_one_too() {
    let ground = Ground::new("brought");
    let everybody = people(&ground);
    for (user, may) in everybody.into_iter().zip([false, true, true]) {
        for annotation in [REACTIVATE, REPLACE, SIGN_OUT] {
            let mut manifest = annotated(&json!({annotation: "1"}));
            manifest["metadata"]["name"] = json!("bea");
            manifest["apiVersion"] = json!(super::API);
            manifest["kind"] = json!("ClinicUser");
            manifest["spec"] = json!({"email": "bea@maple.example", "type": "Staff"});
            let path = format!("{}?dryRun=All", ground.namespace.path("clinicusers"));
            let answer = control_plane().ask(user, "POST", &path, Some(&manifest));
            let refused = answer.as_ref().is_err_and(|refusal| refusal.contains("only an administrator of the clinic"));
            assert_eq!((answer.is_ok(), refused), (may, !may), "{annotation} by {user:?}: {answer:?}");
        }
    }
}

#[test]
fn a_manifest_that_is_restored_brings_along_what_was_decided_before() {
    let ground = Ground::new("restored");
    people(&ground);
    ground.grant("restores", &["restore"], &["clinics"], "rita");
    ground.bind("member-editor", "rita");
    ground.wait_until_may("restore", "clinics", "rita");
    ground.wait_until_may("create", "clinicusers", "rita");
    let create = |user: &'static str| {
        let manifest = json!({
            "apiVersion": super::API, "kind": "ClinicUser",
            "metadata": {"name": "bea", "annotations": {SIGN_OUT: "a-1.0", REACTIVATE: "a-1.0"}},
            "spec": {"email": "bea@maple.example", "type": "Staff"},
        });
        let path = format!("{}?dryRun=All", ground.namespace.path("clinicusers"));
        control_plane().ask(Some(user), "POST", &path, Some(&manifest)).map(drop)
    };
    assert!(create("rita").is_err(), "a right to restore decides nothing while nothing is restored");
    let open = ground.namespace.open_door();
    eventually_ok(PATIENCE, "a restore to bring decisions along", || create("rita"));
    assert!(create("edith").is_err(), "only who may restore");
    let changed = annotated(&json!({SIGN_OUT: "a-1.1"}));
    let changed = ground.ask(Some("rita"), "PATCH", "clinicusers", "ana", Some(&changed));
    assert!(changed.is_err(), "a manifest that is there is not restored: {changed:?}");
    drop(open);
}

#[test]
fn the_audit_log_tells_who_decided_and_what_was_written_through_the_door() {
    let ground = Ground::new("audited");
    let open = ground.namespace.open_door();
    ground.ask(None, "POST", "emailclaims", "", Some(&super::claim(super::CLAIM))).unwrap();
    drop(open);
    ground.ask(None, "PATCH", "clinicusers", "ana", Some(&annotated(&json!({REPLACE: "1"})))).unwrap();
    eventually_ok(PATIENCE, "both in the log", || {
        let log = std::fs::read_to_string(&control_plane().audit_log).unwrap();
        let of_namespace = |line: &&str| line.contains(&format!("\"namespace\":\"{}\"", ground.namespace.name()));
        let has = |parts: [&str; 2]| {
            log.lines().filter(of_namespace).any(|line| parts.iter().all(|part| line.contains(part)))
        };
        let written = has([super::CLAIM, "\"clinic-operator-records/door\":\"open\""]);
        let decided = has(["\"ana\"", &format!("\"clinic-operator-decisions/decision\":\"{REPLACE}\"")]);
        if written && decided { Ok(()) } else { Err((written, decided)) }
    });
}
