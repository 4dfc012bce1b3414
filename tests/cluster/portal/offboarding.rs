//! Off-boarding: what a manifest takes away holds at the next request, whoever else is down, and what ended stays ended.

use serde_json::{Value, json};

use super::ends::is_out;
use super::{House, PASSWORD, alone, email, filled, is_signed_in, sign_in};
use crate::support::portal::PortalOptions;
use crate::support::visitor::Visitor;
use crate::support::wait::{PATIENCE, eventually_ok};

const SIGN_OUT: &str = "clinic-operator.dev/sign-out";

/// A trainee whose access ends long after the tests.
const SAM: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: sam}
spec: {email: sam@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2190-05-20}
";

pub(super) fn signs_in(house: &House, name: &str) -> u16 {
    sign_in(&mut house.portal.visitor(), &email(name), PASSWORD).status
}

/// Waits until this member signs in again; their new browser.
#[track_caller]
pub(super) fn comes_back(house: &House, name: &str) -> Visitor {
    eventually_ok(PATIENCE, &format!("{name} to sign in"), || {
        let mut visitor = house.portal.visitor();
        let answer = sign_in(&mut visitor, &email(name), PASSWORD);
        if answer.status == 303 { Ok(visitor) } else { Err(answer.status) }
    })
}

fn desired(house: &House, name: &str) -> Value {
    house.world.account_of(name)["spec"]["desired"].clone()
}

pub(super) fn epoch(house: &House, name: &str) -> Value {
    house.world.account_of(name)["spec"]["acceptance"]["sessionEpoch"].clone()
}

/// How often the portal has ended their sessions in the record for a sign-out.
fn sign_outs(house: &House, name: &str) -> Value {
    house.world.account_of(name)["spec"]["acceptance"]["signOuts"].clone()
}

/// Waits until it is so often.
#[track_caller]
fn is_signed_out_in_the_record(house: &House, name: &str, times: u32) {
    eventually_ok(PATIENCE * 2, &format!("the sign-out of {name} to be in the record"), || {
        let now = sign_outs(house, name);
        if now == times { Ok(()) } else { Err(now) }
    });
}

/// Sets the annotation of this grant, and waits until it counts for these browsers.
#[track_caller]
fn is_signed_out(house: &House, name: &str, grant: u32, visitors: &[&Visitor]) {
    let account = house.world.account_of(name)["metadata"]["name"].as_str().unwrap().to_owned();
    let value = format!("{SIGN_OUT}={account}.{grant}");
    house.world.kubectl(&["annotate", "--overwrite", "clinicuser", name, &value]);
    for visitor in visitors {
        is_out(visitor, "the session to end");
    }
}

/// Takes the annotation away.
fn is_signed_out_no_more(house: &House, name: &str) {
    house.world.kubectl(&["annotate", "clinicuser", name, &format!("{SIGN_OUT}-")]);
}

/// Suspends one and ends the other's training, of which no record is told.
#[track_caller]
fn their_manifests_alone_take_access_away(house: &House, ana: &Visitor, sam: &Visitor) {
    let before = [desired(house, "ana"), desired(house, "sam")];
    house.member("ana", &json!({"suspended": true}));
    is_out(ana, "the suspended one's session to end");
    assert_eq!(signs_in(house, "ana"), 422, "a suspended member signs in");
    house.member("sam", &json!({"expectedEndOfTraining": "2020-05-20"}));
    is_out(sam, "the session to end with the training");
    assert_eq!(signs_in(house, "sam"), 422, "a trainee signs in after the end");
    assert_eq!([desired(house, "ana"), desired(house, "sam")], before, "a controller has told the records");
}

#[test]
fn a_suspension_and_an_earlier_end_hold_although_no_controller_runs() {
    let mut house = House::new("no-controller");
    let (ana, sam, bea) = (house.accepted("ana"), house.accepted_by("sam", SAM), house.accepted("bea"));
    house.world.operator.kill();
    their_manifests_alone_take_access_away(&house, &ana, &sam);
    assert!(is_signed_in(&bea));
    // Removal is the controller's, whose guard decides it.
    house.world.kubectl(&["delete", "clinicuser", "bea"]);
    let other = house.portal.start_another(PortalOptions::default());
    assert!(is_signed_in(&bea) && is_signed_in(&bea.at(other.pages)), "a removal waits for the controller");
    assert!(!is_signed_in(&ana.at(other.pages)), "nor at a replica that starts meanwhile");
}

#[test]
fn a_suspension_and_an_earlier_end_hold_in_restore_mode() {
    let house = House::new("restoring");
    let (ana, sam) = (house.accepted("ana"), house.accepted_by("sam", SAM));
    let _open = house.world.namespace.open_door();
    their_manifests_alone_take_access_away(&house, &ana, &sam);
}

#[test]
fn a_cookie_that_was_copied_before_a_suspension_is_dead_after_it() {
    let house = House::new("copied");
    let copied = house.accepted("ana");
    let sam = house.accepted_by("sam", SAM);
    house.member("ana", &json!({"suspended": true}));
    house.member("sam", &json!({"expectedEndOfTraining": "2020-05-20"}));
    house.world.member_in("Suspended", "ana");
    house.world.member_in("TrainingEnded", "sam");
    house.member("ana", &json!({"suspended": false}));
    house.member("sam", &json!({"expectedEndOfTraining": "2190-05-20"}));
    for (name, copied) in [("ana", copied), ("sam", sam)] {
        house.world.member_in("Active", name);
        assert_eq!(desired(&house, name)["grant"], 1, "an end is an end: the grant of {name}");
        let back = comes_back(&house, name);
        assert!(!is_signed_in(&copied), "an end is an end: {name} is signed in by a copied cookie");
        assert!(is_signed_in(&back));
    }
}

#[test]
fn a_removed_member_who_comes_back_is_not_signed_in_by_an_old_cookie() {
    let house = House::new("returns");
    let manifest =
        super::staff("ana", &email("ana")).replace("type: Staff", "type: Staff, firstName: Ana, lastName: Silva");
    let copied = house.accepted_by("ana", &manifest);
    let account = house.world.account_of("ana")["metadata"]["name"].as_str().unwrap().to_owned();
    house.world.kubectl(&["delete", "clinicuser", "ana"]);
    house.world.access(&account, "Removed");
    house.world.apply(&manifest);
    house.world.access(&account, "Granted");
    assert!(is_signed_in(&comes_back(&house, "ana")));
    assert!(!is_signed_in(&copied), "an end is an end: signed in by a copied cookie");
}

#[test]
fn a_suspension_that_no_controller_saw_ends_every_session_for_good() {
    let mut house = House::new("unseen");
    let other = house.portal.start_another(PortalOptions::default());
    let copied = house.accepted("ana");
    let elsewhere = copied.at(other.pages);
    let bea = house.accepted("bea");
    let before = epoch(&house, "ana");
    house.world.operator.kill();
    house.member("ana", &json!({"suspended": true}));
    is_out(&copied, "the session to end");
    is_out(&elsewhere, "the session to end at the other replica");
    house.member("ana", &json!({"suspended": false}));
    comes_back(&house, "ana");
    assert!(!is_signed_in(&copied), "the copied cookie is good again");
    assert!(!is_signed_in(&elsewhere), "the copied cookie is good again elsewhere");
    // What both replicas remember is written once, so that it holds for those that start later.
    let after = eventually_ok(PATIENCE, "the sessions to be ended in the record", || {
        let now = epoch(&house, "ana");
        if now == before { Err(now) } else { Ok(now) }
    });
    assert_eq!(after.as_u64().unwrap(), before.as_u64().unwrap() + 1);
    house.portal.restart();
    assert!(!is_signed_in(&copied), "the copied cookie is good again after a restart");
    let back = comes_back(&house, "ana");
    // The controller, back again, changes nothing about that.
    house.world.operator.restart();
    house.world.member_in("Active", "ana");
    assert!(is_signed_in(&back) && is_signed_in(&bea) && !is_signed_in(&copied));
    assert_eq!(epoch(&house, "ana"), after, "once");
}

#[test]
fn in_restore_mode_sessions_are_ended_in_the_record_once_it_may_be_written() {
    let mut house = House::new("noted");
    let (copied, bea) = (house.accepted("ana"), house.accepted("bea"));
    let before = epoch(&house, "ana");
    house.world.operator.kill();
    let open = house.world.namespace.open_door();
    is_signed_out(&house, "bea", 0, &[&bea]);
    is_signed_out_no_more(&house, "bea");
    house.member("ana", &json!({"suspended": true}));
    // Everything that came before has been seen as well.
    is_out(&copied, "the session to end");
    assert!(!is_signed_in(&bea), "the copied cookie is good again");
    let back = comes_back(&house, "bea");
    house.member("ana", &json!({"suspended": false}));
    comes_back(&house, "ana");
    assert!(!is_signed_in(&copied));
    eventually_ok(PATIENCE, "writes that the policy refuses", || {
        let refused = house.portal.log().matches("its sessions are not ended in the record yet").count();
        if refused == 2 { Ok(()) } else { Err(refused) }
    });
    assert_eq!((epoch(&house, "ana"), sign_outs(&house, "bea")), (before.clone(), json!(0)));
    drop(open);
    eventually_ok(PATIENCE * 2, "the sessions to be ended in the record", || {
        let now = epoch(&house, "ana");
        if now == before { Err(now) } else { Ok(()) }
    });
    is_signed_out_in_the_record(&house, "bea", 1);
    assert!(is_signed_in(&back) && !is_signed_in(&bea));
}

#[test]
fn who_is_signed_out_by_an_administrator_signs_in_anew_and_the_annotation_acts_once() {
    let mut house = House::new("sign-out");
    let other = house.portal.start_another(PortalOptions::default());
    let (ana, bea) = (house.accepted("ana"), house.accepted("bea"));
    is_signed_out(&house, "ana", 0, &[&ana, &ana.at(other.pages)]);
    assert!(is_signed_in(&bea), "of nobody else");
    let grant_is = |house: &House, grant: u32| {
        eventually_ok(PATIENCE, "the sign-out to be answered", || {
            let now = desired(house, "ana")["grant"].clone();
            if now == grant { Ok(()) } else { Err(now) }
        });
    };
    let back = comes_back(&house, "ana");
    grant_is(&house, 1);
    assert!(is_signed_in(&back) && is_signed_in(&back.at(other.pages)), "what stands in the file acts once");
    assert!(!is_signed_in(&ana));
    // With nobody but the portal there.
    house.world.operator.kill();
    is_signed_out(&house, "ana", 1, &[&back, &back.at(other.pages)]);
    let again = comes_back(&house, "ana");
    assert!(is_signed_in(&again.at(other.pages)), "what was begun since goes on elsewhere");
    // Once: the portal has written nothing of what a controller answered.
    is_signed_out_in_the_record(&house, "ana", 1);
    assert!(is_signed_in(&again) && is_signed_in(&again.at(other.pages)), "what was begun since goes on");
    // A controller has nothing to answer, and answers what comes next.
    house.world.operator.restart();
    house.member("bea", &json!({"suspended": true}));
    house.world.member_in("Suspended", "bea");
    assert!(is_signed_in(&again) && !is_signed_in(&back));
    assert_eq!(desired(&house, "ana")["grant"], 1, "it was answered");
    is_signed_out(&house, "ana", 2, &[&again]);
    grant_is(&house, 2);
    assert_eq!(sign_outs(&house, "ana"), 1);
}

#[test]
fn a_sign_out_that_no_controller_saw_ends_every_session_for_good() {
    let mut house = House::new("unanswered");
    let other = house.portal.start_another(PortalOptions::default());
    let [ana, bea, cyd] = ["ana", "bea", "cyd"].map(|name| house.accepted(name));
    house.world.operator.kill();
    for (name, copied) in [("ana", &ana), ("bea", &bea)] {
        is_signed_out(&house, name, 0, &[copied, &copied.at(other.pages)]);
    }
    let back = ["ana", "bea"].map(|name| comes_back(&house, name));
    let record = house.world.account_of("bea")["metadata"]["name"].as_str().unwrap().to_owned();
    is_signed_out_no_more(&house, "ana");
    house.world.kubectl(&["delete", "clinicuser", "bea"]);
    house.member("cyd", &json!({"suspended": true}));
    // Everything that came before has been seen as well.
    is_out(&cyd, "the session to end");
    is_out(&cyd.at(other.pages), "the session to end elsewhere");
    let stands = |house: &House, when: &str| {
        for copied in [&ana, &bea, &ana.at(other.pages), &bea.at(other.pages)] {
            assert!(!is_signed_in(copied), "a copied cookie is good again {when}");
        }
        assert!(back.iter().all(|back| is_signed_in(back) && is_signed_in(&back.at(other.pages))), "{when}");
        desired(house, "ana")["grant"].clone()
    };
    stands(&house, "without the annotation");
    is_signed_out_in_the_record(&house, "ana", 1);
    eventually_ok(PATIENCE, "the sign-out to be in the record of whose file is gone", || {
        let now = house.world.object("clinicaccount", &record)["spec"]["acceptance"]["signOuts"].clone();
        if now == 1 { Ok(()) } else { Err(now) }
    });
    stands(&house, "by the record");
    house.portal.restart();
    assert_eq!(stands(&house, "after a restart"), 0);
}

/// The page of a link that the clinic took back, and the same form sent from before.
#[track_caller]
fn is_taken_back(house: &House, link: &str, form: &crate::support::visitor::Form, visitor: &mut Visitor) {
    let answer = eventually_ok(PATIENCE, "the link to be refused", || {
        let answer = house.portal.visitor().get(link);
        if answer.status == 410 { Ok(answer) } else { Err(answer.status) }
    });
    assert_eq!(answer.heading(), "Your invitation was withdrawn");
    let answer = visitor.submit(form);
    assert_eq!((answer.status, answer.heading().as_str()), (410, "Your invitation was withdrawn"));
}

fn finalizers(house: &House, name: &str, finalizers: &Value) {
    let patch = json!({"metadata": {"finalizers": finalizers}}).to_string();
    house.world.kubectl(&["patch", "clinicuser", name, "--type=merge", "-p", &patch]);
}

#[test]
fn nobody_accepts_whose_manifest_is_gone_or_going_although_no_controller_runs() {
    let mut house = House::new("withdrawn");
    let names = ["gone", "going", "suspended", "renewed", "another"];
    let links = names.map(|name| house.invited(name));
    house.world.operator.kill();
    let mut visitor = house.portal.visitor();
    let forms = links.clone().map(|link| alone(filled(&visitor.get(&link), PASSWORD)));
    house.clinic(&json!({"paused": true}));
    house.world.kubectl(&["delete", "clinicuser", "gone"]);
    is_taken_back(&house, &links[0], &forms[0], &mut visitor);
    finalizers(&house, "going", &json!(["maple.example/hold"]));
    house.world.kubectl(&["delete", "clinicuser", "going", "--wait=false"]);
    is_taken_back(&house, &links[1], &forms[1], &mut visitor);
    house.member("suspended", &json!({"suspended": true}));
    let answer = visitor.submit(&forms[2]);
    assert_eq!((answer.status, answer.heading().as_str()), (410, "Your access is suspended"));
    // A manifest that was made anew, as by a restore, is that of its name while it asks for the same address.
    house.world.kubectl(&["delete", "clinicuser", "renewed", "another"]);
    house.world.apply(&super::staff("renewed", "Renewed@maple.example"));
    house.world.apply(&super::staff("another", "somebody-else@maple.example"));
    assert_eq!(visitor.submit(&forms[3]).status, 303);
    is_taken_back(&house, &links[4], &forms[4], &mut visitor);
    let accepted =
        house.world.objects("clinicaccounts").into_iter().filter(|account| account["spec"]["acceptance"].is_object());
    assert_eq!(accepted.count(), 1);
    finalizers(&house, "going", &Value::Null);
}
