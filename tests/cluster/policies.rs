//! What the API server refuses, whatever rights somebody has (`crds/policies.yaml`): who asks for it, and in which words they are
//! refused. Never here: what RBAC refuses.

mod decisions;
mod namespaces;
mod records;
mod restore;

use serde_json::{Value, json};

use crate::support::control_plane::{Namespace, control_plane};
use crate::support::operator::{self, OperatorOptions};
use crate::support::portal::{self, PortalOptions};
use crate::support::smtp::SmtpServer;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, staff};

const ACCOUNT: &str = "a-3f2504e0-4f89-41d3-9a0c-0305e82c3302";
const CLAIM: &str = "e-abcdefgh234567aaabcdefgh234567aa";
const CREDENTIAL: &str = "c-rmp4qzztybz6g5xv4nnoylqzdt";
const API: &str = "clinic-operator.dev/v1alpha1";

/// A clinic with an object of each kind. Nobody runs in it.
struct Ground {
    namespace: Namespace,
}

impl Ground {
    fn new(prefix: &str) -> Self {
        let namespace = control_plane().namespace(prefix);
        identities(&namespace);
        let inbox = "spec: {email: lab@maple.example, displayName: Lab, manager: {firstName: Ana, lastName: Silva}}";
        let inbox = format!("apiVersion: {API}\nkind: ServiceAccount\nmetadata: {{name: lab}}\n{inbox}\n---\n");
        let manifests = staff("ana", "ana@maple.example") + &inbox + CLINIC;
        control_plane().kubectl_stdin(&namespace, &["create", "-f", "-"], &manifests).ok();
        Self { namespace }
    }

    /// One with records too, written by the parts whose they are.
    fn with_records(prefix: &str) -> Self {
        let ground = Self::new(prefix);
        let (controller, portal) = (ground.namespace.controller(), ground.namespace.portal());
        for (user, resource, object) in [
            (&controller, "clinicaccounts", account(ACCOUNT)),
            (&controller, "emailclaims", claim(CLAIM)),
            (&portal, "cliniccredentials", credential(CREDENTIAL)),
        ] {
            // A Role counts a moment after it was written.
            eventually_ok(PATIENCE, resource, || ground.ask(Some(user), "POST", resource, "", Some(&object)));
        }
        ground.ask(Some(&portal), "PATCH", "clinicaccounts", ACCOUNT, Some(&accepted("ana@maple.example"))).unwrap();
        ground
    }

    fn ask(
        &self,
        user: Option<&str>,
        method: &str,
        resource: &str,
        rest: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let (resource, status) = resource.split_once('/').unwrap_or((resource, ""));
        let path = [&self.namespace.path(resource), rest, status].map(str::to_owned).into_iter();
        let path: Vec<_> = path.filter(|part| !part.is_empty()).collect();
        control_plane().ask(user, method, &path.join("/"), body)
    }

    /// Gives somebody a Role with these verbs on these resources of ours.
    fn grant(&self, role: &str, verbs: &[&str], resources: &[&str], subject: &str) {
        let rules = json!([{"apiGroups": ["clinic-operator.dev"], "resources": resources, "verbs": verbs}]);
        let api = "rbac.authorization.k8s.io/v1";
        let object = json!({"apiVersion": api, "kind": "Role", "metadata": {"name": role}, "rules": rules});
        control_plane().kubectl_stdin(&self.namespace, &["create", "-f", "-"], &object.to_string()).ok();
        self.bind(role, subject);
    }

    /// `subject` is a user's name.
    fn bind(&self, role: &str, subject: &str) {
        let name = format!("{role}-{}", subject.replace(':', "-"));
        let arguments = ["create", "rolebinding", &name, &format!("--role={role}"), &format!("--user={subject}")];
        control_plane().kubectl(&self.namespace, &arguments).ok();
    }

    /// A Role counts a moment after it was written.
    fn wait_until_may(&self, verb: &str, resource: &str, subject: &str) {
        let (who, resource) = (format!("--as={subject}"), &format!("{resource}.clinic-operator.dev"));
        eventually_ok(PATIENCE, &format!("{subject} to have the right to {verb} {resource}"), || {
            let answer = control_plane().kubectl(&self.namespace, &["auth", "can-i", verb, resource, &who]);
            if answer.success { Ok(()) } else { Err(answer.stderr) }
        });
    }
}

/// Makes the service accounts of both parts, with the Roles that they ask for.
fn identities(namespace: &Namespace) {
    let relay = SmtpServer::start();
    operator::Prepared::new(namespace, &relay, OperatorOptions::default());
    portal::Prepared::new(namespace, PortalOptions::default());
}

/// The record of a member who has not accepted.
fn account(name: &str) -> Value {
    let holder = json!({"name": "ana", "uid": name.trim_start_matches("a-")});
    let desired = json!({"holder": holder, "email": "ana@maple.example", "type": "Staff"});
    json!({"apiVersion": API, "kind": "ClinicAccount", "metadata": {"name": name}, "spec": {"id": name, "desired": desired}})
}

fn claim(name: &str) -> Value {
    json!({"apiVersion": API, "kind": "EmailClaim", "metadata": {"name": name}, "spec": {"account": ACCOUNT}})
}

fn credential(name: &str) -> Value {
    let spec = json!({"account": ACCOUNT, "sealed": "c2VhbGVk"});
    json!({"apiVersion": API, "kind": "ClinicCredential", "metadata": {"name": name}, "spec": spec})
}

/// That the member has accepted, with this login.
fn accepted(login: &str) -> Value {
    json!({"spec": {"acceptance": {"acceptedAt": "2027-01-01T00:00:00Z", "login": login, "firstName": "Ana",
        "lastName": "Silva", "credential": CREDENTIAL}}})
}
