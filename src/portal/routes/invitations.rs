//! Accepting an invitation. Opening the link changes nothing, whatever opens it and how often; only the form accepts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use tracing::warn;

use super::super::acceptance::{AcceptError, Confirmed};
use super::super::credentials::{CreateError, NAME_BYTES, Proof, name};
use super::super::invitations::{CompleteError, Draft, Invited, NotInvited};
use super::super::pages::{Accept, AcceptFaults, Choice, CodeFault, EnrolOccasion, Notice, Page, SecondFactor, field};
use super::super::sign_in::first_step;
use super::super::web::form::{Sent, is_within};
use super::super::web::reply::{Reply, see_other};
use super::super::web::visitor::Visitor;
use super::super::{Portal, metrics, path};
use super::second_factor::{self, Setup, fault, recovery_codes, status};
use crate::adapters::kubernetes::ApiError;
use crate::adapters::passwords::HashError;
use crate::adapters::random::secret_bytes;
use crate::api::credential::Used;
use crate::domain::acceptance::{Refusal, parse_link};
use crate::domain::invitation::Token;
use crate::domain::member::Locale;
use crate::domain::password::Minimum;

/// How long a second factor may take to be set up.
const DRAFT_LASTS: SignedDuration = SignedDuration::from_mins(30);
const PREFIX: &str = "/invitations/";
const SECOND_FACTOR: &str = "/second-factor";

/// The link as it was asked for, with what it opens.
struct Opened {
    invited: Invited,
    token: Token,
    /// The page's own path.
    path: String,
}

/// The page of a link.
pub async fn show(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    match open(&portal, &visitor).await {
        Ok(opened) => {
            let desired = &opened.invited.account.spec.desired;
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let typed = [text(&desired.first_name), text(&desired.last_name), text(&desired.title)];
            form(&portal, &visitor, &opened, &typed, Choice::Now, AcceptFaults::default())
        }
        Err(answer) => answer,
    }
}

/// The form was sent.
pub async fn accept(State(portal): State<Arc<Portal>>, visitor: Visitor, sent: Sent) -> Response {
    let opened = match open(&portal, &visitor).await {
        Ok(opened) => opened,
        Err(answer) => return answer,
    };
    let invited = &opened.invited;
    let with_factor = invited.requires_a_second_factor() || sent.has(field::SECOND_FACTOR);
    let choice = if with_factor { Choice::Now } else { Choice::Later };
    let minimum = if with_factor { Minimum::WithSecondFactor } else { Minimum::Alone };
    let typed = match invited.read(&sent, minimum) {
        Ok(typed) => typed,
        Err(faults) => {
            portal.metrics.acceptance(metrics::Acceptance::Incomplete);
            let typed = [field::FIRST_NAME, field::LAST_NAME, field::TITLE].map(|name| sent.get(name).to_owned());
            return form(&portal, &visitor, &opened, &typed, choice, faults);
        }
    };
    if let Err(wait) = portal.throttles.try_to_accept(&invited.account.spec.id, portal.clock.now()) {
        return portal.wait(&visitor, invited.locale(), wait);
    }
    let password = match portal.passwords.hash(typed.password.clone()).await {
        Ok(password) => password,
        Err(HashError::Busy) => {
            return portal.notice(&visitor, invited.locale(), StatusCode::SERVICE_UNAVAILABLE, Notice::Busy);
        }
        Err(HashError::Failed) => return failed(&portal, &visitor, invited.locale()),
    };
    if with_factor {
        let Some(planned) = portal.plan() else { return failed(&portal, &visitor, invited.locale()) };
        let draft = Draft::new(typed, password, planned, portal.clock.now());
        return enrol(&portal, &visitor, &opened, &draft, None);
    }
    let Ok(random) = secret_bytes::<NAME_BYTES>() else { return failed(&portal, &visitor, invited.locale()) };
    let confirmed = Confirmed {
        first_name: typed.first_name,
        last_name: typed.last_name,
        title: typed.title,
        credential: name(random),
    };
    let proof = Proof { password, factor: None, former: None };
    match portal.complete(invited, &opened.token, &confirmed, &proof, Used::default()).await {
        Ok(accepted) => see_other(path::HOME, portal.begin_session(&accepted.account.spec)),
        Err(error) => not_completed(&portal, &visitor, invited.locale(), &error),
    }
}

/// The page of the second factor cannot be shown again.
pub async fn show_of_second_factor(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    let Some((_, path)) = link(&visitor) else { return refused(&portal, &visitor, Refusal::Unknown, None) };
    let mut answer = StatusCode::SEE_OTHER.into_response();
    if let Ok(path) = HeaderValue::from_str(&path) {
        answer.headers_mut().insert(header::LOCATION, path);
    }
    answer
}

/// The first code of the second factor was sent.
pub async fn second_factor(State(portal): State<Arc<Portal>>, visitor: Visitor, sent: Sent) -> Response {
    let Some(((account, token), path)) = link(&visitor) else {
        return refused(&portal, &visitor, Refusal::Unknown, None);
    };
    let draft: Option<Draft> = portal.open_draft(&visitor, &place(&account, &token), &sent);
    let now = portal.clock.now();
    let Some(draft) = draft.filter(|draft| is_within(draft.shown, DRAFT_LASTS, now)) else {
        return portal.notice(&visitor, None, StatusCode::FORBIDDEN, Notice::FormOutOfDate { again: &path });
    };
    if let Some(answer) = sent_again(&portal, &visitor, &account, &draft, sent.get(field::CODE)) {
        return answer;
    }
    let opened = match open(&portal, &visitor).await {
        Ok(opened) => opened,
        Err(answer) => return answer,
    };
    let locale = opened.invited.locale();
    let step = match first_step(&draft.planned, sent.get(field::CODE), now) {
        Ok(step) => step,
        Err(refused) => return enrol(&portal, &visitor, &opened, &draft, Some(fault(&refused))),
    };
    let Some(proof) = draft.proof() else { return failed(&portal, &visitor, locale) };
    let used = Used { totp_step: Some(step), ..Used::default() };
    match portal.complete(&opened.invited, &opened.token, &draft.confirmed(), &proof, used).await {
        Ok(accepted) => {
            // A code lets in once: who sends the form again gets the codes again, and signs in as always.
            let cookies = if accepted.is_new { portal.begin_session(&accepted.account.spec) } else { Vec::new() };
            recovery_codes(&portal, &visitor, locale, &draft.planned, cookies)
        }
        Err(error) => not_completed(&portal, &visitor, locale, &error),
    }
}

/// The answer to a form that was sent before and whose answer was lost: its recovery codes are shown nowhere else.
fn sent_again(portal: &Portal, visitor: &Visitor, account: &str, draft: &Draft, code: &str) -> Option<Response> {
    let account = portal.records.account(account)?.spec;
    let is_named = account.credential() == Some(&draft.planned.credential());
    is_named.then_some(()).filter(|()| first_step(&draft.planned, code, portal.clock.now()).is_ok())?;
    Some(recovery_codes(portal, visitor, account.desired.locale, &draft.planned, Vec::new()))
}

/// Account and token of the path that was asked for, and the path of the invitation's page.
fn link(visitor: &Visitor) -> Option<((String, Token), String)> {
    let path = visitor.path.strip_suffix(SECOND_FACTOR).unwrap_or(&visitor.path);
    let (account, token) = parse_link(path.strip_prefix(PREFIX)?)?;
    Some(((account.to_owned(), token), path.to_owned()))
}

async fn open(portal: &Portal, visitor: &Visitor) -> Result<Opened, Response> {
    let Some(((account, token), path)) = link(visitor) else {
        return Err(refused(portal, visitor, Refusal::Unknown, None));
    };
    match portal.invitation(&account, &token).await {
        Ok(invited) => Ok(Opened { invited, token, path }),
        Err(NotInvited::Refused(refusal, locale)) => Err(refused(portal, visitor, refusal, locale)),
        Err(NotInvited::Unreachable) => Err(portal.unreachable(visitor, None)),
    }
}

fn refused(portal: &Portal, visitor: &Visitor, refusal: Refusal, locale: Option<Locale>) -> Response {
    portal.metrics.acceptance(metrics::Acceptance::Refused);
    let status = match refusal {
        Refusal::Unknown => StatusCode::NOT_FOUND,
        Refusal::Replaced
        | Refusal::AlreadyAccepted
        | Refusal::Removed
        | Refusal::TrainingEnded
        | Refusal::Suspended
        | Refusal::Expired => StatusCode::GONE,
    };
    portal.notice(visitor, locale, status, refusal.into())
}

fn failed(portal: &Portal, visitor: &Visitor, locale: Option<Locale>) -> Response {
    portal.notice(visitor, locale, StatusCode::INTERNAL_SERVER_ERROR, Notice::Failed)
}

fn not_completed(portal: &Portal, visitor: &Visitor, locale: Option<Locale>, error: &CompleteError) -> Response {
    if let CompleteError::Accept(AcceptError::Refused(refusal)) = error {
        return refused(portal, visitor, *refusal, locale);
    }
    warn!(%error, "an invitation was not accepted");
    match error {
        CompleteError::Accept(AcceptError::Api(refused)) | CompleteError::Create(CreateError::Api(refused))
            if refused.is_for_an_administrator() =>
        {
            portal.metrics.acceptance(metrics::Acceptance::Prevented);
            portal.prevented(visitor, locale)
        }
        // The API server refuses what was typed, although it looks right here.
        CompleteError::Accept(AcceptError::Api(ApiError::Invalid(_))) | CompleteError::Random => {
            failed(portal, visitor, locale)
        }
        CompleteError::Accept(_) | CompleteError::Create(_) => portal.unreachable(visitor, locale),
    }
}

/// What a draft is sealed for: this link alone.
fn place(account: &str, token: &Token) -> String {
    format!("{account}.{}", token.digest())
}

fn form(
    portal: &Portal,
    visitor: &Visitor,
    opened: &Opened,
    typed: &[String; 3],
    choice: Choice,
    faults: AcceptFaults,
) -> Response {
    let invited = &opened.invited;
    let [first_name, last_name, title] = typed;
    let is_first = faults == AcceptFaults::default();
    let second_factor = if invited.requires_a_second_factor() {
        SecondFactor::Required
    } else {
        SecondFactor::Recommended { minimum_without: Minimum::Alone.characters(), choice }
    };
    let page = Page::Accept(Accept {
        action: &opened.path,
        greeting: invited.account.spec.desired.first_name.as_deref(),
        email: invited.email(),
        first_name,
        last_name,
        title,
        minimum: Minimum::WithSecondFactor.characters(),
        second_factor,
        expires: &invited.expires_in_words(portal.locale(visitor, invited.locale())),
        faults,
    });
    let reply = Reply { again: Some(&opened.path), ..Reply::with(status(!is_first), invited.locale()) };
    portal.page(visitor, reply, &page)
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
            draft: portal.draft(visitor, &place(&invited.account.spec.id, &opened.token), draft).as_deref(),
            occasion,
            fault,
        },
    )
}
