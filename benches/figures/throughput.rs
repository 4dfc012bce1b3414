//! How much the API server has to do for a new member, and how fast the operator gets there beside a client that decides
//! nothing and only makes the same six writes. Never here: memory.

use std::collections::BTreeMap;
use std::time::Duration;

use clinic_operator::adapters::mail::{EhloName, Limits, Relay, TlsMode, deliver};
use clinic_operator::api::{CLINIC_NAME, Clinic, ClinicAccount, ClinicUser, EmailClaim};
use k8s_openapi::api::core::v1::Event;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::audit::{by_kind, seconds, writes};
use super::machine::processor_seconds;
use super::members::{Record, WORKERS, client, clinic, create, for_each, manifests};
use crate::support::control_plane::{Namespace, control_plane};
use crate::support::operator::{Operator, OperatorOptions, Prepared};
use crate::support::smtp::SmtpServer;
use crate::support::wait::now;

/// Members whose writes are counted one by one.
const COUNTED: usize = 25;
/// Members of a race.
const RACERS: usize = 500;
/// Races, each of the operator and then of the raw client.
const ROUNDS: usize = 3;
/// For what takes seconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(120);

/// An operator whose mails nothing holds back.
pub(crate) fn fast() -> OperatorOptions {
    OperatorOptions {
        configuration: vec![("/mail/mailsPerMinute", json!(6_000_000)), ("/mail/connections", json!(WORKERS))],
        ..OperatorOptions::default()
    }
}

/// Applies members while the operator runs; the writes of each kind, and a record to copy.
pub(crate) async fn count_writes(administrator: &Client) -> (BTreeMap<String, usize>, Record) {
    eprintln!("counting the writes for {COUNTED} members …");
    let namespace = clinic("writes");
    let relay = SmtpServer::start();
    let _operator = Operator::start(&namespace, &relay, fast());
    control_plane().kubectl_stdin(&namespace, &["apply", "-f", "-"], &manifests(COUNTED)).ok();
    wait_until_invited(administrator, &namespace, COUNTED).await;
    (by_kind(&writes(&namespace)), Record::read(&namespace))
}

/// Members are counted in a whole multiple of the writes, or not at all.
pub(crate) fn per_member(count: usize) -> String {
    if count.is_multiple_of(COUNTED) { (count / COUNTED).to_string() } else { format!("{count}/{COUNTED}") }
}

/// Members of a race.
pub(crate) fn racers() -> f64 {
    as_number(RACERS)
}

/// A count to divide by.
pub(crate) fn as_number(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("less than four billion"))
}

/// One side of a race.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Members invited a second, from the first request of the API server's log to the last answer.
    pub(crate) members_a_second: f64,
    /// All writes of members' objects.
    pub(crate) writes: usize,
    /// Processor seconds of the operator, from its start; 0 for the raw client.
    pub(crate) processor: f64,
}

/// The operator and the raw client in turns.
pub(crate) async fn race(administrator: &Client, record: &Record) -> Vec<(Run, Run)> {
    let mut runs = Vec::new();
    for round in 1..=ROUNDS {
        let operator = operator_run(administrator).await;
        let raw = raw_run(administrator, record).await;
        eprintln!(
            "race {round} of {ROUNDS}: operator {:.0} members/s ({} writes), raw client {:.0} members/s",
            operator.members_a_second, operator.writes, raw.members_a_second
        );
        runs.push((operator, raw));
    }
    runs
}

/// The members exist when the operator starts, so their creation is on nobody's time.
async fn operator_run(administrator: &Client) -> Run {
    let namespace = clinic("race");
    create(administrator, &namespace, 0..RACERS).await;
    let relay = SmtpServer::start();
    let operator = Operator::start(&namespace, &relay, fast());
    wait_until_invited(administrator, &namespace, RACERS).await;
    let processor = processor_seconds(operator.id());
    assert_eq!(relay.mails().len(), RACERS, "one mail a member");
    run(&namespace, processor)
}

fn run(namespace: &Namespace, processor: f64) -> Run {
    let writes = writes(namespace);
    Run { members_a_second: racers() / seconds(&writes), writes: writes.len(), processor }
}

/// Looks at the one object that counts members, so that looking costs next to nothing.
pub(crate) async fn wait_until_invited(administrator: &Client, namespace: &Namespace, count: usize) {
    let clinics: Api<Clinic> = Api::namespaced(administrator.clone(), namespace.name());
    let began = now();
    loop {
        let status = clinics.get(CLINIC_NAME).await.expect("the clinic is there").status;
        let members = status.and_then(|status| status.members);
        if members.as_ref().is_some_and(|members| usize::try_from(members.invited) == Ok(count)) {
            return;
        }
        assert!(began.elapsed() < LIMIT, "not everybody was invited within {LIMIT:?}: {members:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// The same identity, client, settings, number of requests at the same time, and objects.
async fn raw_run(administrator: &Client, record: &Record) -> Run {
    let namespace = clinic("raw");
    let users = create(administrator, &namespace, 0..RACERS).await;
    let relay = SmtpServer::start();
    let identity = Prepared::new(&namespace, &relay, OperatorOptions::default());
    let raw = &Raw::new(&client(&identity.kubeconfig).await, &namespace);
    let users = &users;
    for_each(0..users.len(), |index| async move {
        let (number, user) = &users[index];
        raw.invite(record, *number, user).await;
    })
    .await;
    run(&namespace, 0.0)
}

struct Raw {
    users: Api<ClinicUser>,
    claims: Api<EmailClaim>,
    accounts: Api<ClinicAccount>,
    events: Api<Event>,
}

impl Raw {
    fn new(client: &Client, namespace: &Namespace) -> Self {
        Self {
            users: Api::namespaced(client.clone(), namespace.name()),
            claims: Api::namespaced(client.clone(), namespace.name()),
            accounts: Api::namespaced(client.clone(), namespace.name()),
            events: Api::namespaced(client.clone(), namespace.name()),
        }
    }

    async fn invite(&self, record: &Record, number: usize, user: &ClinicUser) {
        let member = record.of(number, user);
        self.claims.create(&PostParams::default(), &member.claim).await.expect("the claim is free");

        let mut account = member.account;
        let access = serde_json::to_value(account.spec.access.take()).expect("it is JSON");
        let settled = serde_json::to_value(account.spec.delivery.take()).expect("it is JSON");
        let created = self.accounts.create(&PostParams::default(), &account).await.expect("the account is new");

        let ahead = json!({"access": access, "delivery": before_the_mail(settled.clone())});
        let written = self.patch(&created, ahead).await;

        let outcome = json!({"delivery": {"attempts": settled["attempts"], "sent": settled["sent"]}});
        self.patch(&written, outcome).await;

        self.events.create(&PostParams::default(), &invited(user)).await.expect("the event is new");

        let status = guarded(&user.metadata, "status", &member.status);
        self.users.patch_status(&member.name, &PatchParams::default(), &status).await.expect("the member is unchanged");
    }

    async fn patch(&self, account: &ClinicAccount, spec: Value) -> ClinicAccount {
        let patch = guarded(&account.metadata, "spec", &spec);
        self.accounts.patch(&account.spec.id, &PatchParams::default(), &patch).await.expect("the account is unchanged")
    }
}

/// As large as the operator's own.
fn invited(user: &ClinicUser) -> Event {
    let name = user.metadata.name.as_deref().expect("the member has a name");
    serde_json::from_value(json!({
        "metadata": {"name": format!("{name}.0123456789abcdef")},
        "involvedObject": {"apiVersion": ClinicUser::api_version(&()), "kind": ClinicUser::kind(&()), "name": name,
            "namespace": user.metadata.namespace, "uid": user.metadata.uid,
            "resourceVersion": user.metadata.resource_version},
        "reason": "Invited", "type": "Normal", "count": 1,
        "message": "Invited at 2026-11-24 09:00 America/Toronto; the link works until 2026-12-01 09:00 America/Toronto.",
        "source": {"component": "clinic-operator"}, "reportingComponent": "clinic-operator",
        "firstTimestamp": "2026-11-24T14:00:00Z", "lastTimestamp": "2026-11-24T14:00:00Z",
    }))
    .expect("it is an event")
}

fn before_the_mail(mut delivery: Value) -> Value {
    delivery["sent"] = json!(0);
    let attempt = delivery["attempts"][0].as_object_mut().expect("one mail was sent");
    attempt.insert("outcome".to_owned(), json!("Sending"));
    attempt.remove("code");
    delivery
}

fn guarded(read: &kube::core::ObjectMeta, block: &str, value: &Value) -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"uid": read.uid, "resourceVersion": read.resource_version}, block: value}))
}

/// Mails a second that the scripted SMTP server takes, so that one can see that it holds nobody up.
pub(crate) async fn relay_alone() -> f64 {
    let server = SmtpServer::start();
    let relay = &Relay {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        ehlo_name: EhloName::parse("mail.maple.example").expect("a host name"),
        tls: TlsMode::None,
        from: "Maple Clinic <no-reply@maple.example>".parse().expect("a mailbox"),
        reply_to: None,
        sign_in: None,
        ca_file: None,
        limits: Limits::default(),
    };
    let message = &format!("Subject: Invitation\r\n\r\n{}", "A line of an invitation.\r\n".repeat(150));
    let began = now();
    for_each(0..RACERS, |number| async move {
        let to = format!("member-{number:05}@maple.example");
        assert!(deliver(relay, &to, message.as_bytes()).await.is_ok(), "the server takes everything");
    })
    .await;
    racers() / began.elapsed().as_secs_f64()
}
