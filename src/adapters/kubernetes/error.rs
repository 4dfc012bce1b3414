//! API errors as we may show them. The server's messages can repeat what was sent (an address, a name), so of most errors
//! only code and reason are kept, of a missing right also verb and resource, of a policy its name.

use kube::core::Status;

use super::Admission;

/// An API request that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The object has changed since it was read (409), or its UID is another: nothing was written.
    #[error("the object has changed since it was read")]
    Conflict,
    /// There is an object of that name (409).
    #[error("an object of that name exists")]
    AlreadyExists,
    /// There is no object of that name (404 that names it; the 404 of a kind that is not served is [`ApiError::Other`]).
    #[error("not found")]
    NotFound,
    /// The API server does not know who we are (401).
    #[error("the API server does not accept our token: it is wrong or has expired")]
    Unauthorized,
    /// No right to do this (403).
    #[error("{0}")]
    Forbidden(String),
    /// An admission policy or webhook refused it, whatever code it chose for that.
    #[error("{0}")]
    Refused(Admission),
    /// The API server refused the object (400, 422): the fields at fault.
    #[error("the API server refused the object: {0}")]
    Invalid(String),
    /// Anything else that the API server answered.
    #[error("the API server answered {code} {reason}")]
    Other {
        /// HTTP status.
        code: u16,
        /// The machine-readable reason.
        reason: String,
    },
    /// No answer: whether the request was carried out is unknown.
    #[error("no answer from the API server: {0}")]
    NoAnswer(String),
}

impl ApiError {
    /// Whether it is refused until an administrator of the cluster changes a policy or webhook.
    pub fn is_for_an_administrator(&self) -> bool {
        matches!(self, Self::Refused(admission) if admission.is_for_an_administrator())
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an enum of kube's, whose other faults we cannot explain better")]
impl From<kube::Error> for ApiError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from(&*status),
            kube::Error::SerdeError(error) => Self::NoAnswer(format!("unreadable answer ({:?})", error.classify())),
            kube::Error::HyperError(error) => Self::NoAnswer(chain(&error)),
            kube::Error::Service(error) => Self::NoAnswer(chain(error.as_ref())),
            kube::Error::Auth(_) => Self::NoAnswer("failed to get credentials".to_owned()),
            kube::Error::ReadEvents(_) | kube::Error::LinesCodecMaxLineLengthExceeded => {
                Self::NoAnswer("the connection broke".to_owned())
            }
            _ => Self::NoAnswer("the request failed".to_owned()),
        }
    }
}

impl From<&Status> for ApiError {
    fn from(status: &Status) -> Self {
        // Before the code, which a webhook chooses: its 409 is no conflict that reading again would end.
        if let Some(admission) = Admission::of(&status.message) {
            return Self::Refused(admission);
        }
        match (status.code, status.reason.as_str()) {
            (409, "AlreadyExists") => Self::AlreadyExists,
            (409, _) => Self::Conflict,
            (404, _) if status.details.as_ref().is_some_and(|details| !details.name.is_empty()) => Self::NotFound,
            (401, _) => Self::Unauthorized,
            (403, reason) => Self::Forbidden(missing_right(&status.message).unwrap_or(reason).to_owned()),
            (400 | 422, reason) => {
                let fields: Vec<&str> = status
                    .details
                    .iter()
                    .flat_map(|details| details.causes.iter().map(|cause| cause.field.as_str()))
                    .collect();
                Self::Invalid(if fields.is_empty() { reason.to_owned() } else { fields.join(", ") })
            }
            (code, reason) => Self::Other { code, reason: reason.to_owned() },
        }
    }
}

/// The part of RBAC's own refusal that names verb and resource. Who asks may be called by an email address, and an admission
/// webhook that refuses with 403 says what it likes: neither is repeated.
pub(super) fn missing_right(message: &str) -> Option<&str> {
    let (_, refusal) = message.split_once(" is forbidden: User \"")?;
    let start = refusal.find("cannot ")?;
    refusal.get(start..).filter(|right| !right.contains('@'))
}

/// Transport errors name hosts and system errors only; their causes say what happened.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> Status {
        Status { code, reason: reason.into(), message: message.into(), ..Status::default() }
    }

    #[test]
    fn a_refused_object_is_told_by_its_fields_and_never_by_its_content() {
        let mut refused = status(422, "Invalid", "spec.email: Invalid value: \"canary@maple.example\"");
        refused.details = serde_json::from_value(serde_json::json!({
            "causes": [{"field": "spec.desired.email", "reason": "FieldValueInvalid", "message": "canary@maple.example"}]
        }))
        .unwrap();
        let error = ApiError::from(&refused);
        assert_eq!(error.to_string(), "the API server refused the object: spec.desired.email");
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[test]
    fn codes_become_what_the_caller_decides_by() {
        assert_eq!(ApiError::from(&status(409, "AlreadyExists", "")), ApiError::AlreadyExists);
        assert_eq!(ApiError::from(&status(409, "Conflict", "")), ApiError::Conflict);
        let mut gone = status(404, "NotFound", "");
        assert_eq!(
            ApiError::from(&gone),
            ApiError::Other { code: 404, reason: "NotFound".into() },
            "a kind not served"
        );
        gone.details = serde_json::from_value(serde_json::json!({"name": "ana", "kind": "clinicusers"})).unwrap();
        assert_eq!(ApiError::from(&gone), ApiError::NotFound);
    }

    #[test]
    fn a_refusal_by_a_webhook_is_none_of_the_answers_that_are_decided_by_whatever_code_it_has() {
        for (code, reason) in [(400, "BadRequest"), (404, "NotFound"), (409, "Conflict"), (409, "AlreadyExists")] {
            let mut refused = status(code, reason, "admission webhook \"x.example\" denied the request: no");
            refused.details = serde_json::from_value(serde_json::json!({"name": "ana", "kind": "x"})).unwrap();
            let webhook = Admission::Webhook("x.example".into());
            assert_eq!(ApiError::from(&refused), ApiError::Refused(webhook), "{code} {reason}");
        }
    }

    #[test]
    fn a_refused_right_is_told_and_what_a_webhook_says_is_not() {
        let right = "cannot list resource \"clinics\" in API group \"clinic-operator.dev\" in the namespace \"maple\"";
        for (message, expected) in [
            (format!("clinics.clinic-operator.dev is forbidden: User \"canary@maple.example\" {right}"), right),
            (
                "admission webhook \"x.example\" denied the request: canary@maple.example".to_owned(),
                "refused by the admission webhook x.example",
            ),
            ("x is forbidden: User \"u\" cannot set canary@maple.example".to_owned(), "Forbidden"),
        ] {
            assert_eq!(ApiError::from(&status(403, "Forbidden", &message)).to_string(), expected);
        }
    }
}
