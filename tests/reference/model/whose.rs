//! Whose an account of the reference model is: which manifests are of its person, and what becomes of it when nobody is there.

use super::super::Manifest;
use super::Account;

fn differ(manifest: &Manifest, (first, last): (Option<u8>, Option<u8>)) -> bool {
    let differs = |one: Option<u8>, other: Option<u8>| one.is_some() && other.is_some() && one != other;
    differs(manifest.first, first) || differs(manifest.last, last)
}

impl Account {
    /// Whoever the clinic knows as 0 alone has no other name, as `manifests::confirmed` says; all others have two.
    pub(super) fn confirms(&mut self) {
        let is_one_name = matches!(self.names, (Some(0), None) | (None, Some(0)));
        if self.login.is_none() && is_one_name {
            self.only = Some(0);
        }
    }

    /// A person releases what the guards hold.
    pub(super) fn is_released(&mut self) {
        for held in [&mut self.held, &mut self.removal_held].into_iter().flatten() {
            *held = false;
        }
    }

    /// Who never accepted is withdrawn; who did is held where the guard holds, until a person releases that.
    pub(super) fn is_gone(&mut self, removals_are_held: bool) {
        let stays = match self.removal_held {
            _ if self.login.is_none() || self.removed => false,
            None => removals_are_held,
            Some(held) => held,
        };
        if stays {
            self.removal_held = Some(true);
        } else {
            self.removed = true;
        }
    }
}

/// Whether an account has an address, as login or as what is wished for.
pub(super) fn has(account: &Account, address: u8) -> bool {
    account.address.is_some() && [account.address, account.login].contains(&Some(address))
}

/// Whether a manifest of the gone holder's name is an edit of the account: not if it gives other names with the account's own address,
/// and where the guard holds the removal, only if it gives no other names, and the whole name or an address of the account.
pub(super) fn passes_to(account: &Account, manifest: &Manifest) -> bool {
    let other_names = differ(manifest, account.names);
    let Some(address) = account.address else { return false };
    if account.removal_held.is_some() {
        return !other_names && (has(account, manifest.address) || all_given(manifest, account));
    }
    address != manifest.address || !other_names
}

/// Both names on both sides; or one, where the record's person has no other.
fn all_given(manifest: &Manifest, account: &Account) -> bool {
    let (first, last) = account.names;
    let given = [manifest.first, manifest.last, first, last].map(|name| name.is_some());
    let is_the_only_one = |name: Option<u8>| name.is_some() && name == account.only;
    given == [true; 4]
        || (given == [true, false, true, false] && is_the_only_one(manifest.first))
        || (given == [false, true, false, true] && is_the_only_one(manifest.last))
}

pub(super) fn is_the_same_person(object: &str, manifest: &Manifest, record: &Account) -> bool {
    if differ(manifest, record.names) {
        return false;
    }
    all_given(manifest, record) || (object == record.holder_name && !record.removed)
}

/// Whether a manifest of the gone holder's name keeps an account for itself, or for a person to decide about.
pub(super) fn is_left(account: &Account, manifest: &Manifest) -> bool {
    let awaits_a_person = account.login.is_some() && account.removal_held.is_none();
    !account.removed && account.address.is_some() && (awaits_a_person || passes_to(account, manifest))
}
