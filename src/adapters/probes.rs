//! What the kubelet and Prometheus ask a part of the program, on an address of its own: `/healthz`, `/readyz`, `/metrics`. What
//! ready means, and what is counted, is said by the part.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use prometheus_client::registry::Registry;
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

/// A label's value: a word out of a fixed set, never what people wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Word(pub &'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

/// What is registered, as text.
pub fn text(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    encode(&mut text, registry).unwrap_or_default();
    text
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
