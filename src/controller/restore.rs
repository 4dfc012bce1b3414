//! Standing still in restore mode. The API server's policies refuse our writes while it is on; here people are told, and a mode whose
//! instant has come is ended.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;
use tracing::{info, warn};

use super::clinic::tell_that_restore_mode_is_on;
use super::context::Context;
use super::members::events::{Told, tell};
use crate::adapters::kubernetes::{ApiError, OwnNamespace};
use crate::domain::restore::{RESTORE_MODE, RestoreMode, WhyEnd, example};

/// How often it is tried to end a mode, and looked whether the Clinic still says that it is on: whoever restores may write its status.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Stands still until dropped: tells people of the mode, and ends it once it is to end.
pub async fn stand_still(context: &Context, namespace: &OwnNamespace, mode: RestoreMode) {
    let (mut failing, mut is_told) = (false, false);
    loop {
        tell_that_restore_mode_is_on(context, mode).await;
        if let Some(told) = of_mode(mode, context.clock.now()).filter(|_| !is_told) {
            is_told = tell_clinic(context, told).await;
        }
        if matches!(mode, RestoreMode::ToEnd(_)) && context.may_write().is_ok() {
            match namespace.end_restore_mode(context.clock.now()).await {
                Ok(Some(why)) => {
                    info!("ended restore mode");
                    let _ = tell_clinic(context, of_end(why)).await;
                }
                Ok(None) | Err(ApiError::Conflict) => {}
                Err(error) => {
                    if !failing {
                        warn!(%error, "failed to end restore mode: remove the annotation {RESTORE_MODE} of the namespace");
                    }
                    failing = true;
                }
            }
        }
        sleep(AGAIN_AFTER).await;
    }
}

/// Tells in the Clinic that its Namespace has a value which turns nothing on.
pub async fn tell_what_is_not_understood(context: &Context, mode: RestoreMode) {
    if let Some(told) = of_mode(mode, context.clock.now()).filter(|_| mode == RestoreMode::NotUnderstood) {
        let _ = tell_clinic(context, told).await;
    }
}

/// Tells it as an event, once for each mode, also after a restart: the event's name is made of its mark. Whether there is a Clinic to tell.
async fn tell_clinic(context: &Context, told: Told) -> bool {
    let clinic = context.cache.read().clinic();
    let Some(clinic) = clinic else { return false };
    tell(context, &clinic, &[told]).await;
    true
}

fn of_mode(mode: RestoreMode, now: Timestamp) -> Option<Told> {
    let (reason, message, mark) = match mode {
        RestoreMode::On { until } => (
            "RestoreModeOn",
            format!(
                "Restore mode is on until {until}: whoever has the rights may write records, and nobody is added, removed or mailed."
            ),
            until.to_string(),
        ),
        RestoreMode::NotUnderstood => {
            let example = example(now);
            let message = format!(
                "The namespace's annotation {RESTORE_MODE} has a value that turns nothing on. To restore, write an instant in UTC within 24 hours, such as \"{example}\"; else remove it."
            );
            ("RestoreModeNotUnderstood", message, String::new())
        }
        RestoreMode::Off | RestoreMode::ToEnd(_) => return None,
    };
    Some(Told { reason, warning: true, message, mark })
}

fn of_end(why: WhyEnd) -> Told {
    let (message, warning, mark) = match why {
        WhyEnd::Past { until } => {
            (format!("Restore mode is off: its instant, {until}, has come."), false, until.to_string())
        }
        WhyEnd::TooFar | WhyEnd::NoInstant => (
            "Restore mode is off: it takes an instant within 24 hours, and was given another. Turn it on again with one that is."
                .to_owned(),
            true,
            format!("{why:?}"),
        ),
    };
    Told { reason: "RestoreModeEnded", warning, message, mark }
}
