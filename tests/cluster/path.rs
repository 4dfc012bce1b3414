//! The whole way from a manifest to a mailed invitation and a member list, as people see it.

use serde_json::Value;

use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, World, condition, staff};

#[test]
fn a_manifest_becomes_a_claim_an_account_and_a_mailed_invitation() {
    let world = World::new("path");
    world.apply(
        "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: ana}
spec:
  email: Ana.Silva@maple.example
  type: Practitioner
  classification: Standard
  license: CHRPlus
  firstName: Ana
  lastName: Silva
  title: Dr.
",
    );
    let user = world.member_in("Invited", "ana");
    let uid = user["metadata"]["uid"].as_str().unwrap();

    let mails = world.relay.wait_for(1, PATIENCE);
    assert_eq!(mails[0].recipients, ["Ana.Silva@maple.example"], "mail goes to the address as typed");
    let links = mails[0].links();
    let account_name = format!("a-{uid}");
    assert!(links[0].starts_with(&format!("https://portal.maple.example/invitations#{account_name}.")), "{links:?}");
    assert!(mails[0].text().contains("Ana") && mails[0].text().contains("Maple Clinic"), "{}", mails[0].text());

    let account = world.object("clinicaccount", &account_name);
    let delivery = &account["spec"]["delivery"];
    assert_eq!(delivery["round"], 1);
    assert_eq!(delivery["attempts"][0]["outcome"], "Sent");
    assert_eq!(delivery["attempts"][0]["messageId"].as_str(), mails[0].header("Message-ID").as_deref());
    let token = links[0].rsplit('.').next().unwrap();
    assert!(!account.to_string().contains(token), "only the token's digest is stored");
    assert_eq!(account["spec"]["access"]["reason"], "NotAccepted");
    let claims = world.names("emailclaims");
    assert_eq!(claims.len(), 1);
    assert!(!claims[0].contains("ana"), "{claims:?}");

    assert_eq!(user["status"]["account"], account_name);
    assert_eq!(user["status"]["member"], Value::Null, "nobody is listed by name before the first login");
    assert_eq!(condition(&user, "Ready").unwrap()["status"], "True");
    assert_eq!(condition(&user, "Stalled"), None);
    assert_eq!(user["status"]["observedGeneration"], user["metadata"]["generation"]);
    for kind in ["clinicaccounts", "emailclaims"] {
        let objects: Value = serde_json::from_str(&world.kubectl(&["get", kind, "-o", "json"])).unwrap();
        let metadata = &objects["items"][0]["metadata"];
        for field in ["ownerReferences", "finalizers", "labels"] {
            assert_eq!(metadata[field], Value::Null, "garbage collection and pruning must not reach a {kind}");
        }
    }
}

#[test]
fn the_second_member_with_an_address_is_told_who_has_it_and_gets_no_mail() {
    let world = World::new("conflict");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    world.apply(&staff("ana-again", "ANA@maple.example"));
    let loser = world.member_in("EmailConflict", "ana-again");
    let stalled = condition(&loser, "Stalled").unwrap();
    assert_eq!(
        stalled["message"],
        "The email address belongs to ClinicUser \"ana\". Change the address of one of the two; this member then goes on by itself."
    );
    assert_eq!(world.names("clinicaccounts").len(), 1);
    // Freeing the address lets the waiting one through: the holder's address changes.
    world.apply(&staff("ana", "ana@river.example"));
    world.member_in("Invited", "ana-again");
    world.member_in("Invited", "ana");
    let mut to: Vec<String> = world.relay.wait_for(3, PATIENCE).into_iter().flat_map(|mail| mail.recipients).collect();
    to.sort();
    assert_eq!(to, ["ANA@maple.example", "ana@maple.example", "ana@river.example"]);
}

#[test]
fn two_pending_members_swap_their_addresses() {
    let world = World::new("swap");
    world.apply(&(staff("ana", "a@maple.example") + &staff("bea", "b@maple.example")));
    world.member_in("Invited", "ana");
    world.member_in("Invited", "bea");
    world.apply(&(staff("ana", "b@maple.example") + &staff("bea", "a@maple.example")));
    let mails = world.relay.wait_for(4, PATIENCE);
    world.member_in("Invited", "ana");
    world.member_in("Invited", "bea");
    let mut to: Vec<&str> = mails[2..].iter().map(|mail| mail.recipients[0].as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["a@maple.example", "b@maple.example"]);
    assert_eq!(world.names("emailclaims").len(), 2);
}

#[test]
fn a_service_account_is_active_at_once_without_mail_claim_or_record() {
    let world = World::without_clinic("service");
    world.apply(
        "
apiVersion: clinic-operator.dev/v1alpha1
kind: ServiceAccount
metadata: {name: lab-inbox}
spec:
  email: ana@maple.example
  displayName: Lab inbox
  manager: {firstName: Ana, lastName: Silva}
",
    );
    let account = world.in_state("clinicserviceaccount", "Active", "lab-inbox");
    assert_eq!(account["status"]["member"]["name"], "Lab inbox");
    assert!(world.names("emailclaims").is_empty() && world.names("clinicaccounts").is_empty());
    assert!(world.relay.mails().is_empty());
    let list = world.kubectl(&["get", "members"]);
    assert!(list.contains("Lab inbox") && list.contains("Service account") && list.contains("Active"), "{list}");
}

#[test]
fn a_trainees_last_day_is_shown_in_the_clinics_zone() {
    let world = World::new("trainee");
    world.apply(
        "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: sam}
spec:
  email: sam@university.example
  type: Practitioner
  classification: ClinicalTrainee
  expectedEndOfTraining: 2087-06-30
",
    );
    let sam = world.member_in("Invited", "sam");
    assert_eq!(sam["status"]["accessUntil"], "2087-07-14");
    assert_eq!(sam["status"]["accessEndsAt"], "2087-07-15T04:00:00Z", "00:00 of day end + 15 in Toronto");
    let account = world.object("clinicaccount", sam["status"]["account"].as_str().unwrap());
    assert_eq!(account["spec"]["desired"]["accessUntil"], "2087-07-15T04:00:00Z");
}

#[test]
fn without_a_clinic_or_its_zone_nobody_is_mailed_until_it_is_there() {
    let world = World::without_clinic("missing");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("ClinicMissing", "ana");
    world.apply(&CLINIC.replace("Toronto", "Torontoo"));
    let ana = eventually_ok(PATIENCE, "the message to name the zone", || {
        let ana = world.object("clinicuser", "ana");
        let message = condition(&ana, "Ready").unwrap()["message"].as_str().unwrap().to_owned();
        if message.contains("Torontoo") { Ok(ana) } else { Err(message) }
    });
    assert_eq!(ana["status"]["state"], "ClinicMissing");
    assert!(world.names("emailclaims").is_empty(), "nothing is claimed");
    assert!(world.relay.mails().is_empty());
    world.apply(CLINIC);
    world.member_in("Invited", "ana");
}

#[test]
fn a_resend_begins_a_new_round_and_a_value_present_at_creation_does_not() {
    let world = World::new("resend");
    world.apply(
        &staff("ana", "ana@maple.example")
            .replace("{name: ana}", "{name: ana, annotations: {clinic-operator.dev/resend: '1'}}"),
    );
    world.member_in("Invited", "ana");
    world.kubectl(&["annotate", "clinicuser", "ana", "--overwrite", "clinic-operator.dev/resend=2"]);
    let mails = world.relay.wait_for(2, PATIENCE);
    let ana = eventually_ok(PATIENCE, "round 2 to be sent", || {
        let ana = world.object("clinicuser", "ana");
        let invitation = &ana["status"]["invitation"];
        if invitation["round"] == 2 && invitation["sentAt"].is_string() { Ok(ana) } else { Err(invitation.clone()) }
    });
    assert_eq!(ana["status"]["state"], "Invited");
    assert_ne!(mails[0].links(), mails[1].links());
    assert_ne!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
    assert_eq!(world.relay.mails().len(), 2);
}

#[test]
fn french_members_are_invited_in_french() {
    let world = World::new("french");
    world.apply(&staff("zoe", "zoe@riviere.example").replace("type: Staff", "type: Staff, locale: fr"));
    let mails = world.relay.wait_for(1, PATIENCE);
    assert!(mails[0].text().contains("Bonjour"), "{}", mails[0].text());
    assert_eq!(mails[0].header("Content-Language").as_deref(), Some("fr"));
}

#[test]
fn the_address_of_a_pending_member_who_was_deleted_is_free_for_the_next_and_the_record_stays() {
    let world = World::new("again");
    world.apply(&staff("ana", "ana@maple.example"));
    let first = world.member_in("Invited", "ana");
    world.apply(&staff("bea", "ana@maple.example"));
    world.member_in("EmailConflict", "bea");
    world.kubectl(&["delete", "clinicuser", "ana"]);
    let bea = world.member_in("Invited", "bea");
    assert_ne!(bea["status"]["account"], first["status"]["account"]);
    let record = world.object("clinicaccount", first["status"]["account"].as_str().unwrap());
    assert_eq!(record["spec"]["desired"]["email"], Value::Null, "the old link is dead");
    assert_eq!((world.names("clinicaccounts").len(), world.names("emailclaims").len()), (2, 1));
    // The same manifest again, at once: a new account, and an invitation of its own.
    world.kubectl(&["delete", "clinicuser", "bea"]);
    world.apply(&staff("bea", "ana@maple.example"));
    let again = world.member_in("Invited", "bea");
    assert_ne!(again["metadata"]["uid"], bea["metadata"]["uid"]);
    assert_eq!(world.relay.wait_for(3, PATIENCE).len(), 3);
    assert_eq!((world.names("clinicaccounts").len(), world.names("emailclaims").len()), (3, 1));
}
