//! The API as a person uses it: with their own kubeconfig and rights, an object or a list at a time, in whatever shape the caller
//! reads. What the server says to a person may be shown to them, but for what it repeats of an object. Never here: the
//! operator's own access.

use std::fmt::Debug;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use kube::api::{Api, ApiResource, ListParams, Patch, PatchParams};
use kube::client::AuthError;
use kube::core::{Object, ObjectMeta, Status};
use kube::{Client, Config};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::client::{ConnectError, bounded, config};
use super::error::{chain, missing_right};

/// Objects a page of a list.
const PAGE: u32 = 500;
/// Who wrote a field. Not `kubectl…`: Flux takes back what managers of such a name have written.
const MANAGER: &str = "clinic-plugin";

/// How a person says which cluster they mean, as with kubectl.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The file; absent: `KUBECONFIG`, else `~/.kube/config`, else the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; absent: the current one.
    pub context: Option<String>,
    /// The namespace; absent: the context's.
    pub namespace: Option<String>,
}

/// A person who is connected.
pub struct Person {
    client: Client,
    /// The namespace that they mean.
    pub namespace: String,
    /// The API server's address.
    pub server: String,
}

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
    /// No object of that name.
    #[error("not found")]
    NotFound,
    /// The kind is not served.
    #[error("the kind is not served")]
    NotServed,
    /// No right, by RBAC: `list resource "clinics" in API group …`, if the server says it.
    #[error("no right to {0}")]
    Forbidden(String),
    /// An admission policy refused, in its own words.
    #[error("refused by a policy: {0}")]
    Policy(String),
    /// The object is not as it was read.
    #[error("the object has changed since it was read")]
    Conflict,
    /// The server does not know who asks.
    #[error("the API server does not accept these credentials")]
    Unauthorized,
    /// Anything else that it answered.
    #[error("the API server answered {code} {reason}")]
    Other {
        /// HTTP status.
        code: u16,
        /// The machine-readable reason.
        reason: String,
    },
    /// No answer, or none that can be read.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

impl Person {
    /// Reads the kubeconfig and gets credentials; a credential plugin that it names is run.
    ///
    /// # Errors
    /// See [`ConnectError`]. No request is made yet.
    pub async fn connect(login: &Login) -> Result<Self, ConnectError> {
        let mut config = bounded(config(login.kubeconfig.as_deref(), login.context.as_deref()).await?);
        without_proxy_where_excepted(&mut config);
        let namespace = login.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| unusable(&error))?;
        Ok(Self { client, namespace, server })
    }

    /// One object.
    ///
    /// # Errors
    /// [`PersonError::NotFound`], or a failed request.
    pub async fn get<S: Shape, T: Shape>(&self, kind: &ApiResource, name: &str) -> Result<Object<S, T>, PersonError> {
        Ok(self.api(kind).get(name).await?)
    }

    /// All objects of a kind.
    ///
    /// # Errors
    /// A failed request.
    pub async fn list<S: Shape, T: Shape>(&self, kind: &ApiResource) -> Result<Vec<Object<S, T>>, PersonError> {
        let api = self.api(kind);
        let mut parameters = ListParams::default().limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = api.list(&parameters).await?;
            all.extend(page.items);
            match page.metadata.continue_ {
                Some(token) if !token.is_empty() => parameters = parameters.continue_token(&token),
                _ => return Ok(all),
            }
        }
    }

    /// The objects of a core or foreign kind that k8s-openapi knows, of a selector.
    ///
    /// # Errors
    /// A failed request.
    pub async fn list_known<K>(&self, selector: &str) -> Result<Vec<K>, PersonError>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        Ok(api.list(&ListParams::default().fields(selector)).await?.items)
    }

    /// Whether the namespace is there; `None`: this person may not know.
    pub async fn namespace_is_there(&self) -> Option<bool> {
        let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.client.clone());
        match api.get_metadata_opt(&self.namespace).await {
            Ok(found) => Some(found.is_some()),
            Err(_) => None,
        }
    }

    /// The value of an annotation of the namespace.
    ///
    /// # Errors
    /// A failed request.
    pub async fn annotation_of_namespace(&self, name: &str) -> Result<Option<String>, PersonError> {
        let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.client.clone());
        let namespace = api.get_metadata(&self.namespace).await?;
        Ok(namespace.metadata.annotations.and_then(|mut all| all.remove(name)))
    }

    /// Gives an annotation a value, if the object is still the one that was read.
    ///
    /// # Errors
    /// [`PersonError::Conflict`]: it is not, and nothing was written.
    pub async fn annotate(
        &self,
        kind: &ApiResource,
        read: &ObjectMeta,
        annotation: &str,
        value: &str,
    ) -> Result<(), PersonError> {
        let mut annotations = Map::new();
        annotations.insert(annotation.to_owned(), Value::from(value));
        let patch = json!({"metadata": {
            "uid": read.uid, "resourceVersion": read.resource_version, "annotations": annotations,
        }});
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let api: Api<Object<Value, Value>> = self.api(kind);
        api.patch_metadata(read.name.as_deref().unwrap_or_default(), &parameters, &Patch::Merge(&patch)).await?;
        Ok(())
    }

    fn api<S: Shape, T: Shape>(&self, kind: &ApiResource) -> Api<Object<S, T>> {
        Api::namespaced_with(self.client.clone(), &self.namespace, kind)
    }
}

/// What spec and status can be read as.
pub trait Shape: Clone + Debug + Default + Serialize + DeserializeOwned + Send + 'static {}

impl<T: Clone + Debug + Default + Serialize + DeserializeOwned + Send + 'static> Shape for T {}

/// Who keeps an annotation in a file and will set it back: the field manager that applies it. `None`: nobody does.
pub fn keeper_of(metadata: &ObjectMeta, annotation: &str) -> Option<String> {
    let applied = metadata.annotations.as_ref().and_then(|all| all.get(LAST_APPLIED));
    let applied = applied.and_then(|text| serde_json::from_str::<Value>(text).ok());
    if applied.is_some_and(|object| object["metadata"]["annotations"].get(annotation).is_some()) {
        return Some("kubectl apply".to_owned());
    }
    let field = format!("f:{annotation}");
    let owner = metadata.managed_fields.iter().flatten().find(|entry| {
        let owns = entry.fields_v1.as_ref().is_some_and(|fields| {
            let annotations = fields.0.get("f:metadata").and_then(|metadata| metadata.get("f:annotations"));
            annotations.is_some_and(|annotations| annotations.get(&field).is_some())
        });
        let is_a_file = entry.operation.as_deref() == Some("Apply") || entry.manager.as_deref() == Some("helm");
        owns && is_a_file
    });
    owner.and_then(|entry| entry.manager.clone())
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What a credential plugin printed is never repeated: it may be a token.
#[expect(clippy::wildcard_enum_match_arm, reason = "enums of kube's, whose other faults we cannot explain better")]
fn unusable(error: &kube::Error) -> ConnectError {
    match error {
        kube::Error::Auth(AuthError::AuthExecStart(error)) => {
            ConnectError::Credentials(format!("the credential plugin of the kubeconfig does not start: {error}"))
        }
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
            ConnectError::Credentials(format!("the credential plugin of the kubeconfig failed ({})", out.status))
        }
        kube::Error::Auth(_) => ConnectError::Credentials("see the user's entry in the kubeconfig".to_owned()),
        other => ConnectError::Client(other.to_string()),
    }
}

/// kube takes the proxy of the environment for every cluster; other clients leave out those that `NO_PROXY` names, and this machine.
fn without_proxy_where_excepted(config: &mut Config) {
    let variable = |name: &str| std::env::var(name).or_else(|_| std::env::var(name.to_lowercase())).ok();
    let of_environment = variable("HTTPS_PROXY").and_then(|proxy| proxy.parse::<http::Uri>().ok());
    let host = config.cluster_url.host().unwrap_or_default();
    if config.proxy_url == of_environment && is_excepted(&variable("NO_PROXY").unwrap_or_default(), host) {
        config.proxy_url = None;
    }
}

/// Whether a host is one that the list of `NO_PROXY` names: by its name, the end of its name, its address or network, or `*`.
fn is_excepted(list: &str, host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_lowercase();
    let address = host.parse::<IpAddr>().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    list.split(',').map(|entry| entry.trim().to_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        let domain = entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.')).unwrap_or(&entry);
        let network = entry.parse::<IpNet>().ok().zip(address);
        entry == "*"
            || host == entry
            || network.is_some_and(|(network, address)| network.contains(&address))
            || (address.is_none() && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an enum of kube's, whose other faults we cannot explain better")]
impl From<kube::Error> for PersonError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from(&*status),
            kube::Error::SerdeError(_) => Self::NoAnswer("it cannot be read by this version of the program".to_owned()),
            kube::Error::HyperError(error) => Self::NoAnswer(chain(&error)),
            kube::Error::Service(error) => Self::NoAnswer(chain(error.as_ref())),
            kube::Error::Auth(_) => Self::Unauthorized,
            _ => Self::NoAnswer("the request failed".to_owned()),
        }
    }
}

impl From<&Status> for PersonError {
    fn from(status: &Status) -> Self {
        if let Some((policy, words)) = status.message.split_once(" denied request: ")
            && policy.contains("ValidatingAdmissionPolicy")
        {
            return Self::Policy(words.to_owned());
        }
        let is_named = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
        match (status.code, status.reason.as_str()) {
            (404, _) if is_named => Self::NotFound,
            (404, _) => Self::NotServed,
            (401, _) => Self::Unauthorized,
            (409, _) => Self::Conflict,
            (403, _) => {
                let right = missing_right(&status.message).and_then(|right| right.strip_prefix("cannot "));
                Self::Forbidden(right.unwrap_or("do this").to_owned())
            }
            (code, reason) => Self::Other { code, reason: reason.to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_of_the_environment_is_left_out_where_no_proxy_says_so() {
        for (list, host, excepted) in [
            ("", "api.maple.example", false),
            ("", "127.0.0.1", true),
            ("", "localhost", true),
            ("", "[::1]", true),
            ("*", "api.maple.example", true),
            ("river.example, maple.example", "api.maple.example", true),
            (".maple.example", "api.maple.example", true),
            ("*.maple.example", "API.maple.example", true),
            ("maple.example", "maple.example", true),
            ("maple.example", "notmaple.example", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.1.2.3", "10.1.2.3", true),
        ] {
            assert_eq!(is_excepted(list, host), excepted, "{list:?} {host}");
        }
    }

    #[test]
    fn a_refusal_says_who_refused_and_repeats_nothing_of_the_object() {
        let right = "list resource \"clinics\" in API group \"clinic-operator.dev\" in the namespace \"maple\"";
        let policy = "clinics.clinic-operator.dev \"clinic\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: it takes the verb administer";
        for (code, reason, message, expected) in [
            (
                403,
                "Forbidden",
                format!("clinics is forbidden: User \"canary@maple.example\" cannot {right}"),
                PersonError::Forbidden(right.into()),
            ),
            (422, "Invalid", policy.into(), PersonError::Policy("it takes the verb administer".into())),
            (403, "Forbidden", policy.into(), PersonError::Policy("it takes the verb administer".into())),
            (403, "Forbidden", "canary@maple.example".into(), PersonError::Forbidden("do this".into())),
            (404, "NotFound", "404 page not found".into(), PersonError::NotServed),
            (422, "Invalid", "canary@maple.example".into(), PersonError::Other { code: 422, reason: "Invalid".into() }),
        ] {
            let status = Status { code, reason: reason.into(), message, ..Status::default() };
            assert_eq!(PersonError::from(&status), expected);
        }
    }

    #[test]
    fn an_annotation_that_a_file_holds_has_a_keeper_and_one_that_a_person_set_has_none() {
        let owned = |manager: &str, operation: &str| {
            json!({"managedFields": [{"manager": manager, "operation": operation, "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": {"f:annotations": {"f:x/resend": {}}}}}]})
        };
        let applied = |object: &str| json!({"annotations": {LAST_APPLIED: object}});
        for (metadata, keeper) in [
            (owned("kustomize-controller", "Apply"), Some("kustomize-controller")),
            (owned("helm", "Update"), Some("helm")),
            (owned("kubectl-annotate", "Update"), None),
            (owned(MANAGER, "Update"), None),
            (applied(r#"{"metadata":{"annotations":{"x/resend":"2"}}}"#), Some("kubectl apply")),
            (applied(r#"{"metadata":{"annotations":{}}}"#), None),
            (json!({}), None),
        ] {
            let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap();
            assert_eq!(keeper_of(&metadata, "x/resend").as_deref(), keeper, "{metadata:?}");
        }
    }
}
