//! What the operator does not see is not gone: half a list, a list that breaks off, a kind that is not served end nobody's
//! access, and after a watch that broke nothing is written.

use std::time::Duration;

use crate::support::proxy::{Fault, Proxy, Which};
use crate::support::wait::{PATIENCE, eventually, never};
use crate::world::{World, staff};

const NAMES: [&str; 4] = ["ana", "bea", "cyd", "dan"];
const QUIET: Duration = Duration::from_secs(4);

/// Four members with access, and a proxy that the operator does not use yet.
fn four_members(prefix: &str) -> (World, Proxy, Vec<String>) {
    let world = World::new(prefix);
    let accounts = NAMES.map(|name| world.accepted(name, &staff(name, &format!("{name}@maple.example")))).to_vec();
    world.at_rest(QUIET);
    (world, Proxy::start(), accounts)
}

/// The lists of members, not the watches.
fn lists() -> Which {
    Which { method: "GET", has: &["/clinicusers?"], has_not: Some("watch=true"), only: None }
}

/// The looks at one member.
fn looks() -> Which {
    Which { method: "GET", has: &["/clinicusers/"], has_not: None, only: None }
}

#[track_caller]
fn nobody_loses_anything(world: &World, accounts: &[String], writes: usize, mails: usize, when: &str) {
    never(QUIET, when, || {
        let mut written = world.operators_writes().split_off(writes);
        // The Clinic counts the members that are seen.
        written.retain(|write| write.resource != "clinics");
        (!written.is_empty()).then_some(written)
    });
    for account in accounts {
        let record = world.object("clinicaccount", account);
        assert!(
            record["spec"]["desired"]["removed"].is_null() && record["spec"]["access"]["granted"] == true,
            "{when}"
        );
    }
    assert_eq!(world.relay.mails().len(), mails, "{when}");
}

#[test]
fn half_a_list_of_members_ends_nobodys_access() {
    let (mut world, proxy, accounts) = four_members("half");
    let (writes, mails) = (world.operators_writes().len(), world.relay.mails().len());
    proxy.fault(lists(), Fault::HalfOfTheList);
    world.operator.restart_at(&proxy.url);
    world.operator.wait_until_ready();
    eventually(PATIENCE, "half a list", || (proxy.happened() > 0).then_some(()));
    // The guard would let two of four go: it is the live look at each that keeps them.
    nobody_loses_anything(&world, &accounts, writes, mails, "half a list");
}

#[test]
fn a_list_that_breaks_off_or_a_kind_that_is_not_served_ends_nobodys_access() {
    let (mut world, proxy, accounts) = four_members("broken");
    let (writes, mails) = (world.operators_writes().len(), world.relay.mails().len());
    for fault in [Fault::LoseAnswer, Fault::Refuse(404), Fault::Refuse(503)] {
        proxy.mend();
        proxy.fault(lists(), fault);
        world.operator.restart_at(&proxy.url);
        eventually(PATIENCE, &format!("{fault:?}"), || (proxy.happened() > 1).then_some(()));
        nobody_loses_anything(&world, &accounts, writes, mails, &format!("{fault:?}"));
        assert_ne!(world.operator.readiness(), Some(200), "{fault:?}: it is not ready before it has seen everything");
    }
    proxy.mend();
    world.operator.wait_until_ready();
    nobody_loses_anything(&world, &accounts, writes, mails, "the lists are back");
}

#[test]
fn a_member_who_cannot_be_read_because_the_kind_is_not_served_is_not_gone() {
    let (mut world, proxy, accounts) = four_members("unserved");
    let mails = world.relay.mails().len();
    proxy.fault(lists(), Fault::HalfOfTheList);
    proxy.fault(looks(), Fault::Refuse(404));
    world.operator.restart_at(&proxy.url);
    world.operator.wait_until_ready();
    eventually(PATIENCE, "a member to be asked for", || (proxy.happened() > 1).then_some(()));
    let writes = world.operators_writes().len();
    nobody_loses_anything(&world, &accounts, writes, mails, "the kind is not served");
    // Who is gone for certain is removed all the same, once the API server can be asked.
    proxy.mend();
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.operator.restart();
    world.access(&accounts[0], "Removed");
    world.access(&accounts[1], "Granted");
}

#[test]
fn lists_that_come_again_and_again_because_watches_break_write_nothing() {
    let (mut world, proxy, accounts) = four_members("relist");
    let (writes, mails) = (world.operators_writes().len(), world.relay.mails().len());
    let watches = Which { method: "GET", has: &["watch=true"], has_not: None, only: None };
    proxy.fault(watches, Fault::Refuse(410));
    world.operator.restart_at(&proxy.url);
    world.operator.wait_until_ready();
    eventually(PATIENCE, "each watch to break twice", || (proxy.happened() > 10).then_some(()));
    nobody_loses_anything(&world, &accounts, writes, mails, "lists again and again");
    proxy.mend();
    world.apply(&staff("eve", "eve@maple.example"));
    world.member_in("Invited", "eve");
}
