//! Whose account an account is, as far as the cache knows: the lookups over holders that decisions ask.

use std::sync::Arc;

use super::Kind;
use super::facts::facts;
use super::index::Index;
use crate::api::account::ClinicAccountSpec;
use crate::api::renamed::{Named, Records, goes_to_another};
use crate::api::{ClinicAccount, ClinicUser};
use crate::domain::email::ClaimName;

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

    /// Whether the holder's manifest, as it is now, asks for the address of the account. Where the record has not followed an edit yet,
    /// as while the clinic is paused, it does not.
    pub fn is_asked_for(&self, account: &ClinicAccount) -> bool {
        let holder = self.member_of(&account.spec.desired.holder.uid);
        holder.zip(account.spec.address_key()).is_some_and(|(name, address)| self.asks_for(name, address.claim()))
    }

    /// The accounts that a manifest of this name may take over from a holder of that name who is not seen.
    pub fn accounts_left_by(&self, name: &str) -> Vec<ClinicAccount> {
        let is_left = |account: &ClinicAccount| !self.has_member(&account.spec.desired.holder.uid);
        self.accounts_of_name(name).filter_map(|account| self.account(account)).filter(is_left).collect()
    }

    /// The manifest that has the name of an account's holder, another UID, and no account.
    pub fn namesake(&self, account: &ClinicAccountSpec) -> Option<ClinicUser> {
        let holder = &account.desired.holder;
        let user = self.member(&holder.name)?;
        let uid = user.metadata.uid.as_deref()?;
        let is_new = *uid != holder.uid && self.has_member(uid) && self.held_by(uid).next().is_none();
        is_new.then_some(user)
    }

    /// The namesake to which the account is left: it takes it over, or a person must say whose it is.
    pub fn heir(&self, account: &ClinicAccount) -> Option<ClinicUser> {
        let spec = &account.spec;
        let is_left = |user: &ClinicUser| spec.is_left_to(&user.spec, &spec.desired.holder.name);
        self.namesake(spec).filter(is_left).filter(|user| !self.goes_to_another(account, user))
    }

    /// Whether a manifest that has the name of the account's gone holder is certainly of another account's person.
    pub fn goes_to_another(&self, account: &ClinicAccount, user: &ClinicUser) -> bool {
        goes_to_another(self, &account.spec, named(user.clone()))
    }

    /// The member whose account `account` is or is about to be, described for a person.
    pub fn holder_of(&self, account: &str) -> String {
        let namesake = || self.account(account).and_then(|account| self.namesake(&account.spec)?.metadata.name);
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

impl Records for Index {
    fn left_with(&self, claim: ClaimName) -> Vec<ClinicAccountSpec> {
        let is_theirs = |account: &ClinicAccountSpec| self.claim(claim).is_none_or(|(name, _)| name == account.id);
        let is_left = |account: &ClinicAccountSpec| !self.has_member(&account.desired.holder.uid) && is_theirs(account);
        let accounts = self.other_accounts_with(claim, "").into_iter().filter_map(|name| self.account(name));
        accounts.map(|account| account.spec).filter(is_left).collect()
    }

    fn manifests_with(&self, claim: ClaimName) -> Vec<Named> {
        self.members_that_want(claim).into_iter().map(named).collect()
    }

    fn namesake_of(&self, account: &ClinicAccountSpec) -> Option<Named> {
        self.namesake(account).map(named)
    }
}

fn named(user: ClinicUser) -> Named {
    (user.metadata.name.unwrap_or_default(), user.spec)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn apply(index: &mut Index, kind: Kind, object: &Value) {
        let mut all = json!({"apiVersion": "clinic-operator.dev/v1alpha1", "kind": format!("{kind:?}")});
        json_patch::merge(&mut all, object);
        index.apply(kind, serde_json::from_value(all).unwrap());
    }

    #[test]
    fn an_address_that_the_manifest_has_no_more_is_not_asked_for() {
        for (uid, email, expected) in [
            ("1", "ana@maple.example", true),
            ("1", "Ana@maple.example", true),
            ("1", "ana@river.example", false),
            ("2", "ana@maple.example", false),
        ] {
            let mut index = Index::default();
            let user = json!({"metadata": {"name": "ana", "uid": uid, "resourceVersion": "2"}, "spec": {"email": email, "type": "Staff"}});
            apply(&mut index, Kind::ClinicUser, &user);
            let desired = json!({"holder": {"name": "ana", "uid": "1"}, "email": "ana@maple.example", "type": "Staff"});
            let account = json!({"metadata": {"name": "a-1", "uid": "3", "resourceVersion": "1"}, "spec": {"id": "a-1", "desired": desired}});
            apply(&mut index, Kind::ClinicAccount, &account);
            assert_eq!(index.is_asked_for(&index.account("a-1").unwrap()), expected, "{uid} {email}");
        }
    }
}
