//! The table of docs/lifecycle.md row by row, and names as people type them.

use super::*;
use proptest::prelude::*;

fn names<'a>(object: &'a str, first: &'a str, last: &'a str) -> Names<'a> {
    let given = |name: &'a str| (!name.is_empty()).then_some(name);
    Names { object, first: given(first), last: given(last), only: None }
}

/// A record whose person confirmed this as the only name they have.
fn only<'a>(record: Names<'a>, name: &'a str) -> Names<'a> {
    Names { only: Some(name), ..record }
}

#[test]
fn one_name_is_the_same_person_only_where_the_record_s_person_has_no_other() {
    let (first, last) = (names("suharto", "Suharto", ""), names("suharto", "", "Suharto"));
    for (why, manifest, record, expected) in [
        ("renamed", names("s", "SUHARTO", ""), only(first, "Suharto"), true),
        ("renamed, a last name", names("s", "", "Suharto"), only(last, "suharto"), true),
        ("confirmed in the other field", names("s", "Suharto", ""), only(first, "Suharto"), true),
        ("the record's person has two names, or has not accepted", names("s", "Suharto", ""), first, false),
        ("the manifest says more", names("s", "Suharto", "Roy"), only(first, "Suharto"), false),
        ("the record says more", names("s", "Suharto", ""), only(names("suharto", "Suharto", "Roy"), "Suharto"), false),
        ("the other field", names("s", "", "Suharto"), only(first, "Suharto"), false),
        ("another name", names("s", "Sukarno", ""), only(first, "Suharto"), false),
        ("the person confirmed another", names("s", "Suharto", ""), only(first, "Sukarno"), false),
        (
            "the manifest and the person, but not the record",
            names("s", "Suharto", ""),
            only(names("suharto", "", ""), "Suharto"),
            false,
        ),
        ("none says nothing", names("s", "", ""), only(names("suharto", "", ""), "Suharto"), false),
    ] {
        assert_eq!(has_the_whole_name_of(manifest, record), expected, "{why}");
        for removed in [false, true] {
            assert_eq!(is_the_same_person(manifest, record, removed), expected, "{why}");
        }
        let held = Names { object: "suharto", ..manifest };
        assert_eq!(comes_back_to_a_held_account(held, record, false), expected, "{why}, the removal held");
    }
}

#[test]
fn names_are_the_same_whatever_case_composition_and_space() {
    for (one, other, expected) in [
        ("Ana", "ANA", true),
        ("Zoë", "Zoe\u{308}", true),
        ("ZOE\u{308}", "zoë", true),
        ("  Anne  Marie ", "anne marie", true),
        ("Anne\u{a0}Marie", "Anne Marie", true),
        ("Zoë", "Zoe", false),
        ("Ana", "Anna", false),
    ] {
        assert_eq!(normalised(one) == normalised(other), expected, "{one:?} {other:?}");
    }
}

#[test]
fn the_same_person_has_both_names_equal_or_was_restored() {
    for (why, manifest, record, removed, expected) in [
        ("renamed in Git", names("ana-s", "Ana", "Silva"), names("ana", "ANA", "Silva"), false, true),
        ("renamed in Git, after the removal", names("ana-s", "Ana", "Silva"), names("ana", "Ana", "Silva"), true, true),
        ("restored without names", names("ana", "", ""), names("ana", "", ""), false, true),
        ("restored with one name", names("ana", "Ana", ""), names("ana", "Ana", "Silva"), false, true),
        ("restored after the removal", names("ana", "", ""), names("ana", "", ""), true, false),
        ("another object without names", names("bea", "", ""), names("ana", "", ""), false, false),
        ("another object with one name", names("bea", "Ana", ""), names("ana", "Ana", "Silva"), false, false),
        (
            "another first name under the old object name",
            names("ana", "Bea", ""),
            names("ana", "Ana", ""),
            false,
            false,
        ),
        ("another last name", names("ana", "Ana", "Roy"), names("ana", "Ana", "Silva"), false, false),
    ] {
        assert_eq!(is_the_same_person(manifest, record, removed), expected, "{why}");
        let by_names = has_the_whole_name_of(manifest, record);
        assert_eq!(by_names, expected && !why.starts_with("restored"), "{why}");
    }
}

#[test]
fn a_manifest_that_comes_back_under_its_name_is_an_edit_unless_nothing_would_tell_it_from_another_person() {
    let ana = names("ana", "Ana", "Silva");
    for (why, manifest, another_address, expected) in [
        ("as it was", ana, false, true),
        ("it asks for an address that another has", ana, true, true),
        ("without names", names("ana", "", ""), true, true),
        ("another address and another name, which a person decides about", names("ana", "Bea", "Silva"), true, true),
        ("another name and its own address", names("ana", "Bea", "Silva"), false, false),
        ("renamed", names("ana-s", "Ana", "Silva"), false, false),
    ] {
        assert_eq!(takes_the_place_of_its_namesake(manifest, ana, another_address), expected, "{why}");
        let becomes_another = may_have_become_another_person(true, another_address, takes_another_name(manifest, ana));
        let other_names = differ(manifest.first, ana.first) || differ(manifest.last, ana.last);
        assert!(!(expected && other_names) || becomes_another, "{why}: nobody inherits an account by it");
    }
}

#[test]
fn to_an_account_whose_removal_is_held_nobody_comes_back_by_the_name_of_the_object_alone() {
    let (ana, nameless) = (names("ana", "Ana", "Silva"), names("ana", "", ""));
    for (why, manifest, record, of_the_account, expected) in [
        ("brought back", ana, ana, true, true),
        ("brought back, without names", nameless, nameless, true, true),
        ("brought back, with an edit of the address", ana, ana, false, true),
        ("a new person's file reuses the name", nameless, nameless, false, false),
        ("one name says too little", names("ana", "Ana", ""), ana, false, false),
        ("the record has no names", ana, nameless, false, false),
        ("another person", names("ana", "Bea", "Silva"), ana, false, false),
        ("another person at the same address", names("ana", "Bea", "Silva"), ana, true, false),
        ("renamed", names("ana-s", "Ana", "Silva"), ana, true, false),
    ] {
        assert_eq!(comes_back_to_a_held_account(manifest, record, of_the_account), expected, "{why}");
        assert!(!expected || takes_the_place_of_its_namesake(manifest, record, !of_the_account), "{why}: never more");
    }
}

#[test]
fn a_name_that_appears_or_goes_is_another_name() {
    for (manifest, record, expected) in [
        (names("x", "Ana", "Silva"), names("y", "ana", "SILVA"), false),
        (names("x", "", ""), names("y", "", ""), false),
        (names("x", "Ana", ""), names("y", "", ""), true),
        (names("x", "", ""), names("y", "Ana", ""), true),
        (names("x", "Ana", "Roy"), names("y", "Ana", "Silva"), true),
    ] {
        assert_eq!(takes_another_name(manifest, record), expected, "{manifest:?} {record:?}");
    }
}

#[test]
fn only_address_and_name_of_an_accepted_member_together_raise_the_question_who_it_is() {
    for accepted in [false, true] {
        for address in [false, true] {
            for name in [false, true] {
                let raised = may_have_become_another_person(accepted, address, name);
                assert_eq!(raised, accepted && address && name);
            }
        }
    }
}

#[test]
fn an_annotation_approves_one_account_once() {
    let wanted = approval("a-1", 0);
    assert_eq!(wanted, "a-1.0");
    for (reactivate, replace, expected) in [
        (Some("a-1.0"), None, Approval::SamePerson),
        (Some(" a-1.0\n"), None, Approval::SamePerson),
        (None, Some("a-1.0"), Approval::AnotherPerson),
        (Some("a-1.0"), Some("a-1.0"), Approval::None),
        (Some("a-1.0"), Some("a-2.0"), Approval::SamePerson),
        (Some("a-1.1"), None, Approval::None),
        (Some("a-1"), None, Approval::None),
        (Some("a-2.0"), None, Approval::None),
        (Some(""), Some(""), Approval::None),
        (None, None, Approval::None),
    ] {
        assert_eq!(Approval::read(reactivate, replace, &wanted), expected, "{reactivate:?} {replace:?}");
    }
    assert_eq!(Approval::read(Some("a-1.0"), None, &approval("a-1", 1)), Approval::None, "left in the file");
}

#[test]
fn each_row_about_an_address_of_another_account() {
    use {Approval as A, Claimant as C, Ruling as R};
    let there = |accepted| Occupant { holder_is_gone: false, accepted, same_person: true };
    let gone = |accepted, same_person| Occupant { holder_is_gone: true, accepted, same_person };
    for approval in [A::None, A::SamePerson, A::AnotherPerson] {
        for claimant in [C::Known, C::New] {
            for accepted in [false, true] {
                assert_eq!(whose_account_it_is(claimant, there(accepted), approval), R::EmailConflict);
            }
            assert_eq!(whose_account_it_is(claimant, gone(false, false), approval), R::TheOtherGivesUp);
        }
        assert_eq!(whose_account_it_is(C::Known, gone(false, true), approval), R::TheOtherGivesUp);
        for accepted in [false, true] {
            assert_eq!(whose_account_it_is(C::New, gone(accepted, true), approval), R::Adopt);
        }
    }
    for same_person in [false, true] {
        let known = |approval| whose_account_it_is(C::Known, gone(true, same_person), approval);
        assert_eq!(known(A::None), R::FormerMember);
        assert_eq!(known(A::SamePerson), R::FormerMember, "who has an account takes over no other");
        assert_eq!(known(A::AnotherPerson), R::Replace);
    }
    let new = |approval| whose_account_it_is(C::New, gone(true, false), approval);
    assert_eq!(new(A::None), R::FormerMember);
    assert_eq!(new(A::SamePerson), R::Reactivate);
    assert_eq!(new(A::AnotherPerson), R::Replace);
}

#[test]
fn of_two_accounts_with_one_address_the_accepted_one_keeps_it_then_the_older_then_the_lower_name() {
    let ordered = [
        precedence(true, 20, "a-3"),
        precedence(true, 30, "a-1"),
        precedence(false, 10, "a-0"),
        precedence(false, 10, "a-2"),
        precedence(false, 15, "a-0"),
    ];
    assert!(ordered.is_sorted());
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(name in "\\PC{0,24}") {
        let once = normalised(&name);
        prop_assert_eq!(normalised(&once), once);
    }

    #[test]
    fn nobody_takes_an_accepted_account_over_without_equal_names_or_a_restore(
        first in "[ab]?", last in "[ab]?", of_record in ("[ab]?", "[ab]?", "[ab]?"), object in "[xy]", removed in any::<bool>(),
    ) {
        let manifest = names(&object, &first, &last);
        let record = names("x", &of_record.0, &of_record.1);
        let record = if of_record.2.is_empty() { record } else { only(record, &of_record.2) };
        if is_the_same_person(manifest, record, removed) {
            prop_assert!(!differ(manifest.first, record.first) && !differ(manifest.last, record.last));
            let both = [manifest.first, manifest.last, record.first, record.last].iter().all(Option::is_some);
            let one = record.only.is_some() && (manifest.first, manifest.last) == (record.first, record.last)
                && [manifest.first, manifest.last].into_iter().flatten().eq(record.only);
            prop_assert!(both || one || (object == "x" && !removed));
        }
    }

    #[test]
    fn that_a_person_has_one_name_makes_nobody_else_the_same(
        first in "[ab]?", last in "[ab]?", of_record in ("[ab]?", "[ab]?"), confirmed in "[ab]", object in "[xy]", removed in any::<bool>(),
        of_it in any::<bool>(),
    ) {
        let manifest = names(&object, &first, &last);
        let before = names("x", &of_record.0, &of_record.1);
        let record = only(before, &confirmed);
        let is_the_one = [manifest.first, manifest.last].into_iter().flatten().eq([&*confirmed])
            && (manifest.first, manifest.last) == (record.first, record.last);
        // All else is as it is for whoever confirmed two names.
        prop_assert_eq!(is_the_same_person(manifest, record, removed), is_the_same_person(manifest, before, removed) || is_the_one);
        prop_assert_eq!(has_the_whole_name_of(manifest, record), has_the_whole_name_of(manifest, before) || is_the_one);
        let held = comes_back_to_a_held_account(manifest, record, of_it);
        prop_assert_eq!(held, comes_back_to_a_held_account(manifest, before, of_it) || (is_the_one && object == "x"));
        prop_assert_eq!(takes_another_name(manifest, record), takes_another_name(manifest, before));
        for another in [false, true] {
            let namesake = |record| takes_the_place_of_its_namesake(manifest, record, another);
            prop_assert_eq!(namesake(record), namesake(before));
        }
    }
}
