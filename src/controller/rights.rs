//! What the controller may do, and nothing else: the one table from which its Role is generated and against which it checks
//! itself when it starts.

use crate::adapters::kubernetes::{LEASE, Right};
use crate::api::{Clinic, ClinicAccount, ClinicUser, EmailClaim, ServiceAccount};

/// All rights of the controller, in the clinic's namespace.
pub fn rights() -> Vec<Right> {
    vec![
        // The verb `operate` is no request: the admission policies take who has it for the controller of this namespace.
        Right::on::<Clinic>(&["list", "watch", "operate"]),
        Right::to_write_the_status_of::<Clinic>(),
        // Whether a member is gone is asked of the API server itself, not of the cache.
        Right::on::<ClinicUser>(&["list", "watch", "get"]),
        Right::to_write_the_status_of::<ClinicUser>(),
        Right::on::<ServiceAccount>(&["list", "watch"]),
        Right::to_write_the_status_of::<ServiceAccount>(),
        Right::on::<ClinicAccount>(&["list", "watch", "get", "create", "patch"]),
        Right::on::<EmailClaim>(&["list", "watch", "get", "create", "delete"]),
        Right::on_core("", "events", &["create"]),
        // In a Role of a namespace this is that Namespace's own object and no other: whether restore mode is on, and to end it, which a
        // policy limits the patch to.
        Right::on_core("", "namespaces", &["get", "patch"]),
        Right::on_core("coordination.k8s.io", "leases", &["create"]),
        Right::on_core("coordination.k8s.io", "leases", &["get", "update"]).named(LEASE),
    ]
}
