//! What the Roles for people allow, asked of a real API server. What admission policies refuse on top never stands here.

use serde_json::{Value, json};

use crate::helm::{CLINIC, control_plane, install, namespace};
use crate::support::control_plane::Namespace;

/// Whoever is asked about: user and group, as an API server knows them.
type Person<'a> = (&'a str, &'a str);

#[test]
fn people_may_do_what_their_role_says_and_nothing_else() {
    let namespace = namespace("people");
    install("birch", CLINIC, &namespace, &[]).ok();
    let administrator = format!("system:serviceaccount:{}:administrator", namespace.name());
    // The subjects of tests/charts/values/birch.yaml, and somebody else.
    let people: [Person; 4] = [("rose", "birch-reception"), ("ines", ""), (&administrator, ""), ("eve", "")];
    let mut questions = Vec::new();
    for (verbs, resource, allowed) in [
        ("get list watch", "clinicusers", [true, true, true]),
        ("get list watch", "clinicserviceaccounts", [true, true, true]),
        ("get list watch", "clinics", [true, true, true]),
        ("get list watch", "events", [true, true, true]),
        ("create update patch delete", "clinicusers", [false, true, true]),
        ("create update patch delete", "clinicserviceaccounts", [false, true, true]),
        ("create update patch administer", "clinics", [false, false, true]),
        ("get list watch", "clinicaccounts", [false, false, true]),
        ("get", "namespaces", [true, true, true]),
        ("patch", "namespaces", [false, false, false]),
        ("create update patch delete", "clinicaccounts", [false, false, false]),
        ("patch update", "clinicusers/status", [false, false, false]),
        ("delete operate authenticate", "clinics", [false, false, false]),
        ("deletecollection", "clinicusers", [false, false, false]),
        ("get", "cliniccredentials", [false, false, false]),
        ("get", "emailclaims", [false, false, false]),
        ("get", "secrets", [false, false, false]),
        ("get", "configmaps", [false, false, false]),
    ] {
        let [viewer, editor, administrator] = allowed;
        for (person, expected) in people.into_iter().zip([viewer, editor, administrator, false]) {
            questions.extend(verbs.split(' ').map(|verb| (person, verb, resource, expected)));
        }
    }
    let reviews = questions.iter().map(|(person, verb, resource, _)| review(&namespace, *person, verb, resource));
    let answers = answers(&namespace, &reviews.collect::<Vec<_>>());
    assert_eq!(answers.len(), questions.len());
    let wrong = questions.iter().zip(answers).filter(|((.., expected), answer)| expected != answer);
    let wrong: Vec<_> = wrong.map(|((person, verb, resource, _), answer)| (person.0, verb, resource, answer)).collect();
    assert!(wrong.is_empty(), "who, verb, resource, and whether it is allowed: {wrong:?}");
}

fn review(namespace: &Namespace, (user, group): Person, verb: &str, resource: &str) -> Value {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let is_ours = resource.starts_with("clinic") || resource == "emailclaims";
    let asked = json!({
        "namespace": namespace.name(),
        "group": if is_ours { "clinic-operator.dev" } else { "" },
        "verb": verb,
        "resource": resource,
        "subresource": subresource,
    });
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "LocalSubjectAccessReview",
        "metadata": {"namespace": namespace.name()},
        "spec": {"user": user, "groups": [group], "resourceAttributes": asked},
    })
}

/// What the API server's authorizer says to each.
fn answers(namespace: &Namespace, reviews: &[Value]) -> Vec<bool> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": reviews}).to_string();
    let template = "--output=jsonpath={.status.allowed} ";
    let said = control_plane().kubectl_stdin(namespace, &["create", "--filename", "-", template], &list).ok();
    said.split_whitespace().map(|allowed| allowed == "true").collect()
}
