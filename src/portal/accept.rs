//! Accepting an invitation: one guarded write of the `acceptance` block, decided on the record that it is guarded by.

use jiff::Timestamp;
use serde_json::json;

use crate::adapters::kubernetes::{ApiError, Store, guard};
use crate::api::ClinicAccount;
use crate::api::account::{Acceptance, ClinicAccountSpec};
use crate::domain::acceptance::{Refusal, is_account_name, may_accept};
use crate::domain::invitation::Token;

/// What the person confirmed and created.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Form of address.
    pub title: Option<String>,
    /// Name of the object with the password's hash, made before this.
    pub credential: String,
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
}

/// Accepts the invitation of `account` by the token of its link. Of two at once one wins; the other reads again and finds it
/// accepted. `validity_days` is the clinic's.
///
/// # Errors
/// See [`AcceptError`]. Nothing was written then, or (no answer) it is not known.
pub async fn accept(
    accounts: &Store<ClinicAccount>,
    account: &str,
    token: &Token,
    confirmed: &Confirmed,
    validity_days: u8,
    now: Timestamp,
) -> Result<Acceptance, AcceptError> {
    // The name comes from whoever opened the link: what cannot be one is not asked for.
    if !is_account_name(account) {
        return Err(AcceptError::Refused(Refusal::Unknown));
    }
    loop {
        let read = match accounts.read(account).await {
            Err(ApiError::NotFound) => return Err(AcceptError::Refused(Refusal::Unknown)),
            other => other?,
        };
        let acceptance = acceptance(&read.spec, token, confirmed, validity_days, now).map_err(AcceptError::Refused)?;
        let patch = json!({ "acceptance": acceptance });
        match accounts.patch_spec(account, &guard(&read.metadata), &patch).await {
            Ok(_) => return Ok(acceptance),
            // Another has written since, perhaps only the ledger: read and decide again.
            Err(ApiError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The block. The login is exactly the address that the link was mailed to and that is wished for in the same read.
fn acceptance(
    account: &ClinicAccountSpec,
    token: &Token,
    confirmed: &Confirmed,
    validity_days: u8,
    now: Timestamp,
) -> Result<Acceptance, Refusal> {
    let record = account.record(validity_days).ok_or(Refusal::Unknown)?;
    may_accept(&record, &token.digest(), now)?;
    Ok(Acceptance {
        accepted_at: now,
        login: record.mailed_to.into(),
        first_name: confirmed.first_name.clone(),
        last_name: confirmed.last_name.clone(),
        title: confirmed.title.clone(),
        credential: confirmed.credential.clone(),
        first_sign_in_at: None,
        session_epoch: 0,
    })
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
        let accepted = acceptance(&account, &token, &confirmed, 7, now).unwrap();
        assert_eq!((&*accepted.login, accepted.accepted_at), ("Ana@maple.example", now));
        let forged = acceptance(&account, &Token::presented("guess"), &confirmed, 7, now);
        assert_eq!(forged, Err(Refusal::Unknown));
    }
}
