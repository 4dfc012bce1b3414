//! The portal's keys, read again when their files change, and what is sealed with them: values, as JSON.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::follow::follow;
use crate::adapters::seal::{Folders, KeyError, Keys, Purpose};

/// The keys of their folders.
pub struct KeyRing {
    folders: Folders,
    keys: RwLock<Arc<Keys>>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(redacted)")
    }
}

/// Something could not be sealed: no random bytes, or a value that is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to seal")]
pub struct SealError;

impl KeyRing {
    /// Reads the folders.
    ///
    /// # Errors
    /// Names the file, never its content.
    pub async fn read(folders: Folders) -> Result<Self, KeyError> {
        let keys = RwLock::new(Arc::new(Keys::read(&folders).await?));
        Ok(Self { folders, keys })
    }

    /// Reads the folders again and again until it is dropped. Files that do not do leave the keys as they are.
    pub async fn keep(&self) {
        follow("the keys", async || {
            let keys = Keys::read(&self.folders).await?;
            let changed = !keys.are_the_same(&self.now());
            if changed {
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            }
            Ok::<_, KeyError>(changed)
        })
        .await;
    }

    /// Seals a value for a purpose and a place.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn seal(&self, purpose: Purpose, place: &str, value: &impl Serialize) -> Result<String, SealError> {
        let text = serde_json::to_vec(value).map_err(|_| SealError)?;
        self.now().seal(purpose, place, &text).map_err(|_| SealError)
    }

    /// Opens what was sealed for this purpose and place.
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, place: &str, sealed: &str) -> Option<T> {
        serde_json::from_slice(&self.now().open(purpose, place, sealed)?).ok()
    }

    /// Whether the current key sealed it.
    pub fn sealed_by_current(&self, sealed: &str) -> bool {
        self.now().sealed_by_current(sealed)
    }

    fn now(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}
