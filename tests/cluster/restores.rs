//! A clinic restored from a backup without statuses and under new UIDs: everybody has what they had, whatever of their manifests was
//! still to take effect, and nobody is mailed; also by the commands of docs/restore.md. Members in every state are restored in
//! `controller::members::reference_tests`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::mail_page::shell;
use crate::support::console::blocks_in;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, World, condition};

/// Nothing is expected to happen in this time.
const QUIET: Duration = Duration::from_secs(4);

fn person(name: &str, address: &str, first_name: &str) -> String {
    json!({"apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser", "metadata": {"name": name},
        "spec": {"email": format!("{address}@maple.example"), "type": "Staff", "firstName": first_name, "lastName": "Silva"}})
    .to_string()
}

/// Each member's state and account.
fn states(world: &World) -> BTreeMap<String, (Value, Value)> {
    let state = |user: Value| {
        let name = user["metadata"]["name"].as_str().unwrap().to_owned();
        (name, (user["status"]["state"].clone(), user["status"]["account"].clone()))
    };
    world.objects("clinicusers").into_iter().map(state).collect()
}

/// Each record, but for the UID of its holder.
fn records(world: &World) -> BTreeMap<String, Value> {
    let record = |account: Value| {
        let mut spec = account["spec"].clone();
        spec["desired"]["holder"].as_object_mut().unwrap().remove("uid");
        (account["metadata"]["name"].as_str().unwrap().to_owned(), spec)
    };
    world.objects("clinicaccounts").into_iter().map(record).collect()
}

/// Restores, and waits until everybody stands as before; nothing of a record may have changed, and nobody was mailed.
#[track_caller]
fn everybody_has_what_they_had_after_a_restore(world: &mut World) {
    world.at_rest(QUIET);
    let (states_before, records_before, mails) = (states(world), records(world), world.relay.mails().len());
    world.operator.terminate();
    world.lose_and_restore();
    world.operator.restart();
    eventually_ok(PATIENCE, "everybody to stand as before", || {
        let now = states(world);
        if now == states_before { Ok(()) } else { Err(now) }
    });
    world.at_rest(QUIET);
    assert_eq!(states(world), states_before);
    assert_eq!(records(world), records_before);
    assert_eq!(world.relay.mails().len(), mails, "nobody is mailed");
}

#[test]
fn twelve_members_keep_access_and_account_whose_addresses_were_swapped_wanted_and_changed_with_a_name() {
    let mut world = World::new("restores");
    let names = ["swapa", "swapb", "want", "had", "ident", "moved", "gil", "hal", "ida", "jon", "kim", "lou"];
    for name in names {
        world.accepted(name, &person(name, name, name));
    }
    world.apply(&person("mia", "mia", "mia"));
    world.member_in("Invited", "mia");
    world.apply(&person("swapa", "swapb", "swapa"));
    world.apply(&person("swapb", "swapa", "swapb"));
    world.apply(&person("want", "had", "want"));
    world.apply(&person("ident", "another", "another"));
    world.apply(&person("moved", "third", "moved"));
    let suspended = person("gil", "gil", "gil").replace("\"type\"", "\"suspended\":true,\"type\"");
    world.apply(&suspended);
    for (name, state) in [
        ("swapa", "EmailConflict"),
        ("swapb", "EmailConflict"),
        ("want", "EmailConflict"),
        ("had", "Active"),
        ("ident", "IdentityChanged"),
        ("gil", "Suspended"),
    ] {
        world.member_in(state, name);
    }
    world.member_told("moved", "waits for its confirmation");
    everybody_has_what_they_had_after_a_restore(&mut world);
    let message = |name: &str| {
        condition(&world.object("clinicuser", name), "Ready").unwrap()["message"].as_str().unwrap().to_owned()
    };
    for name in ["swapa", "swapb", "want"] {
        let told = message(name);
        assert!(told.contains("belongs to ClinicUser") && !told.contains("reactivate"), "{told}");
    }
}

#[test]
fn a_paused_clinic_is_restored_paused_and_its_edits_take_effect_when_it_goes_on() {
    let mut world = World::new("restorespaused");
    let accounts = ["ana", "bea", "cyd"].map(|name| world.accepted(name, &person(name, name, name)));
    world.apply(&CLINIC.replace("America/Toronto", "America/Toronto, paused: true"));
    world.apply(&person("ana", "third", "ana"));
    world.apply(&person("bea", "another", "another"));
    for name in ["ana", "bea", "cyd"] {
        world.member_in("Paused", name);
    }
    everybody_has_what_they_had_after_a_restore(&mut world);
    // Who left meanwhile keeps access until it goes on; a suspension counts at once.
    world.kubectl(&["patch", "clinicuser", "cyd", "--type=merge", "-p", r#"{"spec": {"suspended": true}}"#]);
    world.access(&accounts[2], "Suspended");
    world.apply(CLINIC);
    world.member_told("ana", "waits for its confirmation");
    world.member_in("IdentityChanged", "bea");
    world.access(&accounts[0], "Granted");
    world.access(&accounts[1], "Granted");
    let mails = world.relay.wait_for(5, PATIENCE);
    assert_eq!(mails[3].recipients, ["third@maple.example"]);
    assert_eq!(world.names("clinicaccounts").len(), 3);
}

/// Runs the block of the page that has this command, in the folder, for the clinic; what it printed and what went wrong.
#[track_caller]
fn run_of_the_page(world: &World, folder: &Path, command: &str) -> (String, String) {
    let blocks = blocks_in("docs/restore.md", "sh");
    let block = blocks.iter().find(|block| block.contains(command)).expect("a block of the page");
    let name = world.namespace.name();
    let script =
        block.replace("-n maple", &format!("-n {name}")).replace("namespace maple", &format!("namespace {name}"));
    let output = shell(&script).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[test]
fn the_pages_commands_bring_back_who_was_there_and_nobody_who_was_being_deleted() {
    let mut world = World::new("byhand");
    let account = world.accepted("ana", &person("ana", "ana", "ana"));
    let of_gone = world.accepted("bea", &person("bea", "bea", "bea"));
    world.apply(&person("cyd", "cyd", "cyd"));
    world.member_in("Invited", "cyd");
    world.delete_with_a_finalizer("bea");
    world.access(&of_gone, "Removed");
    let (records_before, mails) = (records(&world), world.relay.mails().len());

    let folder = TempDir::new().unwrap();
    let (_, complaints) = run_of_the_page(&world, folder.path(), "jq ");
    assert_eq!(complaints, "");
    world.operator.terminate();
    world.let_go("bea");
    world.namespace.by_hand(|| {
        for kind in ["clinicusers", "clinicaccounts", "emailclaims"] {
            world.kubectl(&["delete", kind, "--all"]);
        }
    });
    world.operator.restart();
    eventually_ok(PATIENCE, "the restore by hand", || {
        let (printed, complaints) = run_of_the_page(&world, folder.path(), "kubectl create -n maple -f backup/");
        assert!(printed.contains("condition met"), "{printed}{complaints}");
        // The page says what to do about a record that came too early: run it again.
        let came_too_early = complaints.contains("turn restore mode on first");
        let is_known = |line: &&str| line.contains("AlreadyExists") || line.contains("turn restore mode on first");
        let others: Vec<&str> = complaints.lines().filter(|line| !is_known(line)).collect();
        assert!(others.is_empty(), "{others:?}");
        if came_too_early { Err(complaints) } else { Ok(()) }
    });
    world.member_in("Active", "ana");
    world.member_in("Invited", "cyd");
    world.at_rest(QUIET);
    assert_eq!(world.names("clinicusers"), ["ana", "cyd"]);
    assert_eq!(records(&world), records_before, "{account} as the others");
    assert_eq!(world.relay.mails().len(), mails, "nobody is mailed");
}

/// Two exchange the names of their files, and one gets the name of a file whose member left, while no operator runs.
#[test]
fn files_that_got_another_s_name_meanwhile_go_to_their_own_person_s_account_and_who_left_is_removed() {
    let mut world = World::new("renamedfiles");
    let [ana, bea, smith, jones] =
        ["ana", "bea", "smith", "jones"].map(|name| world.accepted(name, &person(name, name, name)));
    world.at_rest(QUIET);
    let mails = world.relay.mails().len();
    world.operator.terminate();
    world.kubectl(&["delete", "clinicuser", "ana", "bea", "smith", "jones"]);
    for (name, of) in [("ana", "bea"), ("bea", "ana"), ("jones", "smith")] {
        world.apply(&person(name, of, of));
    }
    world.operator.restart();
    world.access(&jones, "Removed");
    for (name, account) in [("ana", &bea), ("bea", &ana), ("jones", &smith)] {
        assert_eq!(world.member_in("Active", name)["status"]["account"], **account, "{name}");
        world.access(account, "Granted");
    }
    world.at_rest(QUIET);
    assert_eq!(world.relay.mails().len(), mails, "nobody is mailed");
    assert_eq!(world.names("clinicaccounts").len(), 4);
}
