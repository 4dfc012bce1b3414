//! The model's numbers as what stands in manifests: addresses, names, days.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::Manifest;

/// When the test begins, at a clinic in UTC.
pub(crate) const START: &str = "2026-11-01T00:00:00Z";

/// The address of this number.
fn address(number: u8) -> String {
    format!("x{number}@maple.example")
}

/// The number of this address.
pub(crate) fn number(address: &str) -> u8 {
    address[1..2].parse::<u8>().expect("an address of this file")
}

/// The spec of a manifest.
pub(crate) fn spec(manifest: &Manifest) -> Value {
    let name = |number: u8| ["Ana", "Bea"][usize::from(number)];
    let address = address(manifest.address);
    let address = if manifest.capitals { address.to_uppercase().replace(".EXAMPLE", ".example") } else { address };
    let mut spec = json!({"email": address, "type": "Practitioner", "suspended": manifest.suspended});
    for (field, given) in [("firstName", manifest.first), ("lastName", manifest.last)] {
        if let Some(number) = given {
            spec[field] = json!(name(number));
        }
    }
    if manifest.invalid {
        spec["classification"] = json!("ClinicalTrainee");
        return spec;
    }
    match manifest.end_of_training {
        Some(days) => {
            let end = START.parse::<Timestamp>().expect("an instant") + SignedDuration::from_hours(24 * days);
            spec["classification"] = json!("ClinicalTrainee");
            spec["expectedEndOfTraining"] = json!(end.to_zoned(TimeZone::UTC).date().to_string());
        }
        None => spec["classification"] = json!("Locum"),
    }
    spec
}

/// The first and last name that the person of a record with these names confirms: whoever is called Ana and nothing else has no other
/// name, and writes it into the first field; all others have two.
pub(crate) fn confirmed(first: Option<&str>, last: Option<&str>) -> (&'static str, &'static str) {
    match (first, last) {
        (Some("Ana"), None) | (None, Some("Ana")) => ("Ana", ""),
        _ => ("X", "Y"),
    }
}

/// Its annotations.
pub(crate) fn annotations(manifest: &Manifest) -> Value {
    let mut annotations = json!({});
    let resend = manifest.resend.map(|value| value.to_string());
    for (name, value) in [("resend", &resend), ("reactivate", &manifest.reactivate), ("replace", &manifest.replace)] {
        if let Some(value) = value {
            annotations[format!("clinic-operator.dev/{name}")] = json!(value);
        }
    }
    annotations
}
