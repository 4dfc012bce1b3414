//! Signing in: who somebody says they are, and what proves it. One answer for every refusal, and the same work for whom there is
//! no account. What was used of a credential is written before anybody is let in.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::Portal;
use super::acceptance::{Change, ChangeError, Still, change, first_epoch};
use super::codes::{Code, CodeRefused, FormId, UsedUp, first_step, mark, use_up};
use super::credentials::{CreateError, OpenError, Opened, Planned, Proof};
use crate::adapters::kubernetes::ApiError;
use crate::adapters::passwords::{HashError, PasswordHash};
use crate::adapters::places::Asker;
use crate::adapters::random::secret_bytes;
use crate::api::account::{Acceptance, ClinicAccountSpec};
use crate::api::credential::Used;
use crate::api::{ClinicAccount, clinic::TwoFactor};
use crate::domain::email::Email;
use crate::domain::password::normalised;
use crate::domain::session::Facts;
use crate::domain::standing::Answer;
use crate::domain::typed;

/// Asked for where there is nothing to ask for, so that it takes as long. No credential has this name.
const NOBODYS: &str = "c-nobody";

/// What follows a right password.
pub enum Next {
    /// They are let in.
    LetIn(Box<ClinicAccount>),
    /// A code is asked for.
    Code(Challenge),
    /// A second factor is to be set up: the clinic requires one by now.
    Enrol(Box<Enrolment>),
}

/// A right password that waits for a code, in a sealed field of a form.
#[derive(Clone, Serialize, Deserialize)]
pub struct Challenge {
    /// The account.
    #[serde(rename = "a")]
    pub account: String,
    #[serde(rename = "c")]
    credential: String,
    /// The account's grant when the password was right; a form of version 0.1 has none.
    #[serde(rename = "g", default)]
    grant: u32,
    /// The account's session epoch when the password was right; a form of version 0.1 has none, and is asked for none.
    #[serde(rename = "e", default)]
    epoch: Option<u32>,
    /// When the password was right, in seconds since 1970.
    #[serde(rename = "s")]
    pub since: i64,
    /// A form of version 0.1 has none.
    #[serde(rename = "i", default)]
    form: Option<FormId>,
}

/// A right password that waits for a second factor to be set up, in a sealed field of a form.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enrolment {
    /// The account, and when the password was right.
    #[serde(rename = "c")]
    pub challenge: Challenge,
    /// The second factor.
    #[serde(rename = "f")]
    pub planned: Planned,
    #[serde(rename = "p")]
    password: PasswordHash,
}

/// Why nobody is let in.
#[derive(Debug)]
pub enum NotLetIn {
    /// No username and its password. Those who ask are told nothing else than of [`NotLetIn::Refused`].
    Wrong,
    /// What they typed is right, and they have no access now, or sign in by something else since.
    Refused,
    /// The records cannot be read or written.
    Unreachable,
    /// A policy of the cluster refuses what must be written first.
    Prevented,
    /// More at once than there are threads for.
    Busy,
    /// The portal itself failed.
    Failed,
}

impl Enrolment {
    /// The same with the second factor of an earlier one, for a credential of its own.
    pub fn with_factor_of(self, before: Self) -> Self {
        Self { planned: self.planned.with_factor_of(before.planned), ..self }
    }
}

impl Challenge {
    /// Whether access lasts since the password was right: what ends a session ends a form too.
    fn still_passes(&self, facts: &Facts, now: Timestamp) -> bool {
        let epoch = self.epoch.or(facts.epoch);
        epoch.is_some_and(|epoch| facts.last(epoch, self.grant, self.since, now))
    }

    /// The one that followed from accepting the invitation: as if the password had been right then.
    pub fn of_acceptance(account: &ClinicAccountSpec, facts: &Facts, form: Option<FormId>) -> Option<Self> {
        let Acceptance { accepted_at, credential, .. } = account.acceptance.as_ref()?;
        Some(Self {
            account: account.id.clone(),
            credential: credential.clone(),
            grant: facts.grant(),
            epoch: Some(first_epoch(*accepted_at)),
            since: accepted_at.as_second(),
            form,
        })
    }

    /// The same after the change that names this credential, which begins an epoch.
    fn with_credential(&self, credential: String) -> Self {
        Self { credential, epoch: self.epoch.map(|epoch| epoch.saturating_add(1)), ..self.clone() }
    }
}

impl From<ApiError> for NotLetIn {
    fn from(error: ApiError) -> Self {
        if error.is_for_an_administrator() {
            warn!(%error, "nobody signs in where this refuses what the portal must write");
            return Self::Prevented;
        }
        warn!(%error, "nobody signs in without the API server");
        Self::Unreachable
    }
}

impl From<ChangeError> for NotLetIn {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Changed => Self::Refused,
            ChangeError::Api(error) => error.into(),
            ChangeError::TooLate => Self::Unreachable,
        }
    }
}

impl From<CreateError> for NotLetIn {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Seal(_) | CreateError::Taken => Self::Failed,
            CreateError::Api(error) => error.into(),
        }
    }
}

impl Portal {
    /// Compares a password with the one of whom the username belongs to.
    pub async fn check_password(&self, asker: Asker, username: &str, password: &str) -> Result<Next, NotLetIn> {
        // A place in the queue first: a flood must not even cost the API server a read.
        let place = self.passwords.place(asker).map_err(|_| NotLetIn::Busy)?;
        let account = self.account_of(username);
        let name = account.as_ref().and_then(|account| account.spec.credential()).unwrap_or(NOBODYS);
        let id = account.as_ref().map_or("", |account| &account.spec.id);
        let opened = match self.credentials().open(name, id).await {
            Ok(opened) => Some(opened),
            Err(OpenError::Api(error)) => return Err(error.into()),
            Err(error) => {
                if account.is_some() {
                    warn!(account = id, credential = name, %error, "a credential cannot be used; its person cannot sign in");
                }
                None
            }
        };
        // What is longer than any password is compared too: as the empty one, which is nobody's.
        let typed = normalised(password);
        let typed = SecretString::from(typed.as_ref().map_or("", |typed| typed.expose()));
        let is_right = self.passwords.is(place, typed, opened.as_ref().map(|opened| &opened.proof.password)).await;
        match (is_right, account, opened) {
            (Ok(true), Some(account), Some(opened)) => self.after_the_password(&account, opened).await,
            (Ok(_), _, _) => Err(NotLetIn::Wrong),
            (Err(HashError::Busy), _, _) => Err(NotLetIn::Busy),
            (Err(HashError::Failed), _, _) => Err(NotLetIn::Failed),
        }
    }

    /// Lets in who sends the form again by which this account was set up with a password alone.
    pub async fn accepted_again(&self, account: &ClinicAccountSpec) -> Result<ClinicAccount, NotLetIn> {
        let challenge = Challenge::of_acceptance(account, &self.facts(account), None);
        self.let_in(&challenge.ok_or(NotLetIn::Refused)?).await
    }

    /// The account of a username: the one that signs in with it. `None` also if two have it, which nobody can sort out here.
    pub fn account_of(&self, username: &str) -> Option<ClinicAccount> {
        let key = Email::parse(&typed::username(username)).ok()?.key();
        let mut accepted = self.records.accounts_with(key.claim());
        accepted.retain(|account| account.spec.acceptance.is_some());
        let only = accepted.pop().filter(|_| accepted.is_empty())?;
        (only.spec.login_key()? == key).then_some(only)
    }

    async fn after_the_password(&self, account: &ClinicAccount, opened: Opened) -> Result<Next, NotLetIn> {
        let now = self.clock.now();
        let facts = self.facts(&account.spec);
        let Answer::MayPass { grant } = facts.may_pass(now) else { return Err(NotLetIn::Refused) };
        let (account, credential) = (account.spec.id.clone(), opened.name.clone());
        let form = Some(secret_bytes().map_err(|_| NotLetIn::Failed)?);
        let challenge = Challenge { account, credential, grant, epoch: facts.epoch, since: now.as_second(), form };
        if opened.proof.factor.is_some() {
            return Ok(Next::Code(challenge));
        }
        match self.two_factor()? {
            TwoFactor::Required => {
                let planned = self.plan().ok_or(NotLetIn::Failed)?;
                let password = opened.proof.password;
                Ok(Next::Enrol(Box::new(Enrolment { challenge, planned, password })))
            }
            TwoFactor::Recommended => Ok(Next::LetIn(Box::new(self.let_in(&challenge).await?))),
        }
    }

    /// Whether a second factor is required. Without a Clinic, or with one that does not fit our types, nobody knows: then only whoever
    /// has one signs in.
    fn two_factor(&self) -> Result<TwoFactor, NotLetIn> {
        self.records.clinic().map(|clinic| clinic.spec.two_factor).ok_or_else(|| {
            warn!("nobody signs in without a second factor: no Clinic says whether one is required");
            NotLetIn::Unreachable
        })
    }

    /// Lets somebody in if the API server itself says so: the records may be a moment old. Writes what is to be written before.
    async fn let_in(&self, proved: &Challenge) -> Result<ClinicAccount, NotLetIn> {
        let account = match self.stores.accounts.read(&proved.account).await {
            Err(ApiError::NotFound) => return Err(NotLetIn::Refused),
            other => other?,
        };
        self.records.put(&account);
        self.admit(account, proved).await
    }

    /// The same by a record that was just read or written.
    async fn admit(&self, account: ClinicAccount, proved: &Challenge) -> Result<ClinicAccount, NotLetIn> {
        let acceptance = account.spec.acceptance.as_ref().ok_or(NotLetIn::Refused)?;
        let manifest = self.stores.manifest(&account.spec.desired.holder.name).await?;
        let facts = self.facts_by(&account.spec, manifest.as_ref());
        if acceptance.credential != proved.credential || !proved.still_passes(&facts, self.clock.now()) {
            return Err(NotLetIn::Refused);
        }
        let account = if acceptance.first_sign_in_at.is_none() {
            let signed_in = Change::SignedIn(self.clock.now());
            change(&self.stores.accounts, &proved.account, Still::Names(&proved.credential), signed_in).await?
        } else {
            account
        };
        self.records.put(&account);
        info!(account = account.spec.id, "signed in");
        Ok(account)
    }

    /// The account of somebody whose password was right a moment ago, if access has not ended since and it signs in by the same credential.
    fn account_after(&self, challenge: &Challenge) -> Result<ClinicAccount, NotLetIn> {
        let account = self.records.account(&challenge.account).ok_or(NotLetIn::Refused)?;
        let passes = challenge.still_passes(&self.facts(&account.spec), self.clock.now());
        let signs_in_so = account.spec.credential() == Some(&challenge.credential);
        if passes && signs_in_so { Ok(account) } else { Err(NotLetIn::Refused) }
    }

    /// Lets in whose code is right, and uses it up. The same form with the same code has the same outcome, however often it is sent.
    pub async fn check_code(&self, challenge: &Challenge, code: Code<'_>) -> Result<ClinicAccount, CodeRefused> {
        let account = self.account_after(challenge)?;
        loop {
            let opened = match self.credentials().open(&challenge.credential, &account.spec.id).await {
                Ok(opened) => opened,
                Err(OpenError::Api(error)) => return Err(NotLetIn::from(error).into()),
                Err(OpenError::Gone | OpenError::Sealed) => return Err(NotLetIn::Refused.into()),
            };
            let factor = opened.proof.factor.as_ref().ok_or(NotLetIn::Refused)?;
            let used = self.credentials().used(&opened).await.map_err(NotLetIn::from)?;
            let Some(used) = use_up(factor, &used, challenge.form.as_ref(), code, self.clock.now())? else { break };
            match self.credentials().write_used(&opened, &used).await {
                Ok(()) => break,
                // Another used one of its codes at the same time, perhaps this one: it is decided again.
                Err(ApiError::Conflict) => {}
                Err(error) => return Err(NotLetIn::from(error).into()),
            }
        }
        // What was used is written before: if the credential is sealed anew meanwhile, either that is carried over, or this finds
        // that another is named.
        Ok(self.let_in(challenge).await?)
    }

    /// Sets up the second factor whose first code is right, and lets its owner in. Every other session ends. If an earlier request of
    /// the same form did so already, whose answer was lost, it is the code that lets in.
    pub async fn enrol(&self, enrolment: &Enrolment, code: &str) -> Result<ClinicAccount, CodeRefused> {
        let known = self.records.account(&enrolment.challenge.account);
        let new = enrolment.planned.credential();
        let proved = enrolment.challenge.with_credential(new.clone());
        if known.is_some_and(|account| account.spec.credential() == Some(&new)) {
            return self.check_code(&proved, Code::OfApp(code)).await;
        }
        let account = self.account_after(&enrolment.challenge)?;
        self.two_factor()?;
        let step = first_step(&enrolment.planned, code, self.clock.now())?;
        let factor = enrolment.planned.factor().ok_or(NotLetIn::Failed)?;
        let proof = Proof { password: enrolment.password.clone(), factor: Some(factor), former: None };
        let (id, old) = (&account.spec.id, &enrolment.challenge.credential);
        let used = Used {
            totp_step: Some(step),
            last_form: proved.form.map(|form| mark(&form, UsedUp::OfApp(step))),
            ..Used::default()
        };
        self.credentials().create(&new, id, &proof, used).await.map_err(NotLetIn::from)?;
        let account = match change(&self.stores.accounts, id, Still::Names(old), Change::Credential(&new)).await {
            // Perhaps by the same form, at the same time.
            Err(ChangeError::Changed) => {
                self.account_now(id).await.map_err(NotLetIn::from)?;
                return self.check_code(&proved, Code::OfApp(code)).await;
            }
            other => other.map_err(NotLetIn::from)?,
        };
        self.records.put(&account);
        info!(account = id, credential = new, "set up a second factor");
        Ok(self.admit(account, &proved).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lifecycle::AccessFacts;
    use crate::domain::standing::{Manifest, Record};

    #[test]
    fn what_ends_a_session_ends_a_form() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let facts = |epoch, grant, ended_at: Option<i64>| {
            let access = AccessFacts { accepted: Some(at(0)), suspended: false, removed: None, until: None };
            let record = Record { access, has_login: true, grant };
            Facts { epoch: Some(epoch), record, manifest: Manifest::default(), ended_at: ended_at.map(at) }
        };
        let read = |form: &str| serde_json::from_str::<Challenge>(form).unwrap();
        let form = read(r#"{"a": "a-1", "c": "c-1", "g": 2, "e": 3, "s": 100}"#);
        for (facts, expected) in [
            (facts(3, 2, None), true),
            (facts(3, 2, Some(99)), true),
            (facts(3, 2, Some(100)), false),
            (facts(4, 2, None), false),
            (facts(3, 3, None), false),
        ] {
            assert_eq!(form.still_passes(&facts, at(110)), expected, "{facts:?}");
        }
        let next = form.with_credential("c-2".to_owned());
        assert!(next.still_passes(&facts(4, 2, None), at(110)) && !next.still_passes(&facts(5, 2, None), at(110)));
        let of_version_0_1 = read(r#"{"a": "a-1", "c": "c-1", "s": 100}"#);
        assert!(of_version_0_1.still_passes(&facts(7, 0, None), at(110)), "a form of version 0.1");
    }
}
