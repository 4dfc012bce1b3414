//! What the portal may do, and nothing else: the one table from which its Role is generated and against which it checks itself
//! when it starts. It writes to no manifest, claim or Clinic, and reads no Secret.

use crate::adapters::kubernetes::Right;
use crate::api::{Clinic, ClinicAccount, ClinicCredential, ClinicUser};

/// All rights of the portal, in the clinic's namespace.
pub fn rights() -> Vec<Right> {
    vec![
        // The verb `authenticate` is no request: the admission policies take who has it for the portal of this namespace.
        Right::on::<Clinic>(&["list", "watch", "get", "authenticate"]),
        Right::on::<ClinicUser>(&["list", "watch", "get"]),
        Right::on::<ClinicAccount>(&["list", "watch", "get", "patch"]),
        Right::on::<ClinicCredential>(&["list", "get", "create", "patch", "delete"]),
        // In a Role of a namespace this is that Namespace's own object and no other: whether restore mode is on.
        Right::on_core("", "namespaces", &["get"]),
    ]
}
