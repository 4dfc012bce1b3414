//! `kubectl clinic why`: one screen for each way to stand, with what the person who asks may read, and never a secret.

use clinic_operator::domain::acceptance::parse_code;
use jiff::SignedDuration;

use super::{Person, VIEWER, line, rules, signed_in};
use crate::support::smtp::Stage;
use crate::support::wait::PATIENCE;
use crate::world::{CLINIC, World, staff};

#[test]
fn who_was_invited_is_shown_with_mails_and_events_to_those_who_may_read_them() {
    let world = World::new("why");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    let mail = world.relay.wait_for(1, PATIENCE).remove(0);
    let screen = Person::administrator(&world).ok(&["why", "ana"]);
    let head = format!("clinicuser/ana in {}\n\nState       Invited, since 2", world.namespace.name());
    assert!(screen.starts_with(&head), "{screen}");
    assert!(
        line(&screen, "State").contains(" America/Toronto (") && line(&screen, "State").ends_with(" ago)"),
        "{screen}"
    );
    assert!(line(&screen, "Why").contains("the link works until "), "{screen}");
    assert_eq!(line(&screen, "Waits for"), "the person, who has the mail");
    assert_eq!(line(&screen, "To do"), "nothing; if the mail is lost: kubectl clinic resend ana");
    let (_, mails) = screen.split_once("\nMails (America/Toronto):\n").unwrap();
    let (mails, events) = mails.split_once("\nEvents (America/Toronto):\n").unwrap();
    assert!(mails.contains("invitation, round 1   the relay took it (250"), "{screen}");
    assert!(events.contains("   Invited   Invited at "), "{screen}");
    assert!(screen.lines().count() < 24, "one screen: {screen}");
    // What is nobody's to see on a screen.
    let links = mail.links();
    let (_, token) = parse_code(links[0].rsplit('#').next().unwrap()).unwrap();
    let attempt = &world.attempts("ana")[0];
    for secret in [
        links[0].rsplit('.').next().unwrap(),
        &token.digest(),
        "ana@maple.example",
        attempt["messageId"].as_str().unwrap(),
    ] {
        assert!(!screen.contains(secret), "{screen}");
    }
    // A viewer sees the same without mails, who may not read events without those too, and both are told so.
    let mut fewer = rules(VIEWER);
    let screen = Person::viewer(&world).ok(&["why", "ana"]);
    assert!(screen.contains("\nMails: left out; you may not read the record (get clinicaccounts)\n"), "{screen}");
    assert!(screen.contains("   Invited   Invited at "), "{screen}");
    fewer.retain(|rule| rule["resources"][0] != "events");
    let screen = Person::new(&world.namespace, "fewer", &fewer).ok(&["why", "ana"]);
    assert!(screen.contains("\nEvents: left out; you may not read them (list events)\n"), "{screen}");
    assert_eq!(line(&screen, "Waits for"), "the person, who has the mail");
}

#[test]
fn whoever_must_act_is_told_who_and_what_in_each_of_the_states() {
    let world = World::new("states");
    let viewer = Person::viewer(&world);
    world.relay.at(Stage::RcptTo).of("cyd@maple.example").reply(550, "5.1.1 no such person");
    world.apply(&[staff("ana", "ana@maple.example"), staff("cyd", "cyd@maple.example")].concat());
    world.member_in("Invited", "ana");
    world.apply(&staff("bea", "ana@maple.example"));
    signed_in(&world, "dan", &staff("dan", "dan@maple.example"), "Dan", "Roy", Some("Dr."));
    world.member_in("Undeliverable", "cyd");
    world.member_in("EmailConflict", "bea");
    world.apply(&CLINIC.replace("1000", "1"));
    world.apply(&staff("eve", "eve@maple.example"));
    world.member_in("Held", "eve");
    world.apply(
        "
apiVersion: clinic-operator.dev/v1alpha1
kind: ServiceAccount
metadata: {name: dan}
spec: {displayName: Fax, email: ana@maple.example, manager: {firstName: Ana, lastName: Silva}}
",
    );
    world.in_state("clinicserviceaccount", "Active", "dan");
    for (member, state, waits_for, to_do) in [
        ("bea", "EmailConflict", "the address", "change the address of one of the two members"),
        (
            "cyd",
            "Undeliverable",
            "an address that takes mail",
            "correct the address in the manifest, or try it again: kubectl clinic resend cyd",
        ),
        ("clinicuser/dan", "Active", "nothing", "nothing"),
        ("csa/dan", "Active", "nothing", "nothing"),
        (
            "eve",
            "Held",
            "a person, who says whether all of these invitations are meant",
            "see what is held with it: kubectl clinic holds",
        ),
    ] {
        let screen = viewer.ok(&["why", member]);
        assert!(line(&screen, "State").starts_with(&format!("{state}, since 2")), "{screen}");
        assert_eq!((line(&screen, "Waits for"), line(&screen, "To do")), (waits_for, to_do), "{screen}");
    }
    assert!(viewer.ok(&["why", "clinicuser/dan"]).starts_with("Dr. Dan Roy (clinicuser/dan) in "));
    assert!(viewer.ok(&["why", "csa/dan"]).starts_with("Fax (clinicserviceaccount/dan) in "));
    assert_eq!(
        viewer.fails(3, &["why", "dan"]),
        "two members have the name \"dan\": say clinicuser/dan for the person or clinicserviceaccount/dan for the service account"
    );
    world.kubectl(&["delete", "clinic", "clinic"]);
    world.member_in("ClinicMissing", "ana");
    let screen = viewer.ok(&["why", "ana"]);
    assert_eq!(
        (line(&screen, "Waits for"), line(&screen, "To do")),
        ("the Clinic", "apply it, or correct its time zone")
    );
    assert!(line(&screen, "State").contains(" UTC or later ("), "without a Clinic there is no zone: {screen}");
}

#[test]
fn a_trainees_end_of_access_and_a_relay_that_is_down_are_on_the_screen() {
    let world = World::at("trainee", "2027-06-20T12:00:00Z");
    signed_in(&world, "sam", "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: sam}
spec: {email: sam@university.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2027-06-30}
", "Sam", "Okafor", None);
    world.clock().advance(SignedDuration::from_hours(24 * 20));
    let member = world.member_told("sam", "Has access until 2027-07-15 00:00 America/Toronto.");
    assert_eq!(member["status"]["state"], "Active");
    let viewer = Person::viewer(&world);
    crate::support::wait::eventually_ok(PATIENCE, "the notice", || {
        let screen = viewer.ok(&["why", "sam"]);
        if line(&screen, "Soon").starts_with("Access ends at 2027-07-15 00:00") { Ok(()) } else { Err(screen) }
    });
    world.clock().advance(SignedDuration::from_hours(24 * 10));
    world.member_in("TrainingEnded", "sam");
    let screen = viewer.ok(&["why", "sam"]);
    assert!(line(&screen, "State").starts_with("TrainingEnded, since 2027-07-15 00:00 America/Toronto ("), "{screen}");
    assert_eq!(line(&screen, "To do"), "nothing; if the training goes on, set a later expectedEndOfTraining");
    world.relay.at(Stage::Greeting).reply(554, "5.3.2 no service");
    world.apply(&staff("ana", "ana@maple.example"));
    world.mailer_is("False");
    world.member_told("ana", "the mail relay does not take mail");
    let screen = viewer.ok(&["why", "ana"]);
    assert!(line(&screen, "Relay").starts_with("The mail relay does not take mail: "), "{screen}");
    assert_eq!(line(&screen, "Waits for"), "the mail to leave");
}
