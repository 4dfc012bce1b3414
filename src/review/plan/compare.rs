//! What would become of each member if the one side became the other, by the rules of `domain/`. How either side was read, and how
//! the plan is written, never lives here.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::fields::changed_fields;
use super::side::{Person, Side};
use crate::api::account::ClinicAccount;
use crate::api::{REACTIVATE_ANNOTATION, REPLACE_ANNOTATION, RESEND_ANNOTATION};
use crate::domain::calendar::ClinicZone;
use crate::domain::guard::{is_within_the_window, one_more_may_be_invited, one_more_may_be_removed};
use crate::domain::identity::{
    Approval, Claimant, Occupant, Ruling, approval, is_the_same_person, may_have_become_another_person,
    takes_another_name, whose_account_it_is,
};
use crate::domain::lifecycle::{AccessFacts, AccessReason, access};

/// What happens to a member, in the order in which people want to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Effect {
    /// Access ends, or the way to it.
    AccessEnds,
    /// Nothing happens before a person has acted.
    NeedsAPerson,
    /// A guard holds it back until a person releases it.
    Held,
    /// A mail with a link leaves.
    Mailed,
    /// Access comes back.
    AccessReturns,
    /// An account of before is taken up again; nothing is mailed.
    TakesUpAccount,
    /// Something else.
    Changes,
}

/// One thing that happens to one member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Change {
    pub effect: Effect,
    /// `metadata.name`.
    pub member: String,
    /// Why, and what exactly; never an address.
    pub detail: String,
}

/// Compares, as of `now`.
pub(super) fn compare(before: &Side, after: &Side, now: Timestamp) -> Vec<Change> {
    let zone = after.zone().or_else(|| before.zone());
    let mut plan = Planning { before, after, zone, now, changes: Vec::new(), invited: 0, taken_up: BTreeSet::new() };
    for (name, person) in &after.people {
        match before.people.get(name) {
            Some(old) => plan.known(name, old, person),
            None => plan.new_person(name, person),
        }
    }
    plan.removals();
    plan.service_accounts();
    plan.clinic();
    plan.changes.sort();
    plan.changes
}

struct Planning<'a> {
    before: &'a Side,
    after: &'a Side,
    zone: Option<ClinicZone>,
    now: Timestamp,
    changes: Vec<Change>,
    /// First invitations of this plan.
    invited: usize,
    /// Records that another manifest takes up, and members whose account it is where records are not seen.
    taken_up: BTreeSet<&'a str>,
}

/// What becomes of a wish for an address.
enum Address<'a> {
    /// The member gets it.
    Free,
    /// The member of this name has it.
    Taken(&'a str),
    /// The account that has it is taken up as it stands.
    ComesWith(&'a ClinicAccount),
    /// A person must say whose it is.
    OfAFormerMember(&'a ClinicAccount),
    /// The same two where records are not seen: the account of the member who was called so.
    ComesFrom(&'a str),
    OfWhoWas(&'a str),
}

impl<'a> Planning<'a> {
    fn say(&mut self, effect: Effect, member: &str, detail: impl Into<String>) {
        self.changes.push(Change { effect, member: member.to_owned(), detail: detail.into() });
    }

    fn service_accounts(&mut self) {
        for (name, new) in &self.after.service_accounts {
            match self.before.service_accounts.get(name) {
                Some(old) => self.fields(name, old, new),
                None => self.say(Effect::Changes, name, "a new service account"),
            }
        }
        for name in self.before.service_accounts.keys().filter(|name| !self.after.service_accounts.contains_key(*name))
        {
            self.say(Effect::Changes, name, "the service account is removed");
        }
    }

    /// A tree may leave the Clinic to somebody else, so its absence changes nothing.
    fn clinic(&mut self) {
        if let (Some(old), Some(new)) = (&self.before.clinic, &self.after.clinic) {
            self.fields("(the Clinic)", &as_json(old), &as_json(new));
        }
    }

    fn known(&mut self, name: &'a str, old: &'a Person, new: &'a Person) {
        let record = self.before.record(old);
        let accepted = record.map_or(old.seems_accepted, |record| record.spec.acceptance.is_some());
        let was =
            record.map_or_else(|| old.access_facts(None, self.zone.as_ref()), |record| record.spec.access_facts());
        let becomes = Person { seems_accepted: accepted, ..new.clone() }.access_facts(record, self.zone.as_ref());
        self.access(name, &was, &becomes);
        self.fields(name, &as_json(&old.spec), &as_json(&new.spec));
        let another_address = new.key() != old.key();
        if !another_address {
            if !accepted && asks_for_a_resend(old, new) {
                self.say(Effect::Mailed, name, "a resend: the links of earlier mails stop working");
            }
            return;
        }
        let another_name = takes_another_name(new.names(name), old.names(name));
        let wanted = record.map(|record| approval(&record.spec.id, record.spec.desired.decisions));
        let is_approved = wanted.as_deref().is_some_and(|wanted| approved(new, wanted) == Approval::SamePerson);
        if may_have_become_another_person(accepted, another_address, another_name) && !is_approved {
            let value = wanted.map(|wanted| format!(": {wanted}")).unwrap_or_default();
            let detail = format!(
                "address and name of an accepted member change at once: for the same person set the annotation {REACTIVATE_ANNOTATION}{value}"
            );
            self.say(Effect::NeedsAPerson, name, detail);
        } else if self.gets_the_address(name, new, Claimant::Known) {
            let detail = if accepted {
                "another address: a link to confirm it goes there and a notice to the old one, which signs in until then"
            } else {
                "another address: a new invitation, and the links of earlier mails stop working"
            };
            self.say(Effect::Mailed, name, detail);
        }
    }

    fn new_person(&mut self, name: &'a str, person: &'a Person) {
        if !self.gets_the_address(name, person, Claimant::New) {
            return;
        }
        match access(&person.access_facts(None, self.zone.as_ref()), self.now) {
            AccessReason::TrainingEnded => {
                self.say(Effect::Changes, name, "a new member whose access is over: nobody is invited");
            }
            AccessReason::Suspended => self.say(Effect::Changes, name, "a new member, suspended: nobody is invited"),
            AccessReason::Granted | AccessReason::NotAccepted | AccessReason::Removed => self.first_invitation(name),
        }
    }

    fn first_invitation(&mut self, name: &str) {
        let clinic = self.after.clinic.as_ref().or(self.before.clinic.as_ref());
        let per_hour = clinic.map(|clinic| clinic.guard.invitations_per_hour);
        let invited = self.before.records.iter().flatten().filter_map(|record| record.spec.first_invited());
        let lately = invited.filter(|at| is_within_the_window(*at, self.now)).count();
        match per_hour.filter(|per_hour| !one_more_may_be_invited(*per_hour, lately + self.invited)) {
            Some(per_hour) => {
                self.say(
                    Effect::Held,
                    name,
                    format!("a new member, beyond the {per_hour} first invitations of an hour"),
                );
            }
            None => self.say(Effect::Mailed, name, "a new member: an invitation"),
        }
        self.invited += 1;
    }

    /// Whether the member gets the address of the manifest. If not, what happens instead is said.
    fn gets_the_address(&mut self, name: &'a str, person: &'a Person, claimant: Claimant) -> bool {
        match self.address(name, person, claimant) {
            Address::Free => return true,
            Address::Taken(other) => {
                self.say(Effect::NeedsAPerson, name, format!("{other} has the address: change one of the two"));
            }
            Address::ComesWith(record) => {
                self.taken_up.insert(&record.spec.id);
                self.say(
                    Effect::TakesUpAccount,
                    name,
                    format!("account {} goes on as it stands; nothing is mailed", record.spec.id),
                );
                let becomes = person.access_facts(Some(record), self.zone.as_ref());
                self.access(name, &record.spec.access_facts(), &becomes);
            }
            Address::ComesFrom(other) => {
                self.taken_up.insert(other);
                let detail = format!("was {other}: the account goes on as it stands; nothing is mailed");
                self.say(Effect::TakesUpAccount, name, detail);
            }
            Address::OfWhoWas(other) => {
                let detail = format!(
                    "{other}, who leaves, has the address: if somebody has accepted, a person must say whether it is the same one"
                );
                self.say(Effect::NeedsAPerson, name, detail);
            }
            Address::OfAFormerMember(record) => {
                let wanted = approval(&record.spec.id, record.spec.desired.decisions);
                let detail = format!(
                    "a former member had the address: for the same person set the annotation {REACTIVATE_ANNOTATION}: {wanted}, for another {REPLACE_ANNOTATION}: {wanted}"
                );
                self.say(Effect::NeedsAPerson, name, detail);
            }
        }
        false
    }

    fn address(&self, name: &'a str, person: &'a Person, claimant: Claimant) -> Address<'a> {
        let Some(key) = person.key() else { return Address::Free };
        let own = self.before.people.get(name).and_then(|old| self.before.record(old)).map(|record| &record.spec.id);
        let has_it =
            |record: &&ClinicAccount| Some(&record.spec.id) != own && record.spec.claims().contains(&key.claim());
        if let Some(record) = self.before.records.iter().flatten().find(has_it) {
            return self.address_of_a_record(name, person, claimant, record);
        }
        if let Some(address) = self.address_of_who_leaves(name, person, claimant) {
            return address;
        }
        let has_precedence = |other: &str| match self.before.people.get(other) {
            Some(old) => old.key().as_ref() == Some(&key),
            None => other < name,
        };
        let others =
            self.after.people.iter().filter(|(other, them)| *other != name && them.key().as_ref() == Some(&key));
        others
            .map(|(other, _)| other.as_str())
            .find(|other| has_precedence(other))
            .map_or(Address::Free, Address::Taken)
    }

    /// Where records are not seen, whoever had the address and has no manifest any more.
    fn address_of_who_leaves(&self, name: &str, person: &Person, claimant: Claimant) -> Option<Address<'a>> {
        let leaves = |other: &&String| self.before.records.is_none() && !self.after.people.contains_key(*other);
        let had_it = |other: &&String| self.before.people.get(*other).is_some_and(|other| other.key() == person.key());
        let other = self.before.people.keys().filter(leaves).find(had_it)?;
        let before = self.before.people.get(other)?;
        let same_person = is_the_same_person(person.names(name), before.names(other), false);
        let occupant = Occupant { holder_is_gone: true, accepted: before.seems_accepted, same_person };
        Some(match whose_account_it_is(claimant, occupant, Approval::None) {
            Ruling::Adopt | Ruling::Reactivate => Address::ComesFrom(other),
            Ruling::TheOtherGivesUp | Ruling::Replace => Address::Free,
            Ruling::EmailConflict | Ruling::FormerMember => Address::OfWhoWas(other),
        })
    }

    fn address_of_a_record(
        &self,
        name: &str,
        person: &Person,
        claimant: Claimant,
        record: &'a ClinicAccount,
    ) -> Address<'a> {
        let desired = &record.spec.desired;
        let accepted = record.spec.acceptance.is_some();
        let holder = self
            .before
            .people
            .get(&desired.holder.name)
            .filter(|holder| holder.uid.as_ref() == Some(&desired.holder.uid));
        let stays = holder.and_then(|_| self.after.people.get(&desired.holder.name));
        if let Some(them) = stays {
            let gives_it_up = !accepted && them.key().map(|key| key.claim()) != person.key().map(|key| key.claim());
            return if gives_it_up { Address::Free } else { Address::Taken(&desired.holder.name) };
        }
        let same_person = is_the_same_person(person.names(name), record.spec.names(), desired.removed.is_some());
        let occupant = Occupant { holder_is_gone: true, accepted, same_person };
        let wanted = approval(&record.spec.id, desired.decisions);
        match whose_account_it_is(claimant, occupant, approved(person, &wanted)) {
            Ruling::TheOtherGivesUp | Ruling::Replace => Address::Free,
            Ruling::Adopt | Ruling::Reactivate => Address::ComesWith(record),
            Ruling::EmailConflict => Address::Taken(&desired.holder.name),
            Ruling::FormerMember => Address::OfAFormerMember(record),
        }
    }

    fn access(&mut self, name: &str, was: &AccessFacts, becomes: &AccessFacts) {
        let day = |until: Option<Timestamp>| match (until, &self.zone) {
            (Some(until), Some(zone)) => zone.last_day(until).to_string(),
            (Some(until), None) => until.to_string(),
            (None, _) => "none".to_owned(),
        };
        let why = match access(becomes, self.now) {
            AccessReason::Suspended => "suspended".to_owned(),
            AccessReason::TrainingEnded => format!("the last day of access was {}", day(becomes.until)),
            AccessReason::Granted | AccessReason::NotAccepted | AccessReason::Removed => String::new(),
        };
        let moved = format!("last day of access: {}, before {}", day(becomes.until), day(was.until));
        let is_moved = was.until != becomes.until;
        let (effect, detail) = match (access(was, self.now), access(becomes, self.now)) {
            (AccessReason::Granted, AccessReason::Suspended | AccessReason::TrainingEnded) => (Effect::AccessEnds, why),
            (AccessReason::NotAccepted, AccessReason::Suspended | AccessReason::TrainingEnded) => {
                (Effect::AccessEnds, format!("{why}: the invitation's link does not let in"))
            }
            (AccessReason::Suspended | AccessReason::TrainingEnded | AccessReason::Removed, AccessReason::Granted) => {
                (Effect::AccessReturns, if is_moved { moved } else { "access as before".to_owned() })
            }
            (AccessReason::Suspended | AccessReason::TrainingEnded, AccessReason::NotAccepted) => {
                (Effect::Changes, "may accept the invitation again".to_owned())
            }
            (_, _) if is_moved => (Effect::Changes, moved),
            (_, _) => return,
        };
        self.say(effect, name, detail);
    }

    fn fields(&mut self, name: &str, old: &Value, new: &Value) {
        for detail in changed_fields(old, new) {
            self.say(Effect::Changes, name, detail);
        }
    }

    /// Whoever is not there any more, as a tool that prunes leaves it.
    fn removals(&mut self) {
        let records = || self.before.records.iter().flatten();
        let removed = || records().filter_map(|record| record.spec.desired.removed.as_ref());
        let lately = removed().filter(|removed| is_within_the_window(removed.at, self.now)).count();
        let accounts = match &self.before.records {
            Some(records) => records.len() - (removed().count() - lately),
            None => self.before.people.len(),
        };
        let gone = self.before.people.iter().filter(|(name, _)| !self.after.people.contains_key(*name));
        let gone = gone.filter(|(name, person)| {
            let account = self.before.record(person).map_or(name.as_str(), |record| record.spec.id.as_str());
            !self.taken_up.contains(account)
        });
        for (count, (name, person)) in gone.enumerate().collect::<Vec<_>>() {
            let record = self.before.record(person);
            let facts = record
                .map_or_else(|| person.access_facts(None, self.zone.as_ref()), |record| record.spec.access_facts());
            let detail = match access(&facts, self.now) {
                AccessReason::Granted => "removed: access ends, the record is kept",
                AccessReason::NotAccepted => "removed: the links of the invitation stop working",
                AccessReason::Suspended | AccessReason::Removed | AccessReason::TrainingEnded => {
                    "removed: has no access now either"
                }
            };
            if one_more_may_be_removed(accounts, lately + count) {
                self.say(Effect::AccessEnds, name, detail);
            } else {
                self.say(
                    Effect::Held,
                    name,
                    "removed, beyond what the guard lets pass in an hour: access stays until `kubectl clinic release`; of several who go at once it may be others",
                );
            }
        }
    }
}

fn as_json(spec: &impl Serialize) -> Value {
    serde_json::to_value(spec).unwrap_or_default()
}

fn approved(person: &Person, wanted: &str) -> Approval {
    let annotation = |name: &str| person.annotations.get(name).map(String::as_str);
    Approval::read(annotation(REACTIVATE_ANNOTATION), annotation(REPLACE_ANNOTATION), wanted)
}

fn asks_for_a_resend(old: &Person, new: &Person) -> bool {
    let asked = new.annotations.get(RESEND_ANNOTATION);
    asked.is_some() && asked != old.annotations.get(RESEND_ANNOTATION)
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
