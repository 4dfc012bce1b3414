//! What the kubelet and Prometheus ask a part of the program, on an address of its own: `/healthz`, `/readyz`, `/metrics`. What
//! ready means, and what is counted, is said by the part.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

/// A part of the program, as it is asked.
pub trait Probed: Send + Sync + 'static {
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
        .route("/healthz", get(|| async { "ok\n" }))
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

async fn metrics<P: Probed>(State(part): State<Arc<P>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], part.metrics())
}
