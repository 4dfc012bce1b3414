//! What manifests took away that are gone. A file that is gone gives nothing back: that waits for the record, as everything does that
//! gives more. The portal's records keep this, in the memory of one replica: one that starts later knows nothing of it.

use std::collections::HashMap;

use crate::api::ClinicAccount;
use crate::api::account::ClinicAccountSpec;
use crate::api::holder::Manifest;

/// By account: its holder's manifest, which took something away when it went.
#[derive(Debug, Default)]
pub struct Gone(HashMap<String, Manifest>);

impl Gone {
    /// This manifest is gone, or another object has its name. `held` are the accounts whose holder has the name.
    pub fn lose(&mut self, manifest: &Manifest, held: impl IntoIterator<Item = ClinicAccount>) {
        if manifest.may_take_away() {
            let theirs = held.into_iter().filter(|account| counts(manifest, &account.spec));
            self.0.extend(theirs.map(|account| (account.spec.id, manifest.clone())));
        }
    }

    /// The one of this account, until the record is told: another holder, or none.
    pub fn of(&self, account: &ClinicAccountSpec) -> Option<&Manifest> {
        self.0.get(&account.id).filter(|manifest| counts(manifest, account))
    }

    /// The accounts that have one. The others' are forgotten.
    pub fn accounts(&mut self, find: impl Fn(&str) -> Option<ClinicAccount>) -> Vec<ClinicAccountSpec> {
        let names: Vec<String> = self.0.keys().cloned().collect();
        let found = names.iter().filter_map(|name| Some(find(name)?.spec));
        let still: Vec<_> = found.filter(|account| self.of(account).is_some()).collect();
        self.0.retain(|name, _| still.iter().any(|account| account.id == *name));
        still
    }
}

fn counts(manifest: &Manifest, account: &ClinicAccountSpec) -> bool {
    manifest.is_the_holder_of(account) && account.desired.removed.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn account(change: &Value) -> ClinicAccount {
        let mut object = json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicAccount", "metadata": {"name": "a-1"},
            "spec": {"id": "a-1", "desired": {"holder": {"name": "ana", "uid": "1"}, "email": "ana@maple.example", "type": "Staff"}},
        });
        json_patch::merge(&mut object, &json!({"spec": {"desired": change}}));
        serde_json::from_value(object).unwrap()
    }

    fn manifest(uid: &str, suspended: bool) -> Manifest {
        let object = json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser", "metadata": {"name": "ana", "uid": uid},
            "spec": {"email": "ana@maple.example", "type": "Staff", "suspended": suspended},
        });
        Manifest::read(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn what_the_holders_manifest_took_away_counts_until_the_record_has_another_holder_or_none() {
        for (lost, account_now, expected) in [
            (manifest("1", true), json!({}), true),
            (manifest("1", false), json!({}), false),
            (manifest("2", true), json!({}), false),
            (manifest("1", true), json!({"holder": {"name": "ana", "uid": "2"}}), false),
            (manifest("1", true), json!({"removed": {"at": "2027-06-01T12:00:00Z"}}), false),
        ] {
            let mut gone = Gone::default();
            gone.lose(&lost, [account(&json!({}))]);
            let account = account(&account_now);
            assert_eq!(gone.of(&account.spec).is_some(), expected, "{account_now}");
            assert_eq!(gone.accounts(|_| Some(account.clone())).len(), usize::from(expected));
            assert_eq!(gone.0.len(), usize::from(expected), "nothing is kept for nothing");
            gone.accounts(|_| None);
            assert!(gone.0.is_empty());
        }
    }
}
