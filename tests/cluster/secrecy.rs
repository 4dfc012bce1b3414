//! Invariant I7: no token, link, password or email address in logs, metrics, events, object names or statuses. Canaries are
//! planted in every input, through every kind of trouble; then everything that comes out is searched.
//! Never here: what may be read by those who may read the record itself.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::control_plane::{Namespace, control_plane};
use crate::support::mail::Mail;
use crate::support::operator::OperatorOptions;
use crate::support::smtp::Stage;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, World, staff};

/// In the local part of every address.
pub(crate) const ADDRESS: &str = "KanarienVogel";
pub(crate) const USERNAME: &str = "relay-user-canary-4711";
pub(crate) const PASSWORD: &str = "Pa55-w0rd/canary+0815";

const KINDS: [&str; 6] =
    ["clinics", "clinicusers", "clinicserviceaccounts", "clinicaccounts", "emailclaims", "cliniccredentials"];
/// The kinds whose status people and tools read.
const WITH_STATUS: usize = 3;

/// Something that came out, and where.
pub(crate) struct Output {
    place: String,
    text: String,
}

impl Output {
    pub(crate) fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), text: text.into() }
    }

    /// Whether it is of such a place.
    pub(crate) fn is_of(&self, place: &str) -> bool {
        self.place.starts_with(place)
    }
}

/// Every place in which one of the canaries stands, in upper or lower case, as it is or in base64 or percent encoding.
fn places_of(canaries: &[String], outputs: &[Output]) -> Vec<String> {
    let mut places = Vec::new();
    for Output { place, text } in outputs {
        let text = text.to_lowercase();
        for canary in canaries {
            let encoded = [canary.clone(), base64(canary), canary.replace('@', "%40"), canary.replace('/', "\\/")];
            if encoded.iter().any(|canary| text.contains(&canary.to_lowercase())) {
                places.push(format!("{canary} in {place}"));
            }
        }
    }
    places
}

/// Of the whole groups of three bytes: what follows does not change them.
fn base64(text: &str) -> String {
    let whole = text.len() / 3 * 3;
    data_encoding::BASE64.encode(&text.as_bytes()[..whole])
}

/// What came out of a clinic, as it may be read by many; and all its objects whole.
pub(crate) fn outputs(world: &World) -> (Vec<Output>, Vec<Output>) {
    let said = [Output::new("the log", world.operator.log()), Output::new("the metrics", world.operator.metrics())];
    let (stored, whole) = stored(&world.namespace);
    (said.into_iter().chain(stored).collect(), whole)
}

/// Events, and of each object its name and what is not a place for addresses; then all objects whole.
fn stored(namespace: &Namespace) -> (Vec<Output>, Vec<Output>) {
    let get = |resource: &str| control_plane().kubectl(namespace, &["get", resource, "-o", "json"]).ok();
    let mut open = vec![Output::new("the events", get("events"))];
    let mut whole = Vec::new();
    for (index, kind) in KINDS.into_iter().enumerate() {
        let list: Value = serde_json::from_str(&get(kind)).unwrap();
        for mut object in list["items"].as_array().unwrap().iter().cloned() {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            whole.push(Output::new(format!("{kind} {name}"), object.to_string()));
            open.push(Output::new(format!("the name of {kind} {name}"), name.as_str()));
            if index < WITH_STATUS {
                open.push(Output::new(format!("the status of {kind} {name}"), object["status"].to_string()));
                continue;
            }
            without_allowed_places(&mut object);
            open.push(Output::new(format!("{kind} {name} outside of the places for addresses"), object.to_string()));
        }
    }
    (open, whole)
}

/// The places of a record that are meant for the address: whoever may read the record may read it.
fn without_allowed_places(object: &mut Value) {
    for (block, field) in [("desired", "email"), ("delivery", "address"), ("acceptance", "login")] {
        if let Some(block) = object["spec"].get_mut(block).and_then(Value::as_object_mut) {
            block.remove(field);
        }
    }
}

#[track_caller]
pub(crate) fn nothing_is_found(canaries: &[String], outputs: &[Output]) {
    let places = places_of(canaries, outputs);
    assert!(places.is_empty(), "{places:#?}");
}

fn address(name: &str) -> String {
    format!("{ADDRESS}.{name}@maple.example")
}

fn member(name: &str) -> String {
    staff(name, &address(name))
}

#[test]
fn no_address_token_or_password_comes_out_whatever_goes_wrong() {
    let options = OperatorOptions {
        configuration: vec![("/log/level", json!("trace"))],
        credentials: Some((USERNAME.to_owned(), PASSWORD.to_owned())),
        ..OperatorOptions::default()
    };
    let mut world = World::with("secrecy", options);
    let of = |stage, name: &str| world.relay.at(stage).of(&address(name));
    let echo = |name: &str, why: &str| format!("{why} <{}> ({USERNAME})", address(name));
    of(Stage::RcptTo, "refused").reply(550, &echo("refused", "5.1.1"));
    of(Stage::RcptTo, "deferred").reply(451, &echo("deferred", "4.7.1"));
    of(Stage::AfterDot, "unknown").take_then_drop();
    world.apply(&["valid", "refused", "deferred", "unknown"].map(member).concat());
    world.member_in("Invited", "valid");
    world.member_in("Undeliverable", "refused");
    world.member_told("deferred", "did not get through");
    world.member_in("Pending", "unknown");
    world.apply(&staff("conflicting", &address("valid").to_lowercase()));
    world.member_in("EmailConflict", "conflicting");
    world.apply(&format!(
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ServiceAccount\nmetadata: {{name: lab}}\nspec: {{email: {}, \
         displayName: Lab, manager: {{firstName: Ana, lastName: Silva}}}}\n",
        address("lab")
    ));
    world.in_state("clinicserviceaccount", "Active", "lab");
    // An address that the API server takes and the operator gives up again, and a second round.
    world.apply(&staff("valid", &address("changed")));
    world.member_in("Invited", "conflicting");
    world.kubectl(&["annotate", "clinicuser", "conflicting", "clinic-operator.dev/resend=2"]);
    world.relay.wait_for(5, PATIENCE);
    // A relay that fails as a whole, and says why with everything it knows.
    for (name, stage, code) in [("denied", Stage::Auth, 535), ("spoken-to", Stage::Data, 554)] {
        world.relay.at(stage).reply(code, &format!("5.7.0 {} {USERNAME} {PASSWORD}", address(name)));
        world.apply(&member(name));
        world.member_told(name, "does not take mail");
    }
    world.operator.restart();
    world.member_in("Undeliverable", "refused");
    world.at_rest(Duration::from_secs(3));

    let mut secrets = vec![USERNAME.to_owned(), PASSWORD.to_owned(), base64(&format!("\0{USERNAME}\0{PASSWORD}"))];
    let links: Vec<String> = world.relay.mails().iter().flat_map(Mail::links).collect();
    assert_eq!(links.len(), 5, "{links:?}");
    secrets.extend(links.iter().map(|link| link.rsplit('.').next().unwrap().to_owned()));
    secrets.push("/invitations#".to_owned());
    let (open, whole) = outputs(&world);
    for expected in ["INFO", "WARN"] {
        assert!(open[0].text.contains(expected), "the log was not even written: {}", open[0].text);
    }
    nothing_is_found(&[secrets.as_slice(), &[ADDRESS.to_owned()]].concat(), &open);
    nothing_is_found(&secrets, &whole);
    // The addresses are where they belong: so the search would have found them.
    assert!(!places_of(&[ADDRESS.to_owned()], &whole).is_empty());
}

/// A canary in every field that people write or confirm, and in the annotations.
const FIELDS: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: Clinic
metadata: {name: clinic, annotations: {clinic-operator.dev/release-hold: canary-of-a-hold}}
spec:
  displayName: Canary Display
  timeZone: America/Toronto
  contact: {email: KanarienVogel.office@maple.example, phone: 416-555-0147 ext. 12}
---
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata:
  name: ana
  annotations: {clinic-operator.dev/resend: canary-of-a-resend, clinic-operator.dev/reactivate: canary-of-a-decision}
spec:
  email: KanarienVogel.ana@maple.example
  type: Practitioner
  classification: Standard
  license: CHRPlus
  firstName: Canary First
  lastName: Canary Last
  title: Canary Title
  position: Canary Position
  billingNumber: CANARY77
  roles: [Canary Role]
  permissions: [Canary Permission]
---
apiVersion: clinic-operator.dev/v1alpha1
kind: ServiceAccount
metadata: {name: lab}
spec:
  email: KanarienVogel.lab@maple.example
  displayName: Canary Inbox
  manager: {firstName: Canary Manager, lastName: Canary Answering}
";

#[test]
fn nothing_that_people_write_or_confirm_comes_out_but_in_the_list_of_members() {
    let options = OperatorOptions { configuration: vec![("/log/level", json!("trace"))], ..OperatorOptions::default() };
    let mut world = World::with("fields", options);
    world.apply(FIELDS);
    world.member_in("Invited", "ana");
    world.in_state("clinicserviceaccount", "Active", "lab");
    world.accept(&world.relay.mails()[0], "Canary Confirmed", "Canary Signed").unwrap();
    world.member_in("Active", "ana");
    // Ignored, with an event; another address, which is confirmed and told; a change of person; a former member.
    world.kubectl(&["annotate", "clinicuser", "ana", "--overwrite", "clinic-operator.dev/resend=canary-ignored"]);
    world.apply(&FIELDS.replace("Vogel.ana", "Vogel.other"));
    world.relay.wait_for(3, PATIENCE);
    world.apply(&FIELDS.replace("Vogel.ana", "Vogel.third").replace("Canary First", "Another Canary"));
    world.member_in("IdentityChanged", "ana");
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.apply(&FIELDS.replace("name: ana", "name: bea").replace("Canary First", "Another Canary"));
    world.member_in("FormerMember", "bea");
    world.operator.restart();
    world.at_rest(Duration::from_secs(3));

    let canaries = ["Kanarien", "canary", "555-0147", "/invitations#", "/confirmations#"].map(str::to_owned);
    let mut open = outputs(&world).0;
    open.retain(|output| !output.place.contains("outside of the places for addresses"));
    for (resource, name) in [("clinicusers", "bea"), ("clinicserviceaccounts", "lab")] {
        let place = format!("the status of {resource} {name}");
        let output = open.iter_mut().find(|output| output.place == place).expect("every status is searched");
        let mut status: Value = serde_json::from_str(&output.text).unwrap();
        status.as_object_mut().unwrap().remove("member");
        output.text = status.to_string();
    }
    nothing_is_found(&canaries, &open);
    assert!(open.iter().any(|output| output.place == "the events" && output.text.contains("ResendIgnored")));
    let lab = world.object("clinicserviceaccount", "lab");
    assert_eq!(lab["status"]["member"]["name"], "Canary Inbox", "there it belongs");
}

#[test]
fn an_object_that_the_api_server_refuses_is_not_quoted() {
    let options = OperatorOptions { configuration: vec![("/log/level", json!("trace"))], ..OperatorOptions::default() };
    let world = World::with("refusal", options);
    // A policy, as clusters have them, whose message repeats the address.
    let policy = |kind: &str, spec: Value| {
        let api = "admissionregistration.k8s.io/v1";
        json!({"apiVersion": api, "kind": kind, "metadata": {"name": world.namespace.name()}, "spec": spec}).to_string()
    };
    let rules = json!([{
        "apiGroups": ["clinic-operator.dev"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["clinicaccounts"],
    }]);
    let validation = json!({"expression": "false", "messageExpression": "'no ' + object.spec.desired.email"});
    let constraints = json!({"resourceRules": rules, "namespaceSelector": {
        "matchLabels": {"kubernetes.io/metadata.name": world.namespace.name()},
    }});
    world.apply(&policy(
        "ValidatingAdmissionPolicy",
        json!({"failurePolicy": "Fail", "matchConstraints": constraints, "validations": [validation]}),
    ));
    world.apply(&policy(
        "ValidatingAdmissionPolicyBinding",
        json!({"policyName": world.namespace.name(), "validationActions": ["Deny"]}),
    ));
    eventually_ok(PATIENCE, "the policy to refuse an account", || {
        let account = json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicAccount",
            "metadata": {"name": "a-00000000-0000-0000-0000-000000000000"},
            "spec": {"id": "a-00000000-0000-0000-0000-000000000000", "desired": {
                "holder": {"name": "x", "uid": "00000000-0000-0000-0000-000000000000"},
                "email": address("probe"), "type": "Staff",
            }},
        });
        let controller = world.namespace.controller();
        let dry = ["create", "--dry-run=server", "-f", "-", "--as", &controller];
        let answer = control_plane().kubectl_stdin(&world.namespace, &dry, &account.to_string());
        if !answer.success && answer.stderr.contains(ADDRESS) { Ok(()) } else { Err(answer.stderr) }
    });
    world.apply(&member("ana"));
    eventually_ok(PATIENCE, "the operator to be refused", || {
        let log = world.operator.log();
        if log.contains("a reconcile failed") { Ok(()) } else { Err(log) }
    });
    let (open, _) = outputs(&world);
    for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
        world.kubectl(&["delete", kind, world.namespace.name()]);
    }
    nothing_is_found(&[ADDRESS.to_owned()], &open);
}

#[test]
fn a_canary_in_any_object_of_ours_or_event_is_found() {
    let namespace = control_plane().namespace("planted");
    let name = ADDRESS.to_lowercase();
    let id = "a-00000000-0000-0000-0000-000000000000";
    let api = "clinic-operator.dev/v1alpha1";
    let noted = json!({"name": id, "annotations": {"note": ADDRESS}});
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        serde_yaml::from_str::<Value>(CLINIC).unwrap(),
        {"apiVersion": api, "kind": "ClinicUser", "metadata": {"name": name}, "spec": {"email": address("x"), "type": "Staff"}},
        {"apiVersion": api, "kind": "ClinicAccount", "metadata": noted, "spec": {"id": id, "desired": {
            "holder": {"name": "x", "uid": "00000000-0000-0000-0000-000000000000"}, "email": address("x"), "type": "Staff",
        }}},
        {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "planted"}, "message": ADDRESS, "involvedObject": {
            "namespace": namespace.name(),
        }},
    ]});
    let _open = namespace.open_door();
    control_plane().kubectl_stdin(&namespace, &["create", "-f", "-"], &objects.to_string()).ok();
    let status = json!({"status": {"conditions": [{
        "type": "Ready", "status": "True", "reason": "Open", "message": ADDRESS, "lastTransitionTime": "2087-01-01T00:00:00Z",
    }]}});
    let patch = ["patch", "clinic", "clinic", "--subresource=status", "--type=merge", "-p", &status.to_string()];
    control_plane().kubectl(&namespace, &patch).ok();
    let mut places = places_of(&[ADDRESS.to_owned()], &stored(&namespace).0);
    places.sort();
    let expected = [
        format!("clinicaccounts {id} outside of the places for addresses"),
        "the events".to_owned(),
        format!("the name of clinicusers {name}"),
        "the status of clinics clinic".to_owned(),
    ];
    assert_eq!(places, expected.map(|place| format!("{ADDRESS} in {place}")));
}

#[test]
fn a_canary_is_found_in_every_form() {
    let canaries = [ADDRESS.to_owned(), PASSWORD.to_owned()];
    for text in [
        format!("{{\"message\":\"sent to <{ADDRESS}.ana@maple.example>\"}}"),
        format!("mails{{to=\"{}\"}} 1", ADDRESS.to_lowercase()),
        format!("e-{}", ADDRESS.to_uppercase()),
        format!("AUTH PLAIN {}", data_encoding::BASE64.encode(format!("{PASSWORD}\n").as_bytes())),
        json!({"status": {"message": PASSWORD}}).to_string(),
    ] {
        assert_eq!(places_of(&canaries, &[Output::new("there", text.clone())]).len(), 1, "{text}");
    }
    assert_eq!(places_of(&canaries, &[Output::new("there", "kanarien vogel")]), Vec::<String>::new());
    let mut record =
        json!({"spec": {"desired": {"email": ADDRESS, "title": ADDRESS}, "delivery": {"address": ADDRESS}}});
    without_allowed_places(&mut record);
    assert_eq!(record, json!({"spec": {"desired": {"title": ADDRESS}, "delivery": {}}}));
}
