//! Random sequences of what people do, and the run that compares a clinic with the model after each. The clinic is an argument.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::model::Model;
use super::{Input, Mail, Manifest, Outcome};

const MEMBERS: usize = 3;
const ADDRESSES: u8 = 3;

/// Something that somebody does, before it is known how things stand.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A manifest is applied; the end of training is days from today.
    Apply { member: usize, address: u8, names: (Option<u8>, Option<u8>), end: Option<i64>, suspended: bool },
    /// Only the address changes.
    Move { member: usize, address: u8 },
    /// The annotation `resend` gets this value.
    Resend { member: usize, value: u8 },
    /// An annotation about an account, with the right value or one that was right before.
    Decide { member: usize, account: usize, replace: bool, stale: bool },
    /// The manifest is deleted.
    Delete { member: usize },
    /// The person answers the latest link.
    Answer { member: usize },
    /// Paused, or not.
    Pause(bool),
    /// Hours pass.
    Pass(i64),
    /// The operator is started again.
    Restart,
}

/// Sequences of at most `longest`.
pub(crate) fn sequences(longest: usize) -> impl Strategy<Value = Vec<Op>> {
    let names = prop_oneof![
        2 => Just((None, None)),
        3 => Just((Some(0), Some(0))),
        2 => Just((Some(1), Some(0))),
        1 => Just((Some(0), None)),
    ];
    let end = prop_oneof![4 => Just(None), 1 => (-20..20_i64).prop_map(Some)];
    let apply = (0..MEMBERS, 0..ADDRESSES, names, end, prop::bool::weighted(0.1))
        .prop_map(|(member, address, names, end, suspended)| Op::Apply { member, address, names, end, suspended });
    let one = prop_oneof![
        6 => apply,
        3 => (0..MEMBERS, 0..ADDRESSES).prop_map(|(member, address)| Op::Move { member, address }),
        2 => (0..MEMBERS, 0..3_u8).prop_map(|(member, value)| Op::Resend { member, value }),
        3 => (0..MEMBERS, 0..6_usize, any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(member, account, replace, stale)| Op::Decide { member, account, replace, stale }),
        3 => (0..MEMBERS).prop_map(|member| Op::Delete { member }),
        5 => (0..MEMBERS).prop_map(|member| Op::Answer { member }),
        1 => prop::bool::weighted(0.4).prop_map(Op::Pause),
        2 => prop_oneof![Just(24), Just(7 * 24), Just(15 * 24)].prop_map(Op::Pass),
        1 => Just(Op::Restart),
    ];
    prop::collection::vec(one, 1..longest)
}

/// A clinic that can be run and looked at.
pub(crate) trait Clinic {
    /// Applies a manifest; the object's UID.
    fn apply(&mut self, name: &str, manifest: &Manifest) -> String;
    /// Deletes one.
    fn delete(&mut self, name: &str);
    /// Lets the person of an account answer the latest link about this address.
    fn answer(&mut self, account: &str, what: Mail, address: u8);
    /// Pauses it, or not.
    fn pause(&mut self, paused: bool);
    /// Lets hours pass.
    fn pass(&mut self, hours: i64);
    /// Starts the operator again.
    fn restart(&mut self);
    /// How everything stands, once it does as `allowed` says or does not change any more.
    fn outcome(&mut self, allowed: &[Outcome]) -> Outcome;
}

/// Runs a sequence. After each input the clinic must stand as the model allows.
///
/// # Errors
/// What was done, what was seen and what would have been right.
pub(crate) fn run(ops: &[Op], clinic: &mut dyn Clinic) -> Result<(), String> {
    let mut models = vec![Model::default()];
    let mut manifests: BTreeMap<String, Manifest> = BTreeMap::new();
    let mut hours = 0;
    let mut done = Vec::new();
    for op in ops {
        // Two removals in an hour are never held: this is not about the guard.
        let inputs = [Some(Input::Pass(1)), input(op, &models[0], &mut manifests, hours, clinic)];
        clinic.pass(1);
        hours += 1;
        for input in inputs.into_iter().flatten() {
            if let Input::Pass(passed) = input
                && passed > 1
            {
                hours += passed;
            }
            models = distinct(models.iter().flat_map(|model| model.after(&input)));
            done.push(input);
        }
        let allowed: Vec<Outcome> = models.iter().map(Model::outcome).collect();
        let seen = clinic.outcome(&allowed);
        models =
            distinct(models.into_iter().zip(&allowed).filter(|(_, outcome)| **outcome == seen).map(|(model, _)| model));
        if models.is_empty() {
            let done: Vec<String> = done.iter().map(|input| format!("  {input:?}")).collect();
            return Err(format!("after\n{}\nit stands\n{seen:#?}\nbut right is\n{:#?}", done.join("\n"), allowed[0]));
        }
    }
    Ok(())
}

fn distinct(models: impl Iterator<Item = Model>) -> Vec<Model> {
    models.collect::<BTreeSet<Model>>().into_iter().collect()
}

/// Does it, and says it in the model's words; `None`: there is nothing that it would be done to.
fn input(
    op: &Op,
    model: &Model,
    manifests: &mut BTreeMap<String, Manifest>,
    hours: i64,
    clinic: &mut dyn Clinic,
) -> Option<Input> {
    let name = |member: &usize| format!("member-{member}");
    let seen = model.outcome();
    let (name, manifest) = match op {
        Op::Apply { member, address, names: (first, last), end, suspended } => {
            let before = manifests.get(&name(member)).cloned().unwrap_or_default();
            let end_of_training = end.map(|days| hours.div_euclid(24) + days);
            let manifest = Manifest {
                address: *address,
                first: *first,
                last: *last,
                end_of_training,
                suspended: *suspended,
                ..before
            };
            (name(member), manifest)
        }
        Op::Move { member, address } => {
            (name(member), Manifest { address: *address, ..manifests.get(&name(member))?.clone() })
        }
        Op::Resend { member, value } => {
            (name(member), Manifest { resend: Some(*value), ..manifests.get(&name(member))?.clone() })
        }
        Op::Decide { member, account, replace, stale } => {
            let manifest = manifests.get(&name(member))?.clone();
            let (account, record) = seen.accounts.iter().nth(account % seen.accounts.len().max(1))?;
            let value = Some(format!("{account}.{}", record.decisions.checked_sub(u32::from(*stale))?));
            let manifest = if *replace {
                Manifest { replace: value, ..manifest }
            } else {
                Manifest { reactivate: value, ..manifest }
            };
            (name(member), manifest)
        }
        Op::Delete { member } => {
            manifests.remove(&name(member))?;
            clinic.delete(&name(member));
            return Some(Input::Delete { name: name(member) });
        }
        Op::Answer { member } => {
            let what = model.may_answer(&name(member))?;
            let account = seen.members.get(&name(member))?.1.clone()?;
            clinic.answer(&account, what, seen.accounts.get(&account)?.address?);
            return Some(Input::Answer { name: name(member) });
        }
        Op::Pause(paused) => {
            clinic.pause(*paused);
            return Some(Input::Pause(*paused));
        }
        Op::Pass(passed) => {
            clinic.pass(*passed);
            return Some(Input::Pass(*passed));
        }
        Op::Restart => {
            clinic.restart();
            return None;
        }
    };
    let uid = clinic.apply(&name, &manifest);
    manifests.insert(name.clone(), manifest.clone());
    Some(Input::Apply { name, uid, manifest })
}
