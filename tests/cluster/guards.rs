//! Removal and its guard, and the guard of invitations, on a real API server: one bad merge neither locks a clinic out
//! nor mails everybody.

use std::time::Duration;

use clinic_operator::domain::email::Email;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::backup::FINALIZER;
use crate::support::control_plane::control_plane;
use crate::support::operator::OperatorOptions;
use crate::support::smtp::SmtpServer;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, World, condition, staff};

/// Waits until the Clinic lists one hold of so many, and returns its id.
#[track_caller]
fn held(world: &World, count: u32) -> String {
    let hold = eventually_ok(PATIENCE, &format!("a hold of {count}"), || {
        let clinic = world.object("clinic", "clinic");
        let holds = clinic["status"]["holds"].clone();
        if holds[0]["count"] == count && holds[1].is_null() { Ok(clinic) } else { Err(clinic["status"].clone()) }
    });
    let ready = condition(&hold, "Ready").unwrap();
    assert_eq!((&ready["status"], &ready["reason"]), (&"False".into(), &"Held".into()));
    assert!(condition(&hold, "Stalled").is_some());
    let id = hold["status"]["holds"][0]["id"].as_str().unwrap().to_owned();
    assert!(ready["message"].as_str().unwrap().contains(&id), "{ready}");
    id
}

fn release(world: &World, id: &str) {
    world.kubectl(&["annotate", "clinic", "clinic", "--overwrite", &format!("clinic-operator.dev/release-hold={id}")]);
}

#[test]
fn who_is_removed_from_git_loses_access_at_once_and_keeps_account_and_claim() {
    let world = World::new("removed");
    let account = world.accepted("ana", &staff("ana", "ana@maple.example"));
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.access(&account, "Removed");
    let record = world.object("clinicaccount", &account);
    assert_eq!(record["spec"]["desired"]["email"], "ana@maple.example", "nobody else gets the address by accident");
    assert!(record["spec"]["acceptance"].is_object());
    assert_eq!((world.names("clinicaccounts").len(), world.names("emailclaims").len()), (1, 1));
}

#[test]
fn nobody_is_removed_while_the_clinic_is_paused_or_missing() {
    let world = World::new("pausedgone");
    let account = world.accepted("ana", &staff("ana", "ana@maple.example"));
    let other = world.accepted("bea", &staff("bea", "bea@maple.example"));
    world.apply(&CLINIC.replace("America/Toronto", "America/Toronto, paused: true"));
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.member_in("Paused", "bea");
    world.access(&account, "Granted");
    world.kubectl(&["delete", "clinic", "clinic"]);
    world.member_in("ClinicMissing", "bea");
    world.access(&account, "Granted");
    world.apply(CLINIC);
    world.access(&account, "Removed");
    world.access(&other, "Granted");
}

#[test]
fn a_merge_that_removes_half_of_the_clinic_is_held_until_a_person_releases_or_undoes_it() {
    let world = World::new("mass");
    let names: Vec<String> = ["ana", "bea", "cyd", "dan", "eve", "fay", "gil", "hal"].map(str::to_owned).to_vec();
    let email = |name: &str| format!("{name}@maple.example");
    let accounts: Vec<String> = names.iter().map(|name| world.accepted(name, &staff(name, &email(name)))).collect();
    let mails = world.relay.mails().len();
    let mut delete = vec!["delete", "clinicuser"];
    delete.extend(names[..6].iter().map(String::as_str));
    world.kubectl(&delete);
    // Two, or a quarter of eight, pass.
    let id = held(&world, 4);
    assert!(id.starts_with("removals-"), "{id}");
    let reasons = || -> Vec<String> {
        let reason = |account: &String| world.object("clinicaccount", account)["spec"]["access"]["reason"].clone();
        accounts.iter().map(|account| reason(account).as_str().unwrap().to_owned()).collect()
    };
    eventually_ok(PATIENCE, "two to be removed", || {
        let reasons = reasons();
        let of = |wanted: &str| reasons.iter().filter(|reason| *reason == wanted).count();
        if (of("Removed"), of("Granted")) == (2, 6) { Ok(()) } else { Err(reasons) }
    });
    // Undo for one of those who are held: the same manifest again, without names.
    let still_there = |account: &String| world.object("clinicaccount", account)["spec"]["access"]["granted"] == true;
    let undone = (0..6).find(|index| still_there(&accounts[*index])).unwrap();
    world.apply(&staff(&names[undone], &email(&names[undone])));
    let back = world.member_in("Active", &names[undone]);
    assert_eq!(back["status"]["account"], accounts[undone]);
    assert_eq!(held(&world, 3), id);
    // A wrong id releases nothing; the right one exactly these.
    release(&world, "removals-20000101T000000Z");
    release(&world, &id);
    eventually_ok(PATIENCE, "all but three to be removed", || {
        let removed: Vec<bool> = reasons().iter().map(|reason| reason == "Removed").collect();
        let expected: Vec<bool> = (0..8).map(|index| index < 6 && index != undone).collect();
        if removed == expected { Ok(()) } else { Err(removed) }
    });
    eventually_ok(PATIENCE, "the Clinic to be ready again", || {
        let clinic = world.object("clinic", "clinic");
        let ready = condition(&clinic, "Ready").unwrap()["status"] == "True";
        if ready && clinic["status"]["holds"].is_null() { Ok(()) } else { Err(clinic["status"].clone()) }
    });
    // The guard still counts: the next removal is held anew, under another id.
    world.kubectl(&["delete", "clinicuser", &names[7]]);
    assert_ne!(held(&world, 1), id);
    assert_eq!(world.relay.mails().len(), mails, "none of this mails anybody");
}

#[test]
fn more_first_invitations_than_the_clinic_allows_are_held_until_a_person_releases_them() {
    let world = World::without_clinic("many");
    world.apply(&CLINIC.replace("1000", "2"));
    let names = ["ana", "bea", "cyd", "dan"];
    world.apply(&names.map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    let id = held(&world, 2);
    assert!(id.starts_with("invitations-"), "{id}");
    let states = || names.map(|name| world.object("clinicuser", name)["status"]["state"].clone());
    let found = eventually_ok(PATIENCE, "two to be held", || {
        let found = states();
        let count = |state: &str| found.iter().filter(|found| *found == state).count();
        if (count("Held"), count("Invited")) == (2, 2) { Ok(found) } else { Err(format!("{found:?}")) }
    });
    let waiting = names[found.iter().position(|state| state == "Held").unwrap()];
    let told = world.member_in("Held", waiting);
    let told = condition(&told, "Stalled").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(told.contains(&format!("clinic-operator.dev/release-hold: {id}")), "{told}");
    assert_eq!(world.relay.mails().len(), 2);
    let listed = &world.object("clinic", "clinic")["status"]["holds"][0]["members"];
    assert!(listed.as_array().unwrap().contains(&Value::from(waiting)), "{listed}");
    // What is held is still somebody's to edit, and is not invited by a resend.
    world.kubectl(&["annotate", "clinicuser", waiting, "clinic-operator.dev/resend=1"]);
    release(&world, &id);
    for name in names {
        world.member_in("Invited", name);
    }
    assert_eq!(world.relay.wait_for(4, PATIENCE).len(), 4);
}

/// What was in Git, in a clinic that is new: no accounts of a backup.
#[test]
fn from_git_alone_an_empty_cluster_invites_twenty_and_says_that_the_others_wait_for_a_person() {
    // At the default rate: what is held is told at once, not as mails leave.
    let configuration = vec![("/mail/mailsPerMinute", json!(10))];
    let options = OperatorOptions { configuration, ..OperatorOptions::default() };
    let world = World::at_with("fromgit", "2027-03-01T12:00:00Z", SmtpServer::start(), options);
    world.apply(&CLINIC.replace(", guard: {invitationsPerHour: 1000}", ""));
    world.kubectl(&["delete", "clinic", "clinic"]);
    let names: Vec<String> = (0..33).map(|number| format!("member-{number:02}")).collect();
    world.apply(&names.iter().map(|name| staff(name, &format!("{name}@maple.example"))).collect::<String>());
    world.apply(&CLINIC.replace(", guard: {invitationsPerHour: 1000}", ""));
    let id = held(&world, 13);
    assert_eq!(world.relay.wait_for(10, PATIENCE).len(), 10);
    world.clock().advance(SignedDuration::from_secs(61));
    assert_eq!(world.relay.wait_for(20, PATIENCE).len(), 20);
    let clinic = world.object("clinic", "clinic");
    let told = condition(&clinic, "Ready").unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(
        told,
        format!(
            "More than usual changed within an hour, so it is held: {id} (13: members who are not mailed). If it is meant, \
             set the annotation clinic-operator.dev/release-hold to the id; if not, undo the change in Git."
        )
    );
    assert_eq!(clinic["status"]["holds"][0]["members"].as_array().unwrap().len(), 13);
    assert!(world.operator.metrics().contains("clinic_operator_held_accounts{guard=\"invitations\"} 13\n"));
    // Time releases nobody: the next hour's twenty are not these.
    world.clock().advance(SignedDuration::from_hours(3));
    world.apply(&staff("later", "later@maple.example"));
    world.member_in("Invited", "later");
    assert_eq!(held(&world, 13), id);
    assert_eq!(world.relay.mails().len(), 21);
    release(&world, &id);
    for left in [31, 34] {
        world.clock().advance(SignedDuration::from_secs(61));
        world.relay.wait_for(left, PATIENCE);
    }
    for name in &names {
        world.member_in("Invited", name);
    }
    assert_eq!(world.relay.mails().len(), 34);
}

/// A backup without statuses, under new UIDs, the Clinic last; half of the people had accepted.
#[test]
fn a_restore_of_a_thousand_members_without_status_mails_nobody() {
    const MEMBERS: usize = 1000;
    let mut world = World::without_clinic("thousand");
    // One that runs stands still while the door is open, but half a minute may pass until it knows.
    world.operator.terminate();
    let api = "clinic-operator.dev/v1alpha1";
    let (mut users, mut accounts, mut claims) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..MEMBERS {
        let name = format!("member-{number:04}");
        let email = format!("{name}@maple.example");
        let uid = format!("00000000-0000-4000-8000-{number:012}");
        let account = format!("a-{uid}");
        let (first, last) = ("Ana", format!("Silva {number}"));
        let spec = json!({"email": email, "type": "Staff", "firstName": first, "lastName": last});
        users.push(json!({"apiVersion": api, "kind": "ClinicUser", "metadata": {"name": name}, "spec": spec}));
        let mut desired = spec;
        desired["holder"] = json!({"name": name, "uid": uid});
        let at = "2027-02-01T12:00:00Z";
        let attempt = json!({"kind": "Invitation", "round": 1, "copy": 1, "messageId": format!("<{account}.1@maple.example>"),
            "tokenDigest": format!("{number:064}"), "at": at, "date": at, "outcome": "Sent", "code": "250 2.0.0"});
        let mut record = json!({"id": account, "desired": desired,
            "delivery": {"round": 1, "address": email, "attempts": [attempt], "sent": 1}});
        if number % 2 == 0 {
            record["acceptance"] = json!({"acceptedAt": at, "login": email, "firstName": first, "lastName": last,
                "credential": "c-1"});
        }
        accounts
            .push(json!({"apiVersion": api, "kind": "ClinicAccount", "metadata": {"name": account}, "spec": record}));
        let claim = Email::parse(&email).unwrap().key().claim().to_string();
        claims.push(
            json!({"apiVersion": api, "kind": "EmailClaim", "metadata": {"name": claim}, "spec": {"account": account}}),
        );
    }
    control_plane().create_all(&world.namespace, "clinicusers", users);
    world.namespace.by_hand(|| {
        control_plane().create_all(&world.namespace, "clinicaccounts", accounts);
        control_plane().create_all(&world.namespace, "emailclaims", claims);
    });
    world.operator.restart();
    world.apply(CLINIC);
    eventually_ok(4 * PATIENCE, "everybody to have the account again", || {
        let clinic = world.object("clinic", "clinic");
        let members = &clinic["status"]["members"];
        let active = members["active"].as_u64().unwrap_or(0);
        if active == 500 && members["stalled"] == 0 && members["total"] == MEMBERS {
            Ok(())
        } else {
            Err(members.clone())
        }
    });
    world.at_rest(Duration::from_secs(3));
    let users = world.objects("clinicusers");
    let uid_of =
        |name: &Value| users.iter().find(|user| user["metadata"]["name"] == *name).unwrap()["metadata"]["uid"].clone();
    let accounts = world.objects("clinicaccounts");
    assert_eq!(accounts.len(), MEMBERS, "nobody has a second account");
    for account in accounts {
        let holder = &account["spec"]["desired"]["holder"];
        assert_eq!(holder["uid"], uid_of(&holder["name"]));
    }
    assert_eq!((world.relay.connections(), world.names("emailclaims").len()), (0, MEMBERS));
}

#[test]
fn invitations_that_nobody_accepted_are_withdrawn_at_once_and_take_no_removal_from_anybody() {
    const STRANGERS: usize = 20;
    let world = World::new("withdrawn");
    world.apply(&CLINIC.replace("1000", "6"));
    let members = ["ana", "bea"].map(|name| world.accepted(name, &staff(name, &format!("{name}@maple.example"))));
    let names: Vec<String> = (0..STRANGERS).map(|number| format!("stranger-{number:02}")).collect();
    let stranger = |name: &str| {
        staff(name, &format!("{name}@maple.example")).replace("Staff}", "Staff, firstName: Sam, lastName: Roy}")
    };
    world.apply(&names.iter().map(|name| stranger(name)).collect::<String>());
    let id = held(&world, 16);
    let mails = world.relay.wait_for(6, PATIENCE);
    let mailed = names.iter().position(|name| mails[5].recipients == [format!("{name}@maple.example")]).unwrap();
    world.member_in("Invited", &names[mailed]);
    // The merge is reverted.
    let mut delete = vec!["delete", "clinicuser"];
    delete.extend(names.iter().map(String::as_str));
    world.kubectl(&delete);
    eventually_ok(PATIENCE, "nobody to be held", || {
        let clinic = world.object("clinic", "clinic");
        let is_open = condition(&clinic, "Ready").is_some_and(|ready| ready["reason"] == "Open");
        if is_open && clinic["status"]["holds"].is_null() { Ok(()) } else { Err(clinic["status"].clone()) }
    });
    let accounts = world.objects("clinicaccounts");
    let withdrawn = accounts.iter().filter(|account| account["spec"]["desired"]["removed"].is_object()).count();
    assert_eq!(withdrawn, STRANGERS);
    assert!(world.accept(&mails[5], "Sam", "Roy").is_err(), "its link does not let in");
    // It took no removal from those who leave, of whom two an hour are never held.
    world.kubectl(&["delete", "clinicuser", "ana", "bea"]);
    for account in &members {
        world.access(account, "Removed");
    }
    // The file again: the link works for its time, and nobody is mailed anew.
    world.apply(&stranger(&names[mailed]));
    world.member_in("Invited", &names[mailed]);
    world.accept(&mails[5], "Sam", "Roy").expect("the link works again");
    world.member_in("Active", &names[mailed]);
    // One whose invitation was held is held as before.
    let never = names.iter().find(|name| mails.iter().all(|mail| mail.recipients != [format!("{name}@maple.example")]));
    world.apply(&stranger(never.unwrap()));
    world.member_in("Held", never.unwrap());
    assert_eq!(held(&world, 1), id);
    assert_eq!(world.relay.mails().len(), 6);
}

#[test]
fn who_is_being_deleted_is_gone_whatever_finalizer_keeps_the_object() {
    let world = World::new("kept");
    let with_names = |name: &str| {
        let names = format!("Staff, firstName: {name}, lastName: Silva}}");
        staff(name, &format!("{name}@maple.example")).replace("Staff}", &names)
    };
    let account = world.accepted("ana", &with_names("Ana").replace("{name: Ana}", "{name: ana}"));
    world.apply(&with_names("bea"));
    world.member_in("Invited", "bea");
    world.delete_with_a_finalizer("ana");
    world.delete_with_a_finalizer("bea");
    world.access(&account, "Removed");
    let told = world.member_told("ana", "The person has no access.");
    assert_eq!((&told["status"]["state"], &told["status"]["account"]), (&json!("BeingDeleted"), &json!(account)));
    let ready = condition(&told, "Ready").unwrap();
    assert!(ready["status"] == "False" && ready["message"].as_str().unwrap().contains(FINALIZER), "{ready}");
    world.member_told("bea", "is not mailed");
    // The status may be written before the record.
    eventually_ok(PATIENCE, "the record to say so", || {
        let removed = world.account_of("bea")["spec"]["desired"]["removed"].clone();
        if removed.is_object() { Ok(()) } else { Err(removed) }
    });
    world.kubectl(&["annotate", "clinicuser", "bea", "clinic-operator.dev/resend=1"]);
    world.at_rest(Duration::from_secs(4));
    assert_eq!(world.relay.mails().len(), 2, "nobody is mailed who is being deleted");
    // The address waits for the same person, as when the object is gone.
    world.let_go("ana");
    world.apply(&with_names("Ana").replace("{name: Ana}", "{name: ana}"));
    assert_eq!(world.member_in("Active", "ana")["status"]["account"], *account);
}

/// The leaver's access stays until the hold is released, and their account is never a new person's by the name of a file alone.
#[test]
fn a_new_person_whose_file_reuses_the_name_of_one_whose_removal_is_held_gets_neither_account_nor_access() {
    let world = World::new("reused");
    let names = ["ana", "bea", "cyd", "dan"];
    let manifest = |name: &str| staff(name, &format!("{name}@maple.example"));
    let accounts = names.map(|name| world.accepted(name, &manifest(name)));
    world.kubectl(&["delete", "clinicuser", "ana", "bea", "cyd", "dan"]);
    let id = held(&world, 2);
    let holds = |name: &str| {
        let account = &accounts[names.iter().position(|one| *one == name).unwrap()];
        world.object("clinicaccount", account)["spec"]["desired"]["hold"].is_object()
    };
    let (leaver, other) = {
        let held: Vec<&str> = names.into_iter().filter(|name| holds(name)).collect();
        (held[0], held[1])
    };
    let account = &accounts[names.iter().position(|one| *one == leaver).unwrap()];
    world.apply(&staff(leaver, "newhire@maple.example"));
    let invited = world.member_in("Invited", leaver);
    assert_ne!(invited["status"]["account"], **account);
    let mails = world.relay.wait_for(5, PATIENCE);
    assert_eq!(mails[4].recipients, ["newhire@maple.example"]);
    assert!(mails[4].links()[0].contains("/invitations#"), "{:?}", mails[4].links());
    assert_eq!(held(&world, 2), id, "the leaver is still held");
    // The file of the other one comes back: it is theirs.
    world.apply(&manifest(other));
    world.member_in("Active", other);
    assert_eq!(held(&world, 1), id);
    release(&world, &id);
    world.access(account, "Removed");
    world.member_in("Invited", leaver);
    assert_eq!(world.relay.mails().len(), 5);
}

#[test]
fn a_release_removes_also_a_leaver_whose_file_name_somebody_else_took_with_the_same_address() {
    let world = World::new("nametaken");
    let person = |name: &str, first: &str| {
        staff(name, &format!("{name}@maple.example"))
            .replace("type: Staff", &format!("type: Staff, firstName: {first}, lastName: Roy"))
    };
    let accounts = ["ana", "bea", "cyd", "dan"].map(|name| world.accepted(name, &person(name, name)));
    world.kubectl(&["delete", "clinicuser", "ana", "bea", "cyd", "dan"]);
    let id = held(&world, 2);
    let clinic = world.object("clinic", "clinic");
    let leaver = clinic["status"]["holds"][0]["members"][0].as_str().unwrap().to_owned();
    // Another person, at a shared mailbox.
    world.apply(&person(&leaver, "zoe"));
    let told = world.member_in("FormerMember", &leaver);
    assert!(told["status"]["account"].is_null(), "{told}");
    assert_eq!(held(&world, 2), id);
    release(&world, &id);
    for account in &accounts {
        world.access(account, "Removed");
    }
    world.member_in("FormerMember", &leaver);
    eventually_ok(PATIENCE, "nothing to be held", || {
        let clinic = world.object("clinic", "clinic");
        if clinic["status"]["holds"].is_null() { Ok(()) } else { Err(clinic["status"].clone()) }
    });
}
