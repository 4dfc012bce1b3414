//! Accepting an invitation. Opening the link changes nothing, whatever opens it and how often; only the form accepts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use sha2::{Digest, Sha256};
use tracing::warn;

use super::super::acceptance::{AcceptError, Accepted, Confirmed};
use super::super::credentials::{CreateError, NAME_BYTES, Proof, name};
use super::super::failures::{Attempt, Factor, Failure, Outcome, Who};
use super::super::invitations::{CompleteError, Invited, NotInvited, Typed};
use super::super::opened::Link;
use super::super::pages::{
    Accept, AcceptFaults, AcceptNote, Choice, Notice, Open, OtherSession, Page, SecondFactor, field,
};
use super::super::sessions::{Status, Unreachable};
use super::super::sign_in::NotLetIn;
use super::super::web::form::Sent;
use super::super::web::reply::{Reply, see_other};
use super::super::web::visitor::Visitor;
use super::super::{Portal, metrics, path};
use super::second_factor::status;
use super::set_up;
use crate::adapters::kubernetes::ApiError;
use crate::adapters::passwords::{HashError, PasswordHash};
use crate::adapters::random::secret_bytes;
use crate::api::account::ClinicAccountSpec;
use crate::api::credential::Used;
use crate::domain::acceptance::{Refusal, is_account_name};
use crate::domain::member::{Locale, full_name};
use crate::domain::password::Minimum;
use crate::domain::typed::code_of_link;

pub(super) const SECOND_FACTOR: &str = "/second-factor";

/// A link with what it opens.
pub(super) struct Opened {
    pub(super) invited: Invited,
    pub(super) link: Link,
    /// The page's own path.
    pub(super) path: String,
}

/// What stands in the fields of the form.
pub(super) struct Filled {
    pub(super) names: [String; 3],
    pub(super) choice: Choice,
    pub(super) faults: AcceptFaults,
    pub(super) note: Option<AcceptNote>,
}

impl Filled {
    pub(super) fn with(names: [String; 3]) -> Self {
        Self { names, choice: Choice::Now, faults: AcceptFaults::default(), note: None }
    }
}

/// Where every link leads, the same to whoever asks: the link's code is behind the `#`, which does not come here. The page's script
/// sends it as the form would.
pub async fn ask_for_code(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    let reply = Reply { again: Some(path::INVITATIONS), ..Reply::ok(None) };
    portal.page(&visitor, reply, &Page::Open(Open { action: path::INVITATIONS }))
}

/// The code of a link was sent. Its form needs no token of ours: the code is the secret, and nothing is changed.
pub async fn code(State(portal): State<Arc<Portal>>, visitor: Visitor, sent: Sent) -> Response {
    let Some(link) = Link::parse(&code_of_link(sent.get(field::LINK))) else {
        return refused(&portal, &visitor, Who::Nobody, Refusal::Unknown, None);
    };
    match open(&portal, &visitor, Some(link)).await {
        Ok(opened) => see_other(&opened.path, portal.remember_link(&visitor, &opened.link)),
        Err(answer) => answer,
    }
}

/// The page of an invitation.
pub async fn show(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    match open(&portal, &visitor, link(&portal, &visitor, None)).await {
        // The link of version 0.1: its token does not stay in the address.
        Ok(opened) if opened.path != visitor.path => {
            see_other(&opened.path, portal.remember_link(&visitor, &opened.link))
        }
        Ok(opened) => {
            if let Some(answer) = ask_first(&portal, &visitor, &opened).await {
                return answer;
            }
            let names = match set_up::setting_up(&portal, &visitor, &opened.link.place()) {
                Some(draft) => draft.names(),
                None => opened.invited.names(),
            };
            form(&portal, &visitor, &opened, &Filled::with(names))
        }
        Err(answer) => answer,
    }
}

/// The page that asks whoever is signed in before they accept somebody else's invitation, or another of their own.
async fn ask_first(portal: &Portal, visitor: &Visitor, opened: &Opened) -> Option<Response> {
    let other = match portal.session(visitor).await {
        Ok(Status::SignedIn(other)) => other,
        Ok(Status::NotSignedIn | Status::Ended) => return None,
        Err(Unreachable) => return Some(portal.session_unreachable(visitor)),
    };
    let acceptance = other.account.spec.acceptance.as_ref();
    let page = Page::OtherSession(OtherSession {
        sign_out: path::SIGN_OUT,
        link: &opened.link.code(),
        home: path::HOME,
        name: &acceptance.map(|it| full_name(&it.first_name, &it.last_name)).unwrap_or_default(),
        email: opened.invited.email(),
    });
    let reply = Reply { again: Some(&opened.path), ..Reply::ok(opened.invited.locale()) };
    Some(portal.page(visitor, Reply { cookies: other.cookie.into_iter().collect(), ..reply }, &page))
}

/// Whether the account of the link is that of whoever is signed in.
async fn is_theirs(portal: &Portal, visitor: &Visitor, link: &Link) -> bool {
    match portal.session(visitor).await {
        Ok(Status::SignedIn(signed_in)) => signed_in.account.spec.id == link.account,
        Ok(Status::NotSignedIn | Status::Ended) | Err(Unreachable) => false,
    }
}

/// The form was sent.
pub async fn accept(State(portal): State<Arc<Portal>>, visitor: Visitor, sent: Sent) -> Response {
    if let Some(answer) = sent_again(&portal, &visitor, &sent).await {
        return answer;
    }
    let opened = match open_as_nobody_else(&portal, &visitor, link(&portal, &visitor, Some(&sent))).await {
        Ok(opened) => opened,
        Err(answer) => return answer,
    };
    let invited = &opened.invited;
    let with_factor = invited.requires_a_second_factor() || sent.has(field::SECOND_FACTOR);
    let choice = if with_factor { Choice::Now } else { Choice::Later };
    let names = [field::FIRST_NAME, field::LAST_NAME, field::TITLE].map(|name| sent.get(name).to_owned());
    let filled = Filled { choice, ..Filled::with(names) };
    if !sent.is_ours() {
        return form(&portal, &visitor, &opened, &Filled { note: Some(AcceptNote::OutOfDate), ..filled });
    }
    let minimum = if with_factor { Minimum::WithSecondFactor } else { Minimum::Alone };
    let typed = match invited.read(&sent, minimum) {
        Ok(typed) => typed,
        Err(faults) => {
            portal.metrics.acceptance(metrics::Acceptance::Incomplete);
            return form(&portal, &visitor, &opened, &Filled { faults, ..filled });
        }
    };
    if let Err(wait) = portal.throttles.try_to_accept(&invited.account.spec.id, portal.clock.now()) {
        not_accepted(&portal, &visitor, Who::Account(&invited.account.spec.id), Factor::Link, Outcome::SlowedDown);
        return portal.wait(&visitor, invited.locale(), wait);
    }
    let password = match portal.hash(&visitor, typed.password.clone()).await {
        Ok(password) => password,
        Err(HashError::Busy) => {
            return portal.notice(&visitor, invited.locale(), StatusCode::SERVICE_UNAVAILABLE, Notice::Busy);
        }
        Err(HashError::Failed) => return failed(&portal, &visitor, invited.locale()),
    };
    if with_factor {
        set_up::begin(&portal, &visitor, &opened, typed, password)
    } else {
        set_up_alone(&portal, &visitor, &opened, typed, password, &sent).await
    }
}

/// Sets the account up with a password alone.
async fn set_up_alone(
    portal: &Portal,
    visitor: &Visitor,
    opened: &Opened,
    typed: Typed,
    password: PasswordHash,
    sent: &Sent,
) -> Response {
    let invited = &opened.invited;
    let credential = credential_of(portal, &invited.account.spec.id, sent);
    let Some(credential) = credential.or_else(|| secret_bytes().ok().map(name)) else {
        return failed(portal, visitor, invited.locale());
    };
    let Typed { first_name, last_name, title, .. } = typed;
    let confirmed = Confirmed { first_name, last_name, title, credential };
    let proof = Proof { password, factor: None, former: None };
    match portal.complete(invited, &opened.link.token, &confirmed, &proof, Used::default()).await {
        Ok(Accepted { account, is_new: true }) => see_other(path::HOME, portal.begin_session(&account.spec)),
        Ok(Accepted { account, is_new: false }) => accepted_again(portal, visitor, &account.spec).await,
        Err(error) => not_completed(portal, visitor, invited, &error),
    }
}

/// The name of the credential that this form makes without a second factor, with what is typed into it: the same each time that it is
/// sent. The form's token is a secret of its reader, so the name tells nothing of the password. `None`: it is no form of this browser.
fn credential_of(portal: &Portal, account: &str, sent: &Sent) -> Option<String> {
    let mut form = Sha256::new();
    let typed = [field::FIRST_NAME, field::LAST_NAME, field::TITLE, field::PASSWORD].map(|name| sent.get(name));
    for part in ["clinic-operator.dev/acceptance", sent.shown_as(portal.clock.now())?, account].into_iter().chain(typed)
    {
        form.update(part.len().to_be_bytes());
        form.update(part);
    }
    let mut random = [0; NAME_BYTES];
    random.copy_from_slice(&form.finalize()[..NAME_BYTES]);
    Some(name(random))
}

/// The answer to a form that was sent before and has set the account up without a second factor: the same again.
async fn sent_again(portal: &Portal, visitor: &Visitor, sent: &Sent) -> Option<Response> {
    let link = link(portal, visitor, Some(sent))?;
    let account = portal.records.account(&link.account)?.spec;
    let is_named =
        account.credential().is_some_and(|named| credential_of(portal, &account.id, sent).as_deref() == Some(named));
    is_named.then_some(())?;
    Some(accepted_again(portal, visitor, &account).await)
}

async fn accepted_again(portal: &Portal, visitor: &Visitor, account: &ClinicAccountSpec) -> Response {
    match portal.accepted_again(account).await {
        Ok(account) => see_other(path::HOME, portal.begin_session(&account.spec)),
        Err(NotLetIn::Refused | NotLetIn::Wrong) => {
            refused(portal, visitor, Who::OfLink(&account.id), Refusal::AlreadyAccepted, account.desired.locale)
        }
        Err(other) => portal.not_now(visitor, account.desired.locale, &other),
    }
}

/// The link that a request is about: its path names the account. Links of version 0.1 have their whole code there.
pub(super) fn link(portal: &Portal, visitor: &Visitor, sent: Option<&Sent>) -> Option<Link> {
    let named = named(visitor)?;
    let of_form = || Link::parse(sent?.get(field::LINK)).filter(|link| link.account == named);
    Link::parse(named).or_else(of_form).or_else(|| portal.opened_link(visitor, named))
}

/// What the path names.
fn named(visitor: &Visitor) -> Option<&str> {
    let path = visitor.path.strip_suffix(SECOND_FACTOR).unwrap_or(&visitor.path);
    path.strip_prefix(path::INVITATIONS)?.strip_prefix('/')
}

pub(super) async fn open(portal: &Portal, visitor: &Visitor, link: Option<Link>) -> Result<Opened, Response> {
    let Some(link) = link else { return Err(no_link(portal, visitor)) };
    match portal.invitation(visitor.client, &link.account, &link.token).await {
        Ok(invited) => Ok(Opened { path: link.path(), invited, link }),
        Err(NotInvited::Refused(Refusal::AlreadyAccepted, locale)) if is_theirs(portal, visitor, &link).await => {
            Err(portal.notice(visitor, locale, StatusCode::GONE, Notice::AlreadyYours))
        }
        Err(NotInvited::Refused(refusal, locale)) => {
            Err(refused(portal, visitor, Who::OfLink(&link.account), refusal, locale))
        }
        Err(NotInvited::TooManyTries(wait)) => Err(portal.wait(visitor, None, wait)),
        Err(NotInvited::Unreachable) => Err(portal.unreachable(visitor, None)),
    }
}

/// The same, unless somebody else is signed in, who is asked first.
pub(super) async fn open_as_nobody_else(
    portal: &Portal,
    visitor: &Visitor,
    link: Option<Link>,
) -> Result<Opened, Response> {
    let opened = open(portal, visitor, link).await?;
    match ask_first(portal, visitor, &opened).await {
        Some(answer) => Err(answer),
        None => Ok(opened),
    }
}

/// The answer where nobody has opened a link: the same whether there is such an account.
pub(super) fn no_link(portal: &Portal, visitor: &Visitor) -> Response {
    if named(visitor).is_some_and(is_account_name) {
        see_other(path::INVITATIONS, Vec::new())
    } else {
        refused(portal, visitor, Who::Nobody, Refusal::Unknown, None)
    }
}

pub(super) fn refused(
    portal: &Portal,
    visitor: &Visitor,
    who: Who<'_>,
    refusal: Refusal,
    locale: Option<Locale>,
) -> Response {
    portal.metrics.acceptance(metrics::Acceptance::Refused);
    not_accepted(portal, visitor, who, Factor::Link, refusal.into());
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

pub(super) fn not_accepted(portal: &Portal, visitor: &Visitor, who: Who<'_>, factor: Factor, outcome: Outcome) {
    portal.failed(visitor, &Failure { attempt: Attempt::Acceptance, who, factor, outcome });
}

pub(super) fn failed(portal: &Portal, visitor: &Visitor, locale: Option<Locale>) -> Response {
    portal.notice(visitor, locale, StatusCode::INTERNAL_SERVER_ERROR, Notice::Failed)
}

pub(super) fn not_completed(portal: &Portal, visitor: &Visitor, invited: &Invited, error: &CompleteError) -> Response {
    let locale = invited.locale();
    if let CompleteError::Accept(AcceptError::Refused(refusal)) = error {
        return refused(portal, visitor, Who::OfLink(&invited.account.spec.id), *refusal, locale);
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

pub(super) fn form(portal: &Portal, visitor: &Visitor, opened: &Opened, filled: &Filled) -> Response {
    let invited = &opened.invited;
    let Filled { names: [first_name, last_name, title], choice, faults, note } = filled;
    let is_refused = *faults != AcceptFaults::default() || note.is_some();
    let second_factor = if invited.requires_a_second_factor() {
        SecondFactor::Required
    } else {
        SecondFactor::Recommended { minimum_without: Minimum::Alone.characters(), choice: *choice }
    };
    let page = Page::Accept(Accept {
        action: &opened.path,
        link: &opened.link.code(),
        greeting: invited.account.spec.desired.greeting(),
        email: invited.email(),
        first_name,
        last_name,
        title,
        minimum: Minimum::WithSecondFactor.characters(),
        second_factor,
        expires: &invited.expires_in_words(portal.locale(visitor, invited.locale())),
        faults: *faults,
        note: *note,
    });
    let reply = Reply { again: Some(&opened.path), ..Reply::with(status(is_refused), invited.locale()) };
    portal.page(visitor, reply, &page)
}
