//! Which fields of a manifest change, in words, and how many members there are of each sort. Access and addresses have rules of
//! their own and are not here.

use serde::Serialize;
use serde_json::Value;

use super::side::Side;
use crate::api::clinic_user::ClinicUserSpec;
use crate::domain::license::License;
use crate::domain::member::{Classification, designation};

/// Fields whose values are told; of others only that they change.
const TOLD: [&str; 3] = ["type", "classification", "license"];
/// Fields about which something else is said.
const ELSEWHERE: [&str; 3] = ["email", "suspended", "expectedEndOfTraining"];

/// A sentence for each change of type, classification and license, and one for all others.
pub(super) fn changed_fields(old: &ClinicUserSpec, new: &ClinicUserSpec) -> Vec<String> {
    let (old, new) = (serde_json::to_value(old).unwrap_or_default(), serde_json::to_value(new).unwrap_or_default());
    let names = [&old, &new].into_iter().filter_map(Value::as_object).flat_map(|fields| fields.keys());
    let mut changed: Vec<&str> = names.map(String::as_str).filter(|name| old.get(name) != new.get(name)).collect();
    changed.sort_unstable();
    changed.dedup();
    let word = |spec: &Value, name: &str| spec.get(name).and_then(Value::as_str).unwrap_or("none").to_owned();
    let told = TOLD.iter().filter(|name| changed.contains(name));
    let mut said: Vec<_> =
        told.map(|name| format!("{name}: {}, before {}", word(&new, name), word(&old, name))).collect();
    let others: Vec<_> = changed.into_iter().filter(|name| !TOLD.contains(name) && !ELSEWHERE.contains(name)).collect();
    if !others.is_empty() {
        said.push(format!("edited: {}", others.join(", ")));
    }
    said
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
