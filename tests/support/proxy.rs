//! A proxy before the real API server that a test tells to hold, lose, refuse or cut single requests and answers. The operator
//! speaks to it as to the API server, with its own token. Never here: an answer that the API server did not give, but for
//! the refusals that a rule asks for.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use futures::stream;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::control_plane::control_plane;

/// Larger than any list of a test.
const LARGEST: usize = 64 << 20;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never reaches the API server, and nobody answers.
    Hold,
    /// The API server carries it out, and nobody answers.
    HoldAnswer,
    /// It waits here until everything passes again.
    Pause,
    /// The API server carries it out, and the answer waits here until everything passes again.
    PauseAnswer,
    /// The API server carries it out, and the connection breaks in the middle of the answer.
    LoseAnswer,
    /// The API server gets it twice, as from a network that repeats, and the second answer is passed on.
    Replay,
    /// It is answered with this status instead, without details, as by something between.
    Refuse(u16),
    /// The list that answers it has only its first half.
    HalfOfTheList,
}

/// Which requests: all of a method whose path and query have these parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Which {
    /// `GET`, `POST`, `PATCH`, `DELETE`.
    pub(crate) method: &'static str,
    /// Parts that path and query have.
    pub(crate) has: &'static [&'static str],
    /// A part that they do not have.
    pub(crate) has_not: Option<&'static str>,
    /// The only one that is meant, where one is: how many pass before.
    pub(crate) only: Option<usize>,
}

struct Rule {
    which: Which,
    fault: Fault,
    met: usize,
    happened: usize,
}

/// The proxy. It ends when this is dropped.
pub(crate) struct Proxy {
    /// `http://127.0.0.1:<port>`.
    pub(crate) url: String,
    rules: Arc<Mutex<Vec<Rule>>>,
    /// Changes whenever everything passes again.
    mended: watch::Sender<()>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        listener.set_nonblocking(true).expect("a socket of ours");
        let rules: Arc<Mutex<Vec<Rule>>> = Arc::default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let known = Arc::clone(&rules);
        let mended = watch::Sender::new(());
        let all_passes = mended.clone();
        runtime.spawn(async move {
            let client = upstream().await;
            let handler = move |request: Request| {
                let (client, rules, mended) = (client.clone(), Arc::clone(&known), all_passes.subscribe());
                async move { pass_on(&client, &rules, mended, request).await }
            };
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket of ours");
            drop(axum::serve(listener, Router::new().fallback(handler)).await);
        });
        Self { url, rules, mended, runtime: Some(runtime) }
    }

    /// From now on this happens to these.
    pub(crate) fn fault(&self, which: Which, fault: Fault) {
        self.rules.lock().expect("not poisoned").push(Rule { which, fault, met: 0, happened: 0 });
    }

    /// How many requests a fault has happened to.
    pub(crate) fn happened(&self) -> usize {
        self.rules.lock().expect("not poisoned").iter().map(|rule| rule.happened).sum()
    }

    /// Everything passes again.
    pub(crate) fn mend(&self) {
        self.rules.lock().expect("not poisoned").clear();
        self.mended.send_replace(());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A client without an identity of its own: requests keep theirs.
async fn upstream() -> Client {
    let mut file = Kubeconfig::read_from(&control_plane().kubeconfig).expect("the administrator's kubeconfig");
    file.auth_infos.iter_mut().for_each(|user| user.auth_info = None);
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("a kubeconfig");
    Client::try_from(config).expect("a client")
}

async fn pass_on(
    client: &Client,
    rules: &Mutex<Vec<Rule>>,
    mut mended: watch::Receiver<()>,
    request: Request,
) -> Response {
    // An error: the proxy ends, and with it whoever waits here.
    let mut until_mended = async || drop(mended.changed().await);
    let fault = {
        let mut rules = rules.lock().expect("not poisoned");
        let uri = request.uri().to_string();
        rules.iter_mut().find_map(|rule| rule.applies(request.method().as_str(), &uri))
    };
    match fault {
        Some(Fault::Hold) => std::future::pending().await,
        Some(Fault::Refuse(code)) => refusal(code),
        None => forward(client, request).await,
        Some(Fault::Replay) => {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, LARGEST).await.expect("a request of the operator");
            read(forward(client, Request::from_parts(parts.clone(), Body::from(body.clone()))).await).await;
            forward(client, Request::from_parts(parts, Body::from(body))).await
        }
        Some(Fault::Pause) => {
            until_mended().await;
            forward(client, request).await
        }
        Some(Fault::PauseAnswer) => {
            let answer = forward(client, request).await;
            until_mended().await;
            answer
        }
        Some(Fault::HoldAnswer) => {
            read(forward(client, request).await).await;
            std::future::pending().await
        }
        Some(Fault::LoseAnswer) => {
            read(forward(client, request).await).await;
            let broken: Result<Bytes, _> = Err(std::io::Error::other("lost"));
            Response::new(Body::from_stream(stream::once(async { broken })))
        }
        Some(Fault::HalfOfTheList) => {
            let mut list: Value = serde_json::from_slice(&read(forward(client, request).await).await).expect("a list");
            let items = list["items"].as_array_mut().expect("a list");
            items.truncate(items.len() / 2);
            let answer = Response::builder().header("content-type", "application/json");
            answer.body(Body::from(list.to_string())).expect("a response")
        }
    }
}

impl Rule {
    fn applies(&mut self, method: &str, uri: &str) -> Option<Fault> {
        let Which { method: wanted, has, has_not, only } = self.which;
        let meant = method == wanted && has.iter().all(|part| uri.contains(part));
        if !meant || has_not.is_some_and(|part| uri.contains(part)) {
            return None;
        }
        let number = self.met;
        self.met += 1;
        let applies = only.is_none_or(|only| only == number);
        self.happened += usize::from(applies);
        applies.then_some(self.fault)
    }
}

async fn forward(client: &Client, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.expect("a request of the operator");
    parts.headers.remove("host");
    let request = http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    match client.send(request).await {
        Ok(response) => response.map(Body::new),
        Err(_) => refusal(502),
    }
}

async fn read(response: Response) -> Bytes {
    to_bytes(response.into_body(), LARGEST).await.expect("the API server's answer")
}

fn refusal(code: u16) -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "NotFound",
        "message": "the server could not find the requested resource"});
    let answer = Response::builder().status(code).header("content-type", "application/json");
    answer.body(Body::from(status.to_string())).expect("a response")
}
