//! Sessions: a sealed cookie, checked at each request against record and manifest. They last across replicas and restarts, and end at the
//! instant at which access ends, whoever else is down.

use axum::http::HeaderValue;
use jiff::{SignedDuration, Timestamp};

use super::Portal;
use super::web::cookies::Kind;
use super::web::visitor::Visitor;
use crate::adapters::kubernetes::ApiError;
use crate::adapters::seal::Purpose;
use crate::api::ClinicAccount;
use crate::api::account::ClinicAccountSpec;
use crate::domain::session::{Ended, Session, Standing};
use crate::domain::standing::Answer;

/// For how long a page says how a session ended.
const SAID_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// How a visitor stands.
pub enum Status {
    /// There is no session.
    NotSignedIn,
    /// There was one, and it is over.
    Ended,
    /// Signed in.
    SignedIn(Box<SignedIn>),
}

/// Somebody who is signed in.
pub struct SignedIn {
    /// Their account.
    pub account: ClinicAccount,
    /// When their access ends, by record and manifest; `None`: no end is planned.
    pub until: Option<Timestamp>,
    /// Their cookie, if it is to be written again.
    pub cookie: Option<HeaderValue>,
}

/// The records are too old to say who still has access, or cannot be read.
#[derive(Debug)]
pub struct Unreachable;

impl Portal {
    /// How the visitor stands now.
    pub async fn session(&self, visitor: &Visitor) -> Result<Status, Unreachable> {
        let Some(sealed) = &visitor.session else { return Ok(Status::NotSignedIn) };
        if !self.contact.may_stay() {
            return Err(Unreachable);
        }
        let session: Option<Session> = self.keys.open(Purpose::Session, "", sealed);
        let Some(session) = session else { return Ok(Status::Ended) };
        let now = self.clock.now();
        let known = self.records.account(&session.account).map(|account| (self.facts(&account.spec), account));
        let (facts, account) = match known {
            Some((facts, account)) if !session.may_be_newer_than(&facts, now) => (facts, account),
            // Whoever keeps the cookie of an account that is gone, or of records that were restored since, is believed what is known.
            _ if !self.throttles.may_look(&format!("session of {}", session.account), now) => return Ok(Status::Ended),
            // Accepted or signed out everywhere a moment ago, at another replica.
            _ => match self.facts_now(&session.account).await.map_err(|_: ApiError| Unreachable)? {
                Some(known) => known,
                None => return Ok(Status::Ended),
            },
        };
        let cookie = match session.standing(&facts, now) {
            Standing::Lasts => None,
            Standing::Renewed(session) => self.seal(&session),
            Standing::Ended(Ended::TooOld | Ended::Elsewhere | Ended::NoAccess) => return Ok(Status::Ended),
        };
        Ok(Status::SignedIn(Box::new(SignedIn { account, until: facts.until(), cookie })))
    }

    /// The cookies of somebody who has just signed in.
    pub fn begin_session(&self, account: &ClinicAccountSpec) -> Vec<HeaderValue> {
        let Some(acceptance) = &account.acceptance else { return Vec::new() };
        let now = self.clock.now();
        // Of whoever lost access this very moment there is no session to begin.
        let Answer::MayPass { grant } = self.facts(account).may_pass(now) else { return Vec::new() };
        let session = Session::begin(&account.id, acceptance.session_epoch, grant, now);
        self.seal(&session).into_iter().chain(self.know_browser(&session)).collect()
    }

    /// The cookies that end a session, what it was about to do, and the links that were opened: somebody else may come now.
    pub fn end_session(&self) -> Vec<HeaderValue> {
        let ended = [Kind::Session, Kind::Links].into_iter().filter_map(|kind| self.cookies.unset(kind));
        ended.chain(self.end_step()).collect()
    }

    /// The same, with how it ended for the page that comes next: in a cookie, so that no link says so to somebody else.
    pub fn end_session_and_say(&self, how: &str) -> Vec<HeaderValue> {
        let said = self.cookies.set(Kind::Ended, how, Some(SAID_WITHIN));
        self.end_session().into_iter().chain(said).collect()
    }

    fn seal(&self, session: &Session) -> Option<HeaderValue> {
        let sealed = self.keys.seal(Purpose::Session, "", session).ok()?;
        self.cookies.set(Kind::Session, &sealed, None)
    }
}
