//! Rights on resources: as the rules of a Role, and the question which of them we lack. Who needs which never stands here.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::{Api, PostParams};
use kube::{Client, Resource};

use super::ApiError;
use crate::api::GROUP;

/// Verbs on a resource.
#[derive(Clone, Debug)]
pub struct Right {
    /// Its API group; empty for the core one.
    pub group: &'static str,
    /// Plural of the resource.
    pub resource: String,
    /// Such as `status`.
    pub subresource: Option<&'static str>,
    /// The one object that they reach; every object if absent. A creation cannot be limited so: its name is not known yet.
    pub named: Option<&'static str>,
    /// The verbs.
    pub verbs: &'static [&'static str],
}

impl Right {
    /// Verbs on a kind of ours.
    pub fn on<K: Resource<DynamicType = ()>>(verbs: &'static [&'static str]) -> Self {
        Self { group: GROUP, resource: K::plural(&()).into_owned(), subresource: None, named: None, verbs }
    }

    /// Verbs on a kind of Kubernetes itself.
    pub fn on_core(group: &'static str, resource: &str, verbs: &'static [&'static str]) -> Self {
        Self { group, resource: resource.to_owned(), subresource: None, named: None, verbs }
    }

    /// The same on one object alone.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        Self { named: Some(name), ..self }
    }

    /// Patching the status of a kind of ours.
    pub fn to_write_the_status_of<K: Resource<DynamicType = ()>>() -> Self {
        Self { subresource: Some("status"), ..Self::on::<K>(&["patch"]) }
    }

    /// As a Role writes it, such as `clinics/status`.
    fn what(&self) -> String {
        match self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource),
            None => self.resource.clone(),
        }
    }
}

/// Rights as the rules of a Role.
pub fn rules(rights: &[Right]) -> Vec<PolicyRule> {
    let rule = |right: &Right| PolicyRule {
        api_groups: Some(vec![right.group.to_owned()]),
        resources: Some(vec![right.what()]),
        resource_names: right.named.map(|name| vec![name.to_owned()]),
        verbs: right.verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    };
    rights.iter().map(rule).collect()
}

/// The rights that we lack in `namespace`, such as `patch clinicaccounts`.
///
/// # Errors
/// A request that failed.
pub async fn missing(client: &Client, namespace: &str, rights: &[Right]) -> Result<Vec<String>, ApiError> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut missing = Vec::new();
    for right in rights {
        for verb in right.verbs {
            let attributes = ResourceAttributes {
                group: Some(right.group.to_owned()),
                namespace: Some(namespace.to_owned()),
                resource: Some(right.resource.clone()),
                subresource: right.subresource.map(str::to_owned),
                name: right.named.map(str::to_owned),
                verb: Some((*verb).to_owned()),
                ..ResourceAttributes::default()
            };
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
                ..Default::default()
            };
            let answer = reviews.create(&PostParams::default(), &review).await?;
            if !answer.status.is_some_and(|status| status.allowed) {
                let name = right.named.map(|name| format!(" {name}")).unwrap_or_default();
                missing.push(format!("{verb} {}{name}", right.what()));
            }
        }
    }
    Ok(missing)
}
