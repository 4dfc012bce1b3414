//! A form that was sent: of one of our pages, young, from the browser that it was shown in, and not longer than forms are. No
//! handler of a POST gets anything else.

use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use secrecy::zeroize::Zeroizing;

use super::headers::is_from_our_page;
use super::visitor::Visitor;
use crate::adapters::seal::Purpose;
use crate::domain::member::Locale;
use crate::portal::Portal;
use crate::portal::pages::{Notice, field};

/// Longest form, in bytes.
pub const LONGEST: usize = 32 * 1024;
/// How long a form may stay open.
const FORM_LASTS: SignedDuration = SignedDuration::from_hours(12);
/// What the token of a form is sealed for, beside the browser.
const TOKEN: &str = "token";

/// A form.
pub struct Sent {
    fields: Vec<(String, Zeroizing<String>)>,
}

impl Sent {
    /// What was typed into a field; empty if there is none. Of several with one name the first.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
    }

    /// Whether there is such a field.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(found, _)| found == name)
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
        if !is_from_our_page(&parts.headers, &portal.base) {
            return Err(out_of_date());
        }
        let form = Form::<Vec<(String, String)>>::from_request(Request::from_parts(parts, body), portal).await;
        let form = match form {
            Ok(Form(fields)) => {
                Self { fields: fields.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect() }
            }
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, Notice::TooLarge));
            }
            Err(rejection) => return Err(refused(rejection.status(), Notice::FormOutOfDate { again: &again })),
        };
        if !portal.is_form_of(&visitor, form.get(field::FORM)) {
            return Err(out_of_date());
        }
        Ok(form)
    }
}

impl Portal {
    /// The token of a form for this browser.
    pub fn form_token(&self, visitor: &Visitor) -> String {
        let now = self.clock.now().as_second();
        self.keys.seal(Purpose::Form, &place(TOKEN, visitor), &now).unwrap_or_default()
    }

    fn is_form_of(&self, visitor: &Visitor, token: &str) -> bool {
        let shown: Option<i64> = self.keys.open(Purpose::Form, &place(TOKEN, visitor), token);
        !visitor.is_new && shown.is_some_and(|shown| is_within(shown, FORM_LASTS, self.clock.now()))
    }

    /// A value in a field of a form, for this browser only. `what` tells fields apart.
    pub fn draft(&self, visitor: &Visitor, what: &str, draft: &impl serde::Serialize) -> Option<String> {
        self.keys.seal(Purpose::Form, &place(what, visitor), draft).ok()
    }

    /// The value of such a field.
    pub fn open_draft<T: serde::de::DeserializeOwned>(&self, visitor: &Visitor, what: &str, sent: &Sent) -> Option<T> {
        self.keys.open(Purpose::Form, &place(what, visitor), sent.get(field::DRAFT))
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

/// No form has a name with a colon, and no visit has one.
fn place(what: &str, visitor: &Visitor) -> String {
    format!("{what}:{}", visitor.visit)
}
