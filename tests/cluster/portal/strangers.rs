//! What a stranger learns about who is a member: nothing. Known or not, the answer is the same, and so is the work.

use jiff::SignedDuration;
use serde_json::json;

use super::{House, PASSWORD, WRONG, email, sign_in};
use crate::support::control_plane::control_plane;
use crate::support::visitor::{Answer, Comparable};
use crate::support::wait::{PATIENCE, eventually_ok};

const TRAINEE: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: over}
spec: {email: over@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2027-05-20}
";

/// An answer without what the stranger typed.
fn seen(answer: &Answer, typed: &str) -> Comparable {
    let (status, headers, body) = answer.without_random();
    // It is as long as what was typed.
    let headers = headers.into_iter().filter(|(name, _)| name != "content-length");
    (status, headers.collect(), body.replace(typed, "…"))
}

#[test]
fn every_refusal_of_a_sign_in_is_one_answer_and_one_hash() {
    let house = House::at("strangers", "2027-06-04T03:40:00Z");
    house.accepted("ana");
    house.accepted_with_factor("bea");
    house.accepted("suspended");
    house.accepted("removed");
    house.accepted_by("over", TRAINEE);
    house.invited("invited");
    house.member("suspended", &json!({"suspended": true}));
    house.world.kubectl(&["delete", "clinicuser", "removed"]);
    house.world.clock().set("2027-06-04T04:00:00Z");
    for (name, state) in [("suspended", "Suspended"), ("over", "TrainingEnded")] {
        house.world.member_in(state, name);
    }
    let hashes = || house.portal.metric("clinic_operator_portal_password_hashes_total");
    let reads = || {
        let all = control_plane().audit(&house.world.namespace);
        // Not the lists of those that care for credentials when the clock is set.
        let mine = all.into_iter().filter(|read| read.user.contains("clinic-operator-portal") && read.verb == "get");
        let mut mine: Vec<_> = mine.map(|read| read.resource).collect();
        // The questions whether the API server is there and restore mode is on, now and then.
        mine.retain(|resource| !["clinics", "namespaces"].contains(&resource.as_str()));
        mine
    };
    let before_all = reads().len();
    let mut first: Option<Comparable> = None;
    let tries = [
        (email("ana"), WRONG),
        (email("bea"), WRONG),
        (email("nobody"), WRONG),
        (email("invited"), PASSWORD),
        (email("suspended"), PASSWORD),
        (email("removed"), PASSWORD),
        (email("over"), PASSWORD),
        ("not an address".to_owned(), WRONG),
        (String::new(), WRONG),
        (email("ana"), ""),
        (email("nobody"), ""),
        ("ana@maple.example".to_owned(), "\u{0}"),
    ];
    for (who, password) in &tries {
        let before = hashes();
        let mut stranger = house.portal.visitor();
        let answer = sign_in(&mut stranger, who, password);
        assert_eq!(hashes() - before, 1, "{who}: as many hashes as for anybody");
        assert_eq!(answer.status, 422, "{who}");
        assert_eq!(stranger.cookie("session"), None);
        let typed = format!("value=\"{who}\"");
        let answer = seen(&answer, &typed);
        let expected = first.get_or_insert_with(|| answer.clone());
        assert_eq!(answer, *expected, "{who}");
    }
    let asked = eventually_ok(PATIENCE, "the log of the API server", || {
        let asked = reads().split_off(before_all);
        if asked.len() < tries.len() { Err(asked) } else { Ok(asked) }
    });
    assert_eq!(asked, vec!["cliniccredentials"; tries.len()], "one read each, as for anybody");
    // The right ones do get in, so the above is no closed door.
    assert_eq!(sign_in(&mut house.portal.visitor(), &email("ana"), PASSWORD).status, 303);
    assert_eq!(sign_in(&mut house.portal.visitor(), &email("bea"), PASSWORD).form().action, "/sign-in/code");
}

#[test]
fn who_is_slowed_down_learns_nothing_either() {
    let house = House::at("slowed", "2027-06-04T03:40:00Z");
    house.accepted("ana");
    // How many wrong tries it takes until somebody must wait for a minute, the longest wait that there is.
    let refused = [email("ana"), email("nobody")].map(|who| {
        let mut stranger = house.portal.visitor();
        let mut refused = 0;
        loop {
            let answer = sign_in(&mut stranger, &who, WRONG);
            let wait: i64 = answer.header("retry-after").map_or(0, |wait| wait.parse().unwrap());
            match (answer.status, wait) {
                (422, 0) => refused += 1,
                (429, 51..=60) => break (refused, answer.heading()),
                (429, wait) => house.world.clock().advance(SignedDuration::from_secs(wait)),
                other => panic!("{other:?}"),
            }
        }
    });
    // Five are free, and the wait doubles with each of seven more.
    assert_eq!(refused, [(12, "Too many attempts".to_owned()), (12, "Too many attempts".to_owned())]);
}
