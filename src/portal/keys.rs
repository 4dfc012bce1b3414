//! The portal's keys, read again when their files change, and what is sealed with them: values, as JSON. What browsers keep is sealed for
//! one portal alone. A key that credentials are still sealed by is kept in memory when its file goes.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::follow::follow;
use super::metrics::NotByCurrent;
use crate::adapters::seal::{Folders, KeyError, KeyId, Keys, Purpose, SealedBy};
use crate::domain::portal_url::PortalUrl;

/// The keys of their folders.
pub struct KeyRing {
    folders: Folders,
    /// Namespace and URL, which tell this portal from a copy with the same keys. Neither has a blank.
    portal: String,
    now: watch::Sender<Now>,
}

/// The present keys, and what is known of them.
struct Now {
    keys: Arc<Keys>,
    /// `None`: no look at the credentials with these keys is complete.
    found: Option<NotByCurrent>,
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
    /// Reads the folders, for the portal of this namespace at this URL.
    ///
    /// # Errors
    /// Names the file, never its content.
    pub async fn read(folders: Folders, namespace: &str, base: &PortalUrl) -> Result<Self, KeyError> {
        let keys = Arc::new(Keys::read(&folders).await?);
        let portal = format!("{namespace} {}", base.as_str());
        Ok(Self { folders, portal, now: watch::Sender::new(Now { keys, found: None }) })
    }

    /// Reads the folders again and again until it is dropped. Files that do not do leave the keys as they are.
    pub async fn keep(&self) {
        follow("the keys", async || self.read_again().await).await;
    }

    /// Returns whether the keys are others now.
    async fn read_again(&self) -> Result<bool, KeyError> {
        let keys = Keys::read(&self.folders).await?;
        let before = self.present();
        let changed = !keys.are_the_same(&before);
        if changed {
            drop(self.now.send_replace(Now { keys: Arc::new(keys.after(&before)), found: None }));
        }
        Ok(changed)
    }

    /// Waits until other keys than these are in the folders.
    pub async fn change_from(&self, keys: &Keys) {
        drop(self.now.subscribe().wait_for(|now| !now.keys.are_the_same(keys)).await);
    }

    /// Takes in a complete look at the credentials that began with `keys`: what it found, and which keys that are gone from the folders
    /// are needed. The others are let go by the second such look, since somebody may have sealed by one of them during the first.
    /// Returns how many went; `None`: the keys have changed meanwhile, and nothing was taken in.
    pub fn looked(&self, keys: &Keys, found: NotByCurrent, needed: &HashSet<KeyId>) -> Option<usize> {
        let mut gone = None;
        self.now.send_if_modified(|now| {
            if now.keys.are_the_same(keys) {
                let before = now.keys.dropped();
                if now.found.replace(found).is_some() {
                    now.keys = Arc::new(now.keys.keeping(needed));
                }
                gone = Some(before - now.keys.dropped());
            }
            // Who waits for a change waits for one of the folders.
            false
        });
        gone
    }

    /// What the last complete look with the present keys found.
    pub fn found(&self) -> Option<NotByCurrent> {
        self.now.borrow().found
    }

    /// Seals a value for a purpose and a place.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn seal(&self, purpose: Purpose, place: &str, value: &impl Serialize) -> Result<String, SealError> {
        let text = serde_json::to_vec(value).map_err(|_| SealError)?;
        self.present().seal(purpose, &self.bound(purpose, place), &text).map_err(|_| SealError)
    }

    /// Opens what was sealed for this purpose and place.
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, place: &str, sealed: &str) -> Option<T> {
        serde_json::from_slice(&self.present().open(purpose, &self.bound(purpose, place), sealed)?).ok()
    }

    /// The place, of this portal: so that what a copy of it gives its visitors is nothing here. A credential belongs to its account, and has
    /// to outlive another host and a restore into another namespace.
    fn bound(&self, purpose: Purpose, place: &str) -> String {
        match purpose {
            Purpose::Credential => place.to_owned(),
            Purpose::Session | Purpose::Device | Purpose::Form => format!("{} {place}", self.portal),
        }
    }

    /// Which key sealed it.
    pub fn sealed_by(&self, sealed: &str) -> SealedBy {
        self.present().sealed_by(sealed)
    }

    /// The keys as they are now.
    pub fn present(&self) -> Arc<Keys> {
        Arc::clone(&self.now.borrow().keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;
    use std::path::Path;

    async fn ring(keys: &Path, namespace: &str, base: &str) -> KeyRing {
        let folders = Folders { keys: keys.to_owned(), second_part: None };
        KeyRing::read(folders, namespace, &PortalUrl::parse(base).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn what_browsers_keep_is_nothing_to_a_copy_of_the_portal_and_credentials_are_the_same_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("current"), BASE64.encode(&[1; 32])).unwrap();
        let here = ring(folder.path(), "maple", "https://portal.maple.example").await;
        for (namespace, base, is_here) in [
            ("maple", "https://portal.maple.example", true),
            ("maple", "https://portal.maple.example:8443", false),
            ("maple", "https://staging.maple.example", false),
            ("staging", "https://portal.maple.example", false),
        ] {
            let there = ring(folder.path(), namespace, base).await;
            for purpose in [Purpose::Session, Purpose::Device, Purpose::Form, Purpose::Credential] {
                let opened: Option<u8> = here.open(purpose, "place", &there.seal(purpose, "place", &7).unwrap());
                let opens = is_here || purpose == Purpose::Credential;
                assert_eq!(opened, opens.then_some(7), "{purpose:?} of {namespace} at {base}");
            }
        }
        // As they were sealed before anything was bound.
        let before = here.present().seal(Purpose::Credential, "place", b"7").unwrap();
        assert_eq!(here.open(Purpose::Credential, "place", &before), Some(7));
        let before = here.present().seal(Purpose::Session, "place", b"7").unwrap();
        assert_eq!(here.open::<u8>(Purpose::Session, "place", &before), None);
    }

    #[tokio::test]
    async fn what_a_look_found_counts_for_the_keys_that_it_began_with_and_the_second_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let write = |byte| std::fs::write(folder.path().join("current"), BASE64.encode(&[byte; 32])).unwrap();
        write(1);
        let ring = ring(folder.path(), "maple", "https://portal.maple.example").await;
        assert_eq!(ring.found(), None, "nobody has looked");
        let (nothing, one) = (NotByCurrent::default(), NotByCurrent { all: 1, without_file: 1 });
        let (before, none) = (ring.present(), HashSet::new());
        assert_eq!((ring.looked(&before, nothing, &none), ring.found()), (Some(0), Some(nothing)));
        assert!(!ring.read_again().await.unwrap() && ring.found() == Some(nothing));
        let sealed = ring.seal(Purpose::Credential, "", &7).unwrap();
        write(2);
        assert!(ring.read_again().await.unwrap());
        ring.change_from(&before).await;
        assert_eq!(ring.found(), None, "nobody has looked with these");
        // One that began before it.
        assert_eq!((ring.looked(&before, nothing, &none), ring.found()), (None, None));
        let SealedBy::Dropped(id) = ring.sealed_by(&sealed) else { panic!("{:?}", ring.sealed_by(&sealed)) };
        let needed = HashSet::from([id]);
        for (found, needed, let_go, opened) in
            [(nothing, &none, 0, Some(7)), (one, &needed, 0, Some(7)), (nothing, &none, 1, None)]
        {
            assert_eq!(ring.looked(&ring.present(), found, needed), Some(let_go));
            assert_eq!((ring.open(Purpose::Credential, "", &sealed), ring.found()), (opened, Some(found)));
        }
    }
}
