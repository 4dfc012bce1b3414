//! Answers: a page in its frame with its status and cookies, or the way to another page.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use tracing::error;

use super::cookies::Kind;
use super::language;
use super::visitor::Visitor;
use crate::domain::member::Locale;
use crate::portal::pages::{self, Frame, Notice, Page};
use crate::portal::{Portal, path};

/// How long a chosen language is remembered.
const LANGUAGE_LASTS: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Seconds after which what cannot be done now may be tried again: the pages say a minute.
const TRY_AGAIN_AFTER: u64 = 60;

/// Of this answer nobody knows in which language it is to be.
const TOOK_TOO_LONG: &str = "The request took too long. Please go back and try again.\n\n\
                             La demande a pris trop de temps. Veuillez revenir en arrière et réessayer.\n";

/// How a page is sent.
pub struct Reply<'a> {
    /// HTTP status.
    pub status: StatusCode,
    /// The language that the person's record says.
    pub locale: Option<Locale>,
    /// Where a GET shows the page again; `None`: where it was asked for, which a GET may answer otherwise.
    pub again: Option<&'a str>,
    /// Cookies to set, each made by `Cookies`.
    pub cookies: Vec<HeaderValue>,
}

impl Reply<'_> {
    /// A page that is there, and is not shown again.
    pub fn ok(locale: Option<Locale>) -> Self {
        Self::with(StatusCode::OK, locale)
    }

    /// A page with this status.
    pub fn with(status: StatusCode, locale: Option<Locale>) -> Self {
        Self { status, locale, again: None, cookies: Vec::new() }
    }
}

impl Portal {
    /// Sends a page.
    pub fn page(&self, visitor: &Visitor, reply: Reply<'_>, page: &Page<'_>) -> Response {
        let clinic = self.clinic();
        let frame = Frame {
            locale: visitor.locale(reply.locale, clinic.locale),
            clinic: &clinic.name,
            logo: self.logo.as_ref().map(|_| path::LOGO),
            stylesheet: path::STYLE,
            script: path::SCRIPT,
            icon: path::ICON,
            path: reply.again,
            here: &visitor.path,
            contact: clinic.contact.as_ref(),
            sign_in: path::SIGN_IN,
            form: &self.form_token(visitor),
        };
        let html = match pages::render(&frame, page) {
            Ok(html) => html,
            Err(error) => {
                error!(%error, "a bug: a page was not rendered");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        let mut response = Response::new(Body::from(html));
        *response.status_mut() = reply.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language::tag(frame.locale)));
        let visit = self.visit_cookie(visitor);
        for cookie in reply.cookies.into_iter().chain(visit) {
            headers.append(header::SET_COOKIE, cookie);
        }
        if let Some(chosen) = visitor.chosen {
            self.remember_language(&mut response, chosen);
        }
        response
    }

    /// Has the browser remember the language that was chosen.
    pub fn remember_language(&self, response: &mut Response, chosen: Locale) {
        if let Some(cookie) = self.cookies.set(Kind::Language, language::tag(chosen), Some(LANGUAGE_LASTS)) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }

    /// The cookie that tells a new browser whose forms it has.
    pub fn visit_cookie(&self, visitor: &Visitor) -> Option<HeaderValue> {
        visitor.is_new.then(|| self.cookies.set(Kind::Visit, &visitor.visit, None)).flatten()
    }

    /// Sends a page that says what happened.
    pub fn notice(
        &self,
        visitor: &Visitor,
        locale: Option<Locale>,
        status: StatusCode,
        notice: Notice<'_>,
    ) -> Response {
        let mut response = self.page(visitor, Reply::with(status, locale), &Page::Notice(notice));
        let wait = if let Notice::TooManyTries { wait } = notice { Some(wait) } else { None };
        let later = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(TRY_AGAIN_AFTER);
        if let Some(wait) = wait.or(later) {
            response.headers_mut().insert(header::RETRY_AFTER, wait.into());
        }
        response
    }
}

/// The way to another page of ours, to be asked for by GET.
pub fn see_other(path: &str, cookies: Vec<HeaderValue>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(path) = HeaderValue::from_str(path) {
        headers.insert(header::LOCATION, path);
    }
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// The answer to whoever is too slow, or whom we are too slow for.
pub fn took_too_long() -> Response {
    (StatusCode::REQUEST_TIMEOUT, TOOK_TOO_LONG).into_response()
}
