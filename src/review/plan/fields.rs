//! Which fields of a manifest change, in words, and how many members there are of each sort. Access and addresses have rules of
//! their own and are not here.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::side::Side;
use crate::adapters::output::unless_an_address;
use crate::domain::license::License;
use crate::domain::member::{Classification, designation};

/// Fields whose values are told; of others only that they change.
const TOLD: [&str; 9] = [
    "type",
    "classification",
    "license",
    "timeZone",
    "locale",
    "paused",
    "twoFactor",
    "invitationValidityDays",
    "supervisor",
];
/// Lists of which is told what comes and goes.
const LISTS: [&str; 2] = ["roles", "permissions"];
/// Fields of people about which something else is said.
const ELSEWHERE: [&str; 2] = ["suspended", "expectedEndOfTraining"];

/// A sentence for each change whose value may be told, and one for all others. An address is never told.
pub(super) fn changed_fields(old: &Value, new: &Value) -> Vec<String> {
    let is_person = new.get("type").is_some();
    let is_told_elsewhere = |name: &str| is_person && (name == "email" || ELSEWHERE.contains(&name));
    let names = [old, new].into_iter().filter_map(Value::as_object).flat_map(|fields| fields.keys());
    let changed: BTreeSet<&str> = names.map(String::as_str).filter(|name| old.get(name) != new.get(name)).collect();
    let mut said = Vec::new();
    let mut others = Vec::new();
    for name in changed.into_iter().filter(|name| !is_told_elsewhere(name)) {
        if TOLD.contains(&name) {
            said.push(format!("{name}: {}, before {}", word(new.get(name)), word(old.get(name))));
        } else if LISTS.contains(&name) {
            said.push(format!("{name}: {}", comes_and_goes(old.get(name), new.get(name))));
        } else {
            others.push(name);
        }
    }
    if !others.is_empty() {
        said.push(format!("edited: {}", others.join(", ")));
    }
    said
}

fn word(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Null) | None => "none".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// `+ Physician, - Trainee`.
fn comes_and_goes(old: Option<&Value>, new: Option<&Value>) -> String {
    let all = |list: Option<&Value>| -> BTreeSet<String> {
        let words = list.and_then(Value::as_array).into_iter().flatten();
        words.filter_map(Value::as_str).map(|word| unless_an_address(word).to_owned()).collect()
    };
    let (old, new) = (all(old), all(new));
    let comes = new.difference(&old).map(|word| format!("+ {word}"));
    let goes = old.difference(&new).map(|word| format!("- {word}"));
    let both: Vec<_> = comes.chain(goes).collect();
    if both.is_empty() { "in another order".to_owned() } else { both.join(", ") }
}

/// How many manifests there are of one sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Seats {
    /// `CHR Plus`, `Locum`, `Staff`, …
    pub of: String,
    pub before: usize,
    pub after: usize,
}

/// Seats by license, and of those who need none; without sorts that nobody is of.
pub(super) fn seats(before: &Side, after: &Side) -> Vec<Seats> {
    let licenses = [License::CHRLite, License::CHRLiteVV, License::CHRPlus];
    let sorts = licenses.map(Some).into_iter().map(|license| (license, Some(Classification::Standard))).chain([
        (None, Some(Classification::Locum)),
        (None, Some(Classification::ClinicalTrainee)),
        (None, None),
    ]);
    let count = |side: &Side, sort: (Option<License>, Option<Classification>)| {
        side.people.values().filter(|person| (person.spec.license, person.spec.classification) == sort).count()
    };
    let seats =
        sorts.map(|sort| Seats { of: called(sort.0, sort.1), before: count(before, sort), after: count(after, sort) });
    let services = Seats {
        of: "Service account".to_owned(),
        before: before.service_accounts.len(),
        after: after.service_accounts.len(),
    };
    seats.chain([services]).filter(|seats| seats.before + seats.after > 0).collect()
}

fn called(license: Option<License>, classification: Option<Classification>) -> String {
    match license {
        Some(License::CHRLite) => "CHR Lite".to_owned(),
        Some(License::CHRLiteVV) => "CHR Lite + VV".to_owned(),
        Some(License::CHRPlus) => "CHR Plus".to_owned(),
        None => designation(None, classification, crate::domain::member::MemberType::Staff),
    }
}
