//! What becomes of members when mail cannot leave: each fault of DESIGN.md §7 by a relay that is scripted to show it.
//! Never here: which reply means which fault (that table has tests of its own).

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::operator::{Operator, OperatorOptions, Prepared};
use crate::support::smtp::{SmtpServer, Stage};
use crate::support::test_clock::TestClock;
use crate::support::wait::{PATIENCE, eventually, never};
use crate::world::{World, condition, staff};

/// Long enough for a mail to leave that should not.
pub(crate) const A_WHILE: Duration = Duration::from_secs(4);
/// The second look at a relay that failed comes after 5 s, the third 10 s later.
const RECOVERY: Duration = Duration::from_secs(60);

fn delivery(world: &World, member: &str) -> Value {
    world.account_of(member)["spec"]["delivery"].take()
}

/// Outcomes of all attempts.
fn outcomes(world: &World, member: &str) -> Vec<String> {
    let delivery = delivery(world, member);
    let attempts = delivery["attempts"].as_array().cloned().unwrap_or_default();
    attempts.iter().map(|attempt| attempt["outcome"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
pub(crate) fn no_mail_leaves(world: &World, what: &str) {
    let connections = world.relay.connections();
    never(A_WHILE, what, || (world.relay.connections() != connections).then(|| world.relay.commands()));
}

pub(crate) fn recipients(relay: &SmtpServer) -> Vec<String> {
    let mut all: Vec<String> = relay.mails().into_iter().flat_map(|mail| mail.recipients).collect();
    all.sort();
    all
}

#[test]
fn a_refused_address_is_undeliverable_until_a_resend() {
    let mut world = World::new("refused");
    world.relay.at(Stage::RcptTo).of("ana@maple.example").reply(550, "5.1.1 <ana@maple.example> unknown");
    world.apply(&(staff("ana", "ana@maple.example") + &staff("bea", "bea@maple.example")));
    let ana = world.member_in("Undeliverable", "ana");
    assert_eq!(
        condition(&ana, "Stalled").unwrap()["message"],
        "The email address was refused (550 5.1.1). Correct it in the manifest, or set the annotation \
         clinic-operator.dev/resend to a new value to try again."
    );
    world.member_in("Invited", "bea");
    world.operator.restart();
    no_mail_leaves(&world, "another try of a refused address");
    assert_eq!(delivery(&world, "ana")["attempts"][0]["code"], "550 5.1.1");

    world.relay.take_everything();
    world.kubectl(&["annotate", "clinicuser", "ana", "clinic-operator.dev/resend=again"]);
    world.member_in("Invited", "ana");
    assert_eq!(recipients(&world.relay), ["ana@maple.example", "bea@maple.example"]);
}

#[test]
fn a_recipient_put_off_waits_a_minute_across_a_restart() {
    let mut world = World::new("deferred");
    world.relay.at(Stage::RcptTo).reply(450, "4.2.1 try later");
    world.apply(&staff("ana", "ana@maple.example"));
    let ana = world.member_told(
        "ana",
        "The invitation did not get through (failed to deliver at RCPT TO: the server answered 450 4.2.1); next try at ",
    );
    assert_eq!(ana["status"]["state"], "Pending");
    assert_eq!(condition(&ana, "Reconciling").unwrap()["status"], "True");
    let ledger = delivery(&world, "ana");
    assert_eq!(ledger["attempts"][0]["outcome"], "Deferred");
    let instant = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let wait = instant(&ledger["notBefore"]).duration_since(instant(&ledger["attempts"][0]["at"])).as_secs();
    assert!((60..90).contains(&wait), "a minute and the dialogue: {wait} s");

    world.relay.take_everything();
    world.operator.restart();
    no_mail_leaves(&world, "a mail before its time");
    assert_eq!(delivery(&world, "ana"), ledger);
}

#[test]
fn a_relay_that_does_not_know_us_stops_the_queue_and_nothing_more() {
    let credentials = Some(("clinic".to_owned(), "wrong".to_owned()));
    let world = World::with("auth", OperatorOptions { credentials, ..OperatorOptions::default() });
    world.relay.at(Stage::Auth).reply(535, "5.7.8 wrong password");
    let names = ["ana", "bea", "cai"];
    world.apply(&names.map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    let why = "failed to deliver at AUTH: the server answered 535 5.7.8";
    for name in names {
        let member = world.member_told(name, "the mail relay does not take mail. The Clinic's condition MailerReady");
        assert_eq!(member["status"]["state"], "Pending");
    }
    let told = format!(
        "The mail relay does not take mail: {why}. All mails wait; one is tried again after seconds at first, and at \
         least every 5 minutes."
    );
    assert_eq!(world.mailer_is("False")["message"], json!(told));
    let metric = |value: u8| format!("clinic_operator_mailer_up {value}\n");
    assert!(world.operator.metrics().contains(&metric(0)), "{}", world.operator.metrics());

    std::fs::write(world.operator.credentials().join("password"), "right").unwrap();
    world.relay.take_everything();
    let mails = world.relay.wait_for(3, RECOVERY);
    assert_eq!(mails[0].login, Some(("clinic".into(), "right".into())), "the file is read again");
    for name in names {
        world.member_in("Invited", name);
    }
    world.mailer_is("True");
    assert!(world.operator.metrics().contains(&metric(1)));
    no_mail_leaves(&world, "a mail more than one each");
    assert_eq!(recipients(&world.relay), ["ana@maple.example", "bea@maple.example", "cai@maple.example"]);
}

#[test]
fn a_mail_that_the_relay_refuses_while_it_takes_others_is_its_members_trouble_also_after_a_restart() {
    let mut world = World::at("spam", "2027-03-01T12:00:00Z");
    world.relay.at(Stage::AfterDot).of("ana@maple.example").reply(554, "5.7.1 <ana@maple.example> looks like spam");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_told("ana", "the mail relay does not take mail");
    world.mailer_is("False");
    // Somebody else is the probe, and passes; then it is her turn again.
    world.apply(&staff("bea", "bea@maple.example"));
    world.clock().advance(SignedDuration::from_mins(5));
    world.member_in("Invited", "bea");
    let ana = world.member_in("Undeliverable", "ana");
    assert_eq!(
        condition(&ana, "Stalled").unwrap()["message"],
        "The mail relay refuses the mail to this member (failed to deliver at the end of the message: the server answered \
         554 5.7.1), while it takes others. Ask whoever runs the relay; to try again, set the annotation \
         clinic-operator.dev/resend to a new value."
    );
    world.mailer_is("True");
    let ledger = delivery(&world, "ana");
    world.operator.restart();
    no_mail_leaves(&world, "another try of a refused mail");
    assert_eq!(delivery(&world, "ana"), ledger);
    world.relay.take_everything();
    world.kubectl(&["annotate", "clinicuser", "ana", "clinic-operator.dev/resend=again"]);
    world.member_in("Invited", "ana");
    assert_eq!(recipients(&world.relay), ["ana@maple.example", "bea@maple.example"]);
}

#[test]
fn a_relay_that_failed_is_not_said_to_fail_while_nothing_waits_for_it() {
    let world = World::at("untried", "2027-03-01T12:00:00Z");
    world.relay.at(Stage::Greeting).reply(421, "4.3.2 not now");
    world.apply(&staff("ana", "ana@maple.example"));
    world.mailer_is("False");
    assert!(world.operator.metrics().contains("clinic_operator_mailer_up 0\n"));
    world.kubectl(&["delete", "clinicuser", "ana"]);
    let told = world.mailer_is("Unknown")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("the server answered 421 4.3.2. No mail waits, so it is not tried"), "{told}");
    assert!(world.operator.metrics().contains("clinic_operator_mailer_up 1\n"));
    world.relay.take_everything();
    world.clock().advance(SignedDuration::from_mins(5));
    world.apply(&staff("bea", "bea@maple.example"));
    world.member_in("Invited", "bea");
    world.mailer_is("True");
}

/// A relay that takes one mail now and then must not cost two writes for everybody who waits, each time.
#[test]
fn a_relay_that_takes_a_mail_now_and_then_is_no_news_to_those_who_wait() {
    let world = World::at("flapping", "2027-03-01T12:00:00Z");
    let waiting: Vec<String> = (0..12).map(|number| format!("waiting-{number:02}")).collect();
    let address = |name: &str| format!("{name}@maple.example");
    for name in &waiting {
        world.relay.at(Stage::AfterDot).of(&address(name)).reply(452, "4.4.5 quota");
    }
    world.apply(&waiting.iter().map(|name| staff(name, &address(name))).collect::<String>());
    for name in &waiting {
        world.member_told(name, "the mail relay does not take mail");
    }
    let of_members = |world: &World| {
        let mut writes = world.operators_writes();
        writes.retain(|write| write.resource == "clinicusers" && write.name.starts_with("waiting"));
        writes.len()
    };
    let next_probe = || {
        let tries = world.relay.connections();
        world.clock().advance(SignedDuration::from_mins(5));
        eventually(PATIENCE, "the next probe", || (world.relay.connections() > tries).then_some(()));
        world.at_rest(Duration::from_millis(500));
    };
    // Each is tried once, which is worth telling.
    while waiting.iter().any(|name| world.attempts(name).is_empty()) {
        next_probe();
    }
    world.at_rest(A_WHILE);
    let before = of_members(&world);
    for name in ["ana", "bea", "cai"] {
        world.apply(&staff(name, &address(name)));
        // Sooner or later each is the next probe and passes; then the relay refuses the others again.
        while world.relay.mails_to(&address(name)).is_empty() {
            next_probe();
        }
        world.member_in("Invited", name);
        eventually(PATIENCE, "the relay to refuse the next one", || {
            world.operator.metrics().contains("clinic_operator_mailer_up 0\n").then_some(())
        });
    }
    assert_eq!(of_members(&world), before, "those who wait were told nothing new");
}

#[test]
fn a_token_that_has_run_out_is_read_again_when_somebody_has_renewed_it() {
    let options = OperatorOptions {
        configuration: vec![("/mail/auth", json!("XOAUTH2"))],
        credentials: Some(("clinic".to_owned(), "unused".to_owned())),
        ..OperatorOptions::default()
    };
    let namespace = crate::support::control_plane::control_plane().namespace("token");
    let relay = SmtpServer::start();
    let prepared = Prepared::new(&namespace, &relay, options);
    let refused = prepared.run().refused();
    assert!(refused.contains("mail.credentials: failed to read ") && refused.contains("/token: "), "{refused}");
    let token = prepared.credentials.join("token");
    std::fs::write(&token, "run-out").unwrap();
    relay.at(Stage::Auth).times(1).reply(535, "5.7.3 <clinic> token run-out has run out");
    let world = World::of(namespace, relay, prepared.start());
    world.apply(&staff("ana", "ana@maple.example"));
    let why = world.mailer_is("False")["message"].as_str().unwrap().to_owned();
    assert!(why.contains("failed to deliver at AUTH: the server answered 535 5.7.3"), "{why}");
    std::fs::write(&token, "renewed\n").unwrap();
    world.member_in("Invited", "ana");
    assert_eq!(world.relay.mails()[0].login, Some(("clinic".into(), "renewed".into())));
    let log = world.operator.log();
    assert!(!log.contains("renewed") && !log.contains("run-out"), "{log}");
}

#[test]
fn a_relay_that_is_away_gets_each_mail_once_when_it_is_back() {
    let relay = SmtpServer::start();
    let port = relay.port;
    drop(relay);
    let options = OperatorOptions { configuration: vec![("/mail/port", json!(port))], ..OperatorOptions::default() };
    let mut world = World::with("away", options);
    world.apply(&(staff("ana", "ana@maple.example") + &staff("bea", "bea@maple.example")));
    for name in ["ana", "bea"] {
        world.member_told(name, "does not take mail");
    }
    let told = world.mailer_is("False")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("failed to deliver at connecting: the server cannot be reached"), "{told}");
    world.relay = SmtpServer::start_at(port);
    world.relay.wait_for(2, RECOVERY);
    for name in ["ana", "bea"] {
        world.member_in("Invited", name);
    }
    world.mailer_is("True");
    assert_eq!(recipients(&world.relay), ["ana@maple.example", "bea@maple.example"]);
}

#[test]
fn a_connection_lost_after_the_dot_is_not_followed_by_a_copy_even_after_a_restart() {
    let mut world = World::new("lost");
    world.relay.at(Stage::AfterDot).of("ana@maple.example").times(1).take_then_drop();
    world.apply(&staff("ana", "ana@maple.example"));
    world.relay.wait_for(1, PATIENCE);
    let ana = world.member_in("Pending", "ana");
    assert_eq!(condition(&ana, "Stalled"), None);
    no_mail_leaves(&world, "a copy at once");
    world.operator.restart();
    no_mail_leaves(&world, "a copy after a restart");
    assert_eq!(outcomes(&world, "ana"), ["Sending"]);
    // The relay itself is not to blame: others are mailed.
    world.apply(&staff("bea", "bea@maple.example"));
    world.member_in("Invited", "bea");
    assert_eq!(recipients(&world.relay), ["ana@maple.example", "bea@maple.example"]);
}

fn twenty() -> Vec<String> {
    (0..20).map(|number| format!("member-{number:02}")).collect()
}

#[track_caller]
fn each_has_one_mail_one_account_and_one_claim(world: &World, names: &[String]) {
    for name in names {
        world.member_in("Invited", name);
    }
    no_mail_leaves(world, "a second mail to anybody");
    let expected: Vec<String> = names.iter().map(|name| format!("{name}@maple.example")).collect();
    assert_eq!(recipients(&world.relay), expected, "one mail for each of them");
    assert_eq!((world.names("clinicaccounts").len(), world.names("emailclaims").len()), (names.len(), names.len()));
    let ids: BTreeSet<_> = world.relay.mails().iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids.len(), names.len());
}

#[test]
fn two_operators_at_once_claim_record_and_mail_each_member_once() {
    let world = World::new("twice");
    let _second = Operator::start_another(&world.operator, &world.relay);
    let names = twenty();
    world.apply(&names.iter().map(|name| staff(name, &format!("{name}@maple.example"))).collect::<String>());
    each_has_one_mail_one_account_and_one_claim(&world, &names);
}

#[test]
fn two_operators_whose_mail_becomes_due_at_the_same_moment_send_it_once() {
    let world = World::new("race");
    let _second = Operator::start_another(&world.operator, &world.relay);
    let names = twenty();
    let members = names.iter().map(|name| staff(name, &format!("{name}@maple.example"))).collect::<String>();
    world.apply(&members.replace("type: Staff", "type: Staff, suspended: true"));
    for name in &names {
        world.member_in("Suspended", name);
    }
    // Accounts without a mail, which nothing but the pause holds back: its end reaches both operators at once.
    world.kubectl(&["patch", "clinic", "clinic", "--type=merge", "-p", "{\"spec\": {\"paused\": true}}"]);
    world.apply(&members);
    for name in &names {
        world.member_in("Paused", name);
        eventually(PATIENCE, "the end of the suspension to be recorded", || {
            (world.account_of(name)["spec"]["access"]["reason"] == "NotAccepted").then_some(())
        });
    }
    assert_eq!(recipients(&world.relay), Vec::<String>::new());
    world.kubectl(&["patch", "clinic", "clinic", "--type=merge", "-p", "{\"spec\": {\"paused\": false}}"]);
    each_has_one_mail_one_account_and_one_claim(&world, &names);
    let mut stale = world.operators_writes();
    stale
        .retain(|write| (write.resource.as_str(), write.verb.as_str(), write.code) == ("clinicaccounts", "patch", 409));
    assert!(!stale.is_empty(), "no write-ahead was refused as stale: the two never met, or nothing guards them");
}

#[test]
fn two_operators_whose_clocks_differ_by_seconds_send_nobody_a_copy() {
    let world = World::at("skewed", "2027-03-01T12:00:00Z");
    let behind = TestClock::new();
    behind.set("2027-03-01T11:59:56Z");
    let options = OperatorOptions { test_clock: Some(behind.path()), ..OperatorOptions::default() };
    let _second = Operator::start(&world.namespace, &world.relay, options);
    world.relay.at(Stage::RcptTo).delay(Duration::from_millis(300));
    let names = twenty();
    world.apply(&names.iter().map(|name| staff(name, &format!("{name}@maple.example"))).collect::<String>());
    each_has_one_mail_one_account_and_one_claim(&world, &names);
}

#[test]
fn a_member_suspended_from_the_start_is_mailed_once_access_is_wished_for() {
    let world = World::new("suspended");
    let ana = staff("ana", "ana@maple.example");
    world.apply(&ana.replace("type: Staff", "type: Staff, suspended: true"));
    world.member_in("Suspended", "ana");
    no_mail_leaves(&world, "a mail to a suspended member");
    assert_eq!(recipients(&world.relay), Vec::<String>::new());
    assert_eq!(outcomes(&world, "ana"), Vec::<String>::new());
    world.apply(&ana);
    world.member_in("Invited", "ana");
    no_mail_leaves(&world, "a second mail");
    assert_eq!(recipients(&world.relay), ["ana@maple.example"]);
}

#[test]
fn a_trainee_whose_two_weeks_are_over_is_not_mailed() {
    let world = World::new("ended");
    let sam = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: sam}
spec: {email: sam@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2024-06-30}
";
    world.apply(sam);
    let ended = world.member_in("TrainingEnded", "sam");
    assert_eq!(ended["status"]["accessEndsAt"], "2024-07-15T04:00:00Z");
    no_mail_leaves(&world, "a mail to a trainee whose access has ended");
    assert_eq!(recipients(&world.relay), Vec::<String>::new());
    world.apply(&sam.replace("2024", "2087"));
    world.member_in("Invited", "sam");
    assert_eq!(recipients(&world.relay), ["sam@maple.example"]);
}

#[test]
fn a_paused_clinic_neither_claims_nor_mails_until_it_goes_on() {
    let world = World::new("paused");
    let pause = |paused: bool| {
        let patch = json!({"spec": {"paused": paused}}).to_string();
        world.kubectl(&["patch", "clinic", "clinic", "--type=merge", "-p", &patch]);
    };
    pause(true);
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Paused", "ana");
    no_mail_leaves(&world, "a mail of a paused clinic");
    assert_eq!(recipients(&world.relay), Vec::<String>::new());
    assert!(world.names("emailclaims").is_empty() && world.names("clinicaccounts").is_empty());
    pause(false);
    world.member_in("Invited", "ana");
    assert_eq!(recipients(&world.relay), ["ana@maple.example"]);
}

#[test]
fn who_was_deleted_while_the_mail_waited_is_not_mailed() {
    let world = World::new("deleted");
    world.relay.at(Stage::Greeting).reply(421, "not now");
    world.apply(&(staff("ana", "ana@maple.example") + &staff("bea", "bea@maple.example")));
    world.member_told("ana", "does not take mail");
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.relay.take_everything();
    world.relay.wait_for(1, RECOVERY);
    world.member_in("Invited", "bea");
    no_mail_leaves(&world, "a mail to somebody who was deleted");
    assert_eq!(recipients(&world.relay), ["bea@maple.example"]);
}
