//! The second factor of whoever accepts an invitation: chosen or required, set up before the account is theirs.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::super::acceptance::Accepted;
use super::super::codes::{Code, UsedUp, first_step, mark};
use super::super::failures::{Factor, Outcome, Who};
use super::super::invitations::{Draft, Typed};
use super::super::pages::{AcceptNote, CodeFault, EnrolOccasion, field};
use super::super::sign_in::Challenge;
use super::super::steps::Step;
use super::super::web::form::Sent;
use super::super::web::reply::see_other;
use super::super::web::visitor::Visitor;
use super::super::{Portal, path};
use super::invitations::{
    Filled, Opened, SECOND_FACTOR, failed, form, link, no_link, not_accepted, not_completed, open_as_nobody_else,
    refused,
};
use super::second_factor::{self, Setup, fault};
use super::sign_in::{Tried, tried};
use crate::adapters::passwords::PasswordHash;
use crate::api::account::ClinicAccountSpec;
use crate::api::credential::Used;
use crate::domain::acceptance::Refusal;
use crate::domain::password::Minimum;

/// The second factor that this browser is setting up for the link.
pub(super) fn setting_up(portal: &Portal, visitor: &Visitor, place: &str) -> Option<Draft> {
    match portal.step(visitor)? {
        Step::Accept { link, draft } => (link == place).then_some(draft),
        Step::Code(_) | Step::Enrol(_) | Step::Keep(_) => None,
    }
}

/// Goes on to the second factor: of whoever begins again to the same one, which may be in the app by now.
pub(super) fn begin(
    portal: &Portal,
    visitor: &Visitor,
    opened: &Opened,
    typed: Typed,
    password: PasswordHash,
) -> Response {
    let place = opened.link.place();
    let Some(planned) = portal.plan() else { return failed(portal, visitor, opened.invited.locale()) };
    let planned = match setting_up(portal, visitor, &place) {
        Some(before) => planned.with_factor_of(before.planned),
        None => planned,
    };
    let draft = Draft::new(typed, password, planned, portal.clock.now());
    let mut cookies = portal.at_step(visitor, &Step::Accept { link: place, draft });
    cookies.extend(portal.remember_link(visitor, &opened.link));
    see_other(&format!("{}{SECOND_FACTOR}", opened.path), cookies)
}

/// The page of the second factor.
pub async fn show(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    let Some(link) = link(&portal, &visitor, None) else { return no_link(&portal, &visitor) };
    let draft = match portal.step(&visitor) {
        Some(Step::Accept { link: place, draft }) if place == link.place() => draft,
        Some(Step::Keep(_)) => return see_other(path::RECOVERY_CODES, Vec::new()),
        // Where the link is looked at.
        Some(Step::Accept { .. } | Step::Code(_) | Step::Enrol(_)) | None => {
            return see_other(visitor.path.strip_suffix(SECOND_FACTOR).unwrap_or(path::INVITATIONS), Vec::new());
        }
    };
    match open_as_nobody_else(&portal, &visitor, Some(link)).await {
        Ok(opened) => enrol(&portal, &visitor, &opened, &draft, None),
        Err(answer) => answer,
    }
}

/// The first code of the second factor was sent.
pub async fn first_code(State(portal): State<Arc<Portal>>, visitor: Visitor, sent: Sent) -> Response {
    let Some(link) = link(&portal, &visitor, Some(&sent)) else { return no_link(&portal, &visitor) };
    let account = link.account.clone();
    let draft: Option<Draft> = portal.open_draft(&visitor, &link.place(), &sent);
    if let (Some(known), Some(draft)) = (portal.records.account(&account), &draft)
        && let Some(answer) = set_up_again(&portal, &visitor, &known.spec, draft, sent.get(field::CODE)).await
    {
        return answer;
    }
    let opened = match open_as_nobody_else(&portal, &visitor, Some(link)).await {
        Ok(opened) => opened,
        Err(answer) => return answer,
    };
    let now = portal.clock.now();
    let Some(draft) = draft.as_ref().filter(|draft| draft.is_in_time(now)) else {
        not_accepted(&portal, &visitor, Who::OfLink(&account), Factor::Totp, Outcome::OutOfDate);
        let names = draft.map_or_else(|| opened.invited.names(), |draft| draft.names());
        let filled = Filled { note: Some(AcceptNote::OutOfDate), ..Filled::with(names) };
        return form(&portal, &visitor, &opened, &filled);
    };
    let step = match first_step(&draft.planned, sent.get(field::CODE), now) {
        Ok(step) => step,
        Err(refused) => {
            not_accepted(&portal, &visitor, Who::OfLink(&account), Factor::Totp, Outcome::from(&refused));
            return enrol(&portal, &visitor, &opened, draft, Some(fault(&refused)));
        }
    };
    let Some(proof) = draft.proof() else { return failed(&portal, &visitor, opened.invited.locale()) };
    let last_form = Some(mark(&draft.planned.form(), UsedUp::OfApp(step)));
    let used = Used { totp_step: Some(step), last_form, ..Used::default() };
    match portal.complete(&opened.invited, &opened.link.token, &draft.confirmed(), &proof, used).await {
        Ok(Accepted { account, is_new: true }) => {
            see_other(path::RECOVERY_CODES, portal.keep_codes(&visitor, &account.spec, &draft.planned))
        }
        Ok(Accepted { account, is_new: false }) => {
            let answer = set_up_again(&portal, &visitor, &account.spec, draft, sent.get(field::CODE)).await;
            let who = Who::OfLink(&account.spec.id);
            let locale = opened.invited.locale();
            answer.unwrap_or_else(|| refused(&portal, &visitor, who, Refusal::AlreadyAccepted, locale))
        }
        Err(error) => not_completed(&portal, &visitor, &opened.invited, &error),
    }
}

/// The answer to a form that was sent before and has set the account up, if its code lets in: the same again.
async fn set_up_again(
    portal: &Portal,
    visitor: &Visitor,
    account: &ClinicAccountSpec,
    draft: &Draft,
    code: &str,
) -> Option<Response> {
    let is_named = account.credential() == Some(&draft.planned.credential());
    is_named.then_some(())?;
    let challenge = Challenge::of_acceptance(account, &portal.facts(account), Some(draft.planned.form()))?;
    let target = portal.target_of(visitor, &challenge);
    let check = Box::pin(portal.check_code(&challenge, Code::OfApp(code)));
    match tried(portal, visitor, (target, Factor::Totp), &challenge, check).await {
        Ok(account) => Some(see_other(path::RECOVERY_CODES, portal.keep_codes(visitor, &account.spec, &draft.planned))),
        Err(Tried::Answered(answer)) => Some(answer),
        Err(Tried::Refused(_)) => None,
    }
}

fn enrol(portal: &Portal, visitor: &Visitor, opened: &Opened, draft: &Draft, fault: Option<CodeFault>) -> Response {
    let invited = &opened.invited;
    let occasion = if invited.requires_a_second_factor() {
        EnrolOccasion::Required
    } else {
        EnrolOccasion::Chosen { back: &opened.path, minimum_without: Minimum::Alone.characters() }
    };
    second_factor::enrol(
        portal,
        visitor,
        &Setup {
            locale: invited.locale(),
            clinic: &invited.clinic.spec.display_name,
            email: invited.email(),
            planned: &draft.planned,
            action: &format!("{}{SECOND_FACTOR}", opened.path),
            draft: portal.draft(visitor, &opened.link.place(), draft).as_deref(),
            link: Some(&opened.link.code()),
            occasion,
            fault,
        },
    )
}
