//! Whose account an account is, as far as the cache knows: the lookups over holders that decisions ask.

use std::sync::Arc;

use super::Kind;
use super::facts::facts;
use super::index::Index;
use crate::api::{ClinicAccount, ClinicUser};

impl Index {
    /// The accounts that the `ClinicUser` with this UID holds: one, or after a race more, of which the first is theirs (an
    /// accepted one before others, then the oldest).
    pub fn accounts_held_by(&self, uid: &str) -> Vec<ClinicAccount> {
        let mut held: Vec<ClinicAccount> = self.held_by(uid).filter_map(|name| self.account(name)).collect();
        held.sort_by_cached_key(|account| {
            let created = account.metadata.creation_timestamp.as_ref().map_or(i64::MAX, |at| at.0.as_second());
            (account.spec.acceptance.is_none(), created, account.spec.id.clone())
        });
        held
    }

    /// Whether the `ClinicUser` that holds an account is there and this is the account of theirs that counts.
    pub fn is_held(&self, account: &ClinicAccount) -> bool {
        let uid = &account.spec.desired.holder.uid;
        let counts = || self.accounts_held_by(uid).first().is_some_and(|first| first.spec.id == account.spec.id);
        self.has_member(uid) && (self.held_by(uid).nth(1).is_none() || counts())
    }

    /// The accounts that a manifest of this name may take over from a holder of that name who is not seen.
    pub fn accounts_left_by(&self, name: &str) -> Vec<ClinicAccount> {
        let is_left = |account: &ClinicAccount| !self.has_member(&account.spec.desired.holder.uid);
        self.accounts_of_name(name).filter_map(|account| self.account(account)).filter(is_left).collect()
    }

    /// The manifest that has the name of an account's holder, another UID, and no account.
    pub fn namesake(&self, account: &ClinicAccount) -> Option<ClinicUser> {
        let holder = &account.spec.desired.holder;
        let user = self.member(&holder.name)?;
        let uid = user.metadata.uid.as_deref()?;
        let is_new = *uid != holder.uid && self.has_member(uid) && self.held_by(uid).next().is_none();
        is_new.then_some(user)
    }

    /// The member whose account `account` is or is about to be, described for a person.
    pub fn holder_of(&self, account: &str) -> String {
        let namesake = || self.account(account).and_then(|account| self.namesake(&account)?.metadata.name);
        match self.member_that_holds(account).map(|name| name.to_string()).or_else(namesake) {
            Some(name) => format!("ClinicUser \"{name}\""),
            None => format!("ClinicAccount \"{account}\", whose ClinicUser is gone"),
        }
    }

    /// The name of the `ClinicUser` that holds an account, or held it.
    pub fn holder_name(&self, account: &str) -> Option<String> {
        self.account(account).map(|account| account.spec.desired.holder.name)
    }

    /// The member that holds an account, or that will once the account is there.
    pub(super) fn member_that_holds(&self, account: &str) -> Option<Arc<str>> {
        let record = self.entry(Kind::ClinicAccount, account);
        let holder = record.map(|entry| facts(Kind::ClinicAccount, &entry.packed).holder.uid);
        let uid = holder.as_deref().or_else(|| account.strip_prefix("a-"))?;
        self.member_of(uid).cloned()
    }
}
