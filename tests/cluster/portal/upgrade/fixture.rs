//! What a release left of one clinic: the objects as they were stored, and what its people have in their hands. Never here: how it was
//! made (`recording`), or what becomes of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::visitor::{Answer, Form, Visitor};

/// A clinic.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Fixture {
    /// The version of the release.
    pub(super) release: String,
    /// `open`, `guarded`, `paused`, `missing`.
    pub(super) clinic: String,
    /// What the clock showed when it was recorded.
    pub(super) now: Timestamp,
    /// The portal's key, in base64.
    pub(super) key: String,
    /// Whoever had a manifest, a session or a link.
    pub(super) people: Vec<Person>,
    /// Every object, with its status.
    pub(super) objects: Vec<Value>,
}

/// A person, and what the release let them do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Person {
    /// Of their manifest.
    pub(super) name: String,
    /// With which they sign in.
    pub(super) email: String,
    /// What their browser keeps.
    pub(super) cookies: BTreeMap<String, String>,
    /// Whether that is a session that counts; `None`: it keeps none.
    pub(super) is_signed_in: Option<bool>,
    /// The key of their authenticator app, in base 32.
    pub(super) factor: Option<String>,
    pub(super) recovery_codes: Vec<String>,
    /// The path of the newest link that they were mailed.
    pub(super) link: Option<String>,
    /// Whether it is of an invitation, not of a changed address.
    pub(super) is_invited: bool,
    /// The status of what it leads to.
    pub(super) link_answers: Option<u16>,
    /// A form that was open: everything is typed but the code.
    pub(super) open_form: Option<Form>,
    /// To where their address and password lead, see [`led`].
    pub(super) sign_in_leads: String,
}

impl Fixture {
    /// The objects of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// The name of the account that the member holds or held; empty if there is none.
    pub(super) fn account_of(&self, member: &str) -> &str {
        let is_theirs = |account: &&Value| account["spec"]["desired"]["holder"]["name"] == member;
        self.of_kind("ClinicAccount").find(is_theirs).map_or("", name)
    }
}

impl Person {
    /// Their browser, at this portal.
    pub(super) fn browser(&self, pages: u16) -> Visitor {
        let mut visitor = Visitor::of(pages);
        for (name, value) in &self.cookies {
            visitor.set_cookie(name, value);
        }
        visitor
    }
}

/// The name of an object.
pub(super) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("every object has a name")
}

/// To where a sign-in led: a path, else the status of the page that says no.
pub(super) fn led(answer: &Answer) -> String {
    match (answer.location(), answer.status) {
        (Some(location), _) => location,
        (None, 200) => answer.form().action,
        (None, status) => status.to_string(),
    }
}

/// The plural of a kind of ours.
pub(super) fn plural(kind: &str) -> String {
    match kind {
        "ServiceAccount" => "clinicserviceaccounts".to_owned(),
        _ => format!("{}s", kind.to_lowercase()),
    }
}
