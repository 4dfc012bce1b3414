//! The reference model (tests/reference) against `decide` with records in memory: thousands of random sequences of edits, answers,
//! decisions, deletions, restores, pauses, restarts, relays that fail and time, after each of which everything must stand as the
//! model says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use self::reference::inputs::{Clinic, Op, run, sequences};
use self::reference::manifests::{START, annotations, confirmed, number, spec};
use self::reference::{Answer, Input, Mail, Manifest, Outcome, Renamed, Seen, Stand};
use super::decide::decide;
use super::observe::{Live, observe};
use super::race_world::{Did, Operator, Server};
use super::status::project;
use super::step::Step;
use super::test_world::cases;
use crate::api::ClinicAccount;
use crate::api::account::ClinicAccountSpec;
use crate::controller::accounts;
use crate::controller::cache::Kind;
use crate::controller::mailer::ledger::{Conclusion, NewLink, concluded, written_ahead};
use crate::domain::acceptance::{Holder, may_accept};
use crate::domain::delivery::Trouble;
use crate::domain::invitation::{MailKind, Outcome as MailOutcome};
use crate::domain::lifecycle::State;
use crate::domain::mailer::MailerStanding;
use crate::domain::standing;

#[path = "../../../tests/reference/mod.rs"]
mod reference;

struct InMemory {
    server: Server,
    operator: Operator,
    relay: Answer,
    guard_holds: bool,
    mails: Vec<(Mail, u8)>,
}

impl InMemory {
    fn new() -> Self {
        let server = Server::at(START.parse().unwrap());
        let operator = Operator::default();
        let mut clinic = Self { server, operator, relay: Answer::Takes, guard_holds: false, mails: Vec::new() };
        clinic.stands(Stand::Open);
        clinic
    }

    fn names(&self, kind: Kind) -> Vec<String> {
        let all = self.server.objects.keys().filter(|(found, _)| *found == kind);
        all.map(|(_, name)| name.clone()).collect()
    }

    /// Those of the manifests.
    fn uids(&self) -> BTreeMap<String, String> {
        let uid = |name: &String| {
            let user = &self.server.objects[&(Kind::ClinicUser, name.clone())];
            user["metadata"]["uid"].as_str().unwrap().to_owned()
        };
        self.names(Kind::ClinicUser).into_iter().map(|name| (name.clone(), uid(&name))).collect()
    }

    fn come_to_rest(&mut self) {
        for round in 0.. {
            assert!(round < 60, "it does not come to rest");
            for kind in Kind::ALL {
                self.operator.watch(&self.server, kind, usize::MAX);
            }
            let mut worked = false;
            for member in self.names(Kind::ClinicUser) {
                loop {
                    match self.operator.step(&mut self.server, &member) {
                        Did::Nothing => break,
                        Did::Asked => {}
                        Did::Wrote => worked = true,
                    }
                }
            }
            worked |= self.operator.remove_one(&mut self.server);
            for account in self.names(Kind::ClinicAccount) {
                worked |= self.work_on_account(&account);
            }
            if !worked {
                return;
            }
        }
    }

    /// Writes the access block, or mails: the write-ahead, then the outcome.
    fn work_on_account(&mut self, name: &str) -> bool {
        let Some((account, observed)) = accounts::observe(&self.operator.index, name) else { return false };
        let decision = accounts::decide::decide(&observed, self.server.now);
        if accounts::access_differs(&account.spec, &decision.access) {
            self.write_block(&account.spec, "access", &json!(decision.access));
            return true;
        }
        let Some(due) = decision.mail else { return false };
        let is_first = account
            .spec
            .delivery
            .as_ref()
            .is_none_or(|delivery| delivery.attempts.is_empty() && delivery.hold.is_none());
        if self.guard_holds && is_first && due.kind == MailKind::Invitation {
            let held = json!({"round": due.round, "address": account.spec.desired.email, "resend": account.spec.desired.resend,
                "hold": {"id": "invitations-20261101T000000Z"}});
            self.write_block(&account.spec, "delivery", &held);
            return true;
        }
        let link = NewLink { digest: format!("{:064}", self.server.version), valid_until: None };
        let ahead = written_ahead(&account.spec, &due, "maple.example", link, self.server.now).unwrap();
        let attempt = ahead.attempts.last().unwrap();
        let outcome = match self.relay {
            Answer::Takes => MailOutcome::Sent,
            Answer::Refuses => MailOutcome::Refused,
            Answer::IsSilent => MailOutcome::Sending,
            Answer::PutsOff => MailOutcome::Deferred,
        };
        let after =
            concluded(&ahead, attempt, &Conclusion { outcome, trouble: Trouble::default() }, self.server.now).unwrap();
        let (kind, address) = match due.kind {
            MailKind::Invitation => (Mail::Invitation, after.address.clone()),
            MailKind::EmailConfirmation => (Mail::Confirmation, after.address.clone()),
            MailKind::EmailChangeNotice => (Mail::Notice, account.spec.acceptance.as_ref().unwrap().login.clone()),
        };
        if outcome == MailOutcome::Sent {
            self.mails.push((kind, number(&address)));
        }
        self.write_block(&account.spec, "delivery", &json!(after));
        true
    }

    fn stands(&mut self, stand: Stand) {
        if stand == Stand::Missing {
            return self.server.delete(Kind::Clinic, "clinic");
        }
        let spec = json!({"displayName": "Maple Clinic", "timeZone": "UTC", "paused": stand == Stand::Paused});
        self.server.write(Kind::Clinic, "clinic", json!({ "spec": spec }));
    }

    fn release(&mut self) {
        for account in self.server.accounts() {
            let mut desired = account.desired.clone();
            if let Some(hold) = desired.hold.as_mut().filter(|hold| !hold.released) {
                hold.released = true;
                self.write_block(&account, "desired", &json!(desired));
            }
            let Some(mut delivery) = account.delivery.clone() else { continue };
            if let Some(hold) = delivery.hold.as_mut().filter(|hold| !hold.released) {
                hold.released = true;
                self.write_block(&account, "delivery", &json!(delivery));
            }
        }
    }

    fn write_block(&mut self, account: &ClinicAccountSpec, block: &str, value: &Value) {
        let mut object = self.server.objects[&(Kind::ClinicAccount, account.id.clone())].clone();
        object["spec"][block] = value.clone();
        self.server.write(Kind::ClinicAccount, &account.id, object);
    }

    fn account(&self, name: &str) -> ClinicAccountSpec {
        let object = self.server.objects[&(Kind::ClinicAccount, name.to_owned())].clone();
        serde_json::from_value::<ClinicAccount>(object).unwrap().spec
    }

    fn state(&mut self, member: &str) -> (String, Option<String>) {
        let mut live = Live::default();
        loop {
            let observed = observe(&self.operator.index, member, &live).unwrap();
            let decision = decide(&observed, self.server.now);
            match decision.step {
                Some(Step::AskWhetherGone(holder)) => {
                    let gone = self.operator.is_gone(&self.server, &holder.name, &holder.uid);
                    if gone { &mut live.gone } else { &mut live.there }.insert(holder.uid);
                }
                Some(step) => panic!("not at rest: {step:?}"),
                None => {
                    let status = project(&observed, &decision, &MailerStanding::Up, "maple", self.server.now).0;
                    return (status.state.unwrap(), status.account);
                }
            }
        }
    }
}

impl Clinic for InMemory {
    fn apply(&mut self, name: &str, manifest: &Manifest) -> String {
        let known = self.server.objects.get(&(Kind::ClinicUser, name.to_owned())).cloned();
        let uid = json!(format!("{:08}-0000-4000-8000-000000000000", self.server.version));
        let mut user = known.unwrap_or_else(|| json!({"metadata": {"uid": uid, "generation": 1}}));
        user["spec"] = spec(manifest);
        user["metadata"]["annotations"] = annotations(manifest);
        self.server.write(Kind::ClinicUser, name, user)["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    fn delete(&mut self, name: &str) {
        self.server.delete_user(name);
    }

    fn answer(&mut self, account: &str, what: Mail, _: u8) {
        let spec = self.account(account);
        let digest =
            spec.delivery.as_ref().unwrap().attempts.iter().rev().find(|attempt| !attempt.token_digest.is_empty());
        let acceptance = match what {
            Mail::Invitation => {
                let digest = digest.unwrap().token_digest.clone();
                let there = Holder::There(standing::Manifest::default());
                may_accept(&spec.record(7).unwrap(), there, &digest, self.server.now).expect("the link works");
                let (first, last) = confirmed(spec.desired.first_name.as_deref(), spec.desired.last_name.as_deref());
                json!({"acceptedAt": self.server.now.to_string(), "login": spec.desired.email, "firstName": first,
                    "lastName": last, "credential": "c"})
            }
            Mail::Confirmation | Mail::Notice => {
                let mut acceptance = json!(spec.acceptance);
                acceptance["login"] = json!(spec.desired.email);
                acceptance
            }
        };
        self.write_block(&spec, "acceptance", &acceptance);
    }

    fn mark(&mut self, name: &str) {
        self.server.mark_as_deleted(name);
    }

    fn stop(&mut self) {
        self.operator = Operator::default();
    }

    fn restore(&mut self) -> BTreeMap<String, String> {
        self.server.restore_users();
        self.server.restore_claims();
        self.uids()
    }

    fn rename(&mut self, renamed: &Renamed) {
        self.server.rename_user(&renamed.from, &renamed.to, renamed.exchanged);
    }

    fn goes_on(&mut self) -> BTreeMap<String, String> {
        self.uids()
    }

    fn everybody(&mut self, input: &Input) {
        match input {
            Input::Clinic(stand) => self.stands(*stand),
            Input::Pass(hours) => {
                self.server.now += SignedDuration::from_hours(*hours);
                self.come_to_rest();
            }
            Input::Relay(answer) => self.relay = *answer,
            Input::Guard { holds } => self.guard_holds = *holds,
            Input::Removals { holds } => self.server.removals_are_held = *holds,
            Input::Release => self.release(),
            Input::Apply { .. }
            | Input::Delete { .. }
            | Input::Mark { .. }
            | Input::Restore { .. }
            | Input::Answer { .. } => {
                unreachable!("it happens to somebody")
            }
        }
    }

    fn restart(&mut self) {
        self.operator = Operator::default();
    }

    fn outcome(&mut self, _: &[Outcome]) -> Outcome {
        self.come_to_rest();
        let mut mails = self.mails.clone();
        mails.sort_unstable();
        let seen = |spec: ClinicAccountSpec| Seen {
            holder: spec.desired.holder.uid,
            address: spec.desired.email.as_deref().map(number),
            login: spec.acceptance.map(|acceptance| number(&acceptance.login)),
            removed: spec.desired.removed.is_some(),
            granted: spec.access.is_some_and(|access| access.granted),
            decisions: spec.desired.decisions,
        };
        Outcome {
            members: self.names(Kind::ClinicUser).into_iter().map(|name| (name.clone(), self.state(&name))).collect(),
            accounts: self
                .names(Kind::ClinicAccount)
                .into_iter()
                .map(|name| (name.clone(), seen(self.account(&name))))
                .collect(),
            mails,
        }
    }
}

/// Inputs of a hundred that only records in memory can be given.
const TROUBLES: u8 = 15;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(500), failure_persistence: None, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_people_do_everything_comes_to_stand_as_the_reference_model_says(ops in sequences(24, TROUBLES)) {
        run(&ops, &mut InMemory::new()).map_err(TestCaseError::fail)?;
    }
}

/// Sequences that end with a restore; further ones are tried until every state was among them.
const RESTORED: usize = 500;
const RESTORED_AT_MOST: usize = 2000;

#[test]
fn members_in_every_state_are_restored_with_every_edit_that_waits() {
    let waits = [
        ("Active", "address"),
        ("EmailConflict", "address"),
        ("FormerMember", "address"),
        ("IdentityChanged", "address"),
        ("IdentityChanged", "names"),
        ("Invalid", "address"),
        ("Invalid", "names"),
        ("Paused", "address"),
        ("Paused", "names"),
        ("ClinicMissing", "address"),
        ("ClinicMissing", "names"),
        ("Suspended", "address"),
        ("TrainingEnded", "address"),
    ];
    let mut missing: BTreeSet<_> = State::ALL.into_iter().map(|state| (state.name(), "")).chain(waits).collect();
    let mut runner = TestRunner::deterministic();
    for number in 0..RESTORED_AT_MOST {
        if number >= RESTORED && missing.is_empty() {
            break;
        }
        let mut ops = sequences(16, TROUBLES).new_tree(&mut runner).unwrap().current();
        ops.push(Op::Restore);
        let restored = run(&ops, &mut InMemory::new()).unwrap();
        missing.retain(|one| !restored.contains(one));
    }
    assert!(missing.is_empty(), "never restored: {missing:?}");
}

#[test]
fn an_address_that_was_given_up_by_a_confirmation_is_free_although_the_manifest_is_invalid_since() {
    let apply = |member, address| Op::Apply { member, address, names: (Some(0), Some(0)), end: None, suspended: false };
    let answer = |member| Op::Answer { member };
    let breaks = Op::Break { member: 0, invalid: true };
    let ops = [apply(0, 0), answer(0), apply(1, 1), answer(1), apply(0, 2), breaks, answer(0), apply(1, 0)];
    run(&ops, &mut InMemory::new()).unwrap();
}
