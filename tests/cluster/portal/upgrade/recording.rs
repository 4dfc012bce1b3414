//! Makes a clinic with members in every state and writes down what is left of it once its program has stopped. `Invalid` is not among
//! them: the API server stores nothing that is. For a release that is not recorded yet:
//! ```sh
//! git worktree add ../release VERSION
//! (cd ../release && cargo build --features test-clock --bin clinic-operator-test-clock)
//! CLINIC_OPERATOR_RECORD=VERSION CLINIC_OPERATOR_CRDS=../release/crds/ \
//!   CLINIC_OPERATOR_BINARY=../release/target/debug/clinic-operator-test-clock cargo test --test cluster -- upgrade::recording
//! ```
//! Without these variables today's build is recorded, and nothing written. Never here: what an upgrade makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::fixture::{Fixture, Person, led, plural};
use super::releases;
use crate::portal::{Factor, House, PASSWORD, email, filled, is_signed_in, path, sign_in};
use crate::support::smtp::Stage;
use crate::support::visitor::Visitor;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, staff};

const START: &str = "2027-03-01T14:00:00Z";
const QUIET: Duration = Duration::from_secs(4);
const KINDS: [&str; 6] = ["Clinic", "ClinicUser", "ServiceAccount", "ClinicAccount", "EmailClaim", "ClinicCredential"];

/// A clinic that is being made.
struct Recorder {
    house: House,
    people: BTreeMap<String, Person>,
}

impl Recorder {
    fn new(clinic: &str) -> Self {
        Self { house: House::at(&format!("record-{clinic}"), START), people: BTreeMap::new() }
    }

    fn person(&mut self, name: &str) -> &mut Person {
        self.people.entry(name.to_owned()).or_insert_with(|| Person {
            name: name.to_owned(),
            email: email(name),
            cookies: BTreeMap::new(),
            is_signed_in: None,
            factor: None,
            recovery_codes: Vec::new(),
            link: None,
            is_invited: true,
            link_answers: None,
            open_form: None,
            sign_in_leads: String::new(),
        })
    }

    fn keeps(&mut self, name: &str, browser: &Visitor) {
        self.person(name).cookies = browser.cookies();
    }

    fn invited(&mut self, name: &str) {
        self.person(name).link = Some(self.house.invited(name));
    }

    fn accepted(&mut self, name: &str) {
        self.accepted_by(name, &staff(name, &email(name)));
    }

    fn accepted_by(&mut self, name: &str, manifest: &str) {
        let browser = self.house.accepted_by(name, manifest);
        self.keeps(name, &browser);
    }

    /// A manifest that waits for something, in that state.
    fn stands(&mut self, state: &str, name: &str, manifest: &str) {
        self.house.world.apply(manifest);
        self.house.world.member_in(state, name);
    }

    fn deleted(&self, name: &str) {
        let account = self.house.world.object("clinicuser", name)["status"]["account"].clone();
        self.house.world.kubectl(&["delete", "clinicuser", name]);
        self.house.world.access(account.as_str().unwrap(), "Removed");
    }

    /// Takes down what each link, session and password is good for, stops everything, and what is left.
    fn recorded(mut self, clinic: &str) -> Fixture {
        let house = &mut self.house;
        for person in self.people.values_mut() {
            let browser = person.browser(house.portal.pages);
            person.is_signed_in = browser.cookie("session").map(|_| is_signed_in(&browser));
            person.link_answers = person.link.as_ref().map(|link| house.portal.visitor().get(link).status);
            let answer = sign_in(&mut house.portal.visitor(), &person.email, PASSWORD);
            person.sign_in_leads = led(&answer);
        }
        house.world.at_rest(QUIET);
        let now = house.now();
        house.world.operator.terminate();
        house.portal.terminate();
        Fixture {
            release: std::env::var("CLINIC_OPERATOR_RECORD").unwrap_or_else(|_| "today".to_owned()),
            clinic: clinic.to_owned(),
            now,
            key: std::fs::read_to_string(house.portal.keys().join("current")).unwrap().trim().to_owned(),
            people: self.people.into_values().collect(),
            objects: KINDS.iter().flat_map(|kind| house.world.objects(&plural(kind))).map(pruned).collect(),
        }
    }
}

/// What a release needs to go on by, without what only the API server and kubectl keep.
fn pruned(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|field, _| ["name", "uid", "generation", "annotations"].contains(&field.as_str()));
    if let Some(annotations) = metadata.get_mut("annotations") {
        annotations.as_object_mut().unwrap().retain(|name, _| name.starts_with("clinic-operator.dev/"));
    }
    object
}

fn trainee(name: &str, end: &str) -> String {
    let training = format!("type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: {end}");
    staff(name, &email(name)).replace("type: Staff", &training)
}

const NAMED: &str = "type: Staff, firstName: Ana, lastName: Silva";
const DOCTOR: &str = "type: Practitioner, classification: Standard, license: CHRPlus, firstName: Léa, lastName: Roy, title: Dr., \
    position: Family physician, roles: [physician], permissions: [reports.read], locale: fr";
const SERVICE_ACCOUNT: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ServiceAccount
metadata: {name: lab-inbox}
spec: {email: ana@maple.example, displayName: Lab inbox, manager: {firstName: Ana, lastName: Silva}}
---
";

/// Members in every state that does not come of a guard, a pause or a Clinic that is missing.
fn open() -> Fixture {
    let mut recorder = Recorder::new("open");
    recorder.invited("expired");
    recorder.accepted_by("ended", &trainee("ended", "2027-02-18"));
    recorder.house.world.clock().advance(SignedDuration::from_hours(8 * 24));
    recorder.house.world.member_in("InvitationExpired", "expired");
    recorder.house.world.member_in("TrainingEnded", "ended");
    with_mail_trouble(&mut recorder);
    who_have_access(&mut recorder);
    who_need_a_decision(&mut recorder);
    who_are_invited(&mut recorder);
    recorder.house.world.apply(&CLINIC.replace("1000", "1"));
    for held in ["held-one", "held-two"] {
        recorder.stands("Held", held, &staff(held, &email(held)));
    }
    recorder.recorded("open")
}

fn with_mail_trouble(recorder: &mut Recorder) {
    let world = &recorder.house.world;
    world.relay.at(Stage::AfterDot).of(&email("unknown")).take_then_drop();
    world.apply(&staff("unknown", &email("unknown")));
    for copy in 1..=3 {
        eventually_ok(PATIENCE, &format!("copy {copy}"), || {
            let taken = world.relay.mails_to(&email("unknown")).len();
            if taken == copy { Ok(()) } else { Err(taken) }
        });
        world.clock().advance(SignedDuration::from_mins(11));
    }
    world.member_in("DeliveryUnknown", "unknown");
    let copies = world.relay.mails_to(&email("unknown"));
    world.relay.at(Stage::RcptTo).of(&email("refused")).reply(550, "5.1.1 unknown");
    world.relay.at(Stage::RcptTo).of(&email("deferred")).reply(450, "4.2.0 try later");
    world.apply(&(staff("refused", &email("refused")) + &staff("deferred", &email("deferred"))));
    world.member_in("Undeliverable", "refused");
    // The next wait is so long that nothing is due when the clinic is loaded.
    for attempt in 1..=6 {
        eventually_ok(PATIENCE, &format!("attempt {attempt}"), || {
            let outcomes: Vec<_> = world.attempts("deferred").iter().map(|one| one["outcome"].clone()).collect();
            if outcomes == vec![json!("Deferred"); attempt] { Ok(()) } else { Err(outcomes) }
        });
        if attempt < 6 {
            world.clock().advance(SignedDuration::from_mins(1 << (attempt - 1)));
        }
    }
    world.member_in("Pending", "deferred");
    recorder.person("unknown").link = Some(path(copies.last().unwrap()));
    recorder.person("first-copy").link = Some(path(&copies[0]));
    recorder.person("first-copy").is_invited = false;
}

fn who_have_access(recorder: &mut Recorder) {
    recorder.house.world.apply(SERVICE_ACCOUNT);
    recorder.accepted("active");
    recorder.accepted_by("doctor", &staff("doctor", &email("doctor")).replace("type: Staff", DOCTOR));
    recorder.accepted_by("trainee", &trainee("trainee", "2027-06-30"));
    let (browser, factor, codes) = recorder.house.accepted_with_factor("factor");
    recorder.keeps("factor", &browser);
    let person = recorder.person("factor");
    (person.factor, person.recovery_codes) = (Some(factor.key()), codes);
    recorder.accepted("changed");
    recorder.accepted("suspended");
    recorder.house.member("suspended", &json!({"suspended": true}));
    recorder.house.world.member_in("Suspended", "suspended");
    let before = recorder.house.world.relay.mails().len();
    recorder.house.member("changed", &json!({"email": "changed-to@maple.example"}));
    recorder.house.world.relay.wait_for(before + 2, PATIENCE);
    let confirmation = recorder.house.world.relay.mails_to("changed-to@maple.example").pop().unwrap();
    recorder.house.world.member_told("changed", "confirm");
    let person = recorder.person("changed");
    (person.link, person.is_invited) = (Some(path(&confirmation)), false);
}

fn who_need_a_decision(recorder: &mut Recorder) {
    for (one, other) in [("swap-one", "swap-two"), ("wants", "active")] {
        for name in [one, other] {
            if !recorder.people.contains_key(name) {
                recorder.accepted(name);
            }
        }
        recorder.house.member(one, &json!({"email": email(other)}));
        recorder.house.world.member_in("EmailConflict", one);
    }
    recorder.house.member("swap-two", &json!({"email": email("swap-one")}));
    recorder.house.world.member_in("EmailConflict", "swap-two");
    recorder.stands("EmailConflict", "second", &staff("second", &email("factor")));
    recorder.accepted_by("identity", &staff("identity", &email("identity")).replace("type: Staff", NAMED));
    recorder.house.member("identity", &json!({"email": "another@maple.example", "firstName": "Bea"}));
    recorder.house.world.member_in("IdentityChanged", "identity");
    for name in ["former", "gone"] {
        recorder.accepted(name);
        recorder.deleted(name);
    }
    recorder.stands("FormerMember", "former", &staff("former", &email("former")));
}

fn who_are_invited(recorder: &mut Recorder) {
    recorder.invited("invited");
    recorder.invited("resent");
    let old = recorder.person("resent").link.clone();
    let before = recorder.house.world.relay.mails().len();
    recorder.house.world.kubectl(&["annotate", "clinicuser", "resent", "clinic-operator.dev/resend=1"]);
    recorder.person("resent").link = Some(path(&recorder.house.world.relay.wait_for(before + 1, PATIENCE)[before]));
    recorder.house.world.member_in("Invited", "resent");
    recorder.person("old-link").link = old;
    recorder.person("old-link").is_invited = false;
    recorder.invited("enrolling");
    let link = recorder.person("enrolling").link.clone().unwrap();
    let mut browser = recorder.house.portal.visitor();
    let page = browser.get(&link);
    let page = browser.go_on(&filled(&page, PASSWORD));
    let (factor, form) = (Factor::of(&page), page.form());
    recorder.keeps("enrolling", &browser);
    let person = recorder.person("enrolling");
    (person.factor, person.open_form) = (Some(factor.key()), Some(form));
}

/// Members whom both guards hold back, and who were removed before.
fn guarded() -> Fixture {
    let mut recorder = Recorder::new("guarded");
    for name in ["one", "two", "three", "four", "five"] {
        recorder.accepted(name);
    }
    recorder.invited("pending");
    recorder.deleted("one");
    recorder.deleted("two");
    recorder.house.world.kubectl(&["delete", "clinicuser", "three", "four", "pending"]);
    let world = &recorder.house.world;
    eventually_ok(PATIENCE, "those with access to be held", || {
        let holds = world.object("clinic", "clinic")["status"]["holds"].clone();
        let members = holds[0]["members"].as_array().cloned().unwrap_or_default();
        let held = ["three", "four"].iter().all(|name| members.contains(&json!(name)));
        if held { Ok(()) } else { Err(holds) }
    });
    world.apply(&CLINIC.replace("1000", "1"));
    recorder.stands("Held", "held", &staff("held", &email("held")));
    recorder.recorded("guarded")
}

/// A clinic that is paused; or with nothing after that.
fn standing_still(clinic: &str) -> Fixture {
    let mut recorder = Recorder::new(clinic);
    recorder.accepted("active");
    let (browser, factor, codes) = recorder.house.accepted_with_factor("factor");
    recorder.keeps("factor", &browser);
    let person = recorder.person("factor");
    (person.factor, person.recovery_codes) = (Some(factor.key()), codes);
    recorder.invited("invited");
    let state = if clinic == "paused" {
        recorder.house.clinic(&json!({"paused": true}));
        "Paused"
    } else {
        recorder.house.world.kubectl(&["delete", "clinic", "clinic"]);
        "ClinicMissing"
    };
    recorder.stands(state, "new", &staff("new", &email("new")));
    for name in ["active", "factor", "invited"] {
        recorder.house.world.member_in(state, name);
    }
    recorder.recorded(clinic)
}

#[test]
fn a_clinic_with_members_in_every_state_is_recorded() {
    let fixtures = [open(), guarded(), standing_still("paused"), standing_still("missing")];
    for fixture in &fixtures {
        let let_in = fixture.people.iter().filter(|person| person.is_signed_in == Some(true)).count();
        assert!(let_in >= 2, "{}: {let_in} sessions count", fixture.clinic);
    }
    let states = |fixture: &Fixture| -> BTreeSet<String> {
        let state = |object: &Value| object["status"]["state"].as_str().unwrap().to_owned();
        fixture.of_kind("ClinicUser").map(state).collect()
    };
    let all: BTreeSet<_> = fixtures.iter().flat_map(states).collect();
    assert_eq!(all.len(), 14, "every state but Invalid: {all:?}");
    if let Ok(release) = std::env::var("CLINIC_OPERATOR_RECORD") {
        let folder = releases().join(release);
        std::fs::create_dir_all(&folder).unwrap();
        for fixture in &fixtures {
            let text = serde_json::to_string_pretty(fixture).unwrap() + "\n";
            std::fs::write(folder.join(format!("{}.json", fixture.clinic)), text).unwrap();
        }
    }
}
