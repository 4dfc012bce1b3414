//! Files that exchange names, in rows: who goes to another account than that of their name.

use serde_json::json;

use super::*;
use crate::api::convert::claim_of;

/// An account as `name: address, first name`, with a mark for one whose holder is there, was removed or is held.
type Left = (&'static str, &'static str, &'static str, &'static str);
/// A file likewise, without an account.
type File = (&'static str, &'static str, &'static str);

struct Clinic(Vec<Left>, Vec<File>);

fn left((name, address, first, mark): &Left) -> ClinicAccountSpec {
    let last = (!first.is_empty()).then_some("Roy");
    let first = (!first.is_empty()).then_some(first);
    let mut spec = json!({"id": format!("a-{name}"), "desired": {"holder": {"name": name, "uid": "gone"},
        "email": format!("{address}@maple.example"), "type": "Staff", "firstName": first, "lastName": last},
        "acceptance": {"acceptedAt": "2026-11-01T00:00:00Z", "login": format!("{address}@maple.example"),
            "firstName": "A", "lastName": "B", "credential": "c"}});
    match *mark {
        "removed" => spec["desired"]["removed"] = json!({"at": "2026-11-01T00:00:00Z"}),
        "held" => spec["desired"]["hold"] = json!({"id": "removals-1"}),
        _ => {}
    }
    serde_json::from_value(spec).unwrap()
}

fn file((name, address, first): &File) -> Named {
    let mut spec = json!({"email": format!("{address}@maple.example"), "type": "Staff"});
    if !first.is_empty() {
        (spec["firstName"], spec["lastName"]) = (json!(first), json!("Roy"));
    }
    ((*name).to_owned(), serde_json::from_value(spec).unwrap())
}

impl Records for Clinic {
    fn left_with(&self, claim: ClaimName) -> Vec<ClinicAccountSpec> {
        let orphans = self.0.iter().filter(|(.., mark)| *mark != "there").map(left);
        orphans.filter(|account| account.claims().contains(&claim)).collect()
    }

    fn manifests_with(&self, claim: ClaimName) -> Vec<Named> {
        self.1.iter().map(file).filter(|(_, spec)| claim_of(&spec.email) == Some(claim)).collect()
    }

    fn namesake_of(&self, account: &ClinicAccountSpec) -> Option<Named> {
        self.1.iter().map(file).find(|(name, _)| *name == account.desired.holder.name)
    }
}

#[test]
fn a_file_with_another_s_name_goes_to_its_own_person_s_account_if_that_is_certain() {
    let (smith, jones) = (("smith", "s", "Sam", ""), ("jones", "j", "Jo", ""));
    let renamed = ("jones", "s", "Sam");
    for (why, accounts, files, goes) in [
        ("jones left, and smith's file has that name", vec![smith, jones], vec![renamed], vec!["jones"]),
        ("the same with another's pending account", vec![smith, ("jones", "j", "", "")], vec![renamed], vec!["jones"]),
        ("two exchanged their names", vec![smith, jones], vec![renamed, ("smith", "j", "Jo")], vec!["jones", "smith"]),
        (
            "three in a circle",
            vec![("a", "a", "A", ""), ("b", "b", "B", ""), ("c", "c", "C", "")],
            vec![("a", "b", "B"), ("b", "c", "C"), ("c", "a", "A")],
            vec!["a", "b", "c"],
        ),
        (
            "a chain whose last file is gone",
            vec![("a", "a", "A", ""), ("b", "b", "B", ""), ("c", "c", "C", "")],
            vec![("a", "b", "B"), ("b", "c", "C")],
            vec!["a", "b"],
        ),
        (
            "a chain whose last one stays",
            vec![("a", "a", "A", ""), ("b", "b", "B", ""), ("c", "c", "C", "")],
            vec![("a", "b", "B"), ("b", "c", "C"), ("c", "new", "C")],
            vec![],
        ),
        ("smith's own file is there too", vec![smith, jones], vec![renamed, ("smith", "s", "Sam")], vec![]),
        ("smith's holder is there", vec![("smith", "s", "Sam", "there"), jones], vec![renamed], vec![]),
        ("somebody else has the name smith", vec![smith, jones], vec![renamed, ("smith", "s", "Zoe")], vec![]),
        ("another address", vec![smith, jones], vec![("jones", "new", "Sam")], vec![]),
        ("no names", vec![smith, jones], vec![("jones", "s", "")], vec![]),
        ("smith's record has no names", vec![("smith", "s", "", ""), jones], vec![renamed], vec![]),
        ("jones has smith's names", vec![smith, ("jones", "j", "Sam", "")], vec![renamed], vec![]),
        ("smith left before", vec![("smith", "s", "Sam", "removed"), jones], vec![renamed], vec![]),
        ("smith is held", vec![("smith", "s", "Sam", "held"), jones], vec![renamed], vec![]),
        (
            "two files say that they are smith",
            vec![smith, jones, ("kim", "k", "Kim", "")],
            vec![renamed, ("kim", "s", "Sam")],
            vec![],
        ),
    ] {
        let clinic = Clinic(accounts, files);
        let of_name = |(name, _): &&Named, account: &ClinicAccountSpec| account.desired.holder.name == *name;
        let files: Vec<Named> = clinic.1.iter().map(file).collect();
        let goes_elsewhere = |one: &&Named| {
            let accounts: Vec<_> = clinic.0.iter().map(left).collect();
            accounts.iter().any(|account| of_name(one, account) && goes_to_another(&clinic, account, (*one).clone()))
        };
        let found: Vec<&str> = files.iter().filter(goes_elsewhere).map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, goes, "{why}");
    }
}
