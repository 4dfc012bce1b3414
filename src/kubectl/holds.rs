//! `kubectl clinic holds` and `release`: what the guards hold back, what follows from a release, and the release of exactly one hold or
//! of some of its members. Which members a hold has stands in `held`.

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde::Serialize;

use super::failure::Failure;
use super::held::{held, unnamed};
use super::names::nearest_of;
use super::session::{Session, TRIES, clinics};
use super::wait::{Patience, Progress};
use crate::adapters::output::{plain, tell};
use crate::api::RELEASE_HOLD_ANNOTATION;
use crate::api::clinic::HoldStatus;
use crate::api::wishes::released_hold;
use crate::domain::guard::{Guard, Release};

/// Whom of a hold to release; nothing said: all.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Whom {
    /// Only these members, by metadata.name
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', conflicts_with = "first")]
    only: Vec<String>,
    /// Only the first so many, in the order in which `kubectl clinic holds` names them
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    first: Option<u32>,
}

/// A policy of the cluster sees to it.
const WHO_MAY_RELEASE: &str =
    "a release takes the verb administer on clinics.clinic-operator.dev: ask an administrator of the clinic";

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
    let holds = held(session, &session.clinic().await?).await?;
    if holds.iter().any(|held| unnamed(held) > 0) {
        tell("Not everybody is named: you may not read the records (list clinicaccounts).");
    }
    match format {
        Format::Json => {
            let rows: Vec<Row<'_>> = holds.iter().map(Row::new).collect();
            Ok(serde_json::to_string_pretty(&rows)? + "\n")
        }
        Format::Table => {
            if holds.is_empty() {
                tell(&format!("Nothing is held in {}.", session.namespace()));
            }
            Ok(holds.iter().map(|held| told(held, &session.flags)).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn told(held: &HoldStatus, flags: &str) -> String {
    let more = unnamed(held);
    let consequence = Consequence::of(&held.id);
    let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let id = plain(&held.id);
    format!(
        "{id}\n  {} ({}): {}{and_more}\n  If it is meant:  kubectl clinic release {id}{flags}\n                   {}\n  If it is not:    {}\n",
        consequence.who,
        held.count,
        plain(&held.members.join(", ")),
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
                who: "Are not mailed",
                released: "mails each of them, to the address in the manifest",
                undone: "undo the edit of their manifests, or take them away again",
            },
            None => Self {
                who: "Held by a guard that this version does not know",
                released: "lets it go on",
                undone: "undo the change in Git",
            },
        }
    }
}

/// Releases one hold or some of its members, and waits until exactly these are held no more.
pub(super) async fn release(session: &Session, id: &str, whom: &Whom, patience: Patience) -> Result<String, Failure> {
    let Some(asked) = ask(session, id, whom).await? else {
        return Ok(format!("Nothing is held under {} any more: it was released before.\n", plain(id)));
    };
    let flags = &session.flags;
    if !patience.waits() {
        return Ok(format!("Asked for; kubectl clinic holds{flags} shows what is still held.\n"));
    }
    let done = match Guard::of(id) {
        Some(Guard::Removals) => "their access has ended",
        Some(Guard::Invitations) => "their mails go out",
        None => "it goes on",
    };
    let look = async || {
        let holds = held(session, &session.clinic().await?).await?;
        let left = holds.iter().find(|held| held.id == id).map_or(0, |held| asked.left(held));
        Ok(match left {
            0 => Progress::Done(format!("Released {} ({}): {done}.\n", plain(id), asked.count())),
            left => Progress::Waiting(format!("{left} left.")),
        })
    };
    patience.until(session, &format!("the release stands; see what is left: kubectl clinic holds{flags}"), look).await
}

/// What was asked for.
struct Asked {
    before: HoldStatus,
    /// `None`: all.
    only: Option<BTreeSet<String>>,
}

impl Asked {
    fn count(&self) -> String {
        match &self.only {
            None => self.before.count.to_string(),
            Some(names) => format!("{} of {}", names.len(), self.before.count),
        }
    }

    /// How many of those whom it is for are held still.
    fn left(&self, now: &HoldStatus) -> usize {
        let count = |held: &HoldStatus| usize::try_from(held.count).unwrap_or(usize::MAX);
        match &self.only {
            None => count(now),
            Some(names) => {
                let still = now.members.iter().filter(|name| names.contains(*name)).count();
                // Whoever is not named may be one of them.
                let gone = count(&self.before).saturating_sub(count(now));
                if unnamed(now) > 0 { still.max(names.len().saturating_sub(gone)) } else { still }
            }
        }
    }
}

/// Sets the annotation. `None`: that was done before.
async fn ask(session: &Session, id: &str, whom: &Whom) -> Result<Option<Asked>, Failure> {
    for _ in 0..TRIES {
        let clinic = session.clinic().await?;
        let holds = held(session, &clinic).await?;
        let earlier = released_hold(clinic.metadata.annotations.as_ref()).filter(|release| release.id == id);
        let Some(before) = holds.iter().find(|held| held.id == id).cloned() else {
            if earlier.is_some() {
                return Ok(None);
            }
            let there = holds.into_iter().map(|held| held.id).collect();
            return Err(Failure::NoHold { id: plain(id), there });
        };
        let only = whom.of(&before)?;
        let release = Release { id: id.to_owned(), only: together(earlier, only.clone(), &before) };
        let asked = session.annotate(&clinics(), &clinic.metadata, RELEASE_HOLD_ANNOTATION, &release.to_string()).await;
        if asked.map_err(|failure| failure.for_administrators(WHO_MAY_RELEASE))? {
            let asked = Asked { before, only };
            tell(&format!("Asked to release {id} ({}).", asked.count()));
            return Ok(Some(asked));
        }
    }
    Err(Failure::NotDone("the Clinic changes all the time, so nothing was asked for; try again".to_owned()))
}

/// What the annotation says: besides those who are asked for now those of an earlier release of the same hold who still wait for it.
fn together(earlier: Option<Release>, only: Option<BTreeSet<String>>, before: &HoldStatus) -> Option<BTreeSet<String>> {
    let mut only = only?;
    if let Some(earlier) = earlier {
        let waits = |name: &String| unnamed(before) > 0 || before.members.contains(name);
        only.extend(earlier.only?.into_iter().filter(waits));
    }
    Some(only)
}

impl Whom {
    /// The names; `None`: all of the hold.
    fn of(&self, held: &HoldStatus) -> Result<Option<BTreeSet<String>>, Failure> {
        let members = &held.members;
        let unknown = || {
            Failure::NotDone(
                "nothing was asked for: you may not read who else is held (list clinicaccounts)".to_owned(),
            )
        };
        if let Some(first) = self.first {
            let first = usize::try_from(first).unwrap_or(usize::MAX);
            if first > members.len() && unnamed(held) > 0 {
                return Err(unknown());
            }
            return Ok(Some(members.iter().take(first).cloned().collect()));
        }
        let names = self.only.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        let names: BTreeSet<String> = names.map(|name| name.rsplit('/').next().unwrap_or(name).to_owned()).collect();
        if let Some(name) = names.iter().find(|name| !members.contains(name)) {
            if unnamed(held) > 0 {
                return Err(unknown());
            }
            let near = nearest_of(name, members);
            return Err(Failure::NotHeld { name: plain(name), id: plain(&held.id), near });
        }
        Ok((!self.only.is_empty()).then_some(names))
    }
}
