//! How fast the portal lets people in, beside what Argon2 alone allows on the same machine, and how fast it shows pages.
//! Never here: a browser.

use std::time::{Duration, Instant};

use clinic_operator::adapters::passwords::Passwords;
use clinic_operator::adapters::places::Asker;
use secrecy::SecretString;

use super::machine::{Memory, memory, processor_seconds};
use super::members::{clinic, manifests, name};
use super::throughput::{as_number, fast};
use crate::support::control_plane::control_plane;
use crate::support::operator::Operator;
use crate::support::portal::{HOST, Portal, PortalOptions};
use crate::support::smtp::SmtpServer;
use crate::support::visitor::{Form, Visitor};
use crate::support::wait::now;

const PASSWORD: &str = "tall river walks twice";
/// People who sign in at the same time: they keep every thread busy.
const PEOPLE: usize = 16;
/// How long each round counts.
const ROUND: Duration = Duration::from_secs(8);
const ROUNDS: usize = 3;

/// What was measured.
pub(crate) struct Figures {
    /// Sign-ins by the portal, hashes without anything else, in turns.
    pub(crate) sign_ins: Vec<(Rate, Rate)>,
    /// Pages a second: the form of signing in, and the page of whoever is signed in.
    pub(crate) pages: (f64, f64),
    /// Of the portal, after all that.
    pub(crate) memory: Memory,
}

/// How fast something was done, and what it cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) a_second: f64,
    /// Processor time for one, of the process that did it, in milliseconds.
    pub(crate) milliseconds: f64,
}

/// Somebody who has accepted, with the form by which they sign in.
struct Person {
    visitor: Visitor,
    form: Form,
}

/// Measures a portal whose people are all at the door.
pub(crate) fn measure() -> Figures {
    eprintln!("letting {PEOPLE} people in …");
    let namespace = clinic("portal");
    let relay = SmtpServer::start();
    let _operator = Operator::start(&namespace, &relay, fast());
    let quiet =
        PortalOptions { configuration: vec![("/log/level", serde_json::json!("info"))], ..PortalOptions::default() };
    let portal = Portal::start(&namespace, quiet);
    control_plane().kubectl_stdin(&namespace, &["apply", "-f", "-"], &manifests(PEOPLE)).ok();
    let mails = relay.wait_for(PEOPLE, Duration::from_secs(60));
    let people: Vec<Person> = (0..PEOPLE)
        .map(|number| {
            let email = format!("{}@maple.example", name(number));
            let mail = mails.iter().find(|mail| mail.recipients == [email.as_str()]).expect("each is mailed");
            accepted(&portal, &email, &mail.links()[0])
        })
        .collect();
    let mut sign_ins = Vec::new();
    for round in 1..=ROUNDS {
        eprintln!("signing in, round {round} of {ROUNDS} …");
        let let_in = costing(portal.id(), || {
            rate(&people, |person| {
                let answer = person.visitor.clone().submit(&person.form);
                assert_eq!(answer.location().as_deref(), Some("/"), "{}", answer.heading());
            })
        });
        sign_ins.push((let_in, costing(std::process::id(), hashes_alone)));
    }
    eprintln!("showing pages …");
    let form = rate(&people, |person| shows(person, "/sign-in", 303));
    let home = rate(&people, |person| shows(person, "/", 200));
    Figures { sign_ins, pages: (form, home), memory: memory(portal.id()) }
}

fn accepted(portal: &Portal, email: &str, link: &str) -> Person {
    let mut visitor = portal.visitor();
    let path = link.strip_prefix(&format!("https://{HOST}")).expect("the link leads to the portal");
    let form = visitor.get(path).form().without("second_factor");
    let form = form.with("first_name", "Ana").with("last_name", "Silva");
    let answer = visitor.submit(&form.with("password", PASSWORD).with("repeated", PASSWORD));
    assert_eq!(answer.location().as_deref(), Some("/"), "{:?}", answer.faults());
    let mut other = portal.visitor();
    let form = other.get("/sign-in").form().with("email", email).with("password", PASSWORD);
    let answer = other.submit(&form);
    assert_eq!(answer.location().as_deref(), Some("/"), "{}", answer.heading());
    Person { visitor: other, form }
}

fn shows(person: &Person, path: &str, status: u16) {
    assert_eq!(person.visitor.clone().get(path).status, status);
}

/// With what it cost this process.
fn costing(process: u32, act: impl FnOnce() -> f64) -> Rate {
    let (begin, before) = (now(), processor_seconds(process));
    let a_second = act();
    let spent = processor_seconds(process) - before;
    Rate { a_second, milliseconds: spent * 1000.0 / (a_second * begin.elapsed().as_secs_f64()) }
}

/// How often a second everybody together does something.
fn rate(people: &[Person], act: impl Fn(&Person) + Sync) -> f64 {
    let begin = now();
    let count: usize = std::thread::scope(|scope| {
        let act = &act;
        let all: Vec<_> = people.iter().map(|person| scope.spawn(move || repeated(begin, || act(person)))).collect();
        all.into_iter().map(|one| one.join().expect("nobody is refused")).sum()
    });
    as_number(count) / begin.elapsed().as_secs_f64()
}

fn repeated(begin: Instant, act: impl Fn()) -> usize {
    let mut count = 0;
    while begin.elapsed() < ROUND {
        act();
        count += 1;
    }
    count
}

/// Hashes a second by the same threads, with nothing around them.
fn hashes_alone() -> f64 {
    let passwords = Passwords::start().expect("threads");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let asker = Asker { network: std::net::Ipv4Addr::LOCALHOST.into(), known_as: None };
    let begin = now();
    let one = async || {
        let mut count = 0;
        while begin.elapsed() < ROUND {
            let place = passwords.place(asker).expect("there is room");
            passwords.is(place, SecretString::from(PASSWORD), None).await.expect("a hash");
            count += 1;
        }
        count
    };
    let counts = runtime.block_on(futures::future::join_all((0..PEOPLE).map(|_| one())));
    as_number(counts.into_iter().sum()) / begin.elapsed().as_secs_f64()
}
