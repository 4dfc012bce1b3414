//! What the operator would do of itself, from the records as they stand, if a tree were in the clinic: by the rules of `domain/`, on
//! copies of the records. What a change of the tree changes about that stands in `compare`.

mod effects;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::side::{Clinic, Person};
use crate::api::account::{ClinicAccountSpec, Desired, Holder, Removed};
use crate::api::renamed::{Named, Records, goes_to_another};
use crate::api::wishes::{Wishes, approved};
use crate::api::{REACTIVATE_ANNOTATION, REPLACE_ANNOTATION};
use crate::domain::email::{ClaimName, RawEmail};
use crate::domain::guard::{is_within_the_window, one_more_may_be_removed};
use crate::domain::identity::{
    Approval, Claimant, Occupant, Ruling, approval, is_the_same_person, may_have_become_another_person,
    takes_another_name, whose_account_it_is,
};

pub(super) use self::effects::{Change, Effect};

/// A clinic and the records of its accounts.
pub(super) struct World<'a> {
    pub clinic: &'a Clinic,
    /// By `metadata.name`, each with the UID of the object, or one that only it has.
    pub people: BTreeMap<&'a str, (String, &'a Person)>,
    pub records: Vec<ClinicAccountSpec>,
    pub now: Timestamp,
}

/// A record on its way.
struct Account<'a> {
    before: Option<ClinicAccountSpec>,
    after: ClinicAccountSpec,
    /// Who holds it in the tree, by name.
    holder: Option<&'a str>,
    /// Whether another manifest took it up.
    taken_up: bool,
    /// Whether a guard keeps its access although nobody holds it.
    held: bool,
    claims: Vec<ClaimName>,
}

impl Account<'_> {
    fn wants(&mut self, email: Option<RawEmail>) {
        self.after.desired.email = email;
        self.claims = self.after.claims();
    }
}

/// Everything that would happen.
pub(super) fn outcome(world: World<'_>) -> Vec<Change> {
    let mut course = Course::new(world);
    course.who_comes_back_takes_their_place();
    course.wishes_follow();
    if course.world.clinic.is_open() {
        course.addresses_follow();
        course.whoever_is_gone_is_removed();
    }
    course.effects()
}

struct Course<'a> {
    world: World<'a>,
    accounts: Vec<Account<'a>>,
    /// What was said on the way.
    said: Vec<Change>,
    /// Members of whom nothing but access follows.
    stuck: BTreeSet<&'a str>,
    /// Which account is whose.
    held_by: BTreeMap<&'a str, usize>,
}

impl<'a> Course<'a> {
    fn new(mut world: World<'a>) -> Self {
        let holders: BTreeMap<&str, &str> = world.people.iter().map(|(name, (uid, _))| (uid.as_str(), *name)).collect();
        let holder = |record: &ClinicAccountSpec| holders.get(record.desired.holder.uid.as_str()).copied();
        let mut records = std::mem::take(&mut world.records);
        records.sort_by(|one, other| one.id.cmp(&other.id));
        let account = |record: ClinicAccountSpec| Account {
            holder: holder(&record),
            before: Some(record.clone()),
            claims: record.claims(),
            after: record,
            taken_up: false,
            held: false,
        };
        let accounts: Vec<_> = records.into_iter().map(account).collect();
        let holders = accounts.iter().enumerate().filter_map(|(index, account)| Some((account.holder?, index)));
        let held_by = holders.collect();
        Self { world, accounts, said: Vec::new(), stuck: BTreeSet::new(), held_by }
    }

    fn say(&mut self, effect: Effect, member: &str, detail: impl Into<String>) {
        self.said.push(Change { effect, member: member.to_owned(), detail: detail.into() });
    }

    fn person(&self, name: &str) -> Option<&'a Person> {
        self.world.people.get(name).map(|(_, person)| *person)
    }

    fn account_of(&self, name: &str) -> Option<usize> {
        self.held_by.get(name).copied()
    }

    /// A manifest without an account takes over the one whose gone holder had its name, before anybody looks who has its address.
    fn who_comes_back_takes_their_place(&mut self) {
        for (name, (_, person)) in self.world.people.clone() {
            if self.held_by.contains_key(name) {
                continue;
            }
            let goes_elsewhere =
                |account: &Account<'_>| goes_to_another(self, &account.after, (name.to_owned(), person.spec.clone()));
            let is_left = |account: &Account<'_>| {
                let passes = account.holder.is_none() && account.after.passes_to(&person.spec, name);
                passes && !goes_elsewhere(account)
            };
            let has_it = |account: &Account<'_>| person.key().is_some_and(|key| account.claims.contains(&key.claim()));
            let left = self.accounts.iter().enumerate().filter(|(_, account)| is_left(account));
            let rank = |(_, account): &(usize, &Account<'_>)| {
                (!has_it(account), account.after.desired.hold.is_some(), account.after.acceptance.is_none())
            };
            let Some(index) = left.min_by_key(rank).map(|(index, _)| index) else { continue };
            let desired = self.wishes(name, person).in_the_place_of_the_holder(&self.accounts[index].after.desired);
            let account = &mut self.accounts[index];
            account.after.desired = desired;
            account.holder = Some(name);
            account.taken_up = true;
            self.held_by.insert(name, index);
        }
    }

    /// The manifest without an account to which an account is left that nobody holds.
    fn heir(&self, account: &Account<'_>) -> Option<String> {
        let (name, spec) = self.namesake_of(&account.after).filter(|_| account.holder.is_none())?;
        let is_left = account.after.is_left_to(&spec, &name);
        (is_left && !goes_to_another(self, &account.after, (name.clone(), spec))).then_some(name)
    }

    /// End of access and suspension always, the other wishes while the clinic is open; an address is not among them.
    fn wishes_follow(&mut self) {
        let is_open = self.world.clinic.is_open();
        for index in 0..self.accounts.len() {
            let Some(name) = self.accounts[index].holder else { continue };
            let Some(person) = self.person(name) else { continue };
            let record = &self.accounts[index].after;
            let another_address = record.address_key().is_some_and(|key| Some(key) != person.key());
            let another_name = takes_another_name(person.spec.names(name), record.names());
            let wanted = approval(&record.id, record.desired.decisions);
            let accepted = record.acceptance.is_some();
            let is_another = may_have_become_another_person(accepted, another_address, another_name)
                && approved(Some(&person.annotations), &wanted) != Approval::SamePerson;
            let wishes = self.wishes(name, person);
            let desired = if is_open && !is_another {
                wishes.all_but_the_address(&record.desired)
            } else {
                wishes.access(&record.desired)
            };
            self.accounts[index].after.desired = desired;
            if is_another && is_open {
                let value = if record_is_known(&wanted) { format!(": {wanted}") } else { String::new() };
                let detail = format!(
                    "address and name of an accepted member change at once: for the same person set the annotation {REACTIVATE_ANNOTATION}{value}"
                );
                self.say(Effect::NeedsAPerson, name, detail);
                self.stuck.insert(name);
            }
        }
    }

    /// Whoever has not accepted gives an address up first; then everybody who wants one asks for it, by name.
    fn addresses_follow(&mut self) {
        let mut claimants = Vec::new();
        for (name, (_, person)) in self.world.people.clone() {
            let Some(key) = person.key().filter(|_| !self.stuck.contains(name)) else { continue };
            match self.account_of(name) {
                None => claimants.push((name, person, key.claim())),
                Some(index) => {
                    let account = &mut self.accounts[index];
                    if account.after.address_key().as_ref() == Some(&key) {
                        account.wants(Some(person.spec.email.clone()));
                        continue;
                    }
                    if account.after.acceptance.is_none() {
                        account.wants(None);
                    }
                    claimants.push((name, person, key.claim()));
                }
            }
        }
        for (name, person, claim) in claimants {
            self.claim(name, person, claim);
        }
    }

    fn claim(&mut self, name: &'a str, person: &'a Person, claim: ClaimName) {
        let own = self.account_of(name);
        let has_it = |(index, account): &(usize, &Account<'_>)| Some(*index) != own && account.claims.contains(&claim);
        let Some((other, account)) = self.accounts.iter().enumerate().find(has_it) else {
            return self.take(name, person, own);
        };
        let heir = || self.heir(account).filter(|heir| heir != name);
        if let Some(holder) = account.holder.map(str::to_owned).or_else(heir) {
            return self.say(Effect::NeedsAPerson, name, format!("{holder} has the address: change one of the two"));
        }
        let record = &account.after;
        let occupant = Occupant {
            holder_is_gone: true,
            accepted: record.acceptance.is_some(),
            same_person: is_the_same_person(person.spec.names(name), record.names(), record.desired.removed.is_some()),
        };
        let wanted = approval(&record.id, record.desired.decisions);
        let claimant = if own.is_some() { Claimant::Known } else { Claimant::New };
        match whose_account_it_is(claimant, occupant, approved(Some(&person.annotations), &wanted)) {
            Ruling::Adopt | Ruling::Reactivate => self.take_up(name, person, other),
            Ruling::TheOtherGivesUp => {
                self.accounts[other].wants(None);
                self.take(name, person, own);
            }
            Ruling::Replace => {
                self.accounts[other].wants(None);
                let desired = &mut self.accounts[other].after.desired;
                desired.removed.get_or_insert(Removed { at: self.world.now });
                self.take(name, person, own);
            }
            Ruling::EmailConflict | Ruling::FormerMember => {
                let for_the_same = match claimant {
                    Claimant::New => {
                        format!("for the same person set the annotation {REACTIVATE_ANNOTATION}: {wanted}, for another")
                    }
                    Claimant::Known => "to take it from them for good set the annotation".to_owned(),
                };
                let detail = if record_is_known(&wanted) {
                    format!("a former member had the address: {for_the_same} {REPLACE_ANNOTATION}: {wanted}")
                } else {
                    "somebody who leaves has the address: once they are gone, a person must say whether it is the same one".to_owned()
                };
                self.say(Effect::NeedsAPerson, name, detail);
            }
        }
    }

    fn take(&mut self, name: &'a str, person: &'a Person, own: Option<usize>) {
        let email = Some(person.spec.email.clone());
        if let Some(index) = own {
            self.accounts[index].wants(email);
            return;
        }
        let first = Desired::without_address(person.spec.type_, self.holder(name));
        let desired = Desired { email, ..self.wishes(name, person).all_but_the_address(&first) };
        let after = ClinicAccountSpec { id: String::new(), desired, access: None, delivery: None, acceptance: None };
        self.held_by.insert(name, self.accounts.len());
        let claims = after.claims();
        self.accounts.push(Account { before: None, after, holder: Some(name), taken_up: false, held: false, claims });
    }

    fn take_up(&mut self, name: &'a str, person: &'a Person, index: usize) {
        let desired = self.wishes(name, person).adopted(&self.accounts[index].after.desired);
        let account = &mut self.accounts[index];
        account.after.desired = desired;
        account.wants(Some(person.spec.email.clone()));
        account.holder = Some(name);
        account.taken_up = true;
        self.held_by.insert(name, index);
    }

    fn wishes<'b>(&'b self, name: &str, person: &'b Person) -> Wishes<'b> {
        Wishes {
            spec: &person.spec,
            annotations: Some(&person.annotations),
            holder: self.holder(name),
            zone: self.world.clinic.zone.as_ref(),
        }
    }

    fn holder(&self, name: &str) -> Holder {
        let uid = self.world.people.get(name).map(|(uid, _)| uid.clone()).unwrap_or_default();
        Holder { name: name.to_owned(), uid }
    }

    /// Whoever never accepted is withdrawn, which the guard neither counts nor holds.
    fn whoever_is_gone_is_removed(&mut self) {
        let now = self.world.now;
        let accepted = || {
            let before = self.accounts.iter().filter_map(|account| account.before.as_ref());
            before.filter(|record| record.acceptance.is_some())
        };
        let removals = || accepted().filter_map(|record| record.desired.removed.as_ref());
        let mut lately = removals().filter(|removed| is_within_the_window(removed.at, now)).count();
        let accounts = accepted().count() - (removals().count() - lately);
        let released = self.world.clinic.released.clone();
        for index in 0..self.accounts.len() {
            let account = &self.accounts[index];
            let is_gone = account.holder.is_none() && account.after.desired.removed.is_none();
            if !is_gone || self.heir(account).is_some() {
                continue;
            }
            let is_withdrawn = account.after.acceptance.is_none();
            let account = &mut self.accounts[index];
            let desired = &mut account.after.desired;
            let passes = match &desired.hold {
                _ if is_withdrawn => true,
                Some(hold) => {
                    let release = released.as_ref();
                    hold.released || release.is_some_and(|release| release.is_for(&hold.id, &desired.holder.name))
                }
                None => one_more_may_be_removed(accounts, lately),
            };
            if passes {
                lately += usize::from(desired.hold.is_none() && !is_withdrawn);
                desired.removed = Some(Removed { at: now });
            } else {
                account.held = true;
            }
        }
    }
}

impl Records for Course<'_> {
    fn left_with(&self, claim: ClaimName) -> Vec<ClinicAccountSpec> {
        let left = self.accounts.iter().filter(|account| account.holder.is_none() && account.claims.contains(&claim));
        left.map(|account| account.after.clone()).collect()
    }

    fn manifests_with(&self, claim: ClaimName) -> Vec<Named> {
        let asks = |person: &Person| person.key().is_some_and(|key| key.claim() == claim);
        let people = self.world.people.iter().filter(|(_, (_, person))| asks(person));
        people.map(|(name, (_, person))| ((*name).to_owned(), person.spec.clone())).collect()
    }

    fn namesake_of(&self, account: &ClinicAccountSpec) -> Option<Named> {
        let (name, (_, person)) = self.world.people.get_key_value(account.desired.holder.name.as_str())?;
        (!self.held_by.contains_key(name)).then(|| ((*name).to_owned(), person.spec.clone()))
    }
}

/// A record that was not seen has no name that an annotation could say.
fn record_is_known(approval: &str) -> bool {
    approval.starts_with("a-")
}
