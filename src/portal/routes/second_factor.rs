//! The pages of setting up a second factor, while accepting as while signing in, and of its recovery codes. Whether a code is right never stands here.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::codes::CodeRefused;
use super::super::credentials::Planned;
use super::super::pages::{CodeFault, Enrol, EnrolOccasion, Notice, Page, RecoveryCodes};
use super::super::sessions::{SignedIn, Status, Unreachable};
use super::super::steps::{Keep, Step};
use super::super::web::form::Ours;
use super::super::web::reply::{Reply, see_other};
use super::super::web::visitor::Visitor;
use super::super::{Portal, path};
use crate::adapters::dates::day;
use crate::api::account::ClinicAccountSpec;
use crate::domain::email::Email;
use crate::domain::member::{Locale, full_name};
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
    /// The code of the link by which somebody accepts.
    pub link: Option<&'a str>,
    /// Why it is set up.
    pub occasion: EnrolOccasion<'a>,
    /// Why the code before was refused.
    pub fault: Option<CodeFault>,
}

/// The page with the QR code.
pub fn enrol(portal: &Portal, visitor: &Visitor, setup: &Setup<'_>) -> Response {
    let Setup { locale, clinic, email, planned, action, draft, link, occasion, fault } = *setup;
    let failed = || portal.notice(visitor, locale, StatusCode::INTERNAL_SERVER_ERROR, Notice::Failed);
    let Ok(email) = Email::parse(email) else { return failed() };
    let secret = planned.secret();
    let uri = secret.uri(clinic, &email);
    let Ok(qr) = QrCode::of(&uri) else { return failed() };
    let secret = secret.typed();
    let (qr, uri, secret, username) = (&qr, uri.as_str(), secret.as_str(), email.as_str());
    let page = Page::Enrol(Enrol { action, draft, username, link, occasion, qr, uri, secret, fault });
    let reply = Reply { again: Some(action), ..Reply::with(status(fault.is_some()), locale) };
    portal.page(visitor, reply, &page)
}

/// The recovery codes of whoever has just set up a second factor.
pub async fn show_codes(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    match portal.session(&visitor).await {
        Ok(Status::SignedIn(signed_in)) => match portal.codes_to_keep(&visitor, &signed_in) {
            Some(keep) => codes_page(&portal, &visitor, &signed_in.account.spec, &keep),
            None => see_other(path::HOME, Vec::new()),
        },
        Ok(Status::NotSignedIn | Status::Ended) => see_other(path::HOME, Vec::new()),
        Err(Unreachable) => portal.unreachable(&visitor, None),
    }
}

fn codes_page(portal: &Portal, visitor: &Visitor, account: &ClinicAccountSpec, keep: &Keep) -> Response {
    let Some(acceptance) = &account.acceptance else { return see_other(path::HOME, Vec::new()) };
    let locale = account.desired.locale;
    let page = Page::RecoveryCodes(RecoveryCodes {
        codes: &keep.codes(),
        action: path::RECOVERY_CODES,
        name: &full_name(&acceptance.first_name, &acceptance.last_name),
        username: &acceptance.login,
        portal: portal.base.as_str(),
        day: &portal.day_of(keep.since(), portal.locale(visitor, locale)),
    });
    portal.page(visitor, Reply { again: Some(path::RECOVERY_CODES), ..Reply::ok(locale) }, &page)
}

/// Their owner keeps them: this browser shows them no more.
pub async fn codes_are_kept(State(portal): State<Arc<Portal>>, _: Ours) -> Response {
    see_other(path::HOME, portal.end_step().into_iter().collect())
}

impl Portal {
    /// The day on which something was at the clinic, in the reader's words; in UTC where nobody knows its zone.
    fn day_of(&self, at: Timestamp, locale: Locale) -> String {
        let day_there = self.records.zone().map_or_else(|| at.to_zoned(TimeZone::UTC).date(), |zone| zone.day(at));
        day(day_there, locale).unwrap_or_default()
    }

    /// The recovery codes that whoever is signed in has yet to keep.
    pub(super) fn codes_to_keep(&self, visitor: &Visitor, signed_in: &SignedIn) -> Option<Keep> {
        match self.step(visitor)? {
            Step::Keep(keep) => keep.is_of(&signed_in.account.spec).then_some(keep),
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
