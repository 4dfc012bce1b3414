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

    /// By this manifest of the account's holder, and what one that is gone took away. Whoever asks, what only a manifest ends is noted:
    /// who was refused once is not let in again by what began before.
    pub fn facts_by(&self, account: &ClinicAccountSpec, manifest: Option<&Manifest>) -> Facts {
        let epoch = account.acceptance.as_ref().map(|acceptance| acceptance.session_epoch);
        let record = account.standing();
        let takes_away = |manifest: &Manifest| manifest.takes_away(account, || self.records.zone());
        let there = manifest.map(takes_away).unwrap_or_default();
        let gone = self.records.gone_manifest(account).as_ref().map(takes_away).unwrap_or_default();
        let mut manifest = there.and(&gone);
        manifest.signs_out |= self.endings.signs_out(&account.id, record.grant);
        let facts = Facts { epoch, record, manifest, ended_at: None };
        self.note_ends(account, &facts);
        Facts { ended_at: epoch.and_then(|epoch| self.endings.ended_at(&account.id, epoch, record.grant)), ..facts }
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
