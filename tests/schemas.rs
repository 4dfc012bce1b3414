//! What tools without a cluster make of `schemas/`: they take what the API server takes, and refuse every mistake of shape. What
//! a CEL rule says never stands here, since no JSON schema can say it; that the files are current is held by `tests/drift.rs`.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use clinic_operator::api::{crds::crds, editor};
use serde_json::Value;

#[path = "support/tools.rs"]
mod tools;

/// The file for all kinds, and the layout of the public catalogues.
const LOCATIONS: [&str; 2] =
    ["schemas/clinic-operator.json", "schemas/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"];

/// Words of the API server's answer to a mistake of shape.
const OF_SHAPE: [&str; 10] = [
    "cannot unmarshal",
    "no matches for kind",
    "unknown field",
    "must be of type",
    "Unsupported value",
    "Duplicate value",
    "Too long",
    "Too many",
    "RFC 1123",
    "should be ",
];
/// Elements that are told apart by two of their fields: no JSON schema can say that these must differ.
const BEYOND: [&str; 1] = ["examples/invalid/locum-same-coverage-twice.yaml"];

#[test]
fn every_manifest_that_the_api_server_takes_is_taken() {
    for location in LOCATIONS {
        let refused = refused(location, "examples/valid");
        assert!(refused.values().all(BTreeSet::is_empty), "{location}: {refused:#?}");
        assert!(refused.len() > 25, "{refused:#?}");
    }
}

#[test]
fn of_those_that_it_refuses_exactly_the_mistakes_of_shape_are_refused() {
    for location in LOCATIONS {
        let refused = refused(location, "examples/invalid");
        let mut of_shape = 0;
        for (file, messages) in &refused {
            let manifest = fs::read_to_string(file).unwrap();
            let answer = manifest.lines().take_while(|line| line.starts_with("# expect: "));
            let is_of_shape = answer
                .into_iter()
                .any(|line| line.ends_with(": Required value") || OF_SHAPE.iter().any(|words| line.contains(words)))
                && !BEYOND.contains(&file.as_str());
            assert_eq!(!messages.is_empty(), is_of_shape, "{location}: {file}: {messages:?}");
            of_shape += usize::from(is_of_shape);
        }
        assert!(of_shape > 40 && refused.len() - of_shape > 60, "{of_shape} of {}", refused.len());
    }
}

/// What kubeconform has against the documents of each file of a folder, but for those of kinds that people do not write.
fn refused(location: &str, folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut kubeconform = Command::new(tools::tool("kubeconform"));
    kubeconform.current_dir(root).args(["-output", "json", "-verbose", "-schema-location", location, folder]);
    let output = kubeconform.output().expect("kubeconform starts");
    let said: Value = serde_json::from_slice(&output.stdout).expect("its report");
    let records: Vec<String> = crds().into_iter().map(|crd| crd.spec.names.kind).collect();
    let is_record = |kind: &str| records.iter().any(|record| record == kind) && !editor::WRITTEN.contains(&kind);
    let mut refused = BTreeMap::<_, BTreeSet<_>>::new();
    for document in said["resources"].as_array().expect("documents") {
        let text = |field: &str| document[field].as_str().expect("a text").to_owned();
        if !is_record(&text("kind")) {
            let messages = refused.entry(text("filename")).or_default();
            messages.extend(Some(text("msg")).filter(|_| text("status") != "statusValid"));
        }
    }
    refused
}
