//! Stylesheet, script and logo. Browsers ask each time whether theirs is still right, and get it anew only if not.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use crate::portal::Portal;
use crate::portal::pages::{Notice, SCRIPT};
use crate::portal::web::visitor::Visitor;

/// The stylesheet.
pub async fn style(State(portal): State<Arc<Portal>>, headers: HeaderMap) -> Response {
    asset(&headers, "text/css; charset=utf-8", portal.style.clone())
}

/// The script.
pub async fn script(headers: HeaderMap) -> Response {
    asset(&headers, "text/javascript; charset=utf-8", Bytes::from_static(SCRIPT.as_bytes()))
}

/// The picture on a browser's tab.
pub async fn icon(State(portal): State<Arc<Portal>>, headers: HeaderMap) -> Response {
    asset(&headers, "image/svg+xml", portal.icon.clone())
}

/// The logo.
pub async fn logo(State(portal): State<Arc<Portal>>, headers: HeaderMap, visitor: Visitor) -> Response {
    match &portal.logo {
        Some(logo) => asset(&headers, logo.media_type, logo.bytes.clone()),
        None => portal.notice(&visitor, None, StatusCode::NOT_FOUND, Notice::NotFound),
    }
}

fn asset(headers: &HeaderMap, media_type: &'static str, bytes: Bytes) -> Response {
    let tag = format!("\"{}\"", BASE64URL_NOPAD.encode(&Sha256::digest(&bytes)[..12]));
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let (status, body) =
        if known { (StatusCode::NOT_MODIFIED, Body::empty()) } else { (StatusCode::OK, Body::from(bytes)) };
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::ETAG, tag),
    ];
    (status, headers, body).into_response()
}
