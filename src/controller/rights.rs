//! What the controller may do, and nothing else: the one table from which its Role is generated and against which it checks
//! itself when it starts.

use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Resource;

use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, GROUP, ServiceAccount};

/// Verbs on a resource.
pub struct Right {
    /// Its API group; empty for the core one.
    pub group: &'static str,
    /// Plural of the resource.
    pub resource: String,
    /// Such as `status`.
    pub subresource: Option<&'static str>,
    /// The verbs.
    pub verbs: &'static [&'static str],
}

/// All rights of the controller, in the clinic's namespace.
pub fn rights() -> Vec<Right> {
    const SEE: &[&str] = &["list", "watch"];
    let right = |resource, subresource, verbs| Right { group: GROUP, resource, subresource, verbs };
    let [clinics, users, service_accounts] =
        [Clinic::plural(&()), ClinicUser::plural(&()), ServiceAccount::plural(&())].map(String::from);
    let mut rights = Vec::new();
    // Whether a member is gone is asked of the API server itself, not of the cache.
    for (resource, verbs) in [(clinics, SEE), (users, &["list", "watch", "get"]), (service_accounts, SEE)] {
        rights.push(right(resource.clone(), None, verbs));
        rights.push(right(resource, Some("status"), &["patch"]));
    }
    rights.push(right(ClinicAccount::plural(&()).into_owned(), None, &["list", "watch", "get", "create", "patch"]));
    rights.push(right(EmailClaim::plural(&()).into_owned(), None, &["list", "watch", "get", "create", "delete"]));
    rights.push(Right { group: "", ..right("events".to_owned(), None, &["create"]) });
    rights
}

/// The rights as the rules of a Role.
pub fn rules() -> Vec<PolicyRule> {
    let rule = |right: Right| PolicyRule {
        api_groups: Some(vec![right.group.to_owned()]),
        resources: Some(vec![match right.subresource {
            Some(subresource) => format!("{}/{subresource}", right.resource),
            None => right.resource,
        }]),
        verbs: right.verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    };
    rights().into_iter().map(rule).collect()
}
