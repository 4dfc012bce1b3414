//! Accepting an invitation on a real API server, through the library function that the portal's page will call: one guarded
//! write, whatever others write at the same time. Which link works when is a table in `domain::acceptance`.

use clinic_operator::adapters::clock::Clock;
use clinic_operator::domain::acceptance::{Refusal, parse_code};
use clinic_operator::domain::invitation::Token;
use clinic_operator::portal::acceptance::{AcceptError, accept};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::control_plane::control_plane;
use crate::support::wait::PATIENCE;
use crate::world::{TERMS, World, confirmed, staff};

/// Account and token of the last link that was mailed.
fn last_link(world: &World) -> (String, Token) {
    let mails = world.relay.mails();
    let links = mails.last().unwrap().links();
    let (account, token) = parse_code(links[0].rsplit_once('#').unwrap().1).unwrap();
    (account.to_owned(), token)
}

#[test]
fn a_link_that_nobody_mailed_gets_the_same_answer_whatever_it_names() {
    let world = World::new("forged");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    let (account, token) = last_link(&world);
    let nobodys = "a-00000000-0000-4000-8000-000000000000";
    let of_the_status = format!("{account}/status");
    world.with_accounts(async |stores| {
        for (account, token) in [
            (account.as_str(), &Token::presented("guess")),
            (account.as_str(), &Token::presented("")),
            (nobodys, &token),
            (of_the_status.as_str(), &token),
            ("../clinics/clinic", &token),
            ("", &token),
        ] {
            let answer = accept(&stores, account, token, &confirmed("Eve", "Doe"), &TERMS, || Clock.now()).await;
            assert!(matches!(answer, Err(AcceptError::Refused(Refusal::Unknown))), "{account:?}: {answer:?}");
        }
    });
    assert_eq!(world.account_of("ana")["spec"]["acceptance"], Value::Null);
}

#[test]
fn of_many_who_accept_by_one_link_at_once_one_is_recorded() {
    let world = World::new("at-once");
    let stale = || {
        let mut writes = control_plane().audit(&world.namespace);
        writes.retain(|write| {
            let portal = world.namespace.portal();
            (write.user.as_str(), write.resource.as_str(), write.code) == (portal.as_str(), "clinicaccounts", 409)
        });
        writes.len()
    };
    // Until some have met: on a busy machine the first may be through before the others have read.
    for round in 0..10 {
        many_accept_by_one_link_at_once(&world, &format!("ana-{round}"));
        if stale() > 0 {
            return;
        }
    }
    panic!("no write was refused as stale: they never met, or nothing guards the write");
}

fn many_accept_by_one_link_at_once(world: &World, member: &str) {
    world.apply(&staff(member, &format!("{member}@Maple.example")));
    world.member_in("Invited", member);
    let (account, token) = last_link(world);
    let people = ["Ana", "Bea", "Cai", "Dev", "Eva", "Fay", "Gil", "Hal"].map(|name| confirmed(name, "Silva"));
    let mut answers = world.with_accounts(async |stores| {
        join_all(people.iter().map(|person| accept(&stores, &account, &token, person, &TERMS, || Clock.now()))).await
    });
    answers.sort_by_key(Result::is_err);
    let recorded = answers.remove(0).expect("one of them is accepted").account.spec.acceptance.unwrap();
    for answer in answers {
        assert!(matches!(answer, Err(AcceptError::Refused(Refusal::AlreadyAccepted))), "{answer:?}");
    }
    let record = world.account_of(member);
    assert_eq!(record["spec"]["acceptance"], serde_json::to_value(&recorded).unwrap());
    assert_eq!(*recorded.login, format!("{member}@Maple.example"));
    world.member_in("Active", member);
}

#[test]
fn a_link_dies_with_its_address_and_its_holder() {
    let world = World::new("links");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    world.apply(&staff("ana", "ana@river.example"));
    let mails = world.relay.wait_for(2, PATIENCE);
    let refused = world.accept(&mails[0], "Ana", "Silva").unwrap_err();
    assert!(matches!(refused, AcceptError::Refused(Refusal::Replaced)), "{refused}");
    let suspend = |suspended: bool| {
        let patch = json!({"spec": {"suspended": suspended}}).to_string();
        world.kubectl(&["patch", "clinicuser", "ana", "--type=merge", "-p", &patch]);
    };
    suspend(true);
    world.member_in("Suspended", "ana");
    let refused = world.accept(&mails[1], "Ana", "Silva").unwrap_err();
    assert!(matches!(refused, AcceptError::Refused(Refusal::Suspended)), "{refused}");
    suspend(false);
    world.member_in("Invited", "ana");
    assert_eq!(&*world.accept(&mails[1], "Ana", "Silva").unwrap().login, "ana@river.example");
    world.member_in("Active", "ana");
}
