//! Any text as manifests: whatever stands in it, `validate` reads it, judges it and says where, and neither panics nor hangs.
#![no_main]

use std::cell::OnceCell;

use clinic_operator::adapters::manifests::{Part, parts};
use clinic_operator::api::check::{Checker, Path};
use libfuzzer_sys::fuzz_target;

thread_local!(static CHECKER: OnceCell<Checker> = const { OnceCell::new() });

fuzz_target!(|text: &str| {
    CHECKER.with(|checker| {
        let checker = checker.get_or_init(|| Checker::new().expect("the CRDs compile"));
        parts(text).for_each(|part| look(checker, part));
    });
});

/// A document of no kind of ours is looked at as a member all the same.
fn look(checker: &Checker, part: Part<'_>) {
    let Ok(Some(node)) = part.read() else { return };
    let object = node.json();
    let kind = node.text("kind").filter(|kind| checker.kinds().any(|other| other == *kind)).unwrap_or("ClinicUser");
    assert!(node.at(&Path::default()).is_some(), "the whole document is there");
    for finding in checker.check(kind, &object, None) {
        let place = node.place(&finding.path);
        assert!(place.line >= 1 && place.column >= 1, "{place:?}");
        assert!(!finding.message.is_empty());
    }
    // What is stored is such an object too, as the API server sees it when a manifest changes it.
    checker.check(kind, &object, Some(&object));
}
