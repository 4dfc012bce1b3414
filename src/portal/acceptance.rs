//! The `acceptance` block of an account: the one that the portal writes. Each write is decided on the record that it is guarded by,
//! and decided again when another has written since.

use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::adapters::clock::Clock;
use crate::adapters::kubernetes::{ApiError, AsTheyAre, Store, guard};
use crate::api::account::{Acceptance, ClinicAccountSpec};
use crate::api::holder::Manifest;
use crate::api::{Clinic, ClinicAccount, ClinicUser};
use crate::domain::acceptance::{Holder, Refusal, is_account_name, may_accept};
use crate::domain::calendar::ClinicZone;
use crate::domain::invitation::Token;
use crate::domain::standing::{self, Answer, may_pass};

/// So long after a credential was made an account is still given its name: long before anybody takes the credential for one that
/// nobody wants (`care`).
const WITHIN: Duration = Duration::from_secs(120);

/// The records that are written here, and the manifests that decide about them.
pub struct Stores {
    /// The records.
    pub accounts: Store<ClinicAccount>,
    manifests: AsTheyAre,
}

impl Stores {
    /// Those of `namespace`, through `client`.
    pub fn new(client: &Client, namespace: &str) -> Self {
        Self { accounts: Store::new(client, namespace), manifests: AsTheyAre::of::<ClinicUser>(client, namespace) }
    }

    /// The manifest of that name as the API server has it now.
    ///
    /// # Errors
    /// A failed request.
    pub async fn manifest(&self, name: &str) -> Result<Option<Manifest>, ApiError> {
        Ok(self.manifests.read(name).await?.as_ref().map(Manifest::read))
    }
}

/// What the Clinic says that a link depends on.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Days for which a link works.
    pub validity_days: u8,
    /// Where the clinic is; `None`: it is not known.
    pub zone: Option<ClinicZone>,
}

impl Terms {
    /// Those of this Clinic.
    pub fn of(clinic: &Clinic) -> Self {
        let zone = ClinicZone::find(&clinic.spec.time_zone);
        Self { validity_days: clinic.spec.invitation_validity_days, zone }
    }
}

/// What the person confirmed and created.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// First name; empty: there is a last name only.
    pub first_name: String,
    /// Last name; empty: there is a first name only.
    pub last_name: String,
    /// Form of address.
    pub title: Option<String>,
    /// Name of the object with the password's hash, made before this.
    pub credential: String,
}

/// How an invitation was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The account after it.
    pub account: ClinicAccount,
    /// Whether this request wrote it; else an earlier one with the same credential did, whose answer was lost.
    pub is_new: bool,
}

/// Why an invitation was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The link does not let its reader in.
    #[error("failed to accept: the link does not work ({0:?})")]
    Refused(Refusal),
    /// A request to the API server.
    #[error("failed to accept: {0}")]
    Api(#[from] ApiError),
    /// It took too long, and nothing was written.
    #[error("failed to accept: it took too long")]
    TooLate,
}

/// Accepts the invitation of `account` by the token of its link, which also signs the person in for the first time. Of two at
/// once one wins; the other reads again and finds it accepted. Nobody accepts whose manifest is gone or being deleted.
///
/// # Errors
/// See [`AcceptError`]. Nothing was written then, or (no answer) it is not known.
pub async fn accept(
    stores: &Stores,
    account: &str,
    token: &Token,
    confirmed: &Confirmed,
    terms: &Terms,
    now: impl Fn() -> Timestamp,
) -> Result<Accepted, AcceptError> {
    // The name comes from whoever opened the link: what cannot be one is not asked for.
    if !is_account_name(account) {
        return Err(AcceptError::Refused(Refusal::Unknown));
    }
    let end = Clock.monotonic() + WITHIN;
    loop {
        let read = match stores.accounts.read(account).await {
            Err(ApiError::NotFound) => return Err(AcceptError::Refused(Refusal::Unknown)),
            other => other?,
        };
        if read.spec.credential() == Some(&confirmed.credential) {
            return Ok(Accepted { account: read, is_new: false });
        }
        let manifest = stores.manifest(&read.spec.desired.holder.name).await?;
        let holder = Manifest::of_invited(manifest.as_ref(), &read.spec, || terms.zone.clone());
        let acceptance = acceptance(&read.spec, holder, token, confirmed, terms.validity_days, now());
        let patch = json!({ "acceptance": acceptance.map_err(AcceptError::Refused)? });
        in_time(end)?;
        match stores.accounts.patch_spec(account, &guard(&read.metadata), &patch).await {
            Ok(account) => return Ok(Accepted { account, is_new: true }),
            // Another has written since, perhaps only the ledger: read and decide again.
            Err(ApiError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn in_time(end: Instant) -> Result<(), AcceptError> {
    if Clock.monotonic() < end { Ok(()) } else { Err(AcceptError::TooLate) }
}

/// The block. The login is exactly the address that the link was mailed to and that is wished for in the same read.
fn acceptance(
    account: &ClinicAccountSpec,
    holder: Holder,
    token: &Token,
    confirmed: &Confirmed,
    validity_days: u8,
    now: Timestamp,
) -> Result<Acceptance, Refusal> {
    let record = account.record(validity_days).ok_or(Refusal::Unknown)?;
    may_accept(&record, holder, &token.digest(), now)?;
    Ok(Acceptance {
        accepted_at: now,
        login: record.mailed_to.into(),
        first_name: confirmed.first_name.clone(),
        last_name: confirmed.last_name.clone(),
        title: confirmed.title.clone(),
        credential: confirmed.credential.clone(),
        first_sign_in_at: Some(now),
        session_epoch: first_epoch(now),
        sign_outs: 0,
    })
}

/// Minutes since 1970: should a record ever lose its acceptance (as by a restore), the sessions of that one are none of the next.
pub fn first_epoch(now: Timestamp) -> u32 {
    u32::try_from(now.as_second() / 60).unwrap_or_default()
}

/// A change of the block of somebody who has accepted.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// They signed in, which counts the first time only.
    SignedIn(Timestamp),
    /// They sign in by another credential from now on, made before this; every session ends.
    Credential(&'a str),
    /// The same proof, sealed by another key: nobody notices.
    Resealed(&'a str),
    /// They signed out, or their manifest took access away for a time: every session ends.
    SignedOut,
    /// An administrator signed them out: what began since goes on.
    SignedOutByAdministrator,
}

/// What must still be so for a change to be made.
#[derive(Clone, Copy, Debug)]
pub enum Still<'a> {
    /// The account names this credential, by which the change was decided.
    Names(&'a str),
    /// Sessions of this epoch last.
    InEpoch(u32),
    /// The record is of this grant.
    OfGrant(u32),
    /// The record still grants access at that instant, under this grant or an earlier one and with sessions of this epoch.
    Grants {
        /// The epoch.
        epoch: u32,
        /// The grant.
        grant: u32,
        /// Now.
        at: Timestamp,
    },
}

impl Still<'_> {
    /// Whether it is so by this record.
    pub fn is_so(self, account: &ClinicAccountSpec) -> bool {
        let epoch_is = |epoch| account.acceptance.as_ref().is_some_and(|accepted| accepted.session_epoch == epoch);
        match self {
            Self::Names(credential) => account.credential() == Some(credential),
            Self::InEpoch(epoch) => epoch_is(epoch),
            Self::OfGrant(grant) => account.standing().grant == grant,
            Self::Grants { epoch, grant: last, at } => {
                let answer = may_pass(&account.standing(), &standing::Manifest::default(), at);
                epoch_is(epoch) && matches!(answer, Answer::MayPass { grant } if grant <= last)
            }
        }
    }
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// What it was decided by is so no more, or the account is gone.
    #[error("failed to change an account: it has changed since")]
    Changed,
    /// A request to the API server.
    #[error("failed to change an account: {0}")]
    Api(#[from] ApiError),
    /// It took too long, and nothing was written.
    #[error("failed to change an account: it took too long")]
    TooLate,
}

/// Makes a change if something is still so. Returns the account after it.
///
/// # Errors
/// See [`ChangeError`]. Nothing was written then, or (no answer) it is not known.
pub async fn change(
    accounts: &Store<ClinicAccount>,
    account: &str,
    still: Still<'_>,
    change: Change<'_>,
) -> Result<ClinicAccount, ChangeError> {
    let end = Clock.monotonic() + WITHIN;
    loop {
        let read = match accounts.read(account).await {
            Err(ApiError::NotFound) => return Err(ChangeError::Changed),
            other => other?,
        };
        let acceptance = read.spec.acceptance.as_ref().filter(|_| still.is_so(&read.spec));
        let Some(patch) = change.of(acceptance.ok_or(ChangeError::Changed)?) else { return Ok(read) };
        in_time(end).map_err(|_| ChangeError::TooLate)?;
        match accounts.patch_spec(account, &guard(&read.metadata), &json!({ "acceptance": patch })).await {
            Err(ApiError::Conflict) => {}
            other => return Ok(other?),
        }
    }
}

impl Change<'_> {
    /// What it writes; `None`: nothing, it is so already.
    fn of(self, before: &Acceptance) -> Option<Value> {
        let next_epoch = before.session_epoch.saturating_add(1);
        match self {
            Self::SignedIn(_) if before.first_sign_in_at.is_some() => None,
            Self::SignedIn(now) => Some(json!({ "firstSignInAt": now })),
            Self::Credential(name) => Some(json!({ "credential": name, "sessionEpoch": next_epoch })),
            Self::Resealed(name) => Some(json!({ "credential": name })),
            Self::SignedOut => Some(json!({ "sessionEpoch": next_epoch })),
            Self::SignedOutByAdministrator => Some(json!({ "signOuts": before.sign_outs.saturating_add(1) })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_is_the_address_that_the_link_was_mailed_to() {
        let token = Token::presented("secret");
        let account: ClinicAccountSpec = serde_json::from_value(json!({
            "id": "a-1",
            "desired": {"holder": {"name": "ana", "uid": "1"}, "email": "Ana@maple.example", "type": "Staff"},
            "delivery": {"round": 1, "address": "Ana@maple.example", "attempts": [{
                "kind": "Invitation", "round": 1, "copy": 1, "messageId": "<m@x>", "tokenDigest": token.digest(),
                "at": "2026-11-24T09:00:00Z", "date": "2026-11-24T09:00:00Z", "outcome": "Sent",
            }]},
        }))
        .unwrap();
        let confirmed = Confirmed {
            first_name: "Ana".into(),
            last_name: "Silva".into(),
            title: Some("Dr.".into()),
            credential: "c".into(),
        };
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        let there = Holder::There(standing::Manifest::default());
        let accepted = acceptance(&account, there, &token, &confirmed, 7, now).unwrap();
        assert_eq!((&*accepted.login, accepted.accepted_at), ("Ana@maple.example", now));
        let forged = acceptance(&account, there, &Token::presented("guess"), &confirmed, 7, now);
        assert_eq!(forged, Err(Refusal::Unknown));
    }
}
