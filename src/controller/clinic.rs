//! The status of the `Clinic`: how many members there are, and whether the clinic and its mailer work.

use std::time::Duration;

use jiff::Timestamp;

use super::cache::Kind;
use super::context::{Context, ReconcileError};
use crate::api::Clinic;
use crate::api::clinic::{ClinicStatus, MemberCounts};
use crate::api::convert::ClinicView;
use crate::api::status::written;
use crate::domain::conditions::Wanted;
use crate::domain::lifecycle::{Attention, ClinicStanding, MailerStanding, State};

/// Reconciles the status of the clinic, if there is one.
///
/// # Errors
/// A request that failed; all of it is tried again.
pub async fn reconcile(context: &Context) -> Result<Option<Duration>, ReconcileError> {
    let seen = {
        let index = context.cache.read();
        index.clinic().map(|clinic| (clinic, count(index.states())))
    };
    let Some((clinic, members)) = seen else { return Ok(None) };
    let mailer = context.mailer.borrow().clone();
    let status = project(&clinic, members, &mailer, context.clock.now());
    let before = clinic.status.clone().unwrap_or_default();
    context.write_status(&context.clinics, Kind::Clinic, &clinic.metadata, &before, &status).await?;
    Ok(None)
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

fn project(clinic: &Clinic, members: MemberCounts, mailer: &MailerStanding, now: Timestamp) -> ClinicStatus {
    let view = ClinicView::new(clinic);
    let (ready, reason, message) = match ClinicView::standing(Some(&view)) {
        ClinicStanding::UnknownZone(name) => (
            false,
            "UnknownTimeZone",
            format!("spec.timeZone: \"{name}\" is not in the IANA time zone database. Correct it; nothing is guessed."),
        ),
        ClinicStanding::Paused(_) => (true, "Paused", "Paused: nobody is added, removed or mailed.".to_owned()),
        ClinicStanding::Open(_) | ClinicStanding::Missing => (true, "Open", "Members are managed.".to_owned()),
    };
    let mut wanted = vec![Wanted { type_: "Ready", status: ready, reason, message: message.clone() }];
    if !ready {
        wanted.push(Wanted { type_: "Stalled", status: true, reason, message });
    }
    wanted.push(match mailer {
        MailerStanding::Up => Wanted {
            type_: "MailerReady",
            status: true,
            reason: "Up",
            message: "The mail relay takes mail, as far as is known.".to_owned(),
        },
        MailerStanding::Down(why) => Wanted {
            type_: "MailerReady",
            status: false,
            reason: "Down",
            message: format!("The mail relay does not take mail: {why}. Mails wait and are tried again."),
        },
    });
    let generation = clinic.metadata.generation;
    let before = clinic.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    ClinicStatus {
        observed_generation: generation,
        members: Some(members),
        conditions: written(before, wanted, generation, now),
    }
}
