//! Links that were opened in this browser, sealed in a cookie: so that their pages have addresses that name an account and no token, and
//! that can be reloaded and gone back to. The form of a page carries the code of its own link, so that a task in another tab goes
//! on. Whether a link lets its reader in is asked each time, and never stands here.

use axum::http::HeaderValue;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::web::cookies::Kind;
use super::web::form::is_within;
use super::web::visitor::Visitor;
use super::{Portal, path};
use crate::adapters::seal::Purpose;
use crate::domain::acceptance::parse_code;
use crate::domain::invitation::Token;

/// How long after it was opened: whoever comes later opens theirs again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);
/// How many: one a tab.
const MOST: usize = 4;
/// What the cookie is sealed for, beside the browser.
const LINKS: &str = "links";

/// The link of a mail, as it was presented.
pub struct Link {
    /// The account that it names.
    pub account: String,
    /// Its secret.
    pub token: Token,
}

/// What the cookie holds of each, the newest first.
#[derive(Serialize, Deserialize)]
struct Opened {
    code: String,
    /// In seconds since 1970.
    since: i64,
}

impl Link {
    /// The link with this code, if it can be one.
    pub fn parse(code: &str) -> Option<Self> {
        let (account, token) = parse_code(code)?;
        Some(Self { account: account.to_owned(), token })
    }

    /// Its code.
    pub fn code(&self) -> String {
        self.token.code(&self.account)
    }

    /// The path of its page.
    pub fn path(&self) -> String {
        format!("{}/{}", path::INVITATIONS, self.account)
    }

    /// What a draft is sealed for: this link alone.
    pub fn place(&self) -> String {
        format!("{}.{}", self.account, self.token.digest())
    }
}

impl Portal {
    /// The link of this account that was opened in this browser.
    pub fn opened_link(&self, visitor: &Visitor, account: &str) -> Option<Link> {
        self.opened(visitor).iter().filter_map(|opened| Link::parse(&opened.code)).find(|link| link.account == account)
    }

    /// The cookies of a browser in which this link was opened.
    pub fn remember_link(&self, visitor: &Visitor, link: &Link) -> Vec<HeaderValue> {
        let is_anothers = |other: &Opened| Link::parse(&other.code).is_some_and(|other| other.account != link.account);
        let others = self.opened(visitor).into_iter().filter(is_anothers);
        self.remember(visitor, link, others)
    }

    /// The same, and of every other link nothing: somebody else begins.
    pub fn remember_link_alone(&self, visitor: &Visitor, link: &Link) -> Vec<HeaderValue> {
        self.remember(visitor, link, std::iter::empty())
    }

    fn remember(&self, visitor: &Visitor, link: &Link, others: impl Iterator<Item = Opened>) -> Vec<HeaderValue> {
        let newest = Opened { code: link.code(), since: self.clock.now().as_second() };
        // One an account.
        let opened: Vec<Opened> = std::iter::once(newest).chain(others).take(MOST).collect();
        let sealed = self.keys.seal(Purpose::Form, &visitor.place(LINKS), &opened).ok();
        let cookie = sealed.and_then(|sealed| self.cookies.set(Kind::Links, &sealed, Some(REMEMBERED)));
        // It is of no use to a browser that does not know whose forms it has.
        cookie.into_iter().chain(self.visit_cookie(visitor)).collect()
    }

    fn opened(&self, visitor: &Visitor) -> Vec<Opened> {
        let sealed = visitor.links.as_deref();
        let opened: Option<Vec<Opened>> =
            sealed.and_then(|sealed| self.keys.open(Purpose::Form, &visitor.place(LINKS), sealed));
        let mut opened = opened.unwrap_or_default();
        opened.retain(|opened| is_within(opened.since, REMEMBERED, self.clock.now()));
        opened
    }
}
