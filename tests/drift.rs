//! What the generated CRDs promise, checked without an API server: that `crds/`, `schemas/` and `docs/api.md` are what the Rust
//! types say, that each field is bounded and described, and that names cannot be mistaken for another kind's; and that tests which
//! pages and sabotage patches name are there. What the API server makes of them never stands here: see `tests/cluster/manifests.rs`.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use clinic_operator::adapters::kubernetes::rules;
use clinic_operator::api::crds::{crds, to_yaml};
use clinic_operator::api::{editor, reference};
use clinic_operator::domain::restore::{RestoreMode, WhyEnd};
use clinic_operator::{controller, portal};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use regex::Regex;

/// Written by hand beside what is generated.
const BY_HAND: [&str; 2] = ["NOTES.txt", "policies.yaml"];

#[test]
fn the_files_under_crds_are_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/");
    let mut wrong = Vec::new();
    let mut expected: BTreeSet<String> = BY_HAND.map(str::to_owned).into();
    for crd in crds() {
        let file = format!("{}.yaml", crd.spec.names.plural);
        let generated = to_yaml(&crd).expect("a CRD can be written as YAML");
        if fs::read_to_string(folder.join(&file)).ok().as_deref() != Some(generated.as_str()) {
            wrong.push(format!("crds/{file} differs from the types"));
        }
        expected.insert(file);
    }
    for entry in fs::read_dir(&folder).expect("crds/ can be read") {
        let name = entry.expect("crds/ can be read").file_name().to_string_lossy().into_owned();
        if !expected.contains(&name) {
            wrong.push(format!("crds/{name} belongs to no type: delete it"));
        }
    }
    assert!(wrong.is_empty(), "run `make crds` and commit the result:\n{}", wrong.join("\n"));
}

#[test]
fn the_files_under_schemas_are_what_the_definitions_say() {
    let generated: BTreeMap<_, _> = editor::files().expect("schemas can be written as JSON").into_iter().collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let written: BTreeMap<_, _> = files("schemas", "json")
        .map(|(path, text)| (path.strip_prefix(folder.to_str().unwrap()).unwrap()[1..].to_owned(), text))
        .collect();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&written), names(&generated), "run `make crds`, delete what belongs to no kind, and commit");
    assert!(written == generated, "run `make crds` and commit the result");
}

#[test]
fn the_page_of_every_field_is_what_the_definitions_say() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")).expect("the page is there");
    assert!(
        page == reference::page().expect("a text can be written"),
        "docs/api.md: run `make crds` and commit the result"
    );
}

/// CEL knows no time, so the policies go by the form; where program and policy differed, records would be open to one and shut to the other.
#[test]
fn the_policies_take_for_restore_mode_exactly_what_the_program_does_and_let_only_instants_in() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/policies.yaml");
    let policies = fs::read_to_string(file).expect("the policies are there");
    let patterns: Vec<Regex> = policies
        .split("'^open until ")
        .skip(1)
        .map(|rest| Regex::new(&format!("^open until {}", rest.split('\'').next().unwrap())).unwrap())
        .collect();
    let [is_restored, is_set, is_open] = patterns.as_slice() else { panic!("three patterns, not {}", patterns.len()) };
    assert_eq!(is_restored.as_str(), is_open.as_str(), "two policies, one form");
    let now = "2027-03-01T12:00:00Z".parse().unwrap();
    for value in [
        "open until 2027-03-01T13:00:00Z",
        "open until 2027-03-01T11:00:00Z",
        "open until 9999-12-31T23:59:59Z",
        "open until 2027-02-30T13:00:00Z",
        "open until 2027-99-99T99:99:99Z",
        "open until 2027-03-01T13:00:00.5Z",
        "open until 2027-03-01T13:00:00",
        "open until 2027-03-01T13:00:00+00:00",
        "open until 2027-03-01 13:00:00Z",
        "open until 2027-03-01T13:00:00Z\n",
        "open until  2027-03-01T13:00:00Z",
        "open until ٢٠٢٧-03-01T13:00:00Z",
        "Open until 2027-03-01T13:00:00Z",
        "open until",
        "open",
        "shut",
        "",
    ] {
        let mode = RestoreMode::of(Some(value), now);
        assert_eq!(is_open.is_match(value), mode.is_on(), "{value:?}");
        let has_instant = mode.is_on() && mode != RestoreMode::ToEnd(WhyEnd::NoInstant);
        assert!(is_set.is_match(value) || !has_instant, "{value:?} may be written");
        assert!(mode.is_on() || !is_set.is_match(value), "{value:?} may not be written");
    }
}

#[test]
fn the_chart_grants_the_rights_that_controller_and_portal_ask_for() {
    for (part, rights) in [("controller", controller::rights::rights()), ("portal", portal::rights::rights())] {
        let file = format!("charts/clinic-operator/files/{part}-role-rules.yaml");
        let generated = serde_yaml::to_string(&rules(&rights)).expect("rules can be written as YAML");
        let written =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).expect("the file can be read");
        assert_eq!(written, generated, "{file}: run `make crds` and commit the result");
    }
}

#[test]
fn every_field_has_a_description() {
    check_fields(|field| {
        let described = field.schema.description.as_ref().is_some_and(|text| !text.trim().is_empty());
        (!described && !field.is_metadata()).then_some("has no description")
    });
}

#[test]
fn every_text_list_and_number_is_bounded() {
    check_fields(|field| {
        let schema = field.schema;
        let bounded = match schema.type_.as_deref() {
            Some("string") => schema.max_length.is_some() || schema.enum_.is_some(),
            Some("array") => schema.max_items.is_some() && schema.x_kubernetes_list_type.is_some(),
            Some("integer") => schema.minimum.is_some(),
            Some("boolean" | "object") => true,
            Some(_) | None => false,
        };
        (!bounded && !field.is_metadata() && !field.is_type_meta()).then_some("is not bounded")
    });
}

#[test]
fn a_null_is_an_absent_field() {
    check_fields(|field| field.schema.nullable.is_some().then_some("is nullable"));
}

#[test]
fn no_version_is_named_v1_and_one_is_stored() {
    for crd in crds() {
        let versions: Vec<_> = crd.spec.versions.iter().map(|version| version.name.as_str()).collect();
        assert!(!versions.contains(&"v1"), "Kustomize would take {} for a core kind", crd.spec.names.kind);
        assert_eq!(crd.spec.versions.iter().filter(|version| version.storage).count(), 1);
    }
}

#[test]
fn only_members_have_short_names_and_a_category() {
    for crd in crds() {
        let names = &crd.spec.names;
        let (short, categories): (&[&str], &[&str]) = match names.kind.as_str() {
            "ClinicUser" => (&["cu"], &["members"]),
            "ServiceAccount" => (&["csa"], &["members"]),
            _ => (&[], &[]),
        };
        assert_eq!(names.short_names.clone().unwrap_or_default(), short, "{}", names.kind);
        assert_eq!(names.categories.clone().unwrap_or_default(), categories, "{}", names.kind);
    }
}

#[test]
fn a_new_object_is_not_taken_for_a_settled_one() {
    for crd in crds() {
        let version = &crd.spec.versions[0];
        let status = root(&crd).properties.as_ref().and_then(|properties| properties.get("status"));
        let has_subresource = version.subresources.as_ref().is_some_and(|all| all.status.is_some());
        let default = status.and_then(|schema| schema.default.as_ref()).map(|default| default.0.to_string());
        let records = ["ClinicAccount", "ClinicCredential", "EmailClaim"].contains(&crd.spec.names.kind.as_str());
        let expected = (!records).then(|| r#"{"observedGeneration":-1}"#.to_owned());
        assert_eq!((has_subresource, default), (!records, expected), "{}", crd.spec.names.kind);
    }
}

#[test]
fn helm_keeps_every_kind_and_so_every_account() {
    for crd in crds() {
        let annotations = crd.metadata.annotations.clone().unwrap_or_default();
        assert_eq!(annotations.get("helm.sh/resource-policy").map(String::as_str), Some("keep"));
    }
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let tests: Vec<String> = files("tests", "rs").chain(files("src", "rs")).map(|(path, text)| path + &text).collect();
    let mut missing = Vec::new();
    let mut named = 0;
    for (page, text) in files("docs", "md") {
        for name in text.split("make test ONLY=").skip(1) {
            let name: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            named += 1;
            if !tests.iter().any(|test| test.contains(&format!("/{name}.rs")) || is_a_test(test, &name)) {
                missing.push(format!("{page}: make test ONLY={name}"));
            }
        }
    }
    assert!(named > 0, "the pages name tests");
    assert!(missing.is_empty(), "no test is called so:\n{}", missing.join("\n"));
}

/// A patch that no longer applies, or whose first lines are lost, breaks nothing, and `make sabotage` takes hours to say so.
#[test]
fn every_sabotage_patch_applies_to_the_code_as_it_is_and_names_what_must_fail() {
    let tests: Vec<String> = files("tests", "rs").chain(files("src", "rs")).map(|(_, text)| text).collect();
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for (path, text) in files("tests/sabotage", "patch") {
        looked_at += 1;
        let patch = Path::new(&path).file_name().unwrap().to_string_lossy().into_owned();
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("# {name}: ")));
        for name in ["invariant", "test", "assertion"].into_iter().filter(|name| header(name).is_none()) {
            wrong.push(format!("{patch}: no line `# {name}: …` before the diff"));
        }
        let named = header("test").and_then(|test| test.rsplit("::").next()?.split(' ').next_back());
        if named.is_some_and(|name| !tests.iter().any(|test| test.contains(&format!("fn {name}(")))) {
            wrong.push(format!("{patch}: no test is called {}", named.unwrap_or_default()));
        }
        let mut git = Command::new("git");
        let answer = git.args(["apply", "--check", &path]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        let answer = answer.expect("git, which `make preflight` asks for, can be run");
        if !answer.status.success() {
            wrong.push(format!("{patch}: {}", String::from_utf8_lossy(&answer.stderr).trim().replace('\n', "; ")));
        }
    }
    assert!(looked_at > 0, "there are patches");
    assert!(
        wrong.is_empty(),
        "tests/sabotage: make the same break in the code as it is now, keep the three lines at the top and replace the rest by \
         `git diff`; then `make sabotage ONLY=NAME`:\n{}",
        wrong.join("\n")
    );
}

/// Whether a file has a test whose name has this part.
fn is_a_test(file: &str, part: &str) -> bool {
    file.split("#[test]\nfn ").skip(1).any(|rest| rest.split('(').next().is_some_and(|name| name.contains(part)))
}

/// Every file below a folder with that suffix: path and text.
fn files(folder: &str, suffix: &str) -> impl Iterator<Item = (String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == suffix) {
                found.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.into_iter()
}

/// A field's schema and where it stands, such as `ClinicUser.spec.coverages[].start`.
struct Field<'a> {
    path: String,
    schema: &'a JSONSchemaProps,
}

impl Field<'_> {
    /// The API server has its own schema of metadata.
    fn is_metadata(&self) -> bool {
        self.path.contains(".metadata")
    }

    /// apiVersion and kind of the object can have one value only.
    fn is_type_meta(&self) -> bool {
        matches!(self.path.split('.').collect::<Vec<_>>()[..], [_, "apiVersion" | "kind"])
    }
}

/// Looks at each field of each kind and reports everything that `complaint` says.
#[track_caller]
fn check_fields(complaint: impl Fn(&Field) -> Option<&'static str>) {
    let mut complaints = Vec::new();
    for crd in crds() {
        visit(&Field { path: crd.spec.names.kind.clone(), schema: root(&crd) }, &mut |field| {
            complaints.extend(complaint(field).map(|text| format!("{} {text}", field.path)));
        });
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn visit(field: &Field, look: &mut impl FnMut(&Field)) {
    look(field);
    for (name, schema) in field.schema.properties.iter().flatten() {
        visit(&Field { path: format!("{}.{name}", field.path), schema }, look);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &field.schema.items {
        // What an element is, the list's own description says.
        let element = JSONSchemaProps { description: field.schema.description.clone(), ..(**items).clone() };
        visit(&Field { path: format!("{}[]", field.path), schema: &element }, look);
    }
}

fn root(crd: &CustomResourceDefinition) -> &JSONSchemaProps {
    let schema = crd.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    schema.expect("each version has a schema")
}
