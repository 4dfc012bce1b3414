//! One address, one account (I1), when everybody comes at once: many manifests with one address in different case, and two
//! operators that know nothing of each other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::control_plane::control_plane;
use crate::support::operator::Operator;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, condition, staff};

const ROUNDS: usize = 20;
const AT_ONCE: usize = 32;

/// `ana@maple.example` in the case of the number's bits.
fn in_some_case(address: &str, number: usize) -> String {
    let letter = |(index, letter): (usize, char)| {
        if number >> (index % 5) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
    };
    address.chars().enumerate().map(letter).collect()
}

/// Creates these manifests from many connections at once.
fn create_all_at_once(world: &World, manifests: &[String]) {
    std::thread::scope(|scope| {
        for share in manifests.chunks(manifests.len().div_ceil(8)) {
            scope.spawn(move || {
                let list = share.concat();
                control_plane().kubectl_stdin(&world.namespace, &["create", "-f", "-"], &list).ok();
            });
        }
    });
}

#[test]
fn of_32_manifests_with_one_address_one_is_invited_and_31_are_told_by_whom_in_twenty_rounds_and_with_two_operators() {
    let world = World::new("unique");
    // As a roll-out that goes wrong would: no lease, one identity, two caches.
    let _second = Operator::start_another(&world.operator, &world.relay);
    let address = |round: usize| format!("shared{round}@maple.example");
    let name = |round: usize, number: usize| format!("m{round}-{number}");
    for half in [0..ROUNDS / 2, ROUNDS / 2..ROUNDS] {
        let one_round = |round: usize| (0..AT_ONCE).map(move |number| (round, number));
        let mut manifests: Vec<String> = half
            .clone()
            .flat_map(one_round)
            .map(|(round, number)| staff(&name(round, number), &in_some_case(&address(round), number)))
            .collect();
        // Neighbours with one address go to different connections.
        manifests
            .sort_by_key(|manifest| manifest.len() * 31 % 7 + manifest.bytes().map(usize::from).sum::<usize>() % 97);
        create_all_at_once(&world, &manifests);
    }
    let users = eventually_ok(2 * PATIENCE, "everybody to be invited or in conflict", || {
        let users = world.objects("clinicusers");
        let waiting = users.iter().filter(|user| {
            let state = &user["status"]["state"];
            state != "Invited" && state != "EmailConflict"
        });
        match (waiting.count(), users.len()) {
            (0, found) if found == ROUNDS * AT_ONCE => Ok(users),
            (waiting, found) => Err(format!("{waiting} of {found} wait")),
        }
    });
    let mut winners: BTreeMap<String, String> = BTreeMap::new();
    for user in users.iter().filter(|user| user["status"]["state"] == "Invited") {
        let key = user["spec"]["email"].as_str().unwrap().to_lowercase();
        let other = winners.insert(key, user["metadata"]["name"].as_str().unwrap().to_owned());
        assert_eq!(other, None, "two members have one address");
    }
    assert_eq!(winners.len(), ROUNDS);
    for user in users.iter().filter(|user| user["status"]["state"] == "EmailConflict") {
        let winner = &winners[&user["spec"]["email"].as_str().unwrap().to_lowercase()];
        let told = condition(user, "Stalled").unwrap()["message"].as_str().unwrap();
        assert!(told.contains(&format!("ClinicUser \"{winner}\"")), "{told}");
    }
    assert_eq!((world.objects("clinicaccounts").len(), world.objects("emailclaims").len()), (ROUNDS, ROUNDS));
    let mails = world.relay.wait_for(ROUNDS, PATIENCE);
    let to: BTreeSet<String> = mails.iter().map(|mail| mail.recipients[0].to_lowercase()).collect();
    assert_eq!((to.len(), world.relay.mails().len()), (ROUNDS, ROUNDS), "each address is mailed once");

    // The winner goes: of the 31 who wait one goes on by itself, woken by nothing but that (the safety net comes only every
    // hour, which is longer than this test waits).
    let gone = &winners[&address(0)];
    world.kubectl(&["delete", "clinicuser", gone]);
    let waiting = users.iter().filter(|user| {
        user["spec"]["email"].as_str().unwrap().to_lowercase() == address(0)
            && user["metadata"]["name"] != gone.as_str()
    });
    let names: Vec<&str> = waiting.map(|user| user["metadata"]["name"].as_str().unwrap()).collect();
    eventually_ok(PATIENCE, "one of those who wait to be invited", || {
        let states: Vec<Value> =
            names.iter().map(|name| world.object("clinicuser", name)["status"]["state"].clone()).collect();
        let invited = states.iter().filter(|state| **state == "Invited").count();
        if invited == 1 { Ok(()) } else { Err(json!(states)) }
    });
    assert_eq!(world.relay.wait_for(ROUNDS + 1, PATIENCE).len(), ROUNDS + 1);
    // Another one's address is edited.
    let moves = &winners[&address(1)];
    world.apply(&staff(moves, "elsewhere@maple.example"));
    world.member_in("Invited", moves);
    world.relay.wait_for(ROUNDS + 3, PATIENCE);
    assert_eq!(world.objects("emailclaims").len(), ROUNDS + 1);
}
