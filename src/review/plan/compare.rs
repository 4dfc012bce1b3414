//! What a change of the tree changes: what the operator would do with the one and not with the other, and the fields that differ.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::fields::changed_fields;
use super::outcome::{Change, Effect, World, outcome};
use super::side::{Clinic, Side};
use crate::api::account::ClinicAccountSpec;
use crate::domain::calendar::ClinicZone;

/// What the Clinic is called among the members.
pub(super) const THE_CLINIC: &str = "(the Clinic)";

/// Compares, as of `now`. What happens whichever of the two is there is no part of a plan.
pub(super) fn compare(before: &Side, after: &Side, now: Timestamp) -> Vec<Change> {
    let clinic = Clinic::of(before, after);
    let records = records(before, clinic.0.zone.as_ref());
    let happens_anyway: BTreeSet<_> =
        outcome(world(before, before, &clinic.0, records.clone(), now)).into_iter().collect();
    let mut changes = outcome(world(before, after, &clinic.1, records, now));
    changes.retain(|change| !happens_anyway.contains(change));
    for (name, new) in &after.people {
        if let Some(old) = before.people.get(name) {
            changes.extend(fields(name, &as_json(&old.spec), &as_json(&new.spec)));
        }
    }
    changes.extend(service_accounts(before, after));
    // A tree may leave the Clinic to somebody else, so its absence changes nothing.
    if let (Some(old), Some(new)) = (&before.clinic, &after.clinic) {
        changes.extend(fields(THE_CLINIC, &as_json(old), &as_json(new)));
    }
    changes.sort();
    changes.dedup();
    changes
}

/// The records as they stand, beside the people of a tree.
fn world<'a>(
    seen: &Side,
    tree: &'a Side,
    clinic: &'a Clinic,
    records: Vec<ClinicAccountSpec>,
    now: Timestamp,
) -> World<'a> {
    let uid = |name: &String| seen.people.get(name).map_or_else(|| format!("new {name}"), |person| person.uid(name));
    let people = tree.people.iter().map(|(name, person)| (name.as_str(), (uid(name), person)));
    World { clinic, people: people.collect(), records, now }
}

/// The records, or what they must be about like where they are not seen.
fn records(seen: &Side, zone: Option<&ClinicZone>) -> Vec<ClinicAccountSpec> {
    match &seen.records {
        Some(records) => records.iter().map(|record| record.spec.clone()).collect(),
        None => seen.people.iter().filter_map(|(name, person)| person.seeming_record(name, zone)).collect(),
    }
}

fn service_accounts(before: &Side, after: &Side) -> Vec<Change> {
    let (old, new): (&BTreeMap<_, Value>, _) = (&before.service_accounts, &after.service_accounts);
    let say = |name: &str, detail: &str| Change {
        effect: Effect::Changes,
        member: name.to_owned(),
        detail: detail.to_owned(),
    };
    let removed =
        old.keys().filter(|name| !new.contains_key(*name)).map(|name| say(name, "the service account is removed"));
    let others = new.iter().flat_map(|(name, spec)| match old.get(name) {
        Some(old) => fields(name, old, spec),
        None => vec![say(name, "a new service account")],
    });
    if before.sees_no_service_accounts { Vec::new() } else { removed.chain(others).collect() }
}

fn fields(name: &str, old: &Value, new: &Value) -> Vec<Change> {
    let change = |detail| Change { effect: Effect::Changes, member: name.to_owned(), detail };
    changed_fields(old, new).into_iter().map(change).collect()
}

fn as_json(spec: &impl Serialize) -> Value {
    serde_json::to_value(spec).unwrap_or_default()
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod waiting_tests;
