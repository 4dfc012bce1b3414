//! A restatement of what the operator promises about identity, addresses, access and mail (DESIGN.md §4 to §6), as a plain
//! state machine: people do something, everything comes to rest, and this is how it then stands. It imports nothing from the
//! crate and knows neither claims nor steps. Where several members may go first, every order is an allowed outcome.

use std::collections::{BTreeMap, BTreeSet};

use super::{Input, Mail, Manifest, Outcome, Seen};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    uid: String,
    manifest: Manifest,
    trouble: Option<&'static str>,
}

/// The last mail with a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    kind: Mail,
    address: u8,
    resend: Option<u8>,
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Account {
    holder_name: String,
    holder: String,
    address: Option<u8>,
    login: Option<u8>,
    names: (Option<u8>, Option<u8>),
    until: Option<i64>,
    suspended: bool,
    removed: bool,
    decisions: u32,
    resend: Option<u8>,
    resend_at_adoption: Option<u8>,
    asked: Option<Asked>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Model {
    hours: i64,
    paused: bool,
    members: BTreeMap<String, Member>,
    accounts: BTreeMap<String, Account>,
    mails: Vec<(Mail, u8)>,
}

/// Access lasts through day end + 14.
const DAYS_WITH_ACCESS: i64 = 15;
const LINK_HOURS: i64 = 7 * 24;

impl Model {
    /// Every way in which it may stand after this.
    pub(crate) fn after(&self, input: &Input) -> Vec<Self> {
        let mut changed = self.clone();
        match input {
            Input::Apply { name, uid, manifest } => {
                let member = Member { uid: uid.clone(), manifest: manifest.clone(), trouble: None };
                changed.members.insert(name.clone(), member);
            }
            Input::Delete { name } => drop(changed.members.remove(name)),
            Input::Answer { name } => changed.answer(name),
            Input::Pause(paused) => changed.paused = *paused,
            Input::Pass(hours) => changed.hours += hours,
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

    /// What can be seen of it.
    pub(crate) fn outcome(&self) -> Outcome {
        let seen = |account: &Account| Seen {
            holder: account.holder.clone(),
            address: account.address,
            login: account.login,
            removed: account.removed,
            granted: account.login.is_some() && !account.removed && !account.suspended && !self.has_ended(account),
            decisions: account.decisions,
        };
        let state = |member: &Member| {
            let account = self.held_by(&member.uid);
            (self.state(member, account.and_then(|name| self.accounts.get(name))).to_owned(), account.cloned())
        };
        let mut mails = self.mails.clone();
        mails.sort_unstable();
        Outcome {
            members: self.members.iter().map(|(name, member)| (name.clone(), state(member))).collect(),
            accounts: self.accounts.iter().map(|(name, account)| (name.clone(), seen(account))).collect(),
            mails,
        }
    }

    fn state(&self, member: &Member, account: Option<&Account>) -> &'static str {
        if self.paused {
            return "Paused";
        }
        if let Some(trouble) = member.trouble {
            return trouble;
        }
        let Some(account) = account else { return "Pending" };
        if self.has_ended(account) {
            "TrainingEnded"
        } else if account.suspended {
            "Suspended"
        } else if account.login.is_some() {
            "Active"
        } else {
            match &account.asked {
                Some(asked) if self.link_works_at(account, asked) => "Invited",
                Some(_) => "InvitationExpired",
                None => "Pending",
            }
        }
    }

    fn has_ended(&self, account: &Account) -> bool {
        account.until.is_some_and(|until| self.hours >= until)
    }

    fn link_works_at(&self, account: &Account, asked: &Asked) -> bool {
        let expires = asked.at + LINK_HOURS;
        self.hours < account.until.map_or(expires, |until| until.min(expires))
    }

    fn held_by(&self, uid: &str) -> Option<&String> {
        self.accounts.iter().find(|(_, account)| account.holder == uid).map(|(name, _)| name)
    }

    fn is_there(&self, uid: &str) -> bool {
        self.members.values().any(|member| member.uid == uid)
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
        (stands && open && !self.has_ended(account) && self.link_works_at(account, asked)).then_some(asked.kind)
    }

    fn answer(&mut self, name: &str) {
        if self.may_answer(name).is_none() {
            return;
        }
        let uid = self.members[name].uid.clone();
        for account in self.accounts.values_mut().filter(|account| account.holder == uid) {
            account.login = account.address;
        }
    }

    /// Lets everything come to rest; of several members who could do something the first in `order` goes first.
    fn at_rest(mut self, order: &[String], overtaken: bool) -> Self {
        for name in order {
            self.access_follows(name);
        }
        if self.paused {
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
        let there: BTreeSet<String> = self.members.values().map(|member| member.uid.clone()).collect();
        for account in self.accounts.values_mut() {
            account.removed |= !there.contains(&account.holder);
        }
        self.mail();
        self
    }

    /// Whatever else is wrong: suspension and end of access.
    fn access_follows(&mut self, name: &str) {
        let member = self.members[name].clone();
        for account in self.accounts.values_mut().filter(|account| account.holder == member.uid) {
            account.suspended = member.manifest.suspended;
            account.until = member.manifest.end_of_training.map(|day| (day + DAYS_WITH_ACCESS) * 24);
        }
    }

    fn follow(&mut self, name: &str) {
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
        let has = |account: &Account| {
            account.address.is_some() && (account.address == Some(address) || account.login == Some(address))
        };
        self.accounts
            .iter()
            .find(|(name, account)| Some(name.as_str()) != own && has(account))
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
                until: None,
                suspended: false,
                removed: false,
                decisions: 0,
                resend: manifest.resend,
                resend_at_adoption: None,
                asked: None,
            };
            self.accounts.insert(format!("a-{uid}"), account);
            return None;
        };
        let other = self.accounts[&occupant].clone();
        if self.is_there(&other.holder) {
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
        account.removed = false;
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
        if self.is_there(&other.holder) {
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
            account.removed = false;
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
            account.removed = true;
            account.decisions += 1;
        }
    }

    fn mail(&mut self) {
        for account in self.accounts.values_mut() {
            let may = !account.removed && !account.suspended && account.until.is_none_or(|until| self.hours < until);
            let Some(address) = account.address.filter(|_| may) else { continue };
            let kind = match account.login {
                None => Mail::Invitation,
                Some(login) if login != address => Mail::Confirmation,
                Some(_) => continue,
            };
            let asks_the_same = |asked: &Asked| {
                let answered = account.resend.is_none() || account.resend == asked.resend;
                asked.kind == kind && asked.address == address && answered
            };
            if account.asked.as_ref().is_some_and(asks_the_same) {
                continue;
            }
            self.mails.push((kind, address));
            if let Some(login) = account.login {
                self.mails.push((Mail::Notice, login));
            }
            account.asked = Some(Asked { kind, address, resend: account.resend, at: self.hours });
        }
    }
}

fn is_the_same_person(object: &str, manifest: &Manifest, record: &Account) -> bool {
    let (first, last) = record.names;
    let differs = |one: Option<u8>, other: Option<u8>| one.is_some() && other.is_some() && one != other;
    if differs(manifest.first, first) || differs(manifest.last, last) {
        return false;
    }
    let all_given = [manifest.first, manifest.last, first, last].iter().all(Option::is_some);
    all_given || (object == record.holder_name && !record.removed)
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
