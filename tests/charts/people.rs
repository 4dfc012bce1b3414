//! What the Roles for people allow, asked of a real API server. What admission policies refuse on top never stands here.

use crate::helm::{CLINIC, control_plane, install, namespace};

/// Subjects of `tests/charts/values/birch.yaml`, as the API server is told to take us for them.
const VIEWER: &[&str] = &["--as=rose", "--as-group=birch-reception"];
const EDITOR: &[&str] = &["--as=ines"];
const NOBODY: &[&str] = &["--as=eve"];

#[test]
fn people_may_do_what_their_role_says_and_nothing_else() {
    let namespace = namespace("people");
    install("birch", CLINIC, &namespace, &[]).ok();
    let administrator = format!("--as=system:serviceaccount:{}:administrator", namespace.name());
    let administrator: &[&str] = &[&administrator];
    let mut wrong = Vec::new();
    for (verbs, resource, allowed) in [
        ("get list watch", "clinicusers", [true, true, true]),
        ("get list watch", "clinicserviceaccounts", [true, true, true]),
        ("get list watch", "clinics", [true, true, true]),
        ("get list watch", "events", [true, true, true]),
        ("create update patch delete", "clinicusers", [false, true, true]),
        ("create update patch delete", "clinicserviceaccounts", [false, true, true]),
        ("create update patch administer", "clinics", [false, false, true]),
        ("get list watch", "clinicaccounts", [false, false, true]),
        ("create update patch delete", "clinicaccounts", [false, false, false]),
        ("patch update", "clinicusers/status", [false, false, false]),
        ("delete operate authenticate", "clinics", [false, false, false]),
        ("deletecollection", "clinicusers", [false, false, false]),
        ("get", "cliniccredentials", [false, false, false]),
        ("get", "emailclaims", [false, false, false]),
        ("get", "secrets", [false, false, false]),
        ("get", "configmaps", [false, false, false]),
    ] {
        let people = [("viewer", VIEWER), ("editor", EDITOR), ("administrator", administrator)];
        let people = people.into_iter().zip(allowed).chain([(("nobody", NOBODY), false)]);
        for ((who, identity), expected) in people {
            for verb in verbs.split(' ') {
                let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
                let sub = format!("--subresource={sub}");
                let question = [&["auth", "can-i", verb, resource, &sub], identity].concat();
                let answer = control_plane().kubectl(&namespace, &question).stdout;
                assert!(["yes\n", "no\n"].contains(&answer.as_str()), "{question:?}: {answer}");
                if (answer == "yes\n") != expected {
                    wrong.push(format!("{who}: {verb} {resource}: {answer}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}
