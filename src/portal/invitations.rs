//! Invitations as the portal sees them: what a link opens, what somebody typed to accept it, and the order of the two writes that
//! make them a member: a credential first, then the one guarded write that names it.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::acceptance::{AcceptError, Accepted, Confirmed, Terms, accept};
use super::credentials::{CreateError, Planned, Proof};
use super::pages::{AcceptFaults, NameFault, PasswordFault, RepeatFault, TitleFault, field};
use super::web::client::Client;
use super::web::form::Sent;
use super::web::visitor::Visitor;
use super::{Portal, metrics};
use crate::adapters::dates::moment;
use crate::adapters::passwords::{HashError, PasswordHash};
use crate::adapters::places::Asker;
use crate::adapters::random::secret_bytes;
use crate::api::credential::Used;
use crate::api::holder::Manifest;
use crate::api::{Clinic, ClinicAccount, clinic::TwoFactor};
use crate::domain::acceptance::{Holder, Refusal, may_accept};
use crate::domain::calendar::ClinicZone;
use crate::domain::email::Email;
use crate::domain::invitation::Token;
use crate::domain::line::{self, LineFault};
use crate::domain::member::Locale;
use crate::domain::own_words::OwnWords;
use crate::domain::password::{self, Minimum, NewPassword, check, normalised};

/// An invitation that may be accepted now.
pub struct Invited {
    /// Its account.
    pub account: ClinicAccount,
    /// The clinic that invites.
    pub clinic: Clinic,
    /// Until when the link works.
    pub expires: Timestamp,
}

/// Why nobody is invited.
pub enum NotInvited {
    /// The link does not let its reader in. The language is that of the record, if there is one.
    Refused(Refusal, Option<Locale>),
    /// Too many links were opened that nobody mailed: how long to wait.
    TooManyTries(SignedDuration),
    /// The records cannot be read, or there is no Clinic.
    Unreachable,
}

/// What somebody typed to accept, all of it right.
pub struct Typed {
    /// First name; empty: there is a last name only.
    pub first_name: String,
    /// Last name; empty: there is a first name only.
    pub last_name: String,
    /// Form of address.
    pub title: Option<String>,
    /// The password to hash.
    pub password: SecretString,
}

/// An acceptance that waits for the first code of its second factor, in a sealed field of a form.
#[derive(Clone, Serialize, Deserialize)]
pub struct Draft {
    #[serde(rename = "a")]
    first_name: String,
    #[serde(rename = "b")]
    last_name: String,
    #[serde(rename = "t")]
    title: Option<String>,
    #[serde(rename = "p")]
    password: PasswordHash,
    /// The second factor.
    #[serde(rename = "f")]
    pub planned: Planned,
    /// When the form was first shown, in seconds since 1970.
    #[serde(rename = "s")]
    pub shown: i64,
}

/// Why an acceptance failed.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// The credential.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The account.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// No random bytes.
    #[error("failed to draw random bytes")]
    Random,
}

impl Portal {
    /// What the link opens. Looks at the API server itself where the records alone would refuse, since a mail may be faster than a
    /// watch: but not as often as somebody asks, and never for an account that nobody knows.
    pub async fn invitation(&self, client: Client, name: &str, token: &Token) -> Result<Invited, NotInvited> {
        let clinic = self.records.clinic().filter(|_| self.contact.may_sign_in()).ok_or(NotInvited::Unreachable)?;
        let terms = Terms::of(&clinic);
        let decide = |account: Option<ClinicAccount>, manifest: Option<Manifest>| {
            let refused = |refusal| NotInvited::Refused(refusal, account.as_ref().and_then(|a| a.spec.desired.locale));
            let record = account.as_ref().and_then(|account| account.spec.record(terms.validity_days));
            // Of whom nobody was mailed anything nothing is told, not even a language.
            let record = record.ok_or(NotInvited::Refused(Refusal::Unknown, None))?;
            let holder = account.as_ref().map_or(Holder::Gone, |account| {
                Manifest::of_invited(manifest.as_ref(), &account.spec, || terms.zone.clone())
            });
            match may_accept(&record, holder, &token.digest(), self.clock.now()) {
                Ok(expires) => Ok((account.clone(), expires)),
                // A link that nobody mailed tells nothing, not even a language.
                Err(Refusal::Unknown) => Err(NotInvited::Refused(Refusal::Unknown, None)),
                Err(refusal) => Err(refused(refusal)),
            }
        };
        let known = self.records.account(name);
        let is_known = known.is_some();
        let manifest = known.as_ref().and_then(|account| self.records.manifest(&account.spec.desired.holder.name));
        let decided = match decide(known, manifest) {
            Err(NotInvited::Refused(refusal @ (Refusal::Unknown | Refusal::Replaced | Refusal::Removed), locale)) => {
                if refusal == Refusal::Unknown {
                    let tried = self.throttles.try_unknown_link(client, self.clock.now());
                    tried.map_err(NotInvited::TooManyTries)?;
                }
                if !is_known || !self.throttles.may_look(name, self.clock.now()) {
                    return Err(NotInvited::Refused(refusal, locale));
                }
                let account = self.account_now(name).await.map_err(|_| NotInvited::Unreachable)?;
                let manifest = match &account {
                    Some(account) => self.manifest_of(&account.spec).await.map_err(|_| NotInvited::Unreachable)?,
                    None => None,
                };
                decide(account, manifest)
            }
            other => other,
        };
        match decided? {
            (Some(account), expires) => Ok(Invited { account, clinic, expires }),
            (None, _) => Err(NotInvited::Refused(Refusal::Unknown, None)),
        }
    }

    /// Makes the person a member: a credential of their own, then the account that names it. What fails in between leaves a
    /// credential that nobody names.
    pub async fn complete(
        &self,
        invited: &Invited,
        token: &Token,
        confirmed: &Confirmed,
        proof: &Proof,
        used: Used,
    ) -> Result<Accepted, CompleteError> {
        let name = &invited.account.spec.id;
        self.credentials().create(&confirmed.credential, name, proof, used).await?;
        let terms = Terms::of(&invited.clinic);
        let accepted = accept(&self.stores, name, token, confirmed, &terms, || self.clock.now()).await?;
        self.records.put(&accepted.account);
        self.metrics.acceptance(metrics::Acceptance::Accepted);
        tracing::info!(account = name, credential = confirmed.credential, "accepted the invitation");
        Ok(accepted)
    }

    /// Hashes the password of somebody who accepts.
    pub async fn hash(&self, visitor: &Visitor, password: SecretString) -> Result<PasswordHash, HashError> {
        let asker = Asker { network: visitor.client.network(), known_as: None };
        self.passwords.hash(self.passwords.place(asker)?, password).await
    }

    /// A second factor to set up.
    pub fn plan(&self) -> Option<Planned> {
        Some(Planned::new(secret_bytes().ok()?, &secret_bytes().ok()?, secret_bytes().ok()?))
    }
}

impl Invited {
    /// The language of the person.
    pub fn locale(&self) -> Option<Locale> {
        self.account.spec.desired.locale
    }

    /// First name, last name and title as the clinic knows them; empty where it does not.
    pub fn names(&self) -> [String; 3] {
        let desired = &self.account.spec.desired;
        [&desired.first_name, &desired.last_name, &desired.title].map(|name| name.clone().unwrap_or_default())
    }

    /// The invited address.
    pub fn email(&self) -> &str {
        self.account.spec.desired.email.as_deref().unwrap_or_default()
    }

    /// Until when the link works, in the reader's words.
    pub fn expires_in_words(&self, locale: Locale) -> String {
        let zone = ClinicZone::find(&self.clinic.spec.time_zone);
        let zone = zone.as_ref().map_or(TimeZone::UTC, |zone| zone.rules().clone());
        moment(self.expires, &zone, locale).unwrap_or_default()
    }

    /// Whether nobody accepts without a second factor.
    pub fn requires_a_second_factor(&self) -> bool {
        self.clinic.spec.two_factor == TwoFactor::Required
    }

    /// Reads what was typed. With a second factor in the same step a shorter password will do.
    pub fn read(&self, sent: &Sent, minimum: Minimum) -> Result<Typed, AcceptFaults> {
        let (first_name, last_name) = read_names(sent.get(field::FIRST_NAME), sent.get(field::LAST_NAME));
        let title = match line::title(sent.get(field::TITLE)) {
            Err(LineFault::Missing) => Ok(None),
            other => other.map(Some),
        };
        let text = |name: &Result<String, LineFault>| name.clone().unwrap_or_default();
        let own = Email::parse(self.email()).map_or_else(
            |_| OwnWords::default(),
            |email| OwnWords::new(&text(&first_name), &text(&last_name), &email, &self.clinic.spec.display_name),
        );
        let password = read_password(sent, minimum, &own);
        match (first_name, last_name, title, password) {
            (Ok(first_name), Ok(last_name), Ok(title), Ok(password)) => {
                Ok(Typed { first_name, last_name, title, password: password.expose().into() })
            }
            (first_name, last_name, title, password) => {
                let (password, repeated) = password.err().unwrap_or_default();
                Err(AcceptFaults {
                    first_name: first_name.err().map(name_fault),
                    last_name: last_name.err().map(name_fault),
                    title: title.err().and_then(title_fault),
                    password,
                    repeated,
                })
            }
        }
    }
}

/// First and last name; one is enough, in either field, and the other is then empty.
fn read_names(first: &str, last: &str) -> (Result<String, LineFault>, Result<String, LineFault>) {
    match (line::name(first), line::name(last)) {
        (Err(LineFault::Missing), Err(LineFault::Missing)) => (Err(LineFault::Missing), Err(LineFault::Missing)),
        (Err(LineFault::Missing), last) => (Ok(String::new()), last),
        (first, Err(LineFault::Missing)) => (first, Ok(String::new())),
        both => both,
    }
}

/// What is wrong with the password, and with its repetition.
type PasswordFaults = (Option<PasswordFault>, Option<RepeatFault>);

fn read_password(sent: &Sent, minimum: Minimum, own: &OwnWords) -> Result<NewPassword, PasswordFaults> {
    let (typed, repeated) = (sent.get(field::PASSWORD), sent.get(field::REPEATED));
    if typed.is_empty() {
        return Err((Some(PasswordFault::Missing), None));
    }
    let checked = check(typed, minimum, own).map_err(|faults| faults.first().map(|fault| password_fault(*fault)));
    let repetition = match normalised(repeated) {
        Some(text) if text.expose().is_empty() => Some(RepeatFault::Missing),
        Some(text) if checked.as_ref().is_ok_and(|password| password.expose() != text.expose()) => {
            Some(RepeatFault::Differs)
        }
        Some(_) => None,
        None => checked.is_ok().then_some(RepeatFault::Differs),
    };
    match (checked, repetition) {
        (Ok(password), None) => Ok(password),
        (checked, repetition) => Err((checked.err().flatten(), repetition)),
    }
}

fn name_fault(fault: LineFault) -> NameFault {
    match fault {
        LineFault::Missing => NameFault::Missing,
        LineFault::TooLong { maximum } => NameFault::TooLong { maximum },
        LineFault::Hidden => NameFault::Hidden,
        LineFault::NoLetter => NameFault::NoLetter,
        LineFault::Link => NameFault::Link,
    }
}

fn title_fault(fault: LineFault) -> Option<TitleFault> {
    match fault {
        LineFault::Missing => None,
        LineFault::TooLong { maximum } => Some(TitleFault::TooLong { maximum }),
        LineFault::Hidden => Some(TitleFault::Hidden),
        LineFault::NoLetter => Some(TitleFault::NoLetter),
        LineFault::Link => Some(TitleFault::Link),
    }
}

fn password_fault(fault: password::PasswordFault) -> PasswordFault {
    match fault {
        password::PasswordFault::TooShort { minimum } => PasswordFault::TooShort { minimum },
        password::PasswordFault::TooLong { maximum } => PasswordFault::TooLong { maximum },
        password::PasswordFault::Common => PasswordFault::Common,
        password::PasswordFault::OwnWords => PasswordFault::OfNames,
        password::PasswordFault::NotTypeable => PasswordFault::CannotBeTyped,
    }
}

impl Draft {
    /// What was typed, its password hashed.
    pub fn new(typed: Typed, password: PasswordHash, planned: Planned, now: Timestamp) -> Self {
        let Typed { first_name, last_name, title, .. } = typed;
        Self { first_name, last_name, title, password, planned, shown: now.as_second() }
    }

    /// First name, last name and title as they were typed.
    pub fn names(&self) -> [String; 3] {
        [self.first_name.clone(), self.last_name.clone(), self.title.clone().unwrap_or_default()]
    }

    /// What the person confirmed, with the name of the credential to come.
    pub fn confirmed(&self) -> Confirmed {
        Confirmed {
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            title: self.title.clone(),
            credential: self.planned.credential(),
        }
    }

    /// What is to be kept.
    pub fn proof(&self) -> Option<Proof> {
        Some(Proof { password: self.password.clone(), factor: Some(self.planned.factor()?), former: None })
    }
}
