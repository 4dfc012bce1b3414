//! A clinic with a running operator, and what tests ask of it: the words in which the tests of the cluster are written.
//! Never here: a test.

use std::sync::OnceLock;
use std::time::Duration;

use clinic_operator::adapters::clock::Clock;
use clinic_operator::adapters::kubernetes::connect;
use clinic_operator::adapters::random::secret_bytes;
use clinic_operator::api::account::Acceptance;
use clinic_operator::domain::acceptance::parse_code;
use clinic_operator::portal::acceptance::{AcceptError, Confirmed, Stores, Terms, accept};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::control_plane::{AuditRecord, Namespace, control_plane};
use crate::support::mail::Mail;
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::portal::{self, PortalOptions};
use crate::support::smtp::SmtpServer;
use crate::support::test_clock::TestClock;
use crate::support::wait::{PATIENCE, eventually_ok, now};

pub(crate) const CLINIC: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: Clinic
metadata: {name: clinic}
spec: {displayName: Maple Clinic, timeZone: America/Toronto, guard: {invitationsPerHour: 1000}}
";

/// Those of the tests' Clinic, without its zone: what a trainee's manifest takes away from an invitation is tested on the real portal.
pub(crate) const TERMS: Terms = Terms { validity_days: 7, zone: None };

/// How many times as much as usual is to be tried (`make torture`).
pub(crate) fn torture() -> usize {
    std::env::var("CLINIC_OPERATOR_TORTURE").map_or(1, |factor| factor.parse().expect("a number"))
}

/// A clinic with a running operator.
pub(crate) struct World {
    pub(crate) namespace: Namespace,
    pub(crate) relay: SmtpServer,
    pub(crate) operator: Operator,
    clock: Option<TestClock>,
    /// Made when somebody accepts.
    portal: OnceLock<portal::Prepared>,
}

impl World {
    pub(crate) fn new(prefix: &str) -> Self {
        Self::with(prefix, OperatorOptions::default())
    }

    /// A clinic whose operator runs with these options.
    pub(crate) fn with(prefix: &str, options: OperatorOptions) -> Self {
        let world = Self::start(prefix, SmtpServer::start(), options);
        world.apply(CLINIC);
        world
    }

    pub(crate) fn without_clinic(prefix: &str) -> Self {
        Self::start(prefix, SmtpServer::start(), OperatorOptions::default())
    }

    /// A clinic whose operator's clock shows this instant.
    pub(crate) fn at(prefix: &str, instant: &str) -> Self {
        Self::at_with(prefix, instant, SmtpServer::start(), OperatorOptions::default())
    }

    /// A clinic whose operator's clock shows this instant, with this relay and these options.
    pub(crate) fn at_with(prefix: &str, instant: &str, relay: SmtpServer, options: OperatorOptions) -> Self {
        let clock = TestClock::new();
        clock.set(instant);
        let test_clock = Some(clock.path());
        let world = Self::start(prefix, relay, OperatorOptions { test_clock, ..options });
        world.apply(CLINIC);
        Self { clock: Some(clock), ..world }
    }

    fn start(prefix: &str, relay: SmtpServer, options: OperatorOptions) -> Self {
        let namespace = control_plane().namespace(prefix);
        let operator = Operator::start(&namespace, &relay, options);
        Self { namespace, relay, operator, clock: None, portal: OnceLock::new() }
    }

    /// A clinic of parts that the test has made.
    pub(crate) fn of(namespace: Namespace, relay: SmtpServer, operator: Operator) -> Self {
        let world = Self { namespace, relay, operator, clock: None, portal: OnceLock::new() };
        world.apply(CLINIC);
        world
    }

    /// The clock of a clinic made by [`World::at`].
    pub(crate) fn clock(&self) -> &TestClock {
        self.clock.as_ref().expect("a world with a clock of its own")
    }

    /// Accepts the invitation of this mail as the portal does: with the token of its link, through the library.
    pub(crate) fn accept(&self, mail: &Mail, first_name: &str, last_name: &str) -> Result<Acceptance, AcceptError> {
        self.accept_as(mail, &confirmed(first_name, last_name))
    }

    /// The same, confirming and creating this.
    pub(crate) fn accept_as(&self, mail: &Mail, confirmed: &Confirmed) -> Result<Acceptance, AcceptError> {
        let links = mail.links();
        let (_, segment) = links[0].rsplit_once('#').expect("a link has a code");
        let (account, token) = parse_code(segment).expect("an account and a token");
        let accepted = self
            .with_accounts(async |stores| accept(&stores, account, &token, confirmed, &TERMS, || self.now()).await)?;
        Ok(accepted.account.spec.acceptance.expect("it was accepted"))
    }

    /// What the operator's clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.as_ref().map_or_else(|| Clock.now(), TestClock::now)
    }

    /// Does something with the accounts as the library does in the portal: under its identity, through a client of its own.
    pub(crate) fn with_accounts<T>(&self, act: impl AsyncFnOnce(Stores) -> T) -> T {
        let portal = self.prepared_portal();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let clients =
                connect(Some(&portal.kubeconfig), Duration::from_secs(60)).await.expect("the portal's kubeconfig");
            act(Stores::new(&clients.write, self.namespace.name())).await
        })
    }

    /// The portal's identity and rights; made when they are needed first.
    fn prepared_portal(&self) -> &portal::Prepared {
        self.portal.get_or_init(|| portal::Prepared::new(&self.namespace, PortalOptions::default()))
    }

    /// Invites a member by this manifest and accepts; the account's name.
    #[track_caller]
    pub(crate) fn accepted(&self, name: &str, manifest: &str) -> String {
        let before = self.relay.mails().len();
        self.apply(manifest);
        self.member_in("Invited", name);
        let mails = self.relay.wait_for(before + 1, PATIENCE);
        let first = |part: &str| part[..1].to_uppercase() + &part[1..];
        self.accept(&mails[before], &first(name), "Silva").expect("the link works");
        let member = self.member_in("Active", name);
        member["status"]["account"].as_str().expect("a name").to_owned()
    }

    pub(crate) fn apply(&self, manifest: &str) {
        control_plane().kubectl_stdin(&self.namespace, &["apply", "-f", "-"], manifest).ok();
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        control_plane().kubectl(&self.namespace, arguments).ok()
    }

    /// Runs kubectl in the name of the controller: what an administrator may not write.
    #[track_caller]
    pub(crate) fn kubectl_as_controller(&self, arguments: &[&str]) -> String {
        self.kubectl(&[arguments, &["--as", &self.namespace.controller()]].concat())
    }

    /// Runs kubectl in the name of the portal.
    #[track_caller]
    pub(crate) fn kubectl_as_portal(&self, arguments: &[&str]) -> String {
        self.prepared_portal();
        self.kubectl(&[arguments, &["--as", &self.namespace.portal()]].concat())
    }

    /// Creates an object of ours in the name of a part.
    #[track_caller]
    pub(crate) fn create_as(&self, user: &str, resource: &str, object: &Value) {
        control_plane().ask(Some(user), "POST", &self.namespace.path(resource), Some(object)).expect("its right");
    }

    /// Wipes a status, in the name of the controller.
    #[track_caller]
    pub(crate) fn wipe_status(&self, resource: &str, name: &str) {
        let path = format!("{}/{name}/status", self.namespace.path(resource));
        let wiped = json!({"status": null});
        control_plane().ask(Some(&self.namespace.controller()), "PATCH", &path, Some(&wiped)).expect("its right");
    }

    #[track_caller]
    pub(crate) fn object(&self, resource: &str, name: &str) -> Value {
        control_plane().object(&self.namespace, resource, name)
    }

    #[track_caller]
    pub(crate) fn objects(&self, resource: &str) -> Vec<Value> {
        control_plane().objects(&self.namespace, resource)
    }

    /// Waits until the member is in that state, and returns it.
    #[track_caller]
    pub(crate) fn member_in(&self, state: &str, name: &str) -> Value {
        self.in_state("clinicuser", state, name)
    }

    #[track_caller]
    pub(crate) fn in_state(&self, resource: &str, state: &str, name: &str) -> Value {
        eventually_ok(PATIENCE, &format!("{name} in state {state}"), || {
            let object = self.object(resource, name);
            if object["status"]["state"] == state { Ok(object) } else { Err(object["status"].clone()) }
        })
    }

    /// Waits until the Clinic's condition `MailerReady` has this status, and returns it.
    #[track_caller]
    pub(crate) fn mailer_is(&self, status: &str) -> Value {
        eventually_ok(PATIENCE, &format!("MailerReady={status}"), || {
            let clinic = self.object("clinic", "clinic");
            let mailer = condition(&clinic, "MailerReady").cloned().unwrap_or_default();
            if mailer["status"] == status { Ok(mailer) } else { Err(mailer) }
        })
    }

    /// The attempts in the ledger of the member's account, once there is one.
    pub(crate) fn attempts(&self, member: &str) -> Vec<Value> {
        let user = self.object("clinicuser", member);
        let name = format!("a-{}", user["metadata"]["uid"].as_str().unwrap());
        let account = self.objects("clinicaccounts").into_iter().find(|account| account["metadata"]["name"] == *name);
        account.and_then(|account| account["spec"]["delivery"]["attempts"].as_array().cloned()).unwrap_or_default()
    }

    /// Waits until these are the outcomes of all attempts.
    #[track_caller]
    pub(crate) fn outcomes_are(&self, member: &str, wanted: &[&str]) -> Vec<Value> {
        eventually_ok(PATIENCE, &format!("the outcomes {wanted:?} of {member}"), || {
            let attempts = self.attempts(member);
            let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt["outcome"].clone()).collect();
            if outcomes == wanted { Ok(attempts) } else { Err(outcomes) }
        })
    }

    /// The record of the member's account.
    pub(crate) fn account_of(&self, member: &str) -> Value {
        let user = self.object("clinicuser", member);
        self.object("clinicaccount", &format!("a-{}", user["metadata"]["uid"].as_str().unwrap()))
    }

    /// Waits until the message of the member's condition `Ready` contains `part`, and returns the member.
    #[track_caller]
    pub(crate) fn member_told(&self, name: &str, part: &str) -> Value {
        eventually_ok(PATIENCE, &format!("{name} to be told: {part}"), || {
            let object = self.object("clinicuser", name);
            let told = condition(&object, "Ready").and_then(|ready| ready["message"].as_str().map(str::to_owned));
            if told.as_ref().is_some_and(|told| told.contains(part)) { Ok(object) } else { Err(told) }
        })
    }

    /// Waits until the record of the account says this about access.
    #[track_caller]
    pub(crate) fn access(&self, account: &str, reason: &str) {
        eventually_ok(PATIENCE, &format!("access of {account} to be {reason}"), || {
            let access = self.object("clinicaccount", account)["spec"]["access"].clone();
            let is_so = access["reason"] == reason && access["granted"] == (reason == "Granted");
            if is_so { Ok(()) } else { Err(access) }
        });
    }

    /// Every write that the operator asked for so far, in order.
    pub(crate) fn operators_writes(&self) -> Vec<AuditRecord> {
        let identity = format!("system:serviceaccount:{}:clinic-operator", self.namespace.name());
        let mut records = control_plane().audit(&self.namespace);
        records.retain(|record| record.is_write() && record.user == identity);
        records
    }

    /// Waits until the operator has written nothing for `quiet`, and returns how many writes there were until then.
    #[track_caller]
    pub(crate) fn at_rest(&self, quiet: Duration) -> usize {
        let mut last = (self.operators_writes().len(), now());
        eventually_ok(PATIENCE, "the operator to come to rest", || {
            let writes = self.operators_writes();
            if writes.len() != last.0 {
                last = (writes.len(), now());
            }
            if last.1.elapsed() >= quiet { Ok(writes.len()) } else { Err(format!("{:?}", writes.last())) }
        })
    }

    pub(crate) fn names(&self, resource: &str) -> Vec<String> {
        let name = |object: &Value| object["metadata"]["name"].as_str().expect("every object has a name").to_owned();
        self.objects(resource).iter().map(name).collect()
    }
}

/// What a person of this name confirms and creates. Each time it is another credential.
pub(crate) fn confirmed(first_name: &str, last_name: &str) -> Confirmed {
    Confirmed {
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        title: None,
        credential: format!("c-{:x}", u128::from_ne_bytes(secret_bytes().expect("random bytes"))),
    }
}

/// A staff member's manifest.
pub(crate) fn staff(name: &str, email: &str) -> String {
    format!(
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ClinicUser\nmetadata: {{name: {name}}}\nspec: {{email: {email}, type: Staff}}\n---\n"
    )
}

pub(crate) fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}
