//! The care of credentials: what no account names is removed, and what the other key has sealed is sealed anew, so that a key can
//! be replaced. Each replica does it; the guards of the writes make that harmless.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tracing::{info, warn};

use super::Portal;
use super::acceptance::{Change, ChangeError, Still, change};
use super::credentials::{CreateError, OpenError, Opened, Proof, name};
use super::keys::SealError;
use super::metrics::NotByCurrent;
use crate::adapters::kubernetes::ApiError;
use crate::adapters::random::secret_bytes;
use crate::adapters::seal::{KeyId, Keys, SealedBy};
use crate::api::credential::Used;
use crate::api::{ClinicAccount, ClinicCredential};
use crate::domain::second_factor::current_step;

/// How often it is looked, beside each change of the keys.
const EVERY: Duration = Duration::from_secs(600);
/// The same after a look that could not be finished.
const AGAIN: Duration = Duration::from_secs(60);
/// How often it is looked whether there is contact.
const CONTACT: Duration = Duration::from_secs(1);
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

/// What one look finds of the keys that credentials are sealed by.
#[derive(Default)]
struct Sealed {
    found: NotByCurrent,
    /// Keys that are gone from their folders, and credentials are still sealed by.
    needed: HashSet<KeyId>,
    /// It was said that there is one.
    is_told: bool,
}

/// Why a credential was not sealed anew.
#[derive(Debug, thiserror::Error)]
enum NotSealed {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<ApiError> for NotSealed {
    fn from(error: ApiError) -> Self {
        Self::Open(error.into())
    }
}

/// Cares until it is dropped.
pub async fn keep(portal: &Portal) {
    let mut care = Care::default();
    drop(portal.records.complete().wait_for(|complete| *complete).await);
    loop {
        // Without contact the records are old.
        while !portal.contact.may_sign_in() {
            sleep(CONTACT).await;
        }
        let keys = portal.keys.present();
        let next = if let Err(error) = care.look(portal, &keys).await {
            warn!(%error, "credentials were not looked after; it is tried again");
            AGAIN
        } else {
            EVERY
        };
        tokio::select! {
            () = sleep(next) => {}
            () = portal.clock.jumped() => {}
            () = portal.keys.change_from(&keys) => {}
        }
    }
}

impl Care {
    async fn look(&mut self, portal: &Portal, keys: &Keys) -> Result<(), ApiError> {
        let now = portal.clock.now();
        // Whoever restores a clinic pauses it, or has not come to its Clinic yet.
        let may_remove = portal.records.clinic().is_some_and(|clinic| !clinic.spec.paused);
        let mut still_unwanted = HashSet::new();
        let mut sealed = Sealed::default();
        let each = async |credential: ClinicCredential| {
            let Some(name) = credential.metadata.name.clone() else { return Ok(()) };
            let account = portal.records.account(&credential.spec.account);
            let is_named = account.as_ref().is_some_and(|account| names(account, &credential));
            if is_named {
                sealed.tell(portal, &credential);
                if !is_sealed_by_current(portal, &credential, &name).await? {
                    sealed.count(portal, &credential);
                }
                return Ok(());
            }
            if account.is_none() {
                // Its person signs in by it once the account is restored.
                sealed.count(portal, &credential);
            }
            if age(&credential, now) >= UNWANTED_AFTER {
                if self.unwanted.contains(&name) && may_remove {
                    remove(portal, &credential, &name, now).await?;
                }
                still_unwanted.insert(name);
            }
            Ok(())
        };
        portal.credential_store.each(each).await?;
        self.unwanted = still_unwanted;
        sealed.end(portal, keys);
        Ok(())
    }
}

impl Sealed {
    /// Says that a key is gone too early, before what it sealed is sealed anew: that may take a while.
    fn tell(&mut self, portal: &Portal, credential: &ClinicCredential) {
        let is_dropped = matches!(portal.keys.sealed_by(&credential.spec.sealed), SealedBy::Dropped(_));
        if is_dropped && !std::mem::replace(&mut self.is_told, true) {
            warn!(
                "credentials are sealed by a key that is gone from its folder; it is kept in memory until they are sealed anew. \
                 Put it back as `other`: no process that starts before that can read them"
            );
        }
    }

    /// Takes in one that stays as it is.
    fn count(&mut self, portal: &Portal, credential: &ClinicCredential) {
        match portal.keys.sealed_by(&credential.spec.sealed) {
            SealedBy::Current => return,
            SealedBy::Other => {}
            SealedBy::Dropped(id) => {
                self.found.without_file += 1;
                self.needed.insert(id);
            }
            SealedBy::Unknown => self.found.without_file += 1,
        }
        self.found.all += 1;
    }

    /// The look is complete.
    fn end(self, portal: &Portal, keys: &Keys) {
        let is_first = portal.keys.found().is_none();
        let Some(let_go) = portal.keys.looked(keys, self.found, &self.needed) else { return };
        if let_go > 0 {
            info!(keys = let_go, "let go of what was kept of removed keys: nothing is sealed by it");
        }
        let NotByCurrent { all, without_file } = self.found;
        if all > 0 {
            warn!(
                all,
                without_file,
                "not every credential is sealed by the current key: leave the key `other` in its folder, or put it back"
            );
        } else if is_first {
            info!("every credential is sealed by the current key");
        }
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

/// Whether the current key seals what this person signs in by, after it was sealed anew if it had to be.
async fn is_sealed_by_current(portal: &Portal, credential: &ClinicCredential, name: &str) -> Result<bool, ApiError> {
    if portal.keys.sealed_by(&credential.spec.sealed) == SealedBy::Current {
        return Ok(true);
    }
    let account = credential.spec.account.as_str();
    match seal_anew(portal, account, name).await {
        Ok(()) => Ok(true),
        // Another replica was first, or somebody has another credential now.
        Err(NotSealed::Change(ChangeError::Changed)) => is_sealed_meanwhile(portal, account).await,
        // It would be so for each: the look cannot be finished.
        Err(
            NotSealed::Open(OpenError::Api(error @ ApiError::NoAnswer(_)))
            | NotSealed::Create(CreateError::Api(error @ ApiError::NoAnswer(_)))
            | NotSealed::Change(ChangeError::Api(error @ ApiError::NoAnswer(_))),
        ) => Err(error),
        Err(NotSealed::Open(error @ (OpenError::Gone | OpenError::Sealed))) => {
            warn!(credential = name, account, %error, "a credential cannot be opened");
            Ok(false)
        }
        Err(error) => {
            warn!(credential = name, account, %error, "a credential was not sealed anew; it is tried again");
            Ok(false)
        }
    }
}

/// The same as the API server has it now.
async fn is_sealed_meanwhile(portal: &Portal, account: &str) -> Result<bool, ApiError> {
    let account = portal.account_now(account).await?;
    let Some(name) = account.as_ref().and_then(|account| account.spec.credential()) else { return Ok(true) };
    let credential = portal.credential_store.read(name).await?;
    Ok(portal.keys.sealed_by(&credential.spec.sealed) == SealedBy::Current)
}

async fn seal_anew(portal: &Portal, account: &str, old: &str) -> Result<(), NotSealed> {
    let opened = portal.credentials().open(old, account).await?;
    let new = name(secret_bytes().map_err(|_| CreateError::Seal(SealError))?);
    let used = portal.credentials().used(&opened).await?;
    let used = Used { totp_step: burnt(&opened, used.totp_step, portal.clock.now()), ..used };
    let proof = Proof { former: Some(old.to_owned()), ..opened.proof };
    portal.credentials().create(&new, account, &proof, used).await?;
    let account = change(&portal.stores.accounts, account, Still::Names(old), Change::Resealed(&new)).await?;
    portal.records.put(&account);
    info!(credential = old, account = account.spec.id, "sealed a credential with the current key");
    Ok(())
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
