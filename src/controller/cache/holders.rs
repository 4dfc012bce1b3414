//! Whose accounts are whose: by the UID of the `ClinicUser` that holds an account, and by its name, under which the manifest of a gone
//! holder comes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::account::Holder;

/// The accounts by holder.
#[derive(Debug, Default)]
pub(super) struct Holders {
    by_uid: BTreeSet<(Box<str>, Arc<str>)>,
    by_name: BTreeSet<(Box<str>, Arc<str>)>,
}

impl Holders {
    /// Takes an account in.
    pub(super) fn learn(&mut self, account: &Arc<str>, holder: &Holder) {
        self.by_uid.insert((holder.uid.as_str().into(), Arc::clone(account)));
        self.by_name.insert((holder.name.as_str().into(), Arc::clone(account)));
    }

    /// Forgets an account with the holder that it had.
    pub(super) fn forget(&mut self, account: &Arc<str>, holder: &Holder) {
        self.by_uid.remove(&(holder.uid.as_str().into(), Arc::clone(account)));
        self.by_name.remove(&(holder.name.as_str().into(), Arc::clone(account)));
    }

    /// The accounts that the `ClinicUser` with this UID holds.
    pub(super) fn of_uid(&self, uid: &str) -> impl Iterator<Item = &Arc<str>> {
        of(&self.by_uid, uid)
    }

    /// The accounts whose holder is or was called so.
    pub(super) fn of_name(&self, name: &str) -> impl Iterator<Item = &Arc<str>> {
        of(&self.by_name, name)
    }
}

fn of<'a>(accounts: &'a BTreeSet<(Box<str>, Arc<str>)>, key: &str) -> impl Iterator<Item = &'a Arc<str>> {
    let from: (Box<str>, Arc<str>) = (key.into(), Arc::from(""));
    let key: Box<str> = key.into();
    accounts.range(from..).take_while(move |(found, _)| *found == key).map(|(_, account)| account)
}
