//! The queue of mails: how fast they leave, in which order, and that whoever waits there holds up nobody else. Never here: a
//! mail that fails.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use crate::mail_trouble::{no_mail_leaves, recipients};
use crate::support::operator::OperatorOptions;
use crate::support::smtp::{Answer, SmtpServer, Stage};
use crate::support::wait::{PATIENCE, eventually};
use crate::world::{World, staff};

#[test]
fn one_slow_recipient_holds_up_neither_the_other_mails_nor_a_status() {
    let world = World::new("slow");
    world.relay.at(Stage::RcptTo).of("ana@maple.example").delay(Duration::from_secs(20));
    world.apply(&staff("ana", "ana@maple.example"));
    eventually(PATIENCE, "the slow dialogue", || (world.relay.connections() > 0).then_some(()));
    world
        .apply(&["bea", "cai", "dev", "eva", "fay"].map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    for name in ["bea", "cai", "dev", "eva", "fay"] {
        world.member_in("Invited", name);
    }
    world.kubectl(&["patch", "clinicuser", "bea", "--type=merge", "-p", "{\"spec\": {\"suspended\": true}}"]);
    world.member_in("Suspended", "bea");
    world.outcomes_are("ana", &["Sending"]);
    world.member_in("Invited", "ana");
}

/// A clinic with so many mails a minute.
fn with_a_rate(prefix: &str, a_minute: u32) -> World {
    let configuration = vec![("/mail/mailsPerMinute", json!(a_minute))];
    let options = OperatorOptions { configuration, ..OperatorOptions::default() };
    World::at_with(prefix, "2027-03-01T12:00:00Z", SmtpServer::start(), options)
}

#[test]
fn no_minute_has_more_mails_than_the_configuration_says_and_a_restart_begins_none_anew() {
    let mut world = with_a_rate("rate", 3);
    let names = ["ana", "bea", "cai", "dev", "eva"];
    world.apply(&names.map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    world.relay.wait_for(3, PATIENCE);
    no_mail_leaves(&world, "a fourth mail in a minute");
    world.operator.restart();
    no_mail_leaves(&world, "a fourth mail in a minute after a restart");
    assert!(world.operator.metrics().contains("clinic_operator_mails_waiting 2\n"), "{}", world.operator.metrics());
    // Some seconds have passed already.
    world.clock().advance(SignedDuration::from_secs(35));
    no_mail_leaves(&world, "a fourth mail in a minute that is nearly over");
    world.clock().advance(SignedDuration::from_secs(26));
    for name in names {
        world.member_in("Invited", name);
    }
    assert_eq!(recipients(&world.relay).len(), 5);
}

#[test]
fn resends_go_before_first_invitations_and_of_these_the_oldest_first() {
    let world = with_a_rate("order", 1);
    let invite = |name: &str| world.apply(&staff(name, &format!("{name}@maple.example")));
    invite("ana");
    world.member_in("Invited", "ana");
    for name in ["zoe", "eva", "bea"] {
        invite(name);
        // Objects are dated to the second.
        no_mail_leaves(&world, "a second mail in a minute");
    }
    world.kubectl(&["annotate", "clinicuser", "ana", "clinic-operator.dev/resend=1"]);
    let order = ["ana", "ana", "zoe", "eva", "bea"].map(|name| format!("{name}@maple.example"));
    for count in 2..=order.len() {
        no_mail_leaves(&world, "a second mail in a minute");
        world.clock().advance(SignedDuration::from_secs(61));
        let mails = world.relay.wait_for(count, PATIENCE);
        let recipients: Vec<_> = mails.iter().map(|mail| mail.recipients[0].clone()).collect();
        assert_eq!(recipients, order[..count]);
    }
}

#[test]
fn a_relay_that_hangs_holds_up_nothing_but_mail() {
    let configuration = vec![("/mail/timeoutSeconds", json!(80))]; // longer than all of this takes
    let options = OperatorOptions { configuration, ..OperatorOptions::default() };
    let world = World::at_with("hangs", "2027-06-30T16:00:00Z", SmtpServer::start(), options);
    let trainee = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: sam}
spec: {email: sam@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2027-06-30}
";
    let sam = world.accepted("sam", trainee);
    let [ana, bea] = ["ana", "bea"].map(|name| world.accepted(name, &staff(name, &format!("{name}@maple.example"))));
    let before = world.relay.connections();
    world.relay.at(Stage::Greeting).answer(Answer::Silence);
    let waiting = ["cai", "dev", "eva", "fay", "gil", "hal"];
    world.apply(&waiting.map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    eventually(PATIENCE, "all four connections to hang", || (world.relay.connections() == before + 4).then_some(()));

    world.clock().set("2027-07-15T04:00:00Z");
    world.access(&sam, "TrainingEnded");
    world.apply(&staff("ana", "ana@maple.example").replace("type: Staff", "type: Staff, suspended: true"));
    world.access(&ana, "Suspended");
    world.kubectl(&["delete", "clinicuser", "bea"]);
    world.access(&bea, "Removed");
    world.apply(
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ServiceAccount\nmetadata: {name: lab}\nspec: {email: \
         lab@maple.example, displayName: Lab, manager: {firstName: Ana, lastName: Silva}}\n",
    );
    world.in_state("clinicserviceaccount", "Active", "lab");
    world.apply(&staff("ivy", "ivy@maple.example"));
    world.member_told("ivy", "The invitation waits for its turn.");
    world.apply(&staff("ivy-again", "ivy@maple.example"));
    world.member_in("EmailConflict", "ivy-again");
    assert_eq!(world.relay.connections(), before + 4, "they hang still");
    assert!(world.operator.metrics().contains("clinic_operator_mails_waiting 3\n"), "{}", world.operator.metrics());
}
