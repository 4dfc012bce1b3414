//! A reply that everybody gets: who is blamed, that the queue stops where it is the relay, and that after the repair everybody is mailed
//! without a person (the last column of docs/reliability.md's table of codes). Never here: a reply that one recipient alone gets.

use jiff::SignedDuration;

use super::relay::named;
use super::table::{Blame, CODES};
use crate::support::smtp::{Answer, Stage};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, condition, staff};

/// Members at two domains of whom nobody was mailed before.
struct Newcomers {
    names: Vec<String>,
}

impl Newcomers {
    fn apply(world: &World, tag: &str) -> Self {
        let names: Vec<String> = (1..=4).map(|number| format!("{tag}-{number}")).collect();
        let manifest = |name: &String| staff(name, &Self::address(name));
        world.apply(&names.iter().map(manifest).collect::<String>());
        Self { names }
    }

    fn address(name: &str) -> String {
        let domain = if name.ends_with(['1', '3']) { "maple.example" } else { "university.example" };
        format!("{name}@{domain}")
    }

    /// Waits until each was put off so often, and nothing else became of them.
    #[track_caller]
    fn are_deferred(&self, world: &World, times: usize) {
        for name in &self.names {
            world.outcomes_are(name, &vec!["Deferred"; times]);
        }
    }

    /// Lets time pass until all are invited, by one mail each: how long the next probe waits depends on whether one was under way when
    /// the relay was repaired.
    #[track_caller]
    fn are_invited(&self, world: &World) {
        for name in &self.names {
            is_invited(world, name);
            assert_eq!(world.relay.mails_to(&Self::address(name)).len(), 1, "{name}");
        }
    }
}

/// Looks until it is so, and lets some minutes pass now and then: not so many that a mail that is under way counts as lost.
#[track_caller]
fn in_time<T, E: std::fmt::Debug>(world: &World, what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let mut looks = 0;
    eventually_ok(PATIENCE * 2, what, || {
        look().inspect_err(|_| {
            looks += 1;
            if looks % 50 == 0 {
                world.clock().advance(SignedDuration::from_mins(5));
            }
        })
    })
}

#[track_caller]
fn is_invited(world: &World, name: &str) {
    in_time(world, name, || {
        let state = world.object("clinicuser", name)["status"]["state"].clone();
        if state == "Invited" { Ok(()) } else { Err(state) }
    });
}

/// `MailerReady` is False, at this stage and with this code.
#[track_caller]
fn the_relay_is_blamed(world: &World, stage: Stage, reply: &str) {
    let told = world.mailer_is("False")["message"].as_str().unwrap_or_default().to_owned();
    let why = format!("failed to deliver at {}: the server answered {reply}.", named(stage));
    assert!(told.contains(&why), "{reply}: {told}");
}

#[test]
fn a_reply_that_everybody_gets_is_blamed_on_the_relay_and_after_the_repair_everybody_is_mailed() {
    let mut world = World::at("everybody", "2027-03-01T12:00:00Z");
    let pass = |world: &World, minutes| world.clock().advance(SignedDuration::from_mins(minutes));
    for (stage, reply, one, all) in CODES {
        if all != Blame::Mailer {
            continue;
        }
        let (code, rest) = reply.split_once(' ').unwrap_or((reply, ""));
        world
            .relay
            .at(stage)
            .answer(Answer::Reply(code.parse().unwrap(), format!("{rest} no").trim_start().to_owned()));
        let tag = format!("{stage:?}-{reply}").to_lowercase().replace([' ', '.'], "-");
        let newcomers = Newcomers::apply(&world, &tag);
        if one == Blame::Undecided && reply.starts_with('4') {
            newcomers.are_deferred(&world, 1);
            pass(&world, 2);
            newcomers.are_deferred(&world, 2);
            assert_eq!(
                condition(&world.object("clinic", "clinic"), "MailerReady").unwrap()["status"],
                "True",
                "{reply}"
            );
            pass(&world, 6);
        }
        the_relay_is_blamed(&world, stage, reply);
        for name in &newcomers.names {
            let is_refused = world.attempts(name).iter().any(|attempt| attempt["outcome"] == "Refused");
            assert!(!is_refused, "{reply}: nobody is Undeliverable");
        }
        world.operator.restart();
        the_relay_is_blamed(&world, stage, reply);
        world.relay.take_everything();
        pass(&world, 10);
        world.mailer_is("True");
        newcomers.are_invited(&world);
        // So the guard of invitations lets the next ones through.
        pass(&world, 61);
    }
}

#[test]
fn a_refusal_of_several_at_one_domain_is_nobodys_yet_and_after_the_repair_they_are_mailed() {
    let mut world = World::at("onedomain", "2027-03-01T12:00:00Z");
    world.relay.at(Stage::RcptTo).reply(550, "no");
    let names: Vec<String> = (1..=4).map(|number| format!("new-{number}")).collect();
    let address = |name: &String| format!("{name}@maple.example");
    world.apply(&names.iter().map(|name| staff(name, &address(name))).collect::<String>());
    let newcomers = Newcomers { names };
    newcomers.are_deferred(&world, 1);
    world.clock().advance(SignedDuration::from_mins(2));
    newcomers.are_deferred(&world, 2);
    world.operator.restart();
    world.mailer_is("True");
    world.relay.take_everything();
    world.clock().advance(SignedDuration::from_mins(10));
    for (name, address) in newcomers.names.iter().map(|name| (name, address(name))) {
        world.member_in("Invited", name);
        assert_eq!(world.relay.mails_to(&address).len(), 1, "{name}");
    }
}

#[test]
fn those_who_are_refused_each_for_themselves_do_not_keep_the_relay_blamed() {
    let mut world = World::at("someofmany", "2027-03-01T12:00:00Z");
    let staff = |name: &str| staff(name, &format!("{name}@maple.example"));
    let refused = ["ana", "cai", "eli"];
    for name in refused {
        world.relay.at(Stage::RcptTo).of(&format!("{name}@maple.example")).reply(550, "5.7.1 blocked by policy");
    }
    let tries =
        |world: &World| refused.map(|name| world.account_of(name)["spec"]["delivery"]["failed"].as_u64().unwrap_or(0));
    let undeliverable =
        |world: &World| refused.map(|name| world.object("clinicuser", name)["status"]["state"] == "Undeliverable");
    // Lets time pass until each was tried again since, or is undeliverable. How long the next probe waits depends on who was tried first.
    let try_again = |world: &World| {
        let before = tries(world);
        world.clock().advance(SignedDuration::from_mins(61));
        in_time(world, "each to be tried again or undeliverable", || {
            let (tries, done) = (tries(world), undeliverable(world));
            if (0..3).all(|one| done[one] || tries[one] > before[one]) { Ok(()) } else { Err((tries, done)) }
        });
        undeliverable(world).into_iter().filter(|is| *is).count()
    };
    for name in refused {
        world.apply(&staff(name));
        world.mailer_is("False");
    }
    assert_eq!(try_again(&world), 0);
    // Each mail that is taken puts one refusal down to its member at most, and however often the others are refused, they are no more
    // than some.
    let mut taken = 0;
    while undeliverable(&world).contains(&false) {
        taken += 1;
        assert!(taken <= 9, "{:?} after {taken} mails were taken", undeliverable(&world));
        let name = format!("bea-{taken}");
        world.apply(&staff(&name));
        world.clock().advance(SignedDuration::from_mins(6));
        is_invited(&world, &name);
        for _ in 0..2 {
            let so_many = try_again(&world);
            assert!(so_many <= taken, "{so_many} after {taken} mails were taken");
        }
        world.mailer_is("True");
        world.operator.restart();
        world.mailer_is("True");
    }
}

#[test]
fn a_relay_that_puts_off_whom_it_does_not_know_yet_is_not_blamed_and_takes_everybody_minutes_later() {
    let world = World::at("greylisting", "2027-03-01T12:00:00Z");
    let newcomers = Newcomers { names: (1..=4).map(|number| format!("new-{number}")).collect() };
    for name in &newcomers.names {
        world.relay.at(Stage::RcptTo).of(&Newcomers::address(name)).times(2).reply(450, "4.2.0 greylisted");
    }
    Newcomers::apply(&world, "new");
    newcomers.are_deferred(&world, 1);
    world.clock().advance(SignedDuration::from_mins(2));
    newcomers.are_deferred(&world, 2);
    world.clock().advance(SignedDuration::from_mins(3));
    newcomers.are_invited(&world);
    for name in &newcomers.names {
        // The relay was never to blame.
        world.outcomes_are(name, &["Deferred", "Deferred", "Sent"]);
    }
}

#[test]
fn who_is_refused_without_a_reason_while_another_is_taken_is_undeliverable_and_who_is_put_off_after_a_day() {
    let mut world = World::at("oneofmany", "2027-03-01T12:00:00Z");
    world.relay.at(Stage::RcptTo).of("ana@maple.example").reply(550, "no such user");
    world.relay.at(Stage::RcptTo).of("cai@maple.example").reply(450, "4.2.0 not now");
    world.apply(&(staff("ana", "ana@maple.example") + &staff("cai", "cai@maple.example")));
    for name in ["ana", "cai"] {
        world.outcomes_are(name, &["Deferred"]);
    }
    world.apply(&staff("bea", "bea@maple.example"));
    world.member_in("Invited", "bea");
    world.operator.restart();
    world.clock().advance(SignedDuration::from_mins(2));
    let ana = world.member_in("Undeliverable", "ana");
    assert_eq!(
        condition(&ana, "Stalled").unwrap()["message"],
        "The mail relay refused the mail to this member again and again (failed to deliver at RCPT TO: the server answered 550), \
         and nothing showed that the relay was to blame. Check the address in the manifest, or ask whoever runs the relay; to try \
         again, set the annotation clinic-operator.dev/resend to a new value."
    );
    world.outcomes_are("cai", &["Deferred", "Deferred"]);
    // Tried once an hour at least, for a day and a bit.
    for tries in 3..=28 {
        world.clock().advance(SignedDuration::from_mins(61));
        let attempts = || world.account_of("cai")["spec"]["delivery"]["failed"].as_u64();
        eventually_ok(PATIENCE, &format!("try {tries}"), || {
            let done = attempts();
            if done >= Some(tries) || world.object("clinicuser", "cai")["status"]["state"] == "Undeliverable" {
                Ok(())
            } else {
                Err(done)
            }
        });
    }
    world.member_in("Undeliverable", "cai");
    assert_eq!(world.mailer_is("True")["status"], "True");
    world.relay.take_everything();
    for name in ["ana", "cai"] {
        world.kubectl(&["annotate", "clinicuser", name, "clinic-operator.dev/resend=again"]);
        world.member_in("Invited", name);
    }
}
