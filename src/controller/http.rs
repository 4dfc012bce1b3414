//! What the kubelet and Prometheus ask: `/healthz`, `/readyz`, `/metrics`. Nothing here is about a member.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::SignedDuration;
use tokio::net::TcpListener;

use super::context::Context;
use super::metrics::Now;
use crate::domain::guard::Guard;
use crate::domain::mailer::MailerStanding;

/// Binds the address.
///
/// # Errors
/// The address is taken, or not ours.
pub async fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(listen).await
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, context: Arc<Context>) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(context);
    axum::serve(listener, routes).await
}

async fn ready(State(context): State<Arc<Context>>) -> (StatusCode, &'static str) {
    if context.cache.read().is_complete() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the caches are not complete yet\n")
    }
}

async fn metrics(State(context): State<Arc<Context>>) -> impl IntoResponse {
    let now = context.clock.now();
    let held = {
        let index = context.cache.read();
        let holds = index.guards().holds();
        let of = |guard| holds.iter().filter(|(id, _)| Guard::of(id) == Some(guard)).map(|(_, all)| all.len()).sum();
        Guard::ALL.map(|guard| (guard, of(guard))).to_vec()
    };
    let text = context.metrics.text(&Now {
        waiting: context.outbox.len(),
        oldest: context.outbox.oldest().map_or(SignedDuration::ZERO, |since| now.duration_since(since)),
        mailer_fails: *context.mailer.borrow() != MailerStanding::Up && !context.outbox.is_idle(),
        held,
    });
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
