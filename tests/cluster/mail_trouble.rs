//! What becomes of members when mail cannot leave: each fault of docs/reliability.md by a relay that is scripted to show it.
//! Never here: which reply means which fault (that table has tests of its own).

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::operator::{OperatorOptions, Prepared};
use crate::support::smtp::{SmtpServer, Stage};
use crate::support::wait::{PATIENCE, eventually, never};
use crate::world::{World, condition, staff};

/// Long enough for a mail to leave that should not.
pub(crate) const A_WHILE: Duration = Duration::from_secs(4);
/// The second look at a relay that failed comes after 5 s, the third 10 s later.
pub(crate) const RECOVERY: Duration = Duration::from_secs(60);

fn delivery(world: &World, member: &str) -> Value {
    world.account_of(member)["spec"]["delivery"].take()
}

/// Outcomes of all attempts.
pub(crate) fn outcomes(world: &World, member: &str) -> Vec<String> {
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
