//! A portal that is stopped in the middle of something: what it left is found and put right, and nobody is locked out or let in
//! twice.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{House, PASSWORD, alone, filled, is_signed_in};
use crate::support::proxy::{Fault, Proxy, Which};
use crate::support::wait::{PATIENCE, eventually, eventually_ok, never};

const NOON: &str = "2027-06-01T12:00:00Z";

fn names_the_credential(fault_on: &'static [&'static str]) -> Which {
    Which { method: "PATCH", has: fault_on, has_not: None, only: None }
}

#[test]
fn killed_between_credential_and_acceptance_it_has_accepted_nobody_and_the_link_still_works() {
    let mut house = House::new("killed");
    let proxy = Proxy::start();
    house.portal.restart_at(&proxy.url);
    house.portal.wait_until_ready();
    let link = house.invited("ana");
    let mut visitor = house.portal.visitor();
    let form = alone(filled(&visitor.get(&link), PASSWORD));
    proxy.fault(names_the_credential(&["/clinicaccounts/"]), Fault::Hold);
    let waiting = {
        let (mut visitor, form) = (visitor.clone(), form.clone());
        std::thread::spawn(move || visitor.submit(&form).status)
    };
    eventually(PATIENCE, "the write that names the credential", || (proxy.happened() > 0).then_some(()));
    house.portal.kill();
    waiting.join().expect_err("nobody answered");
    assert_eq!(house.world.objects("cliniccredentials").len(), 1, "the credential was made first");
    assert_eq!(house.world.account_of("ana")["spec"]["acceptance"], Value::Null);
    proxy.mend();
    house.portal.restart();
    // The same form, as a browser sends it when the reader says "again".
    let answer = visitor.submit(&form);
    assert_eq!(answer.status, 303, "{}", answer.heading());
    assert!(is_signed_in(&visitor));
    let named = house.world.account_of("ana")["spec"]["acceptance"]["credential"].clone();
    assert_eq!(house.world.names("cliniccredentials"), [named.as_str().unwrap()], "one form makes one");
}

#[test]
fn an_answer_that_was_lost_on_the_way_is_no_second_acceptance() {
    let mut house = House::new("lost");
    let proxy = Proxy::start();
    house.portal.restart_at(&proxy.url);
    house.portal.wait_until_ready();
    for (round, fault) in [Fault::LoseAnswer, Fault::Replay].into_iter().enumerate() {
        let name = format!("ana-{round}");
        let link = house.invited(&name);
        let mut visitor = house.portal.visitor();
        let form = alone(filled(&visitor.get(&link), PASSWORD));
        proxy.fault(names_the_credential(&["/clinicaccounts/"]), fault);
        let answer = visitor.submit(&form);
        proxy.mend();
        // It is not known whether it was written; then the person is told to try again, and the page says how it stands.
        assert!([303, 503].contains(&answer.status), "{fault:?}: {}", answer.status);
        house.world.member_in("Active", &name);
        // The same form once more has the outcome that it had.
        let again = visitor.submit(&form);
        assert_eq!((again.status, again.location().as_deref()), (303, Some("/")), "{fault:?}");
        let page = eventually_ok(PATIENCE, "the page to know", || {
            let page = visitor.get(&link);
            if page.status == 410 { Ok(page) } else { Err(page.heading()) }
        });
        assert_eq!(page.heading(), "Your account is set up");
        let mut by_password = house.portal.visitor();
        assert_eq!(super::sign_in(&mut by_password, &super::email(&name), PASSWORD).status, 303, "{fault:?}");
    }
}

#[test]
fn what_no_account_names_is_swept_after_an_hour_and_nothing_else_is() {
    let mut house = House::at("swept", NOON);
    house.accepted("ana");
    let named = house.world.names("cliniccredentials");
    // Left behind by somebody who lost a race, under the names of accounts that are there and not.
    let account = house.world.account_of("ana")["metadata"]["name"].as_str().unwrap().to_owned();
    for (name, account) in [
        ("c-aaaaaaaaaaaaaaaaaaaaaaaaaa", account.as_str()),
        ("c-bbbbbbbbbbbbbbbbbbbbbbbbbb", "a-00000000-0000-4000-8000-000000000000"),
    ] {
        house.world.create_as(
            &house.world.namespace.portal(),
            "cliniccredentials",
            &json!({
                "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicCredential", "metadata": {"name": name},
                "spec": {"account": account, "sealed": "c2VhbGVk"},
            }),
        );
    }
    let all = house.world.names("cliniccredentials");
    assert_eq!(all.len(), 3);
    // Their age counts from the API server's clock, which is real; ours is set, which makes the portal look.
    let made = house.world.objects("cliniccredentials")[0]["metadata"]["creationTimestamp"].clone();
    house.world.clock().set(made.as_str().unwrap());
    house.world.clock().advance(SignedDuration::from_mins(50));
    never(Duration::from_secs(4), "a young one to go", || {
        (house.world.names("cliniccredentials") != all).then_some(())
    });
    // One look alone removes nothing: its clock may be wrong.
    house.world.clock().advance(SignedDuration::from_mins(20));
    never(Duration::from_secs(4), "one to go at the first look", || {
        (house.world.names("cliniccredentials") != all).then_some(())
    });
    // Nor anything while somebody may be restoring the clinic.
    house.clinic(&json!({"paused": true}));
    never(Duration::from_secs(4), "one to go while the clinic is paused", || {
        house.world.clock().advance(SignedDuration::from_secs(10));
        (house.world.names("cliniccredentials") != all).then_some(())
    });
    house.clinic(&json!({"paused": false}));
    let swept = |wanted: &[&str], after: SignedDuration| {
        house.world.clock().advance(after);
        eventually_ok(PATIENCE, "the sweep", || {
            house.world.clock().advance(SignedDuration::from_secs(10));
            let left = house.world.names("cliniccredentials");
            let mut expected: Vec<String> = wanted.iter().map(ToString::to_string).chain(named.clone()).collect();
            expected.sort();
            if left == expected { Ok(()) } else { Err(left) }
        });
    };
    // One whose account is gone waits for a month: somebody may restore it.
    swept(&["c-bbbbbbbbbbbbbbbbbbbbbbbbbb"], SignedDuration::from_mins(10));
    swept(&[], SignedDuration::from_hours(30 * 24));
    assert_eq!(house.portal.metric("clinic_operator_portal_removed_credentials_total"), 2);
    let log = house.portal.log();
    assert!(log.contains("removed a credential that no account names"), "{log}");
    let (status, _) = house.portal.terminate();
    assert!(status.success(), "it stops when it is asked to: {status}");
}
