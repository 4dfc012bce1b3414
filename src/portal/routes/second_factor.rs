//! The pages of setting up a second factor, while accepting as while signing in. Whether a code is right never stands here.

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::super::credentials::Planned;
use super::super::pages::{CodeFault, Enrol, EnrolOccasion, Notice, Page, RecoveryCodes};
use super::super::sign_in::CodeRefused;
use super::super::web::reply::Reply;
use super::super::web::visitor::Visitor;
use super::super::{Portal, path};
use crate::domain::email::Email;
use crate::domain::member::Locale;
use crate::domain::qr::QrCode;

/// A second factor that is being set up.
pub struct Setup<'a> {
    /// The person's language.
    pub locale: Option<Locale>,
    /// The clinic's name, for the app.
    pub clinic: &'a str,
    /// The person's address, for the app.
    pub email: &'a str,
    /// The second factor.
    pub planned: &'a Planned,
    /// Where the form goes.
    pub action: &'a str,
    /// What comes back with it.
    pub draft: Option<&'a str>,
    /// Why it is set up.
    pub occasion: EnrolOccasion<'a>,
    /// Why the code before was refused.
    pub fault: Option<CodeFault>,
}

/// The page with the QR code.
pub fn enrol(portal: &Portal, visitor: &Visitor, setup: &Setup<'_>) -> Response {
    let Setup { locale, clinic, email, planned, action, draft, occasion, fault } = *setup;
    let failed = || portal.notice(visitor, locale, StatusCode::INTERNAL_SERVER_ERROR, Notice::Failed);
    let Ok(email) = Email::parse(email) else { return failed() };
    let secret = planned.secret();
    let uri = secret.uri(clinic, &email);
    let Ok(qr) = QrCode::of(&uri) else { return failed() };
    let secret = secret.typed();
    let page = Page::Enrol(Enrol { action, draft, occasion, qr: &qr, uri: &uri, secret: &secret, fault });
    portal.page(visitor, Reply::with(status(fault.is_some()), locale), &page)
}

/// The recovery codes.
pub fn recovery_codes(
    portal: &Portal,
    visitor: &Visitor,
    locale: Option<Locale>,
    planned: &Planned,
    cookies: Vec<HeaderValue>,
) -> Response {
    let page = Page::RecoveryCodes(RecoveryCodes { codes: &planned.codes_to_show(), next: path::HOME });
    portal.page(visitor, Reply { cookies, ..Reply::ok(locale) }, &page)
}

/// Why a code was refused, as the page says it.
pub fn fault(refused: &CodeRefused) -> CodeFault {
    match refused {
        CodeRefused::Malformed => CodeFault::Malformed,
        CodeRefused::Used => CodeFault::Used,
        CodeRefused::Wrong | CodeRefused::Otherwise(_) => CodeFault::Wrong,
    }
}

/// Of a form that is shown, or shown again since something in it was refused.
pub fn status(is_refused: bool) -> StatusCode {
    if is_refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
}
