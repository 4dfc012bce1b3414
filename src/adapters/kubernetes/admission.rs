//! Who refused a request that RBAC had let through: an admission policy or webhook, told by its name alone. What they say besides is
//! free text, which may repeat an address. [`super::ApiError`] is made of it.

use std::fmt;

/// A policy or webhook of the cluster, by the name under which its administrator finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A `ValidatingAdmissionPolicy` or `MutatingAdmissionPolicy`.
    Policy(String),
    /// A webhook that refused.
    Webhook(String),
    /// A webhook that did not answer.
    FailingWebhook(String),
}

/// Longest name of a policy or a webhook (RFC 1123 subdomain).
const LONGEST_NAME: usize = 253;

/// Words before the name, words after it, and who that is.
type Words = (&'static str, &'static str, fn(String) -> Admission);

/// The words of the API server (`k8s.io/apiserver/pkg/admission`).
const WORDS: [Words; 5] = [
    ("ValidatingAdmissionPolicy '", "' ", Admission::Policy),
    ("policy '", "' with binding ", Admission::Policy),
    ("policy \"", "\" denied request", Admission::Policy),
    ("admission webhook \"", "\" ", Admission::Webhook),
    ("failed calling webhook \"", "\": ", Admission::FailingWebhook),
];

/// The policy that leaves records to their parts. While restore mode is on it refuses what the parts write, which ends by itself.
const OF_RECORDS: &str = "clinic-operator-records";

impl Admission {
    /// Whether it refuses until an administrator of the cluster changes something: not ours, and not one that is merely away.
    pub(super) fn is_for_an_administrator(&self) -> bool {
        match self {
            Self::Policy(name) => name != OF_RECORDS,
            Self::Webhook(_) => true,
            Self::FailingWebhook(_) => false,
        }
    }

    /// Who says this message of a refused request; `None`: nobody of these.
    pub(super) fn of(message: &str) -> Option<Self> {
        let spoken = |(before, after, made): &Words| {
            let (start, rest) = message.split_once(before)?;
            let (name, _) = rest.split_once(after)?;
            (is_name(name) && is_of_the_server(start)).then(|| (start.len(), made(name.to_owned())))
        };
        // The first speaks for itself; what it quotes comes later.
        WORDS.iter().filter_map(spoken).min_by_key(|(at, _)| *at).map(|(_, admission)| admission)
    }
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(name) => write!(f, "refused by the admission policy {name}"),
            Self::Webhook(name) => write!(f, "refused by the admission webhook {name}"),
            Self::FailingWebhook(name) => write!(f, "the admission webhook {name} does not answer"),
        }
    }
}

/// Nothing, or what the API server itself puts before it: `clinicaccounts.clinic-operator.dev "a-1" is forbidden: `.
fn is_of_the_server(start: &str) -> bool {
    start.is_empty() || start.ends_with(" is forbidden: ") || start == "Internal error occurred: "
}

fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_policy_or_webhook_and_repeats_nothing_of_what_it_says() {
        let of_object = "clinicaccounts.clinic-operator.dev \"a-1\" is forbidden: ";
        let canary = "canary@maple.example";
        for (message, expected) in [
            (
                format!("{of_object}ValidatingAdmissionPolicy 'no-writes' with binding 'all' denied request: {canary}"),
                Some(Admission::Policy("no-writes".into())),
            ),
            (
                format!("{of_object}ValidatingAdmissionPolicy 'no-writes' denied request: {canary}"),
                Some(Admission::Policy("no-writes".into())),
            ),
            (
                format!("{of_object}policy 'stamp' with binding 'all' denied request: {canary}"),
                Some(Admission::Policy("stamp".into())),
            ),
            (
                format!("admission webhook \"kyverno.svc\" denied the request: policy 'x' with binding {canary}"),
                Some(Admission::Webhook("kyverno.svc".into())),
            ),
            (
                "admission webhook \"kyverno.svc\" denied the request without explanation".into(),
                Some(Admission::Webhook("kyverno.svc".into())),
            ),
            (
                format!("Internal error occurred: failed calling webhook \"kyverno.svc\": {canary}"),
                Some(Admission::FailingWebhook("kyverno.svc".into())),
            ),
            (format!("admission webhook \"{canary}\" denied the request: no"), None),
            (format!("spec.email: Invalid value: \"policy '{canary}' with binding x\""), None),
            ("spec.title: Invalid value: \"policy 'x' with binding 'y' denied request\"".into(), None),
            (format!("{of_object}User \"u\" cannot patch resource"), None),
            (String::new(), None),
        ] {
            let admission = Admission::of(&message);
            assert_eq!(admission, expected, "{message}");
            assert!(admission.is_none_or(|admission| !admission.to_string().contains(canary)), "{message}");
        }
    }
}
