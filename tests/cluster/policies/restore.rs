//! Who turns restore mode on and off: whoever has the verb `restore`, and the controller at its end alone.

use clinic_operator::adapters::clock::Clock;
use clinic_operator::domain::restore::{RESTORE_MODE, open_until};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{CLAIM, Ground, claim};
use crate::support::control_plane::{Output, control_plane};
use crate::support::wait::{PATIENCE, eventually_ok};

/// The writes by which the API server takes an annotation of a Namespace.
const WAYS: [&str; 3] = ["", "/status", "/finalize"];
const TAKES: &str = "takes \"open until\" and an instant in UTC";
const NOTHING_ELSE: &str = "the controller may turn off the restore mode of its Namespace; beside what the platform stamps it may change nothing";

/// Labels and annotations by which a namespace is guarded.
const GUARDS: [(&str, &str); 3] = [
    ("labels", "pod-security.kubernetes.io/enforce"),
    ("annotations", "scheduler.alpha.kubernetes.io/node-selector"),
    ("annotations", "openshift.io/sa.scc.uid-range"),
];

fn in_an_hour() -> String {
    open_until(Clock.now() + SignedDuration::from_hours(1))
}

fn annotated(value: Option<&str>) -> Value {
    json!({"metadata": {"annotations": {RESTORE_MODE: value}}})
}

impl Ground {
    /// Patches the Namespace, or that part of it.
    fn patch(&self, user: Option<&str>, way: &str, body: &Value) -> Result<Value, String> {
        let path = format!("/api/v1/namespaces/{}{way}", self.namespace.name());
        // Of the two others the API server wants the whole object.
        if way.is_empty() {
            return control_plane().ask(user, "PATCH", &path, Some(body));
        }
        let mut whole = control_plane().ask(None, "GET", path.trim_end_matches(way), None)?;
        for (field, changes) in body["metadata"].as_object().expect("of its metadata only") {
            for (key, value) in changes.as_object().expect("labels or annotations") {
                let all = whole["metadata"].as_object_mut().unwrap().entry(field.clone()).or_insert_with(|| json!({}));
                if value.is_null() {
                    all.as_object_mut().unwrap().remove(key);
                } else {
                    all[key] = value.clone();
                }
            }
        }
        control_plane().ask(user, "PUT", &path, Some(&whole))
    }

    /// Lets somebody write this Namespace, and with it the records' restore mode if `verbs` on clinics has `restore`.
    fn writes_the_namespace(&self, subject: &str, verbs: &[&str]) {
        let rules = json!([
            {"apiGroups": [""], "resources": ["namespaces", "namespaces/status", "namespaces/finalize"],
             "verbs": ["get", "update", "patch"]},
            {"apiGroups": ["clinic-operator.dev"], "resources": ["clinics"], "verbs": verbs},
        ]);
        let role = format!("of-{}", subject.replace(':', "-"));
        let api = "rbac.authorization.k8s.io/v1";
        let object = json!({"apiVersion": api, "kind": "Role", "metadata": {"name": role}, "rules": rules});
        kubectl(self, &["create", "-f", "-"], &object).ok();
        self.bind(&role, subject);
        self.wait_until_may(verbs[0], "clinics", subject);
    }

    fn records_may_be_written(&self) -> bool {
        let path = format!("{}?dryRun=All", self.namespace.path("emailclaims"));
        control_plane().ask(None, "POST", &path, Some(&claim(CLAIM))).is_ok()
    }
}

fn kubectl(ground: &Ground, arguments: &[&str], object: &Value) -> Output {
    control_plane().kubectl_stdin(&ground.namespace, arguments, &object.to_string())
}

#[test]
fn the_right_to_write_a_namespace_is_no_right_to_turn_restore_mode_on_or_off() {
    let ground = Ground::new("restore");
    let clinic = ground.namespace.name();
    ground.writes_the_namespace("nadia", &["get"]);
    ground.writes_the_namespace("rita", &["restore"]);
    let refused = |way: &str, value: Option<&str>, word: &str| {
        let answer = ground.patch(Some("nadia"), way, &annotated(value));
        let refusal = answer.expect_err("who only writes Namespaces is refused");
        let expected = format!(
            "only who may restore the clinic {clinic} (a Role with the verb restore on clinics) may turn its restore mode {word}"
        );
        assert!(refusal.contains(&expected), "{way} {value:?}: {refusal}");
    };
    for way in WAYS {
        refused(way, Some(&in_an_hour()), "on");
        refused(way, Some("open"), "on");
        assert!(!ground.records_may_be_written());
        let note =
            json!({"metadata": {"annotations": {"maple.example/note": way}, "labels": {"maple.example/note": "x"}}});
        ground.patch(Some("nadia"), way, &note).expect("everything else of it");
        for user in [Some("rita"), None] {
            ground.patch(user, way, &annotated(Some(&in_an_hour()))).unwrap();
            refused(way, Some(&open_until(Clock.now() + SignedDuration::from_hours(20))), "on");
            refused(way, None, "off");
            ground.patch(Some("nadia"), way, &annotated(Some(&current(&ground)))).expect("it changes nothing");
            eventually_ok(PATIENCE, "records to be restored", || {
                ground.records_may_be_written().then_some(()).ok_or(())
            });
            ground.patch(user, way, &annotated(None)).unwrap();
            eventually_ok(PATIENCE, "restore mode to be over", || {
                (!ground.records_may_be_written()).then_some(()).ok_or(())
            });
        }
    }
}

fn current(ground: &Ground) -> String {
    let namespace = format!("/api/v1/namespaces/{}", ground.namespace.name());
    let namespace = control_plane().ask(None, "GET", &namespace, None).unwrap();
    namespace["metadata"]["annotations"][RESTORE_MODE].as_str().expect("it is on").to_owned()
}

#[test]
fn nothing_but_an_instant_turns_restore_mode_on_whoever_writes_it() {
    let ground = Ground::new("values");
    for value in [
        "open",
        "shut",
        "",
        "true",
        "open until",
        "open until tomorrow",
        "open until 2027-03-01",
        "open until 2027-03-01T18:00:00",
        "open until 2027-03-01T18:00:00+01:00",
        "open until 2027-13-01T18:00:00Z",
        "open until 2027-03-01T25:00:00Z",
        "Open until 2027-03-01T18:00:00Z",
        "open until 2027-03-01T18:00:00Z and longer",
    ] {
        let refusal = ground.patch(None, "", &annotated(Some(value))).unwrap_err();
        assert!(refusal.contains(TAKES), "{value}: {refusal}");
    }
    assert!(!ground.records_may_be_written());
}

#[test]
fn a_namespace_that_is_made_in_restore_mode_takes_the_same_verb() {
    let ground = Ground::new("made");
    let cluster_role = |name: &str, rules: Value| {
        let api = "rbac.authorization.k8s.io/v1";
        let name = format!("{name}-{}", ground.namespace.name());
        let role = json!({"apiVersion": api, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
        kubectl(&ground, &["create", "-f", "-"], &role).ok();
        let binding =
            ["create", "clusterrolebinding", &name, &format!("--clusterrole={name}"), &format!("--user={name}")];
        control_plane().kubectl(&ground.namespace, &binding).ok();
        name
    };
    let makes = json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create"]});
    let restores = json!({"apiGroups": ["clinic-operator.dev"], "resources": ["clinics"], "verbs": ["restore"]});
    let gitops = cluster_role("gitops", json!([makes]));
    let backups = cluster_role("backups", json!([makes, restores]));
    let make = |user: &str, annotations: Value| {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": format!("new-{}", ground.namespace.name()), "annotations": annotations}});
        control_plane().ask(Some(user), "POST", "/api/v1/namespaces?dryRun=All", Some(&namespace))
    };
    for user in [&gitops, &backups] {
        eventually_ok(PATIENCE, "the right to make namespaces", || make(user, json!({"maple.example/note": "x"})));
    }
    let refusal = make(&gitops, json!({RESTORE_MODE: in_an_hour()})).unwrap_err();
    assert!(refusal.contains("only who may restore the clinic new-"), "{refusal}");
    make(&backups, json!({RESTORE_MODE: in_an_hour()})).unwrap();
    assert!(make(&backups, json!({RESTORE_MODE: "open"})).unwrap_err().contains(TAKES));
}

#[test]
fn the_controller_ends_restore_mode_and_changes_nothing_else_of_its_namespace() {
    let ground = Ground::new("ender");
    let controller = ground.namespace.controller();
    eventually_ok(PATIENCE, "the controller's right", || ground.patch(Some(&controller), "", &json!({"metadata": {}})));
    let refused = |body: &Value| {
        let refusal = ground.patch(Some(&controller), "", body).unwrap_err();
        assert!(refusal.contains(NOTHING_ELSE), "{body}: {refusal}");
    };
    let of = |field: &str, key: &str| json!({"metadata": {field: {key: "privileged"}}});
    let both = |field: &str, key: &str| {
        let mut body = annotated(None);
        body["metadata"][field][key] = json!("privileged");
        body
    };
    let refusal = ground.patch(Some(&controller), "", &annotated(Some(&in_an_hour()))).unwrap_err();
    assert!(refusal.contains("only who may restore the clinic"), "{refusal}");
    for (field, key) in GUARDS.into_iter().chain([("labels", "maple.example/x"), ("annotations", "maple.example/x")]) {
        refused(&of(field, key));
    }
    for mode in 0..2 {
        ground.patch(None, "", &annotated(Some(&in_an_hour()))).unwrap();
        for (field, key) in GUARDS {
            refused(&both(field, key));
        }
        refused(&json!({"metadata": {"annotations": {RESTORE_MODE: null}, "finalizers": ["maple.example/kept"]}}));
        let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": "x", "uid": "x"}]);
        refused(&json!({"metadata": {"annotations": {RESTORE_MODE: null}, "ownerReferences": owner}}));
        // As a policy of the platform stamps it.
        let ends = if mode == 0 { annotated(None) } else { both("labels", "platform.example/updated") };
        ground.patch(Some(&controller), "", &ends).unwrap();
    }
    // The portal has no right to write it at all, and another namespace's controller is nobody here.
    let elsewhere = control_plane().namespace("elsewhere");
    super::identities(&elsewhere);
    ground.writes_the_namespace(&elsewhere.controller(), &["get"]);
    ground.patch(None, "", &annotated(Some(&in_an_hour()))).unwrap();
    for stranger in [ground.namespace.portal(), elsewhere.controller()] {
        let refusal = ground.patch(Some(&stranger), "", &annotated(None)).unwrap_err();
        assert!(refusal.contains("forbidden"), "{refusal}");
    }
    ground.patch(None, "", &annotated(None)).unwrap();
}
