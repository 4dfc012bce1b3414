//! Argon2id, by a few threads that each have their memory for good: however many people sign in at once, or pretend to, no more
//! memory and processors are used than these. Whether a password is good enough never stands here.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use data_encoding::BASE64_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::places::{Asker, Place, Places, Ticket};
use super::random::secret_bytes;

/// Memory of one computation in KiB, passes over it and lanes: the second set of OWASP's Password Storage Cheat Sheet, 19 MiB.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Bytes of salt and of hash (RFC 9106 §3.1, §4).
const SALT_LENGTH: usize = 16;
const HASH_LENGTH: usize = 32;
/// Computations at the same time.
const MOST_THREADS: usize = 4;

/// A password as it is kept. Debug shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    /// KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
    /// Base64 without padding, as in the PHC string format.
    salt: String,
    hash: String,
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(redacted)")
    }
}

/// Why a password was neither hashed nor compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Too many wait already, or another took the place of this one.
    #[error("too many passwords wait to be checked")]
    Busy,
    /// No random bytes, parameters of another time, or a thread that ended.
    #[error("failed to compute a password hash")]
    Failed,
}

struct Job {
    password: SecretString,
    salt: Vec<u8>,
    params: Params,
    answer: oneshot::Sender<Option<[u8; HASH_LENGTH]>>,
    ticket: Ticket,
}

/// The threads.
pub struct Passwords {
    jobs: Sender<Job>,
    places: Arc<Places>,
    computed: Arc<AtomicU64>,
    /// Compared with where there is nothing to compare with, so that it takes as long.
    nobodys: PasswordHash,
}

impl Passwords {
    /// Starts the threads: one a processor, four at most.
    ///
    /// # Errors
    /// If a thread cannot be started or the operating system has no random bytes.
    pub fn start() -> Result<Self, HashError> {
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let computed = Arc::new(AtomicU64::new(0));
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS);
        for _ in 0..threads {
            let (waiting, computed) = (Arc::clone(&waiting), Arc::clone(&computed));
            let thread = std::thread::Builder::new().name("passwords".to_owned());
            thread.spawn(move || work(&waiting, &computed)).map_err(|_| HashError::Failed)?;
        }
        let salt: [u8; SALT_LENGTH] = secret_bytes().map_err(|_| HashError::Failed)?;
        let hash: [u8; HASH_LENGTH] = secret_bytes().map_err(|_| HashError::Failed)?;
        let nobodys = PasswordHash {
            memory: MEMORY,
            passes: PASSES,
            lanes: LANES,
            salt: BASE64_NOPAD.encode(&salt),
            hash: BASE64_NOPAD.encode(&hash),
        };
        Ok(Self { jobs, places: Arc::default(), computed, nobodys })
    }

    /// Takes a place in the queue: some hundredths of a second each.
    ///
    /// # Errors
    /// [`HashError::Busy`]: there is none.
    pub fn place(&self, asker: Asker) -> Result<Place, HashError> {
        self.places.take(asker).ok_or(HashError::Busy)
    }

    /// Hashes a new password with a salt of its own.
    ///
    /// # Errors
    /// See [`HashError`].
    pub async fn hash(&self, place: Place, password: SecretString) -> Result<PasswordHash, HashError> {
        let salt = secret_bytes::<SALT_LENGTH>().map_err(|_| HashError::Failed)?.to_vec();
        let encoded = BASE64_NOPAD.encode(&salt);
        let hash = self.compute(place, password, salt, params(MEMORY, PASSES, LANES)?).await?;
        let hash = BASE64_NOPAD.encode(&hash);
        Ok(PasswordHash { memory: MEMORY, passes: PASSES, lanes: LANES, salt: encoded, hash })
    }

    /// Whether a password is the one that was hashed; `None`: there is none, which takes as long to find out.
    ///
    /// # Errors
    /// See [`HashError`].
    pub async fn is(
        &self,
        place: Place,
        password: SecretString,
        hashed: Option<&PasswordHash>,
    ) -> Result<bool, HashError> {
        let against = hashed.unwrap_or(&self.nobodys);
        let salt = BASE64_NOPAD.decode(against.salt.as_bytes()).map_err(|_| HashError::Failed)?;
        let params = params(against.memory, against.passes, against.lanes)?;
        let hash = self.compute(place, password, salt, params).await?;
        let wanted = BASE64_NOPAD.decode(against.hash.as_bytes()).map_err(|_| HashError::Failed)?;
        let same = aws_lc_rs::constant_time::verify_slices_are_equal(&hash, &wanted).is_ok();
        Ok(same && hashed.is_some())
    }

    /// How many hashes were computed so far.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    async fn compute(
        &self,
        place: Place,
        password: SecretString,
        salt: Vec<u8>,
        params: Params,
    ) -> Result<[u8; HASH_LENGTH], HashError> {
        let (answer, answered) = oneshot::channel();
        let Place { ticket, displaced } = place;
        self.jobs.send(Job { password, salt, params, answer, ticket }).map_err(|_| HashError::Failed)?;
        tokio::select! {
            biased;
            hash = answered => hash.ok().flatten().ok_or(HashError::Failed),
            Ok(()) = displaced => Err(HashError::Busy),
        }
    }
}

fn params(memory: u32, passes: u32, lanes: u32) -> Result<Params, HashError> {
    // What is kept was written by us, but its cost must never exceed what the threads have.
    let within = memory <= MEMORY && passes <= PASSES * 4 && lanes == LANES;
    let params = Params::new(memory, passes, lanes, Some(HASH_LENGTH)).ok().filter(|_| within);
    params.ok_or(HashError::Failed)
}

/// Ends when nobody can ask any more.
fn work(waiting: &Mutex<Receiver<Job>>, computed: &AtomicU64) {
    let mut memory: Vec<Block> = Vec::new();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { password, salt, params, answer, ticket }) = next else { return };
        // Nobody waits for it any more: a connection that was lost costs nothing.
        if answer.is_closed() {
            continue;
        }
        memory.resize(params.block_count().max(memory.len()), Block::default());
        let mut hash = [0; HASH_LENGTH];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let password = password.expose_secret().as_bytes();
        let done = argon2.hash_password_into_with_memory(password, &salt, &mut hash, &mut memory);
        computed.fetch_add(1, Ordering::Relaxed);
        drop(ticket);
        // Whoever asked may have gone.
        let _ = answer.send(done.is_ok().then_some(hash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody() -> Asker {
        Asker { network: std::net::Ipv4Addr::LOCALHOST.into(), known_as: None }
    }

    async fn hashed(passwords: &Passwords, password: &str) -> PasswordHash {
        passwords.hash(passwords.place(somebody()).unwrap(), password.into()).await.unwrap()
    }

    async fn is(passwords: &Passwords, typed: SecretString, hashed: Option<&PasswordHash>) -> Result<bool, HashError> {
        passwords.is(passwords.place(somebody())?, typed, hashed).await
    }

    #[tokio::test]
    async fn a_password_is_itself_and_nobody_has_any() {
        let passwords = Passwords::start().unwrap();
        let hashed = hashed(&passwords, "correct horse battery").await;
        assert!(is(&passwords, "correct horse battery".into(), Some(&hashed)).await.unwrap());
        for wrong in ["", "correct horse batter", "Correct horse battery"] {
            assert!(!is(&passwords, wrong.into(), Some(&hashed)).await.unwrap());
        }
        assert!(!is(&passwords, "correct horse battery".into(), None).await.unwrap());
        let again = passwords.hash(passwords.place(somebody()).unwrap(), "correct horse battery".into()).await.unwrap();
        assert_ne!(again, hashed, "a salt of its own");
        assert_eq!(passwords.computed(), 7, "as many computations for nobody as for somebody");
        assert!(!format!("{hashed:?}").contains(&hashed.hash));
    }

    /// The vector of RFC 9106 has a secret and data; this one is of the reference implementation, with our parameters' kind.
    #[tokio::test]
    async fn a_hash_is_argon2id_as_others_compute_it() {
        let mut hash = [0; HASH_LENGTH];
        let params = Params::new(65_536, 2, 1, Some(HASH_LENGTH)).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(b"password", b"somesalt", &mut hash).unwrap();
        let expected = "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7";
        assert_eq!(data_encoding::HEXLOWER.encode(&hash), expected);
    }

    #[tokio::test]
    async fn a_flood_is_refused_and_not_kept() {
        let passwords = Arc::new(Passwords::start().unwrap());
        let tries: Vec<_> = (0..200).map(|_| is(&passwords, "x".into(), None)).collect();
        let answers = futures::future::join_all(tries).await;
        assert!(answers.contains(&Err(HashError::Busy)) && answers.contains(&Ok(false)));
        assert!(is(&passwords, "x".into(), None).await.is_ok(), "and then it goes on");
    }

    #[tokio::test]
    async fn what_would_cost_more_than_the_threads_have_is_not_computed() {
        let passwords = Passwords::start().unwrap();
        let hashed = hashed(&passwords, "x").await;
        for costly in [
            PasswordHash { memory: MEMORY + 1, ..hashed.clone() },
            PasswordHash { passes: 100, ..hashed.clone() },
            PasswordHash { lanes: 2, ..hashed.clone() },
            PasswordHash { salt: "!".into(), ..hashed },
        ] {
            assert_eq!(is(&passwords, "x".into(), Some(&costly)).await, Err(HashError::Failed));
        }
    }
}
