//! Crash points and lost answers on the way from a manifest to an invitation: whatever is between two writes when the operator
//! is killed, it ends as if nothing had happened. The proxy makes the points; the product has no hook for them.

use jiff::SignedDuration;

use crate::support::control_plane::AuditRecord;
use crate::support::proxy::{Fault, Proxy, Which};
use crate::support::wait::{PATIENCE, eventually, eventually_ok};
use crate::world::{World, condition, staff};

/// Each write on the way, in order: its name for a test, method, a part of the path, and how many such writes come before.
const WRITES: [(&str, &str, &[&str], usize); 6] = [
    ("claim", "POST", &["/emailclaims"], 0),
    ("account", "POST", &["/clinicaccounts"], 0),
    ("ahead", "PATCH", &["/clinicaccounts/"], 0),
    ("outcome", "PATCH", &["/clinicaccounts/"], 1),
    ("event", "POST", &["/events"], 0),
    ("status", "PATCH", &["/clinicusers/"], 0),
];

/// The write-ahead may have been followed by a mail that nobody knows of: for that the operator waits ten minutes.
pub(crate) const UNTIL_UNKNOWN: SignedDuration = SignedDuration::from_mins(10);

pub(crate) fn behind_a_proxy(prefix: &str) -> (World, Proxy) {
    let mut world = World::at(prefix, "2027-03-01T12:00:00Z");
    let proxy = Proxy::start();
    world.operator.restart_at(&proxy.url);
    world.operator.wait_until_ready();
    (world, proxy)
}

/// The write after so many of its kind.
pub(crate) fn nth(method: &'static str, path: &'static [&'static str], after: usize) -> Which {
    Which { method, has: path, has_not: None, only: Some(after) }
}

/// The record of the member's account, and the claims that name it.
#[track_caller]
pub(crate) fn one_account_one_claim_and_one_login(world: &World, member: &str, address: &str) {
    let mut of_member = world.objects("clinicaccounts");
    of_member.retain(|account| account["spec"]["desired"]["holder"]["name"] == member);
    assert_eq!(of_member.len(), 1, "{member} has one account");
    assert_eq!(of_member[0]["spec"]["desired"]["email"], address);
    let mut claims = world.objects("emailclaims");
    claims.retain(|claim| claim["spec"]["account"] == of_member[0]["metadata"]["name"]);
    assert_eq!(claims.len(), 1, "{member} has one claim");
}

/// Waits until the member is invited, over the ten minutes after which an unknown outcome counts as such.
#[track_caller]
pub(crate) fn invited_in_the_end(world: &World, member: &str) {
    let is_invited = || {
        let user = world.object("clinicuser", member);
        if user["status"]["state"] == "Invited" { Ok(()) } else { Err(user["status"].clone()) }
    };
    // What the operator says it has seen: its ten minutes begin then, not when the attempt is written.
    let waits = || {
        let user = world.object("clinicuser", member);
        let told = condition(&user, "Ready").and_then(|ready| ready["message"].as_str());
        told.is_some_and(|told| told.contains("not known yet")).then_some(())
    };
    eventually_ok(PATIENCE, &format!("{member} to be invited, or to wait for an outcome"), || {
        is_invited().or_else(|seen| waits().ok_or(seen))
    });
    if is_invited().is_err() {
        world.clock().advance(UNTIL_UNKNOWN);
        eventually_ok(PATIENCE, &format!("{member} to be invited after the wait"), is_invited);
    }
}

/// At most one more copy, and then the same mail with another link.
#[track_caller]
fn mailed_once_or_copied(world: &World, address: &str) {
    let mails: Vec<_> = world.relay.mails().into_iter().filter(|mail| mail.recipients[0] == address).collect();
    assert!((1..=2).contains(&mails.len()), "{address}: {} mails", mails.len());
    for header in ["Message-ID", "Date"] {
        let values: Vec<_> = mails.iter().map(|mail| mail.header(header)).collect();
        assert!(values.windows(2).all(|two| two[0] == two[1]), "{address} {header}: {values:?}");
    }
}

fn check(prefix: &str, fault: Fault, kill: bool) {
    let (mut world, proxy) = behind_a_proxy(prefix);
    for (point, method, path, after) in WRITES {
        let address = format!("{point}@maple.example");
        proxy.fault(nth(method, path, after), fault);
        world.apply(&staff(point, &address));
        eventually(PATIENCE, &format!("the fault at {point}"), || (proxy.happened() > 0).then_some(()));
        if kill {
            world.operator.kill();
            proxy.mend();
            world.operator.restart();
        }
        invited_in_the_end(&world, point);
        proxy.mend();
        one_account_one_claim_and_one_login(&world, point, &address);
        mailed_once_or_copied(&world, &address);
    }
}

#[test]
fn killed_before_any_write_arrives_it_ends_as_if_nothing_had_happened() {
    check("crashbefore", Fault::Hold, true);
}

#[test]
fn killed_after_any_write_before_its_answer_it_ends_as_if_nothing_had_happened() {
    check("crashafter", Fault::HoldAnswer, true);
}

#[test]
fn after_a_lost_answer_to_any_write_it_goes_on_as_if_it_had_come() {
    check("lost", Fault::LoseAnswer, false);
}

#[test]
fn a_write_that_arrives_twice_counts_once() {
    check("replayed", Fault::Replay, false);
}

#[test]
fn an_edited_address_survives_a_crash_between_giving_up_and_claiming() {
    let (mut world, proxy) = behind_a_proxy("crashedit");
    world.apply(&staff("ana", "first@maple.example"));
    world.member_in("Invited", "ana");
    let mut address = String::from("first@maple.example");
    for (round, fault) in [Fault::Hold, Fault::HoldAnswer].into_iter().enumerate() {
        // Given up, deleted, claimed, recorded: the writes before the next mail.
        for (step, method, path, after) in [
            ("up", "PATCH", &["/clinicaccounts/"], 0),
            ("deleted", "DELETE", &["/emailclaims/"], 0),
            ("claimed", "POST", &["/emailclaims"], 0),
            ("recorded", "PATCH", &["/clinicaccounts/"], 1),
        ] {
            let before = address;
            address = format!("{step}{round}@maple.example");
            proxy.fault(nth(method, path, after), fault);
            world.apply(&staff("ana", &address));
            eventually(PATIENCE, &format!("the fault at {step}"), || (proxy.happened() > 0).then_some(()));
            world.operator.kill();
            proxy.mend();
            world.operator.restart();
            let account = world.account_of("ana")["metadata"]["name"].as_str().unwrap().to_owned();
            let outcome = |wanted: &[&str]| {
                eventually_ok(PATIENCE, &format!("{address} to be {wanted:?}"), || {
                    let delivery = world.object("clinicaccount", &account)["spec"]["delivery"].clone();
                    let last = delivery["attempts"].as_array().unwrap().last().unwrap()["outcome"].clone();
                    let is_so = delivery["address"] == address.as_str() && wanted.iter().any(|wanted| last == *wanted);
                    if is_so { Ok(last) } else { Err(delivery) }
                })
            };
            // Killed between a write-ahead and its outcome it waits for ten minutes.
            if outcome(&["Sent", "Sending"]) == "Sending" {
                world.clock().advance(UNTIL_UNKNOWN);
            }
            outcome(&["Sent"]);
            one_account_one_claim_and_one_login(&world, "ana", &address);
            let free = format!("free-{step}{round}");
            world.apply(&staff(&free, &before));
            world.member_in("Invited", &free);
        }
    }
}

#[test]
fn a_patch_on_a_record_that_changed_unseen_is_decided_again() {
    let (mut world, proxy) = behind_a_proxy("stale");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    let account = world.account_of("ana")["metadata"]["name"].as_str().unwrap().to_owned();
    // Started anew it sees the list of accounts, and hears of no change after it.
    let watches = Which { method: "GET", has: &["/clinicaccounts?", "watch=true"], has_not: None, only: None };
    proxy.fault(watches, Fault::Hold);
    world.operator.restart();
    eventually(PATIENCE, "the watch to be held", || (proxy.happened() > 0).then_some(()));
    world.kubectl_as_controller(&["annotate", "clinicaccount", &account, "maple.example/note=1"]);
    world.apply(&staff("ana", "ana@maple.example").replace("type: Staff", "type: Staff, suspended: true"));
    world.member_in("Suspended", "ana");
    let is_refused = |write: &AuditRecord| write.resource == "clinicaccounts" && write.code == 409;
    let refused = world.operators_writes().iter().filter(|write| is_refused(write)).count();
    // One for each controller that writes to the record.
    assert!((1..=2).contains(&refused), "the first tries were on a record that had changed: {refused}");
}
