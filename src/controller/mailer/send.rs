//! One mail, from its turn to its outcome. The order of these steps is invariant I2: the attempt is in the ledger before
//! the relay hears of it, and a write-ahead that did not succeed sends nothing.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;
use tokio::time::sleep;
use tracing::field::display;
use tracing::{info, warn};

use super::ledger::{Conclusion, NewLink, concluded, written_ahead};
use super::{Mailer, Settings};
use crate::adapters::kubernetes::{ApiError, guard, merge_difference};
use crate::adapters::mail::{
    Content, EmailChangeNotice, EmailConfirmation, Invitation, Letter, Occasion, RenderError, deliver, render,
};
use crate::adapters::random::secret_bytes;
use crate::api::ClinicAccount;
use crate::api::account::{Access, Attempt, ClinicAccountSpec};
use crate::controller::accounts::decide::{Observed, decide, may_still_go};
use crate::controller::accounts::{access_differs, may_begin, observe};
use crate::controller::cache::Kind;
use crate::controller::context::{Context, Guarded, ReconcileError};
use crate::controller::queue::Key;
use crate::domain::delivery::{Cause, Failure, Fault, Reply, Stage, Trouble, Undelivered};
use crate::domain::email::RawEmail;
use crate::domain::invitation::{
    Due, MailKind, OUTCOME_KNOWN_WITHIN, Outcome, Question, Token, WRITE_AHEAD_VALID, link_expires, validity_ends,
};
use crate::domain::mailer::{Begun, Blame, Evidence};

/// Longest wait between tries to write an outcome; the first is a second, and each doubles it.
const LONGEST_OUTCOME_WAIT: Duration = Duration::from_secs(16);

/// Mails one account, if that is still right. `begun`: what was known of the relay when its turn came.
pub async fn send(mailer: &Mailer, name: &str, begun: Begun) {
    let context = &mailer.context;
    let Some((account, observed)) = observe(&context.cache.read(), name) else { return };
    let decision = decide(&observed, context.clock.now());
    let Some(due) = decision.mail else { return };
    if !may_begin(context, &account.spec, &due) {
        // It was decided anew since its account was: that one asks the guard first.
        return context.cache.work_on(Key::Account(name.into()), Duration::ZERO);
    }
    let again_soon = || context.cache.work_on(Key::Account(name.into()), Duration::from_secs(5));
    let token = match secret_bytes() {
        Ok(bytes) => Token::new(bytes),
        Err(error) => {
            warn!(%error, "failed to draw random bytes: no mail can be sent");
            return again_soon();
        }
    };
    let Ahead { ahead, refused_since } =
        match write_ahead(mailer, &account, &observed, &due, &decision.access, &token).await {
            Ok(Some(written)) => written,
            Ok(None) => return,
            Err(error) => {
                warn!(account = name, %error, "failed to write ahead; nothing was sent");
                return again_soon();
            }
        };
    let result = hand_over(mailer, name, &observed, &ahead, &token).await;
    let mut conclusion = conclude(name, &result);
    let evidence = match conclusion.outcome {
        Outcome::Sent => Evidence::Took,
        Outcome::Dropped => Evidence::Nothing,
        Outcome::Sending | Outcome::Refused | Outcome::Deferred | Outcome::MailerFailed => {
            let domain = addressee(&observed.account, ahead.kind).map(|address| address.domain()).unwrap_or_default();
            Evidence::of(conclusion.trouble.clone(), domain, refused_since)
        }
    };
    conclusion.outcome = match mailer.learn(&ahead.message_id, evidence, begun) {
        Blame::AsItSays => conclusion.outcome,
        Blame::Relay => Outcome::MailerFailed,
        Blame::Undecided => Outcome::Deferred,
        // The relay takes others, or has refused this one for a day.
        Blame::Member => Outcome::Refused,
    };
    let Conclusion { outcome, trouble } = &conclusion;
    let (stage, cause) = (trouble.stage.map(display), trouble.cause.map(display));
    let code = trouble.code.as_deref();
    info!(account = name, kind = ?ahead.kind, round = ahead.round, copy = ahead.copy, ?outcome, stage, cause, code, "mailed");
    context.metrics.mailed(ahead.kind, *outcome, trouble.stage);
    write_outcome(context, name, &ahead, &conclusion).await;
    if *outcome == Outcome::Sent {
        time_from_apply(context, &observed, &ahead);
    }
}

/// What a try came to.
enum HandedOver {
    /// 250 after the dot.
    Taken(Reply),
    /// Not taken, or nobody knows.
    Failed(Undelivered),
    /// It could not be made; the recipient alone is to blame, or our configuration.
    NotRendered(RenderError),
    /// It was no longer right, or too late.
    Dropped,
}

/// An attempt that is written ahead.
struct Ahead {
    ahead: Attempt,
    /// Since when each try of this mail was refused by a reply that does not tell why.
    refused_since: Option<Timestamp>,
}

/// Writes the attempt to the ledger. `None`: somebody else wrote first, so nothing may be sent, and the change that they made
/// brings the account back if a mail is still due.
async fn write_ahead(
    mailer: &Mailer,
    account: &ClinicAccount,
    observed: &Observed,
    due: &Due,
    access: &Access,
    token: &Token,
) -> Result<Option<Ahead>, ReconcileError> {
    let context = &mailer.context;
    let domain = mailer.settings.relay.from.email.domain();
    let now = context.clock.now();
    let valid_until = match due.kind {
        MailKind::Invitation | MailKind::EmailConfirmation => Some(validity_ends(now, observed.wish().validity_days)),
        MailKind::EmailChangeNotice => None,
    };
    let link = NewLink { digest: token.digest(), valid_until };
    let Some(delivery) = written_ahead(&account.spec, due, domain, link, now) else {
        return Ok(None);
    };
    let before = serde_json::to_value(&account.spec.delivery)?;
    let mut patch = json!({ "delivery": merge_difference(&before, &serde_json::to_value(&delivery)?) });
    if account.spec.access.is_none() || access_differs(&account.spec, access) {
        patch["access"] = serde_json::to_value(access)?;
    }
    match context.patch_account(account, &patch).await? {
        Guarded::Written => {
            let refused_since = delivery.refused_since;
            Ok(delivery.attempts.last().cloned().map(|ahead| Ahead { ahead, refused_since }))
        }
        Guarded::Stale => {
            context.cache.work_on(Key::Account(account.spec.id.as_str().into()), Duration::ZERO);
            Ok(None)
        }
    }
}

/// Looks once more whether the mail may go (I3), and hands it to the relay.
async fn hand_over(mailer: &Mailer, name: &str, observed: &Observed, ahead: &Attempt, token: &Token) -> HandedOver {
    let (address, message) = match letter(&mailer.settings, observed, ahead, token) {
        Some(Ok(letter)) => letter,
        Some(Err(error)) => return HandedOver::NotRendered(error),
        None => return HandedOver::Dropped,
    };
    let now = mailer.context.clock.now();
    let latest = observe(&mailer.context.cache.read(), name);
    let may_go = latest.is_some_and(|(_, latest)| may_still_go(&latest, ahead, now));
    if !may_go
        || mailer.is_to_stop()
        || !mailer.context.tenure.lasts()
        || now.duration_since(ahead.at) > WRITE_AHEAD_VALID
    {
        return HandedOver::Dropped;
    }
    match deliver(&mailer.settings.relay, &address, &message).await {
        Ok(accepted) => HandedOver::Taken(accepted.reply),
        Err(undelivered) => HandedOver::Failed(undelivered),
    }
}

/// What it means for the member, as far as this mail tells.
fn conclude(name: &str, result: &HandedOver) -> Conclusion {
    match result {
        HandedOver::Taken(reply) => {
            let trouble = Trouble { code: Some(reply.to_string()), ..Trouble::default() };
            Conclusion { outcome: Outcome::Sent, trouble }
        }
        HandedOver::Dropped => Conclusion { outcome: Outcome::Dropped, trouble: Trouble::default() },
        HandedOver::NotRendered(error) => {
            warn!(account = name, %error, "the mail was not sent");
            not_rendered(error)
        }
        HandedOver::Failed(undelivered) => {
            if let Failure::Unreadable(..) = undelivered.failure {
                warn!(account = name, error = %undelivered, "the mail was not sent");
            }
            let outcome = match undelivered.fault() {
                Fault::Address => Outcome::Refused,
                Fault::Undecided | Fault::Nobody => Outcome::Deferred,
                Fault::Unknown => Outcome::Sending,
                Fault::Mailer => Outcome::MailerFailed,
            };
            Conclusion { outcome, trouble: undelivered.trouble() }
        }
    }
}

/// Only the recipient is the member's fault. Everything else that a mail is made of is the same for all: our configuration.
fn not_rendered(error: &RenderError) -> Conclusion {
    match error {
        RenderError::Recipient => {
            let undelivered = Undelivered { stage: Stage::RcptTo, failure: Cause::InvalidAddress.into() };
            Conclusion { outcome: Outcome::Refused, trouble: undelivered.trouble() }
        }
        RenderError::MessageId
        | RenderError::Link
        | RenderError::Date
        | RenderError::Template(_)
        | RenderError::Headers => {
            let trouble = Trouble { cause: Some(Cause::NotRendered), ..Trouble::default() };
            Conclusion { outcome: Outcome::MailerFailed, trouble }
        }
    }
}

/// For how long the member waited, from the manifest to the relay's 250: of first invitations, for a later mail is asked for in
/// ways that leave no instant.
fn time_from_apply(context: &Context, observed: &Observed, ahead: &Attempt) {
    if ahead.kind != MailKind::Invitation || ahead.round != 1 {
        return;
    }
    let member = context.cache.read().member(&observed.account.desired.holder.name);
    let applied = member.and_then(|member| member.metadata.creation_timestamp);
    if let Some(applied) = applied {
        context.metrics.invited_after(context.clock.now().duration_since(applied.0));
    }
}

/// To whom a mail goes.
pub fn addressee(account: &ClinicAccountSpec, kind: MailKind) -> Option<RawEmail> {
    match kind {
        MailKind::Invitation | MailKind::EmailConfirmation => account.desired.email.clone(),
        MailKind::EmailChangeNotice => account.acceptance.as_ref().map(|acceptance| acceptance.login.clone()),
    }
}

/// The recipient and the message; `None`: there is no address or no clinic.
fn letter(
    settings: &Settings,
    observed: &Observed,
    ahead: &Attempt,
    token: &Token,
) -> Option<Result<(RawEmail, Vec<u8>), RenderError>> {
    let clinic = observed.clinic.as_ref()?;
    let zone = clinic.zone.as_ref()?.rules();
    let account = &observed.account;
    let desired = &account.desired;
    let first_name = desired.greeting();
    let link = |question| SecretString::from(token.link(&settings.portal_url, question, &account.id));
    let (invitation, confirmation) = (link(Question::Invitation), link(Question::Confirmation));
    let expires = link_expires(ahead.at, ahead.valid_until, &account.wish(clinic.spec.invitation_validity_days));
    let is_repeated = account.was_mailed_before(ahead.kind, ahead.round);
    let occasion = if is_repeated { Occasion::Again } else { Occasion::First };
    let address = addressee(&observed.account, ahead.kind)?;
    let content = match ahead.kind {
        MailKind::Invitation => {
            let two_factor = clinic.spec.two_factor;
            let invitation = Invitation { first_name, link: &invitation, expires, zone, two_factor, occasion };
            Content::Invitation(invitation)
        }
        MailKind::EmailConfirmation => {
            let confirmation = EmailConfirmation { first_name, link: &confirmation, expires, zone, occasion };
            Content::EmailConfirmation(confirmation)
        }
        MailKind::EmailChangeNotice => Content::EmailChangeNotice(EmailChangeNotice { first_name }),
    };
    let mail = render(&Letter {
        from: &settings.relay.from,
        reply_to: settings.relay.reply_to.as_ref(),
        to: &address,
        message_id: &ahead.message_id,
        date: ahead.date,
        locale: desired.locale.unwrap_or(clinic.spec.locale),
        clinic_name: &clinic.spec.display_name,
        contact: clinic.spec.contact.as_ref(),
        content,
    });
    Some(mail.map(|mail| (address, mail.bytes().to_vec())))
}

/// Writes the outcome, whatever others write at the same time. An unknown outcome is what the ledger says already.
async fn write_outcome(context: &Context, name: &str, ahead: &Attempt, conclusion: &Conclusion) {
    if conclusion.outcome == Outcome::Sending {
        return;
    }
    let mut wait = Duration::from_secs(1);
    // A known outcome must not turn into an unknown one, which would send a second copy, for as long as it counts.
    loop {
        match try_write_outcome(context, name, ahead, conclusion).await {
            Ok(()) | Err(ReconcileError::Api(ApiError::NotFound)) => return,
            Err(error) => {
                warn!(account = name, %error, "failed to write the outcome of a mail; trying again");
                // Where restore mode or a policy refuses this, nobody writes ahead and sends a copy either: the outcome counts for as long.
                let may_not = matches!(error, ReconcileError::Api(ApiError::Forbidden(_) | ApiError::Refused(_)));
                if !may_not && context.clock.now().duration_since(ahead.at) >= OUTCOME_KNOWN_WITHIN {
                    break;
                }
            }
        }
        sleep(wait).await;
        wait = wait.saturating_mul(2).min(LONGEST_OUTCOME_WAIT);
    }
    warn!(account = name, "gave up writing the outcome of a mail: it counts as unknown");
}

async fn try_write_outcome(
    context: &Context,
    name: &str,
    ahead: &Attempt,
    conclusion: &Conclusion,
) -> Result<(), ReconcileError> {
    let cached = context.cache.read().account(name);
    let mut account = match cached {
        Some(account) => account,
        None => context.accounts.read(name).await?,
    };
    loop {
        let Some(delivery) = &account.spec.delivery else { return Ok(()) };
        let now = context.clock.now();
        let Some(after) = concluded(delivery, ahead, conclusion, now) else { return Ok(()) };
        let difference = merge_difference(&serde_json::to_value(delivery)?, &serde_json::to_value(&after)?);
        let patch = json!({ "delivery": difference });
        match context.accounts.patch_spec(name, &guard(&account.metadata), &patch).await {
            Ok(written) => {
                context.cache.put(Kind::ClinicAccount, &written);
                return Ok(());
            }
            Err(ApiError::Conflict) => account = context.accounts.read(name).await?,
            Err(error) => return Err(error.into()),
        }
    }
}
