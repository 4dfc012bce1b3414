//! A restatement of what the operator promises about identity, addresses, access and mail (docs/lifecycle.md), as a plain
//! state machine: people do something, everything comes to rest, and this is how it then stands. It imports nothing from the
//! crate and knows neither claims nor steps. Where several members may go first, every order is an allowed outcome.

use std::collections::{BTreeMap, BTreeSet};

use super::mails::{Asked, Question, Stands};
use super::{Answer, Input, Mail, Manifest, Renamed, Stand};
use whose::{has, is_left, is_the_same_person, passes_to};

mod renames;
mod states;
mod whose;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    uid: String,
    manifest: Manifest,
    /// Whether it was deleted and a finalizer keeps it.
    marked: bool,
    trouble: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Account {
    holder_name: String,
    holder: String,
    address: Option<u8>,
    login: Option<u8>,
    names: (Option<u8>, Option<u8>),
    /// The one name that its person has, if they have confirmed one only.
    only: Option<u8>,
    until: Option<i64>,
    suspended: bool,
    removed: bool,
    decisions: u32,
    resend: Option<u8>,
    resend_at_adoption: Option<u8>,
    asked: Option<Asked>,
    /// Whether a guard holds its round; `Some(false)`: a person has released it.
    held: Option<bool>,
    /// The same of its removal.
    removal_held: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Model {
    hours: i64,
    clinic: Stand,
    relay: Answer,
    guard_holds: bool,
    removals_are_held: bool,
    members: BTreeMap<String, Member>,
    accounts: BTreeMap<String, Account>,
    mails: Vec<(Mail, u8)>,
}

/// Access lasts through day end + 14.
const DAYS_WITH_ACCESS: i64 = 15;

impl Model {
    /// Every way in which it may stand after this.
    pub(crate) fn after(&self, input: &Input) -> Vec<Self> {
        let mut changed = self.clone();
        match input {
            Input::Apply { name, uid, manifest } => {
                let marked = changed.members.get(name).is_some_and(|member| member.marked);
                let member = Member { uid: uid.clone(), manifest: manifest.clone(), marked, trouble: None };
                changed.members.insert(name.clone(), member);
            }
            Input::Delete { name } => drop(changed.members.remove(name)),
            Input::Mark { name } => changed.members.get_mut(name).into_iter().for_each(|member| member.marked = true),
            Input::Restore { uids, renamed } => {
                if let Some(Renamed { from, to, exchanged }) = renamed {
                    let (one, other) = (changed.members.remove(from), changed.members.remove(to));
                    changed.members.extend(one.map(|one| (to.clone(), one)));
                    changed.members.extend(other.filter(|_| *exchanged).map(|other| (from.clone(), other)));
                }
                changed.members.retain(|name, _| uids.contains_key(name));
                for (name, member) in changed.members.iter_mut().filter(|(name, member)| member.uid != uids[*name]) {
                    *member = Member { uid: uids[name].clone(), marked: false, trouble: None, ..member.clone() };
                }
            }
            Input::Answer { name } => changed.answer(name),
            Input::Clinic(stand) => changed.clinic = *stand,
            Input::Pass(hours) => changed.hours += hours,
            Input::Relay(answer) => changed.relay = *answer,
            Input::Guard { holds } => changed.guard_holds = *holds,
            Input::Removals { holds } => changed.removals_are_held = *holds,
            Input::Release => changed.accounts.values_mut().for_each(Account::is_released),
        }
        let names: Vec<String> = changed.members.keys().cloned().collect();
        let orders = permutations(&names);
        // Who makes an address free may be overtaken by another who waits for it, before they take it themselves.
        let at_rest = |overtaken: bool| orders.iter().map(move |order| (order, overtaken));
        at_rest(false)
            .chain(at_rest(true))
            .map(|(order, overtaken)| changed.clone().at_rest(order, overtaken))
            .collect()
    }

    fn has_ended(&self, account: &Account) -> bool {
        account.until.is_some_and(|until| self.hours >= until)
    }

    fn held_by(&self, uid: &str) -> Option<&String> {
        self.accounts.iter().find(|(_, account)| account.holder == uid).map(|(name, _)| name)
    }

    fn is_there(&self, uid: &str) -> bool {
        self.members.values().any(|member| member.uid == uid && !member.marked)
    }

    /// The manifest without an account that has the name of an account's gone holder.
    fn namesake(&self, account: &Account) -> Option<(&String, &Member)> {
        let (name, member) = self.members.get_key_value(&account.holder_name)?;
        let is_new = member.uid != account.holder && !member.marked && self.held_by(&member.uid).is_none();
        is_new.then_some((name, member))
    }

    /// Whether another's manifest of its name keeps an account for itself, or for a person to decide about.
    fn is_left_to_another_than(&self, me: &str, account: &Account) -> bool {
        self.namesake(account).is_some_and(|(name, Member { manifest, .. })| {
            name != me && is_left(account, manifest) && !self.goes_to_another(manifest, account)
        })
    }

    /// Who comes back under their name takes their account over before anything else.
    fn comes_back(&mut self, name: &str) {
        let Member { uid, manifest, marked, .. } = self.members[name].clone();
        if marked || self.held_by(&uid).is_some() {
            return;
        }
        let is_left = |account: &Account| {
            account.holder_name == name
                && !self.is_there(&account.holder)
                && !account.removed
                && passes_to(account, &manifest)
                && !self.goes_to_another(&manifest, account)
        };
        let rank = |(id, account): &(&String, &Account)| {
            (!has(account, manifest.address), account.removal_held.is_some(), account.login.is_none(), (*id).clone())
        };
        let left = self.accounts.iter().filter(|(_, account)| is_left(account)).min_by_key(rank);
        let Some(id) = left.map(|(id, _)| id.clone()) else { return };
        if let Some(account) = self.accounts.get_mut(&id) {
            account.holder.clone_from(&uid);
            account.removal_held = None;
            (account.resend, account.resend_at_adoption) = (None, manifest.resend);
        }
    }

    /// Whether the person's latest link lets them in now, and what it answers.
    pub(crate) fn may_answer(&self, name: &str) -> Option<Mail> {
        let member = self.members.get(name)?;
        let account = self.accounts.get(self.held_by(&member.uid)?)?;
        let asked = account.asked.as_ref()?;
        let stands = account.address == Some(asked.address) && !account.removed && !account.suspended;
        let open = match asked.kind {
            Mail::Invitation => account.login.is_none(),
            Mail::Confirmation => account.login.is_some() && account.login != account.address,
            Mail::Notice => false,
        };
        let arrived = asked.link.stands(self.hours) == Stands::Sent && asked.link_works(account.until, self.hours);
        (stands && open && arrived && !member.marked && !self.has_ended(account)).then_some(asked.kind)
    }

    fn answer(&mut self, name: &str) {
        if self.may_answer(name).is_none() {
            return;
        }
        let uid = self.members[name].uid.clone();
        for account in self.accounts.values_mut().filter(|account| account.holder == uid) {
            account.confirms();
            account.login = account.address;
        }
    }

    /// Lets everything come to rest; of several members who could do something the first in `order` goes first.
    fn at_rest(mut self, order: &[String], overtaken: bool) -> Self {
        for name in order {
            self.comes_back(name);
            self.access_follows(name);
        }
        if self.clinic != Stand::Open {
            return self;
        }
        for _ in 0..20 {
            let before = self.clone();
            for name in order {
                self.follow(name);
                if !overtaken {
                    self.follow(name);
                }
            }
            if self == before {
                break;
            }
        }
        // Also one whose namesake goes elsewhere, until that one has its account.
        let is_left = |account: &Account| {
            let namesake = || self.namesake(account).is_some_and(|(_, member)| is_left(account, &member.manifest));
            self.is_there(&account.holder) || namesake()
        };
        let gone: BTreeSet<String> =
            self.accounts.iter().filter(|(_, account)| !is_left(account)).map(|(name, _)| name.clone()).collect();
        for (_, account) in self.accounts.iter_mut().filter(|(name, _)| gone.contains(*name)) {
            account.is_gone(self.removals_are_held);
        }
        self.mail();
        self
    }

    /// Whatever else is wrong: suspension and end of access.
    fn access_follows(&mut self, name: &str) {
        let member = self.members[name].clone();
        let is_known = self.clinic != Stand::Missing && !member.manifest.invalid;
        for account in self.accounts.values_mut().filter(|account| account.holder == member.uid && !member.marked) {
            account.suspended = member.manifest.suspended;
            if is_known {
                account.until = member.manifest.end_of_training.map(|day| (day + DAYS_WITH_ACCESS) * 24);
            }
        }
    }

    fn follow(&mut self, name: &str) {
        if self.members[name].marked || self.members[name].manifest.invalid {
            return;
        }
        let trouble = match self.held_by(&self.members[name].uid).cloned() {
            Some(account) => self.known_member(name, &account),
            None => self.new_member(name),
        };
        if let Some(member) = self.members.get_mut(name) {
            member.trouble = trouble;
        }
        self.access_follows(name);
    }

    /// The account other than `own` that has an address, as login or as what is wished for.
    fn occupant(&self, address: u8, own: Option<&str>) -> Option<String> {
        self.accounts
            .iter()
            .find(|(name, account)| Some(name.as_str()) != own && has(account, address))
            .map(|(name, _)| name.clone())
    }

    fn new_member(&mut self, name: &str) -> Option<&'static str> {
        let Member { uid, manifest, .. } = self.members[name].clone();
        let Some(occupant) = self.occupant(manifest.address, None) else {
            let account = Account {
                holder_name: name.to_owned(),
                holder: uid.clone(),
                address: Some(manifest.address),
                login: None,
                names: (manifest.first, manifest.last),
                only: None,
                until: None,
                suspended: false,
                removed: false,
                decisions: 0,
                resend: manifest.resend,
                resend_at_adoption: None,
                asked: None,
                held: None,
                removal_held: None,
            };
            self.accounts.insert(format!("a-{uid}"), account);
            return None;
        };
        let other = self.accounts[&occupant].clone();
        if self.is_there(&other.holder) || self.is_left_to_another_than(name, &other) {
            return Some("EmailConflict");
        }
        let approval = Some(format!("{occupant}.{}", other.decisions));
        let (same, another) = (manifest.reactivate == approval, manifest.replace == approval);
        if is_the_same_person(name, &manifest, &other) {
            self.adopt(name, &occupant, 0);
        } else if other.login.is_none() {
            self.give_up(&occupant);
        } else if same && !another {
            self.adopt(name, &occupant, 1);
        } else if another && !same {
            self.replace(&occupant);
        } else {
            return Some("FormerMember");
        }
        None
    }

    fn known_member(&mut self, name: &str, own: &str) -> Option<&'static str> {
        let manifest = self.members[name].manifest.clone();
        let account = self.accounts.get_mut(own)?;
        (account.removed, account.removal_held) = (false, None);
        let moves = account.address.is_some() && account.address != Some(manifest.address);
        let names = (manifest.first, manifest.last);
        if account.login.is_some() && moves && account.names != names {
            let approval = Some(format!("{own}.{}", account.decisions));
            if manifest.reactivate != approval || manifest.replace == approval {
                return Some("IdentityChanged");
            }
            account.decisions += 1;
        }
        account.names = names;
        account.resend_at_adoption = account.resend_at_adoption.filter(|answered| manifest.resend == Some(*answered));
        account.resend = if account.resend_at_adoption.is_some() { None } else { manifest.resend };
        if account.address == Some(manifest.address) {
            return None;
        }
        if account.login.is_none() {
            account.address = None;
        }
        let Some(occupant) = self.occupant(manifest.address, Some(own)) else {
            self.accounts.get_mut(own)?.address = Some(manifest.address);
            return None;
        };
        let other = self.accounts[&occupant].clone();
        if self.is_there(&other.holder) || self.is_left_to_another_than(name, &other) {
            return Some("EmailConflict");
        }
        let approval = Some(format!("{occupant}.{}", other.decisions));
        if other.login.is_none() {
            self.give_up(&occupant);
        } else if manifest.replace == approval && manifest.reactivate != approval {
            self.replace(&occupant);
        } else {
            return Some("FormerMember");
        }
        None
    }

    fn adopt(&mut self, name: &str, account: &str, decisions: u32) {
        let Member { uid, manifest, .. } = self.members[name].clone();
        if let Some(account) = self.accounts.get_mut(account) {
            name.clone_into(&mut account.holder_name);
            account.holder = uid;
            (account.removed, account.removal_held) = (false, None);
            account.decisions += decisions;
            account.names = (manifest.first, manifest.last);
            account.resend_at_adoption = manifest.resend;
        }
    }

    fn give_up(&mut self, account: &str) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.address = None;
        }
    }

    fn replace(&mut self, account: &str) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.address = None;
            (account.removed, account.removal_held) = (true, None);
            account.decisions += 1;
        }
    }

    fn mail(&mut self) {
        let there = self.members.values().filter(|member| !member.marked);
        let asked: BTreeSet<_> = there.map(|member| (&member.uid, Some(member.manifest.address))).collect();
        for account in self.accounts.values_mut().filter(|one| asked.contains(&(&one.holder, one.address))) {
            let may = !account.removed && !account.suspended && account.until.is_none_or(|until| self.hours < until);
            let Some(address) = account.address.filter(|_| may) else { continue };
            let kind = match account.login {
                None => Mail::Invitation,
                Some(login) if login != address => Mail::Confirmation,
                Some(_) => continue,
            };
            if kind == Mail::Invitation && account.asked.is_none() && self.guard_holds && account.held.is_none() {
                account.held = Some(true);
            }
            if account.held == Some(true) {
                continue;
            }
            let question = Question { kind, address, resend: account.resend, login: account.login };
            let (asked, mails) = Asked::ask(account.asked.take(), question, self.relay, self.hours);
            account.asked = Some(asked);
            self.mails.extend(mails);
        }
    }
}

fn permutations(names: &[String]) -> Vec<Vec<String>> {
    if names.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in names.iter().enumerate() {
        let mut rest = names.to_vec();
        rest.remove(index);
        for mut order in permutations(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}
