//! What no controller saw end: a suspension, an end or a deleted file that a replica of the portal met stays what it was, whatever
//! the manifest says a moment later.

use jiff::SignedDuration;
use serde_json::json;

use super::ends::is_out;
use super::offboarding::{comes_back, epoch, signs_in};
use super::{Factor, House, PASSWORD, email, is_signed_in, sign_in};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::staff;

const NOON: &str = "2027-06-01T12:00:00Z";
const MOMENT: SignedDuration = SignedDuration::from_secs(2);
const STEP: SignedDuration = SignedDuration::from_secs(30);

fn trainee(end: &str) -> String {
    format!(
        "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {{name: sam}}
spec: {{email: sam@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: {end}}}
"
    )
}

/// Waits until the portal has raised their epoch so often.
#[track_caller]
fn is_in_epoch(house: &House, name: &str, expected: u64) {
    eventually_ok(PATIENCE * 2, &format!("the sessions of {name} to be ended in the record"), || {
        let now = epoch(house, name);
        if now == expected { Ok(()) } else { Err(now) }
    });
}

#[test]
fn an_end_that_only_a_request_saw_ends_a_copied_cookie_for_good() {
    let mut house = House::at("request", "2027-06-04T03:40:00Z");
    let copied = house.accepted_by("sam", &trainee("2027-05-25"));
    let before = epoch(&house, "sam").as_u64().unwrap();
    house.world.operator.kill();
    house.member("sam", &json!({"expectedEndOfTraining": "2027-05-20"}));
    // The page says until when: the portal knows of the earlier end.
    eventually_ok(PATIENCE, "the portal to know", || {
        let page = copied.clone().get("/").body;
        if page.contains("June 3, 2027") { Ok(()) } else { Err("another end") }
    });
    house.world.clock().set("2027-06-04T04:00:00Z");
    assert!(!is_signed_in(&copied), "at the instant");
    house.member("sam", &json!({"expectedEndOfTraining": "2027-05-25"}));
    house.world.clock().advance(MOMENT);
    let back = comes_back(&house, "sam");
    assert!(!is_signed_in(&copied), "an end is an end: the copied cookie is good again");
    assert!(is_signed_in(&back));
    is_in_epoch(&house, "sam", before + 1);
    assert!(!is_signed_in(&copied));
}

#[test]
fn a_second_suspension_soon_after_the_first_was_written_down_is_written_down_too() {
    let mut house = House::new("twice");
    let mut copied = house.accepted("ana");
    let before = epoch(&house, "ana").as_u64().unwrap();
    house.world.operator.kill();
    for time in 1..=2 {
        house.member("ana", &json!({"suspended": true}));
        is_out(&copied, "the session to end");
        house.member("ana", &json!({"suspended": false}));
        comes_back(&house, "ana");
        assert!(!is_signed_in(&copied), "the copied cookie is good again: {time}");
        is_in_epoch(&house, "ana", before + time);
        copied = comes_back(&house, "ana");
    }
}

#[test]
fn a_form_that_was_begun_before_a_suspension_lets_nobody_in_after_it() {
    let mut house = House::at("forms", NOON);
    let (_, factor, _) = house.accepted_with_factor("ana");
    let bea = house.accepted("bea");
    house.clinic(&json!({"twoFactor": "Required"}));
    let mut waiting = [house.portal.visitor(), house.portal.visitor()];
    let code = sign_in(&mut waiting[0], &email("ana"), PASSWORD);
    let enrol = eventually_ok(PATIENCE, "the portal to require a second factor", || {
        let step = sign_in(&mut waiting[1], &email("bea"), PASSWORD);
        if step.status == 200 { Ok(step) } else { Err(step.status) }
    });
    let begun = Factor::of(&enrol);
    house.world.operator.kill();
    for name in ["ana", "bea"] {
        house.member(name, &json!({"suspended": true}));
    }
    is_out(&bea, "the last one's session to end");
    for name in ["ana", "bea"] {
        house.member(name, &json!({"suspended": false}));
    }
    house.world.clock().advance(STEP);
    let anew = |name: &str| {
        eventually_ok(PATIENCE, "the password to do again", || {
            let mut visitor = house.portal.visitor();
            let step = sign_in(&mut visitor, &email(name), PASSWORD);
            if step.status == 200 { Ok((visitor, step)) } else { Err(step.status) }
        })
    };
    let [(mut ana, after), _] = ["ana", "bea"].map(anew);
    let sent =
        [code.form().with("code", &factor.code(house.now())), enrol.form().with("code", &begun.code(house.now()))];
    for (visitor, form) in waiting.iter_mut().zip(&sent) {
        let answer = visitor.submit(form);
        assert_eq!(answer.status, 422, "{} lets in", form.action);
        assert!(!is_signed_in(visitor));
    }
    assert_eq!(ana.submit(&after.form().with("code", &factor.code(house.now()))).status, 303, "a form of afterwards");
}

#[test]
fn a_suspension_outlasts_its_file_until_a_controller_has_told_the_record() {
    let mut house = House::new("outlasts");
    for name in ["deleted", "taken", "zoe"] {
        house.accepted(name);
    }
    let last = comes_back(&house, "zoe");
    house.world.operator.kill();
    for name in ["deleted", "taken"] {
        house.member(name, &json!({"suspended": true}));
    }
    house.world.kubectl(&["delete", "clinicuser", "deleted", "taken"]);
    house.world.apply(&staff("taken", "somebody-else@maple.example"));
    house.member("zoe", &json!({"suspended": true}));
    is_out(&last, "everything that came before to be seen");
    for name in ["deleted", "taken"] {
        assert_eq!(signs_in(&house, name), 422, "who was suspended signs in after the file is gone: {name}");
    }
    // A file of the person gives access back, once a controller has written it down.
    house.world.apply(&staff("deleted", &email("deleted")));
    house.world.operator.restart();
    house.world.member_in("Active", "deleted");
    assert!(is_signed_in(&comes_back(&house, "deleted")));
}
