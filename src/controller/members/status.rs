//! The status of a `ClinicUser`: a projection of manifest, account and clinic, which may be wiped at any time. It is written
//! only when it differs, and nothing but the time of a condition's last change is read back from it.

use std::time::Duration;

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::events::{self, Moment};
use super::observe::Observed;
use super::step::Decision;
use crate::adapters::kubernetes::ApiError;
use crate::api::account::ClinicAccountSpec;
use crate::api::clinic_user::{InvitationStatus, ListedMember, MemberStatus};
use crate::api::condition::Condition;
use crate::api::convert::ClinicView;
use crate::api::status::written;
use crate::controller::accounts;
use crate::controller::cache::Kind;
use crate::controller::context::{Context, ReconcileError, wait_until};
use crate::domain::calendar::ClinicZone;
use crate::domain::conditions::{conditions, training_ends_soon};
use crate::domain::invitation::Standing;
use crate::domain::lifecycle::State;
use crate::domain::line::{name, title};
use crate::domain::mailer::MailerStanding;
use crate::domain::member::{designation, full_name};
use crate::domain::notice::{self, notice};
use crate::domain::verdict::{Deletion, Situation, Verdict, state};

/// A new member's mail leaves within moments as a rule: for so long "it waits" is not worth a write.
const PENDING_WORTH_TELLING_AFTER: Duration = Duration::from_secs(2);

/// When it is looked at again whether an object that does not fit is told so.
const MISFIT_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Writes the status if it differs. Returns after how long it changes by itself.
pub async fn write(
    context: &Context,
    observed: &Observed,
    decision: &Decision,
) -> Result<Option<Duration>, ReconcileError> {
    let now = context.clock.now();
    let mailer = context.mailer_for_members.borrow().clone();
    let (status, state, next) = project(observed, decision, &mailer, &context.namespace, now);
    let before = observed.user.status.clone().unwrap_or_default();
    if before != status && state == State::Pending && is_about_to_leave(observed, now) {
        return Ok(Some(PENDING_WORTH_TELLING_AFTER));
    }
    if before != status {
        let accepted =
            observed.account.as_ref().and_then(|account| Some(account.spec.acceptance.as_ref()?.accepted_at));
        let ends_soon_since = status.access_ends_at.and_then(|until| notice(until, zone(observed)?, now));
        let moment = Moment { accepted, ends_soon_since: ends_soon_since.map(|notice| notice.since), now };
        events::tell(context, &observed.user, &events::events(&before, &status, &moment)).await;
    }
    context.write_status(&context.users, Kind::ClinicUser, &observed.user.metadata, &before, &status).await?;
    Ok(next.and_then(|next| wait_until(next, now)))
}

/// Whoever wrote an object that does not fit our type (under another CRD) is told so. Writes nothing if there is none.
pub async fn write_that_it_does_not_fit(context: &Context, name: &str) -> Result<Option<Duration>, ReconcileError> {
    let seen = context.cache.read().misfit_member(name);
    let Some(object) = seen else { return Ok(None) };
    let (before, status) = misfit(&object, context.clock.now())?;
    match context.write_status(&context.users, Kind::ClinicUser, &object.metadata, &before, &status).await {
        Ok(_) => Ok(None),
        // The answer does not fit either, so whether it was written is seen from the watch.
        Err(ReconcileError::Api(ApiError::NoAnswer(_))) => Ok(Some(MISFIT_AGAIN_AFTER)),
        Err(error) => Err(error),
    }
}

/// The status as it is stored, and as it should be: of the fields that do not fit nothing is kept.
fn misfit(object: &DynamicObject, now: Timestamp) -> Result<(Value, Value), serde_json::Error> {
    let before = object.data.get("status").filter(|status| status.is_object()).cloned().unwrap_or_else(|| json!({}));
    let conditions_before: Vec<Condition> =
        before.get("conditions").cloned().and_then(|all| serde_json::from_value(all).ok()).unwrap_or_default();
    let verdict = Verdict {
        state: State::Invalid,
        message: "The object does not fit this version of the operator: it was stored under another version of the \
                  custom resource definitions. Apply the crds/ of this version, then the manifest again."
            .to_owned(),
    };
    let generation = object.metadata.generation;
    let status = MemberStatus {
        observed_generation: generation,
        state: Some(verdict.state.name().to_owned()),
        conditions: written(&conditions_before, conditions(&verdict), generation, now),
        ..MemberStatus::default()
    };
    Ok((before, serde_json::to_value(status)?))
}

/// Whether something happened a moment ago to a member who waits for a mail: the account was made, or the mail's turn came.
fn is_about_to_leave(observed: &Observed, now: Timestamp) -> bool {
    let told = observed.user.status.as_ref().and_then(|status| State::parse(status.state.as_deref()?));
    let account = observed.account.as_ref();
    let attempt = account.and_then(|account| account.spec.delivery.as_ref()?.attempts.last()).map(|last| last.at);
    let record = account.map_or(&observed.user.metadata, |account| &account.metadata);
    let made = record.creation_timestamp.as_ref().map(|created| created.0);
    let age = attempt.max(made).map(|latest| now.duration_since(latest));
    let recent = age.is_some_and(|age| !age.is_negative() && age.unsigned_abs() < PENDING_WORTH_TELLING_AFTER);
    told.is_none_or(|told| told == State::Pending) && recent
}

/// The status, its state, and when it changes by itself.
pub fn project(
    observed: &Observed,
    decision: &Decision,
    mailer: &MailerStanding,
    namespace: &str,
    now: Timestamp,
) -> (MemberStatus, State, Option<Timestamp>) {
    let account = observed.account.as_ref().map(|account| &account.spec);
    let of_account = account.map(|account| {
        let observed = accounts::decide::Observed {
            account: account.clone(),
            clinic: observed.clinic.clone(),
            address_is_ours: observed.address.is_claimed_by(&account.id),
            holder_asks_for_it: true,
            open_for: observed.open_for,
        };
        accounts::decide::decide(&observed, now)
    });
    let nothing_yet = Standing::NoAddress;
    let invitation = of_account.as_ref().map_or(&nothing_yet, |decision| &decision.invitation);
    let access_until = account.and_then(|account| account.desired.access_until);
    let deletion = observed.user.is_being_deleted().then(|| Deletion {
        finalizers: observed.user.metadata.finalizers.as_deref().unwrap_or_default(),
        hold: account.and_then(|account| account.desired.hold.as_ref()).map(|hold| hold.id.as_str()),
    });
    let verdict = state(&Situation {
        member: (namespace, observed.user.metadata.name.as_deref().unwrap_or_default()),
        deletion,
        violations: &decision.violations,
        clinic: ClinicView::standing(observed.clinic.as_ref()),
        obstacle: decision.obstacle.as_ref(),
        access: of_account.as_ref().map(|decision| decision.access.reason),
        access_until,
        confirmed_otherwise: &account.map(confirmed_otherwise).unwrap_or_default(),
        invitation,
        mailer,
    });
    let generation = observed.user.metadata.generation;
    let before = observed.user.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let zone = zone(observed);
    let mut wanted = conditions(&verdict);
    let in_the_zone = access_until.zip(zone);
    let soon = in_the_zone.and_then(|(until, zone)| Some((notice(until, zone, now)?.days, zone.show(until))));
    wanted.extend(soon.map(|(days, at)| training_ends_soon(days, &at)));
    let status = MemberStatus {
        observed_generation: generation,
        state: Some(verdict.state.name().to_owned()),
        account: account.map(|account| account.id.clone()),
        member: listed(observed),
        invitation: invitation_status(observed, invitation),
        access_until: zone.zip(access_until).map(|(zone, until)| zone.last_day(until).to_string()),
        access_ends_at: access_until,
        conditions: written(before, wanted, generation, now),
    };
    let next_notice = in_the_zone.and_then(|(until, zone)| notice::next(until, zone, now));
    let next = [of_account.and_then(|decision| decision.next), next_notice];
    (status, verdict.state, next.into_iter().flatten().min())
}

fn zone(observed: &Observed) -> Option<&ClinicZone> {
    observed.clinic.as_ref()?.zone.as_ref()
}

/// "Once the user accepts the invitation and logs in for the first time, their name, title, and either their position, type
/// classification or type are displayed."
fn listed(observed: &Observed) -> Option<ListedMember> {
    let account = &observed.account.as_ref()?.spec;
    let acceptance = account.acceptance.as_ref().filter(|acceptance| acceptance.first_sign_in_at.is_some())?;
    let desired = &account.desired;
    Some(ListedMember {
        name: Some(full_name(&acceptance.first_name, &acceptance.last_name)),
        title: acceptance.title.clone(),
        designation: Some(designation(desired.position.as_deref(), desired.classification, desired.type_)),
    })
}

/// The fields of the manifest that the person confirmed otherwise. What it does not say they may say as they like.
fn confirmed_otherwise(account: &ClinicAccountSpec) -> Vec<&'static str> {
    let (desired, Some(confirmed)) = (&account.desired, &account.acceptance) else { return Vec::new() };
    let facts = [
        ("firstName", desired.first_name.as_deref().map(name), Some(&confirmed.first_name)),
        ("lastName", desired.last_name.as_deref().map(name), Some(&confirmed.last_name)),
        ("title", desired.title.as_deref().map(title), confirmed.title.as_ref()),
    ];
    let differs = facts
        .into_iter()
        .filter(|(_, wished, confirmed)| wished.as_ref().is_some_and(|it| it.as_ref().ok() != *confirmed));
    differs.map(|(field, ..)| field).collect()
}

fn invitation_status(observed: &Observed, invitation: &Standing) -> Option<InvitationStatus> {
    let account = &observed.account.as_ref()?.spec;
    let round = account.delivery.as_ref()?.round;
    if account.acceptance.is_some() {
        return None;
    }
    let (sent_at, expires_at) = match invitation {
        Standing::Sent { at, expires } => (Some(*at), Some(*expires)),
        Standing::Expired { at } => (None, Some(*at)),
        Standing::NoAddress
        | Standing::Settled
        | Standing::Held { .. }
        | Standing::Due(_)
        | Standing::UnderWay { .. }
        | Standing::BackingOff { .. }
        | Standing::Refused { .. }
        | Standing::Unknown => (None, None),
    };
    Some(InvitationStatus { round, sent_at, expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::kubernetes::merge_difference;

    #[test]
    fn an_object_that_does_not_fit_is_told_so_once() {
        let mut object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
            "metadata": {"name": "ana", "uid": "1", "resourceVersion": "1", "generation": 3},
            "spec": {"email": "canary@maple.example", "type": "Visitor"},
            "status": {"observedGeneration": 3, "accessEndsAt": "tomorrow", "state": "Active"},
        }))
        .unwrap();
        let (before, status) = misfit(&object, Timestamp::UNIX_EPOCH).unwrap();
        let patch = merge_difference(&before, &status).unwrap();
        assert_eq!((&patch["state"], &patch["accessEndsAt"]), (&json!("Invalid"), &Value::Null));
        assert!(status["conditions"][1]["type"] == "Stalled" && !status.to_string().contains("canary"));
        object.data["status"] = status;
        let (before, status) = misfit(&object, Timestamp::MAX).unwrap();
        assert_eq!(merge_difference(&before, &status), None);
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod precedence_tests;
