//! What is served where. A handler reads what was sent, asks the rest of the portal, and says which page follows.

mod assets;
mod home;
mod invitations;
mod second_factor;
mod set_up;
mod sign_in;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::SignedDuration;
use tokio::time::timeout;
use tracing::debug;

use super::pages::Notice;
use super::sign_in::NotLetIn;
use super::web::reply::took_too_long;
use super::web::visitor::{Visitor, chosen, peer};
use super::web::{form, headers};
use super::{Portal, metrics, path};
use crate::domain::member::Locale;

/// No request takes longer, its body included.
const LONGEST_REQUEST: Duration = Duration::from_secs(60);

/// No browser gets to see it.
const NOT_ONE_HOST: &str = "The request must name one host (RFC 9112).\n";

/// All routes.
pub fn routes(portal: &Arc<Portal>) -> Router {
    Router::new()
        .route(path::HOME, get(home::show))
        .route(path::SIGN_IN, get(sign_in::show).post(sign_in::password))
        .route(path::CODE, get(sign_in::show_step).post(sign_in::code))
        .route(path::ENROL, get(sign_in::show_step).post(sign_in::enrol))
        .route(path::RECOVERY_CODES, get(second_factor::show_codes).post(second_factor::codes_are_kept))
        .route(path::SIGN_OUT, post(home::sign_out).get(home::start_again))
        .route(path::INVITATIONS, get(invitations::ask_for_code).post(invitations::code))
        .route("/invitations/", get(invitations::ask_for_code))
        .route("/invitations/{link}", get(invitations::show).post(invitations::accept))
        .route("/invitations/{link}/second-factor", get(set_up::show).post(set_up::first_code))
        .route("/confirmations", get(address_unchanged))
        .route("/confirmations/{link}", get(address_unchanged))
        .route(path::STYLE, get(assets::style))
        .route(path::SCRIPT, get(assets::script))
        .route(path::ICON, get(assets::icon))
        .route(path::LOGO, get(assets::logo))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(form::LONGEST))
        .layer(from_fn_with_state(Arc::clone(portal), around))
        .with_state(Arc::clone(portal))
}

/// Around every request: a limit of time, the headers of every answer, a count, and a line in the log that has the route and not
/// the path, in which there may be a token.
async fn around(State(portal): State<Arc<Portal>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let method = request.method().clone();
    let chosen = request.uri().query().and_then(chosen);
    let begin = portal.clock.monotonic();
    let peer = peer(request.extensions());
    // The others are whole when their form has come in.
    portal.connections.set_answered(peer, request.body().is_end_stream());
    let mut answer = if headers::names_one_host(request.version(), request.headers()) {
        timeout(LONGEST_REQUEST, next.run(request)).await.unwrap_or_else(|_| took_too_long())
    } else {
        (StatusCode::BAD_REQUEST, NOT_ONE_HOST).into_response()
    };
    portal.connections.set_answered(peer, false);
    // A page sets it itself.
    if let Some(chosen) = chosen.filter(|_| answer.status().is_redirection()) {
        portal.remember_language(&mut answer, chosen);
    }
    headers::add(&mut answer, &portal.base);
    portal.metrics.answered(route, answer.status().as_u16());
    let took = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    debug!(%method, route, status = answer.status().as_u16(), milliseconds = took, "answered");
    answer
}

/// Until an address can be confirmed here: the same to every link, so that none is looked at.
async fn address_unchanged(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    portal.notice(&visitor, None, StatusCode::OK, Notice::AddressUnchanged)
}

async fn not_found(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    portal.notice(&visitor, None, StatusCode::NOT_FOUND, Notice::NotFound)
}

async fn method_not_allowed(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    portal.notice(&visitor, None, StatusCode::METHOD_NOT_ALLOWED, Notice::MethodNotAllowed)
}

impl Portal {
    /// The answer while the records cannot be read.
    fn unreachable(&self, visitor: &Visitor, locale: Option<Locale>) -> Response {
        self.notice(visitor, locale, StatusCode::SERVICE_UNAVAILABLE, Notice::Unreachable)
    }

    /// The same to whoever has a session.
    fn session_unreachable(&self, visitor: &Visitor) -> Response {
        self.notice(visitor, None, StatusCode::SERVICE_UNAVAILABLE, Notice::SessionUnreachable)
    }

    /// The answer while a policy of the cluster refuses what the portal must write.
    fn prevented(&self, visitor: &Visitor, locale: Option<Locale>) -> Response {
        self.notice(visitor, locale, StatusCode::SERVICE_UNAVAILABLE, Notice::Prevented)
    }

    /// The answer to somebody who is to wait first.
    fn wait(&self, visitor: &Visitor, locale: Option<Locale>, wait: SignedDuration) -> Response {
        let wait = u64::try_from(wait.as_secs()).unwrap_or(0).max(1);
        self.notice(visitor, locale, StatusCode::TOO_MANY_REQUESTS, Notice::TooManyTries { wait })
    }

    /// The answer to somebody who was not let in for a reason that is not theirs.
    fn not_now(&self, visitor: &Visitor, locale: Option<Locale>, why: &NotLetIn) -> Response {
        match why {
            NotLetIn::Unreachable => self.unreachable(visitor, locale),
            NotLetIn::Prevented => {
                self.metrics.sign_in(metrics::SignIn::Prevented);
                self.prevented(visitor, locale)
            }
            NotLetIn::Busy => self.notice(visitor, locale, StatusCode::SERVICE_UNAVAILABLE, Notice::Busy),
            NotLetIn::Failed | NotLetIn::Refused | NotLetIn::Wrong => {
                self.notice(visitor, locale, StatusCode::INTERNAL_SERVER_ERROR, Notice::Failed)
            }
        }
    }
}
