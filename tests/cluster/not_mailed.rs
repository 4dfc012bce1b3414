//! Invariant I3: who is not mailed, as long as that is so. Never here: what changes between the write-ahead and the mail
//! (`write_ahead`).

use serde_json::json;

use crate::mail_trouble::{RECOVERY, no_mail_leaves, outcomes, recipients};
use crate::support::smtp::Stage;
use crate::world::{World, staff};

#[test]
fn a_member_suspended_from_the_start_is_mailed_once_access_is_wished_for() {
    let world = World::new("suspended");
    let ana = staff("ana", "ana@maple.example");
    world.apply(&ana.replace("type: Staff", "type: Staff, suspended: true"));
    world.member_in("Suspended", "ana");
    no_mail_leaves(&world, "a mail to a suspended member");
    assert_eq!(recipients(&world.relay), Vec::<String>::new());
    assert_eq!(outcomes(&world, "ana"), Vec::<String>::new());
    world.apply(&ana);
    world.member_in("Invited", "ana");
    no_mail_leaves(&world, "a second mail");
    assert_eq!(recipients(&world.relay), ["ana@maple.example"]);
}

#[test]
fn a_trainee_whose_two_weeks_are_over_is_not_mailed() {
    let world = World::new("ended");
    let sam = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: sam}
spec: {email: sam@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2024-06-30}
";
    world.apply(sam);
    let ended = world.member_in("TrainingEnded", "sam");
    assert_eq!(ended["status"]["accessEndsAt"], "2024-07-15T04:00:00Z");
    no_mail_leaves(&world, "a mail to a trainee whose access has ended");
    assert_eq!(recipients(&world.relay), Vec::<String>::new());
    world.apply(&sam.replace("2024", "2087"));
    world.member_in("Invited", "sam");
    assert_eq!(recipients(&world.relay), ["sam@maple.example"]);
}

#[test]
fn a_paused_clinic_neither_claims_nor_mails_until_it_goes_on() {
    let world = World::new("paused");
    let pause = |paused: bool| {
        let patch = json!({"spec": {"paused": paused}}).to_string();
        world.kubectl(&["patch", "clinic", "clinic", "--type=merge", "-p", &patch]);
    };
    pause(true);
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Paused", "ana");
    no_mail_leaves(&world, "a mail of a paused clinic");
    assert_eq!(recipients(&world.relay), Vec::<String>::new());
    assert!(world.names("emailclaims").is_empty() && world.names("clinicaccounts").is_empty());
    pause(false);
    world.member_in("Invited", "ana");
    assert_eq!(recipients(&world.relay), ["ana@maple.example"]);
}

#[test]
fn who_was_deleted_while_the_mail_waited_is_not_mailed() {
    let world = World::new("deleted");
    world.relay.at(Stage::Greeting).reply(421, "not now");
    world.apply(&(staff("ana", "ana@maple.example") + &staff("bea", "bea@maple.example")));
    world.member_told("ana", "does not take mail");
    world.kubectl(&["delete", "clinicuser", "ana"]);
    world.relay.take_everything();
    world.relay.wait_for(1, RECOVERY);
    world.member_in("Invited", "bea");
    no_mail_leaves(&world, "a mail to somebody who was deleted");
    assert_eq!(recipients(&world.relay), ["bea@maple.example"]);
}
