//! Random sequences of what people do, and the run that compares a clinic with the model after each. The clinic is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use proptest::prelude::*;

use super::model::Model;
use super::{Answer, Input, Mail, Manifest, Outcome, Renamed, Seen, Stand};

const MEMBERS: usize = 3;
const ADDRESSES: u8 = 3;

/// Something that somebody does, before it is known how things stand.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A manifest is applied; the end of training is days from today.
    Apply { member: usize, address: u8, names: (Option<u8>, Option<u8>), end: Option<i64>, suspended: bool },
    /// Only the address changes.
    Move { member: usize, address: u8 },
    /// Only the names change.
    Name { member: usize, names: (Option<u8>, Option<u8>) },
    /// Only the suspension changes.
    Suspend { member: usize, suspended: bool },
    /// Only the end of training changes, in days from today.
    Train { member: usize, end: Option<i64> },
    /// Only the capitals of the address change.
    Spell { member: usize, capitals: bool },
    /// The manifest breaks a rule, or no more.
    Break { member: usize, invalid: bool },
    /// The annotation `resend` gets this value.
    Resend { member: usize, value: u8 },
    /// An annotation about an account, with the right value or one that was right before.
    Decide { member: usize, account: usize, replace: bool, stale: bool },
    /// The manifest is deleted.
    Delete { member: usize },
    /// The manifest is deleted, and a finalizer keeps the object.
    Mark { member: usize },
    /// Everything is restored from a backup.
    Restore,
    /// While no operator runs a file gets another's name, and perhaps that one its name; perhaps in a restore.
    Rename { from: usize, to: usize, exchanged: bool, restored: bool },
    /// The person answers the latest link.
    Answer { member: usize },
    /// What happens to everybody at once.
    Everybody(Input),
    /// The operator is started again.
    Restart,
}

/// Sequences of at most `longest`. So many inputs of a hundred are `troubles` that records in memory can be given, and an API server
/// and a relay not: a manifest that breaks a rule, a mail that does not arrive, a
/// guard that holds each invitation or each removal.
pub(crate) fn sequences(longest: usize, troubles: u8) -> impl Strategy<Value = Vec<Op>> {
    let names = || {
        prop_oneof![
            2 => Just((None, None)),
            3 => Just((Some(0), Some(0))),
            2 => Just((Some(1), Some(0))),
            1 => Just((Some(0), None)),
        ]
    };
    let end = || prop_oneof![4 => Just(None), 1 => (-20..20_i64).prop_map(Some)];
    let apply = (0..MEMBERS, 0..ADDRESSES, names(), end(), prop::bool::weighted(0.1))
        .prop_map(|(member, address, names, end, suspended)| Op::Apply { member, address, names, end, suspended });
    let edits = prop_oneof![
        6 => apply,
        3 => (0..MEMBERS, 0..ADDRESSES).prop_map(|(member, address)| Op::Move { member, address }),
        1 => (0..MEMBERS, names()).prop_map(|(member, names)| Op::Name { member, names }),
        1 => (0..MEMBERS, any::<bool>()).prop_map(|(member, suspended)| Op::Suspend { member, suspended }),
        1 => (0..MEMBERS, end()).prop_map(|(member, end)| Op::Train { member, end }),
        1 => (0..MEMBERS, any::<bool>()).prop_map(|(member, capitals)| Op::Spell { member, capitals }),
        2 => (0..MEMBERS, 0..3_u8).prop_map(|(member, value)| Op::Resend { member, value }),
        3 => (0..MEMBERS, 0..6_usize, any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(member, account, replace, stale)| Op::Decide { member, account, replace, stale }),
    ];
    let stand = prop_oneof![3 => Just(Stand::Open), 1 => Just(Stand::Paused), 1 => Just(Stand::Missing)];
    let hours = prop_oneof![Just(24), Just(7 * 24), Just(15 * 24)];
    let usual = prop_oneof![
        16 => edits,
        3 => (0..MEMBERS).prop_map(|member| Op::Delete { member }),
        1 => (0..MEMBERS).prop_map(|member| Op::Mark { member }),
        1 => Just(Op::Restore),
        1 => (0..MEMBERS, 1..MEMBERS, any::<bool>(), any::<bool>()).prop_map(|(from, by, exchanged, restored)| Op::Rename {
            from, to: (from + by) % MEMBERS, exchanged, restored,
        }),
        5 => (0..MEMBERS).prop_map(|member| Op::Answer { member }),
        2 => stand.prop_map(|stand| Op::Everybody(Input::Clinic(stand))),
        2 => hours.prop_map(|hours| Op::Everybody(Input::Pass(hours))),
        1 => Just(Op::Restart),
    ];
    let answer = prop_oneof![
        4 => Just(Answer::Takes),
        1 => Just(Answer::Refuses),
        2 => Just(Answer::IsSilent),
        1 => Just(Answer::PutsOff),
    ];
    let trouble = prop_oneof![
        2 => (0..MEMBERS, prop::bool::weighted(0.6)).prop_map(|(member, invalid)| Op::Break { member, invalid }),
        2 => answer.prop_map(|answer| Op::Everybody(Input::Relay(answer))),
        1 => prop::bool::weighted(0.4).prop_map(|holds| Op::Everybody(Input::Guard { holds })),
        2 => prop::bool::weighted(0.7).prop_map(|holds| Op::Everybody(Input::Removals { holds })),
        1 => Just(Op::Everybody(Input::Release)),
    ];
    let one = (usual, trouble, 0..100_u8)
        .prop_map(move |(usual, trouble, chance)| if chance < troubles { trouble } else { usual });
    // Half of them begin with members who have accepted.
    (any::<bool>(), prop::collection::vec(one, 1..longest)).prop_map(|(begins_with_members, ops)| {
        let accepted = |member: usize| {
            let address = u8::try_from(member).unwrap_or_default();
            let names = (Some(address), Some(0));
            [Op::Apply { member, address, names, end: None, suspended: false }, Op::Answer { member }]
        };
        let members = if begins_with_members { MEMBERS - 1 } else { 0 };
        (0..members).flat_map(accepted).chain(ops).collect()
    })
}

/// A clinic that can be run and looked at.
pub(crate) trait Clinic {
    /// Applies a manifest; the object's UID.
    fn apply(&mut self, name: &str, manifest: &Manifest) -> String;
    /// Deletes one, also one that a finalizer keeps.
    fn delete(&mut self, name: &str);
    /// Deletes one that a finalizer keeps.
    fn mark(&mut self, name: &str);
    /// Stops the operator.
    fn stop(&mut self);
    /// Loses everything, brings it back and starts the operator; the UIDs of the manifests.
    fn restore(&mut self) -> BTreeMap<String, String>;
    /// Renames a file while no operator runs.
    fn rename(&mut self, renamed: &Renamed);
    /// Starts the operator; the UIDs of the manifests.
    fn goes_on(&mut self) -> BTreeMap<String, String>;
    /// Lets the person of an account answer the latest link about this address.
    fn answer(&mut self, account: &str, what: Mail, address: u8);
    /// Does what happens to everybody at once.
    fn everybody(&mut self, input: &Input);
    /// Starts the operator again.
    fn restart(&mut self);
    /// How everything stands, once it does as `allowed` says or does not change any more.
    fn outcome(&mut self, allowed: &[Outcome]) -> Outcome;
}

/// What a run came through: the states in which members were restored, with what of their manifests was still to take effect.
pub(crate) type Restored = BTreeSet<(&'static str, &'static str)>;

/// Runs a sequence. After each input the clinic must stand as the model allows.
///
/// # Errors
/// What was done, what was seen and what would have been right.
pub(crate) fn run(ops: &[Op], clinic: &mut dyn Clinic) -> Result<Restored, String> {
    let mut models = vec![Model::default()];
    let mut manifests: BTreeMap<String, Manifest> = BTreeMap::new();
    let mut hours = 0;
    let mut done = Vec::new();
    let mut restored = Restored::new();
    for op in ops {
        // Two removals in an hour are never held: that one is, is an input.
        clinic.everybody(&Input::Pass(1));
        hours += 1;
        models = distinct(models.iter().flat_map(|model| model.after(&Input::Pass(1))));
        done.push(Input::Pass(1));
        let mut before = None;
        if let Op::Restore = op {
            let allowed: Vec<Outcome> = models.iter().map(Model::outcome).collect();
            before = Some(clinic.outcome(&allowed));
            restored.extend(models[0].what_waits());
        }
        if let Some(input) = input(op, &models[0], &mut manifests, hours, clinic) {
            if let Input::Pass(passed) = input {
                hours += passed;
            }
            models = distinct(models.iter().flat_map(|model| model.after(&input)));
            done.push(input);
        }
        let allowed: Vec<Outcome> = models.iter().map(Model::outcome).collect();
        let seen = clinic.outcome(&allowed);
        let failed = |right: &dyn Debug| {
            let done: Vec<String> = done.iter().map(|input| format!("  {input:?}")).collect();
            Err(format!("after\n{}\nit stands\n{seen:#?}\nbut right is\n{right:#?}", done.join("\n")))
        };
        if let Some(before) = before
            && !takes_nothing_away(&before, &seen)
        {
            return failed(&before);
        }
        let fits = |(model, outcome): (Model, &Outcome)| (*outcome == seen).then_some(model);
        models = distinct(models.into_iter().zip(&allowed).filter_map(fits));
        if models.is_empty() {
            return failed(&allowed[0]);
        }
    }
    Ok(restored)
}

/// A restore takes access from nobody and mails nobody.
fn takes_nothing_away(before: &Outcome, after: &Outcome) -> bool {
    let lost = |(name, seen): (&String, &Seen)| seen.granted && !after.accounts[name].granted;
    !before.accounts.iter().any(lost) && before.mails == after.mails
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
        Op::Name { member, names: (first, last) } => {
            (name(member), Manifest { first: *first, last: *last, ..manifests.get(&name(member))?.clone() })
        }
        Op::Suspend { member, suspended } => {
            (name(member), Manifest { suspended: *suspended, ..manifests.get(&name(member))?.clone() })
        }
        Op::Train { member, end } => {
            let end_of_training = end.map(|days| hours.div_euclid(24) + days);
            (name(member), Manifest { end_of_training, ..manifests.get(&name(member))?.clone() })
        }
        Op::Spell { member, capitals } => {
            (name(member), Manifest { capitals: *capitals, ..manifests.get(&name(member))?.clone() })
        }
        Op::Break { member, invalid } => {
            (name(member), Manifest { invalid: *invalid, ..manifests.get(&name(member))?.clone() })
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
        Op::Mark { member } => {
            manifests.get(&name(member))?;
            clinic.mark(&name(member));
            return Some(Input::Mark { name: name(member) });
        }
        Op::Restore => {
            clinic.stop();
            let uids = clinic.restore();
            manifests.retain(|name, _| uids.contains_key(name));
            return Some(Input::Restore { uids, renamed: None });
        }
        Op::Rename { from, to, exchanged, restored } => {
            let renamed = Renamed { from: name(from), to: name(to), exchanged: *exchanged };
            let is_kept = |one: &String| seen.members[one].0 == "BeingDeleted";
            if [&renamed.from, &renamed.to].into_iter().any(|one| !manifests.contains_key(one) || is_kept(one)) {
                return None;
            }
            clinic.stop();
            clinic.rename(&renamed);
            let uids = if *restored { clinic.restore() } else { clinic.goes_on() };
            let (one, other) = (manifests.remove(&renamed.from)?, manifests.remove(&renamed.to)?);
            manifests.insert(renamed.to.clone(), one);
            manifests.extend(exchanged.then(|| (renamed.from.clone(), other)));
            manifests.retain(|name, _| uids.contains_key(name));
            return Some(Input::Restore { uids, renamed: Some(renamed) });
        }
        Op::Everybody(input) => {
            clinic.everybody(input);
            return Some(input.clone());
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
