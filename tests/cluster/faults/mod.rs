//! Every fault of a relay at every stage of the dialogue (docs/reliability.md), by the compiled binary and a scripted server: who is
//! blamed, what the Clinic, the member and the ledger say, that a restart changes nothing of it, and that in the end the
//! member has one mail. Never here: crashes of the operator.

mod everybody;
mod relay;
mod table;

use jiff::SignedDuration;
use serde_json::Value;

use self::relay::{Troubled, named};
use self::table::{Blame, CODES, Fault, STAGES, TABLE, codes_documented, documented};
use crate::secrecy::{ADDRESS, nothing_is_found, outputs};
use crate::support::smtp::{Answer, Stage};
use crate::support::wait::{PATIENCE, eventually_ok, never};
use crate::world::{World, condition, staff};

/// A case: what the server does where, and whose fault that is.
struct Case {
    name: String,
    stage: Stage,
    answer: Answer,
    /// How the failure is told, after its stage.
    what: String,
    blame: Blame,
}

/// What is told about a member whose mail did not leave, and what the ledger keeps of its first attempt.
#[derive(Debug, PartialEq)]
struct Told {
    clinic: Value,
    member: Value,
    attempt: Value,
    not_before: Value,
}

impl Told {
    fn read(world: &World, member: &str) -> Self {
        let clinic = world.object("clinic", "clinic");
        let mut user = world.object("clinicuser", member);
        let account = format!("a-{}", user["metadata"]["uid"].as_str().unwrap());
        // It is not there at once.
        let mut accounts = world.objects("clinicaccounts");
        let mut account = accounts.iter_mut().find(|found| found["metadata"]["name"] == *account);
        let delivery = account.as_mut().map(|account| account["spec"]["delivery"].take()).unwrap_or_default();
        Self {
            clinic: condition(&clinic, "MailerReady").cloned().unwrap_or_default(),
            member: user["status"].take(),
            attempt: delivery["attempts"][0].clone(),
            not_before: delivery["notBefore"].clone(),
        }
    }

    fn message(&self) -> &str {
        let ready = self.member["conditions"].as_array().and_then(|all| all.iter().find(|c| c["type"] == "Ready"));
        ready.and_then(|ready| ready["message"].as_str()).unwrap_or_default()
    }

    /// Whether this is what the blame means: who is told what, and when it is tried again.
    fn is_as(&self, case: &Case) -> bool {
        let failure = format!("failed to deliver at {}: {}", named(case.stage), case.what);
        let (outcome, state, message, mailer) = match case.blame {
            Blame::Mailer => (
                "MailerFailed",
                "Pending",
                "The invitation waits: the mail relay does not take mail. The Clinic's condition".to_owned(),
                format!("The mail relay does not take mail: {failure}. All mails wait"),
            ),
            Blame::Address => ("Refused", "Undeliverable", "The email address was refused (".to_owned(), String::new()),
            Blame::Undecided if self.attempt["code"].as_str().is_some_and(|code| code.starts_with('5')) => {
                let unknown = "which does not tell whether this address or the relay is to blame: check the address; next try at ";
                ("Deferred", "Pending", format!("The invitation was refused ({failure}), {unknown}"), String::new())
            }
            Blame::Nobody | Blame::Undecided => {
                let next = "; next try at ";
                ("Deferred", "Pending", format!("The invitation did not get through ({failure}){next}"), String::new())
            }
            Blame::Unknown => (
                "Sending",
                "Pending",
                "The invitation is on its way to the mail relay, whose answer is not known yet.".to_owned(),
                String::new(),
            ),
            Blame::NobodyOrUnknown => {
                return [Blame::Nobody, Blame::Unknown]
                    .into_iter()
                    .any(|blame| self.is_as(&Case { blame, ..case.copy() }));
            }
            Blame::None => ("Sent", "Invited", "Invited at ".to_owned(), String::new()),
        };
        let mailer_is_ready = if case.blame == Blame::Mailer { "False" } else { "True" };
        let clinic = self.clinic["message"].as_str().unwrap_or_default();
        self.attempt["outcome"] == outcome
            && self.member["state"] == state
            && self.member["invitation"]["round"] == 1
            && self.message().starts_with(&message)
            && self.clinic["status"] == mailer_is_ready
            && (mailer.is_empty() || clinic.starts_with(&mailer))
            && self.is_tried_again_in_time(case.blame)
    }

    fn is_tried_again_in_time(&self, blame: Blame) -> bool {
        let instant = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        match (blame, instant(&self.not_before), instant(&self.attempt["at"])) {
            // A minute from when it was known, and the dialogue before.
            (Blame::Nobody | Blame::Undecided, Some(next), Some(at)) => {
                (60..90).contains(&next.duration_since(at).as_secs())
            }
            (_, next, _) => next.is_none(),
        }
    }
}

impl Case {
    fn copy(&self) -> Self {
        Self { name: self.name.clone(), answer: self.answer.clone(), what: self.what.clone(), ..*self }
    }

    fn address(&self) -> String {
        format!("{ADDRESS}.{}@maple.example", self.name)
    }

    /// Shows the case from the manifest to the mail.
    #[track_caller]
    fn show(&self, troubled: &mut Troubled) {
        let Troubled { world, .. } = troubled;
        let address = self.address();
        // Of two mails in one second nobody can tell later which came first.
        world.clock().advance(SignedDuration::from_secs(2));
        world.relay.at(self.stage).answer(self.answer.clone());
        world.apply(&staff(&self.name, &address));
        let told = eventually_ok(PATIENCE, &format!("{} to be told", self.name), || {
            let told = Told::read(world, &self.name);
            if told.is_as(self) { Ok(told) } else { Err(format!("{told:#?}")) }
        });
        if let Some(counted) = self.counted() {
            eventually_ok(PATIENCE, &format!("{} to be counted", self.name), || {
                let metrics = world.operator.metrics();
                if metrics.contains(&counted) { Ok(()) } else { Err(metrics) }
            });
        }
        troubled.restart();
        assert_eq!(Told::read(&troubled.world, &self.name), told, "{}: a restart changes nothing", self.name);
        self.mend(&troubled.world);
        let world = &troubled.world;
        world.member_in("Invited", &self.name);
        let mails = world.relay.mails_to(&address);
        assert_eq!(mails.len(), 1, "{}: one mail in the end", self.name);
        let attempt = world.account_of(&self.name)["spec"]["delivery"]["attempts"][0].take();
        if self.blame != Blame::Address {
            assert_eq!(mails[0].header("Message-ID").as_deref(), attempt["messageId"].as_str(), "of its first round");
        }
        nothing_is_found(&troubled.secrets(), &outputs(world).0);
    }

    /// What the metrics show of it.
    fn counted(&self) -> Option<String> {
        let (outcome, stage) = match self.blame {
            Blame::Mailer => ("mailer_failed", self.stage),
            Blame::Address => ("refused", self.stage),
            Blame::Nobody | Blame::Undecided => ("deferred", self.stage),
            Blame::Unknown => ("unknown", Stage::AfterDot),
            Blame::NobodyOrUnknown | Blame::None => return None,
        };
        let stage = relay::counted_as(stage);
        Some(format!("clinic_operator_mails_total{{kind=\"invitation\",outcome=\"{outcome}\",stage=\"{stage}\"}}"))
    }

    /// The relay works again, and the time of the next try comes.
    fn mend(&self, world: &World) {
        world.relay.take_everything();
        match self.blame {
            Blame::Mailer => world.clock().advance(SignedDuration::from_mins(5)),
            Blame::Nobody | Blame::Undecided => world.clock().advance(SignedDuration::from_mins(2)),
            Blame::Unknown | Blame::NobodyOrUnknown => world.clock().advance(SignedDuration::from_mins(10)),
            Blame::Address => {
                let connections = world.relay.connections();
                world.clock().advance(SignedDuration::from_hours(2));
                never(SignedDuration::from_secs(3).unsigned_abs(), "another try of a refused address", || {
                    (world.relay.connections() != connections).then(|| world.relay.commands())
                });
                world.kubectl(&["annotate", "clinicuser", &self.name, "clinic-operator.dev/resend=1"]);
            }
            Blame::None => {}
        }
    }
}

/// Shows one fault at every stage.
fn at_every_stage(fault: Fault) {
    let mut troubled = Troubled::new(fault);
    let (_, blames) = TABLE.iter().find(|(of, _)| *of == fault).expect("every fault stands in the table");
    for (stage, blame) in STAGES.into_iter().zip(blames) {
        let name = format!("{stage:?}").to_lowercase();
        let answer = fault.answer(ADDRESS);
        Case { name, stage, answer, what: fault.told().to_owned(), blame: *blame }.show(&mut troubled);
    }
}

#[test]
fn a_refusal_at_every_stage() {
    at_every_stage(Fault::Refusal);
}

#[test]
fn a_temporary_refusal_at_every_stage() {
    at_every_stage(Fault::TemporaryRefusal);
}

#[test]
fn silence_at_every_stage() {
    at_every_stage(Fault::Silence);
}

#[test]
fn a_reply_that_drips_and_never_ends_at_every_stage() {
    at_every_stage(Fault::Drip);
}

#[test]
fn a_lost_connection_at_every_stage() {
    at_every_stage(Fault::LostConnection);
}

#[test]
fn garbage_at_every_stage() {
    at_every_stage(Fault::Garbage);
}

#[test]
fn a_reply_that_comes_late_at_every_stage() {
    at_every_stage(Fault::LateReply);
}

/// The rows of docs/reliability.md that name a code, and those that look alike.
#[test]
fn a_code_is_blamed_as_it_says() {
    let mut troubled = Troubled::new(Fault::Refusal);
    for (stage, reply, blame, _) in CODES {
        let name = format!("{stage:?}-{reply}").to_lowercase().replace([' ', '.'], "-");
        let (code, rest) = reply.split_once(' ').unwrap_or((reply, ""));
        let text = format!("{rest} <{ADDRESS}.{name}@maple.example> said so").trim_start().to_owned();
        let answer = Answer::Reply(code.parse().unwrap(), text);
        let what = format!("the server answered {reply}");
        Case { name, stage, answer, what, blame }.show(&mut troubled);
    }
}

#[test]
fn the_table_of_faults_is_documented_as_it_is_tested() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let text = std::fs::read_to_string(file).unwrap();
    for wanted in [documented(), codes_documented()] {
        assert!(text.contains(&wanted), "docs/reliability.md must have this table:\n\n{wanted}");
    }
}
