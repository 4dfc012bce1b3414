//! The guard of invitations on a real API server: which rounds it counts beside first invitations, what a held round leaves alive,
//! and until when the link of a mail works. Never here: removals and the listing of holds, which are in `guards`.

use jiff::SignedDuration;
use serde_json::Value;

use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, World, condition, staff};

fn guard_of(per_hour: u32) -> String {
    CLINIC.replace("1000", &per_hour.to_string())
}

/// Waits until the guard of invitations holds so many, and returns the hold's id.
#[track_caller]
fn held(world: &World, count: usize) -> String {
    let holds = eventually_ok(PATIENCE, &format!("a hold of {count}"), || {
        let holds = world.object("clinic", "clinic")["status"]["holds"].clone();
        if holds[0]["count"] == count && holds[1].is_null() { Ok(holds) } else { Err(holds) }
    });
    holds[0]["id"].as_str().unwrap().to_owned()
}

fn release(world: &World, value: &str) {
    world.kubectl(&[
        "annotate",
        "clinic",
        "clinic",
        "--overwrite",
        &format!("clinic-operator.dev/release-hold={value}"),
    ]);
}

fn resend(world: &World, name: &str, value: &str) {
    world.kubectl(&["annotate", "clinicuser", name, "--overwrite", &format!("clinic-operator.dev/resend={value}")]);
}

fn round_of(world: &World, name: &str) -> u64 {
    world.account_of(name)["spec"]["delivery"]["round"].as_u64().unwrap_or(0)
}

#[track_caller]
fn round_is(world: &World, name: &str, round: u64) {
    eventually_ok(PATIENCE, &format!("round {round} of {name}"), || {
        let attempts = world.attempts(name);
        let last = attempts.last().cloned().unwrap_or_default();
        if last["round"] == round && last["outcome"] == "Sent" { Ok(()) } else { Err(last) }
    });
}

fn message(world: &World, name: &str) -> String {
    let member = world.object("clinicuser", name);
    condition(&member, "Ready").unwrap()["message"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn three_edits_of_every_address_mail_no_stranger_before_a_person_has_said_that_they_are_meant() {
    let world = World::without_clinic("everyaddress");
    world.apply(&guard_of(20));
    let names: Vec<String> = (0..20).map(|number| format!("member-{number:02}")).collect();
    let all_at =
        |domain: &str| -> String { names.iter().map(|name| staff(name, &format!("{name}@{domain}"))).collect() };
    world.apply(&all_at("maple.example"));
    let invited = world.relay.wait_for(20, PATIENCE);
    for name in &names {
        world.member_in("Invited", name);
    }
    for domain in ["river.example", "lake.example", "hill.example"] {
        world.apply(&all_at(domain));
        for name in &names {
            world.member_in("Held", name);
            let given_up = world.account_of(name)["spec"]["desired"]["email"] != format!("{name}@maple.example");
            assert!(given_up, "the address before is given up at once");
        }
    }
    let id = held(&world, 20);
    assert_eq!(world.relay.mails().len(), 20, "nobody at another address was written to");
    assert!(world.accept(&invited[0], "Ana", "Silva").is_err(), "the link to the address before is dead at once");
    release(&world, &id);
    for name in &names {
        world.member_in("Invited", name);
        assert_eq!(world.relay.mails_to(&format!("{name}@hill.example")).len(), 1);
    }
    assert_eq!(world.relay.mails().len(), 40);
}

#[test]
fn a_confirmation_that_is_held_leaves_access_and_state_alone_and_goes_on_within_a_guard_that_is_raised() {
    let world = World::without_clinic("heldconfirm");
    world.apply(&guard_of(2));
    let names = ["ana", "bea"];
    let accounts = names.map(|name| world.accepted(name, &staff(name, &format!("{name}@maple.example"))));
    world.apply(&names.map(|name| staff(name, &format!("{name}@river.example"))).concat());
    let id = held(&world, 2);
    for (name, account) in names.iter().zip(&accounts) {
        let told = world.member_told(name, "is held");
        assert_eq!(told["status"]["state"], "Active");
        assert!(message(&world, name).contains(&id), "{}", message(&world, name));
        world.access(account, "Granted");
    }
    assert_eq!(world.relay.mails().len(), 2);
    // One more fits in now, and the other waits.
    world.apply(&guard_of(3));
    assert_eq!(held(&world, 1), id);
    // The confirmation, and the notice to the old address.
    assert_eq!(world.relay.wait_for(4, PATIENCE).len(), 4);
    // Undone: nothing is held any more.
    world.apply(&names.map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    eventually_ok(PATIENCE, "nothing to be held", || {
        let clinic = world.object("clinic", "clinic");
        let ready = condition(&clinic, "Ready").unwrap()["status"] == "True";
        if ready && clinic["status"]["holds"].is_null() { Ok(()) } else { Err(clinic["status"].clone()) }
    });
    assert_eq!(world.relay.mails().len(), 4);
}

#[test]
fn the_fourth_resend_of_an_hour_is_held_and_leaves_the_link_of_the_third_alive() {
    let world = World::without_clinic("resends");
    world.apply(&guard_of(1));
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    for again in 2..=4 {
        resend(&world, "ana", &format!("again-{again}"));
        round_is(&world, "ana", again);
    }
    resend(&world, "ana", "once-more");
    held(&world, 1);
    world.member_in("Held", "ana");
    assert_eq!(round_of(&world, "ana"), 4);
    let mails = world.relay.mails();
    assert_eq!(mails.len(), 4);
    world.accept(&mails[3], "Ana", "Silva").expect("the link of the mail before works until the next one begins");
    world.member_in("Active", "ana");
    eventually_ok(PATIENCE, "nothing to be held", || {
        let holds = world.object("clinic", "clinic")["status"]["holds"].clone();
        if holds.is_null() { Ok(()) } else { Err(holds) }
    });
}

#[test]
fn a_release_of_some_members_lets_exactly_these_go_on() {
    let world = World::without_clinic("some");
    world.apply(&guard_of(1));
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    world.apply(&["bea", "cyd", "dan"].map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    let id = held(&world, 3);
    release(&world, &format!("{id}: cyd, nobody"));
    world.member_in("Invited", "cyd");
    assert_eq!(held(&world, 2), id);
    world.member_in("Held", "bea");
    release(&world, &id);
    for name in ["bea", "dan"] {
        world.member_in("Invited", name);
    }
    assert_eq!(world.relay.mails().len(), 4);
}

#[test]
fn a_link_works_until_its_mail_says_whatever_the_clinic_says_later() {
    let world = World::at("validuntil", "2027-03-01T12:00:00Z");
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let until = |name: &str| -> Value { world.object("clinicuser", name)["status"]["invitation"]["expiresAt"].clone() };
    let valid_for = |days: u8| {
        world.apply(&CLINIC.replace("guard:", &format!("invitationValidityDays: {days}, guard:")));
    };
    world.apply(&["ana", "bea"].map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    world.relay.wait_for(2, PATIENCE);
    for name in ["ana", "bea"] {
        world.member_in("Invited", name);
    }
    let said = until("ana");
    assert_eq!(world.attempts("ana")[0]["validUntil"], said);
    valid_for(1);
    world.apply(&staff("cyd", "cyd@maple.example"));
    world.member_in("Invited", "cyd");
    world.clock().advance(days(2));
    world.member_in("InvitationExpired", "cyd");
    world.member_in("Invited", "ana");
    assert_eq!(until("ana"), said);
    world.accept(&world.relay.mails_to("ana@maple.example")[0], "Ana", "Silva").expect("its mail said seven days");
    valid_for(30);
    world.member_in("InvitationExpired", "cyd");
    assert!(
        world.accept(&world.relay.mails_to("cyd@maple.example")[0], "Cyd", "Silva").is_err(),
        "its mail said one day"
    );
    world.clock().advance(days(6));
    world.member_in("InvitationExpired", "bea");
    assert!(world.accept(&world.relay.mails_to("bea@maple.example")[0], "Bea", "Silva").is_err());
}
