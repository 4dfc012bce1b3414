//! How wrong passwords and codes slow down further ones, by where they come from and by whom they are tried on. One replica knows
//! nothing of another's: with two, twice as many tries pass.

use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Portal;
use super::web::client::Client;
use super::web::visitor::Visitor;
use crate::adapters::random::secret_bytes;
use crate::adapters::seal::Purpose;
use crate::domain::throttle::{Strictness, Throttle};

/// Keys that each remembers.
const MOST: usize = 20_000;
/// Wrong passwords from one address. Many people share the address of their clinic.
const FROM_AN_ADDRESS: Strictness = Strictness {
    free: 30,
    longest_wait: SignedDuration::from_mins(1),
    forgotten_after: SignedDuration::from_mins(15),
    most: MOST,
};
/// Wrong passwords for one username.
const FOR_A_PERSON: Strictness = Strictness { free: 5, ..FROM_AN_ADDRESS };
/// Wrong codes for one username, by somebody who knows the password: of a million three are right at a time.
const OF_CODES: Strictness = Strictness {
    free: 5,
    longest_wait: SignedDuration::from_mins(15),
    forgotten_after: SignedDuration::from_hours(24),
    most: MOST,
};
/// How long a browser is known.
pub const DEVICE_LASTS: SignedDuration = SignedDuration::from_hours(90 * 24);

/// On whom something is tried. A browser in which they have signed in before has tries of its own: whoever tries their password
/// from elsewhere does not slow them down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target([u8; 32]);

/// What the cookie of a known browser says.
#[derive(Serialize, Deserialize)]
struct Device {
    /// Digest of the username.
    #[serde(rename = "u")]
    username: String,
    /// Random.
    #[serde(rename = "d")]
    id: String,
    /// When somebody last signed in, in seconds since 1970.
    #[serde(rename = "s")]
    seen: i64,
}

/// The throttles.
#[derive(Debug)]
pub struct Throttles {
    addresses: Mutex<Throttle<Client>>,
    people: Mutex<Throttle<Target>>,
    codes: Mutex<Throttle<Target>>,
}

impl Default for Throttles {
    fn default() -> Self {
        Self {
            addresses: Mutex::new(Throttle::new(FROM_AN_ADDRESS)),
            people: Mutex::new(Throttle::new(FOR_A_PERSON)),
            codes: Mutex::new(Throttle::new(OF_CODES)),
        }
    }
}

impl Throttles {
    /// Takes in that a password is tried. Until it is known to be right it counts as wrong.
    ///
    /// # Errors
    /// How long to wait first; then nothing was taken in.
    pub fn try_password(&self, client: Client, target: Target, now: Timestamp) -> Result<(), SignedDuration> {
        let (mut addresses, mut people) = (lock(&self.addresses), lock(&self.people));
        if let Some(wait) = addresses.wait(&client, now).max(people.wait(&target, now)) {
            return Err(wait);
        }
        addresses.tried(&client, now);
        people.tried(&target, now);
        Ok(())
    }

    /// It was right.
    pub fn password_was_right(&self, client: Client, target: Target) {
        lock(&self.addresses).take_back(&client);
        lock(&self.people).forget(&target);
    }

    /// It was not even compared.
    pub fn password_was_not_tried(&self, client: Client, target: Target) {
        lock(&self.addresses).take_back(&client);
        lock(&self.people).take_back(&target);
    }

    /// Takes in that a code is tried. Until it is known to be right it counts as wrong.
    ///
    /// # Errors
    /// How long to wait first; then nothing was taken in.
    pub fn try_code(&self, target: Target, now: Timestamp) -> Result<(), SignedDuration> {
        let mut codes = lock(&self.codes);
        if let Some(wait) = codes.wait(&target, now) {
            return Err(wait);
        }
        codes.tried(&target, now);
        Ok(())
    }

    /// It was right.
    pub fn code_was_right(&self, target: Target) {
        lock(&self.codes).forget(&target);
    }

    /// It was not even compared.
    pub fn code_was_not_tried(&self, target: Target) {
        lock(&self.codes).take_back(&target);
    }
}

impl Portal {
    /// On whom somebody tries to sign in by what they typed as username.
    pub fn target(&self, visitor: &Visitor, typed: &str) -> Target {
        let username = digest(typed);
        let sealed = visitor.device.as_deref();
        let device: Option<Device> = sealed.and_then(|sealed| self.keys.open(Purpose::Device, "", sealed));
        let now = self.clock.now();
        let known = device.filter(|device| {
            device.username == username && super::web::form::is_within(device.seen, DEVICE_LASTS, now)
        });
        let of = known.map_or(username, |device| device.id);
        Target(Sha256::digest(of.as_bytes()).into())
    }

    /// The cookie by which this browser is known from now on.
    pub fn device(&self, username: &str) -> Option<String> {
        let id = BASE64URL_NOPAD.encode(&secret_bytes::<16>().ok()?);
        let device = Device { username: digest(username), id, seen: self.clock.now().as_second() };
        self.keys.seal(Purpose::Device, "", &device).ok()
    }
}

/// Of a username as it is typed: it need not be an address.
fn digest(typed: &str) -> String {
    let username = typed.trim().to_ascii_lowercase();
    BASE64URL_NOPAD.encode(&Sha256::digest([b"clinic-operator.dev/username:", username.as_bytes()].concat()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    fn client(last: u8) -> Client {
        Client::of(std::net::Ipv4Addr::new(192, 0, 2, last).into(), &HeaderMap::new(), &[])
    }

    #[test]
    fn tries_at_the_same_moment_gain_nothing() {
        let throttles = Throttles::default();
        let now = Timestamp::UNIX_EPOCH;
        let passed = (0..100).filter(|_| throttles.try_password(client(1), Target([0; 32]), now).is_ok()).count();
        assert_eq!(passed, 6, "five are free, and the wait begins after the next");
    }

    #[test]
    fn one_address_that_tries_many_people_is_slowed_down_and_another_is_not() {
        let throttles = Throttles::default();
        let now = Timestamp::UNIX_EPOCH;
        let tries = |last: u8| {
            let all =
                (0..100).filter(|person| throttles.try_password(client(last), Target([*person; 32]), now).is_ok());
            all.count()
        };
        assert_eq!((tries(1), tries(1)), (31, 0));
        assert!(throttles.try_password(client(2), Target([9; 32]), now).is_ok());
    }

    #[test]
    fn a_try_that_was_right_or_none_does_not_count() {
        let throttles = Throttles::default();
        let (now, target) = (Timestamp::UNIX_EPOCH, Target([0; 32]));
        for _ in 0..100 {
            throttles.try_password(client(1), target, now).unwrap();
            throttles.password_was_right(client(1), target);
            throttles.try_password(client(1), target, now).unwrap();
            throttles.password_was_not_tried(client(1), target);
            throttles.try_code(target, now).unwrap();
            throttles.code_was_right(target);
        }
    }
}
