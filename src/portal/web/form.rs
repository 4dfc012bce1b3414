//! A form that was sent: by no other site, and not longer than forms are. No handler of a POST gets anything else. It does not grow
//! old: what a form carries may, and then it is shown again.

use std::sync::Arc;
use std::time::Duration;

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use secrecy::zeroize::Zeroizing;
use tokio::time::timeout;

use super::headers::{Origin, origin_of};
use super::reply::took_too_long;
use super::visitor::{Visitor, peer};
use crate::adapters::seal::Purpose;
use crate::domain::member::Locale;
use crate::portal::pages::{Notice, field};
use crate::portal::{Portal, path};

/// Longest form, in bytes.
pub const LONGEST: usize = 32 * 1024;
/// How long a form may take to come in: 3 KiB a second, if it is as long as can be.
pub const ARRIVES_WITHIN: Duration = Duration::from_secs(10);
/// So long after it was shown a form is known to be the same: shorter than `care` leaves what nobody names.
const SAME_FOR: SignedDuration = SignedDuration::from_mins(30);
/// What the token of a form is sealed for, beside the browser.
const TOKEN: &str = "token";

/// A form that no other site sent.
pub struct Sent {
    fields: Vec<(String, Zeroizing<String>)>,
    is_ours: bool,
    /// Since when it was shown to this browser, in seconds since 1970, if its token says so.
    shown: Option<i64>,
}

/// A form that one of our pages sent for certain: for what takes effect by being sent.
pub struct Ours(pub Sent);

impl Sent {
    /// What was typed into a field; empty if there is none. Of several with one name the first.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
    }

    /// Whether there is such a field.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(found, _)| found == name)
    }

    /// Whether one of our pages sent it: its browser says so, or its token is of this browser. Else it is shown again, filled in.
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// What tells this form, as it was shown to this browser, from every other, and nobody else knows: its token, in which there is a
    /// random nonce. A form that is sent twice is to have one outcome, but not when what the first one made may have been swept.
    pub fn shown_as(&self, now: Timestamp) -> Option<&str> {
        self.shown.filter(|shown| is_within(*shown, SAME_FOR, now)).map(|_| self.get(field::FORM))
    }
}

impl FromRequest<Arc<Portal>> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(visitor) = Visitor::from_request_parts(&mut parts, portal).await;
        let again = visitor.path.strip_suffix("/second-factor").or(visitor.path.strip_suffix("/code"));
        let again = again.unwrap_or(&visitor.path).to_owned();
        let refused = |status, notice: Notice<'_>| portal.notice(&visitor, None, status, notice);
        let out_of_date = || refused(StatusCode::FORBIDDEN, Notice::FormOutOfDate { again: &again });
        let origin = origin_of(&parts.headers, &portal.base);
        if origin == Origin::Other {
            return Err(out_of_date());
        }
        let peer = peer(&parts.extensions);
        let form = Form::<Vec<(String, String)>>::from_request(Request::from_parts(parts, body), portal);
        let Ok(form) = timeout(ARRIVES_WITHIN, form).await else { return Err(took_too_long()) };
        portal.connections.set_answered(peer, true);
        let fields = match form {
            Ok(Form(fields)) => fields.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect(),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, Notice::TooLarge));
            }
            Err(rejection) => return Err(refused(rejection.status(), Notice::FormOutOfDate { again: &again })),
        };
        let mut sent = Self { fields, is_ours: origin == Origin::Ours, shown: None };
        sent.shown = portal.form_shown(&visitor, sent.get(field::FORM));
        sent.is_ours |= sent.shown.is_some();
        Ok(sent)
    }
}

impl FromRequest<Arc<Portal>> for Ours {
    type Rejection = Response;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(visitor) = Visitor::from_request_parts(&mut parts, portal).await;
        let sent = Sent::from_request(Request::from_parts(parts, body), portal).await?;
        if sent.is_ours {
            return Ok(Self(sent));
        }
        let notice = Notice::FormOutOfDate { again: path::HOME };
        Err(portal.notice(&visitor, None, StatusCode::FORBIDDEN, notice))
    }
}

impl Portal {
    /// The token of a form for this browser.
    pub fn form_token(&self, visitor: &Visitor) -> String {
        let now = self.clock.now().as_second();
        self.keys.seal(Purpose::Form, &visitor.place(TOKEN), &now).unwrap_or_default()
    }

    /// When the form with this token was shown to this browser.
    fn form_shown(&self, visitor: &Visitor, token: &str) -> Option<i64> {
        self.keys.open(Purpose::Form, &visitor.place(TOKEN), token).filter(|_| !visitor.is_new)
    }

    /// A value in a field of a form, for this browser only. `what` tells fields apart.
    pub fn draft(&self, visitor: &Visitor, what: &str, draft: &impl serde::Serialize) -> Option<String> {
        self.keys.seal(Purpose::Form, &visitor.place(what), draft).ok()
    }

    /// The value of such a field.
    pub fn open_draft<T: serde::de::DeserializeOwned>(&self, visitor: &Visitor, what: &str, sent: &Sent) -> Option<T> {
        self.keys.open(Purpose::Form, &visitor.place(what), sent.get(field::DRAFT))
    }

    /// The language of a page for somebody of whom nothing else is known.
    pub fn locale(&self, visitor: &Visitor, of_person: Option<Locale>) -> Locale {
        visitor.locale(of_person, self.clinic().locale)
    }
}

/// Whether an instant, in seconds since 1970, is past and not longer ago than this.
pub fn is_within(second: i64, lasts: SignedDuration, now: Timestamp) -> bool {
    let ago = now.as_second().saturating_sub(second);
    // A little of the future: two replicas' clocks differ.
    (-60..lasts.as_secs()).contains(&ago)
}
