//! Least privilege: each part is granted exactly what it asks the API server for. What it asked for is in the API server's audit log,
//! of a clinic in which everything happens that a part ever does. Never here: why it asks.

use std::io::{BufRead, BufReader};

use clinic_operator::domain::email::Email;
use clinic_operator::domain::restore::{RESTORE_MODE, open_until};
use serde_json::{Value, json};

use crate::restore_mode;
use crate::support::control_plane::{Namespace, control_plane};
use crate::support::operator::OperatorOptions;
use crate::support::proxy::{Fault, Proxy, Which};
use crate::support::smtp::SmtpServer;
use crate::support::wait::{PATIENCE, eventually, eventually_ok};
use crate::world::{World, staff};

/// Verbs that are no requests: the admission policies ask who has them.
const MARKS: [&str; 2] = ["operate", "authenticate"];

/// A verb on a resource, perhaps on one object alone.
#[derive(Debug)]
struct Grant {
    verb: String,
    resource: String,
    name: Option<String>,
}

/// A finished request.
#[derive(Debug)]
struct Request {
    verb: String,
    resource: String,
    namespace: String,
    name: String,
    code: u64,
}

/// Demands that the Role is exactly what its part has asked for so far.
#[track_caller]
pub(crate) fn uses_exactly_its_rights(namespace: &Namespace, part: &str) {
    let grants = grants(namespace, part);
    let user = format!("system:serviceaccount:{}:{part}", namespace.name());
    // A watch is in the log once it has ended, a moment after its process.
    eventually_ok(PATIENCE, &format!("{part} to be granted exactly what it asks for"), || {
        let requests = requests(&user);
        let meets = |grant: &Grant, request: &Request| {
            (&grant.verb, &grant.resource, namespace.name()) == (&request.verb, &request.resource, &request.namespace)
                && grant.name.as_ref().is_none_or(|name| *name == request.name)
        };
        let beyond = |request: &&Request| request.code == 403 || !grants.iter().any(|grant| meets(grant, request));
        let missing: Vec<_> = requests.iter().filter(beyond).collect();
        let is_unused = |grant: &&Grant| !requests.iter().any(|request| meets(grant, request));
        let unused: Vec<_> = grants.iter().filter(is_unused).collect();
        if missing.is_empty() && unused.is_empty() {
            Ok(())
        } else {
            Err(format!("asked for without the right: {missing:#?}, never asked for: {unused:#?}"))
        }
    });
}

/// What the Role grants, without the marks.
fn grants(namespace: &Namespace, part: &str) -> Vec<Grant> {
    let role = control_plane().kubectl(namespace, &["get", "role", part, "-o", "json"]).ok();
    let role: Value = serde_json::from_str(&role).unwrap();
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut grants = Vec::new();
    for rule in role["rules"].as_array().unwrap() {
        let [group] = &texts(&rule["apiGroups"])[..] else { panic!("one group a rule") };
        let names = texts(&rule["resourceNames"]);
        assert!(names.len() <= 1, "one object a rule");
        for resource in texts(&rule["resources"]) {
            for verb in texts(&rule["verbs"]).into_iter().filter(|verb| !MARKS.contains(&verb.as_str())) {
                grants.push(Grant { verb, resource: format!("{resource}.{group}"), name: names.first().cloned() });
            }
        }
    }
    assert!(!grants.is_empty());
    grants
}

/// Whatever a user asked for, wherever, but for what everybody may ask: about their own rights.
fn requests(user: &str) -> Vec<Request> {
    let log = std::fs::File::open(&control_plane().audit_log).unwrap();
    let lines = BufReader::new(log).lines().map_while(Result::ok).filter(|line| line.contains(user));
    let request = |line: String| {
        let event: Value = serde_json::from_str(&line).unwrap();
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let subresource = text("/objectRef/subresource");
        let slash = if subresource.is_empty() { "" } else { "/" };
        let group = text("/objectRef/apiGroup");
        let request = Request {
            verb: text("/verb"),
            resource: format!("{}{slash}{subresource}.{group}", text("/objectRef/resource")),
            namespace: text("/objectRef/namespace"),
            name: text("/objectRef/name"),
            code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
        };
        let is_of_resources = !event["objectRef"].is_null();
        let about_itself = request.resource == "selfsubjectaccessreviews.authorization.k8s.io";
        (text("/user/username") == user && is_of_resources && !about_itself).then_some(request)
    };
    lines.filter_map(request).collect()
}

/// A claim of `ana@maple.example`, left behind by nobody known, of which the controller's watch says nothing: so it finds the
/// address taken when it wants it, and reads whose it is.
fn taken(world: &World) {
    let claim = Email::parse("ana@maple.example").unwrap().key().claim().to_string();
    let object = json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "EmailClaim", "metadata": {"name": claim},
        "spec": {"account": "a-00000000-0000-4000-8000-000000000000"},
    });
    world.create_as(&world.namespace.controller(), "emailclaims", &object);
}

#[test]
fn the_controller_uses_every_right_that_it_has_and_asks_for_nothing_else() {
    let options =
        OperatorOptions { configuration: vec![("/leaderElection", json!(true))], ..OperatorOptions::default() };
    let mut world = World::at_with("rights", "2027-03-01T12:00:00Z", SmtpServer::start(), options);
    let proxy = Proxy::start();
    // What it is not told it finds out, and reads again.
    for kind in [&["/emailclaims?", "watch=true"], &["/clinicaccounts?", "watch=true"]] {
        proxy.fault(Which { method: "GET", has: kind, has_not: None, only: None }, Fault::Hold);
    }
    world.operator.terminate();
    world.operator.restart_at(&proxy.url);
    world.operator.wait_until_ready();
    eventually(PATIENCE, "the watches to be held", || (proxy.happened() > 1).then_some(()));
    taken(&world);
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    world.apply(
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ServiceAccount\nmetadata: {name: lab}\nspec: {email: lab@maple.example, \
         displayName: Lab, manager: {firstName: Ana, lastName: Silva}}\n",
    );
    world.in_state("clinicserviceaccount", "Active", "lab");
    let account = world.account_of("ana")["metadata"]["name"].as_str().unwrap().to_owned();
    world.kubectl_as_controller(&["annotate", "clinicaccount", &account, "maple.example/note=1"]);
    world.apply(&staff("ana", "ana@maple.example").replace("type: Staff", "type: Staff, suspended: true"));
    world.member_in("Suspended", "ana");
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.access(&account, "Removed");
    restore_mode::annotate(&world, &format!("{RESTORE_MODE}={}", open_until(world.now())));
    restore_mode::wait_until_removed(&world);
    let (status, _) = world.operator.terminate();
    assert!(status.success(), "{status}");
    uses_exactly_its_rights(&world.namespace, "clinic-operator");
}
