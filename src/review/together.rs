//! The manifests of one clinic together: who is there twice, who is probably there twice, who names nobody, and whose time is
//! over. What one manifest says by itself never lives here.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use jiff::Timestamp;

use crate::adapters::manifests::Place;
use crate::adapters::output::unless_an_address;
use crate::api::check::alike;
use crate::domain::calendar::ClinicZone;
use crate::review::manifest::{CLINIC_USER, Is, Manifest, User};
use crate::review::remark::Remark;
use crate::review::tree::Placed;

/// Names of nobody for which a like one is looked for, each among all names.
const MOST_SUGGESTED: usize = 100;

/// A person among them, by the position of their manifest.
struct Person<'a> {
    index: usize,
    placed: &'a Placed<'a>,
    user: &'a User,
}

/// Looks at all manifests of one clinic. Each remark is about the manifest of that position.
pub(super) fn look(manifests: &[Placed<'_>], now: Timestamp) -> Vec<(usize, Remark)> {
    let people: Vec<_> = manifests.iter().enumerate().filter_map(|(index, placed)| person(index, placed)).collect();
    let zone = manifests.iter().find_map(|placed| match &placed.manifest.is {
        Is::Clinic(clinic) => clinic.zone.clone(),
        Is::User(_) | Is::ServiceAccount(_) | Is::Nothing => None,
    });
    let mut remarks = objects_twice(manifests);
    remarks.extend(addresses_twice(&people));
    remarks.extend(people_probably_twice(&people));
    remarks.extend(without_both_names(&people));
    remarks.extend(names_of_nobody(&people, manifests));
    remarks.extend(training_that_is_over(&people, zone.or_else(ClinicZone::last_of_all).as_ref(), now));
    remarks
}

fn person<'a>(index: usize, placed: &'a Placed<'a>) -> Option<Person<'a>> {
    match &placed.manifest.is {
        Is::User(user) => Some(Person { index, placed, user }),
        Is::ServiceAccount(_) | Is::Clinic(..) | Is::Nothing => None,
    }
}

/// Each manifest of an object that another before it is of, and the first.
pub(super) fn named_twice(manifests: &[Placed<'_>]) -> Vec<(usize, usize)> {
    let key = |placed: &Placed<'_>| {
        let Manifest { kind, name, .. } = placed.manifest;
        (!name.is_empty()).then(|| (kind.clone(), name.clone()))
    };
    repeated(manifests, key)
}

fn objects_twice(manifests: &[Placed<'_>]) -> Vec<(usize, Remark)> {
    let remark = |(second, first): (usize, usize)| {
        let (second_at, first) = (manifests[second].manifest.at, &manifests[first]);
        let message = format!(
            "there is a {} of this name already ({}), and of two only the last would count: give one another name, or remove it",
            unless_an_address(&first.manifest.kind),
            place(first, first.manifest.at)
        );
        (second, Remark::error(second_at, "metadata.name", message))
    };
    named_twice(manifests).into_iter().map(remark).collect()
}

fn addresses_twice(people: &[Person<'_>]) -> Vec<(usize, Remark)> {
    let remark = |(second, first): (usize, usize)| {
        let message = format!(
            "{} has this address already, and an address is one person's username: give one of the two another",
            called(&people[first], people[first].user.email_at)
        );
        (people[second].index, Remark::error(people[second].user.email_at, "spec.email", message))
    };
    let pairs = repeated(people, |person| Some(person.user.key.clone()));
    // Two manifests of one object are told that already.
    let of_two_objects = |(second, first): &(usize, usize)| name(&people[*second]) != name(&people[*first]);
    pairs.into_iter().filter(of_two_objects).map(remark).collect()
}

fn people_probably_twice(people: &[Person<'_>]) -> Vec<(usize, Remark)> {
    let may_differ = |(second, first): &(usize, usize)| {
        people[*second].user.key != people[*first].user.key && name(&people[*second]) != name(&people[*first])
    };
    let by_address = repeated(people, |person| Some(person.user.untagged.clone())).into_iter().filter(may_differ);
    let by_address = by_address.map(|(second, first)| {
        let message = format!(
            "{} has the same address but for what follows a +: is it one person twice?",
            called(&people[first], people[first].user.email_at)
        );
        (people[second].index, Remark::warning(people[second].user.email_at, "spec.email", message))
    });
    let by_name = repeated(people, |person| person.user.names.clone()).into_iter().filter(may_differ);
    let by_name = by_name.map(|(second, first)| {
        let first = &people[first];
        let message =
            format!("{} has the same first and last name: is it one person twice?", called(first, first.user.names_at));
        (people[second].index, Remark::warning(people[second].user.names_at, "spec.lastName", message))
    });
    by_address.chain(by_name).collect()
}

/// One warning for all of a clinic: most clinics give the names of everybody or of nobody.
fn without_both_names(people: &[Person<'_>]) -> Option<(usize, Remark)> {
    let mut nameless = people.iter().filter(|person| person.user.names.is_none());
    let first = nameless.next()?;
    let others = match nameless.count() {
        0 => String::new(),
        1 => ", as of 1 other member here".to_owned(),
        many => format!(", as of {many} other members here"),
    };
    let message = format!(
        "firstName or lastName is missing{others}: with both, a manifest that was removed and comes back is known for the same person; with one it is only if the person confirmed at the portal that they have no other, else it waits for a decision (FormerMember)"
    );
    Some((first.index, Remark::warning(first.user.email_at, "spec", message)))
}

fn names_of_nobody(people: &[Person<'_>], manifests: &[Placed<'_>]) -> Vec<(usize, Remark)> {
    // Somebody whose manifest has an error is there all the same.
    let is_user = |placed: &&Placed<'_>| placed.manifest.kind == CLINIC_USER;
    let names: Vec<&str> = manifests.iter().filter(is_user).map(|placed| placed.manifest.name.as_str()).collect();
    let known: HashSet<&str> = names.iter().copied().collect();
    let mut suggested = HashMap::new();
    let mut remarks = Vec::new();
    for person in people {
        let nobody = person.user.refers.iter().filter(|(_, _, to)| !known.contains(to.as_str()));
        for (path, at, to) in nobody {
            let may_suggest = suggested.len() < MOST_SUGGESTED;
            let meant = suggested.get(to).copied().unwrap_or_else(|| {
                let others = names.iter().copied().filter(|name| !name.contains('@'));
                let meant = may_suggest.then(|| alike(to, others)).flatten();
                if may_suggest {
                    suggested.insert(to, meant);
                }
                meant
            });
            let message = match meant {
                Some(meant) => {
                    format!("no ClinicUser of those that were checked has this metadata.name: did you mean {meant}?")
                }
                None => "no ClinicUser of those that were checked has this metadata.name".to_owned(),
            };
            remarks.push((person.index, Remark::warning(*at, path.to_string(), message)));
        }
    }
    remarks
}

fn training_that_is_over(people: &[Person<'_>], zone: Option<&ClinicZone>, now: Timestamp) -> Vec<(usize, Remark)> {
    let Some(zone) = zone else { return Vec::new() };
    let remark = |person: &Person<'_>| {
        let (at, end) = person.user.training_ends?;
        let access_ends = zone.access_ends(end)?;
        let last_day = zone.last_day(access_ends);
        let message = if access_ends <= now {
            format!("this day is over, and access ended after {last_day}: write a later day, or remove the manifest")
        } else if end < zone.day(now) {
            format!("this day is over, and access ends after {last_day}: write a later day if the training goes on")
        } else {
            return None;
        };
        Some((person.index, Remark::warning(at, "spec.expectedEndOfTraining", message)))
    };
    people.iter().filter_map(remark).collect()
}

/// Each item that has the key of one before it, and the first that has it.
fn repeated<T, K: Hash + Eq>(items: &[T], key: impl Fn(&T) -> Option<K>) -> Vec<(usize, usize)> {
    let mut firsts = HashMap::new();
    let mut pairs = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(key) = key(item) else { continue };
        match firsts.entry(key) {
            Entry::Occupied(first) => pairs.push((index, *first.get())),
            Entry::Vacant(free) => drop(free.insert(index)),
        }
    }
    pairs
}

fn name<'a>(person: &'a Person<'_>) -> &'a str {
    &person.placed.manifest.name
}

/// A person as another is told of them: by name and place, never by address.
fn called(person: &Person<'_>, at: Place) -> String {
    format!("{} ({})", name(person), place(person.placed, at))
}

fn place(placed: &Placed<'_>, at: Place) -> String {
    format!("{}:{}", placed.piece.file, at.line)
}
