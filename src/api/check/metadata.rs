//! What the API server asks of every object's metadata, as a schema. What a kind asks of its own name is in its CEL rules.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::json;

/// RFC 1123 subdomain, as the API server has names of objects.
const NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// RFC 1123 label.
const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
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
