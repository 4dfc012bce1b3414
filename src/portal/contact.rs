//! Whether the portal still knows what is true: how long ago the API server answered, with every watch in place. Without contact
//! it closes (nobody signs in after a while, nobody stays signed in after a longer one), since somebody may have lost access.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::WATCHES_END_AFTER;
use super::records::Watched;
use crate::adapters::clock::Clock;
use crate::adapters::kubernetes::{ApiError, BEYOND_THE_END, Store};
use crate::api::{CLINIC_NAME, Clinic};

/// How often the API server is asked.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// Longest silence that is not worth a line in the log.
const UNREMARKABLE: Duration = Duration::from_secs(30);
/// For so long a watch may have been dead before it is noticed: until the API server would have ended it, and a little.
const NOTICED_WITHIN: Duration = WATCHES_END_AFTER.saturating_add(BEYOND_THE_END);

/// How long the portal goes on without contact.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// New sign-ins, and accepting.
    pub sign_in: Duration,
    /// Sessions.
    pub session: Duration,
}

/// The contact.
#[derive(Debug)]
pub struct Contact {
    clock: Clock,
    limits: Limits,
    state: Mutex<State>,
    /// A watch came into place.
    in_place: Notify,
    since: Instant,
}

#[derive(Debug)]
struct State {
    /// When it was last known to be there; `None`: never yet.
    last: Option<Instant>,
    broken: HashSet<Watched>,
    is_remarked: bool,
}

impl Contact {
    /// None yet, and no watch in place.
    pub fn new(clock: Clock, limits: Limits) -> Self {
        let state = State { last: None, broken: Watched::ALL.into(), is_remarked: false };
        Self { clock, limits, state: Mutex::new(state), in_place: Notify::new(), since: clock.monotonic() }
    }

    /// A watch is in place.
    pub fn watches(&self, kind: Watched) {
        self.state().broken.remove(&kind);
        self.in_place.notify_one();
    }

    /// A watch broke, and may have told nothing for a while.
    pub fn lost(&self, kind: Watched) {
        let told_until = self.clock.monotonic().checked_sub(NOTICED_WITHIN);
        let mut state = self.state();
        if state.broken.insert(kind) {
            state.last = state.last.min(told_until);
        }
    }

    /// Asks the API server now and then until it is dropped.
    pub async fn keep(&self, clinics: &Store<Clinic>) {
        loop {
            // Asked before the answer: what changed meanwhile the watches may not have told yet.
            let asked = self.clock.monotonic();
            let answer = clinics.read(CLINIC_NAME).await;
            if matches!(answer, Ok(_) | Err(ApiError::NotFound)) {
                self.answered(asked);
            }
            self.remark();
            tokio::select! {
                () = sleep(ASK_EVERY) => {}
                () = self.in_place.notified() => {}
            }
        }
    }

    /// Whether people may sign in.
    pub fn may_sign_in(&self) -> bool {
        self.silent_for().is_some_and(|silent| silent < self.limits.sign_in)
    }

    /// Whether people who signed in stay so.
    pub fn may_stay(&self) -> bool {
        self.silent_for().is_some_and(|silent| silent < self.limits.session)
    }

    fn answered(&self, at: Instant) {
        let mut state = self.state();
        if state.broken.is_empty() {
            state.last = state.last.max(Some(at));
        }
    }

    /// For how long the API server has been silent; `None`: it never answered.
    pub fn silent_for(&self) -> Option<Duration> {
        let now = self.clock.monotonic();
        self.state().last.map(|last| now.saturating_duration_since(last))
    }

    fn remark(&self) {
        let silent = self.silent_for().unwrap_or_else(|| self.clock.monotonic() - self.since) > UNREMARKABLE;
        let was = std::mem::replace(&mut self.state().is_remarked, silent);
        match (was, silent) {
            (false, true) => warn!("no contact with the API server: soon nobody can sign in"),
            (true, false) => info!("contact with the API server"),
            (true, true) | (false, false) => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact() -> Contact {
        let limits = Limits { sign_in: Duration::from_secs(60), session: Duration::from_secs(600) };
        let contact = Contact::new(Clock, limits);
        for kind in Watched::ALL {
            contact.watches(kind);
        }
        contact
    }

    #[test]
    fn an_answer_alone_is_no_contact_before_every_watch_is_in_place() {
        let contact = Contact::new(Clock, contact().limits);
        contact.answered(Clock.monotonic());
        contact.watches(Watched::Accounts);
        contact.answered(Clock.monotonic());
        assert!(!contact.may_sign_in() && !contact.may_stay());
        contact.watches(Watched::Clinic);
        contact.answered(Clock.monotonic());
        assert!(!contact.may_sign_in() && !contact.may_stay());
        contact.watches(Watched::Manifests);
        contact.answered(Clock.monotonic());
        assert!(contact.may_sign_in() && contact.may_stay());
    }

    #[test]
    fn a_watch_that_broke_may_have_told_nothing_for_a_while() {
        let contact = contact();
        contact.answered(Clock.monotonic());
        contact.lost(Watched::Accounts);
        assert!(contact.silent_for().unwrap() >= NOTICED_WITHIN);
    }

    #[test]
    fn before_the_first_answer_nobody_signs_in_and_nobody_stays() {
        let contact = contact();
        assert!(!contact.may_sign_in() && !contact.may_stay());
        contact.answered(Clock.monotonic());
        assert!(contact.may_sign_in() && contact.may_stay());
    }

    #[test]
    fn silence_ends_signing_in_first_and_sessions_later() {
        let contact = contact();
        let ago = |seconds| Clock.monotonic().checked_sub(Duration::from_secs(seconds)).unwrap();
        for (seconds, sign_in, stay) in [(59, true, true), (61, false, true), (599, false, true), (601, false, false)] {
            contact.state().last = Some(ago(seconds));
            assert_eq!((contact.may_sign_in(), contact.may_stay()), (sign_in, stay), "{seconds} s");
        }
    }

    #[test]
    fn an_answer_does_not_count_while_a_watch_is_broken() {
        let contact = contact();
        contact.lost(Watched::Accounts);
        contact.answered(Clock.monotonic());
        assert!(!contact.may_sign_in(), "what changed is not told");
        contact.watches(Watched::Accounts);
        contact.answered(Clock.monotonic());
        assert!(contact.may_sign_in());
    }
}
