//! What the API server makes of the CRDs: which manifests it takes, which it refuses and in which words, and what kubectl
//! shows. The corpus is `examples/valid` and `examples/invalid`; what the operator does with a member never stands here.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use clinic_operator::api::check::Checker;
use proptest::prelude::*;
use serde_json::json;

#[path = "../support/any_spec.rs"]
mod any_spec;

use any_spec::any_spec;

use crate::support::control_plane::{Namespace, Output, control_plane, crd_files, crds};
use crate::support::wait::{PATIENCE, eventually_ok};

/// Opens each line of an invalid manifest that says what kubectl answers.
const EXPECT: &str = "# expect: ";
/// Marks what only `validate` refuses.
const NEEDS_TREE: &str = "# needs: the whole tree\n";
/// kubectl runs that go on at once.
const WORKERS: usize = 4;

#[test]
fn every_invalid_manifest_is_refused_in_the_words_that_it_states() {
    let namespace = control_plane().namespace("invalid");
    check_all(&corpus("invalid", 120), |file| {
        let text = fs::read_to_string(file).unwrap();
        if text.starts_with(NEEDS_TREE) {
            let answer =
                control_plane().kubectl(&namespace, &["create", "--dry-run=server", "-f", file.to_str().unwrap()]);
            return (!answer.success).then_some(answer.stderr);
        }
        let expected: Vec<_> = text.lines().map_while(|line| line.strip_prefix(EXPECT)).map(str::trim_end).collect();
        let answer = submit(&namespace, file);
        let said: Vec<_> = answer.stderr.lines().map(str::trim_end).collect();
        if answer.success {
            return Some("was accepted".to_owned());
        }
        let stated = !expected.is_empty() && said == expected;
        (!stated).then(|| format!("expected\n  {}\nbut kubectl said\n  {}", expected.join("\n  "), said.join("\n  ")))
    });
}

#[test]
fn every_valid_manifest_is_accepted() {
    let namespace = control_plane().namespace("valid");
    let _open = namespace.open_door();
    check_all(&corpus("valid", 15), |file| {
        let answer = submit(&namespace, file);
        (!answer.success).then_some(answer.stderr)
    });
}

proptest! {
    // Each is a request or two.
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn the_api_server_and_validate_refuse_the_same_specs_for_the_same_fields(spec in any_spec()) {
        let (namespace, checker) = &*AGREEMENT;
        let path = format!("{}?dryRun=All&fieldValidation=Strict", namespace.path("clinicusers"));
        let object = json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser", "metadata": {"name": "ana"}, "spec": spec,
        });
        let answer = control_plane().ask(None, "POST", &path, Some(&object));
        let found = checker.lock().unwrap().check("ClinicUser", &object, None);
        match answer {
            Ok(_) => prop_assert!(found.is_empty(), "the API server takes it, and validate says {:?}", found),
            Err(refusal) => {
                prop_assert!(refusal.contains("422"), "{}", refusal);
                prop_assert!(!found.is_empty(), "validate takes it, and the API server says {}", refusal);
                for finding in &found {
                    // Without the rules that it did not ask.
                    let is_named = refusal.contains(&finding.path.to_string()) || refusal.contains("not checked");
                    prop_assert!(is_named, "validate says {}: {}, and the API server says {}", finding.path, finding.message, refusal);
                }
            }
        }
    }
}

/// Where specs are tried, and who reads them here.
static AGREEMENT: LazyLock<(Namespace, Mutex<Checker>)> =
    LazyLock::new(|| (control_plane().namespace("agreement"), Mutex::new(Checker::new().unwrap())));

/// A file of one document is only tried, in a namespace that all of them share. In a file of several, each document is
/// applied after the one before it.
fn submit(shared: &Namespace, file: &Path) -> Output {
    let control_plane = control_plane();
    let path = file.to_str().unwrap();
    if fs::read_to_string(file).unwrap().contains("\n---\n") {
        let namespace = control_plane.namespace("manifest");
        namespace.by_hand(|| control_plane.kubectl(&namespace, &["apply", "-f", path]))
    } else {
        control_plane.kubectl(shared, &["create", "--dry-run=server", "-f", path])
    }
}

/// The corpus's files, by paths relative to the repository: kubectl repeats them in some messages.
fn corpus(folder: &str, at_least: usize) -> Vec<PathBuf> {
    let folder = Path::new("examples").join(folder);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= at_least, "{} has only {} manifests", folder.display(), files.len());
    files
}

/// Reports everything that `complaint` says about any of the files.
#[track_caller]
fn check_all(files: &[PathBuf], complaint: impl Fn(&Path) -> Option<String> + Sync) {
    let complain = |some: &[PathBuf]| {
        let report = |file: &PathBuf| complaint(file).map(|text| format!("{}: {text}\n", file.display()));
        some.iter().filter_map(report).collect::<String>()
    };
    let complaints: String = std::thread::scope(|scope| {
        let parts = files.chunks(files.len().div_ceil(WORKERS));
        let workers: Vec<_> = parts.map(|part| scope.spawn(|| complain(part))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn the_api_server_finds_nothing_to_say_about_the_crds() {
    let namespace = control_plane().namespace("crds");
    for path in crd_files() {
        let file = path.to_str().unwrap();
        let answer = kubectl(&namespace, &["apply", "--server-side", "--dry-run=server", "-f", file]);
        assert_eq!(answer.stderr, "", "{file}");
        let conditions = "jsonpath={range .status.conditions[*]}{.type}={.status} {end}";
        let conditions = kubectl(&namespace, &["get", "-f", file, "-o", conditions]).ok();
        assert!(conditions.contains("Established=True"), "{file}: {conditions}");
        assert!(!conditions.contains("NonStructuralSchema"), "{file}: {conditions}");
    }
    let policies = crds().join("policies.yaml");
    let file = policies.to_str().unwrap();
    assert_eq!(kubectl(&namespace, &["apply", "--server-side", "--dry-run=server", "-f", file]).stderr, "");
}

#[test]
fn kubectl_explains_the_fields_in_the_words_of_the_clinic() {
    let namespace = control_plane().namespace("explain");
    for (field, words) in [
        ("clinicuser", "A person who works at the clinic"),
        ("clinicuser.spec.expectedEndOfTraining", "Access goes on for two weeks after it"),
        ("cu.spec.license", "What a Standard practitioner may use"),
        ("cu.spec.coverages.covers", "The practitioner who is away"),
        ("cu.status.accessUntil", "Last day with access, in the clinic's time zone"),
        ("clinicserviceaccount", "It can never sign in"),
        ("csa.spec.manager", "The person who answers for the account"),
        ("clinic.spec.guard.invitationsPerHour", "Mails in any hour, 1 to 1000, that begin a round to another address"),
        ("clinicaccount.spec.delivery.attempts.outcome", "What became of it"),
        ("emailclaim.spec.account", "it never changes"),
    ] {
        let text = kubectl(&namespace, &["explain", "--api-version=clinic-operator.dev/v1alpha1", field]).ok();
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "explain {field}:\n{text}");
    }
}

#[test]
fn members_of_both_kinds_read_as_one_list() {
    let namespace = clinic_with_members("columns");
    let list = kubectl(&namespace, &["get", "members"]).ok();
    let heads: Vec<_> = list.lines().filter(|line| line.starts_with("NAME")).map(words).collect();
    let shared = "NAME MEMBER TITLE POSITION OR TYPE STATE ACCESS UNTIL AGE";
    assert_eq!(heads, [shared, shared], "{list}");
    assert!(list.contains("clinicuser.clinic-operator.dev/ana"), "{list}");
    assert!(list.contains("serviceaccount.clinic-operator.dev/lab-inbox"), "{list}");

    let wide = kubectl(&namespace, &["get", "cu", "-o", "wide"]).ok();
    let head = words(wide.lines().next().unwrap());
    assert_eq!(head, format!("{shared} TYPE CLASSIFICATION LICENSE SENT EXPIRES ACCOUNT MESSAGE"));
    assert!(words(&wide).contains("Practitioner Standard CHRPlus"), "{wide}");
    let wide = kubectl(&namespace, &["get", "csa", "-o", "wide"]).ok();
    assert!(words(&wide).starts_with(&format!("{shared} MANAGER FIRST NAME MANAGER LAST NAME MESSAGE")), "{wide}");
}

#[test]
fn members_are_found_by_what_they_are_and_where_they_stand() {
    let namespace = clinic_with_members("select");
    let patch = r#"{"status":{"state":"Active"}}"#;
    namespace.by_hand(|| {
        for member in ["clinicuser/ana", "csa/lab-inbox"] {
            kubectl(&namespace, &["patch", member, "--subresource=status", "--type=merge", "-p", patch]).ok();
        }
    });
    for (kinds, selector, expected) in [
        ("clinicusers", "spec.type=Staff", "clinicuser/omar"),
        ("clinicusers", "spec.classification=ClinicalTrainee", "clinicuser/sam"),
        ("clinicusers", "spec.license=CHRPlus", "clinicuser/ana"),
        ("clinicusers", "spec.suspended=true", "clinicuser/omar"),
        ("clinicusers", "spec.type=Practitioner,status.state!=Active", "clinicuser/sam"),
        ("members", "status.state=Active", "clinicuser/ana serviceaccount/lab-inbox"),
        ("members", "spec.suspended=false", "clinicuser/ana clinicuser/sam serviceaccount/lab-inbox"),
    ] {
        let arguments = ["get", kinds, "--field-selector", selector, "-o", "name"];
        // A selector is answered from a cache that follows the writes.
        eventually_ok(PATIENCE, &format!("{selector} to find {expected}"), || {
            let answer = kubectl(&namespace, &arguments).ok().replace(".clinic-operator.dev", "");
            let mut found: Vec<_> = answer.split_whitespace().collect();
            found.sort_unstable();
            if found.join(" ") == expected { Ok(()) } else { Err(answer) }
        });
    }
}

#[test]
fn a_new_member_waits_until_the_operator_has_looked() {
    let namespace = clinic_with_members("default");
    let observed = ["get", "cu", "ana", "-o", "jsonpath={.status.observedGeneration}"];
    assert_eq!(kubectl(&namespace, &observed).ok(), "-1");
}

#[test]
fn the_core_service_accounts_keep_their_name() {
    let namespace = clinic_with_members("core");
    for name in ["serviceaccounts", "serviceaccount", "sa"] {
        let listed = kubectl(&namespace, &["get", name, "-o", "name"]).ok();
        assert!(!listed.contains("lab-inbox"), "{name}: {listed}");
    }
}

/// Three people and a service account.
fn clinic_with_members(prefix: &str) -> Namespace {
    let namespace = control_plane().namespace(prefix);
    let mut members = String::new();
    for (name, spec) in [
        ("ana", "type: Practitioner, classification: Standard, license: CHRPlus"),
        ("omar", "type: Staff, suspended: true"),
        ("sam", "type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2027-06-30"),
    ] {
        let spec = format!("spec: {{email: {name}@maple.example, {spec}}}");
        writeln!(members, "{}---", manifest("ClinicUser", name, &spec)).unwrap();
    }
    let manager =
        "spec: {email: ana@maple.example, manager: {firstName: Ana, lastName: Silva}, displayName: Lab inbox}";
    members.push_str(&manifest("ServiceAccount", "lab-inbox", manager));
    control_plane().kubectl_stdin(&namespace, &["apply", "-f", "-"], &members).ok();
    namespace
}

fn manifest(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: clinic-operator.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\n{spec}\n")
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn kubectl(namespace: &Namespace, arguments: &[&str]) -> Output {
    control_plane().kubectl(namespace, arguments)
}
