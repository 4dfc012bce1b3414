//! Counts every request to the API server but the lists and watches of the caches, by verb, resource and result, tells each at the
//! level `debug`, and lets others wait for one that is refused. What is asked never stands here; of an answer only its status code is looked at.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::sync::Notify;
use tower::{Layer, Service};
use tracing::debug;

use crate::adapters::metrics::Word;

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Counted {
    verb: Word,
    resource: Word,
    result: Word,
}

/// The counters.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    counted: Family<Counted, Counter>,
    refused: Arc<Notify>,
}

impl Requests {
    /// What was counted so far, and will be.
    pub fn counted(&self) -> Family<Counted, Counter> {
        self.counted.clone()
    }

    /// Waits for a request that the API server refuses (403): for want of a right, or because a policy does. One that was refused
    /// since the last wait ends it at once.
    pub async fn refused(&self) {
        self.refused.notified().await;
    }

    fn answered(&self, asked: Asked, answer: Option<StatusCode>) {
        if answer == Some(StatusCode::FORBIDDEN) {
            self.refused.notify_one();
        }
        let result = answer.map_or("no_answer", result);
        let Asked { verb, resource, name } = asked;
        debug!(verb, resource, name, result, "asked the API server");
        let counted = Counted { verb: Word(verb), resource: Word(resource), result: Word(result) };
        self.counted.get_or_create(&counted).inc();
    }
}

impl<S> Layer<S> for Requests {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Counting<S> {
        Counting { inner, requests: self.clone() }
    }
}

/// A client's transport whose requests are counted.
#[derive(Clone, Debug)]
pub struct Counting<S> {
    inner: S,
    requests: Requests,
}

impl<S, B> Service<Request<Body>> for Counting<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let asked = Asked::of(request.method(), request.uri().path());
        let answer = self.inner.call(request);
        let requests = self.requests.clone();
        // Whoever asked waits for this, so what is told here is told within their span.
        Box::pin(async move {
            let answer = answer.await;
            requests.answered(asked, answer.as_ref().ok().map(Response::status));
            answer
        })
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// As in RBAC.
    verb: &'static str,
    /// As in RBAC, of those that we ask for.
    resource: &'static str,
    /// Of the object, if it asks for one that is there.
    name: Option<String>,
}

impl Asked {
    /// From `/api/<version>/…` or `/apis/<group>/<version>/…`, then `namespaces/<namespace>/<resource>[/<name>[/<subresource>]]`.
    fn of(method: &Method, path: &str) -> Self {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let place = match parts.as_slice() {
            ["api", _, place @ ..] | ["apis", _, _, place @ ..] => place,
            _ => &[],
        };
        let (resource, name) = match place {
            ["namespaces", name] => ("namespaces", Some(*name)),
            ["namespaces", _, resource] | [resource] => (word(resource), None),
            ["namespaces", _, resource, name] => (word(resource), Some(*name)),
            ["namespaces", _, resource, name, "status"] => (word(&format!("{resource}/status")), Some(*name)),
            _ => (OTHER, None),
        };
        let verb = match (method.as_str(), name) {
            ("GET", None) => "list",
            ("GET", Some(_)) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", _) => "delete",
            _ => OTHER,
        };
        Self { verb, resource, name: name.map(str::to_owned) }
    }
}

/// What we have no word for.
const OTHER: &str = "other";

/// What we ask for, as in RBAC.
const RESOURCES: [&str; 12] = [
    "clinics",
    "clinics/status",
    "clinicusers",
    "clinicusers/status",
    "clinicserviceaccounts",
    "clinicserviceaccounts/status",
    "clinicaccounts",
    "cliniccredentials",
    "emailclaims",
    "events",
    "leases",
    "selfsubjectaccessreviews",
];

fn word(resource: &str) -> &'static str {
    RESOURCES.into_iter().find(|known| *known == resource).unwrap_or(OTHER)
}

fn result(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=399 => "success",
        404 => "not_found",
        // Somebody else was first: decided again, as it must be.
        409 => "conflict",
        429 => "throttled",
        400..=499 => "refused",
        _ => "failed",
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_request_is_told_in_the_words_of_rights() {
        let own = |rest: &str| format!("/apis/clinic-operator.dev/v1alpha1/namespaces/maple/{rest}");
        for (method, path, verb, resource, name) in [
            (Method::GET, own("clinicusers/ana"), "get", "clinicusers", Some("ana")),
            (Method::GET, own("cliniccredentials"), "list", "cliniccredentials", None),
            (Method::POST, own("emailclaims"), "create", "emailclaims", None),
            (Method::PATCH, own("clinicaccounts/a-1"), "patch", "clinicaccounts", Some("a-1")),
            (Method::PATCH, own("clinics/clinic/status"), "patch", "clinics/status", Some("clinic")),
            (Method::DELETE, own("emailclaims/e-1"), "delete", "emailclaims", Some("e-1")),
            (Method::POST, "/api/v1/namespaces/maple/events".into(), "create", "events", None),
            (Method::GET, "/api/v1/namespaces/maple".into(), "get", "namespaces", Some("maple")),
            (
                Method::PUT,
                "/apis/coordination.k8s.io/v1/namespaces/maple/leases/clinic-operator".into(),
                "update",
                "leases",
                Some("clinic-operator"),
            ),
            (
                Method::POST,
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".into(),
                "create",
                "selfsubjectaccessreviews",
                None,
            ),
            (Method::GET, "/openapi/v3".into(), "list", "other", None),
            (Method::GET, own("canaries/x"), "get", "other", Some("x")),
        ] {
            let expected = Asked { verb, resource, name: name.map(str::to_owned) };
            assert_eq!(Asked::of(&method, &path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_refusal_is_noticed_by_who_waits_for_one_also_a_little_later_and_once() {
        let requests = Requests::default();
        let asked =
            || Asked::of(&Method::PATCH, "/apis/clinic-operator.dev/v1alpha1/namespaces/maple/clinicaccounts/a-1");
        requests.answered(asked(), Some(StatusCode::CONFLICT));
        requests.answered(asked(), None);
        assert!(requests.refused().now_or_never().is_none());
        requests.answered(asked(), Some(StatusCode::FORBIDDEN));
        assert!(requests.refused().now_or_never().is_some());
        assert!(requests.refused().now_or_never().is_none());
    }

    #[test]
    fn an_answer_that_loses_a_race_is_no_failure() {
        for (code, expected) in [
            (201, "success"),
            (404, "not_found"),
            (409, "conflict"),
            (422, "refused"),
            (429, "throttled"),
            (503, "failed"),
        ] {
            assert_eq!(result(StatusCode::from_u16(code).unwrap()), expected);
        }
    }
}
