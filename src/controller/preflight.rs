//! What must be right before the controller starts: a cluster that answers, our CRDs as new as this program, the rights that
//! it needs. Each fault is one line that says what to do.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use serde_json::Value;

use super::rights::{Right, rights};
use crate::adapters::kubernetes::ApiError;
use crate::api::crds::crds;
use crate::api::{GROUP, VERSION};

/// Why the controller does not start.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// No answer, or not the one of a Kubernetes API server.
    #[error("failed to reach the cluster: {0}")]
    Unreachable(ApiError),
    /// The group is not served.
    #[error("the custom resources of {GROUP} are not installed in this cluster: kubectl apply -f crds/")]
    NoCrds,
    /// A field that this version needs is not in the served schema.
    #[error(
        "the CRD of {kind} in this cluster is older than this operator: {field} is missing; apply the crds/ of this version"
    )]
    OldCrd {
        /// The kind.
        kind: String,
        /// The first field that is missing.
        field: String,
    },
    /// Rights are missing.
    #[error("missing rights in namespace {namespace}: {missing}; apply the Role that `clinic-operator role` prints")]
    NoRights {
        /// Where.
        namespace: String,
        /// Verbs and resources.
        missing: String,
    },
}

/// Checks everything.
///
/// # Errors
/// The first fault.
pub async fn preflight(client: &Client, namespace: &str) -> Result<(), PreflightError> {
    let schemas = served_schemas(client).await?;
    a_served_schema_has_every_field(&schemas)?;
    every_right_is_granted(client, namespace).await
}

async fn served_schemas(client: &Client) -> Result<Value, PreflightError> {
    let path = format!("/openapi/v3/apis/{GROUP}/{VERSION}");
    let request = http::Request::get(path)
        .body(Vec::new())
        .map_err(|error| PreflightError::Unreachable(ApiError::NoAnswer(error.to_string())))?;
    client.request(request).await.map_err(ApiError::from).map_err(|error| {
        if error == ApiError::NotFound { PreflightError::NoCrds } else { PreflightError::Unreachable(error) }
    })
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

/// The first field of `needed` that `served` does not have.
fn missing_field(needed: &Value, served: &Value, path: &str) -> Option<String> {
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

async fn every_right_is_granted(client: &Client, namespace: &str) -> Result<(), PreflightError> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut missing = Vec::new();
    for Right { resource, subresource, verbs } in rights() {
        for verb in verbs {
            let attributes = ResourceAttributes {
                group: Some(GROUP.to_owned()),
                namespace: Some(namespace.to_owned()),
                resource: Some(resource.clone()),
                subresource: subresource.map(str::to_owned),
                verb: Some((*verb).to_owned()),
                ..ResourceAttributes::default()
            };
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
                ..Default::default()
            };
            let answer = reviews
                .create(&PostParams::default(), &review)
                .await
                .map_err(|error| PreflightError::Unreachable(error.into()))?;
            if !answer.status.is_some_and(|status| status.allowed) {
                let subresource = subresource.map_or(String::new(), |name| format!("/{name}"));
                missing.push(format!("{verb} {resource}{subresource}"));
            }
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(PreflightError::NoRights { namespace: namespace.to_owned(), missing: missing.join(", ") })
    }
}
