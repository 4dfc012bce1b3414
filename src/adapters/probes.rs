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

/// Where another replica asks whether there is contact with the API server.
pub const CONTACT: &str = "/contact";

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

    /// Whether it is in contact with the API server, as another replica asks that has none.
    ///
    /// # Errors
    /// It is not.
    fn contact(&self) -> Result<(), &'static str> {
        self.ready()
    }

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
        .route(CONTACT, get(contact))
        .route("/metrics", get(metrics))
        .with_state(part);
    axum::serve(listener, routes).await
}

async fn ready<P: Probed>(State(part): State<Arc<P>>) -> (StatusCode, String) {
    said(part.ready())
}

async fn contact<P: Probed>(State(part): State<Arc<P>>) -> (StatusCode, String) {
    said(part.contact())
}

fn said(answer: Result<(), &'static str>) -> (StatusCode, String) {
    match answer {
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    struct Hanging;

    impl Probed for Hanging {
        fn alive(&self) -> Result<(), &'static str> {
            Err("the queue")
        }

        fn ready(&self) -> Result<(), &'static str> {
            Ok(())
        }

        fn metrics(&self) -> String {
            "# TYPE mails counter\nmails_total 1\n# EOF\n".to_owned()
        }
    }

    /// Status line and body of the answer to one request.
    async fn get(path: &str, accept: &str) -> (String, String) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: part\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::select! {
            served = serve(listener, Arc::new(Hanging)) => served.unwrap(),
            read = stream.read_to_string(&mut answer) => drop(read.unwrap()),
        }
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    #[tokio::test]
    async fn a_part_with_a_loop_that_hangs_is_not_alive_and_says_which() {
        let answer = get("/healthz", "*/*").await;
        assert_eq!(answer, ("HTTP/1.1 503 Service Unavailable".to_owned(), "the queue hangs\n".to_owned()));
        assert_eq!(get("/readyz", "*/*").await.1, "ok\n");
    }

    #[tokio::test]
    async fn whoever_asks_for_open_metrics_gets_it_and_others_what_everybody_reads() {
        let asked = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3";
        assert_eq!(get("/metrics", asked).await.1, "# TYPE mails counter\nmails_total 1\n# EOF\n");
        assert_eq!(get("/metrics", "*/*").await.1, "# TYPE mails_total counter\nmails_total 1\n");
    }
}
