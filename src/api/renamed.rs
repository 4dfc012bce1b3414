//! A file that was given the name of another's file, which went at the same time: by its address and whole name it is of the person
//! of one account, by its name of another's. It goes to its person's account. The members controller asks this over its cache, `plan`
//! over copies of the records.

use super::account::ClinicAccountSpec;
use super::clinic_user::ClinicUserSpec;
use super::convert::claim_of;
use crate::domain::email::ClaimName;
use crate::domain::identity::has_the_whole_name_of;

/// A manifest with its `metadata.name`.
pub type Named = (String, ClinicUserSpec);

/// Accounts and manifests as they stand at one moment. Whoever is being deleted is gone.
pub trait Records {
    /// The accounts that have this address and whose holder is gone.
    fn left_with(&self, claim: ClaimName) -> Vec<ClinicAccountSpec>;
    /// All manifests that ask for it.
    fn manifests_with(&self, claim: ClaimName) -> Vec<Named>;
    /// The manifest without an account that has the name of the account's gone holder.
    fn namesake_of(&self, account: &ClinicAccountSpec) -> Option<Named>;
}

/// Whether `manifest`, which has the name of the account's gone holder, goes to another account that is certainly its person's. Not
/// if that account is left to a file of its own name; unless that one goes elsewhere too, as where two files exchanged their names.
pub fn goes_to_another(records: &impl Records, account: &ClinicAccountSpec, manifest: Named) -> bool {
    let mut on_the_way: Vec<String> = Vec::new();
    let (mut left, mut manifest) = (account.clone(), manifest);
    loop {
        let Some(own) = own_account(records, &left, &manifest) else { return false };
        if own.id == account.id {
            return true;
        }
        let Some(next) = records.namesake_of(&own).filter(|(name, spec)| own.is_left_to(spec, name)) else {
            return true;
        };
        if on_the_way.contains(&own.id) {
            return false;
        }
        on_the_way.push(own.id.clone());
        (left, manifest) = (own, next);
    }
}

/// The account that is the manifest's by address and whole name, where that of its name, `left`, is not. Its holder went unseen: who
/// was removed or is held left before, and a person says whether they are back under another's name. Of two files that say the same
/// neither is certain.
fn own_account(records: &impl Records, left: &ClinicAccountSpec, manifest: &Named) -> Option<ClinicAccountSpec> {
    let (object, spec) = manifest;
    let names = spec.names(object);
    if spec.parse().is_err() || has_the_whole_name_of(names, left.names()) {
        return None;
    }
    let claim = claim_of(&spec.email)?;
    let is_own = |account: &ClinicAccountSpec| {
        let went_unseen = account.desired.removed.is_none() && account.desired.hold.is_none();
        account.id != left.id && went_unseen && has_the_whole_name_of(names, account.names())
    };
    let own = records.left_with(claim).into_iter().find(is_own)?;
    let says_the_same = |(object, spec): &Named| has_the_whole_name_of(spec.names(object), own.names());
    let alike = records.manifests_with(claim).iter().filter(|one| says_the_same(one)).count();
    (alike == 1).then_some(own)
}

#[cfg(test)]
#[path = "renamed_tests.rs"]
mod tests;
