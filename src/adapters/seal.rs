//! Sealing: what the portal writes where others could read or change it (cookies, form fields, credentials) is encrypted and
//! bound to its purpose and place. Two keys at once, so that one can be replaced. What is sealed, and for how long it counts, never
//! stands here.

use std::fmt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use super::random::secret_bytes;

/// Bytes of a key, as of AES-256.
const KEY_LENGTH: usize = 32;
/// Bytes that tell which key sealed something.
const ID_LENGTH: usize = 4;
/// How a sealed text begins, so that another way of sealing can follow.
const VERSION: u8 = 1;
/// Separates keys derived here from any other use of the same secret.
const CONTEXT: &[u8] = b"clinic-operator.dev/seal";

/// What something is sealed for. A text sealed for one purpose is nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A `ClinicCredential`.
    Credential,
    /// The cookie of a session.
    Session,
    /// The cookie by which a browser is known that has signed in before.
    Device,
    /// A field of a form.
    Form,
}

impl Purpose {
    const ALL: [Self; 4] = [Self::Credential, Self::Session, Self::Device, Self::Form];

    fn label(self) -> &'static [u8] {
        match self {
            Self::Credential => b"credential",
            Self::Session => b"session",
            Self::Device => b"device",
            Self::Form => b"form",
        }
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file.
    #[error("failed to read {0}: {1}")]
    Unreadable(String, std::io::Error),
    /// Its content.
    #[error("{0} must hold 32 random bytes in base64 (openssl rand -base64 32)")]
    Malformed(String),
    /// A key could not be derived.
    #[error("failed to derive a key")]
    Derive,
}

/// The keys: what is sealed is sealed with the current one, and what either has sealed can be opened.
pub struct Keys {
    current: Key,
    other: Option<Key>,
}

struct Key {
    id: [u8; ID_LENGTH],
    /// One for each purpose, in the order of [`Purpose::ALL`].
    derived: [LessSafeKey; 4],
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(redacted)")
    }
}

/// A length for HKDF.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY_LENGTH
    }
}

impl Keys {
    /// Reads the files `current` and, if there is one, `other` of a folder: each 32 random bytes in base64.
    ///
    /// # Errors
    /// Names the file, never its content.
    pub async fn read(folder: &Path) -> Result<Self, KeyError> {
        let mut before = Self::read_once(folder).await?;
        // Both of one time: a mounted folder may change as a whole in between.
        loop {
            let keys = Self::read_once(folder).await?;
            if keys.are_the_same(&before) {
                return Ok(keys);
            }
            before = keys;
        }
    }

    async fn read_once(folder: &Path) -> Result<Self, KeyError> {
        let current = read(&folder.join("current")).await?.ok_or_else(|| {
            let file = folder.join("current").display().to_string();
            KeyError::Unreadable(file, std::io::ErrorKind::NotFound.into())
        })?;
        Self::new(current, read(&folder.join("other")).await?)
    }

    /// Keys of these bytes.
    ///
    /// # Errors
    /// [`KeyError::Derive`], which the cryptographic library gives for no input of this length.
    pub fn new(current: [u8; KEY_LENGTH], other: Option<[u8; KEY_LENGTH]>) -> Result<Self, KeyError> {
        Ok(Self { current: Key::new(&current)?, other: other.as_ref().map(Key::new).transpose()? })
    }

    /// Seals `text` for a purpose and a place (such as the name of an object), as base64url.
    ///
    /// # Errors
    /// If the operating system has no random bytes to give.
    pub fn seal(&self, purpose: Purpose, place: &str, text: &[u8]) -> Result<String, getrandom::Error> {
        let nonce: [u8; NONCE_LEN] = secret_bytes()?;
        let mut sealed = text.to_vec();
        let key = self.current.of(purpose);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(purpose, place), &mut sealed)
            .map_err(|_| getrandom::Error::UNEXPECTED)?;
        let mut whole = vec![VERSION];
        whole.extend_from_slice(&self.current.id);
        whole.extend_from_slice(&nonce);
        whole.append(&mut sealed);
        Ok(BASE64URL_NOPAD.encode(&whole))
    }

    /// Whether these are the same keys in the same places.
    pub fn are_the_same(&self, others: &Self) -> bool {
        let ids = |keys: &Self| (keys.current.id, keys.other.as_ref().map(|key| key.id));
        ids(self) == ids(others)
    }

    /// Whether the current key sealed it, as far as it says.
    pub fn sealed_by_current(&self, sealed: &str) -> bool {
        let whole = BASE64URL_NOPAD.decode(sealed.as_bytes()).unwrap_or_default();
        whole.strip_prefix(&[VERSION]).is_some_and(|rest| rest.starts_with(&self.current.id))
    }

    /// Opens what was sealed for this purpose and place; `None`: it was not, or by no key that is here, or it was changed.
    pub fn open(&self, purpose: Purpose, place: &str, sealed: &str) -> Option<Vec<u8>> {
        let whole = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
        let rest = whole.strip_prefix(&[VERSION])?;
        let (id, rest) = rest.split_at_checked(ID_LENGTH)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_LEN)?;
        let key = [Some(&self.current), self.other.as_ref()].into_iter().flatten().find(|key| key.id == *id)?;
        let nonce = Nonce::assume_unique_for_key(nonce.try_into().ok()?);
        let mut text = rest.to_vec();
        let length = key.of(purpose).open_in_place(nonce, aad(purpose, place), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

impl Key {
    fn new(bytes: &[u8; KEY_LENGTH]) -> Result<Self, KeyError> {
        let secret = Salt::new(HKDF_SHA256, CONTEXT).extract(bytes);
        let derive = |purpose: Purpose| {
            let mut derived = [0; KEY_LENGTH];
            let info = [purpose.label()];
            secret.expand(&info, Length).and_then(|expanded| expanded.fill(&mut derived)).ok()?;
            UnboundKey::new(&AES_256_GCM_SIV, &derived).map(LessSafeKey::new).ok()
        };
        let [a, b, c, d] = Purpose::ALL.map(derive);
        let derived = [a, b, c, d].into_iter().collect::<Option<Vec<_>>>().and_then(|all| all.try_into().ok());
        let mut id = [0; ID_LENGTH];
        id.copy_from_slice(&Sha256::digest([b"clinic-operator.dev/key-id:".as_slice(), bytes].concat())[..ID_LENGTH]);
        Ok(Self { id, derived: derived.ok_or(KeyError::Derive)? })
    }

    fn of(&self, purpose: Purpose) -> &LessSafeKey {
        let [credential, session, device, form] = &self.derived;
        match purpose {
            Purpose::Credential => credential,
            Purpose::Session => session,
            Purpose::Device => device,
            Purpose::Form => form,
        }
    }
}

fn aad(purpose: Purpose, place: &str) -> Aad<Vec<u8>> {
    Aad::from([purpose.label(), b":", place.as_bytes()].concat())
}

/// `None`: there is no such file.
async fn read(path: &Path) -> Result<Option<[u8; KEY_LENGTH]>, KeyError> {
    let name = || path.display().to_string();
    let text = match tokio::fs::read_to_string(path).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(KeyError::Unreadable(name(), error)),
    };
    let bytes = data_encoding::BASE64.decode(text.trim().as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| <[u8; KEY_LENGTH]>::try_from(bytes).ok());
    bytes.map(Some).ok_or_else(|| KeyError::Malformed(name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(current: u8, other: Option<u8>) -> Keys {
        Keys::new([current; KEY_LENGTH], other.map(|byte| [byte; KEY_LENGTH])).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_for_its_purpose_and_place_only() {
        let keys = keys(1, None);
        let sealed = keys.seal(Purpose::Session, "here", b"canary").unwrap();
        assert!(!sealed.contains("canary"));
        assert_eq!(keys.open(Purpose::Session, "here", &sealed).as_deref(), Some(b"canary".as_slice()));
        assert_eq!(keys.open(Purpose::Session, "there", &sealed), None);
        for purpose in Purpose::ALL.into_iter().filter(|purpose| *purpose != Purpose::Session) {
            assert_eq!(keys.open(purpose, "here", &sealed), None, "{purpose:?}");
        }
        assert_ne!(keys.seal(Purpose::Session, "here", b"canary").unwrap(), sealed, "never twice the same");
    }

    #[test]
    fn nothing_that_was_changed_in_any_way_opens() {
        let keys = keys(1, None);
        let sealed = keys.seal(Purpose::Form, "", b"text").unwrap();
        let bytes = BASE64URL_NOPAD.decode(sealed.as_bytes()).unwrap();
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[index] ^= 1 << bit;
                assert_eq!(keys.open(Purpose::Form, "", &BASE64URL_NOPAD.encode(&changed)), None, "byte {index}");
            }
        }
        for length in 0..bytes.len() {
            assert_eq!(keys.open(Purpose::Form, "", &BASE64URL_NOPAD.encode(&bytes[..length])), None);
        }
        for wrong in ["", "!", "AQ", "é"] {
            assert_eq!(keys.open(Purpose::Form, "", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_that_is_replaced_opens_as_long_as_it_is_the_other_one() {
        let sealed = keys(1, None).seal(Purpose::Credential, "c-1", b"text").unwrap();
        assert!(keys(2, Some(1)).open(Purpose::Credential, "c-1", &sealed).is_some());
        assert!(keys(2, None).open(Purpose::Credential, "c-1", &sealed).is_none());
        assert!(keys(1, Some(2)).sealed_by_current(&sealed) && !keys(2, Some(1)).sealed_by_current(&sealed));
        assert!(!keys(1, None).sealed_by_current("") && !keys(1, None).sealed_by_current("é"));
    }

    #[tokio::test]
    async fn keys_are_read_from_files_that_are_named_when_they_are_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let error = Keys::read(folder.path()).await.unwrap_err().to_string();
        assert!(error.starts_with("failed to read ") && error.contains("/current: "), "{error}");
        std::fs::write(file("current"), "canary").unwrap();
        let error = Keys::read(folder.path()).await.unwrap_err().to_string();
        assert!(error.contains("/current must hold 32 random bytes in base64") && !error.contains("canary"), "{error}");
        std::fs::write(file("current"), format!("{}\n", data_encoding::BASE64.encode(&[7; 32]))).unwrap();
        let keys = Keys::read(folder.path()).await.unwrap();
        std::fs::write(file("other"), data_encoding::BASE64.encode(&[7; 32])).unwrap();
        std::fs::write(file("current"), data_encoding::BASE64.encode(&[8; 32])).unwrap();
        let sealed = keys.seal(Purpose::Session, "", b"x").unwrap();
        assert!(Keys::read(folder.path()).await.unwrap().open(Purpose::Session, "", &sealed).is_some());
        assert_eq!(format!("{keys:?}"), "Keys(redacted)");
    }
}
