//! docs/portal.md, "To replace it", by people who wait for what it says and by people who do not: a key that credentials are sealed by
//! is never lost, and the portal says that it keeps it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use jiff::SignedDuration;
use serde_json::json;

use super::platform::Policy;
use super::{House, PASSWORD, email, is_signed_in, sign_in};
use crate::support::portal::{Portal, PortalOptions, write_key};
use crate::support::wait::{PATIENCE, eventually_ok};

const BY_OTHER: &str = "clinic_operator_portal_credentials_sealed_by_other_key";
const WITHOUT_KEY: &str = "clinic_operator_portal_credentials_without_key";
const KEPT: &str = "credentials are sealed by a key that is gone from its folder";

/// Waits until each has read other keys so often.
#[track_caller]
fn changed(portals: &[&Portal], times: usize) {
    eventually_ok(PATIENCE, "the keys to be read", || {
        let seen: Vec<_> = portals.iter().map(|it| it.log().matches("the keys were changed").count()).collect();
        if seen.iter().all(|seen| *seen == times) { Ok(()) } else { Err(seen) }
    });
}

/// Waits until a metric of each has this value.
#[track_caller]
fn told(portals: &[&Portal], metric: &str, value: u64) {
    eventually_ok(PATIENCE, metric, || {
        let told: Vec<_> = portals.iter().map(|it| it.metric_told(metric)).collect();
        if told.iter().all(|told| *told == Some(value)) { Ok(()) } else { Err(told) }
    });
}

/// What each portal answers to each person's right password.
fn sign_ins(portals: &[&Portal], people: &[&str]) -> Vec<u16> {
    let tries = portals.iter().flat_map(|portal| people.iter().map(move |name| (portal, name)));
    tries.map(|(portal, name)| sign_in(&mut portal.visitor(), &email(name), PASSWORD).status).collect()
}

/// A folder of keys that is replaced as a whole, as the kubelet does: a link to another.
fn mounted(parent: &Path) -> PortalOptions {
    let keys = parent.join("keys");
    fs::create_dir(parent.join("0")).unwrap();
    write_key(&parent.join("0/current"));
    symlink(parent.join("0"), &keys).unwrap();
    PortalOptions { keys: Some(keys), ..PortalOptions::default() }
}

/// Puts these files in its place, in one step.
fn mount(keys: &Path, files: &[(&str, &[u8])]) {
    let parent = keys.parent().unwrap();
    let next = parent.join(fs::read_dir(parent).unwrap().count().to_string());
    fs::create_dir(&next).unwrap();
    for (name, key) in files {
        fs::write(next.join(name), key).unwrap();
    }
    let link = parent.join("next");
    symlink(next, &link).unwrap();
    fs::rename(link, keys).unwrap();
}

#[test]
fn whoever_waits_for_the_metric_locks_nobody_out() {
    let parent = tempfile::tempdir().unwrap();
    let house = House::with("key-slowly", mounted(parent.path()));
    let second = house.portal.start_another(PortalOptions::default());
    let both = [&house.portal, &second];
    for name in ["ana", "bea"] {
        house.accepted(name);
    }
    let keys = house.portal.keys();
    told(&both, BY_OTHER, 0);
    write_key(&keys.join("other"));
    changed(&both, 1);
    let [old, new] = ["current", "other"].map(|name| fs::read(keys.join(name)).unwrap());
    mount(keys, &[("current", &new), ("other", &old)]);
    changed(&both, 2);
    told(&both, BY_OTHER, 0);
    fs::remove_file(keys.join("other")).unwrap();
    changed(&both, 3);
    assert_eq!(sign_ins(&both, &["ana", "bea"]), [303; 4], "nobody is locked out");
    for portal in both {
        let log = portal.log();
        assert!(!log.contains(KEPT), "{log}");
        assert!(log.contains("every credential is sealed by the current key"), "{log}");
    }
}

#[test]
fn whoever_waits_for_nothing_locks_nobody_out() {
    let [second_part, parent] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let part = second_part.path().join("current");
    fs::write(&part, "none").unwrap();
    let options =
        PortalOptions { configuration: vec![("/keysSecondPart", json!(second_part.path()))], ..mounted(parent.path()) };
    let house = House::at_with("key-at-once", "2027-06-01T12:00:00Z", options.clone());
    let test_clock = Some(house.world.clock().path());
    let second = house.portal.start_another(PortalOptions { test_clock, ..options });
    let both = [&house.portal, &second];
    let visitor = house.accepted("ana");
    house.accepted("bea");
    let keys = house.portal.keys();
    let (current, other) = (keys.join("current"), keys.join("other"));
    write_key(&other);
    changed(&both, 1);
    let ways: [(&str, &dyn Fn()); 4] = [
        ("`other` goes as soon as the keys are swapped", &|| mount(keys, &[("current", &fs::read(&other).unwrap())])),
        ("`current` is replaced", &|| write_key(&current)),
        ("the second part begins", &|| write_key(&part)),
        ("the second part ends", &|| fs::write(&part, "none").unwrap()),
    ];
    for (index, (way, drop_key)) in ways.into_iter().enumerate() {
        drop_key();
        changed(&both, index + 2);
        assert_eq!(sign_ins(&both, &["ana", "bea"]), [303; 4], "{way}: nobody is locked out");
        told(&both, BY_OTHER, 0);
        told(&both, WITHOUT_KEY, 0);
        let kept = both.map(|portal| portal.log().matches(KEPT).count());
        assert!(kept.iter().sum::<usize>() > index, "{way}: it is said that the key is kept: {kept:?}");
        assert!(!is_signed_in(&visitor), "{way}: the key is kept for credentials, and makes no sessions");
    }
    // Ten minutes later.
    house.world.clock().advance(SignedDuration::from_mins(10));
    eventually_ok(PATIENCE, "what nobody needs to go", || {
        let gone = both.map(|portal| portal.log().contains("let go of what was kept of removed keys"));
        if gone == [true; 2] { Ok(()) } else { Err(gone) }
    });
    assert_eq!(sign_ins(&both, &["ana", "bea"]), [303; 4]);
}

#[test]
fn a_key_is_kept_while_nothing_can_be_sealed_anew_and_a_process_without_it_says_so() {
    let house = House::at("key-needed", "2027-06-01T12:00:00Z");
    house.accepted("bea");
    let keys = house.portal.keys();
    let (current, other) = (keys.join("current"), keys.join("other"));
    let policy = Policy::refuses(&house, "clinicaccounts", None);
    let old = fs::read(&current).unwrap();
    write_key(&current);
    changed(&[&house.portal], 1);
    told(&[&house.portal], WITHOUT_KEY, 1);
    told(&[&house.portal], BY_OTHER, 1);
    let log = house.portal.log();
    assert!(log.contains(KEPT) && log.contains("Put it back as `other`"), "{log}");
    assert_eq!(sign_ins(&[&house.portal], &["bea"]), [303]);
    // However often it looks.
    let complaint = "not every credential is sealed by the current key";
    let before = house.portal.log().matches(complaint).count();
    house.world.clock().advance(SignedDuration::from_mins(10));
    eventually_ok(PATIENCE, "another look", || {
        let seen = house.portal.log().matches(complaint).count();
        if seen > before { Ok(()) } else { Err(seen) }
    });
    assert_eq!(sign_ins(&[&house.portal], &["bea"]), [303]);
    // A process that starts now has never had it.
    let test_clock = Some(house.world.clock().path());
    let second = house.portal.start_another(PortalOptions { test_clock, ..PortalOptions::default() });
    let both = [&house.portal, &second];
    told(&both, WITHOUT_KEY, 1);
    assert_eq!(sign_ins(&both, &["bea"]), [303, 422]);
    // Put back, it serves both, and nothing is to be started anew.
    fs::write(&other, old).unwrap();
    told(&both, WITHOUT_KEY, 0);
    told(&both, BY_OTHER, 1);
    assert_eq!(sign_ins(&both, &["bea"]), [303; 2]);
    drop(policy);
    eventually_ok(PATIENCE, "the credential to be sealed anew", || {
        house.world.clock().advance(SignedDuration::from_secs(10));
        let left = both.map(|portal| portal.metric_told(BY_OTHER));
        if left == [Some(0); 2] { Ok(()) } else { Err(left) }
    });
    fs::remove_file(&other).unwrap();
    changed(&[&house.portal], 3);
    changed(&[&second], 2);
    assert_eq!(sign_ins(&both, &["bea"]), [303; 2]);
}
