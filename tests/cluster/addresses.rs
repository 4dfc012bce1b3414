//! Addresses on a real API server (I1): edits before and after acceptance, swaps, lost and left-over claims, and who goes on
//! by themselves once an address is free.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, condition, staff};

/// Nothing is expected to happen in this time.
const QUIET: Duration = Duration::from_secs(4);

fn message(member: &Value) -> &str {
    condition(member, "Ready").unwrap()["message"].as_str().unwrap()
}

/// Waits until so many claims are left.
#[track_caller]
fn claims(world: &World, count: usize) {
    eventually_ok(PATIENCE, &format!("{count} claims"), || {
        let claims = world.names("emailclaims");
        if claims.len() == count { Ok(()) } else { Err(claims) }
    });
}

#[test]
fn other_capitals_of_an_address_mail_nobody_and_the_link_goes_on_working() {
    let world = World::new("capitals");
    world.apply(&staff("ana", "Ana@maple.example"));
    world.member_in("Invited", "ana");
    let spelled = |address: &str| {
        world.apply(&staff("ana", address));
        eventually_ok(PATIENCE, "the record to spell the address as the manifest does", || {
            let record = world.account_of("ana");
            if record["spec"]["desired"]["email"] == *address { Ok(()) } else { Err(record["spec"].clone()) }
        });
    };
    spelled("ana@MAPLE.example");
    assert_eq!(world.member_in("Invited", "ana")["status"]["invitation"]["round"], 1);
    world.at_rest(QUIET);
    world.accept(&world.relay.mails()[0], "Ana", "Silva").expect("the link works");
    world.member_in("Active", "ana");
    spelled("ANA@maple.example");
    world.at_rest(QUIET);
    assert_eq!(message(&world.member_in("Active", "ana")), "Has access.");
    assert_eq!(world.relay.mails().len(), 1);
    claims(&world, 1);
}

#[test]
fn an_accepted_member_signs_in_with_the_old_address_until_the_new_one_is_confirmed() {
    let world = World::new("confirm");
    let account = world.accepted("ana", &staff("ana", "ana@maple.example"));
    world.apply(&staff("ana", "ana@river.example"));
    let mails = world.relay.wait_for(3, PATIENCE);
    assert_eq!(
        (&mails[1].recipients[0], &mails[2].recipients[0]),
        (&"ana@river.example".into(), &"ana@maple.example".into())
    );
    let links = mails[1].links();
    assert!(links[0].starts_with(&format!("https://portal.maple.example/confirmations#{account}.")), "{links:?}");
    assert!(mails[2].links().is_empty() && !mails[2].text().contains("river"), "the notice gives nothing away");
    let ana = world.member_told("ana", "waits for its confirmation");
    assert_eq!(ana["status"]["state"], "Active");
    claims(&world, 2);
    world.access(&account, "Granted");
    let record = world.object("clinicaccount", &account);
    assert_eq!(record["spec"]["acceptance"]["login"], "ana@maple.example");
    let kinds: Vec<&Value> =
        record["spec"]["delivery"]["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["kind"]).collect();
    assert_eq!(kinds, ["Invitation", "EmailConfirmation", "EmailChangeNotice"]);
    // Nobody else gets either address meanwhile.
    world.apply(&(staff("bea", "ana@maple.example") + &staff("cyd", "ANA@river.example")));
    world.member_in("EmailConflict", "bea");
    world.member_in("EmailConflict", "cyd");
    // A resend repeats the confirmation, under a new link.
    world.kubectl(&["annotate", "clinicuser", "ana", "clinic-operator.dev/resend=1"]);
    let mails = world.relay.wait_for(4, PATIENCE);
    assert_eq!(mails[3].recipients, ["ana@river.example"]);
    assert_ne!(mails[3].links(), links);
    // What the portal writes once the person has confirmed: the login is the new address, and the old one is free.
    let patch = json!({"spec": {"acceptance": {"login": "ana@river.example"}}}).to_string();
    world.kubectl_as_portal(&["patch", "clinicaccount", &account, "--type=merge", "-p", &patch]);
    world.member_in("Invited", "bea");
    world.member_in("EmailConflict", "cyd");
    assert_eq!(message(&world.member_in("Active", "ana")), "Has access.");
    claims(&world, 2);
}

#[test]
fn an_address_edited_back_before_it_is_confirmed_frees_the_other_again() {
    let world = World::new("back");
    world.accepted("ana", &staff("ana", "ana@maple.example"));
    world.apply(&staff("ana", "ana@river.example"));
    world.relay.wait_for(3, PATIENCE);
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_told("ana", "Has access.");
    claims(&world, 1);
    world.apply(&staff("bea", "ana@river.example"));
    world.member_in("Invited", "bea");
}

#[test]
fn two_accepted_members_who_swap_are_both_told_the_way_out_and_mailed_nothing() {
    let world = World::new("swapaccepted");
    let ana = world.accepted("ana", &staff("ana", "a@maple.example"));
    let bea = world.accepted("bea", &staff("bea", "b@maple.example"));
    world.apply(&(staff("ana", "b@maple.example") + &staff("bea", "a@maple.example")));
    for name in ["ana", "bea"] {
        world.member_in("EmailConflict", name);
        world.member_told(name, "third address");
    }
    world.access(&ana, "Granted");
    world.access(&bea, "Granted");
    assert_eq!(world.relay.mails().len(), 2);
    // The way out: one goes through a third address.
    world.apply(&staff("ana", "c@maple.example"));
    world.member_told("ana", "waits for its confirmation");
    let confirm = |account: &str, login: &str| {
        let patch = json!({"spec": {"acceptance": {"login": login}}}).to_string();
        world.kubectl_as_portal(&["patch", "clinicaccount", account, "--type=merge", "-p", &patch]);
    };
    confirm(&ana, "c@maple.example");
    world.member_told("bea", "waits for its confirmation");
    confirm(&bea, "a@maple.example");
    world.apply(&staff("ana", "b@maple.example"));
    world.member_told("ana", "waits for its confirmation");
}

#[test]
fn an_edit_of_anything_else_reaches_the_account_and_mails_nobody() {
    let world = World::new("edits");
    let account = world.accepted("ana", &staff("ana", "ana@maple.example"));
    world.apply(&staff("ana", "Ana@maple.example").replace(
        "type: Staff",
        "type: Practitioner, classification: Locum, firstName: Anna, lastName: Silva, title: Dr., position: Family physician, roles: [Physician], permissions: [Labs], locale: fr",
    ));
    eventually_ok(PATIENCE, "the edit in the account", || {
        let desired = world.object("clinicaccount", &account)["spec"]["desired"].clone();
        let wanted = json!({"type": "Practitioner", "classification": "Locum", "firstName": "Anna", "title": "Dr.",
            "position": "Family physician", "roles": ["Physician"], "permissions": ["Labs"], "locale": "fr",
            "email": "Ana@maple.example"});
        let all = wanted.as_object().unwrap().iter().all(|(field, value)| desired[field] == *value);
        if all { Ok(()) } else { Err(desired) }
    });
    // Who accepted is not invited again by a resend.
    world.kubectl(&["annotate", "clinicuser", "ana", "clinic-operator.dev/resend=1"]);
    world.at_rest(std::time::Duration::from_secs(2));
    world.member_in("Active", "ana");
    assert_eq!(world.relay.mails().len(), 1);
}

#[test]
fn claims_and_accounts_that_lost_each_other_are_put_right() {
    let mut world = World::new("lost");
    world.apply(&(staff("ana", "ana@maple.example") + &staff("bea", "bea@maple.example")));
    world.member_in("Invited", "ana");
    world.member_in("Invited", "bea");
    let before = world.names("emailclaims");
    // A claim deleted by hand comes back, for the same account.
    world.kubectl_as_controller(&["delete", "emailclaims", "--all"]);
    eventually_ok(PATIENCE, "both claims to be back", || {
        let now = world.names("emailclaims");
        if now == before { Ok(()) } else { Err(now) }
    });
    // A claim whose account and manifest are gone (a crash between the two) is given up as soon as somebody wants the address.
    let claim = world.object("emailclaims", before[0].rsplit('/').next().unwrap());
    let ghost = "a-00000000-0000-4000-8000-000000000000";
    let user = world.kubectl(&["get", "clinicaccount", claim["spec"]["account"].as_str().unwrap(), "-o", "json"]);
    let record: Value = serde_json::from_str(&user).unwrap();
    let holder = record["spec"]["desired"]["holder"]["name"].as_str().unwrap().to_owned();
    world.kubectl(&["delete", "clinicuser", &holder]);
    world.access(claim["spec"]["account"].as_str().unwrap(), "Removed");
    let left_over = json!({"apiVersion": claim["apiVersion"], "kind": "EmailClaim",
        "metadata": {"name": claim["metadata"]["name"]}, "spec": {"account": ghost}});
    world.operator.kill();
    world.namespace.by_hand(|| {
        world.kubectl(&["delete", "clinicaccount", claim["spec"]["account"].as_str().unwrap()]);
        world.kubectl(&["delete", "emailclaim", claim["metadata"]["name"].as_str().unwrap()]);
        world.apply(&left_over.to_string());
    });
    world.operator.restart();
    world.apply(&staff("new", record["spec"]["desired"]["email"].as_str().unwrap()));
    world.member_in("Invited", "new");
    let made = world.object("clinicaccount", ghost);
    assert_eq!(made["spec"]["desired"]["email"], Value::Null, "the claim was given up by a record, not simply deleted");
    claims(&world, 2);
}
