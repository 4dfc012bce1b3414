//! One document by itself: whether it is one of ours, what is wrong with it, and what the other manifests of its clinic must
//! know of it.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::remark::{Remark, Severity};
use super::zone::no_such_zone;
use crate::adapters::manifests::{Content, Node, Place};
use crate::adapters::output::unless_an_address;
use crate::api::check::{Checker, Finding, Path, alike};
use crate::api::clinic::ClinicSpec;
use crate::api::clinic_user::ClinicUserSpec;
use crate::api::editor::WRITTEN;
use crate::api::wishes::released_hold;
use crate::api::{GROUP, VERSION};
use crate::domain::calendar::{ClinicZone, parse_date};
use crate::domain::email::{Email, EmailKey};
use crate::domain::guard::Release;
use crate::domain::identity::normalised;
use crate::domain::restore::RESTORE_MODE;

const CLINIC: &str = "Clinic";
pub(super) const CLINIC_USER: &str = "ClinicUser";
const SERVICE_ACCOUNT: &str = "ServiceAccount";
/// Fields that only specs of ours have together with `email`.
const OURS: [&str; 5] = ["type", "classification", "license", "displayName", "manager"];

/// What a document is.
pub(super) enum Document {
    /// Of another group, or no manifest at all.
    Other,
    /// Of another group, and something is to be said of it.
    Noted(Remark),
    /// Ours, or meant to be.
    Ours(Manifest),
}

/// A manifest of ours.
pub(super) struct Manifest {
    pub kind: String,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    pub name: String,
    pub at: Place,
    pub is: Is,
    pub remarks: Vec<Remark>,
}

impl Manifest {
    /// Whether it is of a kind that the list of members has.
    pub(super) fn is_of_a_member(&self) -> bool {
        [CLINIC_USER, SERVICE_ACCOUNT].contains(&self.kind.as_str())
    }

    /// Kind and name, such as `ClinicUser ana-silva`.
    pub(super) fn called(&self) -> String {
        format!("{} {}", unless_an_address(&self.kind), unless_an_address(&self.name)).trim().to_owned()
    }
}

/// What other manifests must know of it.
pub(super) enum Is {
    /// A `ClinicUser` without an error.
    User(Box<User>),
    /// A `ServiceAccount`, with its spec.
    ServiceAccount(serde_json::Value),
    /// A `Clinic`.
    Clinic(Box<Clinic>),
    /// Wrong, or a record of the operator.
    Nothing,
}

/// A `Clinic`.
pub(super) struct Clinic {
    pub spec: ClinicSpec,
    /// `None`: there is no zone of that name.
    pub zone: Option<ClinicZone>,
    /// What a person has released.
    pub released: Option<Release>,
}

/// A person.
pub(super) struct User {
    pub spec: ClinicUserSpec,
    pub annotations: BTreeMap<String, String>,
    pub key: EmailKey,
    pub untagged: EmailKey,
    pub email_at: Place,
    /// First and last name as names are compared, where both are given.
    pub names: Option<(String, String)>,
    pub names_at: Place,
    /// Fields that name another `ClinicUser`, with the name.
    pub refers: Vec<(Path, Place, String)>,
    /// A trainee's Expected End of Training.
    pub training_ends: Option<(Place, Date)>,
}

/// Looks at one document. A list of objects is looked at one by one.
pub(super) fn look(checker: &Checker, node: &Node) -> Vec<Document> {
    let is_list = node.text("kind").is_some_and(|kind| kind.ends_with("List"));
    match node.field("items").map(|items| &items.content) {
        Some(Content::List(items)) if is_list => items.iter().map(|item| look_at_one(checker, item)).collect(),
        Some(_) | None => vec![look_at_one(checker, node)],
    }
}

fn look_at_one(checker: &Checker, node: &Node) -> Document {
    let (version, kind) = (node.text("apiVersion"), node.text("kind"));
    match slip(checker, node, version, kind) {
        Slip::NotOurs => restore_mode(node, version, kind).map_or(Document::Other, Document::Noted),
        Slip::None => {
            let kind = kind.unwrap_or_default();
            Document::Ours(check(checker, node, kind))
        }
        Slip::Capitals(at, written, right) => {
            let remark = Remark::error(at, written, format!("write {right}, with these capitals"));
            Document::Ours(manifest(node, kind.unwrap_or_default(), Is::Nothing, vec![remark]))
        }
        Slip::At(field, message) => {
            let at = node.place(&Path::default().field(field));
            let remark = Remark::error(at, field, message);
            Document::Ours(manifest(node, kind.unwrap_or_default(), Is::Nothing, vec![remark]))
        }
    }
}

/// What is said of a Namespace whose manifest has the annotation of restore mode, whatever its value.
fn restore_mode(node: &Node, version: Option<&str>, kind: Option<&str>) -> Option<Remark> {
    let is_set = (version, kind) == (Some("v1"), Some("Namespace")) && annotations(node).contains_key(RESTORE_MODE);
    let path = Path::default().field("metadata").field("annotations").field(RESTORE_MODE);
    let message = "sets the annotation of restore mode, in which records can be written by whoever has the rights: remove it here, and set it with kubectl annotate for a restore";
    is_set.then(|| Remark::warning(node.place(&path), format!("metadata.annotations[{RESTORE_MODE}]"), message))
}

enum Slip {
    None,
    NotOurs,
    /// A field, and what to do.
    At(&'static str, String),
    /// A field as it is written, and as it is to be.
    Capitals(Place, String, &'static str),
}

/// Whether apiVersion and kind name a kind of ours, and if they nearly do, what to write.
fn slip(checker: &Checker, node: &Node, version: Option<&str>, kind: Option<&str>) -> Slip {
    const WRITE: &str = "write apiVersion: clinic-operator.dev/v1alpha1";
    if let Some(slip) = other_capitals(node) {
        return slip;
    }
    let kind_is_ours = kind.is_some_and(|kind| WRITTEN.contains(&kind));
    let Some(version) = version else {
        let is_meant = kind_is_ours || has_our_fields(node);
        return if is_meant { Slip::At("apiVersion", format!("is missing: {WRITE}")) } else { Slip::NotOurs };
    };
    let (group, number) = version.split_once('/').unwrap_or(("", version));
    if group == GROUP {
        if number != VERSION {
            return Slip::At("apiVersion", format!("there is no version {}: {WRITE}", unless_an_address(number)));
        }
        let Some(kind) = kind else {
            return Slip::At(
                "kind",
                "is missing: write kind: ClinicUser, for a person who works at the clinic".to_owned(),
            );
        };
        return if checker.kinds().any(|other| other == kind) { Slip::None } else { Slip::At("kind", no_such(kind)) };
    }
    if kind == Some(SERVICE_ACCOUNT) && version == "v1" {
        let is_meant = node.field("spec").is_some();
        let message = "Kubernetes has a ServiceAccount of its own under apiVersion: v1, which has no spec";
        return if is_meant { Slip::At("apiVersion", format!("{message}: {WRITE}")) } else { Slip::NotOurs };
    }
    let is_meant = (kind_is_ours && (kind != Some(SERVICE_ACCOUNT) || has_our_fields(node)))
        || alike(group, [GROUP].into_iter()).is_some();
    if is_meant {
        Slip::At("apiVersion", format!("{} does not have this kind: {WRITE}", unless_an_address(version)))
    } else {
        Slip::NotOurs
    }
}

/// A first line whose word has other capitals.
fn other_capitals(node: &Node) -> Option<Slip> {
    let Content::Fields(fields) = &node.content else { return None };
    let is_ours = |(_, _, value): &(String, Place, Node)| match &value.content {
        Content::Text(text) => text.starts_with(GROUP) || WRITTEN.contains(&text.as_str()),
        Content::Null | Content::Truth(..) | Content::Number(..) | Content::List(_) | Content::Fields(_) => false,
    };
    ["apiVersion", "kind"].into_iter().find_map(|right| {
        let (name, at, _) =
            fields.iter().find(|field| field.0 != right && field.0.eq_ignore_ascii_case(right) && is_ours(field))?;
        Some(Slip::Capitals(*at, name.clone(), right))
    })
}

fn no_such(kind: &str) -> String {
    let rest = "a person is a ClinicUser (type: Staff or type: Practitioner), a shared inbox or schedule a ServiceAccount, and the clinic itself a Clinic";
    let account = kind.strip_prefix(CLINIC).and_then(|rest| alike(rest, [SERVICE_ACCOUNT].into_iter()));
    match account.or_else(|| alike(kind, WRITTEN.into_iter())) {
        Some(meant) => format!("there is no such kind: write kind: {meant}"),
        None => format!("there is no such kind: {rest}"),
    }
}

/// Whether an address stands beside another field of ours, in the spec or where a spec was forgotten.
fn has_our_fields(node: &Node) -> bool {
    let has = |node: &Node| node.field("email").is_some() && OURS.iter().any(|field| node.field(field).is_some());
    has(node) || node.field("spec").is_some_and(has)
}

fn check(checker: &Checker, node: &Node, kind: &str) -> Manifest {
    let (object, findings) = checker.defaulted(kind, node.json(), None);
    let mut remarks: Vec<_> = findings
        .into_iter()
        .map(|finding| {
            let message = unquoted(node, &finding).unwrap_or(finding.message);
            Remark::error(node.place(&finding.path), finding.path.to_string(), message)
        })
        .collect();
    if !WRITTEN.contains(&kind) {
        let message =
            "is a record that only the operator writes: take it out of here, the cluster refuses it from anybody else";
        remarks.push(Remark::warning(node.place(&Path::default().field("kind")), "kind", message));
        return manifest(node, kind, Is::Nothing, remarks);
    }
    if node.field("status").is_some() {
        let message = "is written by the operator and ignored here: remove it";
        remarks.push(Remark::warning(node.place(&Path::default().field("status")), "status", message));
    }
    if remarks.iter().any(|remark| remark.severity == Severity::Error) {
        return manifest(node, kind, Is::Nothing, remarks);
    }
    let spec = object.get("spec").cloned().unwrap_or_default();
    let place = |field: &str| node.place(&Path::default().field("spec").field(field));
    let is = match kind {
        CLINIC => clinic(node, spec, place("timeZone"), &mut remarks),
        CLINIC_USER => user(node, spec, &mut remarks),
        _ => Is::ServiceAccount(spec),
    };
    manifest(node, kind, is, remarks)
}

/// What to do about a word that YAML takes for something else than text.
fn unquoted(node: &Node, finding: &Finding) -> Option<String> {
    let (word, what) = match &node.at(&finding.path).filter(|_| finding.wants_text())?.content {
        Content::Number(_, word) => (word, "a number"),
        Content::Truth(_, word) => (word, "true or false"),
        Content::Null | Content::Text(_) | Content::List(_) | Content::Fields(_) => return None,
    };
    Some(format!("must be text, and without quotes {word} means {what}: write \"{word}\""))
}

fn manifest(node: &Node, kind: &str, is: Is, remarks: Vec<Remark>) -> Manifest {
    let metadata = node.field("metadata");
    let text = |field: &str| metadata.and_then(|metadata| metadata.text(field)).map(str::to_owned);
    Manifest {
        kind: kind.to_owned(),
        namespace: text("namespace").filter(|namespace| !namespace.is_empty()),
        name: text("name").unwrap_or_default(),
        at: node.place(&Path::default().field("metadata").field("name")),
        is,
        remarks,
    }
}

fn clinic(node: &Node, spec: serde_json::Value, at: Place, remarks: &mut Vec<Remark>) -> Is {
    let Some(spec) = parsed::<ClinicSpec>(spec, at, remarks) else { return Is::Nothing };
    let zone = ClinicZone::find(&spec.time_zone);
    if zone.is_none() {
        remarks.push(Remark::error(at, "spec.timeZone", no_such_zone(&spec.time_zone)));
    }
    let released = released_hold(Some(&annotations(node)));
    Is::Clinic(Box::new(Clinic { spec, zone, released }))
}

fn user(node: &Node, spec: serde_json::Value, remarks: &mut Vec<Remark>) -> Is {
    let path = |field: &str| Path::default().field("spec").field(field);
    let place = |field: &str| node.place(&path(field));
    let Some(spec) = parsed::<ClinicUserSpec>(spec, node.at, remarks) else { return Is::Nothing };
    if let Err(violations) = spec.parse() {
        for violation in violations {
            let at = place(violation.field.trim_start_matches("spec."));
            remarks.push(Remark::error(at, violation.field, violation.message));
        }
        return Is::Nothing;
    }
    let Ok(email) = Email::parse(&spec.email) else { return Is::Nothing };
    let supervisor = spec.supervisor.clone().map(|name| (path("supervisor"), name));
    let covers = spec.coverages.iter().enumerate();
    let covers =
        covers.map(|(index, coverage)| (path("coverages").index(index).field("covers"), coverage.covers.clone()));
    let refers = supervisor.into_iter().chain(covers).map(|(path, name)| {
        let at = node.place(&path);
        (path, at, name)
    });
    let training_ends = spec.expected_end_of_training.as_deref().and_then(parse_date);
    Is::User(Box::new(User {
        key: email.key(),
        untagged: email.untagged(),
        email_at: place("email"),
        names: spec.first_name.as_deref().zip(spec.last_name.as_deref()).map(|(f, l)| (normalised(f), normalised(l))),
        names_at: place("lastName"),
        refers: refers.collect(),
        training_ends: training_ends.map(|date| (place("expectedEndOfTraining"), date)),
        annotations: annotations(node),
        spec,
    }))
}

fn annotations(node: &Node) -> BTreeMap<String, String> {
    let annotations = node.at(&Path::default().field("metadata").field("annotations")).map(|node| &node.content);
    let Some(Content::Fields(fields)) = annotations else { return BTreeMap::new() };
    let text = |(name, _, value): &(String, Place, Node)| match &value.content {
        Content::Text(text) => Some((name.clone(), text.clone())),
        Content::Null | Content::Truth(..) | Content::Number(..) | Content::List(_) | Content::Fields(_) => None,
    };
    fields.iter().filter_map(text).collect()
}

/// A spec as a type; what its schema takes and the type does not is an error of ours, and is said.
fn parsed<T: serde::de::DeserializeOwned>(spec: serde_json::Value, at: Place, remarks: &mut Vec<Remark>) -> Option<T> {
    match serde_json::from_value(spec) {
        Ok(spec) => Some(spec),
        Err(error) => {
            remarks.push(Remark::error(at, "spec", format!("cannot be read: {error}")));
            None
        }
    }
}
