//! The portal's cookies: their names and attributes. Each is of the whole host, of no other, and no script sees it. What is in
//! them, and for how long it counts, never stands here.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use jiff::SignedDuration;

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The sealed session. It ends with the browser.
    Session,
    /// Whose forms a browser has: random, no secret of a person.
    Visit,
    /// Sealed: that this browser has signed somebody in before.
    Device,
    /// The language that the reader chose.
    Language,
    /// The sealed step of a task that has several pages.
    Step,
    /// The sealed links that were opened in this browser.
    Links,
    /// How the last session of this browser ended, for the page that says so.
    Ended,
}

impl Kind {
    /// The prefix makes browsers refuse it from anybody else than this host over TLS. A portal on `http://localhost` cannot have it.
    fn name(self, is_secure: bool) -> String {
        let name = match self {
            Self::Session => "session",
            Self::Visit => "visit",
            Self::Device => "device",
            Self::Language => "language",
            Self::Step => "step",
            Self::Links => "links",
            Self::Ended => "ended",
        };
        if is_secure { format!("__Host-{name}") } else { name.to_owned() }
    }
}

/// Makes cookies of one portal.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    /// Whether it is reached by TLS.
    pub is_secure: bool,
}

impl Cookies {
    /// The cookie's value that a browser sent. Of several with one name the first, which is the one of the longest path.
    pub fn sent(self, headers: &HeaderMap, kind: Kind) -> Option<String> {
        let name = kind.name(self.is_secure);
        // Other sites of the same domain may have set anything.
        let lines = headers.get_all(header::COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let all = lines.flat_map(|line| Cookie::split_parse(line.into_owned())).filter_map(Result::ok);
        let mut named = all.filter(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned());
        named.next()
    }

    /// Sets a cookie; without a time it ends with the browser.
    pub fn set(self, kind: Kind, value: &str, lasts: Option<SignedDuration>) -> Option<HeaderValue> {
        let mut cookie = self.bare(kind, value);
        if let Some(lasts) = lasts {
            cookie.set_max_age(Duration::seconds(lasts.as_secs()));
        }
        cookie.to_string().parse().ok()
    }

    /// Removes a cookie.
    pub fn unset(self, kind: Kind) -> Option<HeaderValue> {
        self.set(kind, "", Some(SignedDuration::ZERO))
    }

    fn bare(self, kind: Kind, value: &str) -> Cookie<'static> {
        Cookie::build((kind.name(self.is_secure), value.to_owned()))
            .path("/")
            .http_only(true)
            .secure(self.is_secure)
            .same_site(SameSite::Lax)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_of_this_host_alone_and_no_script_sees_it() {
        let cookies = Cookies { is_secure: true };
        let set = cookies.set(Kind::Session, "sealed", None).unwrap();
        assert_eq!(set, "__Host-session=sealed; HttpOnly; SameSite=Lax; Secure; Path=/");
        let set = cookies.set(Kind::Device, "sealed", Some(SignedDuration::from_hours(1))).unwrap();
        assert_eq!(set, "__Host-device=sealed; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=3600");
        let here = Cookies { is_secure: false };
        assert_eq!(here.unset(Kind::Session).unwrap(), "session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    }

    #[test]
    fn what_a_browser_sent_is_read_and_nothing_else_is_taken_for_it() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; __Host-session=one; __Host-session=two".parse().unwrap());
        headers.append(header::COOKIE, HeaderValue::from_bytes(b"other=caf\xc3\xa9\xff; __Host-language=fr").unwrap());
        headers.append(header::COOKIE, "session=plain; __host-visit=x; __Host-visit".parse().unwrap());
        let cookies = Cookies { is_secure: true };
        assert_eq!(cookies.sent(&headers, Kind::Session).as_deref(), Some("one"));
        assert_eq!(cookies.sent(&headers, Kind::Language).as_deref(), Some("fr"));
        assert_eq!(cookies.sent(&headers, Kind::Visit), None);
    }
}
