//! The care of credentials: what no account names is removed, and what the other key has sealed is sealed anew, so that a key can
//! be replaced. Each replica does it; the guards of the writes make that harmless.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tracing::{info, warn};

use super::Portal;
use super::acceptance::{Change, Still, change};
use super::credentials::{CreateError, OpenError, Opened, Proof, name};
use crate::adapters::kubernetes::ApiError;
use crate::adapters::random::secret_bytes;
use crate::api::credential::Used;
use crate::api::{ClinicAccount, ClinicCredential};
use crate::domain::second_factor::current_step;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(600);
/// A credential that no account names is removed when it is so old: whoever made it has long given up.
const UNWANTED_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// One whose account is gone is kept for so long: accounts are never deleted here, so somebody is about to restore it.
const WITHOUT_ACCOUNT_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What one look left for the next.
#[derive(Debug, Default)]
struct Care {
    /// Unwanted then: removed if they still are. By one look alone nothing is removed, since our clock may be wrong.
    unwanted: HashSet<String>,
}

/// Cares until it is dropped.
pub async fn keep(portal: &Portal) {
    let mut care = Care::default();
    drop(portal.records.complete().wait_for(|complete| *complete).await);
    loop {
        // Without contact the records are old.
        if portal.contact.may_sign_in()
            && let Err(error) = care.look(portal).await
        {
            warn!(%error, "credentials were not looked after; it is tried again");
        }
        tokio::select! {
            () = sleep(EVERY) => {}
            () = portal.clock.jumped() => {}
        }
    }
}

impl Care {
    async fn look(&mut self, portal: &Portal) -> Result<(), ApiError> {
        let now = portal.clock.now();
        // Whoever restores a clinic pauses it, or has not come to its Clinic yet.
        let may_remove = portal.records.clinic().is_some_and(|clinic| !clinic.spec.paused);
        let mut still_unwanted = HashSet::new();
        let mut sealed_by_other = 0;
        let each = async |credential: ClinicCredential| {
            let Some(name) = credential.metadata.name.clone() else { return Ok(()) };
            if portal.is_named(&credential) {
                sealed_by_other += usize::from(!seal_anew(portal, &credential, &name).await);
            } else if age(&credential, now) >= UNWANTED_AFTER {
                if self.unwanted.contains(&name) && may_remove {
                    remove(portal, &credential, &name, now).await?;
                }
                still_unwanted.insert(name);
            }
            Ok(())
        };
        portal.credential_store.each(each).await?;
        self.unwanted = still_unwanted;
        portal.metrics.sealed_by_other_key(sealed_by_other);
        Ok(())
    }
}

impl Portal {
    /// Whether the account names this credential, as far as the records know.
    fn is_named(&self, credential: &ClinicCredential) -> bool {
        self.records.account(&credential.spec.account).is_some_and(|account| names(&account, credential))
    }
}

fn names(account: &ClinicAccount, credential: &ClinicCredential) -> bool {
    let named = account.spec.credential();
    named.is_some() && named == credential.metadata.name.as_deref()
}

fn age(credential: &ClinicCredential, now: Timestamp) -> SignedDuration {
    let made = credential.metadata.creation_timestamp.as_ref();
    made.map_or(SignedDuration::ZERO, |made| now.duration_since(made.0))
}

/// Removes it unless the API server itself says that it is wanted.
async fn remove(portal: &Portal, credential: &ClinicCredential, name: &str, now: Timestamp) -> Result<(), ApiError> {
    match portal.stores.accounts.read(&credential.spec.account).await {
        Ok(account) => {
            portal.records.put(&account);
            if names(&account, credential) || carry_over(portal, credential, name, &account).await.is_err() {
                return Ok(());
            }
        }
        Err(ApiError::NotFound) if age(credential, now) < WITHOUT_ACCOUNT_AFTER => return Ok(()),
        Err(ApiError::NotFound) => {}
        Err(error) => return Err(error),
    }
    let uid = credential.metadata.uid.as_deref().unwrap_or_default();
    portal.credential_store.delete(name, uid).await?;
    portal.metrics.removed_credential();
    info!(credential = name, account = credential.spec.account, "removed a credential that no account names");
    Ok(())
}

/// Seals it anew if the current key has not. Returns whether the current key seals it now.
async fn seal_anew(portal: &Portal, credential: &ClinicCredential, old: &str) -> bool {
    if portal.keys.sealed_by_current(&credential.spec.sealed) {
        return true;
    }
    let account = credential.spec.account.as_str();
    let opened = match portal.credentials().open(old, account).await {
        Ok(opened) => opened,
        Err(error) => {
            warn!(credential = old, account, %error, "a credential cannot be opened");
            return false;
        }
    };
    let Ok(new) = secret_bytes().map(name) else { return false };
    let used = match portal.credentials().used(&opened).await {
        Ok(used) => Used { totp_step: burnt(&opened, used.totp_step, portal.clock.now()), ..used },
        Err(error) => {
            warn!(credential = old, account, %error, "a credential was not sealed anew; it is tried again");
            return false;
        }
    };
    let proof = Proof { former: Some(old.to_owned()), ..opened.proof };
    if let Err(error) = portal.credentials().create(&new, account, &proof, used).await {
        warn!(credential = old, account, %error, "a credential was not sealed anew; it is tried again");
        return false;
    }
    let account = match change(&portal.stores.accounts, account, Still::Names(old), Change::Resealed(&new)).await {
        Ok(account) => account,
        Err(error) => {
            warn!(credential = old, account, %error, "a credential was not sealed anew; it is tried again");
            return false;
        }
    };
    portal.records.put(&account);
    info!(credential = old, account = account.spec.id, "sealed a credential with the current key");
    true
}

/// No code that can have been used of the old object meanwhile may work again with the new one: all that can be right by now
/// count as used.
fn burnt(opened: &Opened, used: Option<u64>, now: Timestamp) -> Option<u64> {
    opened.proof.factor.as_ref()?;
    used.max(current_step(now).map(|step| step + 1))
}

/// What was used of a credential before it was sealed anew stays used when it is gone.
async fn carry_over(
    portal: &Portal,
    old: &ClinicCredential,
    name: &str,
    account: &ClinicAccount,
) -> Result<(), CreateError> {
    let Some(new) = account.spec.credential() else { return Ok(()) };
    match portal.credentials().open(new, &account.spec.id).await {
        Ok(opened) if opened.proof.former.as_deref() == Some(name) => {
            portal.credentials().use_too(new, &account.spec.id, &old.spec.used).await
        }
        // A proof of its own.
        Ok(_) | Err(OpenError::Gone | OpenError::Sealed) => Ok(()),
        Err(OpenError::Api(error)) => Err(error.into()),
    }
}
