//! Invariants I2 and I3 around one mail: the operator is killed at each point between the write-ahead and the outcome, loses the
//! race for the ledger, or learns in between that the mail is no longer right. The points are made by the proxy before the
//! API server and by the scripted relay; the product has no hook for them.

use std::fmt::Write as _;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::crash::{UNTIL_UNKNOWN, behind_a_proxy, invited_in_the_end, nth, one_account_one_claim_and_one_login};
use crate::support::mail::Mail;
use crate::support::operator::OperatorOptions;
use crate::support::proxy::{Fault, Proxy, Which};
use crate::support::smtp::{Answer, SmtpServer, Stage};
use crate::support::wait::{PATIENCE, eventually, eventually_ok, never, now};
use crate::world::{World, staff, torture};

/// Long enough for a mail to leave that should not.
const A_WHILE: std::time::Duration = std::time::Duration::from_secs(2);

/// Where the operator stands when it is killed.
#[derive(Clone)]
enum Point {
    /// At a write to the ledger: so many come before, and what happens to it.
    Ledger(usize, Fault),
    /// Waiting for what the relay does at a stage.
    Relay(Stage, Answer),
}

/// Each point between two steps of a mail, and how often the mail then arrives in all: the table of docs/reliability.md.
fn points() -> Vec<(&'static str, Point, usize)> {
    let silence = || Answer::Silence;
    vec![
        ("before the attempt is written", Point::Ledger(0, Fault::Hold), 1),
        ("the attempt is written", Point::Ledger(0, Fault::HoldAnswer), 1),
        ("connected", Point::Relay(Stage::Greeting, silence()), 1),
        ("EHLO sent", Point::Relay(Stage::Ehlo, silence()), 1),
        ("MAIL sent", Point::Relay(Stage::MailFrom, silence()), 1),
        ("RCPT sent", Point::Relay(Stage::RcptTo, silence()), 1),
        ("DATA sent", Point::Relay(Stage::Data, silence()), 1),
        ("the message sent", Point::Relay(Stage::Content, silence()), 1),
        ("the dot sent, the mail not taken", Point::Relay(Stage::AfterDot, silence()), 1),
        ("the dot sent, the mail taken", Point::Relay(Stage::AfterDot, Answer::TakeThen(Box::new(silence()))), 2),
        ("250 read", Point::Ledger(1, Fault::Hold), 2),
        ("the outcome is written", Point::Ledger(1, Fault::HoldAnswer), 1),
    ]
}

/// The table as docs/reliability.md has it.
fn documented() -> String {
    let mut text = String::from("| Killed when | Mails that arrive in all |\n|---|---|\n");
    for (point, _, arrives) in points() {
        let mails = if arrives == 1 { "1" } else { "2: nobody can know, so a copy follows after 10 minutes" };
        writeln!(text, "| {point} | {mails} |").unwrap();
    }
    text
}

fn write_to_the_ledger(after: usize) -> Which {
    nth("PATCH", &["/clinicaccounts/"], after)
}

/// A mail as its reader sees it, without what must differ: who it is for, the link, times and the account.
fn in_general(mail: &Mail, member: &str) -> Vec<String> {
    let links = mail.links();
    assert_eq!(links.len(), 1, "one link, the same in both parts");
    let (_, code) = links[0].split_once('#').expect("a link has a code");
    let general = |text: String| {
        let text = text.replace(&links[0], "LINK").replace(code, "CODE").replace(member, "MEMBER");
        text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>()
    };
    let message_id = mail.header("Message-ID").unwrap();
    // `<account.round.digits@domain>`, where the digits are of the link.
    let (named, domain) = message_id.split_once('@').unwrap();
    let parts: Vec<&str> = named.split('.').collect();
    let [account, round, digits] = parts[..] else { panic!("{message_id}") };
    assert!(account.starts_with("<a-") && digits.len() == 16, "{message_id}");
    let envelope = format!("{} {:?}", mail.sender, mail.recipients);
    [envelope, mail.subject(), mail.text(), mail.html(), format!("{round}@{domain}")].map(general).to_vec()
}

/// The mails to the member: copies of one mail, each the same but for its link and how long that works.
#[track_caller]
fn copies(world: &World, member: &str) -> Vec<Mail> {
    let mails = world.relay.mails_to(&format!("{member}@maple.example"));
    for header in ["Message-ID", "Date", "To", "From", "Subject"] {
        let values: Vec<_> = mails.iter().map(|mail| mail.header(header)).collect();
        assert!(values.windows(2).all(|two| two[0] == two[1] && two[0].is_some()), "{member} {header}: {values:?}");
    }
    let links: std::collections::BTreeSet<_> = mails.iter().map(Mail::links).collect();
    assert_eq!(links.len(), mails.len(), "{member}: each copy has a link of its own");
    mails
}

/// Kills the operator at the point, starts it again, and waits for the end of it.
#[track_caller]
fn killed_at(world: &mut World, proxy: &Proxy, point: &Point, member: &str) {
    let before = world.relay.happened();
    match point {
        Point::Ledger(after, fault) => proxy.fault(write_to_the_ledger(*after), *fault),
        Point::Relay(stage, answer) => world.relay.at(*stage).answer(answer.clone()),
    }
    world.apply(&staff(member, &format!("{member}@maple.example")));
    eventually(PATIENCE, &format!("the point {member}"), || {
        (proxy.happened() + world.relay.happened() > before).then_some(())
    });
    world.operator.kill();
    let arrived = world.relay.mails().len();
    let unknown = world.attempts(member).iter().any(|attempt| attempt["outcome"] == "Sending");
    proxy.mend();
    world.relay.take_everything();
    world.operator.restart();
    if unknown {
        never(A_WHILE, "a copy while the outcome may still be unknown", || {
            (world.relay.mails().len() != arrived).then(|| world.relay.commands())
        });
    }
    invited_in_the_end(world, member);
}

#[test]
fn killed_at_any_point_of_a_mail_it_sends_what_it_would_have_sent_and_at_most_one_more_copy() {
    let (mut world, proxy) = behind_a_proxy("killed");
    world.apply(&staff("undisturbed", "undisturbed@maple.example"));
    world.member_in("Invited", "undisturbed");
    let undisturbed = in_general(&copies(&world, "undisturbed")[0], "undisturbed");
    for (name, point, arrives) in points() {
        // The link of each copy is tried.
        for used in 0..arrives {
            let member = format!("{}-{used}", name.replace(", ", " ").replace(' ', "-").to_lowercase());
            killed_at(&mut world, &proxy, &point, &member);
            let copies = copies(&world, &member);
            assert_eq!(copies.len(), arrives, "{member}");
            for copy in &copies {
                assert_eq!(in_general(copy, &member), undisturbed, "{member}");
            }
            one_account_one_claim_and_one_login(&world, &member, &format!("{member}@maple.example"));
            world.accept(&copies[used], "Ana", "Silva").expect("every copy's link works");
            world.member_in("Active", &member);
        }
    }
    assert_eq!(world.relay.mails_to("undisturbed@maple.example").len(), 1);
}

#[test]
fn the_points_of_a_kill_are_documented_as_they_are_tested() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let (text, wanted) = (std::fs::read_to_string(file).unwrap(), documented());
    assert!(text.contains(&wanted), "docs/reliability.md must have this table:\n\n{wanted}");
}

#[test]
fn a_write_ahead_on_a_record_that_has_changed_sends_nothing() {
    let (world, proxy) = behind_a_proxy("outrun");
    proxy.fault(write_to_the_ledger(0), Fault::Pause);
    let ana = staff("ana", "ana@maple.example");
    world.apply(&ana);
    eventually(PATIENCE, "the write-ahead to wait", || (proxy.happened() > 0).then_some(()));
    world.apply(&ana.replace("type: Staff", "type: Staff, suspended: true"));
    eventually(PATIENCE, "the other writer to be first", || {
        (world.account_of("ana")["spec"]["desired"]["suspended"] == true).then_some(())
    });
    proxy.mend();
    eventually_ok(PATIENCE, "the write-ahead to be refused", || {
        let writes = world.operators_writes();
        let stale = |write: &crate::support::control_plane::AuditRecord| {
            write.resource == "clinicaccounts" && write.code == 409
        };
        if writes.iter().any(stale) { Ok(()) } else { Err(writes) }
    });
    world.member_in("Suspended", "ana");
    never(A_WHILE, "a mail without its attempt", || (world.relay.connections() > 0).then(|| world.relay.commands()));
    assert_eq!(world.attempts("ana"), Vec::<Value>::new());
    world.apply(&ana);
    world.member_in("Invited", "ana");
    assert_eq!(world.relay.mails().len(), 1);
}

#[test]
fn who_is_suspended_between_the_write_ahead_and_the_mail_is_not_mailed() {
    let (world, proxy) = behind_a_proxy("changed");
    proxy.fault(write_to_the_ledger(0), Fault::PauseAnswer);
    let ana = staff("ana", "ana@maple.example");
    world.apply(&ana);
    world.outcomes_are("ana", &["Sending"]);
    world.apply(&ana.replace("type: Staff", "type: Staff, suspended: true"));
    world.member_in("Suspended", "ana");
    proxy.mend();
    world.outcomes_are("ana", &["Dropped"]);
    assert_eq!(world.relay.connections(), 0, "it was looked at again before the relay was called");
    world.apply(&ana);
    let attempts = world.outcomes_are("ana", &["Dropped", "Sent"]);
    assert_eq!(attempts[0]["messageId"], attempts[1]["messageId"], "it is still the first mail to her");
    assert_eq!(world.relay.mails().len(), 1);
}

#[test]
fn a_write_ahead_that_took_longer_than_a_minute_sends_nothing_and_is_made_anew() {
    let (world, proxy) = behind_a_proxy("stalewrite");
    proxy.fault(write_to_the_ledger(0), Fault::PauseAnswer);
    world.apply(&staff("ana", "ana@maple.example"));
    world.outcomes_are("ana", &["Sending"]);
    world.clock().advance(SignedDuration::from_secs(61));
    proxy.mend();
    world.outcomes_are("ana", &["Dropped", "Sent"]);
    assert_eq!((world.relay.connections(), world.relay.mails().len()), (1, 1));
    world.accept(&world.relay.mails()[0], "Ana", "Silva").expect("the link works");
}

#[test]
fn a_250_that_comes_too_late_counts_as_unknown_and_both_copies_are_good() {
    let options = OperatorOptions {
        configuration: vec![("/mail/timeoutSeconds", json!(1))], // and two for the answer to a whole mail
        ..OperatorOptions::default()
    };
    let world = World::at_with("late", "2027-03-01T12:00:00Z", SmtpServer::start(), options);
    for (used, name) in ["ana", "bea"].into_iter().enumerate() {
        let address = format!("{name}@maple.example");
        world.relay.at(Stage::AfterDot).of(&address).times(1).delay(std::time::Duration::from_secs(4));
        world.apply(&staff(name, &address));
        world.member_told(name, "whose answer is not known yet");
        eventually(PATIENCE, "the relay to take it", || (world.relay.mails_to(&address).len() == 1).then_some(()));
        world.outcomes_are(name, &["Sending"]);
        world.clock().advance(UNTIL_UNKNOWN);
        world.outcomes_are(name, &["Sending", "Sent"]);
        let copies = copies(&world, name);
        assert_eq!(copies.len(), 2);
        world.accept(&copies[used], "Ana", "Silva").expect("every copy's link works");
    }
}

#[test]
fn an_unknown_outcome_is_followed_by_two_copies_at_most_and_then_by_a_person() {
    let (mut world, _proxy) = behind_a_proxy("unknown");
    let lost = || world.relay.at(Stage::AfterDot).of("ana@maple.example").take_then_drop();
    lost();
    world.apply(&staff("ana", "ana@maple.example"));
    for known in 1..=3 {
        world.outcomes_are("ana", &["Sending", "Sending", "Sending"][..known]);
        world.relay.wait_for(known, PATIENCE);
        world.operator.restart();
        world.clock().advance(UNTIL_UNKNOWN - SignedDuration::from_secs(30));
        never(A_WHILE, "a copy before its time", || {
            (world.relay.mails().len() > known).then(|| world.relay.commands())
        });
        world.clock().advance(SignedDuration::from_secs(30));
    }
    let told = world.member_in("DeliveryUnknown", "ana");
    assert_eq!(crate::world::condition(&told, "Stalled").unwrap()["status"], "True");
    let mails = copies(&world, "ana");
    assert_eq!(mails.len(), 3);
    // Each may have been read; a resend ends them all.
    world.relay.take_everything();
    world.kubectl(&["annotate", "clinicuser", "ana", "clinic-operator.dev/resend=1"]);
    world.member_in("Invited", "ana");
    let newest = world.relay.mails_to("ana@maple.example").pop().unwrap();
    assert_ne!(newest.header("Message-ID"), mails[0].header("Message-ID"));
    assert!(world.accept(&mails[0], "Ana", "Silva").is_err(), "an earlier round's link is dead");
    world.accept(&newest, "Ana", "Silva").expect("the new link works");
}

/// Kills at instants that nobody chose, while mails leave.
#[test]
fn killed_again_and_again_while_mails_leave_everybody_has_one_mail_or_copies_of_it() {
    let (mut world, _proxy) = behind_a_proxy("again");
    let (members, kills) = (30 * torture(), 6 * torture());
    let names: Vec<String> = (0..members).map(|number| format!("member-{number:03}")).collect();
    world.relay.at(Stage::RcptTo).delay(std::time::Duration::from_millis(40));
    world.apply(&names.iter().map(|name| staff(name, &format!("{name}@maple.example"))).collect::<String>());
    for kill in 1..=kills {
        let mailed = world.relay.mails().len();
        let wanted = members.min(mailed + 1 + members / (2 * kills));
        let started = now();
        // A kill more often than there are mails left would end nothing new.
        eventually(PATIENCE, "some more mails", || {
            (world.relay.mails().len() >= wanted || started.elapsed() > A_WHILE).then_some(())
        });
        world.operator.restart();
        if torture() > 1 {
            println!("killed {kill} of {kills} times, {} mails", world.relay.mails().len());
        }
    }
    world.relay.take_everything();
    world.clock().advance(UNTIL_UNKNOWN);
    for name in &names {
        invited_in_the_end(&world, name);
        let copies = copies(&world, name);
        let attempts = world.attempts(name).len();
        assert!((1..=attempts).contains(&copies.len()), "{name}: {} mails of {attempts} attempts", copies.len());
        let last = copies.last().unwrap();
        world.accept(last, "Ana", "Silva").expect("the link works");
    }
    assert_eq!(world.names("clinicaccounts").len(), members);
}
