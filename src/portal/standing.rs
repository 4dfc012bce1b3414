//! What is known of somebody who wants to pass: the record, what the manifest takes away from it, and what this replica saw end. By the
//! records, or by what the API server itself says now. Whether they may is for `domain::standing` to say.

use super::Portal;
use crate::adapters::kubernetes::ApiError;
use crate::api::ClinicAccount;
use crate::api::account::ClinicAccountSpec;
use crate::api::holder::Manifest;
use crate::domain::session::Facts;

impl Portal {
    /// By the records.
    pub fn facts(&self, account: &ClinicAccountSpec) -> Facts {
        self.facts_by(account, self.records.manifest(&account.desired.holder.name).as_ref())
    }

    /// By this manifest of the account's holder.
    pub fn facts_by(&self, account: &ClinicAccountSpec, manifest: Option<&Manifest>) -> Facts {
        let epoch = account.acceptance.as_ref().map(|acceptance| acceptance.session_epoch);
        let record = account.standing();
        let mut manifest = manifest.map(|manifest| manifest.takes_away(account, || self.records.zone()));
        if self.endings.signs_out(&account.id, record.grant) {
            manifest.get_or_insert_default().signs_out = true;
        }
        let ended_at = epoch.and_then(|epoch| self.endings.ended_at(&account.id, epoch, record.grant));
        Facts { epoch, record, manifest, ended_at }
    }

    /// By the API server itself: the records may be a moment old. `None`: there is no such account.
    ///
    /// # Errors
    /// A failed request.
    pub async fn facts_now(&self, account: &str) -> Result<Option<(Facts, ClinicAccount)>, ApiError> {
        let Some(account) = self.account_now(account).await? else { return Ok(None) };
        let manifest = self.manifest_of(&account.spec).await?;
        Ok(Some((self.facts_by(&account.spec, manifest.as_ref()), account)))
    }
}
