//! Who is signed in, and signing out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tracing::{info, warn};

use super::super::acceptance::{Change, ChangeError, Still, change};
use super::super::opened::Link;
use super::super::pages::{Designation, Home, Notice, Page, field};
use super::super::sessions::{SignedIn, Status, Unreachable};
use super::super::web::form::Ours;
use super::super::web::reply::{Reply, see_other};
use super::super::web::visitor::Visitor;
use super::super::{Portal, path};
use super::sign_in::{BY_ITSELF, BY_SIGN_OUT};
use crate::adapters::dates::day;
use crate::domain::member::{Locale, full_name};

/// The page of whoever is signed in; the others are to sign in.
pub async fn show(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    match portal.session(&visitor).await {
        Ok(Status::SignedIn(signed_in)) if portal.codes_to_keep(&visitor, &signed_in).is_some() => {
            see_other(path::RECOVERY_CODES, Vec::new())
        }
        Ok(Status::SignedIn(signed_in)) => home(&portal, &visitor, *signed_in),
        Ok(Status::NotSignedIn) => see_other(path::SIGN_IN, Vec::new()),
        Ok(Status::Ended) => see_other(path::SIGN_IN, portal.end_session_and_say(BY_ITSELF)),
        Err(Unreachable) => portal.session_unreachable(&visitor),
    }
}

/// Signing out is a form; its address alone does nothing.
pub async fn start_again() -> Response {
    see_other(path::HOME, Vec::new())
}

/// Ends every session of whoever is signed in. Whoever does it to accept an invitation comes back to it.
pub async fn sign_out(State(portal): State<Arc<Portal>>, visitor: Visitor, Ours(sent): Ours) -> Response {
    let link = Link::parse(sent.get(field::LINK));
    let next = link.as_ref().map_or_else(|| path::SIGN_IN.to_owned(), Link::path);
    let signed_out = || {
        let kept = link.as_ref().map(|link| portal.remember_link_alone(&visitor, link));
        portal.end_session_and_say(BY_SIGN_OUT).into_iter().chain(kept.into_iter().flatten()).collect::<Vec<_>>()
    };
    let signed_in = match portal.session(&visitor).await {
        Ok(Status::SignedIn(signed_in)) => signed_in,
        Ok(Status::NotSignedIn | Status::Ended) => {
            return see_other(&next, signed_out());
        }
        Err(Unreachable) => return only_here(&portal, &visitor, None),
    };
    let account = &signed_in.account.spec;
    let Some(acceptance) = &account.acceptance else {
        return see_other(&next, signed_out());
    };
    let changed =
        change(&portal.stores.accounts, &account.id, Still::InEpoch(acceptance.session_epoch), Change::SignedOut).await;
    let mut cookies = signed_out();
    match changed {
        Ok(after) => {
            info!(account = account.id, "signed out");
            portal.records.put(&after);
            cookies.extend(portal.know_browser_after(&visitor, account, &after.spec));
        }
        // Every session of that epoch has ended already.
        Err(ChangeError::Changed) => {}
        Err(error) => {
            warn!(account = account.id, %error, "somebody is signed out in one browser only");
            return only_here(&portal, &visitor, account.desired.locale);
        }
    }
    see_other(&next, cookies)
}

/// The answer to somebody who signs out while nothing can be written: this browser forgets them at least.
fn only_here(portal: &Portal, visitor: &Visitor, locale: Option<Locale>) -> Response {
    let reply = Reply { cookies: portal.end_session(), ..Reply::with(StatusCode::SERVICE_UNAVAILABLE, locale) };
    portal.page(visitor, reply, &Page::Notice(Notice::SignedOutHere))
}

fn home(portal: &Portal, visitor: &Visitor, signed_in: SignedIn) -> Response {
    let account = &signed_in.account.spec;
    let desired = &account.desired;
    let Some(acceptance) = &account.acceptance else { return see_other(path::SIGN_IN, portal.end_session()) };
    let locale = portal.locale(visitor, desired.locale);
    let last_day = signed_in.until.zip(portal.records.zone()).map(|(until, zone)| zone.last_day(until));
    let last_day = last_day.and_then(|last| day(last, locale).ok());
    let page = Page::Home(Home {
        sign_out: path::SIGN_OUT,
        name: &full_name(&acceptance.first_name, &acceptance.last_name),
        username: &acceptance.login,
        title: acceptance.title.as_deref(),
        designation: Designation::of(desired.position.as_deref(), desired.classification, desired.type_),
        license: desired.license,
        last_day: last_day.as_deref(),
    });
    let cookies = signed_in.cookie.into_iter().collect();
    portal.page(visitor, Reply { again: Some(path::HOME), cookies, ..Reply::ok(desired.locale) }, &page)
}
