//! What `GitOps` tools make of our objects: kstatus, Argo CD's Lua and Flux's CEL, each in its own library
//! (tests/gitops-health), on objects that were captured in every state. No state that waits for a person is in progress.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use clinic_operator::api::status::written;
use clinic_operator::domain::conditions::conditions;
use clinic_operator::domain::lifecycle::{Attention, State};
use clinic_operator::domain::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::smtp::Stage;
use crate::support::tools::tool;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, World, staff};

/// What each tool says of an object.
#[derive(Debug, PartialEq)]
struct Said {
    kstatus: String,
    argo: String,
    flux: String,
}

fn said(attention: Attention) -> Said {
    let (kstatus, argo) = match attention {
        Attention::None => ("Current", "Healthy"),
        Attention::Reconciling => ("InProgress", "Progressing"),
        Attention::Stalled => ("Failed", "Degraded"),
    };
    Said { kstatus: kstatus.into(), argo: argo.into(), flux: kstatus.into() }
}

fn judge(objects: &[Value]) -> Vec<Said> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut judging = Command::new(tool("gitops-health"))
        .arg(root.join("docs/gitops/argocd"))
        .arg(root.join("examples/gitops/flux/every-clinic/sync.yaml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    judging.stdin.take().unwrap().write_all(json!(objects).to_string().as_bytes()).unwrap();
    let output = judging.wait_with_output().unwrap();
    assert!(output.status.success(), "gitops-health failed; see above");
    let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
    let lines = String::from_utf8(output.stdout).unwrap();
    let of =
        |line: Value| Said { kstatus: text(&line, "kstatus"), argo: text(&line, "argo"), flux: text(&line, "flux") };
    let all: Vec<Said> = lines.lines().map(|line| of(serde_json::from_str(line).unwrap())).collect();
    assert_eq!(all.len(), objects.len());
    all
}

/// A member as its status is written in a state.
fn in_state(state: State) -> Value {
    let verdict = Verdict { state, message: "What it means.".into() };
    let conditions = written(&[], conditions(&verdict), Some(2), Timestamp::UNIX_EPOCH);
    json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
        "metadata": {"name": "ana", "namespace": "maple", "generation": 2},
        "spec": {"email": "ana@maple.example", "type": "Staff"},
        "status": {"observedGeneration": 2, "state": state.name(), "conditions": conditions},
    })
}

#[test]
fn every_state_reads_the_same_to_kstatus_argo_and_flux() {
    let objects = State::ALL.map(in_state);
    for (state, found) in State::ALL.into_iter().zip(judge(&objects)) {
        assert_eq!(found, said(state.attention()), "{}", state.name());
    }
}

#[test]
fn what_nobody_has_looked_at_yet_is_in_progress() {
    let mut edited = in_state(State::Active);
    edited["metadata"]["generation"] = json!(3);
    let mut created = in_state(State::Active);
    created["status"] = json!({"observedGeneration": -1});
    let mut stalled_before = in_state(State::EmailConflict);
    stalled_before["metadata"]["generation"] = json!(3);
    for found in judge(&[edited, created, stalled_before]) {
        assert_eq!(found, said(Attention::Reconciling));
    }
}

fn trainee(name: &str, end: &str) -> String {
    staff(name, &format!("{name}@maple.example")).replace(
        "type: Staff",
        &format!("type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: {end}"),
    )
}

/// Puts a member into each state that can be reached without an older CRD (`Invalid` cannot), and captures the objects.
fn captured() -> Vec<Value> {
    let world = World::at("health", "2027-03-01T12:00:00Z");
    let email = |name: &str| format!("{name}@maple.example");
    let mut captured = Vec::new();
    let mut capture = |state: &str, name: &str| captured.push(world.member_in(state, name));
    world.accepted("active", &staff("active", &email("active")));
    capture("Active", "active");
    world.apply(&staff("second", &email("active")));
    capture("EmailConflict", "second");
    world.accepted("suspended", &staff("suspended", &email("suspended")));
    world.apply(&staff("suspended", &email("suspended")).replace("type: Staff", "type: Staff, suspended: true"));
    capture("Suspended", "suspended");
    world.apply(&trainee("ended", "2027-01-01"));
    capture("TrainingEnded", "ended");
    let account = world.accepted("left", &staff("left", &email("left")));
    world.kubectl(&["delete", "clinicuser", "left"]);
    world.access(&account, "Removed");
    world.apply(&staff("left", &email("left")));
    capture("FormerMember", "left");
    let names = "type: Staff, firstName: Ana, lastName: Silva";
    world.accepted("changed", &staff("changed", &email("changed")).replace("type: Staff", names));
    world.apply(&staff("changed", &email("another")).replace("type: Staff", &names.replace("Ana", "Bea")));
    capture("IdentityChanged", "changed");
    world.relay.at(Stage::RcptTo).of(&email("refused")).reply(550, "5.1.1 unknown");
    world.apply(&staff("refused", &email("refused")));
    capture("Undeliverable", "refused");
    world.relay.at(Stage::AfterDot).of(&email("unknown")).take_then_drop();
    world.apply(&staff("unknown", &email("unknown")));
    for copy in 1..=3_u32 {
        eventually_ok(PATIENCE, &format!("copy {copy}"), || {
            let taken = world.relay.mails().iter().filter(|mail| mail.recipients[0] == email("unknown")).count();
            if taken == usize::try_from(copy).unwrap() { Ok(()) } else { Err(taken) }
        });
        world.clock().advance(SignedDuration::from_mins(11));
    }
    capture("DeliveryUnknown", "unknown");
    world.relay.at(Stage::RcptTo).of(&email("waits")).reply(450, "4.2.1 try later");
    world.apply(&staff("waits", &email("waits")));
    world.member_told("waits", "next try");
    capture("Pending", "waits");
    world.apply(&CLINIC.replace("1000", "1"));
    world.apply(&staff("held", &email("held")));
    capture("Held", "held");
    captured.push(eventually_ok(PATIENCE, "the Clinic to tell its hold", || {
        let clinic = world.object("clinic", "clinic");
        let current = clinic["status"]["observedGeneration"] == clinic["metadata"]["generation"];
        if current && clinic["status"]["holds"].is_array() { Ok(clinic) } else { Err(clinic["status"].clone()) }
    }));
    world.apply(CLINIC);
    world.apply(&staff("invited", &email("invited")));
    captured.push(world.member_in("Invited", "invited"));
    world.clock().advance(SignedDuration::from_hours(8 * 24));
    captured.push(world.member_in("InvitationExpired", "invited"));
    world.apply(&CLINIC.replace("America/Toronto", "America/Toronto, paused: true"));
    captured.push(world.member_in("Paused", "invited"));
    world.kubectl(&["delete", "clinic", "clinic"]);
    captured.push(world.member_in("ClinicMissing", "invited"));
    captured
}

#[test]
fn objects_captured_in_every_state_read_the_same_to_kstatus_argo_and_flux() {
    let captured = captured();
    let mut states = Vec::new();
    for (object, found) in captured.iter().zip(judge(&captured)) {
        if object["kind"] == "Clinic" {
            assert_eq!(found, said(Attention::Stalled), "a Clinic with a hold");
            continue;
        }
        let state = State::parse(object["status"]["state"].as_str().unwrap()).unwrap();
        assert_eq!(found, said(state.attention()), "{object:#}");
        states.push(state);
    }
    states.sort_unstable();
    // Whoever is being deleted is Terminating to all three by the object's deletionTimestamp, whatever its status says.
    let elsewhere = [State::Invalid, State::BeingDeleted];
    let reachable: Vec<State> = State::ALL.into_iter().filter(|state| !elsewhere.contains(state)).collect();
    assert_eq!(states, reachable, "every state was captured");
}
