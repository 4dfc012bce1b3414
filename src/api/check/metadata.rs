//! What the API server asks of every object's metadata, as a schema. What a kind asks of its own name is in its CEL rules.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::{Value, json};

use super::METADATA;
use super::finding::{Finding, Path, Problem};

/// RFC 1123 subdomain, as the API server has names of objects.
const NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// RFC 1123 label; an empty one is as good as none.
const NAMESPACE: &str = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$";
const LABEL_VALUE: &str = r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$";

/// The schema of `metadata`.
pub(super) fn schema() -> JSONSchemaProps {
    let rule =
        |pattern: &str, message: &str| json!([{"rule": format!("self.matches('{pattern}')"), "message": message}]);
    let name = rule(
        NAME,
        "must be lower case letters, digits, hyphens and dots, and begin and end with a letter or a digit, such as ana-silva",
    );
    let namespace = rule(NAMESPACE, "must be lower case letters, digits and hyphens, such as maple");
    let label = rule(LABEL_VALUE, "a label's value must be letters, digits, hyphens, underscores and dots");
    let text = json!({"type": "string"});
    let map = |values| json!({"type": "object", "additionalProperties": values});
    let open = json!({"x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({
        "type": "object",
        "description": "What the object is called, as name on an indented line.",
        "required": ["name"],
        "properties": {
            "name": {
                "type": "string", "minLength": 1, "maxLength": 253, "x-kubernetes-validations": name,
                "description": "What the object is called, such as ana-silva.",
            },
            "namespace": {"type": "string", "maxLength": 63, "x-kubernetes-validations": namespace},
            "labels": map(json!({"type": "string", "maxLength": 63, "x-kubernetes-validations": label})),
            "annotations": map(text.clone()),
            "finalizers": {"type": "array", "items": text},
            "ownerReferences": {"type": "array", "items": open},
            "managedFields": {"type": "array", "items": open},
            "generateName": text, "uid": text, "resourceVersion": text, "selfLink": text,
            "creationTimestamp": open, "deletionTimestamp": open, "deletionGracePeriodSeconds": open, "generation": open,
        },
    });
    serde_json::from_value(schema).unwrap_or_default()
}

/// Bytes of all annotations, at most.
const MOST_ANNOTATED: usize = 256 * 1024;

/// What is wrong with the keys of labels and annotations, which no schema can say, and with how much they are.
pub(super) fn keys(object: &Value) -> Vec<Finding> {
    let of = |map: &str| object.get(METADATA).and_then(|metadata| metadata.get(map)?.as_object());
    let place = |map: &str| Path::default().field(METADATA).field(map);
    let mut findings = Vec::new();
    for map in ["labels", "annotations"] {
        // The API server takes any capitals of an annotation's domain.
        let is_right = |key: &str| if map == "labels" { is_key(key) } else { is_key(&key.to_lowercase()) };
        let wrong = of(map).into_iter().flat_map(|keys| keys.keys()).filter(|key| !is_right(key));
        findings.extend(wrong.map(|key| Finding {
            path: place(map).key(key),
            problem: Problem::Invalid,
            message: "a key must be at most 63 letters, digits, hyphens, underscores and dots, and may have a domain and a / before it, such as clinic.example/floor".to_owned(),
        }));
    }
    let length = |(key, value): (&String, &Value)| key.len() + value.as_str().map_or(0, str::len);
    if of("annotations").into_iter().flatten().map(length).sum::<usize>() > MOST_ANNOTATED {
        let message = format!("have more than {MOST_ANNOTATED} bytes together: keep long texts elsewhere");
        findings.push(Finding { path: place("annotations"), problem: Problem::TooLong, message });
    }
    findings
}

/// Whether it is a qualified name: `domain/name` or `name`.
fn is_key(key: &str) -> bool {
    let (domain, name) = key.rsplit_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let is_name = bytes.len() <= 63
        && is_edge(bytes.first())
        && is_edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    is_name && domain.is_none_or(is_domain)
}

fn is_domain(domain: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let is_inner = |byte: &u8| *byte == b'-' || is_edge(Some(byte));
        is_edge(bytes.first()) && is_edge(bytes.last()) && bytes.iter().all(is_inner)
    };
    domain.len() <= 253 && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_qualified_names() {
        let long = |length: usize| "a".repeat(length);
        for (key, is_right) in [
            ("floor", true),
            ("Floor_2.b-c", true),
            ("clinic.example/floor", true),
            (&long(63), true),
            (&long(64), false),
            ("", false),
            ("/floor", false),
            ("clinic.example/", false),
            ("Clinic.example/floor", false),
            ("a/b/c", false),
            ("-floor", false),
            ("the floor", false),
            ("clinic..example/floor", false),
        ] {
            assert_eq!(is_key(key), is_right, "{key}");
        }
    }

    #[test]
    fn annotations_are_bounded_together_and_their_domains_take_capitals() {
        let object = |length: usize| json!({"metadata": {"annotations": {"Clinic.example/a": "x".repeat(length)}}});
        assert_eq!(keys(&object(1000)), []);
        assert_eq!(keys(&object(MOST_ANNOTATED)).len(), 1);
        assert_eq!(keys(&json!({"metadata": {"labels": {"Clinic.example/a": "x"}}})).len(), 1);
    }
}
