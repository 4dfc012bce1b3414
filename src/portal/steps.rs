//! Where a browser is between two pages of one task. The step is sealed in a cookie, and its page is asked for by GET: so reloading
//! it, or going back to it, shows the same secret and the same codes again. The form of a page carries its own copy of the step,
//! so that a task in another tab goes on. Whether a step may be taken never stands here.

use axum::http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Portal;
use super::credentials::Planned;
use super::invitations::Draft;
use super::sign_in::{Challenge, Enrolment};
use super::web::cookies::Kind;
use super::web::form::is_within;
use super::web::visitor::Visitor;
use crate::adapters::seal::Purpose;
use crate::api::account::ClinicAccountSpec;

/// How long somebody may take from the password to the code.
const CODE_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// How long a second factor may take to be set up, and its recovery codes to be kept.
const SETUP_WITHIN: SignedDuration = SignedDuration::from_mins(30);
/// What the cookie is sealed for, beside the browser.
const STEP: &str = "step";

/// A step.
#[derive(Clone, Serialize, Deserialize)]
pub enum Step {
    /// Signing in: a code is asked for.
    #[serde(rename = "c")]
    Code(Challenge),
    /// Signing in: a second factor is set up.
    #[serde(rename = "e")]
    Enrol(Enrolment),
    /// Accepting: a second factor is set up. The link is the place that the draft is sealed for.
    #[serde(rename = "a")]
    Accept { link: String, draft: Draft },
    /// The recovery codes are shown until their owner says that they are kept.
    #[serde(rename = "k")]
    Keep(Keep),
}

/// Recovery codes that are to be kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct Keep {
    account: String,
    planned: Planned,
    since: i64,
}

impl Keep {
    /// Whether the codes are still this account's.
    pub fn is_of(&self, account: &ClinicAccountSpec) -> bool {
        account.id == self.account && account.credential() == Some(&self.planned.credential())
    }

    /// The codes.
    pub fn codes(&self) -> Vec<String> {
        self.planned.codes_to_show()
    }

    /// When they were made.
    pub fn since(&self) -> Timestamp {
        Timestamp::from_second(self.since).unwrap_or_default()
    }
}

impl Challenge {
    /// Whether a code may still be entered.
    pub fn is_in_time(&self, now: Timestamp) -> bool {
        is_within(self.since, CODE_WITHIN, now)
    }
}

impl Enrolment {
    /// Whether the second factor may still be set up.
    pub fn is_in_time(&self, now: Timestamp) -> bool {
        is_within(self.challenge.since, SETUP_WITHIN, now)
    }
}

impl Draft {
    /// Whether the second factor may still be set up.
    pub fn is_in_time(&self, now: Timestamp) -> bool {
        is_within(self.shown, SETUP_WITHIN, now)
    }
}

impl Step {
    fn is_in_time(&self, now: Timestamp) -> bool {
        match self {
            Self::Code(challenge) => challenge.is_in_time(now),
            Self::Enrol(enrolment) => enrolment.is_in_time(now),
            Self::Accept { draft, .. } => draft.is_in_time(now),
            Self::Keep(keep) => is_within(keep.since, SETUP_WITHIN, now),
        }
    }
}

impl Portal {
    /// The step that the browser is at, if it can still be taken.
    pub fn step(&self, visitor: &Visitor) -> Option<Step> {
        let place = visitor.place(STEP);
        let step: Option<Step> = self.keys.open(Purpose::Form, &place, visitor.step.as_deref()?);
        step.filter(|step| step.is_in_time(self.clock.now()))
    }

    /// The cookies of a browser that is at this step from now on.
    pub fn at_step(&self, visitor: &Visitor, step: &Step) -> Vec<HeaderValue> {
        let sealed = self.keys.seal(Purpose::Form, &visitor.place(STEP), step).ok();
        let cookie = sealed.and_then(|sealed| self.cookies.set(Kind::Step, &sealed, Some(SETUP_WITHIN)));
        // The step is of no use to a browser that does not know whose forms it has.
        cookie.into_iter().chain(self.visit_cookie(visitor)).collect()
    }

    /// The cookie of a browser that is at no step any more.
    pub fn end_step(&self) -> Option<HeaderValue> {
        self.cookies.unset(Kind::Step)
    }

    /// The cookies of somebody whose second factor was set up: signed in, with recovery codes to keep.
    pub fn keep_codes(&self, visitor: &Visitor, account: &ClinicAccountSpec, planned: &Planned) -> Vec<HeaderValue> {
        let since = self.clock.now().as_second();
        let keep = Keep { account: account.id.clone(), planned: planned.clone(), since };
        let mut cookies = self.begin_session(account);
        cookies.extend(self.at_step(visitor, &Step::Keep(keep)));
        cookies
    }
}
