//! Access that ends while somebody is signed in: at that instant, whoever else is down.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Factor, House, PASSWORD, is_signed_in, sign_in};
use crate::support::portal::PortalOptions;
use crate::support::proxy::{Fault, Proxy, Which};
use crate::support::visitor::Visitor;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::CLINIC;

const TRAINEE: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: sam}
spec: {email: sam@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2027-05-20}
";

#[track_caller]
pub(super) fn is_out(visitor: &Visitor, why: &str) {
    eventually_ok(PATIENCE, why, || if is_signed_in(visitor) { Err("still signed in") } else { Ok(()) });
    let mut visitor = visitor.clone();
    let answer = visitor.get("/");
    let said = (answer.location(), visitor.cookie("ended"));
    assert_eq!(said, (Some("/sign-in".to_owned()), Some("itself")), "the next page says so");
    visitor.follow(&answer);
    assert_eq!(visitor.cookie("session"), None, "the cookie is taken back");
}

#[test]
fn a_trainees_access_ends_at_its_instant_although_the_operator_is_down() {
    let mut house = House::at("trainee", "2027-06-04T03:40:00Z");
    let visitor = house.accepted_by("sam", TRAINEE);
    let other = house.accepted("ana");
    house.world.operator.kill();
    house.world.clock().set("2027-06-04T03:59:30Z");
    assert!(is_signed_in(&visitor), "until the last second");
    assert!(visitor.clone().get("/").body.contains("June 3, 2027"), "the page says until when");
    house.world.clock().set("2027-06-04T04:00:00Z");
    assert!(!is_signed_in(&visitor), "at the instant, without a moment in between");
    is_out(&visitor, "the session to end");
    assert!(is_signed_in(&other));
    let mut again = house.portal.visitor();
    assert_eq!(sign_in(&mut again, "sam@maple.example", PASSWORD).status, 422);
    assert_eq!(house.world.object("clinicuser", "sam")["status"]["state"], "Active", "nobody has told the member yet");
}

#[test]
fn who_is_suspended_or_removed_is_out_and_who_comes_back_signs_in_anew() {
    let house = House::new("out");
    let (ana, bea) = (house.accepted("ana"), house.accepted("bea"));
    house.member("ana", &json!({"suspended": true}));
    is_out(&ana, "the suspended one's session to end");
    assert_eq!(sign_in(&mut house.portal.visitor(), "ana@maple.example", PASSWORD).status, 422);
    house.world.kubectl(&["delete", "clinicuser", "bea"]);
    is_out(&bea, "the removed one's session to end");
    assert_eq!(sign_in(&mut house.portal.visitor(), "bea@maple.example", PASSWORD).status, 422);
    house.member("ana", &json!({"suspended": false}));
    house.world.member_in("Active", "ana");
    eventually_ok(PATIENCE, "the one who is back to sign in", || {
        let answer = sign_in(&mut house.portal.visitor(), "ana@maple.example", PASSWORD);
        if answer.status == 303 { Ok(()) } else { Err(answer.status) }
    });
}

/// With the API server gone, nobody can know who still has access.
#[test]
fn without_contact_nobody_signs_in_and_after_a_while_nobody_stays() {
    let options =
        PortalOptions { configuration: vec![("/sessionOutageSeconds", json!(60))], ..PortalOptions::default() };
    let mut house = House::with("contact", options);
    let proxy = Proxy::start();
    house.portal.restart_at(&proxy.url);
    house.portal.wait_until_ready();
    let ana = house.accepted("ana");
    let everything = |method| Which { method, has: &[], has_not: None, only: None };
    proxy.fault(everything("GET"), Fault::Hold);
    let limit = Duration::from_secs(180);
    eventually_ok(limit, "sessions to be refused", || {
        let answer = ana.clone().get("/");
        if answer.status == 503 { Ok(()) } else { Err(answer.status) }
    });
    let mut visitor = house.portal.visitor();
    let page = visitor.get("/sign-in");
    assert_eq!((page.status, page.heading().as_str()), (503, "Nobody can sign in for now"));
    assert_eq!(house.portal.readiness(), Some(503), "no ingress sends anybody here");
    for path in ["/", "/sign-in"] {
        let page = ana.clone().get(path);
        assert_eq!((page.status, page.heading().as_str()), (503, "Your page cannot be shown for now"), "{path}");
        assert!(page.body.contains("You were not signed out"), "{path}");
    }
    let silence = house.portal.metric("clinic_operator_portal_api_silence_seconds");
    assert!(silence >= 60, "{silence}");
    proxy.mend();
    eventually_ok(limit, "the session to be good again", || {
        let answer = ana.clone().get("/");
        if answer.status == 200 { Ok(()) } else { Err(answer.status) }
    });
    assert_eq!(sign_in(&mut house.portal.visitor(), "ana@maple.example", PASSWORD).status, 303);
}

/// docs/portal.md, "When the API server cannot be reached".
#[test]
fn a_replica_that_is_cut_off_alone_is_sent_nobody_and_where_all_are_people_still_read_why() {
    let mut house = House::new("cut-off");
    let peers = vec![("/peers", json!(format!("127.0.0.1:{}", house.portal.port())))];
    let mut second = house.portal.start_another(PortalOptions { configuration: peers, ..PortalOptions::default() });
    let [first_proxy, second_proxy] = [Proxy::start(), Proxy::start()];
    house.portal.restart_at(&first_proxy.url);
    second.restart_at(&second_proxy.url);
    house.portal.wait_until_ready();
    second.wait_until_ready();
    house.accepted("ana");
    let everything = Which { method: "GET", has: &[], has_not: None, only: None };
    let limit = Duration::from_secs(180);
    second_proxy.fault(everything, Fault::Hold);
    eventually_ok(limit, "the replica that is cut off to be sent nobody", || {
        let ready = [house.portal.readiness(), second.readiness()];
        if ready == [Some(200), Some(503)] { Ok(()) } else { Err(ready) }
    });
    assert_eq!(sign_in(&mut house.portal.visitor(), "ana@maple.example", PASSWORD).status, 303);
    first_proxy.fault(everything, Fault::Hold);
    eventually_ok(limit, "all to be sent people again", || {
        let ready = [house.portal.readiness(), second.readiness()];
        if ready == [Some(200); 2] { Ok(()) } else { Err(ready) }
    });
    for portal in [&house.portal, &second] {
        let page = portal.visitor().get("/sign-in");
        assert_eq!((page.status, page.heading().as_str()), (503, "Nobody can sign in for now"));
    }
    second_proxy.mend();
    eventually_ok(limit, "people to sign in where there is contact again", || {
        let page = second.visitor().get("/sign-in");
        if page.status == 200 { Ok(()) } else { Err(page.status) }
    });
    assert_eq!(second.readiness(), Some(200));
    assert_eq!(sign_in(&mut second.visitor(), "ana@maple.example", PASSWORD).status, 303);
}

#[test]
fn whoever_is_signed_in_stays_so_in_an_outage_and_is_not_told_that_nobody_can_sign_in() {
    let mut house = House::new("outage");
    let proxy = Proxy::start();
    house.portal.restart_at(&proxy.url);
    house.portal.wait_until_ready();
    let ana = house.accepted("ana");
    proxy.fault(Which { method: "GET", has: &[], has_not: None, only: None }, Fault::Hold);
    eventually_ok(Duration::from_secs(180), "strangers to be refused", || {
        let page = house.portal.visitor().get("/sign-in");
        if page.status == 503 { Ok(()) } else { Err(page.heading()) }
    });
    assert_eq!(ana.clone().get("/sign-in").location().as_deref(), Some("/"));
    assert!(is_signed_in(&ana));
    proxy.mend();
}

/// Nobody knows any more whether the clinic requires a second factor.
#[test]
fn without_a_clinic_that_can_be_read_only_who_has_a_second_factor_signs_in_and_nobody_accepts() {
    let house = House::at("no-clinic", "2027-06-01T12:00:00Z");
    let ana = house.accepted("ana");
    let (_, factor, _) = house.accepted_with_factor("zoe");
    let link = house.invited("bea");
    house.clinic(&json!({"twoFactor": "Required"}));
    let mut waiting = house.portal.visitor();
    let step = eventually_ok(PATIENCE, "the portal to ask for a second factor", || {
        let step = sign_in(&mut waiting, "ana@maple.example", PASSWORD);
        if step.status == 200 { Ok(step) } else { Err(step.status) }
    });
    let begun = Factor::of(&step);
    house.world.kubectl(&["delete", "clinic", "clinic"]);
    eventually_ok(PATIENCE, "the link to be refused", || {
        let answer = house.portal.visitor().get(&link);
        if answer.status == 503 { Ok(()) } else { Err(answer.status) }
    });
    assert!(is_signed_in(&ana), "who is signed in stays so");
    let answer = sign_in(&mut house.portal.visitor(), "ana@maple.example", PASSWORD);
    assert_eq!((answer.status, answer.heading().as_str()), (503, "Nobody can sign in for now"), "a password alone");
    let answer = waiting.submit(&step.form().with("code", &begun.code(house.now())));
    assert_eq!(answer.status, 503, "nor is a second factor set up then");
    house.world.clock().advance(SignedDuration::from_secs(60));
    let mut zoe = house.portal.visitor();
    let step = sign_in(&mut zoe, "zoe@maple.example", PASSWORD);
    assert_eq!(zoe.submit(&step.form().with("code", &factor.code(house.now()))).status, 303);
    assert_eq!(house.world.account_of("bea")["spec"]["acceptance"], Value::Null);
    house.world.apply(CLINIC);
    eventually_ok(PATIENCE, "a password to do again", || {
        let answer = sign_in(&mut house.portal.visitor(), "ana@maple.example", PASSWORD);
        if answer.status == 303 { Ok(()) } else { Err(answer.status) }
    });
}
