//! What is wrong is said in one line that says what to do, and by the exit code.

use serde_json::{Value, json};

use super::{Person, VIEWER, rules};
use crate::support::control_plane::control_plane;
use crate::support::http::free_port;
use crate::support::process::write_private;
use crate::world::{World, staff};

#[test]
fn a_name_that_nobody_has_is_answered_with_those_like_it() {
    let world = World::new("nobody");
    let viewer = Person::viewer(&world);
    let namespace = world.namespace.name();
    world.apply(&[staff("ana-silva", "ana@maple.example"), staff("omar-haddad", "omar@maple.example")].concat());
    for (name, rest) in [
        ("ana-slva", "did you mean ana-silva?"),
        ("Omar Haddad", "did you mean omar-haddad?"),
        ("mei-chen", "kubectl clinic members --all lists them"),
        ("omar", "did you mean omar-haddad?"),
    ] {
        let error = viewer.fails(3, &["why", name]);
        assert_eq!(error, format!("there is no member \"{name}\" in the namespace \"{namespace}\"; {rest}"));
    }
    let error = viewer.fails(2, &["why", "ana-silva/status"]);
    assert!(error.starts_with("\"ana-silva/status\" names no member: "), "{error}");
    let error = viewer.fails(3, &["why", "clinicuser/../clinics"]);
    assert!(error.starts_with("there is no member \"../clinics\""), "{error}");
}

#[test]
fn a_wrong_namespace_is_told_from_one_without_a_clinic() {
    let world = World::without_clinic("empty");
    let viewer = Person::viewer(&world);
    let namespace = world.namespace.name();
    let no_clinic = format!(
        "there is no Clinic in the namespace \"{namespace}\"; name the clinic's namespace with -n, or apply its Clinic"
    );
    for command in [vec!["members"], vec!["holds"], vec!["release", "removals-1"]] {
        assert_eq!(viewer.fails(3, &command), no_clinic);
    }
    let error = viewer.fails(4, &["members", "-n", "default"]);
    assert!(error.starts_with("you may not list resource \"clinicusers\" in API group \"clinic-operator.dev\" in the namespace \"default\"; ask"), "{error}");
    // Whoever may look at namespaces learns which of the two it is.
    let everywhere = Person { kubeconfig: control_plane().kubeconfig.clone(), _folder: tempfile::tempdir().unwrap() };
    for command in [vec!["members"], vec!["holds"], vec!["why", "ana"], vec!["resend", "ana"]] {
        let error = everywhere.fails(3, &[&command[..], &["-n", "no-such-clinic"]].concat());
        assert_eq!(error, "there is no namespace \"no-such-clinic\" in this cluster; name the clinic's with -n");
    }
}

#[test]
fn who_may_only_look_may_not_resend() {
    let world = World::new("looking");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    let error = Person::viewer(&world).fails(4, &["resend", "ana"]);
    assert!(error.starts_with("you may not patch resource \"clinicusers\""), "{error}");
    let stranger = Person::new(&world.namespace, "stranger", &[]);
    for command in
        [vec!["members"], vec!["why", "ana"], vec!["resend", "ana"], vec!["holds"], vec!["release", "removals-1"]]
    {
        let error = stranger.fails(4, &command);
        assert!(
            error.starts_with("you may not ")
                && error.ends_with("; ask whoever runs the clinic for a Role that allows it"),
            "{error}"
        );
    }
}

/// A viewer's kubeconfig with changes (see `serde_json::Value::pointer`).
fn changed(person: &Person, changes: &[(&str, Value)]) {
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&person.kubeconfig).unwrap()).unwrap();
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        config.pointer_mut(parent).unwrap()[field] = value.clone();
    }
    write_private(&person.kubeconfig, &config.to_string());
}

#[test]
fn a_cluster_that_cannot_be_used_is_told_with_where_to_look() {
    let world = World::without_clinic("unusable");
    let viewer = Person::viewer(&world);
    let server = control_plane().server.clone();
    let fine: Value = serde_json::from_str(&std::fs::read_to_string(&viewer.kubeconfig).unwrap()).unwrap();
    let token = fine["users"][0]["user"].clone();
    let nobody = format!("https://127.0.0.1:{}", free_port());
    for (changes, beginning) in [
        (vec![("/clusters/0/cluster/server", json!(nobody))], format!("the cluster at {nobody}/ cannot be used: no answer: ")),
        (vec![("/users/0/user", json!({"token": "wrong"}))], format!("the cluster at {server}/ does not accept your credentials")),
        (
            vec![("/users/0/user", json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/nonexistent/get-token", "interactiveMode": "Never"}}))],
            "failed to get credentials for the cluster: the credential plugin of the kubeconfig does not start: ".to_owned(),
        ),
        (
            vec![("/users/0/user", json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", "echo canary; exit 3"], "interactiveMode": "Never"}}))],
            "failed to get credentials for the cluster: the credential plugin of the kubeconfig failed (exit status: 3)".to_owned(),
        ),
    ] {
        changed(&viewer, &changes);
        let error = viewer.fails(1, &["members"]);
        assert!(error.starts_with(&beginning) && !error.contains("canary"), "{error}");
        changed(&viewer, &[("/clusters/0/cluster/server", json!(server)), ("/users/0/user", token.clone())]);
    }
    // A credential plugin that works is what most clusters in a cloud have.
    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token["token"]}});
    let exec = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": [credential.to_string()], "interactiveMode": "Never"}});
    changed(&viewer, &[("/users/0/user", exec)]);
    let error = viewer.fails(3, &["members"]);
    assert!(error.starts_with("there is no Clinic"), "it asked the cluster: {error}");
    // A proxy of the environment is not for this machine.
    let mut command = viewer.command(&["clinic", "members"]);
    let output = command.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", free_port())).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = viewer.fails(1, &["members", "--context", "nowhere"]);
    assert!(error.contains("nowhere"), "{error}");
    let error = viewer.fails(1, &["members", "--kubeconfig", "/nonexistent/kubeconfig"]);
    assert!(error.starts_with("failed to read the kubeconfig /nonexistent/kubeconfig: "), "{error}");
    assert_eq!(viewer.says(&["members", "--output", "xml"]).code, 2);
    assert_eq!(viewer.says(&["no-such-command"]).code, 2);
}

#[test]
fn a_cluster_without_our_kinds_is_told_so() {
    let bare = crate::support::control_plane::ControlPlane::without_kinds();
    let everywhere = Person { kubeconfig: bare.kubeconfig.clone(), _folder: tempfile::tempdir().unwrap() };
    for command in
        [vec!["members"], vec!["why", "ana"], vec!["resend", "ana"], vec!["holds"], vec!["release", "removals-1"]]
    {
        let error = everywhere.fails(1, &command);
        assert!(error.starts_with("this cluster has no custom resources of clinic-operator.dev: "), "{error}");
    }
}

#[test]
fn the_flags_of_kubectl_name_another_clinic() {
    let world = World::new("flags");
    world.apply(&staff("ana", "ana@maple.example"));
    let viewer = Person::new(&world.namespace, "viewer", &rules(VIEWER));
    changed(&viewer, &[("/contexts/0/context/namespace", json!("default"))]);
    viewer.fails(4, &["why", "ana"]);
    let namespace = world.namespace.name();
    let screen = viewer.ok(&["-n", namespace, "why", "ana"]);
    assert!(screen.starts_with(&format!("clinicuser/ana in {namespace}\n")), "{screen}");
    let kubeconfig = viewer.kubeconfig.to_str().unwrap();
    let screen = viewer.ok(&["why", "ana", "--namespace", namespace, "--kubeconfig", kubeconfig]);
    assert!(screen.starts_with(&format!("clinicuser/ana in {namespace}\n")), "{screen}");
}
