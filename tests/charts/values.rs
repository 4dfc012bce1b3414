//! The values of the clinic's chart: each is documented, and in the schema, and the README's table is what the comments say.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use clinic_operator::api::crds::crds;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use crate::helm::{CLINIC, helm, hold, name_of, parse, read};

const README: &str = "charts/clinic-operator/README.md";
const BEGIN: &str = "<!-- values: written by `make charts` -->\n";
const END: &str = "<!-- end of values -->";

/// A value as `values.yaml` has it.
struct Documented {
    /// Such as `mail.host`.
    path: String,
    default: String,
    /// The comment above it.
    meaning: String,
}

#[test]
fn the_readme_has_every_value_with_its_default_and_meaning() {
    let mut table = "| Value | Default | Meaning |\n|---|---|---|\n".to_owned();
    for Documented { path, default, meaning } in documented() {
        assert!(meaning.ends_with('.'), "{path} needs a comment above it that ends in a full stop: {meaning:?}");
        writeln!(table, "| `{path}` | `{default}` | {} |", meaning.replace('|', "\\|")).unwrap();
    }
    let readme = read(README);
    let (head, rest) = readme.split_once(BEGIN).expect("the table begins somewhere");
    let (_, tail) = rest.split_once(END).expect("the table ends somewhere");
    hold(README, &format!("{head}{BEGIN}{table}{END}{tail}"));
}

#[test]
fn the_comments_tell_every_value_that_there_is() {
    let values: Value = serde_yaml::from_str(&read("charts/clinic-operator/values.yaml")).unwrap();
    for Documented { path, default, .. } in documented() {
        let value = values.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(*value, serde_yaml::from_str::<Value>(&default).unwrap(), "{path}");
    }
    let told: BTreeSet<String> = documented().into_iter().map(|value| value.path).collect();
    let mut leaves = BTreeSet::new();
    leaves_of(&values, "", &|path| told.contains(path), &mut leaves);
    assert_eq!(leaves, told);
}

#[test]
fn the_pages_examples_are_taken() {
    let example = |page: &str, begin: &str| {
        let page = read(page);
        let block = page.split("```yaml\n").find(|block| block.starts_with(begin)).expect("the page has an example");
        block.split_once("```").expect("the example ends").0.to_owned()
    };
    let values = example(README, "image:") + &example("docs/install.md", "people:");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("maple.yaml");
    fs::write(&file, values).unwrap();
    let objects = helm(["template", "maple", CLINIC, "--values", file.to_str().unwrap()]).ok();
    let bound =
        parse(&objects).into_iter().filter(|object| object["kind"] == "RoleBinding").map(|object| name_of(&object));
    let of_people: Vec<_> = bound.filter(|name| name.contains("member") || name.contains("administrator")).collect();
    let name = "RoleBinding/maple-clinic-operator";
    assert_eq!(of_people, [format!("{name}-member-viewer"), format!("{name}-clinic-administrator")]);
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let told: BTreeSet<String> = documented().into_iter().map(|value| value.path).collect();
    let schema = schema();
    let mut known = BTreeSet::new();
    let mut folders = vec![(String::new(), &schema)];
    while let Some((folder, schema)) = folders.pop() {
        assert_eq!(schema["additionalProperties"], false, "{folder} lets slips through");
        for (name, schema) in schema["properties"].as_object().unwrap() {
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}.{name}") };
            if told.contains(&path) || path == "global" {
                known.insert(path);
            } else {
                folders.push((path, schema));
            }
        }
    }
    // Helm's own, of charts that hold this one.
    assert!(known.remove("global"));
    assert_eq!(known, told);
}

#[test]
fn the_schema_says_of_the_clinic_what_its_kind_says() {
    let schema = schema();
    let crd = crds().into_iter().find(|crd| crd.spec.names.kind == "Clinic").unwrap();
    let root = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    same(&schema["properties"]["clinic"]["properties"]["spec"], &root.properties.as_ref().unwrap()["spec"], "spec");
}

/// Whether two schemas have the same fields with the same words and bounds.
fn same(ours: &Value, kind: &JSONSchemaProps, path: &str) {
    let words = kind.enum_.as_ref().map(|words| words.iter().map(|word| word.0.clone()).collect::<Vec<_>>());
    assert_eq!(ours["enum"].as_array().cloned(), words, "{path}");
    assert_eq!((ours["minimum"].as_f64(), ours["maximum"].as_f64()), (kind.minimum, kind.maximum), "{path}");
    assert_eq!(ours["maxLength"].as_i64(), kind.max_length, "{path}");
    if words.is_none() {
        assert_eq!(ours["type"].as_str(), kind.type_.as_deref(), "{path}");
    }
    let empty = serde_json::Map::new();
    let fields = ours["properties"].as_object().unwrap_or(&empty);
    let of_kind = kind.properties.clone().unwrap_or_default();
    let names = |names: Vec<&String>| names.into_iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(fields.keys().collect()), names(of_kind.keys().collect()), "{path}");
    for (name, field) in fields {
        same(field, &of_kind[name], &format!("{path}.{name}"));
    }
}

fn schema() -> Value {
    serde_json::from_str(&read("charts/clinic-operator/values.schema.json")).unwrap()
}

fn leaves_of(value: &Value, path: &str, is_leaf: &impl Fn(&str) -> bool, found: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(fields) if path.is_empty() || (!is_leaf(path) && !fields.is_empty()) => {
            for (name, value) in fields {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves_of(value, &below, is_leaf, found);
            }
        }
        Some(_) | None => drop(found.insert(path.to_owned())),
    }
}

/// Every value of `values.yaml`: a line `name: default`, under the comment that says what it means.
fn documented() -> Vec<Documented> {
    let text = read("charts/clinic-operator/values.yaml");
    let mut found = Vec::new();
    let mut folders: Vec<String> = Vec::new();
    let mut comment = String::new();
    for line in text.lines() {
        let content = line.trim_start();
        let depth = (line.len() - content.len()) / 2;
        if let Some(words) = content.strip_prefix('#') {
            let space = if comment.is_empty() { "" } else { " " };
            comment = format!("{comment}{space}{}", words.trim());
        } else if let Some((name, default)) = content.split_once(':') {
            folders.truncate(depth);
            folders.push(name.to_owned());
            if !default.is_empty() {
                let path = folders.join(".");
                found.push(Documented { path, default: default.trim().to_owned(), meaning: comment.clone() });
            }
            comment.clear();
        } else {
            comment.clear();
        }
    }
    assert!(found.len() > 50, "the values are read");
    found
}
