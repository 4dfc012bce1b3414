//! How what is found is written, and the exit code: 0 fine, 1 violations, 2 not everything could be checked.

use std::fs;

use serde_json::{Value, json};

use super::{user, validate, validate_in};

const WRONG: &str = "apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata:
  name: ana-silva
spec:
  email: ana@maple.example
  type: Practitioner
  classification: Standard
  license: CHR Plus
  billingNumber: 012345
";

#[test]
fn people_see_the_place_the_field_what_to_do_and_the_line_but_never_an_address() {
    let answer = validate(&["-"], &WRONG.replace("ana@maple.example", "ana@@maple.example"));
    let expected = r#"standard input:6:3: error: spec.email: must have one @ with a name before it and a domain after it, such as ana@maple.example
standard input:9:3: error: spec.license: must be CHRLite, CHRLiteVV or CHRPlus: write CHRPlus
  9 |   license: CHR Plus
standard input:10:3: error: spec.billingNumber: must be text, and without quotes 012345 means a number: write "012345"
  10 |   billingNumber: 012345

1 member in 1 file: 3 errors
"#;
    assert_eq!((answer.out.as_str(), answer.err.as_str(), answer.code), (expected, "", 1));
}

#[test]
fn a_program_gets_an_object() {
    let answer = validate(&["--output", "json", "-"], WRONG);
    let whole: Value = serde_json::from_str(&answer.out).unwrap();
    let first = json!({
        "file": "standard input", "line": 9, "column": 3, "severity": "error", "object": "ClinicUser ana-silva",
        "field": "spec.license", "message": "must be CHRLite, CHRLiteVV or CHRPlus: write CHRPlus",
    });
    assert_eq!(whole["problems"][0], first);
    let summary = json!({"files": 1, "members": 1, "clinics": 0, "others": 0, "errors": 2, "warnings": 0});
    assert_eq!((&whole["summary"], &whole["missed"]), (&summary, &json!([])));
}

#[test]
fn github_gets_annotations() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("100%,a.yaml"), WRONG).unwrap();
    let answer = validate_in(folder.path(), &["--output", "github", "100%,a.yaml"], "");
    let first = "::error file=100%25%2Ca.yaml,line=9,col=3,title=ClinicUser ana-silva::spec.license: must be CHRLite, CHRLiteVV or CHRPlus: write CHRPlus\n";
    assert!(answer.out.starts_with(first), "{}", answer.out);
    assert!(answer.out.ends_with("1 member in 1 file: 2 errors\n"), "{}", answer.out);
}

#[test]
fn a_warning_is_an_error_where_that_is_asked_for() {
    let past = user(
        "sam",
        "email: sam@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: '2020-06-30'",
    );
    for (arguments, code) in [(&["-"][..], 0), (&["--strict", "-"], 1)] {
        let answer = validate(arguments, &past);
        assert!(answer.out.contains("1 member in 1 file: 1 warning"), "{}", answer.out);
        assert_eq!(answer.code, code, "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_checked_is_said_and_nothing_else_is_taken_for_fine() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    file("good/omar.yaml", user("omar", "email: omar@maple.example, type: Staff").as_bytes());
    file("good/.hidden/wrong.yaml", b"apiVersion: clinic-operator.dev/v1alpha1");
    file("good/notes.txt", b"kind: ClinicUser");
    file("built/kustomization.yaml", b"resources: [omar.yaml]");
    file("built/omar.yaml", b"kind: ClinicUser");
    file("latin/omar.yaml", b"# Zo\xeb");
    file("empty/values.yaml", b"replicas: 2");
    for (path, code, said) in [
        ("good", 0, "1 member in 1 file: no problems"),
        ("built", 2, "kubectl kustomize built | clinic-operator validate -"),
        ("latin", 2, "latin/omar.yaml: it is not text in UTF-8: save it as UTF-8"),
        (
            "empty",
            2,
            "there is no ClinicUser, ServiceAccount or Clinic in empty: name the files or the folder that hold them",
        ),
        ("none", 2, "failed to read none: No such file or directory"),
    ] {
        let answer = validate_in(folder.path(), &[path], "");
        assert!(answer.out.contains(said) || answer.err.contains(said), "{path}: {}{}", answer.out, answer.err);
        assert_eq!(answer.code, code, "{path}");
    }
    let all = validate_in(folder.path(), &["good", "built"], "");
    assert!(all.out.contains("1 member in 1 file") && all.code == 2, "{}", all.out);
}

/// Invariant I7: what `validate` prints may stand in the log of a pipeline.
#[test]
fn no_output_repeats_an_address_wherever_it_stands() {
    let mut texts = vec![
        user("ana@canary.example", "email: ana@maple.example, type: Staff"),
        user("ana", "email: ana@maple.example, type: Staff, ana@canary.example: 1"),
        user("ana", "email: ana@maple.example, type: Staff, ana@canary.example: 1, ana@canary.example: 1"),
        user("ana", "email: ana@maple.example, type: ana@canary.example, license: ana@canary.example"),
        user("ana", "email: [ana@canary.example], type: Staff, supervisor: ana@canary.example"),
        user("ana", "email: *ana@canary.example, type: Staff"),
        user("ana", "email: ana@canary.example: x"),
        user("ana", "email: !ana@canary.example x"),
        user("ana", "email: ana@canary.example, type: Staff").replace("ClinicUser", "ana@canary.example"),
        user("ana", "email: ana@canary.example, type: Staff").replace("v1alpha1", "ana@canary.example"),
        user("ana", "email: ana@canary.example, type: Staff") + &user("bea", "email: ana@canary.example, type: Staff"),
    ];
    let folder = "examples/invalid";
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        texts.push(text.replace("maple", "canary"));
    }
    let all = texts.join("\n---\n");
    for format in ["human", "json", "github"] {
        let answer = validate(&["--output", format, "-"], &all);
        assert!(answer.out.contains("belongs under spec"), "each is read: {}", answer.out);
        for printed in [answer.out, answer.err] {
            let line = printed.lines().find(|line| line.contains("@canary"));
            assert_eq!(line, None, "{format}");
        }
    }
}

#[test]
fn no_output_repeats_a_secret_of_somebody_else() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData:\n";
    let omar = user("omar", "email: omar@maple.example, type: Staff");
    for wrong in [
        format!("{secret}  password: hunter2\n\tother: x\n"),
        format!("{secret}  hunter2: hunter2\n  hunter2: x\n"),
        format!("{secret}  password: hunter2: hunter2\n"),
        format!("{secret}  password: !hunter2 x\n"),
        "password: hunter2: hunter2\n".to_owned(),
        format!("{omar}{secret}  password: hunter2: hunter2\n"),
        "{password: hunter2, email: omar@maple.example, type: Staff}\n".to_owned(),
        "{kind: List, items: [{kind: Secret, data: hunter2}, {apiVersion: clinic-operator.dev/v1alpha1, kind: Clinic}]}\n"
            .to_owned(),
        user("x", r#"type: hunter2, "email": "hunter2\u0040maple.example""#),
    ] {
        let answer = validate(&["-"], &wrong);
        assert!(answer.code == 1 && answer.out.contains("error: "), "{wrong}: {}{}", answer.out, answer.err);
        assert!(!format!("{}{}", answer.out, answer.err).contains("hunter2"), "{wrong}: {}", answer.out);
    }
    let ours = validate(&["-"], "kind: ClinicUser\nkind: Clinic\n");
    assert!(ours.out.contains("  2 | kind: Clinic\n"), "{}", ours.out);
}

#[test]
fn a_file_s_name_is_no_command_and_a_file_named_twice_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let answer = validate_in(folder.path(), &["x\n::error::y"], "");
    assert!(answer.err.starts_with("error: failed to read x ::error::y: "), "{}", answer.err);
    fs::create_dir(folder.path().join("tree")).unwrap();
    fs::write(folder.path().join("tree/::a.yaml"), WRONG).unwrap();
    let answer = validate_in(&folder.path().join("tree"), &["::a.yaml", ".", "../tree/::a.yaml"], "");
    assert!(answer.out.starts_with("./::a.yaml:9:3: error: "), "{}", answer.out);
    assert!(answer.out.ends_with("1 member in 1 file: 2 errors\n"), "{}", answer.out);
}

#[test]
fn a_reader_who_has_enough_is_no_error() {
    let mut command = std::process::Command::new("bash");
    let pipe = format!(
        "{} validate -o json examples/invalid | true; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_clinic-operator")
    );
    let output = command.args(["-c", &pipe]).output().unwrap();
    assert_eq!((String::from_utf8(output.stdout).unwrap().as_str(), output.stderr.as_slice()), ("1\n", &b""[..]));
}
