//! Credentials as the portal keeps them: what proves who somebody is, sealed as a whole into an object of its own, which is made
//! once. Only what was used of it is written later, each time with the resourceVersion that it was decided on, so that of two
//! replicas one wins.

use data_encoding::BASE32_NOPAD;
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::codes::FormId;
use super::keys::{KeyRing, SealError};
use crate::adapters::kubernetes::{ApiError, Guard, Store, guard};
use crate::adapters::passwords::PasswordHash;
use crate::adapters::seal::Purpose;
use crate::api::ClinicCredential;
use crate::api::credential::{ClinicCredentialSpec, Used};
use crate::domain::second_factor::{RECOVERY_BYTES, RecoveryCodes, TOTP_SECRET_BYTES, TotpSecret};

/// Random bytes that a credential's name is made of.
pub const NAME_BYTES: usize = 16;

/// What proves who somebody is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proof {
    /// The password.
    #[serde(rename = "p")]
    pub password: PasswordHash,
    /// The second factor, if there is one.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<Factor>,
    /// The credential with the same proof that this one was sealed anew from. As long as there is one, what was used of it counts
    /// as used of this one: somebody may use it while the account's name changes.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub former: Option<String>,
}

/// A second factor.
#[derive(Clone, Serialize, Deserialize)]
pub struct Factor {
    #[serde(rename = "s")]
    secret: [u8; TOTP_SECRET_BYTES],
    #[serde(rename = "r")]
    recovery_codes: Vec<String>,
}

impl std::fmt::Debug for Factor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Factor(redacted)")
    }
}

impl Factor {
    /// What the authenticator app shares.
    pub fn secret(&self) -> TotpSecret {
        TotpSecret::new(self.secret)
    }

    /// Digests of the recovery codes.
    pub fn recovery_codes(&self) -> &[String] {
        &self.recovery_codes
    }
}

/// A second factor that is being set up, with the name of the credential that will hold it. It lives in a sealed form field until
/// its first code is right.
#[derive(Clone, Serialize, Deserialize)]
pub struct Planned {
    #[serde(rename = "s")]
    secret: [u8; TOTP_SECRET_BYTES],
    #[serde(rename = "r")]
    recovery: Vec<u8>,
    #[serde(rename = "n")]
    name: [u8; NAME_BYTES],
}

impl Planned {
    /// One of these random bytes.
    pub fn new(secret: [u8; TOTP_SECRET_BYTES], recovery: &[u8; RECOVERY_BYTES], name: [u8; NAME_BYTES]) -> Self {
        Self { secret, recovery: recovery.to_vec(), name }
    }

    /// What the authenticator app is to share.
    pub fn secret(&self) -> TotpSecret {
        TotpSecret::new(self.secret)
    }

    /// The codes for whoever loses the app, as their owner is to keep them.
    pub fn codes_to_show(&self) -> Vec<String> {
        self.recovery_codes().iter().flat_map(RecoveryCodes::shown).collect()
    }

    /// `None`: this was not made here.
    fn recovery_codes(&self) -> Option<RecoveryCodes> {
        Some(RecoveryCodes::new(self.recovery.as_slice().try_into().ok()?))
    }

    /// The same credential with the second factor of an earlier one: whoever begins again has that in the app already.
    pub fn with_factor_of(self, before: Self) -> Self {
        Self { name: self.name, ..before }
    }

    /// What tells the form that it comes with from every other.
    pub fn form(&self) -> FormId {
        self.name
    }

    /// The name of the credential: the same for every request that comes of one form, so that a request that is sent twice does
    /// what it does once.
    pub fn credential(&self) -> String {
        name(self.name)
    }

    /// The second factor as it is kept.
    pub fn factor(&self) -> Option<Factor> {
        Some(Factor { secret: self.secret, recovery_codes: self.recovery_codes()?.digests() })
    }
}

/// A credential, opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Its name.
    pub name: String,
    /// What it proves with.
    pub proof: Proof,
    /// What the object itself says was used of it; `Credentials::used` knows the whole.
    stored: Used,
    guard: Guard,
}

/// Why there is no opened credential.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such object.
    #[error("it is gone")]
    Gone,
    /// No key that is here opens it, or it was changed, or it is another account's.
    #[error("no key opens it: is the folder of `keys` the one that it was sealed with?")]
    Sealed,
    /// A request to the API server.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// Why a credential was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// It could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// There is one of this name, and it is not what an earlier try of the same would have made.
    #[error("another credential has this name")]
    Taken,
    /// A request to the API server.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// The credentials of a clinic.
pub struct Credentials<'a> {
    /// The objects.
    pub store: &'a Store<ClinicCredential>,
    /// What they are sealed with.
    pub keys: &'a KeyRing,
}

/// The name of a credential of these random bytes.
pub fn name(random: [u8; NAME_BYTES]) -> String {
    format!("c-{}", BASE32_NOPAD.encode(&random).to_ascii_lowercase())
}

impl Credentials<'_> {
    /// Makes a credential for an account. One that has this name already was made by an earlier try of the same, of which
    /// something else may have been used.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub async fn create(&self, name: &str, account: &str, proof: &Proof, used: Used) -> Result<(), CreateError> {
        let sealed = self.keys.seal(Purpose::Credential, &place(name, account), proof)?;
        let spec = ClinicCredentialSpec { account: account.to_owned(), sealed, used: used.clone() };
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        match self.store.create(&ClinicCredential { metadata, spec }).await {
            Ok(_) => Ok(()),
            Err(ApiError::AlreadyExists) => self.use_too(name, account, &used).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Writes that this was used of a credential, beside what was.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub async fn use_too(&self, name: &str, account: &str, used: &Used) -> Result<(), CreateError> {
        loop {
            let opened = match self.open(name, account).await {
                Err(OpenError::Api(error)) => return Err(error.into()),
                Err(OpenError::Gone | OpenError::Sealed) => return Err(CreateError::Taken),
                Ok(opened) => opened,
            };
            let both = both(&self.used(&opened).await?, used);
            if both == opened.stored {
                return Ok(());
            }
            match self.write_used(&opened, &both).await {
                Err(ApiError::Conflict) => {}
                other => return Ok(other?),
            }
        }
    }

    /// Reads and opens a credential of an account.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(&self, name: &str, account: &str) -> Result<Opened, OpenError> {
        let read = match self.store.read(name).await {
            Err(ApiError::NotFound) => return Err(OpenError::Gone),
            other => other?,
        };
        let guard = guard(&read.metadata);
        let ClinicCredentialSpec { sealed, used: stored, .. } = read.spec;
        let proof = self.keys.open(Purpose::Credential, &place(name, account), &sealed);
        let proof = proof.ok_or(OpenError::Sealed)?;
        Ok(Opened { name: name.to_owned(), proof, stored, guard })
    }

    /// What was used of a credential, or of the one that it was sealed anew from. A password alone does not ask for it: it would cost
    /// a read for some and none for others.
    ///
    /// # Errors
    /// A failed request.
    pub async fn used(&self, opened: &Opened) -> Result<Used, ApiError> {
        let Some(former) = &opened.proof.former else { return Ok(opened.stored.clone()) };
        match self.store.read(former).await {
            Ok(read) => Ok(both(&opened.stored, &read.spec.used)),
            Err(ApiError::NotFound) => Ok(opened.stored.clone()),
            Err(error) => Err(error),
        }
    }

    /// Writes what was used of a credential, if nobody has written since it was opened.
    ///
    /// # Errors
    /// [`ApiError::Conflict`]: somebody has, and nothing was written.
    pub async fn write_used(&self, opened: &Opened, used: &Used) -> Result<(), ApiError> {
        self.store.patch_spec(&opened.name, &opened.guard, &json!({ "used": used })).await.map(drop)
    }
}

/// What was used, here or there.
fn both(one: &Used, other: &Used) -> Used {
    let mut recovery_codes = [one.recovery_codes.as_slice(), &other.recovery_codes].concat();
    recovery_codes.sort_unstable();
    recovery_codes.dedup();
    let last_form = one.last_form.clone().or_else(|| other.last_form.clone());
    Used { totp_step: one.totp_step.max(other.totp_step), recovery_codes, last_form }
}

/// A sealed text is one of this object and account: copied to another it is nothing.
fn place(name: &str, account: &str) -> String {
    format!("{name}/{account}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_is_sent_twice_makes_one_credential_with_the_same_codes() {
        let planned = Planned::new([1; TOTP_SECRET_BYTES], &[2; RECOVERY_BYTES], [3; NAME_BYTES]);
        let again: Planned = serde_json::from_slice(&serde_json::to_vec(&planned).unwrap()).unwrap();
        let (first, second) = (planned.factor().unwrap(), again.factor().unwrap());
        assert_eq!(first.recovery_codes(), second.recovery_codes());
        assert_eq!((planned.credential(), first.recovery_codes().len()), (again.credential(), 10));
        assert_eq!(planned.credential().len(), 28);
    }
}
