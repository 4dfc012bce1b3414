//! The headers of every answer, and whether a request comes from one of our own pages.

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use axum::http::{Response, header};

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

/// Adds them to an answer. What it says itself about caching stays.
pub fn add<B>(answer: &mut Response<B>, base: &PortalUrl) {
    let headers = answer.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if base.is_secure() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT_SECURITY));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Whether a browser says that one of our pages sent this. `Sec-Fetch-Site` decides where it is sent; older browsers send `Origin`,
/// which is `null` where a page has no referrer, as ours: then the token in the form has to do.
pub fn is_from_our_page(headers: &HeaderMap, base: &PortalUrl) -> bool {
    let one = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (one(HeaderName::from_static("sec-fetch-site")), one(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == base.as_str() || origin == "null",
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_site_is_told_from_ours() {
        let base = PortalUrl::parse("https://portal.maple.example").unwrap();
        for (site, origin, expected) in [
            (Some("same-origin"), Some("null"), true),
            (Some("same-origin"), None, true),
            (Some("same-site"), Some("https://portal.maple.example"), false),
            (Some("cross-site"), None, false),
            (Some("none"), None, false),
            (Some(""), None, false),
            (None, Some("https://portal.maple.example"), true),
            (None, Some("https://portal.maple.example:444"), false),
            (None, Some("http://portal.maple.example"), false),
            (None, Some("https://evil.example"), false),
            (None, Some("null"), true),
            (None, None, true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(is_from_our_page(&headers, &base), expected, "{site:?} {origin:?}");
        }
    }
}
