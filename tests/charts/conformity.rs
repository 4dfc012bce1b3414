//! The objects of the clinic's chart, checked offline by kubeconform with schemas out of the API server's own description of its
//! kinds. What a server would say beyond its schemas never stands here.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::helm::{CLINICS, control_plane, template};
use crate::support::control_plane::Output;
use crate::support::tools::tool;

#[test]
fn every_object_is_as_the_schema_of_its_kind_says() {
    let folder = tempfile::tempdir().unwrap();
    write_schemas(folder.path());
    let more = ["--set", "monitoring.prometheusRule.enabled=true,monitoring.dashboard.enabled=true"];
    for clinic in CLINICS {
        let objects = template(clinic, &more).ok();
        let kinds = objects.lines().filter(|line| line.starts_with("kind: ")).count();
        let answer = conforms(folder.path(), &objects).ok();
        assert!(answer.contains(&format!("{kinds} resources found")), "{answer}");
        assert!(answer.contains(&format!("Valid: {kinds}, Invalid: 0, Errors: 0, Skipped: 0")), "{answer}");

        let slip = objects.replace("maxUnavailable: 0", "maxUnavailible: 0");
        let refused = conforms(folder.path(), &slip);
        assert!(
            !refused.success && refused.stdout.contains("additional properties 'maxUnavailible' not allowed"),
            "{}",
            refused.stdout
        );
    }
}

fn conforms(schemas: &Path, objects: &str) -> Output {
    let file = schemas.join("objects.yaml");
    fs::write(&file, objects).unwrap();
    let location = schemas.join("{{.Group}}-{{.ResourceAPIVersion}}-{{.ResourceKind}}.json");
    let mut kubeconform = Command::new(tool("kubeconform"));
    kubeconform.args(["-strict", "-summary", "-schema-location"]).arg(location).arg(file);
    kubeconform.output().expect("kubeconform starts").into()
}

/// One file for each kind, and one with everything that they refer to.
fn write_schemas(folder: &Path) {
    let kubeconfig = &control_plane().kubeconfig;
    let served = control_plane().kubectl_as(kubeconfig, &["get", "--raw", "/openapi/v2"], None).ok();
    let mut definitions = serde_json::from_str::<Value>(&served).unwrap()["definitions"].take();
    closed(&mut definitions);
    for (name, definition) in definitions.as_object().unwrap() {
        for kind in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
            let text = |field: &str| kind[field].as_str().unwrap().to_lowercase();
            // The core group has no name; kubeconform then takes the version for it.
            let group = Some(text("group")).filter(|group| !group.is_empty()).unwrap_or_else(|| text("version"));
            let file = format!("{group}-{}-{}.json", text("version"), text("kind"));
            let schema = json!({"$ref": format!("definitions.json#/definitions/{name}")});
            fs::write(folder.join(file), schema.to_string()).unwrap();
        }
    }
    fs::write(folder.join("definitions.json"), json!({ "definitions": definitions }).to_string()).unwrap();
}

/// As an API server reads it: no field but those that are named, and where it may be, a number for a text.
fn closed(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let is_open = fields.contains_key("additionalProperties")
                || fields.contains_key("x-kubernetes-preserve-unknown-fields");
            if fields.get("properties").is_some_and(Value::is_object)
                && fields.get("type").is_some_and(Value::is_string)
                && !is_open
            {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            if fields.get("format").is_some_and(|format| format == "int-or-string") {
                fields.insert("type".to_owned(), json!(["string", "integer"]));
            }
            fields.values_mut().for_each(closed);
        }
        Value::Array(items) => items.iter_mut().for_each(closed),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
