//! Signing in: address and password, then, if there is one, the second factor.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::SignedDuration;

use super::super::codes::{Code, CodeRefused};
use super::super::failures::{Attempt, Factor, Failure, Outcome, Who};
use super::super::pages::{self, CodeFault, EnrolOccasion, Page, SecondStepFault, SignInMessage, field};
use super::super::sessions::{Status, Unreachable};
use super::super::sign_in::{Challenge, Enrolment, Next, NotLetIn};
use super::super::steps::Step;
use super::super::throttles::Target;
use super::super::web::form::Sent;
use super::super::web::reply::{Reply, see_other};
use super::super::web::visitor::Visitor;
use super::super::{Portal, metrics, path};
use super::second_factor::{self, Setup, fault, status};
use crate::api::ClinicAccount;
use crate::domain::member::Locale;

/// What the fields of the second step are sealed for.
const CHALLENGE: &str = "challenge";
const ENROLMENT: &str = "enrolment";
/// How a session ended: its person signed out.
pub const BY_SIGN_OUT: &str = "sign-out";
/// How a session ended: by itself, or access did.
pub const BY_ITSELF: &str = "itself";

/// The page of the first step.
pub async fn show(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    match portal.session(&visitor).await {
        Ok(Status::SignedIn(_)) => return see_other(path::HOME, Vec::new()),
        Err(Unreachable) => return portal.session_unreachable(&visitor),
        Ok(Status::NotSignedIn | Status::Ended) => {}
    }
    if !portal.contact.may_sign_in() {
        return portal.unreachable(&visitor, None);
    }
    let message = match visitor.ended.as_deref() {
        Some(BY_SIGN_OUT) => Some(SignInMessage::SignedOut),
        Some(BY_ITSELF) => Some(SignInMessage::SessionEnded),
        Some(_) | None => None,
    };
    first_step(&portal, &visitor, StatusCode::OK, "", message)
}

/// The page of the step that the browser is at.
pub async fn show_step(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    match portal.step(&visitor) {
        Some(Step::Code(challenge)) => second_step(&portal, &visitor, &challenge, None),
        Some(Step::Enrol(enrolment)) => enrol_page(&portal, &visitor, &enrolment, None),
        Some(Step::Accept { .. } | Step::Keep(_)) | None => see_other(path::SIGN_IN, Vec::new()),
    }
}

/// Address and password were sent.
pub async fn password(State(portal): State<Arc<Portal>>, visitor: Visitor, sent: Sent) -> Response {
    let (username, password) = (sent.get(field::EMAIL), sent.get(field::PASSWORD));
    let fail = |outcome| portal.not_signed_in(&visitor, Who::Username(username), Factor::Password, outcome);
    if !portal.contact.may_sign_in() {
        fail(Outcome::Unreachable);
        return portal.unreachable(&visitor, None);
    }
    if !sent.is_ours() {
        let message = Some(SignInMessage::FormOutOfDate);
        return first_step(&portal, &visitor, StatusCode::FORBIDDEN, username, message);
    }
    let target = portal.target(&visitor, username);
    let tried = match portal.throttles.try_password(visitor.client, target, portal.clock.now()) {
        Ok(tried) => tried,
        Err(wait) => {
            fail(Outcome::SlowedDown);
            return slow_down(&portal, &visitor, wait);
        }
    };
    let next = match portal.check_password(target.asker(visitor.client), username, password).await {
        Ok(next) => next,
        Err(no @ (NotLetIn::Wrong | NotLetIn::Refused)) => {
            fail(Outcome::from(&no));
            return refused(&portal, &visitor, username);
        }
        Err(other) => {
            fail(Outcome::from(&other));
            portal.throttles.password_was_not_tried(tried);
            return portal.not_now(&visitor, None, &other);
        }
    };
    portal.throttles.password_was_right(tried);
    match next {
        Next::LetIn(account) => {
            portal.metrics.sign_in(metrics::SignIn::SignedIn);
            let cookies = portal.begin_session(&account.spec);
            see_other(path::HOME, cookies.into_iter().chain(portal.end_step()).collect())
        }
        Next::Code(challenge) => {
            portal.metrics.sign_in(metrics::SignIn::CodeAsked);
            see_other(path::CODE, portal.at_step(&visitor, &Step::Code(challenge)))
        }
        Next::Enrol(enrolment) => {
            portal.metrics.sign_in(metrics::SignIn::CodeAsked);
            let enrolment = portal.goes_on(&visitor, *enrolment);
            see_other(path::ENROL, portal.at_step(&visitor, &Step::Enrol(enrolment)))
        }
    }
}

/// A code was sent.
pub async fn code(State(portal): State<Arc<Portal>>, visitor: Visitor, sent: Sent) -> Response {
    let recovery = sent.has(field::RECOVERY_CODE);
    let code =
        if recovery { Code::Recovery(sent.get(field::RECOVERY_CODE)) } else { Code::OfApp(sent.get(field::CODE)) };
    let factor = if recovery { Factor::RecoveryCode } else { Factor::Totp };
    let challenge: Option<Challenge> = portal.open_draft(&visitor, CHALLENGE, &sent);
    let challenge = match challenge {
        Some(challenge) if challenge.is_in_time(portal.clock.now()) => challenge,
        late => return took_too_long(&portal, &visitor, late.as_ref(), factor),
    };
    let answer = {
        let target = portal.target_of(&visitor, &challenge);
        let check = Box::pin(portal.check_code(&challenge, code));
        tried(&portal, &visitor, (target, factor), &challenge, check).await
    };
    match answer {
        Ok(account) => {
            portal.metrics.sign_in(metrics::SignIn::SignedIn);
            let cookies = portal.begin_session(&account.spec);
            see_other(path::HOME, cookies.into_iter().chain(portal.end_step()).collect())
        }
        Err(Tried::Answered(answer)) => answer,
        Err(Tried::Refused(refused)) => {
            let fault = if recovery { SecondStepFault::RecoveryCode } else { SecondStepFault::Code(fault(&refused)) };
            second_step(&portal, &visitor, &challenge, Some(fault))
        }
    }
}

/// The first code of a second factor that the clinic requires by now was sent.
pub async fn enrol(State(portal): State<Arc<Portal>>, visitor: Visitor, sent: Sent) -> Response {
    let enrolment: Option<Enrolment> = portal.open_draft(&visitor, ENROLMENT, &sent);
    let enrolment = match enrolment {
        Some(enrolment) if enrolment.is_in_time(portal.clock.now()) => enrolment,
        late => return took_too_long(&portal, &visitor, late.as_ref().map(|late| &late.challenge), Factor::Totp),
    };
    let answer = {
        let target = portal.target_of(&visitor, &enrolment.challenge);
        let check = Box::pin(portal.enrol(&enrolment, sent.get(field::CODE)));
        tried(&portal, &visitor, (target, Factor::Totp), &enrolment.challenge, check).await
    };
    match answer {
        Ok(account) => {
            portal.metrics.sign_in(metrics::SignIn::SignedIn);
            see_other(path::RECOVERY_CODES, portal.keep_codes(&visitor, &account.spec, &enrolment.planned))
        }
        Err(Tried::Answered(answer)) => answer,
        Err(Tried::Refused(refused)) => enrol_page(&portal, &visitor, &enrolment, Some(fault(&refused))),
    }
}

/// What came of a code, if it was not right.
pub(super) enum Tried {
    /// The code was refused: the page is shown again.
    Refused(CodeRefused),
    /// Another answer.
    Answered(Response),
}

/// Tries a code, unless too many were tried.
pub(super) async fn tried<T>(
    portal: &Portal,
    visitor: &Visitor,
    (target, factor): (Target, Factor),
    challenge: &Challenge,
    check: impl Future<Output = Result<T, CodeRefused>>,
) -> Result<T, Tried> {
    let fail = |outcome| portal.not_signed_in(visitor, Who::Account(&challenge.account), factor, outcome);
    if !portal.contact.may_sign_in() {
        fail(Outcome::Unreachable);
        return Err(Tried::Answered(portal.unreachable(visitor, None)));
    }
    let tried = match portal.throttles.try_code(visitor.client, target, portal.clock.now()) {
        Ok(tried) => tried,
        Err(wait) => {
            fail(Outcome::SlowedDown);
            return Err(Tried::Answered(slow_down(portal, visitor, wait)));
        }
    };
    let answer = check.await;
    if let Err(refused) = &answer {
        fail(Outcome::from(refused));
    }
    match answer {
        Ok(right) => {
            portal.throttles.code_was_right(tried);
            Ok(right)
        }
        Err(CodeRefused::Otherwise(NotLetIn::Refused)) => {
            portal.throttles.code_was_not_tried(tried);
            Err(Tried::Answered(refused(portal, visitor, &portal.login_of(challenge))))
        }
        Err(CodeRefused::Otherwise(other)) => {
            portal.throttles.code_was_not_tried(tried);
            Err(Tried::Answered(portal.not_now(visitor, portal.locale_of(challenge), &other)))
        }
        Err(refused) => {
            if matches!(refused, CodeRefused::Malformed) {
                portal.throttles.code_was_not_tried(tried);
            }
            portal.metrics.sign_in(metrics::SignIn::CodeRefused);
            Err(Tried::Refused(refused))
        }
    }
}

impl Portal {
    fn not_signed_in(&self, visitor: &Visitor, who: Who<'_>, factor: Factor, outcome: Outcome) {
        self.failed(visitor, &Failure { attempt: Attempt::SignIn, who, factor, outcome });
    }

    fn account_named(&self, challenge: &Challenge) -> Option<ClinicAccount> {
        self.records.account(&challenge.account)
    }

    fn locale_of(&self, challenge: &Challenge) -> Option<Locale> {
        self.account_named(challenge)?.spec.desired.locale
    }

    /// Empty if there is none.
    fn login_of(&self, challenge: &Challenge) -> String {
        let acceptance = self.account_named(challenge).and_then(|account| account.spec.acceptance);
        acceptance.map_or_else(String::new, |acceptance| (*acceptance.login).to_owned())
    }

    /// The enrolment of somebody who begins again has the second factor that this browser has shown before: it may be in the app.
    fn goes_on(&self, visitor: &Visitor, enrolment: Enrolment) -> Enrolment {
        match self.step(visitor) {
            Some(Step::Enrol(before)) if before.challenge.account == enrolment.challenge.account => {
                enrolment.with_factor_of(before)
            }
            Some(Step::Enrol(_) | Step::Code(_) | Step::Accept { .. } | Step::Keep(_)) | None => enrolment,
        }
    }

    /// On whom codes are tried.
    pub(super) fn target_of(&self, visitor: &Visitor, challenge: &Challenge) -> Target {
        self.target(visitor, &self.login_of(challenge))
    }
}

fn slow_down(portal: &Portal, visitor: &Visitor, wait: SignedDuration) -> Response {
    portal.metrics.sign_in(metrics::SignIn::SlowedDown);
    portal.wait(visitor, None, wait)
}

/// The one answer to whoever is not let in, at whichever step, so that it tells nobody why.
fn refused(portal: &Portal, visitor: &Visitor, username: &str) -> Response {
    portal.metrics.sign_in(metrics::SignIn::Refused);
    let message = Some(SignInMessage::Refused);
    first_step(portal, visitor, StatusCode::UNPROCESSABLE_ENTITY, username, message)
}

/// The password must be typed again. `late`: what the form carried, if it can be read.
fn took_too_long(portal: &Portal, visitor: &Visitor, late: Option<&Challenge>, factor: Factor) -> Response {
    let who = late.map_or(Who::Nobody, |late| Who::Account(&late.account));
    portal.not_signed_in(visitor, who, factor, Outcome::OutOfDate);
    let email = late.map_or_else(String::new, |late| portal.login_of(late));
    let message = Some(SignInMessage::TookTooLong);
    first_step(portal, visitor, StatusCode::UNPROCESSABLE_ENTITY, &email, message)
}

fn first_step(
    portal: &Portal,
    visitor: &Visitor,
    status: StatusCode,
    email: &str,
    message: Option<SignInMessage>,
) -> Response {
    let page = Page::SignIn(pages::SignIn { action: path::SIGN_IN, email, message });
    portal.page(visitor, Reply { again: Some(path::SIGN_IN), ..Reply::with(status, None) }, &page)
}

fn second_step(portal: &Portal, visitor: &Visitor, challenge: &Challenge, fault: Option<SecondStepFault>) -> Response {
    let draft = portal.draft(visitor, CHALLENGE, challenge);
    let username = portal.login_of(challenge);
    let page = Page::Code(pages::Code { action: path::CODE, draft: draft.as_deref(), username: &username, fault });
    let reply = Reply::with(status(fault.is_some()), portal.locale_of(challenge));
    portal.page(visitor, Reply { again: Some(path::CODE), ..reply }, &page)
}

fn enrol_page(portal: &Portal, visitor: &Visitor, enrolment: &Enrolment, fault: Option<CodeFault>) -> Response {
    second_factor::enrol(
        portal,
        visitor,
        &Setup {
            locale: portal.locale_of(&enrolment.challenge),
            clinic: &portal.clinic().name,
            email: &portal.login_of(&enrolment.challenge),
            planned: &enrolment.planned,
            action: path::ENROL,
            draft: portal.draft(visitor, ENROLMENT, enrolment).as_deref(),
            link: None,
            occasion: EnrolOccasion::RequiredSince,
            fault,
        },
    )
}
