//! How wrong passwords and codes slow down further ones, by where they come from and by whom they are tried on. One replica knows
//! nothing of another's: with two, twice as many tries pass.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::web::client::Client;
use crate::adapters::places::Asker;
use crate::domain::throttle::{Strictness, Throttle};

/// Keys that each remembers.
const MOST: usize = 20_000;
/// Wrong passwords from one address. Many people share the address of their clinic.
const FROM_AN_ADDRESS: Strictness = Strictness {
    free: 30,
    longest_wait: SignedDuration::from_mins(1),
    one_forgotten_in: SignedDuration::from_secs(30),
    most: MOST,
};
/// Wrong passwords for one username from one address: who tries somebody else's slows down themselves.
const FOR_A_PERSON: Strictness =
    Strictness { free: 5, one_forgotten_in: SignedDuration::from_mins(3), ..FROM_AN_ADDRESS };
/// Wrong passwords for one username from everywhere but the browsers in which they are known.
const FOR_A_PERSON_FROM_ANYWHERE: Strictness =
    Strictness { free: 50, one_forgotten_in: SignedDuration::from_mins(1), ..FROM_AN_ADDRESS };
/// Wrong passwords for one username in all browsers in which they are known, together and from any address: who copied the cookie of one
/// gains no more tries than these.
const IN_KNOWN_BROWSERS: Strictness =
    Strictness { free: 10, one_forgotten_in: SignedDuration::from_mins(3), ..FROM_AN_ADDRESS };
/// Wrong codes for one username, by somebody who knows the password: of a million three are right at a time.
const OF_CODES: Strictness = Strictness {
    free: 5,
    longest_wait: SignedDuration::from_hours(1),
    one_forgotten_in: SignedDuration::from_hours(4),
    most: MOST,
};
/// Forms by which one invitation is accepted, each of which costs a hash.
const OF_AN_INVITATION: Strictness =
    Strictness { free: 20, one_forgotten_in: SignedDuration::from_mins(1), ..FROM_AN_ADDRESS };

/// Links that nobody mailed, from one address.
const UNKNOWN_LINKS: Strictness = FROM_AN_ADDRESS;
/// Looks at the API server itself for one account, where the records alone would refuse: they are a moment old at most.
const LOOKS_AT_AN_ACCOUNT: Strictness =
    Strictness { free: 10, one_forgotten_in: SignedDuration::from_mins(1), ..FROM_AN_ADDRESS };

/// On whom something is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Of the username.
    pub digest: [u8; 32],
    /// In a browser in which they are known. All of these have tries of their own: whoever tries their password from elsewhere, or
    /// other passwords from the same address, does not slow them down.
    pub is_known: bool,
}

impl Target {
    /// Who wants a place to have a password of theirs hashed.
    pub fn asker(self, client: Client) -> Asker {
        Asker { network: client.network(), known_as: self.is_known.then_some(self.digest) }
    }
}

/// A try that was taken in.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Try {
    client: Client,
    target: Target,
    at: Timestamp,
}

/// The throttles.
#[derive(Debug)]
pub struct Throttles {
    addresses: Mutex<Throttle<Client>>,
    people: Mutex<Throttle<(Target, Client)>>,
    everywhere: Mutex<Throttle<Target>>,
    known_browsers: Mutex<Throttle<Target>>,
    codes: Mutex<Throttle<Target>>,
    invitations: Mutex<Throttle<String>>,
    links: Mutex<Throttle<Client>>,
    looks: Mutex<Throttle<String>>,
}

impl Default for Throttles {
    fn default() -> Self {
        Self {
            addresses: Mutex::new(Throttle::new(FROM_AN_ADDRESS)),
            people: Mutex::new(Throttle::new(FOR_A_PERSON)),
            everywhere: Mutex::new(Throttle::new(FOR_A_PERSON_FROM_ANYWHERE)),
            known_browsers: Mutex::new(Throttle::new(IN_KNOWN_BROWSERS)),
            codes: Mutex::new(Throttle::new(OF_CODES)),
            invitations: Mutex::new(Throttle::new(OF_AN_INVITATION)),
            links: Mutex::new(Throttle::new(UNKNOWN_LINKS)),
            looks: Mutex::new(Throttle::new(LOOKS_AT_AN_ACCOUNT)),
        }
    }
}

impl Throttles {
    /// Takes in that a password is tried. Until it is known to be right it counts as wrong.
    ///
    /// # Errors
    /// How long to wait first; then nothing was taken in.
    pub fn try_password(&self, client: Client, target: Target, now: Timestamp) -> Result<Try, SignedDuration> {
        if target.is_known {
            return taken(&self.known_browsers, &target, now).map(|()| Try { client, target, at: now });
        }
        let (mut addresses, mut people) = (lock(&self.addresses), lock(&self.people));
        let mut everywhere = lock(&self.everywhere);
        let person = (target, client);
        let waits = [people.wait(&person, now), addresses.wait(&client, now), everywhere.wait(&target, now)];
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(wait);
        }
        addresses.tried(&client, now);
        people.tried(&person, now);
        everywhere.tried(&target, now);
        Ok(Try { client, target, at: now })
    }

    /// It was right.
    pub fn password_was_right(&self, tried: Try) {
        lock(&self.people).forget(&(tried.target, tried.client));
        self.password_was_not_tried(tried);
    }

    /// It was not even compared.
    pub fn password_was_not_tried(&self, tried: Try) {
        let Try { client, target, at } = tried;
        if target.is_known {
            lock(&self.known_browsers).take_back(&target, at);
            return;
        }
        lock(&self.addresses).take_back(&client, at);
        lock(&self.people).take_back(&(target, client), at);
        lock(&self.everywhere).take_back(&target, at);
    }

    /// Takes in that a code is tried. Until it is known to be right it counts as wrong.
    ///
    /// # Errors
    /// How long to wait first; then nothing was taken in.
    pub fn try_code(&self, client: Client, target: Target, now: Timestamp) -> Result<Try, SignedDuration> {
        taken(&self.codes, &target, now).map(|()| Try { client, target, at: now })
    }

    /// It was right.
    pub fn code_was_right(&self, tried: Try) {
        lock(&self.codes).forget(&tried.target);
    }

    /// It was not even compared.
    pub fn code_was_not_tried(&self, tried: Try) {
        lock(&self.codes).take_back(&tried.target, tried.at);
    }

    /// Takes in that a form of this account's invitation is to be hashed.
    ///
    /// # Errors
    /// How long to wait first.
    pub fn try_to_accept(&self, account: &str, now: Timestamp) -> Result<(), SignedDuration> {
        taken(&self.invitations, &account.to_owned(), now)
    }

    /// Takes in that somebody opened a link that the records do not have.
    ///
    /// # Errors
    /// How long to wait first.
    pub fn try_unknown_link(&self, client: Client, now: Timestamp) -> Result<(), SignedDuration> {
        taken(&self.links, &client, now)
    }

    /// Whether the API server itself may be asked about this account, which takes it in.
    pub fn may_look(&self, account: &str, now: Timestamp) -> bool {
        taken(&self.looks, &account.to_owned(), now).is_ok()
    }
}

fn taken<K: Clone + Eq + std::hash::Hash>(
    throttle: &Mutex<Throttle<K>>,
    key: &K,
    now: Timestamp,
) -> Result<(), SignedDuration> {
    let mut throttle = lock(throttle);
    if let Some(wait) = throttle.wait(key, now) {
        return Err(wait);
    }
    throttle.tried(key, now);
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::session::BROWSER_IS_KNOWN;
    use axum::http::HeaderMap;

    fn client(last: u8) -> Client {
        Client::of(std::net::Ipv4Addr::new(192, 0, 2, last).into(), &HeaderMap::new(), &[])
    }

    fn person(number: u8) -> Target {
        Target { digest: [number; 32], is_known: false }
    }

    fn known(number: u8) -> Target {
        Target { is_known: true, ..person(number) }
    }

    #[test]
    fn tries_at_the_same_moment_gain_nothing() {
        let throttles = Throttles::default();
        let now = Timestamp::UNIX_EPOCH;
        let passed = (0..100).filter(|_| throttles.try_password(client(1), person(0), now).is_ok()).count();
        assert_eq!(passed, 6, "five are free, and the wait begins after the next");
        assert!(throttles.try_password(client(2), person(0), now).is_ok(), "not for whoever asks from elsewhere");
        let passed = (0..100).filter(|_| throttles.try_code(client(1), person(0), now).is_ok()).count();
        assert_eq!(passed, 6);
        assert!(throttles.try_code(client(2), person(0), now).is_err(), "of codes from everywhere together");
        let passed = (0..100).filter(|_| throttles.try_to_accept("a-1", now).is_ok()).count();
        assert_eq!(passed, 21);
    }

    #[test]
    fn one_address_that_tries_many_people_is_slowed_down_and_another_is_not() {
        let throttles = Throttles::default();
        let now = Timestamp::UNIX_EPOCH;
        let tries =
            |last: u8| (0..100).filter(|n| throttles.try_password(client(last), person(*n), now).is_ok()).count();
        assert_eq!((tries(1), tries(1)), (31, 0));
        assert!(throttles.try_password(client(2), person(9), now).is_ok());
        assert!(throttles.try_password(client(1), known(9), now).is_ok(), "nor a browser that is known");
    }

    #[test]
    fn one_person_who_is_tried_from_many_addresses_is_not_tried_for_ever_but_in_a_browser_that_is_known() {
        let throttles = Throttles::default();
        let now = Timestamp::UNIX_EPOCH;
        let passed = (0..200).filter(|last| throttles.try_password(client(*last), person(0), now).is_ok()).count();
        assert_eq!(passed, 51);
        assert!(throttles.try_password(client(201), known(0), now).is_ok());
    }

    #[test]
    fn known_browsers_share_their_tries_wherever_they_are_and_slow_nobody_else_down() {
        let throttles = Throttles::default();
        let now = Timestamp::UNIX_EPOCH;
        let passed =
            |target| (0..200).filter(|last| throttles.try_password(client(*last), target, now).is_ok()).count();
        assert_eq!((passed(known(0)), passed(known(1))), (11, 11), "of each person");
        assert_eq!(passed(person(0)), 51, "strangers have theirs");
    }

    #[test]
    fn a_try_that_was_right_or_none_does_not_count() {
        let throttles = Throttles::default();
        let now = Timestamp::UNIX_EPOCH;
        for target in [person(0), known(0)].into_iter().cycle().take(200) {
            throttles.password_was_right(throttles.try_password(client(1), target, now).unwrap());
            throttles.password_was_not_tried(throttles.try_password(client(1), target, now).unwrap());
            throttles.code_was_right(throttles.try_code(client(1), target, now).unwrap());
            throttles.code_was_not_tried(throttles.try_code(client(1), target, now).unwrap());
        }
    }

    #[test]
    fn the_page_has_these_numbers() {
        let page = include_str!("../../docs/portal.md").split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [
            format!("{} for a person from one address", FOR_A_PERSON.free),
            format!("{} from one address", FROM_AN_ADDRESS.free),
            format!("{} for a person from everywhere", FOR_A_PERSON_FROM_ANYWHERE.free),
            format!("after {} wrong codes for a person", OF_CODES.free),
            format!("{} wrong passwords and {} wrong codes", IN_KNOWN_BROWSERS.free, OF_CODES.free),
            format!("is known for {} days", BROWSER_IS_KNOWN.as_hours() / 24),
            format!("hashed {} times at once", OF_AN_INVITATION.free),
            format!("after {} links that nobody mailed from one address", UNKNOWN_LINKS.free),
            format!("{} times at once, then once a minute", LOOKS_AT_AN_ACCOUNT.free),
        ] {
            assert!(page.contains(&said), "docs/portal.md must say: {said}");
        }
        for one_minute in [FROM_AN_ADDRESS, FOR_A_PERSON, FOR_A_PERSON_FROM_ANYWHERE, IN_KNOWN_BROWSERS, UNKNOWN_LINKS]
        {
            assert_eq!(one_minute.longest_wait, SignedDuration::from_mins(1));
        }
        assert_eq!(OF_CODES.longest_wait, SignedDuration::from_hours(1));
    }
}
