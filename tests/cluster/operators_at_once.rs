//! Two operators for one clinic, as a roll-out that goes wrong would start them: no lease, one identity, two caches, and clocks
//! that differ. Never here: who wins an address.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::mail_trouble::{no_mail_leaves, recipients};
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::smtp::Stage;
use crate::support::test_clock::TestClock;
use crate::support::wait::{PATIENCE, eventually};
use crate::world::{World, staff};

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
    for name in &names {
        world.member_in("Invited", name);
    }
    let mut stale = world.operators_writes();
    stale
        .retain(|write| (write.resource.as_str(), write.verb.as_str(), write.code) == ("clinicaccounts", "patch", 409));
    assert!(!stale.is_empty(), "no write-ahead was refused as stale: the two never met, or nothing guards them");
    each_has_one_mail_one_account_and_one_claim(&world, &names);
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

/// As a leader that stands still and a replica that takes over with a clock of its own, but without a lease: the mail is still under way.
#[test]
fn an_operator_whose_clock_is_minutes_ahead_sends_no_copy_of_what_another_has_under_way() {
    let world = World::at("ahead", "2027-03-01T12:00:00Z");
    // Longer than the other needs to look at everything.
    world.relay.at(Stage::AfterDot).delay(Duration::from_secs(15));
    let names: Vec<String> = twenty().into_iter().take(6).collect();
    world.apply(&names.iter().map(|name| staff(name, &format!("{name}@maple.example"))).collect::<String>());
    eventually(PATIENCE, "a mail that is under way", || {
        let open = |name: &String| world.attempts(name).iter().any(|attempt| attempt["outcome"] == "Sending");
        names.iter().any(open).then_some(())
    });
    let ahead = TestClock::new();
    ahead.set("2027-03-01T12:11:00Z");
    let options = OperatorOptions { test_clock: Some(ahead.path()), ..OperatorOptions::default() };
    let _second = Operator::start(&world.namespace, &world.relay, options);
    each_has_one_mail_one_account_and_one_claim(&world, &names);
}
