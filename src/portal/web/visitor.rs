//! Who asks for a page, before anything is known of who they are: their address, browser and language.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, header};
use data_encoding::BASE64URL_NOPAD;
use tracing::warn;

use super::client::{Client, is_unnamed_proxy};
use super::cookies::Kind;
use super::language;
use crate::adapters::random::secret_bytes;
use crate::domain::member::Locale;
use crate::portal::Portal;

/// Random bytes that tell one browser's forms from another's.
const VISIT_BYTES: usize = 16;

/// A visitor.
#[derive(Clone)]
pub struct Visitor {
    /// Their address.
    pub client: Client,
    /// What their forms are bound to.
    pub visit: String,
    /// Whether the browser is yet to be told that.
    pub is_new: bool,
    /// The language that they chose on this page.
    pub chosen: Option<Locale>,
    /// The language that they chose before.
    pub chosen_before: Option<Locale>,
    /// The language that their browser asks for.
    pub accepted: Option<Locale>,
    /// The cookie of a session.
    pub session: Option<String>,
    /// The cookie of a known browser.
    pub device: Option<String>,
    /// The cookie of a step.
    pub step: Option<String>,
    /// The cookie of the links that were opened.
    pub links: Option<String>,
    /// How the last session in this browser ended, if that was just now.
    pub ended: Option<String>,
    /// The path that was asked for. It may hold a token: it is never logged.
    pub path: String,
}

impl Visitor {
    /// The language of the page: the one chosen; else the one that the record of the person says; else the browser's; else the
    /// clinic's.
    pub fn locale(&self, of_person: Option<Locale>, of_clinic: Locale) -> Locale {
        self.chosen.or(self.chosen_before).or(of_person).or(self.accepted).unwrap_or(of_clinic)
    }

    /// What a value is sealed for that only this browser is to bring back. No `what` has a colon, and no visit has one.
    pub fn place(&self, what: &str) -> String {
        format!("{what}:{}", self.visit)
    }
}

impl FromRequestParts<Arc<Portal>> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Infallible> {
        let sent = |kind| portal.cookies.sent(&parts.headers, kind);
        let peer = peer(&parts.extensions).ip();
        if is_unnamed_proxy(peer, &parts.headers, &portal.trusted_proxies) {
            portal.unnamed_proxy.call_once(|| {
                warn!(%peer, "somebody sends X-Forwarded-For who is not in trustedProxies; if it is your proxy, name it: else all who come through it are one to the portal");
            });
        }
        let known = sent(Kind::Visit).filter(|visit| is_visit(visit));
        let accepted = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Ok(Self {
            client: Client::of(peer, &parts.headers, &portal.trusted_proxies),
            is_new: known.is_none(),
            visit: known.or_else(new_visit).unwrap_or_default(),
            chosen: parts.uri.query().and_then(chosen),
            chosen_before: sent(Kind::Language).as_deref().and_then(language::of_tag),
            accepted: accepted.and_then(language::accepted),
            session: sent(Kind::Session),
            device: sent(Kind::Device),
            step: sent(Kind::Step),
            links: sent(Kind::Links),
            ended: sent(Kind::Ended),
            path: parts.uri.path().to_owned(),
        })
    }
}

/// The other end of a request's connection.
pub fn peer(of: &Extensions) -> SocketAddr {
    of.get::<ConnectInfo<SocketAddr>>().map_or((Ipv4Addr::UNSPECIFIED, 0).into(), |ConnectInfo(peer)| *peer)
}

fn is_visit(text: &str) -> bool {
    BASE64URL_NOPAD.decode(text.as_bytes()).is_ok_and(|bytes| bytes.len() == VISIT_BYTES)
}

/// Without random bytes there is none, and then no form works.
fn new_visit() -> Option<String> {
    secret_bytes::<VISIT_BYTES>().ok().map(|bytes| BASE64URL_NOPAD.encode(&bytes))
}

/// The language that a query chooses.
pub fn chosen(query: &str) -> Option<Locale> {
    query.split('&').find_map(|pair| pair.strip_prefix("lang=")).and_then(language::of_tag)
}
