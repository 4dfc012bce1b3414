//! `kubectl clinic holds` and `release`: what the guards hold back, what follows from a release, and the release of exactly one
//! hold. Never here: which members a hold has; the operator says that.

use clap::ValueEnum;
use serde::Serialize;

use super::failure::Failure;
use super::seen::{Clinic, holds_of};
use super::session::{Session, clinics};
use super::wait::{Patience, Progress};
use crate::adapters::output::{plain, tell};
use crate::api::RELEASE_HOLD_ANNOTATION;
use crate::api::clinic::HoldStatus;
use crate::domain::guard::Guard;

/// How often the annotation is set on a Clinic that changes at the same moment.
const TRIES: usize = 5;

/// How holds are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// An array of objects.
    Json,
}

/// A hold for programs. Every field is always there.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    guard: Option<&'static str>,
    count: u32,
    members: &'a [String],
}

impl<'a> Row<'a> {
    fn new(hold: &'a HoldStatus) -> Self {
        let guard = Guard::of(&hold.id).map(Guard::word);
        Self { id: &hold.id, guard, count: hold.count, members: &hold.members }
    }
}

/// What is held.
pub(super) async fn holds(session: &Session, format: Format) -> Result<String, Failure> {
    let clinic = session.clinic().await?;
    let holds = holds_of(&clinic);
    match format {
        Format::Json => {
            let rows: Vec<Row<'_>> = holds.iter().map(Row::new).collect();
            Ok(serde_json::to_string_pretty(&rows)? + "\n")
        }
        Format::Table => {
            if holds.is_empty() {
                tell(&format!("Nothing is held in {}.", session.namespace()));
            }
            Ok(holds.iter().map(|hold| told(hold, &session.flags)).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn told(hold: &HoldStatus, flags: &str) -> String {
    let consequence = Consequence::of(&hold.id);
    let more = usize::try_from(hold.count).unwrap_or(usize::MAX).saturating_sub(hold.members.len());
    let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let id = plain(&hold.id);
    format!(
        "{id}\n  {} ({}): {}{and_more}\n  If it is meant:  kubectl clinic release {id}{flags}\n                   {}\n  If it is not:    {}\n",
        consequence.who,
        hold.count,
        plain(&hold.members.join(", ")),
        consequence.released,
        consequence.undone,
    )
}

/// What a hold means.
struct Consequence {
    who: &'static str,
    released: &'static str,
    undone: &'static str,
}

impl Consequence {
    fn of(id: &str) -> Self {
        match Guard::of(id) {
            Some(Guard::Removals) => Self {
                who: "Keep their access without a manifest",
                released: "ends their access at once and keeps their accounts",
                undone: "bring their manifests back; each goes on as before",
            },
            Some(Guard::Invitations) => Self {
                who: "Are not invited",
                released: "mails each of them an invitation",
                undone: "take their manifests away again",
            },
            None => Self {
                who: "Held by a guard that this version does not know",
                released: "lets it go on",
                undone: "undo the change in Git",
            },
        }
    }
}

/// Releases one hold, and waits until nothing is held under it.
pub(super) async fn release(session: &Session, id: &str, patience: Patience) -> Result<String, Failure> {
    let Some(hold) = ask(session, id).await? else {
        return Ok(format!("Nothing is held under {} any more: it was released before.\n", plain(id)));
    };
    let flags = &session.flags;
    if !patience.waits() {
        return Ok(format!("Asked for; kubectl clinic holds{flags} shows what is still held.\n"));
    }
    let done = match Guard::of(id) {
        Some(Guard::Removals) => "their access has ended",
        Some(Guard::Invitations) => "their invitations go out",
        None => "it goes on",
    };
    let look = async || {
        let clinic = session.clinic().await?;
        Ok(match find(&clinic, id) {
            None => Progress::Done(format!("Released {} ({}): {done}.\n", plain(id), hold.count)),
            Some(left) => Progress::Waiting(format!("{} left.", left.count)),
        })
    };
    patience.until(session, &format!("the release stands; see what is left: kubectl clinic holds{flags}"), look).await
}

/// Sets the annotation. `None`: that was done before.
async fn ask(session: &Session, id: &str) -> Result<Option<HoldStatus>, Failure> {
    for _ in 0..TRIES {
        let clinic = session.clinic().await?;
        let Some(hold) = find(&clinic, id).cloned() else {
            let annotations = clinic.metadata.annotations.as_ref();
            if annotations.and_then(|all| all.get(RELEASE_HOLD_ANNOTATION)).is_some_and(|released| released == id) {
                return Ok(None);
            }
            let there = holds_of(&clinic).iter().map(|hold| hold.id.clone()).collect();
            return Err(Failure::NoHold { id: plain(id), there });
        };
        let asked = session.annotate(&clinics(), &clinic.metadata, RELEASE_HOLD_ANNOTATION, id).await;
        if asked.map_err(may_not_release)? {
            tell(&format!("Asked to release {id} ({}).", hold.count));
            return Ok(Some(hold));
        }
    }
    Err(Failure::NotDone("the Clinic changes all the time, so nothing was asked for; try again".to_owned()))
}

fn find<'a>(clinic: &'a Clinic, id: &str) -> Option<&'a HoldStatus> {
    holds_of(clinic).iter().find(|hold| hold.id == id)
}

/// A release is for administrators of the clinic, which a policy of the cluster sees to.
fn may_not_release(failure: Failure) -> Failure {
    let hint = "a release takes the verb administer on clinics.clinic-operator.dev: ask an administrator of the clinic";
    if let Failure::Refused { words, .. } = failure { Failure::Refused { words, hint } } else { failure }
}
