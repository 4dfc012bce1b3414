//! What is a manifest of ours and what was only meant to be one, and what only the manifests of a clinic together show.

use super::{manifest, user, validate};

const CLINIC: &str = "displayName: Maple Family Clinic, timeZone: America/Toronto";

/// Demands that exactly this is said about the text, as `line: severity: field: message`.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    check_with(&[], text, expected);
}

#[track_caller]
fn check_with(arguments: &[&str], text: &str, expected: &[&str]) {
    let answer = validate(&[arguments, &["-"]].concat(), text);
    let lines = answer.out.lines().filter_map(|line| line.strip_prefix("standard input:"));
    let said: Vec<_> = lines
        .map(|line| {
            let (number, rest) = line.split_once(':').unwrap();
            format!("{number}: {}", rest.split_once(": ").unwrap().1)
        })
        .collect();
    assert_eq!(said, expected, "{text}\n{}{}", answer.out, answer.err);
}

#[test]
fn a_line_that_keeps_a_manifest_from_being_one_of_ours_is_named() {
    let written = user("t", "email: t@maple.example, type: Staff");
    let changed = |from: &str, to: &str| written.replace(from, to);
    let group = "apiVersion: clinic-operator.dev/v1alpha1\n";
    for (text, said) in [
        (
            changed(group, "apiVersion: v1\n"),
            "2: error: apiVersion: v1 does not have this kind: write apiVersion: clinic-operator.dev/v1alpha1",
        ),
        (changed(group, ""), "2: error: apiVersion: is missing: write apiVersion: clinic-operator.dev/v1alpha1"),
        (
            changed("/v1alpha1", "/v1"),
            "2: error: apiVersion: there is no version v1: write apiVersion: clinic-operator.dev/v1alpha1",
        ),
        (
            changed("clinic-operator.dev", "clinic-operators.dev"),
            "2: error: apiVersion: clinic-operators.dev/v1alpha1 does not have this kind: write apiVersion: clinic-operator.dev/v1alpha1",
        ),
        (
            changed("kind: ClinicUser\n", ""),
            "2: error: kind: is missing: write kind: ClinicUser, for a person who works at the clinic",
        ),
        (
            changed("ClinicUser", "ClinicServiceAccount"),
            "3: error: kind: there is no such kind: write kind: ServiceAccount",
        ),
        (
            changed("type: Staff", "type: Staff, namespace: maple"),
            "5: error: spec.namespace: belongs under metadata: indent it there",
        ),
        (
            changed("{name: t}", "{name: t, spec: {}}"),
            "4: error: metadata.spec: belongs beside metadata: begin its line at the same column as metadata",
        ),
        (
            changed("{name: t}", "{name: t, labels: {the floor: x}}"),
            "4: error: metadata.labels[the floor]: a key must be at most 63 letters, digits, hyphens, underscores and dots, and may have a domain and a / before it, such as clinic.example/floor",
        ),
        (changed("ClinicUser", "Clinicuser"), "3: error: kind: there is no such kind: write kind: ClinicUser"),
        (
            changed("kind: ClinicUser\n", "").replace(group, ""),
            "2: error: apiVersion: is missing: write apiVersion: clinic-operator.dev/v1alpha1",
        ),
        (changed("spec:", "Spec:"), "5: error: Spec: there is no such field: did you mean spec?"),
        (changed("{name: t}", "{nam: t}"), "4: error: metadata.nam: there is no such field: did you mean name?"),
        (
            changed("{name: t}", "{name: t, labels: {a: 1}}"),
            "4: error: metadata.labels[a]: must be text, and without quotes 1 means a number: write \"1\"",
        ),
    ] {
        let answer = validate(&["-"], &text);
        let found = answer.out.lines().any(|line| {
            line.strip_prefix("standard input:").is_some_and(|line| {
                let (number, rest) = line.split_once(':').unwrap();
                format!("{number}: {}", rest.split_once(": ").unwrap().1) == said
            })
        });
        assert!(found, "{text}\nwants {said}\n{}{}", answer.out, answer.err);
    }
}

#[test]
fn what_is_not_ours_is_left_alone_and_counted() {
    let omar = user("omar", "email: omar@maple.example, type: Staff");
    let core = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: clinic-operator}\n";
    let values = "---\napiVersion: v1\nkind: ConfigMap\nemail: someone@maple.example\n";
    let answer = validate(&["-"], &format!("{omar}{core}{values}---\n# nothing\n"));
    assert_eq!((answer.out.as_str(), answer.code), ("1 member and 2 other objects in 1 file: no problems\n", 0));
}

#[test]
fn text_that_is_no_yaml_says_where_and_does_not_hide_the_rest() {
    let staff = "email: t@maple.example, type: stuff";
    for (text, line, help) in [
        ("spec:\n\temail: a\n", 2, "indent with spaces"),
        ("spec: {email: a\n", 1, "quotes and brackets are closed"),
        (
            "kind: ClinicUser\nkind: Clinic\n",
            2,
            "kind stands here for the second time, the first was in line 1: keep one",
        ),
        ("a: &x [*x]\n", 1, "this alias stands for something around itself"),
        ("a: !!binary aGk=\n", 1, "the tag"),
    ] {
        let answer = validate(&["-"], &format!("{text}{}", user("t", staff)));
        let first = answer.out.lines().next().unwrap_or_default();
        assert!(
            first.starts_with(&format!("standard input:{line}:")) && first.contains(help),
            "{text}{}{}",
            answer.out,
            answer.err
        );
        assert!(answer.out.contains("spec.type: must be Staff or Practitioner: write Staff"), "{text}{}", answer.out);
        assert_eq!(answer.code, 1);
    }
}

#[test]
fn an_address_is_one_person_s_whatever_its_capitals_in_each_clinic() {
    let ana = user("ana", "email: Ana@maple.example, type: Staff");
    let bea = user("bea", "email: ana@MAPLE.example, type: Staff");
    let twice = "10: error: spec.email: ana (standard input:5) has this address already, and an address is one person's username: give one of the two another";
    check(&format!("{ana}{bea}"), &[twice]);
    let inbox = manifest(
        "ServiceAccount",
        "lab",
        "email: ana@maple.example, displayName: Lab, manager: {firstName: Ana, lastName: Silva}",
    );
    check(&format!("{ana}{inbox}"), &[]);
    let elsewhere = bea.replace("name: bea", "name: bea, namespace: riviere");
    check(&format!("{ana}{elsewhere}"), &[]);
    check_with(&["--namespace", "riviere"], &format!("{ana}{elsewhere}"), &[twice]);
}

#[test]
fn two_objects_of_one_name_are_one_mistake() {
    let ana = user("ana", "email: ana@maple.example, type: Staff");
    check(
        &format!("{ana}{ana}"),
        &[
            "9: error: metadata.name: there is a ClinicUser of this name already (standard input:4), and of two only the last would count: give one another name, or remove it",
        ],
    );
}

#[test]
fn who_is_probably_there_twice_is_a_warning() {
    let person = |name: &str, address: &str, first: &str| {
        user(name, &format!("email: {address}@maple.example, type: Staff, firstName: {first}, lastName: Silva"))
    };
    check(
        &format!("{}{}", person("ana", "ana", "Ana"), person("ana2", "ana+clinic", "Anna")),
        &[
            "10: warning: spec.email: ana (standard input:5) has the same address but for what follows a +: is it one person twice?",
        ],
    );
    check(
        &format!(
            "{}{}",
            person("ana", "ana", "Zoë"),
            person("ana2", "zoe", "' ZOE\u{308} '").replace("' ", "").replace(" '", "")
        ),
        &[
            "10: warning: spec.lastName: ana (standard input:5) has the same first and last name: is it one person twice?",
        ],
    );
}

#[test]
fn members_without_both_names_are_one_warning_for_a_clinic() {
    let person = |name: &str, names: &str| {
        let spec = format!("email: {name}@maple.example, type: Staff{names}");
        manifest("ClinicUser", name, &spec)
    };
    let why = "with both, a manifest that was removed and comes back is known for the same person; with one it is only if the person confirmed at the portal that they have no other, else it waits for a decision (FormerMember)";
    let said = |others: &str| format!("10: warning: spec: firstName or lastName is missing{others}: {why}");
    let named = person("ana", ", firstName: Ana, lastName: Silva");
    let (half, none) = (person("bea", ", firstName: Bea"), person("cyd", ""));
    check(&format!("{named}{half}"), &[&said("")]);
    check(&format!("{named}{half}{none}"), &[&said(", as of 1 other member here")]);
    check(&format!("{named}{none}{half}{}", person("dan", "")), &[&said(", as of 2 other members here")]);
}

#[test]
fn who_names_somebody_that_is_not_there_is_told_whom_they_may_have_meant() {
    let ana = user("ana-silva", "email: ana@maple.example, type: Staff");
    let trainee = "email: t@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: '2199-06-30'";
    let locum = "email: l@maple.example, type: Practitioner, classification: Locum";
    for (spec, said) in [
        (format!("{trainee}, supervisor: ana-silva"), None),
        (
            format!("{trainee}, supervisor: ana-sliva"),
            Some(
                "10: warning: spec.supervisor: no ClinicUser of those that were checked has this metadata.name: did you mean ana-silva?",
            ),
        ),
        (
            format!("{trainee}, supervisor: bo"),
            Some("10: warning: spec.supervisor: no ClinicUser of those that were checked has this metadata.name"),
        ),
        (
            format!(
                "{locum}, coverages: [{{covers: ana-silva, start: '2026-12-01', end: '2026-12-31'}}, {{covers: bo, start: '2026-12-01', end: '2026-12-31'}}]"
            ),
            Some(
                "10: warning: spec.coverages[1].covers: no ClinicUser of those that were checked has this metadata.name",
            ),
        ),
    ] {
        check(&format!("{ana}{}", user("t", &spec)), &said.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_clinic_whose_zone_does_not_exist_would_stand_still() {
    for (zone, said) in [
        ("America/Torontoo", "5: error: spec.timeZone: there is no such time zone: did you mean America/Toronto?"),
        (
            "Nowhere/Atall",
            "5: error: spec.timeZone: there is no such time zone: take one of the IANA database, such as America/Toronto",
        ),
    ] {
        check(&manifest("Clinic", "clinic", &CLINIC.replace("America/Toronto", zone)), &[said]);
    }
    check(&manifest("Clinic", "clinic", CLINIC), &[]);
}

#[test]
fn a_training_that_is_over_is_told_by_the_clinic_s_calendar() {
    let trainee = |end: &str| {
        user(
            "t",
            &format!(
                "email: t@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: '{end}'"
            ),
        )
    };
    check(
        &trainee("2020-06-30"),
        &[
            "5: warning: spec.expectedEndOfTraining: this day is over, and access ended after 2020-07-14: write a later day, or remove the manifest",
        ],
    );
    check(&trainee("2199-06-30"), &[]);
}

#[test]
fn what_the_api_server_takes_is_taken() {
    for spec in ["guard: {invitationsPerHour: null}", "guard: {invitationsPerHour: 1.0}", "paused: null"] {
        check(&manifest("Clinic", "clinic", &format!("{CLINIC}, {spec}")), &[]);
    }
    let omar = user("omar", "email: omar@maple.example, type: Staff");
    let metadata = "name: omar, namespace: '', labels: {a: null}, annotations: {b: null}";
    check(&omar.replace("name: omar}", &format!("{metadata}}}")), &[]);
}

#[test]
fn objects_that_follow_one_another_are_read_as_kubectl_reads_them() {
    let object = |name: &str, kind: &str| {
        let metadata = format!(r#"{{"name": "{name}"}}"#);
        let spec = format!(
            r#"{{"email": "{name}@maple.example", "type": "{kind}", "firstName": "{name}", "lastName": "Silva"}}"#
        );
        format!(
            r#"{{"apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser", "metadata": {metadata}, "spec": {spec}}}"#
        )
    };
    let stuff = "error: spec.type: must be Staff or Practitioner: write Staff";
    let text = format!("{}{}\n{}\n", object("a", "Staff"), object("b", "stuff"), object("c", "stuff"));
    check(&text, &[&format!("1: {stuff}"), &format!("2: {stuff}")]);
}

#[test]
fn what_keeps_kubectl_from_the_file_is_said() {
    let omar = user("omar", "email: omar@maple.example, type: Staff");
    let nameless = "warning: has neither apiVersion nor kind: kubectl refuses the file";
    check(&format!("{omar}---\nreplicas: 2\n"), &[&format!("7: {nameless}")]);
    let behind =
        "error: something stands behind --- in its line, where kubectl takes only a comment: put it in the next line";
    check(&format!("{omar}--- {{replicas: 2}}\n"), &[&format!("6: {behind}")]);
}

#[test]
fn a_list_of_very_many_members_is_read() {
    let member = |number: usize| {
        format!(
            "- {{apiVersion: clinic-operator.dev/v1alpha1, kind: ClinicUser, metadata: {{name: m{number}}}, spec: {{email: m{number}@maple.example, type: Staff, firstName: m{number}, lastName: Silva}}}}\n"
        )
    };
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{}", (0..25_000).map(member).collect::<String>());
    let answer = validate(&["-"], &list);
    assert_eq!((answer.out.as_str(), answer.code), ("25000 members in 1 file: no problems\n", 0));
}

#[test]
fn a_namespace_with_the_annotation_of_restore_mode_is_a_warning() {
    let namespace = |annotation: &str| {
        format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: maple\n  annotations:\n    {annotation}\n---\n")
            + &user("ana", "email: ana@maple.example, type: Staff")
    };
    check(&namespace("maple.example/note: x"), &[]);
    let on = namespace("clinic-operator.dev/restore-door: open until 2027-03-01T18:00:00Z");
    let warning = "6: warning: metadata.annotations[clinic-operator.dev/restore-door]: sets the annotation of restore mode, in which records \
         can be written by whoever has the rights: remove it here, and set it with kubectl annotate for a restore";
    check(&on, &[warning]);
}
