//! Resources as the rules read them: a manifest parsed into a member (or all its violations at once), an account's ledger
//! and wish, a clinic with its zone found. Nothing is decided here.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::account::{Attempt, ClinicAccountSpec, Delivery, Desired};
use super::clinic::{Clinic, ClinicSpec};
use super::clinic_user::ClinicUserSpec;
use super::wishes::released_hold;
use crate::domain::acceptance::{Link, Record};
use crate::domain::calendar::{ClinicZone, parse_date};
use crate::domain::email::{ClaimName, Email, EmailKey, is_the_same_address};
use crate::domain::guard::Release;
use crate::domain::identity::{Names, comes_back_to_a_held_account, takes_the_place_of_its_namesake};
use crate::domain::invitation::{Due, Ledger, MailKind, Question, Try, Wish};
use crate::domain::lifecycle::{AccessFacts, ClinicStanding};
use crate::domain::member::{Classification, Member, Period, Violation, only_name};
use crate::domain::rounds::Beginning;
use crate::domain::standing;

impl ClinicUserSpec {
    /// Parses the manifest. What the CRD refuses is refused here too where access depends on it, since an object may have
    /// been stored under an older CRD.
    ///
    /// # Errors
    /// Every rule that it breaks.
    pub fn parse(&self) -> Result<Member, Vec<Violation>> {
        let email = Email::parse(&self.email).map_err(|error| violation("spec.email", error.to_string()));
        match (email, self.period()) {
            (Ok(email), Ok(period)) => Ok(Member { email, period }),
            (email, period) => Err([email.err(), period.err()].into_iter().flatten().collect()),
        }
    }

    /// How long the member is to have access.
    ///
    /// # Errors
    /// A trainee without a date: nothing is guessed.
    pub fn period(&self) -> Result<Period, Violation> {
        const FIELD: &str = "spec.expectedEndOfTraining";
        match (self.classification, &self.expected_end_of_training) {
            (Some(Classification::ClinicalTrainee), None) => {
                Err(violation(FIELD, "a ClinicalTrainee needs an expectedEndOfTraining (YYYY-MM-DD)"))
            }
            (Some(Classification::ClinicalTrainee), Some(text)) => {
                parse_date(text).map(Period::Training).ok_or_else(|| violation(FIELD, "must be a date (YYYY-MM-DD)"))
            }
            (Some(Classification::Standard | Classification::Locum) | None, _) => Ok(Period::Open),
        }
    }
}

fn violation(field: &str, message: impl Into<String>) -> Violation {
    Violation { field: field.to_owned(), message: message.into() }
}

/// A clinic with its time zone found.
#[derive(Clone, Debug)]
pub struct ClinicView {
    /// The settings.
    pub spec: ClinicSpec,
    /// The zone; `None`: the database does not have it.
    pub zone: Option<ClinicZone>,
    /// What a person has released.
    pub released_hold: Option<Release>,
}

impl ClinicView {
    /// Looks the zone up.
    pub fn new(clinic: &Clinic) -> Self {
        Self {
            spec: clinic.spec.clone(),
            zone: ClinicZone::find(&clinic.spec.time_zone),
            released_hold: released_hold(clinic.metadata.annotations.as_ref()),
        }
    }

    /// How the clinic stands, as states name it.
    pub fn standing(clinic: Option<&Self>) -> ClinicStanding<'_> {
        match clinic {
            None => ClinicStanding::Missing,
            Some(Self { zone: None, spec, .. }) => ClinicStanding::UnknownZone(&spec.time_zone),
            Some(Self { zone: Some(zone), spec, .. }) if spec.paused => ClinicStanding::Paused(zone),
            Some(Self { zone: Some(zone), .. }) => ClinicStanding::Open(zone),
        }
    }
}

impl ClinicAccountSpec {
    /// What access depends on.
    pub fn access_facts(&self) -> AccessFacts {
        AccessFacts {
            accepted: self.acceptance.as_ref().map(|acceptance| acceptance.accepted_at),
            suspended: self.desired.suspended,
            removed: self.desired.removed.as_ref().map(|removed| removed.at),
            until: self.desired.access_until,
        }
    }

    /// What the record says about who may pass.
    pub fn standing(&self) -> standing::Record {
        let has_login = self.desired.email.is_some();
        let sign_outs = self.acceptance.as_ref().map_or(0, |acceptance| acceptance.sign_outs);
        let grant = standing::grant(self.desired.grant, sign_outs);
        standing::Record { access: self.access_facts(), has_login, grant }
    }

    /// Whether this value of the annotation ends the sessions of its grant: neither a controller nor the portal has answered it.
    pub fn is_signed_out_by(&self, annotation: Option<&str>) -> bool {
        annotation == Some(standing::sign_out(&self.id, self.standing().grant).as_str())
    }

    /// The key of the address wished for; `None`: the account has given its address up, and has no login either.
    pub fn address_key(&self) -> Option<EmailKey> {
        key(self.desired.email.as_deref()?)
    }

    /// The key of the address that the person signs in with, once they have accepted.
    pub fn login_key(&self) -> Option<EmailKey> {
        key(&self.acceptance.as_ref()?.login)
    }

    /// Whether a new manifest of the gone holder's name takes its place (docs/lifecycle.md, first row).
    pub fn passes_to(&self, manifest: &ClinicUserSpec, object: &str) -> bool {
        let Some(address) = self.address_key().filter(|_| self.desired.removed.is_none()) else { return false };
        let asked_for = key(&manifest.email);
        if self.desired.hold.is_some() {
            let is_of_it = asked_for.is_some_and(|asked_for| self.claims().contains(&asked_for.claim()));
            return comes_back_to_a_held_account(manifest.names(object), self.names(), is_of_it);
        }
        takes_the_place_of_its_namesake(manifest.names(object), self.names(), asked_for.as_ref() != Some(&address))
    }

    /// Whether such a manifest keeps the account from being removed: it takes it over, or a person must say whose it is, who then
    /// has access as before. One that the guard holds waits for a person already.
    pub fn is_left_to(&self, manifest: &ClinicUserSpec, object: &str) -> bool {
        let awaits_a_person = self.acceptance.is_some()
            && self.desired.removed.is_none()
            && self.desired.email.is_some()
            && self.desired.hold.is_none()
            && self.desired.holder.name == object;
        awaits_a_person || self.passes_to(manifest, object)
    }

    /// The end of the access that the record grants, if it grants any and that has one.
    pub fn granted_until(&self) -> Option<Timestamp> {
        self.desired.access_until.filter(|_| self.access.as_ref().is_some_and(|access| access.granted))
    }

    /// The credential that the person signs in by, once they have accepted.
    pub fn credential(&self) -> Option<&str> {
        Some(&self.acceptance.as_ref()?.credential)
    }

    /// The claims that the account must have: those of its login and of the address wished for. Until somebody accepted,
    /// the two are the same; an account that has given its address up has none.
    pub fn claims(&self) -> Vec<ClaimName> {
        let Some(address) = self.address_key() else { return Vec::new() };
        let mut claims = vec![address.claim()];
        claims.extend(self.login_key().map(|login| login.claim()));
        claims.dedup();
        claims
    }

    /// When rounds began that the guard of invitations counts, as far as the ledger remembers. That of version 0.1 remembers the first
    /// one, whose Date stays that of its first attempt when the attempt itself is no longer kept.
    pub fn counted_rounds(&self) -> BTreeSet<Timestamp> {
        let Some(delivery) = &self.delivery else { return BTreeSet::new() };
        let first = delivery.attempts.iter().filter(|attempt| attempt.round == 1).map(|attempt| attempt.date).min();
        let counted = delivery.begun.iter().filter(|begun| begun.by.counts()).map(|begun| begun.at);
        counted.chain(first).collect()
    }

    /// The latest round of which a mail was written ahead; 0: none was.
    pub fn last_round(&self) -> u32 {
        let attempts = self.delivery.iter().flat_map(|delivery| &delivery.attempts);
        attempts.map(|attempt| attempt.round).max().unwrap_or(0)
    }

    /// How the mail that is due begins a round; `None`: it goes on with one that began before.
    pub fn beginning(&self, due: &Due, now: Timestamp) -> Option<Beginning> {
        let begins = due.continues.is_none() && due.kind != MailKind::EmailChangeNotice;
        let address = self.desired.email.as_deref().filter(|_| begins)?;
        let delivery = self.delivery.as_ref();
        let before = delivery.filter(|delivery| !delivery.attempts.is_empty()).map(|delivery| &*delivery.address);
        Some(Beginning::of(before, address, delivery.map_or(&[], |delivery| &delivery.begun), now))
    }

    /// The names by which the record knows its person.
    pub fn names(&self) -> Names<'_> {
        let desired = &self.desired;
        let only =
            self.acceptance.as_ref().and_then(|confirmed| only_name(&confirmed.first_name, &confirmed.last_name));
        let (first, last) = (desired.first_name.as_deref(), desired.last_name.as_deref());
        Names { object: &desired.holder.name, first, last, only }
    }

    /// Whether a mail of this kind may have reached its reader in an earlier round.
    pub fn was_mailed_before(&self, kind: MailKind, round: u32) -> bool {
        let attempts = self.delivery.iter().flat_map(|delivery| &delivery.attempts);
        let earlier = |attempt: &&Attempt| attempt.kind == kind && attempt.round < round;
        attempts.filter(earlier).any(|attempt| attempt.outcome.may_have_arrived())
    }

    /// The ledger as the rules read it.
    pub fn ledger(&self) -> Option<Ledger<'_>> {
        self.delivery.as_ref().map(Delivery::ledger)
    }

    /// What decides whether a link lets its reader in; `None`: nothing was mailed yet.
    pub fn record(&self, validity_days: u8) -> Option<Record<'_>> {
        let delivery = self.delivery.as_ref()?;
        let links = delivery.attempts.iter().map(|attempt| Link {
            kind: attempt.kind,
            round: attempt.round,
            at: attempt.at,
            valid_until: attempt.valid_until,
            outcome: attempt.outcome,
            digest: &attempt.token_digest,
        });
        Some(Record {
            round: delivery.round,
            mailed_to: &delivery.address,
            links: links.collect(),
            access: self.access_facts(),
            wish: self.wish(validity_days),
        })
    }

    /// The mail that is wished for, where links are valid for `validity_days`.
    pub fn wish(&self, validity_days: u8) -> Wish<'_> {
        Wish {
            question: Question::of(self.address_key().as_ref(), self.login_key().as_ref()),
            address: self.desired.email.as_deref(),
            resend: self.desired.resend.as_deref(),
            validity_days,
            access_until: self.desired.access_until,
        }
    }
}

impl Desired {
    /// The name to greet somebody by: the first, or the only one that the clinic knows.
    pub fn greeting(&self) -> Option<&str> {
        self.first_name.as_deref().or(self.last_name.as_deref())
    }
}

impl Delivery {
    /// Whether a person has released the round to `address` that is to begin next. A hold that version 0.1 released names no address,
    /// and is spent once a mail was written ahead.
    pub fn is_released(&self, address: Option<&str>) -> bool {
        self.hold.as_ref().filter(|hold| hold.released).is_some_and(|hold| match &hold.address {
            Some(released) => address.is_some_and(|address| is_the_same_address(released, address)),
            None => hold.limit.is_none() && self.attempts.is_empty(),
        })
    }

    /// Whether its hold was released and let everything go that it held, in version 0.1, which left such holds in the ledger.
    pub fn has_a_spent_hold(&self) -> bool {
        let Some(hold) = &self.hold else { return false };
        let is_of_0_1 = hold.limit.is_none() && hold.address.is_none();
        is_of_0_1 && hold.released && !self.attempts.is_empty()
    }

    fn ledger(&self) -> Ledger<'_> {
        let tries = self.attempts.iter().map(|attempt| Try {
            kind: attempt.kind,
            round: attempt.round,
            message_id: &attempt.message_id,
            at: attempt.at,
            valid_until: attempt.valid_until,
            date: attempt.date,
            outcome: attempt.outcome,
            trouble: attempt.trouble(),
        });
        Ledger {
            round: self.round,
            address: &self.address,
            resend: self.resend.as_deref(),
            tries: tries.collect(),
            not_before: self.not_before,
            held: self.hold.as_ref().filter(|hold| !hold.released).map(|hold| hold.id.as_str()),
            open_for: SignedDuration::ZERO,
        }
    }
}

/// The claim of an address; `None`: it is none.
pub fn claim_of(address: &str) -> Option<ClaimName> {
    key(address).map(|key| key.claim())
}

fn key(address: &str) -> Option<EmailKey> {
    Email::parse(address).ok().map(|email| email.key())
}

/// The end of access of `period` at a clinic in `zone`.
pub fn access_until(period: Period, zone: &ClinicZone) -> Option<Timestamp> {
    match period {
        Period::Open => None,
        Period::Training(end) => Some(zone.access_ends(end).unwrap_or(Timestamp::MAX)),
    }
}
