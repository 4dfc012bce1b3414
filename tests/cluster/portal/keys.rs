//! The portal's keys and certificate: how they are replaced while it runs, and what it says when they do not do.

use std::fs;

use jiff::SignedDuration;
use serde_json::json;

use super::{House, PASSWORD, alone, email, filled, is_signed_in, sign_in};
use crate::support::control_plane::control_plane;
use crate::support::portal::{HOST, PortalOptions, Prepared, write_certificate, write_key};
use crate::support::wait::{PATIENCE, eventually_ok};

/// The portal reads its files every ten seconds.
const READ: std::time::Duration = PATIENCE;

#[test]
fn a_key_is_replaced_without_anybody_noticing() {
    let house = House::at("rotated", "2027-06-01T12:00:00Z");
    let (mut visitor, factor, codes) = house.accepted_with_factor("ana");
    house.accepted("bea");
    // To this clock whatever the API server makes is old: nothing is removed before the test says so.
    house.clinic(&json!({"paused": true}));
    let before = house.world.names("cliniccredentials");
    let (current, other) = (house.portal.keys().join("current"), house.portal.keys().join("other"));
    let changed = |times: usize| {
        eventually_ok(READ, "the keys to be read", || {
            let seen = house.portal.log().matches("the keys were changed").count();
            if seen == times { Ok(()) } else { Err(seen) }
        });
    };
    let mut once = house.portal.visitor();
    let step = sign_in(&mut once, &email("ana"), PASSWORD);
    assert_eq!(once.submit(&step.form().without("code").with("recovery_code", &codes[0])).status, 303);
    // The new key beside the old one, so that every replica can read what the others will write; then in its place.
    write_key(&other);
    changed(1);
    let (old, new) = (fs::read(&current).unwrap(), fs::read(&other).unwrap());
    fs::write(&other, old).unwrap();
    fs::write(&current, new).unwrap();
    changed(2);
    eventually_ok(PATIENCE, "the credentials to be sealed by the new key", || {
        let named = ["ana", "bea"].map(|name| house.world.account_of(name)["spec"]["acceptance"]["credential"].clone());
        if named.iter().any(|name| before.iter().any(|old| *name == **old)) { Err(named) } else { Ok(()) }
    });
    // A session that is used within half an hour is sealed anew with the current key.
    house.world.clock().advance(SignedDuration::from_mins(6));
    assert_eq!(visitor.get("/").status, 200, "what the other key sealed is still read");
    fs::remove_file(&other).unwrap();
    changed(3);
    // Nobody noticed: sessions, passwords, codes of the app and recovery codes are as they were.
    assert!(is_signed_in(&visitor));
    assert_eq!(sign_in(&mut house.portal.visitor(), &email("bea"), PASSWORD).status, 303);
    house.world.clock().advance(SignedDuration::from_secs(90));
    assert_eq!(house.portal.metric("clinic_operator_portal_credentials_sealed_by_other_key"), 0);
    let mut again = house.portal.visitor();
    let step = sign_in(&mut again, &email("ana"), PASSWORD);
    assert_eq!(again.submit(&step.form().with("code", &factor.code(house.now()))).status, 303);
    // A code that was used of the old object counts as used of the new one: before, and while the name changed at another
    // replica, whose write is only in the old object.
    let old = house.world.objects("cliniccredentials").into_iter();
    let old = old.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned());
    let of_ana = house.world.account_of("ana")["metadata"]["name"].clone();
    let of_ana = |name: &String| house.world.object("cliniccredential", name)["spec"]["account"] == of_ana;
    let old: Vec<_> = old.filter(|name| before.contains(name) && of_ana(name)).collect();
    let used = r#"{"spec": {"used": {"recoveryCodes": [0, 2]}}}"#;
    house.world.kubectl_as_portal(&["patch", "cliniccredential", &old[0], "--type=merge", "-p", used]);
    let recovers = |index: usize| {
        let mut again = house.portal.visitor();
        let step = sign_in(&mut again, &email("ana"), PASSWORD);
        again.submit(&step.form().without("code").with("recovery_code", &codes[index])).status
    };
    assert_eq!([0, 2, 1].map(recovers), [422, 422, 303]);
    // It still counts when the old object is gone, which is an hour later.
    house.clinic(&json!({"paused": false}));
    let made = house.world.object("cliniccredential", &old[0])["metadata"]["creationTimestamp"].clone();
    house.world.clock().set(made.as_str().unwrap());
    house.world.clock().advance(SignedDuration::from_hours(2));
    eventually_ok(PATIENCE, "the old object to go", || {
        house.world.clock().advance(SignedDuration::from_secs(10));
        let left = house.world.names("cliniccredentials");
        if left.contains(&old[0]) { Err(left) } else { Ok(()) }
    });
    assert_eq!([0, 2, 1, 3].map(recovers), [422, 422, 422, 303]);
}

#[test]
fn without_its_key_nobody_signs_in_and_the_log_says_why() {
    let mut house = House::new("key-lost");
    let visitor = house.accepted("ana");
    // Lost while it was down: a running one keeps in memory what it needs.
    house.portal.kill();
    write_key(&house.portal.keys().join("current"));
    house.portal.restart();
    assert!(!is_signed_in(&visitor));
    assert_eq!(sign_in(&mut house.portal.visitor(), &email("ana"), PASSWORD).status, 422, "as for a wrong password");
    let log = house.portal.log();
    assert!(log.contains("a credential cannot be used; its person cannot sign in"), "{log}");
    assert!(log.contains("is the folder of `keys` the one that it was sealed with?"), "{log}");
    // An invitation is accepted all the same.
    house.accepted("bea");
}

#[test]
fn what_it_cannot_start_with_is_named() {
    let namespace = control_plane().namespace("portal-start");
    let complaint = |change: &dyn Fn(&Prepared)| {
        let prepared = Prepared::new(&namespace, PortalOptions { tls: true, ..PortalOptions::default() });
        change(&prepared);
        prepared.run().refused()
    };
    let keys = |prepared: &Prepared| prepared.keys().join("current");
    let folder = |prepared: &Prepared| prepared.folder.path().to_owned();
    for (change, expected) in [
        (&(|p: &Prepared| fs::remove_file(keys(p)).unwrap()) as &dyn Fn(&Prepared), "keys: "),
        (&|p| fs::write(keys(p), "c2hvcnQ=\n").unwrap(), "keys: "),
        (&|p| fs::write(keys(p), "not base64!").unwrap(), "keys: "),
        (&|p| fs::remove_file(folder(p).join("certificate")).unwrap(), "tls: failed to read "),
        (&|p| fs::write(folder(p).join("certificate"), "nothing").unwrap(), "must hold a certificate in PEM form"),
        (&|p| fs::write(folder(p).join("key"), "canary").unwrap(), "must hold a private key in PEM form"),
        (
            &|p| {
                let key = fs::read(folder(p).join("key")).unwrap();
                write_certificate(&folder(p));
                fs::write(folder(p).join("key"), key).unwrap();
            },
            "tls: certificate and key do not do: ",
        ),
    ] {
        let said = complaint(change);
        assert!(said.contains(expected) && !said.contains("canary") && !said.contains("c2hvcnQ"), "{expected}: {said}");
    }
}

#[test]
fn a_certificate_is_replaced_while_it_runs() {
    let house = House::with("certificate", PortalOptions { tls: true, ..PortalOptions::default() });
    let shown = || {
        let output = std::process::Command::new("openssl")
            .args([
                "s_client",
                "-servername",
                HOST,
                "-showcerts",
                "-connect",
                &format!("127.0.0.1:{}", house.portal.pages),
            ])
            .stdin(std::process::Stdio::null())
            .output()
            .expect("openssl");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let begin = text.find("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("{text}"));
        text[begin..].split("-----END").next().unwrap().to_owned()
    };
    let is_the_file = || fs::read_to_string(house.portal.folder().join("certificate")).unwrap().contains(&shown());
    assert!(is_the_file());
    // A renewal that is half done stays without effect.
    fs::write(house.portal.folder().join("key"), "half").unwrap();
    eventually_ok(READ, "the complaint", || {
        let log = house.portal.log();
        if log.contains("certificate and key stay as they were") { Ok(()) } else { Err(log) }
    });
    assert!(is_the_file());
    write_certificate(house.portal.folder());
    assert!(!is_the_file());
    eventually_ok(READ, "the new certificate", || if is_the_file() { Ok(()) } else { Err("the old one") });
}

#[test]
fn a_form_that_one_replica_showed_is_taken_by_another() {
    let house = House::new("two");
    let other = house.portal.start_another(PortalOptions::default());
    let link = house.invited("ana");
    let mut visitor = house.portal.visitor();
    let form = filled(&visitor.get(&link), PASSWORD);
    let mut elsewhere = visitor.at(other.pages);
    let enrol = elsewhere.go_on(&form);
    assert_eq!(enrol.status, 200, "{:?}", enrol.faults());
    let factor = super::Factor::of(&enrol);
    let mut back = elsewhere.at(house.portal.pages);
    let codes = back.go_on(&enrol.form().with("code", &factor.code(house.now())));
    assert_eq!(codes.texts(".codes code").len(), 10, "{}", codes.heading());
    assert!(is_signed_in(&back.at(other.pages)));
    // Too late: somebody else's tab.
    let page = visitor.get(&link);
    assert_eq!(page.status, 410);
    assert_eq!(visitor.submit(&alone(form)).status, 410);
}
