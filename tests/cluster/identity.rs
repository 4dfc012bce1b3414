//! Whose account it is (I6), on a real API server: renamed, pruned, restored and re-used manifests keep accounts with their
//! people, and a former member's account goes to nobody before a person says whose it is.

use serde_json::{Value, json};

use crate::mail_page::shell;
use crate::support::control_plane::control_plane;
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::smtp::SmtpServer;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, World, condition, staff};

/// A staff member's manifest with both names and annotations (`key: value, …`).
fn person(object: &str, email: &str, names: &str, annotations: &str) -> String {
    let (first, last) = names.split_once(' ').unwrap();
    format!(
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ClinicUser\nmetadata: {{name: {object}, annotations: {{{annotations}}}}}\nspec: {{email: {email}, type: Staff, firstName: {first}, lastName: {last}}}\n---\n"
    )
}

fn message(member: &Value) -> &str {
    condition(member, "Ready").unwrap()["message"].as_str().unwrap()
}

/// Runs the command that the message gives for this decision, as an administrator pastes it.
#[track_caller]
fn paste(member: &Value, decision: &str) {
    let told = message(member);
    let mut commands = told.split(['(', ')']).filter(|part| part.starts_with("kubectl ") && part.contains(decision));
    let output = shell(commands.next().expect("a command in parentheses")).output().unwrap();
    assert!(output.status.success(), "{told}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_manifest_renamed_in_git_keeps_its_account_in_either_order_and_mails_nobody() {
    let world = World::new("renamed");
    let account = world.accepted("ana", &person("ana", "ana@maple.example", "Ana Silva", ""));
    // Created first: a conflict, until the old manifest goes.
    world.apply(&person("ana-silva", "ana@maple.example", "ANA Silva", ""));
    let waits = world.member_in("EmailConflict", "ana-silva");
    assert!(message(&waits).contains("ClinicUser \"ana\""), "{}", message(&waits));
    world.kubectl(&["delete", "clinicuser", "ana"]);
    let renamed = world.member_in("Active", "ana-silva");
    assert_eq!(renamed["status"]["account"], account);
    // Deleted first: access ends, and comes back with the manifest.
    world.kubectl(&["delete", "clinicuser", "ana-silva"]);
    world.access(&account, "Removed");
    world.apply(&person("a-silva", "ana@maple.example", "Ana Silva", "clinic-operator.dev/resend: '1'"));
    let renamed = world.member_in("Active", "a-silva");
    assert_eq!(renamed["status"]["account"], account);
    world.access(&account, "Granted");
    assert_eq!((world.names("clinicaccounts").len(), world.relay.mails().len()), (1, 1));
}

#[test]
fn a_pruned_member_comes_back_with_both_names_and_without_them_a_person_decides_once() {
    let world = World::new("pruned");
    let account = world.accepted("ana", &person("ana", "ana@maple.example", "Ana Silva", ""));
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.access(&account, "Removed");
    world.apply(&person("ana", "ana@maple.example", "Ana Silva", ""));
    world.member_in("Active", "ana");
    world.access(&account, "Granted");
    // Without names nobody can tell whether it is the same person.
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.access(&account, "Removed");
    world.apply(&staff("ana", "ana@maple.example"));
    let former = world.member_in("FormerMember", "ana");
    let approval = format!("{account}.0");
    assert!(message(&former).contains(&format!("clinic-operator.dev/reactivate: {approval}")), "{}", message(&former));
    assert_eq!(former["status"]["account"], Value::Null);
    paste(&former, "reactivate");
    let back = world.member_in("Active", "ana");
    assert_eq!(back["status"]["account"], account);
    assert_eq!(world.object("clinicaccount", &account)["spec"]["desired"]["decisions"], 1);
    // The annotation is left in the file: it approves nobody again.
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.access(&account, "Removed");
    let left = format!("clinic-operator.dev/reactivate: {approval}");
    world.apply(
        &staff("ana", "ana@maple.example").replace("{name: ana}", &format!("{{name: ana, annotations: {{{left}}}}}")),
    );
    let former = world.member_in("FormerMember", "ana");
    assert!(message(&former).contains(&format!("{account}.1")), "{}", message(&former));
    assert_eq!((world.names("clinicaccounts").len(), world.relay.mails().len()), (1, 1));
}

#[test]
fn somebody_with_one_name_keeps_their_account_and_somebody_whose_file_gives_one_name_is_asked_about() {
    let world = World::new("one-name");
    let one = |object: &str, name: &str| {
        staff(object, &format!("{}@maple.example", name.to_lowercase()))
            .replace("type: Staff", &format!("type: Staff, lastName: {name}"))
    };
    // One has no other name, of the other the clinic wrote one alone.
    for (object, name, confirmed) in [("suharto", "Suharto", ("", "Suharto")), ("silva", "Silva", ("Ana", "Silva"))] {
        world.apply(&one(object, name));
        let account = world.member_in("Invited", object)["status"]["account"].as_str().unwrap().to_owned();
        let mails = world.relay.mails();
        let mail = mails.iter().find(|mail| mail.links()[0].contains(&account)).unwrap();
        world.accept(mail, confirmed.0, confirmed.1).unwrap();
        let listed = world.member_in("Active", object)["status"]["member"]["name"].clone();
        assert_eq!(listed, format!("{} {}", confirmed.0, confirmed.1).trim());
        world.kubectl(&["delete", "clinicuser", object]);
        world.access(&account, "Removed");
        world.apply(&one(&format!("{object}-2"), name));
    }
    let back = world.member_in("Active", "suharto-2");
    world.access(back["status"]["account"].as_str().unwrap(), "Granted");
    world.member_in("FormerMember", "silva-2");
    assert_eq!((world.names("clinicaccounts").len(), world.relay.mails().len()), (2, 2));
}

#[test]
fn another_person_gets_a_former_members_address_only_by_a_decision_and_a_new_account() {
    let world = World::new("replaced");
    let account = world.accepted("ana", &person("ana", "desk@maple.example", "Ana Silva", ""));
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.access(&account, "Removed");
    world.apply(&person("bea", "desk@maple.example", "Bea Roy", ""));
    let former = world.member_in("FormerMember", "bea");
    assert!(condition(&former, "Stalled").is_some());
    assert_eq!(world.relay.mails().len(), 1, "nobody is mailed before the decision");
    world.kubectl(&["annotate", "clinicuser", "bea", &format!("clinic-operator.dev/replace={account}.0")]);
    let bea = world.member_in("Invited", "bea");
    assert_ne!(bea["status"]["account"], account);
    let old = world.object("clinicaccount", &account);
    assert_eq!(old["spec"]["desired"]["email"], Value::Null, "the old account has no login any more");
    assert!(old["spec"]["desired"]["removed"].is_object() && old["spec"]["acceptance"].is_object(), "and is kept");
    assert_eq!((world.names("clinicaccounts").len(), world.names("emailclaims").len()), (2, 1));
}

#[test]
fn a_known_member_may_replace_a_former_one_but_never_take_the_account_over() {
    let world = World::new("known");
    let account = world.accepted("ana", &person("ana", "ana@maple.example", "Ana Silva", ""));
    let of_bea = world.accepted("bea", &person("bea", "bea@maple.example", "Bea Silva", ""));
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.access(&account, "Removed");
    world.apply(&person(
        "bea",
        "ana@maple.example",
        "Bea Silva",
        &format!("clinic-operator.dev/reactivate: {account}.0"),
    ));
    let bea = world.member_in("FormerMember", "bea");
    assert!(!message(&bea).contains("reactivate"), "{}", message(&bea));
    world.access(&of_bea, "Granted");
    world.apply(&person("bea", "ana@maple.example", "Bea Silva", &format!("clinic-operator.dev/replace: {account}.0")));
    let bea = world.member_in("Active", "bea");
    assert_eq!(bea["status"]["account"], of_bea);
    let mails = world.relay.wait_for(4, PATIENCE);
    assert_eq!(mails[2].recipients, ["ana@maple.example"], "the changed address is to be confirmed");
    assert_eq!(mails[3].recipients, ["bea@maple.example"]);
}

#[test]
fn address_and_name_of_an_accepted_member_edited_at_once_wait_for_a_person() {
    let world = World::new("identity");
    let account = world.accepted("ana", &person("ana", "ana@maple.example", "Ana Silva", ""));
    world.apply(&person("ana", "bea@maple.example", "Bea Roy", ""));
    let changed = world.member_in("IdentityChanged", "ana");
    assert!(message(&changed).contains(&format!("reactivate: {account}.0")), "{}", message(&changed));
    world.access(&account, "Granted");
    assert!(
        message(&changed).contains(&format!("-n {} clinicuser ana ", world.namespace.name())),
        "{}",
        message(&changed)
    );
    let record = world.object("clinicaccount", &account);
    assert_eq!(
        (&record["spec"]["desired"]["firstName"], &record["spec"]["desired"]["email"]),
        (&json!("Ana"), &json!("ana@maple.example"))
    );
    // Undone in Git.
    world.apply(&person("ana", "ana@maple.example", "Ana Silva", ""));
    world.member_in("Active", "ana");
    assert_eq!(world.relay.mails().len(), 1);
    // Married, and a new address: the same person.
    let annotation = format!("clinic-operator.dev/reactivate: {account}.0");
    world.apply(&person("ana", "roy@maple.example", "Ana Roy", &annotation));
    let mails = world.relay.wait_for(3, PATIENCE);
    assert_eq!(
        (&mails[1].recipients[0], &mails[2].recipients[0]),
        (&"roy@maple.example".into(), &"ana@maple.example".into())
    );
    world.member_told("ana", "waits for its confirmation");
}

#[test]
fn a_namespace_restored_under_new_uids_keeps_every_account_and_mails_nobody() {
    let world = World::new("original");
    let people = [
        ("ana", person("ana", "ana@maple.example", "Ana Silva", "clinic-operator.dev/resend: '3'")),
        ("bea", staff("bea", "bea@maple.example")),
    ];
    for (name, manifest) in &people {
        world.accepted(name, manifest);
    }
    world.apply(&staff("cyd", "cyd@maple.example"));
    world.member_in("Invited", "cyd");
    let kinds = "clinicusers,clinicaccounts,emailclaims";
    let backup: Value = serde_json::from_str(&world.kubectl(&["get", kinds, "-o", "json"])).unwrap();
    for with_status in [false, true] {
        let namespace = control_plane().namespace("restored");
        let relay = SmtpServer::start();
        let mut objects = backup["items"].as_array().unwrap().clone();
        for object in &mut objects {
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.retain(|field, _| field == "name" || field == "annotations");
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let open = namespace.open_door();
        control_plane().kubectl_stdin(&namespace, &["create", "-f", "-"], &list.to_string()).ok();
        if with_status {
            for object in objects.iter().filter(|object| object["kind"] == "ClinicUser") {
                let name = object["metadata"]["name"].as_str().unwrap();
                let patch = json!({ "status": object["status"] }).to_string();
                let arguments = ["patch", "clinicuser", name, "--subresource=status", "--type=merge", "-p", &patch];
                control_plane().kubectl(&namespace, &arguments).ok();
            }
        }
        drop(open);
        let _operator = Operator::start(&namespace, &relay, OperatorOptions::default());
        // The Clinic comes last: before it nothing is decided.
        control_plane().kubectl_stdin(&namespace, &["apply", "-f", "-"], CLINIC).ok();
        for (name, state) in [("ana", "Active"), ("bea", "Active"), ("cyd", "Invited")] {
            let get = ["get", "clinicuser", name, "-o", "json"];
            eventually_ok(PATIENCE, &format!("{name} to be {state}, with status: {with_status}"), || {
                let user: Value = serde_json::from_str(&control_plane().kubectl(&namespace, &get).ok()).unwrap();
                let account = user["status"]["account"].as_str().unwrap_or_default().to_owned();
                let record = control_plane().kubectl(&namespace, &["get", "clinicaccounts", "-o", "json"]).ok();
                let records: Value = serde_json::from_str(&record).unwrap();
                let holds = records["items"].as_array().unwrap().iter().any(|record| {
                    record["metadata"]["name"] == *account
                        && record["spec"]["desired"]["holder"]["uid"] == user["metadata"]["uid"]
                });
                if user["status"]["state"] == state && holds { Ok(()) } else { Err(user["status"].clone()) }
            });
        }
        let accounts = control_plane().kubectl(&namespace, &["get", "clinicaccounts", "-o", "name"]).ok();
        assert_eq!(accounts.lines().count(), 3, "nobody has a second account");
        assert!(relay.mails().is_empty(), "a restore mails nobody");
    }
}

#[test]
fn who_replaces_the_file_of_a_member_with_name_and_address_is_told_that_the_account_still_has_access() {
    let mut world = World::new("replacedfile");
    let account = world.accepted("ana", &person("ana", "desk@maple.example", "Ana Silva", ""));
    world.operator.terminate();
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.apply(&person("ana", "desk@maple.example", "Bea Roy", ""));
    world.operator.restart();
    world.member_in("FormerMember", "ana");
    let told = world.member_told("ana", "That account still has access.");
    assert!(message(&told).contains(&format!("replace: {account}.0")), "{}", message(&told));
    world.access(&account, "Granted");
    world.kubectl(&["annotate", "clinicuser", "ana", &format!("clinic-operator.dev/replace={account}.0")]);
    world.member_in("Invited", "ana");
    world.access(&account, "Removed");
}
