//! What the portal knows after what its watches and its own answers have told.

use super::*;
use crate::domain::email::Email;
use serde_json::json;

fn account(name: &str, version: u32, email: &str) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicAccount",
        "metadata": {"name": name, "resourceVersion": version.to_string()},
        "spec": {"id": name, "desired": {"holder": {"name": "x", "uid": "u"}, "email": email, "type": "Staff"}},
    }))
    .unwrap()
}

fn typed(object: &DynamicObject) -> ClinicAccount {
    serde_json::from_value(serde_json::to_value(object).unwrap()).unwrap()
}

fn names(records: &Records, email: &str) -> Vec<String> {
    let accounts = records.accounts_with(Email::parse(email).unwrap().key().claim());
    accounts.into_iter().map(|account| account.spec.id).collect()
}

#[test]
fn an_account_is_found_by_its_address_as_it_is_now() {
    let records = Records::default();
    let tell = |event| records.take_in(Watched::Accounts, event);
    tell(Event::Init);
    tell(Event::InitApply(account("a-1", 5, "ana@maple.example")));
    assert!(!*records.complete().borrow());
    tell(Event::InitDone);
    records.take_in(Watched::Clinic, Event::InitDone);
    assert!(!*records.complete().borrow());
    records.take_in(Watched::Manifests, Event::InitDone);
    assert!(*records.complete().borrow());
    assert_eq!(names(&records, "ANA@maple.example"), ["a-1"]);
    tell(Event::Apply(account("a-1", 6, "new@maple.example")));
    assert_eq!((names(&records, "ana@maple.example").len(), names(&records, "new@maple.example").len()), (0, 1));
    tell(Event::Apply(account("a-1", 5, "ana@maple.example")));
    assert_eq!(names(&records, "new@maple.example"), ["a-1"], "nothing older is taken");
    // A list after a break, without it.
    tell(Event::Init);
    tell(Event::InitApply(account("a-2", 7, "bea@maple.example")));
    tell(Event::InitDone);
    assert_eq!((records.account("a-1"), names(&records, "new@maple.example").len()), (None, 0));
}

#[test]
fn a_clinic_that_does_not_fit_says_nothing() {
    let records = Records::default();
    let is_known = |version: &str, two_factor: &str| {
        let spec = json!({"displayName": "Maple", "timeZone": "America/Toronto", "twoFactor": two_factor});
        let clinic = json!({"metadata": {"name": CLINIC_NAME, "resourceVersion": version}, "spec": spec});
        records.take_in(Watched::Clinic, Event::Apply(serde_json::from_value(clinic).unwrap()));
        (records.clinic().is_some(), records.zone().is_some())
    };
    assert_eq!([is_known("5", "Required"), is_known("6", "Perhaps")], [(true, true), (false, false)]);
}

#[test]
fn an_answer_of_ours_is_taken_unless_the_watch_is_further() {
    let records = Records::default();
    records.put(&typed(&account("a-1", 5, "ana@maple.example")));
    assert_eq!(names(&records, "ana@maple.example"), ["a-1"]);
    records.take_in(Watched::Accounts, Event::Delete(account("a-1", 6, "ana@maple.example")));
    records.put(&typed(&account("a-1", 5, "ana@maple.example")));
    assert_eq!(records.account("a-1"), None, "it was deleted since");
}

#[test]
fn a_manifest_is_known_as_it_is_now_and_with_the_accounts_that_it_holds() {
    let records = Records::default();
    let user = |name: &str, version: u32, suspended: bool| -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
            "metadata": {"name": name, "resourceVersion": version.to_string()}, "spec": {"email": "ana@maple.example", "suspended": suspended},
        }))
        .unwrap()
    };
    let tell = |event| records.take_in(Watched::Manifests, event);
    tell(Event::Init);
    tell(Event::InitApply(user("x", 5, false)));
    tell(Event::InitDone);
    assert!(records.manifest("x").is_some() && records.manifests_that_may_take_away().is_empty());
    tell(Event::Apply(user("x", 6, true)));
    assert_eq!(records.manifests_that_may_take_away(), [("x".to_owned(), Manifest::read(&user("x", 6, true)))]);
    assert_eq!(tell(Event::Apply(user("x", 5, false))), None, "nothing older is told");
    tell(Event::Init);
    tell(Event::InitApply(user("y", 7, true)));
    tell(Event::InitDone);
    assert_eq!(records.manifest("x"), None, "gone while nothing was told");
    tell(Event::Delete(user("y", 7, true)));
    assert_eq!(records.manifest("y"), None);
    // Holders of accounts.
    records.put(&typed(&account("a-1", 5, "ana@maple.example")));
    records.put(&typed(&account("a-2", 5, "bea@maple.example")));
    let held = |holder: &str| records.accounts_held_by(holder).len();
    assert_eq!((held("x"), held("y"), held("")), (2, 0, 0));
    let mut moved = typed(&account("a-1", 6, "ana@maple.example"));
    moved.spec.desired.holder.name = "y".to_owned();
    records.put(&moved);
    assert_eq!((held("x"), held("y")), (1, 1));
}

/// An object of each kind whose content is of this version.
fn object(kind: Watched, version: u32) -> DynamicObject {
    let email = format!("v{version}@maple.example");
    match kind {
        Watched::Accounts => account("a-1", version, &email),
        Watched::Clinic | Watched::Manifests => {
            let (kind, name) = if kind == Watched::Clinic { ("Clinic", CLINIC_NAME) } else { ("ClinicUser", "x") };
            serde_json::from_value(json!({
                "apiVersion": "clinic-operator.dev/v1alpha1", "kind": kind,
                "metadata": {"name": name, "resourceVersion": version.to_string()},
                "spec": {"email": email, "displayName": email, "timeZone": "UTC"},
            }))
            .unwrap()
        }
    }
}

/// The version whose content is known.
fn known(records: &Records, kind: Watched) -> Option<u32> {
    let is_known = |version: &u32| {
        let object = object(kind, *version);
        match kind {
            Watched::Accounts => records.account("a-1") == Some(typed(&object)),
            Watched::Clinic => {
                records.clinic().and_then(|clinic| clinic.metadata.resource_version) == object.metadata.resource_version
            }
            Watched::Manifests => records.manifest("x") == Some(Manifest::read(&object)),
        }
    };
    (1..20).find(is_known)
}

#[test]
fn a_list_is_the_truth_of_every_kind_and_within_it_the_newer_state_counts() {
    for kind in Watched::ALL {
        let records = Records::default();
        let list = |version: u32| {
            records.take_in(kind, Event::Init);
            records.take_in(kind, Event::InitApply(object(kind, version)));
            records.take_in(kind, Event::InitDone);
            known(&records, kind)
        };
        let watch = |version: u32| {
            records.take_in(kind, Event::Apply(object(kind, version)));
            known(&records, kind)
        };
        assert_eq!((list(9), watch(8), watch(10)), (Some(9), Some(9), Some(10)), "{kind:?}");
        // The API server was restored from a snapshot: its versions are older.
        assert_eq!((list(5), watch(4), watch(6)), (Some(5), Some(5), Some(6)), "{kind:?}");
        records.take_in(kind, Event::Init);
        records.take_in(kind, Event::InitDone);
        assert_eq!(known(&records, kind), None, "{kind:?}");
    }
}

#[test]
fn what_a_manifest_took_away_is_kept_when_it_is_deleted_missing_in_a_list_or_followed_by_another_of_its_name() {
    let user = |uid: &str, version: u32, suspended: bool| -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
            "metadata": {"name": "x", "uid": uid, "resourceVersion": version.to_string()}, "spec": {"suspended": suspended},
        }))
        .unwrap()
    };
    let other = || user("another", 6, false);
    let gone = [vec![Event::Apply(other())], vec![Event::Delete(other())], vec![Event::Init, Event::InitDone]];
    for events in gone {
        let records = Records::default();
        let tell = |event| records.take_in(Watched::Manifests, event);
        let holder = typed(&account("a-1", 5, "ana@maple.example"));
        records.put(&holder);
        tell(Event::Init);
        assert!(tell(Event::InitApply(user("u", 5, true))).is_some(), "a list tells what may be taken back at once");
        tell(Event::InitDone);
        assert_eq!(records.gone_manifest(&holder.spec), None);
        for event in events {
            tell(event);
        }
        assert_eq!(records.gone_manifest(&holder.spec), Some(Manifest::read(&user("u", 5, true))));
        let gone: Vec<_> = records.accounts_of_gone_manifests().into_iter().map(|account| account.id).collect();
        assert_eq!(gone, ["a-1"]);
    }
}
