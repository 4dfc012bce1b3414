//! The headers of every answer, and where a request comes from.

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{Response, Version, header};

use crate::domain::portal_url::PortalUrl;
use crate::portal::pages::CONTENT_SECURITY_POLICY;

/// Every answer says this: pages and their forms stay with their reader, and no browser makes more of them than they are.
const ALWAYS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];
/// A year: whoever was here once comes back by TLS only.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=31536000";
/// The same of hosts below it, where they are the portal's own.
const WITH_ALL_BELOW: &str = "max-age=31536000; includeSubDomains";

/// Adds them to an answer. What it says itself about caching stays.
pub fn add<B>(answer: &mut Response<B>, base: &PortalUrl) {
    let headers = answer.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if base.is_secure() {
        let strict = if base.is_below_a_domain() { WITH_ALL_BELOW } else { STRICT_TRANSPORT_SECURITY };
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(strict));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Whether a request names its host as it must (RFC 9112 §3.2): once, as a host and perhaps a port. HTTP/1.0 may leave it out.
pub fn names_one_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(|host| !host.contains('@') && host.parse::<Authority>().is_ok()),
        (None, _) => version < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

/// Who sent a request, as far as its browser says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// One of our pages.
    Ours,
    /// It does not say: the token of the form has to do.
    Unknown,
    /// Another site, or nobody's page.
    Other,
}

/// Where a request comes from. `Sec-Fetch-Site`, which no page can set, decides where it is sent; older browsers send `Origin`, which
/// is `null` where a page has no referrer, as ours.
pub fn origin_of(headers: &HeaderMap, base: &PortalUrl) -> Origin {
    let one = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (one(HeaderName::from_static("sec-fetch-site")), one(header::ORIGIN)) {
        (Some("same-origin"), _) => Origin::Ours,
        (None, Some(origin)) if origin == base.as_str() => Origin::Ours,
        (None, Some("null") | None) => Origin::Unknown,
        (Some(_), _) | (None, Some(_)) => Origin::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_below_the_portal_are_its_own_but_not_those_of_a_whole_domain() {
        for (base, expected) in [
            ("https://portal.maple.example", Some(WITH_ALL_BELOW)),
            ("https://portal.maple.example:8443", Some(WITH_ALL_BELOW)),
            ("https://maple.example", Some(STRICT_TRANSPORT_SECURITY)),
            ("https://localhost:8443", Some(STRICT_TRANSPORT_SECURITY)),
            ("http://localhost:8443", None),
        ] {
            let mut answer = Response::new(());
            add(&mut answer, &PortalUrl::parse(base).unwrap());
            let said = answer.headers().get(header::STRICT_TRANSPORT_SECURITY).map(|value| value.to_str().unwrap());
            assert_eq!(said, expected, "{base}");
        }
    }

    #[test]
    fn a_form_of_another_site_is_told_from_ours() {
        let base = PortalUrl::parse("https://portal.maple.example").unwrap();
        for (site, origin, expected) in [
            (Some("same-origin"), Some("null"), Origin::Ours),
            (Some("same-origin"), None, Origin::Ours),
            (Some("same-site"), Some("https://portal.maple.example"), Origin::Other),
            (Some("cross-site"), None, Origin::Other),
            (Some("none"), None, Origin::Other),
            (Some(""), None, Origin::Other),
            (None, Some("https://portal.maple.example"), Origin::Ours),
            (None, Some("https://portal.maple.example:444"), Origin::Other),
            (None, Some("http://portal.maple.example"), Origin::Other),
            (None, Some("https://evil.example"), Origin::Other),
            (None, Some("null"), Origin::Unknown),
            (None, None, Origin::Unknown),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(origin_of(&headers, &base), expected, "{site:?} {origin:?}");
        }
    }
}
