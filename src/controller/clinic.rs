//! The status of the `Clinic`: how many members there are, and whether the clinic and its mailer work.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use super::cache::{Index, Kind};
use super::context::{Context, ReconcileError};
use super::members::events::{self, Told};
use super::suspensions::Telling;
use crate::api::Clinic;
use crate::api::clinic::{ClinicStatus, HoldStatus, MemberCounts};
use crate::api::convert::ClinicView;
use crate::api::status::written;
use crate::domain::conditions::{Truth, Wanted};
use crate::domain::guard::Guard;
use crate::domain::lifecycle::{Attention, ClinicStanding, State};
use crate::domain::mailer::MailerStanding;
use crate::domain::restore::{RESTORE_MODE, RestoreMode};

/// Members whom the status of a hold names; how many there are it says anyway.
const HELD_MEMBERS_LISTED: usize = 20;
/// Holds that the status lists.
const MOST_HOLDS: usize = 100;

/// Reconciles the status of the clinic, if there is one.
///
/// # Errors
/// A request that failed; all of it is tried again.
pub async fn reconcile(context: &Context) -> Result<Option<Duration>, ReconcileError> {
    let seen = {
        let index = context.cache.read();
        let waits = index.states().any(|state| state == Some(State::Pending));
        index.clinic().map(|clinic| (clinic, count(index.states()), holds(&index), waits))
    };
    let Some((clinic, members, holds, waits)) = seen else { return Ok(None) };
    let mailer = Mailer { standing: context.mailer.borrow().clone(), is_wanted: waits || !context.outbox.is_idle() };
    let status = project(&clinic, members, holds, mailer, context.clock.now());
    let before = clinic.status.clone().unwrap_or_default();
    context.write_status(&context.clinics, Kind::Clinic, &clinic.metadata, &before, &status).await?;
    Ok(tell_of_suspensions(context, &clinic).await)
}

/// Tells how many were suspended, if several were. Returns when to look again.
async fn tell_of_suspensions(context: &Context, clinic: &Clinic) -> Option<Duration> {
    let (count, last) = match context.suspensions.take(context.clock.now()) {
        Telling::Nothing => return None,
        Telling::Later(after) => return Some(after),
        Telling::Now(count, last) => (count, last),
    };
    let message = format!(
        "{count} members with access were suspended within a short time, all of them at once: no guard holds a suspension. If it is not meant, undo the change in Git."
    );
    let told = Told { reason: "ManySuspended", warning: true, message, mark: last.to_string() };
    events::tell(context, clinic, &[told]).await;
    None
}

/// Tells people that restore mode is on, if the status does not say so.
pub async fn tell_that_restore_mode_is_on(context: &Context, mode: RestoreMode) {
    let clinic = context.cache.read().clinic();
    if let Some(clinic) = clinic
        && let Err(error) = write_that_restore_mode_is_on(context, &clinic, mode).await
    {
        warn!(%error, "failed to tell that restore mode is on");
    }
}

async fn write_that_restore_mode_is_on(
    context: &Context,
    clinic: &Clinic,
    mode: RestoreMode,
) -> Result<(), ReconcileError> {
    let until = match mode {
        RestoreMode::On { until } => format!("on until {until}"),
        RestoreMode::ToEnd(_) => "about to end".to_owned(),
        RestoreMode::Off | RestoreMode::NotUnderstood => return Ok(()),
    };
    let message = format!(
        "Restore mode is {until}: records can be restored, and nobody is added, removed or mailed. Remove the namespace's annotation {RESTORE_MODE} when the restore is complete."
    );
    let wanted = readiness(false, "RestoreDoorOpen", message);
    let before = clinic.status.clone().unwrap_or_default();
    let generation = clinic.metadata.generation;
    let conditions = written(&before.conditions, wanted, generation, context.clock.now());
    let status = ClinicStatus { observed_generation: generation, conditions, ..before.clone() };
    context.write_status(&context.clinics, Kind::Clinic, &clinic.metadata, &before, &status).await?;
    Ok(())
}

fn count(states: impl Iterator<Item = Option<State>>) -> MemberCounts {
    let mut counts = MemberCounts::default();
    for state in states {
        counts.total += 1;
        match state {
            Some(State::Active) => counts.active += 1,
            Some(State::Invited) => counts.invited += 1,
            Some(state) if state.attention() == Attention::Stalled => counts.stalled += 1,
            Some(_) | None => {}
        }
    }
    counts
}

/// What is held back, as the accounts say.
fn holds(index: &Index) -> Vec<HoldStatus> {
    let holds = index.guards().holds().into_iter().take(MOST_HOLDS);
    let status = |(id, accounts): (&str, Vec<&Arc<str>>)| {
        let mut members: Vec<String> = accounts.iter().filter_map(|account| index.holder_name(account)).collect();
        members.sort();
        members.dedup();
        members.truncate(HELD_MEMBERS_LISTED);
        HoldStatus { id: id.to_owned(), count: u32::try_from(accounts.len()).unwrap_or(u32::MAX), members }
    };
    holds.map(status).collect()
}

/// What is said about a clinic in which something is held.
fn about_holds(holds: &[HoldStatus]) -> Option<String> {
    let what = |hold: &HoldStatus| {
        let effect = match Guard::of(&hold.id) {
            Some(Guard::Removals) => "members without a manifest who keep their access",
            Some(Guard::Invitations) | None => "members who are not mailed",
        };
        format!("{} ({}: {effect})", hold.id, hold.count)
    };
    let all: Vec<String> = holds.iter().map(what).collect();
    (!all.is_empty()).then(|| {
        format!(
            "More than usual changed within an hour, so it is held: {}. If it is meant, set the annotation clinic-operator.dev/release-hold to the id; if not, undo the change in Git.",
            all.join(", ")
        )
    })
}

/// What is told about the mail relay.
struct Mailer {
    standing: MailerStanding,
    /// Whether any mail waits for it or is under way.
    is_wanted: bool,
}

fn about_the_mailer(mailer: Mailer) -> Wanted {
    let (status, reason, message) = match mailer {
        Mailer { standing: MailerStanding::Up, .. } => {
            (Truth::True, "Up", "The mail relay takes mail, as far as is known.".to_owned())
        }
        Mailer { standing: MailerStanding::Down(why), is_wanted: true } => (
            Truth::False,
            "Down",
            format!(
                "The mail relay does not take mail: {why}. All mails wait; one is tried again after seconds at first, and at least every 5 minutes."
            ),
        ),
        Mailer { standing: MailerStanding::Down(why), is_wanted: false } => (
            Truth::Unknown,
            "NotTried",
            format!(
                "The mail relay did not take the last mail: {why}. No mail waits, so it is not tried; the next one will show."
            ),
        ),
    };
    Wanted { type_: "MailerReady", status, reason, message }
}

/// Whether it is ready. What keeps a clinic from it is for a person to mend.
fn readiness(is_ready: bool, reason: &'static str, message: String) -> Vec<Wanted> {
    let mut wanted = vec![Wanted { type_: "Ready", status: is_ready.into(), reason, message: message.clone() }];
    if !is_ready {
        wanted.push(Wanted { type_: "Stalled", status: Truth::True, reason, message });
    }
    wanted
}

fn project(
    clinic: &Clinic,
    members: MemberCounts,
    holds: Vec<HoldStatus>,
    mailer: Mailer,
    now: Timestamp,
) -> ClinicStatus {
    let view = ClinicView::new(clinic);
    let (ready, reason, message) = match ClinicView::standing(Some(&view)) {
        ClinicStanding::UnknownZone(name) => (
            false,
            "UnknownTimeZone",
            format!("spec.timeZone: \"{name}\" is not in the IANA time zone database. Correct it; nothing is guessed."),
        ),
        ClinicStanding::Paused(_) => (true, "Paused", "Paused: nobody is added, removed or mailed.".to_owned()),
        ClinicStanding::Open(_) | ClinicStanding::Missing => match about_holds(&holds) {
            Some(message) => (false, "Held", message),
            None => (true, "Open", "Members are managed.".to_owned()),
        },
    };
    let mut wanted = readiness(ready, reason, message);
    wanted.push(about_the_mailer(mailer));
    let generation = clinic.metadata.generation;
    let before = clinic.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    ClinicStatus {
        observed_generation: generation,
        members: Some(members),
        holds,
        conditions: written(before, wanted, generation, now),
    }
}
