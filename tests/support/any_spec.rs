//! Specs by chance, some of them right: what one reader of manifests takes, every other must take too. What is right never
//! stands here.

use proptest::prelude::*;
use serde_json::{Value, json};

/// A value of any shape, often a right one.
fn value(right: Vec<Value>) -> impl Strategy<Value = Option<Value>> {
    let any = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~\u{e9}\u{200b}]{0,12}".prop_map(Value::from),
        // What may stand in a name beside some characters and not beside others.
        "[A. \u{ad}\u{3164}\u{200c}\u{200d}\u{6cc}\u{d4d}\u{8fbb}\u{e0100}]{0,6}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ];
    let some = prop_oneof![6 => proptest::sample::select(right), 1 => any].prop_map(Some);
    prop_oneof![3 => some, 2 => Just(None)]
}

/// The spec of a `ClinicUser`, right or wrong.
pub(crate) fn any_spec() -> impl Strategy<Value = Value> {
    let words = |words: &[&str]| words.iter().map(|word| json!(word)).collect::<Vec<_>>();
    let fields = [
        (
            "email",
            words(&[
                "ana@maple.example",
                "a.b+c@x.example",
                "ana",
                "ana@maple",
                "@",
                "a@b@c.example",
                "é@maple.example",
            ]),
        ),
        ("type", words(&["Staff", "Practitioner", "staff"])),
        ("classification", words(&["Standard", "Locum", "ClinicalTrainee"])),
        ("license", words(&["CHRLite", "CHRPlus"])),
        ("firstName", words(&["Ana", " Ana", "李", "-"])),
        (
            "expectedEndOfTraining",
            words(&["2027-06-30", "2028-02-29", "2027-02-29", "2027-6-30", "2027-06-31", "1900-02-29"]),
        ),
        ("billingNumber", words(&["012345", "01 2345"])),
        ("supervisor", words(&["bo", "ana", "Bo"])),
        (
            "coverages",
            vec![json!([{"covers": "bo", "start": "2026-12-01", "end": "2026-12-31"}]), json!([{"covers": "ana"}])],
        ),
        ("suspended", vec![json!(true), json!("yes")]),
    ];
    let values = fields.map(|(name, right)| value(right).prop_map(move |value| (name, value)));
    Vec::from(values).prop_map(|fields| {
        fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    })
}
