//! Sealing: what the portal writes where others could read or change it (cookies, form fields, credentials) is encrypted and
//! bound to its purpose and place. Two keys at once, so that one can be replaced, each perhaps with a second part from another source. What is sealed, and for how long it counts, never
//! stands here.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
/// The word in a file of the second part that says: without one.
const WITHOUT: &str = "none";
/// Separates the joining of a key and its second part from any other use of both.
const SECOND_PART: &[u8] = b"clinic-operator.dev/second-part";
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

/// The keys: what is sealed is sealed with the current one, and what any of them has sealed can be opened.
pub struct Keys {
    current: Arc<Key>,
    others: Vec<Arc<Key>>,
    /// Gone from the folders, and kept for credentials: without them people could not sign in. They open nothing else, since whoever
    /// takes away a key that has become known ends the sessions that it can make.
    dropped: Vec<Arc<Key>>,
}

/// Tells one key from another, and nothing of what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId([u8; ID_LENGTH]);

/// Which key sealed something, as far as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedBy {
    /// The current one.
    Current,
    /// Another that is in the folders.
    Other,
    /// One that is gone from the folders and still known.
    Dropped(KeyId),
    /// None that is known.
    Unknown,
}

/// Where the keys are.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The folder with the file `current` and, while a key is replaced, `other`.
    pub keys: PathBuf,
    /// A folder with the same files from another source: a second part, without which the keys open nothing.
    pub second_part: Option<PathBuf>,
}

/// The second part that belongs to a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SecondPart {
    /// The key alone, as before a second part was introduced.
    None,
    Bytes([u8; KEY_LENGTH]),
}

struct Key {
    id: KeyId,
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
    /// Reads the files `current` and, if there is one, `other` of the folders: each 32 random bytes in base64, of a second part also the
    /// word `none`.
    ///
    /// # Errors
    /// Names the file, never its content.
    pub async fn read(folders: &Folders) -> Result<Self, KeyError> {
        let mut before = Self::read_once(folders).await?;
        // All of one time: a mounted folder may change as a whole in between.
        loop {
            let keys = Self::read_once(folders).await?;
            if keys.are_the_same(&before) {
                return Ok(keys);
            }
            before = keys;
        }
    }

    async fn read_once(folders: &Folders) -> Result<Self, KeyError> {
        let (current, other) = read_both(&folders.keys, read).await?;
        let seconds = match &folders.second_part {
            Some(folder) => read_both(folder, read_second_part).await?,
            None => (SecondPart::None, None),
        };
        Self::new((current, other), seconds)
    }

    /// Keys of these bytes, each pair as `current` and `other`. What was sealed with any key and any second part that are here can be
    /// opened, so that either is replaced without the other.
    fn new(
        (current, other): ([u8; KEY_LENGTH], Option<[u8; KEY_LENGTH]>),
        (second, other_second): (SecondPart, Option<SecondPart>),
    ) -> Result<Self, KeyError> {
        let mut all = Vec::new();
        for key in [Some(current), other].into_iter().flatten() {
            for second in [Some(second), other_second].into_iter().flatten() {
                all.push(Arc::new(Key::new(&combined(&key, second)?)?));
            }
        }
        let current = all.remove(0);
        Ok(Self { current, others: all, dropped: Vec::new() })
    }

    /// These keys after those of `before`: of them, what is here no more is kept for credentials.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        let is_gone = |key: &&Arc<Key>| self.in_folders().all(|here| here.id != key.id);
        let dropped = before.in_folders().chain(&before.dropped).filter(is_gone).cloned().collect();
        Self { dropped, ..self }
    }

    /// The same, but of those that are gone from the folders these alone.
    #[must_use]
    pub fn keeping(&self, needed: &HashSet<KeyId>) -> Self {
        let dropped = self.dropped.iter().filter(|key| needed.contains(&key.id)).cloned().collect();
        Self { current: Arc::clone(&self.current), others: self.others.clone(), dropped }
    }

    /// How many keys are kept that are gone from the folders.
    pub fn dropped(&self) -> usize {
        self.dropped.len()
    }

    fn in_folders(&self) -> impl Iterator<Item = &Arc<Key>> {
        std::iter::once(&self.current).chain(&self.others)
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
        whole.extend_from_slice(&self.current.id.0);
        whole.extend_from_slice(&nonce);
        whole.append(&mut sealed);
        Ok(BASE64URL_NOPAD.encode(&whole))
    }

    /// Whether the same keys are in the same places of the folders.
    pub fn are_the_same(&self, others: &Self) -> bool {
        self.in_folders().map(|key| key.id).eq(others.in_folders().map(|key| key.id))
    }

    /// Which key sealed it, as far as it says.
    pub fn sealed_by(&self, sealed: &str) -> SealedBy {
        let whole = BASE64URL_NOPAD.decode(sealed.as_bytes()).unwrap_or_default();
        let Some(rest) = whole.strip_prefix(&[VERSION]) else { return SealedBy::Unknown };
        let is_its = |key: &&Arc<Key>| rest.starts_with(&key.id.0);
        if is_its(&&self.current) {
            SealedBy::Current
        } else if self.others.iter().any(|key| is_its(&key)) {
            SealedBy::Other
        } else {
            self.dropped.iter().find(is_its).map_or(SealedBy::Unknown, |key| SealedBy::Dropped(key.id))
        }
    }

    /// Opens what was sealed for this purpose and place; `None`: it was not, or by no key that is here, or it was changed.
    pub fn open(&self, purpose: Purpose, place: &str, sealed: &str) -> Option<Vec<u8>> {
        let whole = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
        let rest = whole.strip_prefix(&[VERSION])?;
        let (id, rest) = rest.split_at_checked(ID_LENGTH)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_LEN)?;
        let dropped: &[_] = if purpose == Purpose::Credential { &self.dropped } else { &[] };
        let key = self.in_folders().chain(dropped).find(|key| key.id.0 == *id)?;
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
        Ok(Self { id: KeyId(id), derived: derived.ok_or(KeyError::Derive)? })
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

/// A key and its second part as one key (HKDF-SHA-256, RFC 5869): whoever lacks either knows nothing of it. Without a second part it is
/// the key as it is.
fn combined(key: &[u8; KEY_LENGTH], second: SecondPart) -> Result<[u8; KEY_LENGTH], KeyError> {
    let SecondPart::Bytes(second) = second else { return Ok(*key) };
    let mut whole = [0; KEY_LENGTH];
    let secret = Salt::new(HKDF_SHA256, SECOND_PART).extract(&[key.as_slice(), &second].concat());
    let expanded = secret.expand(&[b"key"], Length).and_then(|expanded| expanded.fill(&mut whole));
    expanded.map_err(|_| KeyError::Derive)?;
    Ok(whole)
}

/// The files `current`, which must be there, and `other` of a folder.
async fn read_both<T>(
    folder: &Path,
    read: impl AsyncFn(&Path) -> Result<Option<T>, KeyError>,
) -> Result<(T, Option<T>), KeyError> {
    let current = folder.join("current");
    let missing = || KeyError::Unreadable(current.display().to_string(), std::io::ErrorKind::NotFound.into());
    Ok((read(&current).await?.ok_or_else(missing)?, read(&folder.join("other")).await?))
}

async fn read_second_part(path: &Path) -> Result<Option<SecondPart>, KeyError> {
    let text = tokio::fs::read_to_string(path).await;
    if text.is_ok_and(|text| text.trim() == WITHOUT) {
        return Ok(Some(SecondPart::None));
    }
    Ok(read(path).await?.map(SecondPart::Bytes))
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
#[path = "seal_tests.rs"]
mod tests;
