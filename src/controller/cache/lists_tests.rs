//! What the cache takes from lists and watches, as the watcher tells it.

use serde_json::json;

use super::*;

fn user(name: &str, version: u32, email: &str) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "resourceVersion": version.to_string()},
        "spec": {"email": email, "type": "Staff"},
    }))
    .unwrap()
}

const KIND: Kind = Kind::ClinicUser;

/// A list of these, from its beginning to its end; the work that it makes necessary.
fn list(index: &mut Index, objects: impl IntoIterator<Item = DynamicObject>) -> BTreeSet<Key> {
    index.begin_list(KIND);
    let mut work: BTreeSet<Key> = objects.into_iter().flat_map(|object| index.list(KIND, object)).collect();
    work.append(&mut index.end_list(KIND));
    work
}

fn change(index: &mut Index, object: DynamicObject) -> BTreeSet<Key> {
    index.watched(KIND, &object.metadata);
    index.apply(KIND, object)
}

/// The version and the address of what is known; nothing if nobody is.
fn known(index: &Index, name: &str) -> (String, String) {
    let Some(user) = index.member(name) else { return is("", "") };
    (user.metadata.resource_version.unwrap(), user.spec.email.to_string())
}

fn is(version: &str, email: &str) -> (String, String) {
    (version.to_owned(), email.to_owned())
}

const OLD: &str = "old@maple.example";
const NEW: &str = "new@maple.example";

#[test]
fn a_list_is_the_truth_also_when_its_versions_are_older_than_what_was_known() {
    let mut index = Index::default();
    list(&mut index, [user("ana", 5, OLD), user("bea", 6, OLD), user("cyd", 7, OLD)]);
    change(&mut index, user("ana", 20, NEW));
    change(&mut index, user("bea", 21, NEW));
    index.apply_answer(KIND, user("cyd", 22, NEW));
    // The API server was restored from a snapshot: bea is as she was then, cyd has another life under a version that was another's.
    let work = list(&mut index, [user("ana", 5, OLD), user("bea", 6, OLD), user("cyd", 22, "third@maple.example")]);
    assert_eq!(known(&index, "ana"), is("5", OLD));
    assert_eq!(known(&index, "bea"), is("6", OLD));
    assert_eq!(known(&index, "cyd"), is("22", "third@maple.example"));
    for name in ["ana", "bea", "cyd"] {
        assert!(work.contains(&Key::Member(name.into())), "{name}: {work:?}");
    }
    // From there on the newer one counts again, by watch and by answer.
    change(&mut index, user("ana", 23, NEW));
    assert_eq!(known(&index, "ana"), is("23", NEW));
    index.apply_answer(KIND, user("bea", 24, NEW));
    assert_eq!(known(&index, "bea"), is("24", NEW));
    assert_eq!(change(&mut index, user("bea", 7, OLD)), BTreeSet::new());
    assert_eq!(known(&index, "bea"), is("24", NEW));
}

#[test]
fn after_a_restore_the_answers_to_our_own_writes_count_although_the_watch_was_further_before() {
    let mut index = Index::default();
    list(&mut index, [user("ana", 5, OLD)]);
    change(&mut index, user("ana", 900, NEW));
    list(&mut index, [user("ana", 5, OLD)]);
    assert!(!index.apply_answer(KIND, user("ana", 6, NEW)).is_empty());
    assert_eq!(known(&index, "ana"), is("6", NEW));
}

#[test]
fn a_list_that_says_what_was_known_wakes_nobody() {
    let mut index = Index::default();
    list(&mut index, [user("ana", 5, OLD), user("bea", 6, OLD)]);
    change(&mut index, user("ana", 7, NEW));
    assert_eq!(list(&mut index, [user("ana", 7, NEW), user("bea", 6, OLD)]), BTreeSet::new());
    // And these are of the new list: what is older does not count.
    assert_eq!(change(&mut index, user("bea", 5, NEW)), BTreeSet::new());
    assert_eq!(known(&index, "bea"), is("6", OLD));
}

#[test]
fn an_answer_that_comes_while_a_list_is_under_way_counts_if_it_is_newer_than_the_list() {
    let mut index = Index::default();
    list(&mut index, [user("ana", 5, OLD), user("bea", 6, OLD)]);
    index.begin_list(KIND);
    index.list(KIND, user("bea", 6, OLD));
    index.apply_answer(KIND, user("ana", 9, NEW));
    // The page was read before that.
    index.list(KIND, user("ana", 5, OLD));
    index.end_list(KIND);
    assert_eq!(known(&index, "ana"), is("9", NEW));
    // An answer that the list has overtaken, about somebody who is not in it: they are gone.
    list(&mut index, [user("ana", 12, NEW)]);
    assert_eq!(index.apply_answer(KIND, user("bea", 8, NEW)), BTreeSet::new());
    assert_eq!(known(&index, "bea"), is("", ""));
}
