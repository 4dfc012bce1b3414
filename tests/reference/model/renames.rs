//! Files of the reference model that have another's name: which of them go to the account of their own person.

use super::super::Manifest;
use super::whose::{has, is_left, is_the_same_person};
use super::{Account, Model};

impl Model {
    /// Whether a file that has the name of an account's gone holder is certainly of another account's person, who gets that one: unless
    /// a file of that account's own name stays with it.
    pub(super) fn goes_to_another(&self, manifest: &Manifest, account: &Account) -> bool {
        let (mut on_the_way, mut manifest) = (vec![account], manifest);
        loop {
            let Some(own) = self.own_account(manifest, on_the_way[on_the_way.len() - 1]) else { return false };
            let heir = self.namesake(own).filter(|(_, member)| is_left(own, &member.manifest));
            let Some((_, next)) = heir.filter(|_| own != account) else { return true };
            if on_the_way.contains(&own) {
                return false;
            }
            on_the_way.push(own);
            manifest = &next.manifest;
        }
    }

    /// The account that is a file's by address and both names, if no other file says the same and nobody saw its holder leave.
    fn own_account(&self, manifest: &Manifest, left: &Account) -> Option<&Account> {
        let by_names = |manifest: &Manifest, account: &Account| is_the_same_person("", manifest, account);
        if manifest.invalid || by_names(manifest, left) {
            return None;
        }
        let went_unseen =
            |own: &Account| !own.removed && own.removal_held.is_none() && !self.is_there(&own.holder) && own != left;
        let is_own = |own: &&Account| went_unseen(own) && has(own, manifest.address) && by_names(manifest, own);
        let own = self.accounts.values().find(is_own)?;
        let files = self.members.values().filter(|member| !member.marked).map(|member| &member.manifest);
        let alike = files.filter(|file| file.address == manifest.address && by_names(file, own)).count();
        (alike == 1).then_some(own)
    }
}
