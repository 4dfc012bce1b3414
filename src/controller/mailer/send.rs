//! One mail, from its turn to its outcome. The order of these steps is invariant I2: the attempt is in the ledger before
//! the relay hears of it, and a write-ahead that did not succeed sends nothing.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use tokio::time::sleep;
use tracing::{info, warn};

use super::hold::{Turn, take_a_turn};
use super::ledger::{Conclusion, concluded, written_ahead};
use super::{Probe, Settings};
use crate::adapters::kubernetes::{ApiError, guard, merge_difference};
use crate::adapters::mail::{
    Content, EmailChangeNotice, EmailConfirmation, Invitation, Letter, Occasion, RenderError, Undelivered, deliver,
    render,
};
use crate::adapters::random::secret_bytes;
use crate::api::ClinicAccount;
use crate::api::account::{Access, Attempt};
use crate::controller::accounts::decide::{Observed, decide, may_still_go};
use crate::controller::accounts::{access_differs, observe};
use crate::controller::cache::Kind;
use crate::controller::context::{Context, Guarded, ReconcileError};
use crate::controller::queue::Key;
use crate::domain::delivery::{Failure, Fault};
use crate::domain::invitation::{
    Due, MailKind, OUTCOME_KNOWN_WITHIN, Outcome, Question, Token, WRITE_AHEAD_VALID, link_expires,
};

/// Longest wait between tries to write an outcome; the first is a second, and each doubles it.
const LONGEST_OUTCOME_WAIT: Duration = Duration::from_secs(16);

/// Mails one account, if that is still right.
pub async fn send(context: &Context, settings: &Settings, name: &str) -> Probe {
    let Some((account, observed)) = observe(&context.cache.read(), name) else { return Probe::Untested };
    let now = context.clock.now();
    let decision = decide(&observed, now);
    let Some(due) = decision.mail else { return Probe::Untested };
    let turn = match take_a_turn(context, &account, &observed, &due).await {
        Ok(Some(turn)) => turn,
        Ok(None) => return Probe::Untested,
        Err(error) => {
            warn!(account = name, %error, "failed to write that a mail is held; nothing was sent");
            context.cache.work_on(Key::Account(name.into()), Duration::from_secs(5));
            return Probe::Untested;
        }
    };
    let token = match secret_bytes() {
        Ok(bytes) => Token::new(bytes),
        Err(error) => {
            warn!(%error, "failed to draw random bytes: no mail can be sent");
            context.cache.work_on(Key::Account(name.into()), Duration::from_secs(5));
            return Probe::Untested;
        }
    };
    let written = write_ahead(context, settings, &account, &due, &decision.access, &token).await;
    drop::<Turn<'_>>(turn);
    let ahead = match written {
        Ok(Some(ahead)) => ahead,
        Ok(None) => return Probe::Untested,
        Err(error) => {
            warn!(account = name, %error, "failed to write ahead; nothing was sent");
            context.cache.work_on(Key::Account(name.into()), Duration::from_secs(5));
            return Probe::Untested;
        }
    };
    let (conclusion, probe) = hand_over(context, settings, name, &observed, &ahead, &token).await;
    info!(account = name, round = ahead.round, copy = ahead.copy, outcome = ?conclusion.outcome, code = conclusion.code, "mailed");
    context.metrics.mailed(conclusion.outcome);
    write_outcome(context, name, &ahead, &conclusion).await;
    probe
}

/// Writes the attempt to the ledger. `None`: somebody else wrote first, so nothing may be sent, and the change that they made
/// brings the account back if a mail is still due.
async fn write_ahead(
    context: &Context,
    settings: &Settings,
    account: &ClinicAccount,
    due: &Due,
    access: &Access,
    token: &Token,
) -> Result<Option<Attempt>, ReconcileError> {
    let domain = settings.relay.from.email.domain();
    // A notice has no link.
    let digest = if due.kind == MailKind::EmailChangeNotice { String::new() } else { token.digest() };
    let Some(delivery) = written_ahead(&account.spec, due, domain, digest, context.clock.now()) else {
        return Ok(None);
    };
    let before = serde_json::to_value(&account.spec.delivery)?;
    let mut patch = json!({ "delivery": merge_difference(&before, &serde_json::to_value(&delivery)?) });
    if account.spec.access.is_none() || access_differs(&account.spec, access) {
        patch["access"] = serde_json::to_value(access)?;
    }
    match context.patch_account(account, &patch).await? {
        Guarded::Written => Ok(delivery.attempts.last().cloned()),
        Guarded::Stale => {
            context.cache.work_on(Key::Account(account.spec.id.as_str().into()), Duration::ZERO);
            Ok(None)
        }
    }
}

/// Looks once more whether the mail may go (I3), and hands it to the relay.
async fn hand_over(
    context: &Context,
    settings: &Settings,
    name: &str,
    observed: &Observed,
    ahead: &Attempt,
    token: &Token,
) -> (Conclusion, Probe) {
    let dropped = (Conclusion { outcome: Outcome::Dropped, code: None }, Probe::Untested);
    let (address, message) = match letter(settings, observed, ahead, token) {
        Some(Ok(letter)) => letter,
        Some(Err(error)) => return not_rendered(name, &error),
        None => return dropped,
    };
    let now = context.clock.now();
    let latest = observe(&context.cache.read(), name);
    let may_go = latest.is_some_and(|(_, latest)| may_still_go(&latest, ahead, now));
    if !may_go || now.duration_since(ahead.at) > WRITE_AHEAD_VALID {
        return dropped;
    }
    match deliver(&settings.relay, &address, &message).await {
        Ok(accepted) => (Conclusion { outcome: Outcome::Sent, code: Some(accepted.reply.to_string()) }, Probe::Works),
        Err(undelivered) => conclude(&undelivered),
    }
}

fn conclude(undelivered: &Undelivered) -> (Conclusion, Probe) {
    let code = if let Failure::Reply(reply) = &undelivered.failure { Some(reply.to_string()) } else { None };
    let (outcome, probe) = match undelivered.fault() {
        Fault::Address => (Outcome::Refused, Probe::Works),
        Fault::Nobody => (Outcome::Deferred, Probe::Untested),
        Fault::Unknown => (Outcome::Sending, Probe::Untested),
        Fault::Mailer => (Outcome::MailerFailed, Probe::Fails(undelivered.to_string())),
    };
    (Conclusion { outcome, code }, probe)
}

/// Only the recipient is the member's fault. Everything else that a mail is made of is the same for all: our configuration.
fn not_rendered(name: &str, error: &RenderError) -> (Conclusion, Probe) {
    warn!(account = name, %error, "the mail was not sent");
    match error {
        RenderError::Recipient => (Conclusion { outcome: Outcome::Refused, code: None }, Probe::Untested),
        RenderError::MessageId
        | RenderError::Link
        | RenderError::Date
        | RenderError::Template(_)
        | RenderError::Headers => {
            (Conclusion { outcome: Outcome::MailerFailed, code: None }, Probe::Fails(error.to_string()))
        }
    }
}

/// The recipient and the message; `None`: there is no address or no clinic.
fn letter(
    settings: &Settings,
    observed: &Observed,
    ahead: &Attempt,
    token: &Token,
) -> Option<Result<(String, Vec<u8>), RenderError>> {
    let clinic = observed.clinic.as_ref()?;
    let zone = clinic.zone.as_ref()?.rules();
    let account = &observed.account;
    let desired = &account.desired;
    let first_name = desired.first_name.as_deref();
    let link = |question| SecretString::from(token.link(&settings.portal_url, question, &account.id));
    let (invitation, confirmation) = (link(Question::Invitation), link(Question::Confirmation));
    let expires = link_expires(ahead.at, &account.wish(clinic.spec.invitation_validity_days));
    let is_repeated = account.was_mailed_before(ahead.kind, ahead.round);
    let occasion = if is_repeated { Occasion::Again } else { Occasion::First };
    let (address, content) = match ahead.kind {
        MailKind::Invitation => {
            let two_factor = clinic.spec.two_factor;
            let invitation = Invitation { first_name, link: &invitation, expires, zone, two_factor, occasion };
            (desired.email.clone()?, Content::Invitation(invitation))
        }
        MailKind::EmailConfirmation => {
            let confirmation = EmailConfirmation { first_name, link: &confirmation, expires, zone, occasion };
            (desired.email.clone()?, Content::EmailConfirmation(confirmation))
        }
        MailKind::EmailChangeNotice => {
            let login = account.acceptance.as_ref()?.login.clone();
            (login, Content::EmailChangeNotice(EmailChangeNotice { first_name }))
        }
    };
    let mail = render(&Letter {
        from: &settings.relay.from,
        reply_to: settings.relay.reply_to.as_ref(),
        to: &address,
        message_id: &ahead.message_id,
        date: ahead.date,
        locale: desired.locale.unwrap_or(clinic.spec.locale),
        clinic_name: &clinic.spec.display_name,
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
            Err(error) => warn!(account = name, %error, "failed to write the outcome of a mail; trying again"),
        }
        if context.clock.now().duration_since(ahead.at) >= OUTCOME_KNOWN_WITHIN {
            break;
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
