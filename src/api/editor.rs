//! The CRDs as JSON schemas for editors and for tools without a cluster: the kinds that people write, each for itself in the
//! layout of the public catalogues of CRDs, and all in one file. A CEL rule never becomes a part of them: only the API server
//! and what evaluates CEL can say it.
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use serde_json::{Error, Map, Value, json};

use super::{
    REACTIVATE_ANNOTATION, RELEASE_HOLD_ANNOTATION, REPLACE_ANNOTATION, RESEND_ANNOTATION, SIGN_OUT_ANNOTATION,
    crds::crds, schema::OBJECT_NAME,
};

/// The kinds that people write, in the order in which they meet them.
pub const WRITTEN: [&str; 3] = ["ClinicUser", "ServiceAccount", "Clinic"];
/// The file for all kinds.
pub const FOR_ALL: &str = "clinic-operator.json";

/// What language servers support best.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";
/// Fields of metadata that the API server knows and nobody writes by hand. A pattern allows them and offers none.
const OTHER_METADATA: &str = "^(creationTimestamp|deletionGracePeriodSeconds|deletionTimestamp|finalizers|generateName|generation|managedFields|ownerReferences|resourceVersion|selfLink|uid)$";

/// Each file of `schemas/`: its path below that folder, and its text.
///
/// # Errors
/// When a schema cannot be written as JSON, which no generated one has been seen to do.
pub fn files() -> Result<Vec<(String, String)>, Error> {
    let mut files = vec![(FOR_ALL.to_owned(), for_all()?)];
    for (crd, version) in written(&crds()) {
        let spec = &crd.spec;
        let path = format!("{}/{}_{}.json", spec.group, spec.names.kind.to_lowercase(), version.name);
        let mut schema = of_kind(crd, version)?;
        schema["$schema"] = json!(DIALECT);
        files.push((path, text(&schema)?));
    }
    Ok(files)
}

/// One schema for all kinds that people write, which needs no other file. What a document says it is decides what it is held
/// to, so that a mistake in it is not answered with the fields of another kind.
///
/// # Errors
/// As [`files`].
pub fn for_all() -> Result<String, Error> {
    let crds = crds();
    let (mut kinds, mut definitions) = (Vec::new(), Map::new());
    for (crd, version) in written(&crds) {
        let kind = &crd.spec.names.kind;
        kinds.push(json!({
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": format!("#/definitions/{kind}")},
        }));
        definitions.insert(kind.clone(), of_kind(crd, version)?);
    }
    text(&json!({
        "$schema": DIALECT,
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": {"const": format!("{}/{}", super::GROUP, super::VERSION)},
            "kind": {"enum": WRITTEN},
        },
        "allOf": kinds,
        "definitions": definitions,
    }))
}

/// The definitions of the kinds that people write, each with its versions.
fn written(
    crds: &[CustomResourceDefinition],
) -> impl Iterator<Item = (&CustomResourceDefinition, &CustomResourceDefinitionVersion)> {
    let found = WRITTEN.iter().flat_map(|kind| crds.iter().filter(move |crd| crd.spec.names.kind == *kind));
    found.flat_map(|crd| crd.spec.versions.iter().map(move |version| (crd, version)))
}

fn of_kind(crd: &CustomResourceDefinition, version: &CustomResourceDefinitionVersion) -> Result<Value, Error> {
    let kind = &crd.spec.names.kind;
    let root = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    let mut schema = serde_json::to_value(root)?;
    schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    let properties = &mut schema["properties"];
    properties["apiVersion"]["const"] = json!(format!("{}/{}", crd.spec.group, version.name));
    properties["kind"]["const"] = json!(kind);
    properties["metadata"] = metadata(kind);
    if let Some(properties) = properties.as_object_mut() {
        properties.remove("status");
    }
    // An object as kubectl prints it has one; nobody is to write one.
    schema["patternProperties"] = json!({"^status$": {"type": "object"}});
    as_the_api_server_reads_it(&mut schema, Null::Refused);
    Ok(schema)
}

/// Whether a field may be `null`, which says that it is absent.
#[derive(Clone, Copy)]
enum Null {
    Absent,
    Refused,
}

/// Refuses what the API server refuses before any rule: a field that nobody defined, and an element of a set that is there
/// twice.
fn as_the_api_server_reads_it(schema: &mut Value, null: Null) {
    let Some(schema) = schema.as_object_mut() else { return };
    if schema.get("x-kubernetes-list-type").is_some_and(|list| list == "set") {
        schema.insert("uniqueItems".to_owned(), json!(true));
    }
    schema.retain(|key, _| !key.starts_with("x-kubernetes-"));
    // Only here do editors show what stands between backticks as code.
    if let Some(description) = schema.get("description").filter(|text| text.to_string().contains('`')).cloned() {
        schema.insert("markdownDescription".to_owned(), description);
    }
    let required = schema.get("required").cloned().unwrap_or_default();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties {
            let is_required = required.as_array().is_some_and(|names| names.contains(&json!(name)));
            as_the_api_server_reads_it(property, if is_required { Null::Refused } else { Null::Absent });
        }
        schema.entry("additionalProperties").or_insert(json!(false));
    }
    for element in ["items", "additionalProperties"] {
        if let Some(element) = schema.get_mut(element) {
            as_the_api_server_reads_it(element, Null::Refused);
        }
    }
    if let Null::Absent = null {
        let mut wanted = Map::new();
        for part in ["type", "enum"] {
            wanted.extend(schema.remove_entry(part));
        }
        schema.insert("anyOf".to_owned(), or_absent(&wanted.into()));
    }
}

/// Said so, `null` is neither offered by an editor nor named in its messages.
fn or_absent(wanted: &Value) -> Value {
    json!([wanted, {"not": {"type": ["array", "boolean", "number", "object", "string"]}}])
}

/// The API server's own fields, as far as people write them.
fn metadata(kind: &str) -> Value {
    let text = json!({"anyOf": or_absent(&json!({"type": "string"}))});
    json!({
        "type": "object",
        "description": "What the object is called, and where it is.",
        "required": ["name"],
        "properties": {
            "name": {
                "type": "string",
                "maxLength": 253,
                "pattern": OBJECT_NAME,
                "patternErrorMessage": "must be lower case letters, digits, hyphens and dots, such as ana-silva",
                "description": "The object's name: lower case letters, digits, hyphens and dots.",
            },
            "namespace": {"type": "string", "description": "The clinic's namespace. Leave it out where something else sets it, such as Kustomize or kubectl -n."},
            "labels": {"type": "object", "additionalProperties": text, "description": "Words of your own to find objects by."},
            "annotations": {
                "type": "object",
                "additionalProperties": text,
                "properties": annotations(kind),
                "description": "Notes that programs read. Every value is text: write a number in quotes.",
            },
        },
        "patternProperties": {OTHER_METADATA: {}},
        "additionalProperties": false,
    })
}

/// What the operator reads among the annotations.
fn annotations(kind: &str) -> Value {
    let known: &[(&str, &str)] = match kind {
        "ClinicUser" => &[
            (RESEND_ANNOTATION, "Any new value sends the invitation again; the links of earlier mails stop working."),
            (REACTIVATE_ANNOTATION, "The ClinicAccount of the same person, who comes back to it."),
            (REPLACE_ANNOTATION, "The ClinicAccount of another person, to whom the address belonged before."),
            (
                SIGN_OUT_ANNOTATION,
                "The member's ClinicAccount and its grant, such as a-….0: every session of the person ends.",
            ),
        ],
        "Clinic" => {
            &[(RELEASE_HOLD_ANNOTATION, "The id of a hold, from the Clinic's status: what it keeps back goes on.")]
        }
        _ => &[],
    };
    let schemas = known.iter().map(|(name, text)| ((*name).to_owned(), json!({"type": "string", "description": text})));
    schemas.collect::<Map<_, _>>().into()
}

fn text(schema: &Value) -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(schema)? + "\n")
}
