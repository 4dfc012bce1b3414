//! YAML of every sort, and that no text makes the reader panic, hang or grow.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::parts::parts;
use super::*;
use crate::api::check::Path;

/// Each document as JSON, or what is wrong with it.
fn read_all(text: &str) -> Vec<Result<Value, String>> {
    let documents = parts(text).filter_map(|part| part.read().transpose());
    documents.map(|document| document.map(|node| node.json()).map_err(|malformed| malformed.message)).collect()
}

#[test]
fn documents_are_read_as_kubectl_reads_them() {
    for (text, expected) in [
        ("", vec![]),
        ("# nothing\n---\n---\n", vec![]),
        ("a: 1\n---\nb: 2", vec![json!({"a": 1}), json!({"b": 2})]),
        ("--- # first\na: 1\n...\n---\nb: 2\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("\u{feff}a: é", vec![json!({"a": "é"})]),
        ("{\"a\": 1}{\"b\": \"}{\"}\n{\"c\": 3}\n", vec![json!({"a": 1}), json!({"b": "}{"}), json!({"c": 3})]),
        ("{a: 1}", vec![json!({"a": 1})]),
        (r#"{"a": [1, "2", null, {"b": true}]}"#, vec![json!({"a": [1, "2", null, {"b": true}]})]),
        ("{\n\t\"a\":\t1\n}\n", vec![json!({"a": 1})]),
        ("a: |\n  --- not one\n  two\n", vec![json!({"a": "--- not one\ntwo\n"})]),
        (
            "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n",
            vec![json!({"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}})],
        ),
        ("a: {<<: {b: 1, c: 1}, b: 2}", vec![json!({"a": {"b": 2, "c": 1}})]),
        ("a: !!str 012\nb: \"012\"\nc: 012\n", vec![json!({"a": "012", "b": "012", "c": 10})]),
        ("on: 1\n12: 2\n\"on\": 3\n", vec![json!({"true": 1, "12": 2, "on": 3})]),
        ("a:\n- b\n-\n- ~\n", vec![json!({"a": ["b", null, null]})]),
        ("a: 2027-06-30\nb: >-\n  one\n  two\r\n", vec![json!({"a": "2027-06-30", "b": "one two"})]),
    ] {
        let read: Vec<_> = read_all(text).into_iter().map(Result::unwrap).collect();
        assert_eq!(read, expected, "{text:?}");
    }
}

#[test]
fn a_document_that_cannot_be_read_does_not_hide_the_next() {
    for wrong in [
        "a: [",
        "a: *nobody",
        "a: \"",
        "a:\n\tb: 1",
        "a: 1\na: 2",
        "? [a]\n: 1",
        "a: 1\n b: 2",
        "a: <<\n<<: 1",
        "--- {a: 1}",
    ] {
        let read = read_all(&format!("{wrong}\n---\nb: 2\n"));
        assert!(read.len() == 2 && read[0].is_err(), "{wrong:?}: {read:?}");
        assert_eq!(read[1], Ok(json!({"b": 2})), "{wrong:?}");
    }
}

#[test]
fn every_value_has_its_place() {
    let text = "# one\n---\nspec:\n  roles: [a,  b]\n  coverages:\n  - {covers: x}\n";
    let node = parts(text).nth(1).unwrap().read().unwrap().unwrap();
    let spec = Path::default().field("spec");
    for (path, line, column) in [
        (Path::default(), 3, 1),
        (spec.clone(), 3, 1),
        (spec.field("roles"), 4, 3),
        (spec.field("roles").index(1), 4, 15),
        (spec.field("coverages").index(0).field("covers"), 6, 6),
        // What is missing is missing from the deepest thing that is there.
        (spec.field("coverages").index(0).field("start"), 6, 5),
        (spec.field("email"), 3, 1),
    ] {
        assert_eq!(node.place(&path), Place { line, column }, "{path}");
    }
}

#[test]
fn an_object_behind_another_has_its_place_in_the_whole_line() {
    let text = "{\"a\": 1} {\"b\":\n2} {\"c\": 3}";
    let places: Vec<_> = parts(text).map(|part| part.read().unwrap().unwrap().at).collect();
    assert_eq!(places, [(1, 1), (1, 10), (2, 4)].map(|(line, column)| Place { line, column }));
}

#[test]
fn a_name_of_somebody_else_s_field_is_not_repeated_and_a_long_line_of_hyphens_is_read_at_once() {
    assert!(read_all("hunter2: 1\nhunter2: 2\n")[0].as_ref().unwrap_err().starts_with("… stands here"));
    let ours = "kind: ClinicUser\nspec: 1\nspec: 2\n";
    assert!(read_all(ours)[0].as_ref().unwrap_err().starts_with("spec stands here"));
    assert!(read_all(&format!("# {}\na: 1", "a---".repeat(250_000)))[0].is_ok());
}

#[test]
fn a_text_that_grows_without_bound_is_refused() {
    let aliases = |depth: usize| {
        let levels = (1..=depth)
            .map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(",")));
        format!("a0: &a0 [x, x]\n{}", levels.collect::<String>())
    };
    assert!(read_all(&aliases(3))[0].is_ok());
    assert!(read_all(&aliases(12))[0].as_ref().unwrap_err().contains("stand for more than 200000 values"));
    let long = |length: usize| format!("a: &a {}\nb: [{}]\n", "x".repeat(length), vec!["*a"; 2000].join(", "));
    assert!(read_all(&long(1000))[0].is_ok());
    assert!(read_all(&long(3000))[0].as_ref().unwrap_err().contains("stand for more than 4194304 bytes"));
    let anchored = format!("{}{}{}", "[&a ".repeat(90), "1, ".repeat(10_000), "]".repeat(90));
    assert!(read_all(&anchored)[0].as_ref().unwrap_err().contains("stand for more than 200000 values"));
    let field = |number: usize| format!("field{number}: 1\n");
    let wide = |width: usize| (0..width).map(field).collect::<String>();
    assert!(read_all(&wide(10_000))[0].is_ok());
    assert!(read_all(&wide(10_001))[0].as_ref().unwrap_err().contains("more than 10000 fields"));
    let deep = |depth: usize| format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read_all(&deep(90))[0].is_ok());
    for depth in [101, 100_000] {
        assert!(read_all(&deep(depth))[0].is_err(), "{depth}");
    }
}

proptest! {
    /// Nothing panics, and lines and columns lie in the text.
    #[test]
    fn any_text_is_read_or_refused(text in "([a-z]{0,3}[:\\-\\[\\]{}\"'|>&*!%@`#, \n\t\u{e9}\u{0}0-9~<?.]{1,4}){0,40}") {
        for part in parts(&text) {
            let at = match part.read() {
                Ok(Some(node)) => node.at,
                Ok(None) => continue,
                Err(malformed) => malformed.at,
            };
            prop_assert!(at.line >= 1 && at.line <= text.matches('\n').count() + 2, "{at:?}");
        }
    }

    /// What JSON can say is read as JSON reads it.
    #[test]
    fn json_is_read_as_it_is(values in proptest::collection::vec(("[a-z]{1,5}", "[ -~\u{e9}\u{4e00}]{0,9}", any::<i64>()), 0..6)) {
        let object: serde_json::Map<_, _> = values.into_iter().map(|(name, text, number)| (name, json!([text, number, {"x": null}]))).collect();
        let object = Value::Object(object);
        for text in [object.to_string(), format!("{object:#}")] {
            prop_assert_eq!(read_all(&text), [Ok(object.clone())], "{}", text);
        }
    }
}
