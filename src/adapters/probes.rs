//! What the kubelet and Prometheus ask a part of the program, on an address of its own: `/healthz`, `/readyz`, `/metrics`. What
//! alive and ready mean, and what is counted, is said by the part.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::metrics::plain;

const OPEN_METRICS: &str = "application/openmetrics-text";

/// A part of the program, as it is asked.
pub trait Probed: Send + Sync + 'static {
    /// Whether its loops turn.
    ///
    /// # Errors
    /// The name of one that hangs: only a restart helps.
    fn alive(&self) -> Result<(), &'static str>;

    /// Whether it does its work.
    ///
    /// # Errors
    /// What it waits for.
    fn ready(&self) -> Result<(), &'static str>;

    /// What it counts, in the `OpenMetrics` format.
    fn metrics(&self) -> String;
}

/// Serves until it is dropped.
///
/// # Errors
/// As of the listener.
pub async fn serve(listener: TcpListener, part: Arc<impl Probed>) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(part);
    axum::serve(listener, routes).await
}

async fn ready<P: Probed>(State(part): State<Arc<P>>) -> (StatusCode, String) {
    match part.ready() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(waits_for) => (StatusCode::SERVICE_UNAVAILABLE, format!("{waits_for}\n")),
    }
}

async fn alive<P: Probed>(State(part): State<Arc<P>>) -> (StatusCode, String) {
    match part.alive() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(hangs) => (StatusCode::SERVICE_UNAVAILABLE, format!("{hangs} hangs\n")),
    }
}

/// In the `OpenMetrics` format to whoever asks for it, as Prometheus does; else in its older one.
async fn metrics<P: Probed>(headers: HeaderMap, State(part): State<Arc<P>>) -> impl IntoResponse {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let text = part.metrics();
    if accepted.into_iter().any(|accepted| accepted.contains(OPEN_METRICS)) {
        ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
    } else {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], plain(&text))
    }
}
