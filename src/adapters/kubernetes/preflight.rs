//! What must be right before a part of the program starts: a cluster that answers, our CRDs as new as this program, the rights that
//! it needs. Each fault is one line that says what to do.

use kube::{Client, ResourceExt};
use serde_json::Value;

use super::rights::{self, Right};
use super::{ApiError, Clients};
use crate::api::crds::crds;
use crate::api::{GROUP, VERSION};

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// No answer, or not the one of a Kubernetes API server.
    #[error("failed to use the cluster at {server}: {error}; check its address, certificate authority and token")]
    Unreachable {
        /// Its address.
        server: String,
        /// What happened.
        error: ApiError,
    },
    /// The group is not served.
    #[error("the custom resources of {GROUP} are not installed in this cluster: kubectl apply -f crds/")]
    NoCrds,
    /// A field that this version needs, or a word that it may hold, is not in the served schema.
    #[error(
        "the CRD of {kind} in this cluster is older than this operator: {field} is missing; apply the crds/ of this version"
    )]
    OldCrd {
        /// The kind.
        kind: String,
        /// The first field or word that is missing.
        field: String,
    },
    /// Rights are missing.
    #[error("missing rights in namespace {namespace}: {missing}; apply the Role that `{role}` prints")]
    NoRights {
        /// The command that prints the Role.
        role: &'static str,
        /// Where.
        namespace: String,
        /// Verbs and resources.
        missing: String,
    },
}

/// Checks everything for a part that needs these rights, which the command `role` prints.
///
/// # Errors
/// The first fault.
pub async fn preflight(
    clients: &Clients,
    namespace: &str,
    rights: &[Right],
    role: &'static str,
) -> Result<(), PreflightError> {
    let unreachable = |error| PreflightError::Unreachable { server: clients.server.clone(), error };
    let schemas = served_schemas(&clients.write).await.map_err(unreachable)?.ok_or(PreflightError::NoCrds)?;
    a_served_schema_has_every_field(&schemas)?;
    let missing = rights::missing(&clients.write, namespace, rights).await.map_err(unreachable)?;
    if missing.is_empty() {
        Ok(())
    } else {
        Err(PreflightError::NoRights { role, namespace: namespace.to_owned(), missing: missing.join(", ") })
    }
}

/// `None`: the group is not served.
async fn served_schemas(client: &Client) -> Result<Option<Value>, ApiError> {
    let path = format!("/openapi/v3/apis/{GROUP}/{VERSION}");
    let request = http::Request::get(path).body(Vec::new()).map_err(|error| ApiError::NoAnswer(error.to_string()))?;
    match client.request(request).await.map_err(ApiError::from) {
        Ok(document) => Ok(Some(document)),
        Err(ApiError::NotFound | ApiError::Other { code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn a_served_schema_has_every_field(document: &Value) -> Result<(), PreflightError> {
    let served = document.pointer("/components/schemas").and_then(Value::as_object);
    for crd in crds() {
        let kind = crd.spec.names.kind.clone();
        let is_it = |schema: &&Value| {
            schema["x-kubernetes-group-version-kind"]
                .as_array()
                .is_some_and(|all| all.iter().any(|gvk| gvk["kind"] == kind.as_str() && gvk["group"] == GROUP))
        };
        let Some(served) = served.and_then(|all| all.values().find(is_it)) else {
            return Err(PreflightError::OldCrd { field: format!("the kind ({})", crd.name_any()), kind });
        };
        let needed = crd.spec.versions.into_iter().next().and_then(|version| version.schema?.open_api_v3_schema);
        let needed = serde_json::to_value(needed).unwrap_or_default();
        for block in ["spec", "status"] {
            if let Some(field) = missing_field(&needed["properties"][block], &served["properties"][block], block) {
                return Err(PreflightError::OldCrd { kind, field });
            }
        }
    }
    Ok(())
}

/// The first field of `needed`, or word of an enum, that `served` does not have.
fn missing_field(needed: &Value, served: &Value, path: &str) -> Option<String> {
    if let (Some(needed), Some(served)) = (needed["enum"].as_array(), served["enum"].as_array())
        && let Some(word) = needed.iter().find(|word| !served.contains(word))
    {
        return Some(format!("{path} {}", word.as_str().unwrap_or_default()));
    }
    if let Some(fields) = needed["properties"].as_object() {
        for (name, schema) in fields {
            let path = format!("{path}.{name}");
            match served["properties"].get(name) {
                None => return Some(path),
                Some(served) => {
                    if let Some(missing) = missing_field(schema, served, &path) {
                        return Some(missing);
                    }
                }
            }
        }
    }
    needed.get("items").and_then(|items| missing_field(items, &served["items"], &format!("{path}[]")))
}
