//! Releases on a real API server: installed, upgraded, removed, installed again, side by side. Whether their pods run never
//! stands here.

use crate::helm::{CLINIC, CRDS, control_plane, helm, install, name_of, namespace, objects, on, read, values};
use crate::support::control_plane::{ControlPlane, Namespace, crds};

#[test]
fn a_removed_clinic_keeps_its_clinic_and_members_and_takes_them_over_again() {
    let namespace = namespace("again");
    install("maple", CLINIC, &namespace, &[]).ok();
    let member = read("examples/valid/staff.yaml");
    control_plane().kubectl_stdin(&namespace, &["apply", "--filename", "-"], &member).ok();
    let before = kept(&namespace);

    on(control_plane(), &["uninstall", "maple", "--namespace", namespace.name()]).ok();
    assert_eq!(kept(&namespace), before, "nothing of the clinic is touched");
    let left = control_plane()
        .kubectl(&namespace, &["get", "all,roles,rolebindings,networkpolicies,pdb", "--output=name"])
        .ok();
    assert_eq!(left, "", "everything else is gone");

    install("maple", CLINIC, &namespace, &[]).ok();
    assert_eq!(kept(&namespace), before, "taken over as they were");
    let arguments = ["upgrade", "maple", CLINIC, "--namespace", namespace.name(), "--values", &values("maple")];
    on(control_plane(), &[&arguments[..], &["--set", "clinic.create=false"]].concat()).ok();
    assert_eq!(kept(&namespace), before, "nor does the chart take back the Clinic that it made");
}

#[test]
fn a_second_release_in_a_namespace_is_refused() {
    let namespace = namespace("second");
    install("maple", CLINIC, &namespace, &[]).ok();
    for clinic in ["true", "false"] {
        let create = format!("clinic.create={clinic}");
        let file = values("maple");
        let second = ["install", "other", CLINIC, "--namespace", namespace.name(), "--values", &file, "--set", &create];
        let refused = on(control_plane(), &second).refused();
        assert!(refused.contains("clinic-operator-release") && refused.contains("cannot be imported"), "{refused}");
    }
}

#[test]
fn two_clinics_of_two_chart_versions_do_not_touch_each_other() {
    let (maple, birch) = (namespace("maple"), namespace("birch"));
    let folder = tempfile::tempdir().unwrap();
    helm(["package", CLINIC, "--version", "0.0.1", "--destination", folder.path().to_str().unwrap()]).ok();
    let older = folder.path().join("clinic-operator-0.0.1.tgz");

    install("maple", older.to_str().unwrap(), &maple, &[]).ok();
    let before = versions("maple", &maple);
    install("birch", CLINIC, &birch, &[]).ok();
    assert_eq!(versions("maple", &maple), before);
    let birch_before = versions("birch", &birch);
    let arguments = ["upgrade", "maple", CLINIC, "--namespace", maple.name(), "--values", &values("maple")];
    on(control_plane(), &arguments).ok();
    assert_ne!(versions("maple", &maple), before, "the upgrade changed something");
    assert_eq!(versions("birch", &birch), birch_before);
    on(control_plane(), &["uninstall", "maple", "--namespace", maple.name()]).ok();
    assert_eq!(versions("birch", &birch), birch_before);
}

/// As before there was a chart for them.
#[test]
fn what_was_applied_by_hand_is_taken_over_where_it_is_asked_for() {
    let by_hand = ControlPlane::without_kinds();
    by_hand.install_kinds(&crds());
    let arguments = ["install", "clinic-operator-crds", CRDS, "--namespace", "clinic-operator", "--create-namespace"];
    let refused = on(&by_hand, &arguments).refused();
    assert!(refused.contains("cannot be imported into the current release"), "{refused}");
    on(&by_hand, &[&arguments[..], &["--take-ownership", "--force-conflicts"]].concat()).ok();
}

#[test]
fn the_definitions_outlive_their_chart_and_are_taken_over_again() {
    let bare = ControlPlane::without_kinds();
    let release = ["clinic-operator-crds", "--namespace", "clinic-operator"];
    let definitions = || {
        let columns = "custom-columns=NAME:.metadata.name,UID:.metadata.uid";
        let kinds = "crd,validatingadmissionpolicies,validatingadmissionpolicybindings";
        bare.kubectl_as(&bare.kubeconfig, &["get", kinds, "--output", columns], None).ok()
    };
    on(&bare, &[&["install"], &release[..], &[CRDS, "--create-namespace"]].concat()).ok();
    let before = definitions();
    assert_eq!(before.lines().filter(|line| line.contains(".clinic-operator.dev")).count(), 6, "{before}");
    assert!(before.contains("clinic-operator-records"), "the policies are among them: {before}");
    on(&bare, &[&["uninstall"], &release[..]].concat()).ok();
    assert_eq!(definitions(), before);
    on(&bare, &[&["install"], &release[..], &[CRDS]].concat()).ok();
    assert_eq!(definitions(), before);
}

/// The objects that a person would miss, with what would change if anything did.
fn kept(namespace: &Namespace) -> String {
    let columns = "custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,GENERATION:.metadata.generation";
    let found = control_plane().kubectl(namespace, &["get", "clinics,members", "--output", columns]).ok();
    assert!(found.contains("Clinic ") && found.contains("ClinicUser"), "{found}");
    found
}

/// The objects of a release, each with its resourceVersion.
fn versions(clinic: &str, namespace: &Namespace) -> Vec<String> {
    let objects = objects(clinic, &["--namespace", namespace.name(), "--skip-tests"]);
    let names: Vec<_> = objects.iter().map(name_of).collect();
    let template =
        "--output=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{'\\n'}{end}";
    let arguments = ["get"].into_iter().chain(names.iter().map(String::as_str)).chain([template]);
    let found = control_plane().kubectl(namespace, &arguments.collect::<Vec<_>>()).ok();
    assert_eq!(found.lines().count(), names.len(), "{found}");
    found.lines().map(str::to_owned).collect()
}
