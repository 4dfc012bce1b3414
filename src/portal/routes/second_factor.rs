//! The pages of setting up a second factor, while accepting as while signing in, and of its recovery codes. Whether a code is right never stands here.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::super::codes::CodeRefused;
use super::super::credentials::Planned;
use super::super::pages::{CodeFault, Enrol, EnrolOccasion, Notice, Page, RecoveryCodes};
use super::super::sessions::{SignedIn, Status, Unreachable};
use super::super::steps::Step;
use super::super::web::form::Ours;
use super::super::web::reply::{Reply, see_other};
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
    /// Where the form goes, and a GET shows the page again.
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
    let reply = Reply { again: Some(action), ..Reply::with(status(fault.is_some()), locale) };
    portal.page(visitor, reply, &page)
}

/// The recovery codes of whoever has just set up a second factor.
pub async fn show_codes(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    match portal.session(&visitor).await {
        Ok(Status::SignedIn(signed_in)) => match portal.codes_to_keep(&visitor, &signed_in) {
            Some(codes) => {
                let page = Page::RecoveryCodes(RecoveryCodes { codes: &codes, action: path::RECOVERY_CODES });
                let reply = Reply::ok(signed_in.account.spec.desired.locale);
                portal.page(&visitor, Reply { again: Some(path::RECOVERY_CODES), ..reply }, &page)
            }
            None => see_other(path::HOME, Vec::new()),
        },
        Ok(Status::NotSignedIn | Status::Ended) => see_other(path::HOME, Vec::new()),
        Err(Unreachable) => portal.unreachable(&visitor, None),
    }
}

/// Their owner keeps them: this browser shows them no more.
pub async fn codes_are_kept(State(portal): State<Arc<Portal>>, _: Ours) -> Response {
    see_other(path::HOME, portal.end_step().into_iter().collect())
}

impl Portal {
    /// The recovery codes that whoever is signed in has yet to keep.
    pub(super) fn codes_to_keep(&self, visitor: &Visitor, signed_in: &SignedIn) -> Option<Vec<String>> {
        match self.step(visitor)? {
            Step::Keep(keep) => keep.codes(&signed_in.account.spec),
            Step::Code(_) | Step::Enrol(_) | Step::Accept { .. } => None,
        }
    }
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
