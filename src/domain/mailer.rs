//! Whether the relay takes mail, and whose trouble a refusal is, as the mails so far have shown; after a restart both are read back
//! from the ledgers. What one reply says of itself is in `delivery`, how fast mails follow in `pace`; nothing is sent here.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::delivery::{Cause, Fault, Trouble};
use super::invitation::Outcome;

/// First wait after the relay failed; doubled with each failure in a row.
pub const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(5);
/// Longest wait: so long at most it takes to notice that the relay works again.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// So many recipients, of two domains, must be refused before the relay is to blame for refusals that do not say why.
const REFUSED_AT_LEAST: usize = 3;
/// For so long a relay may put off a recipient whom it does not know yet.
const GREYLISTED_AT_MOST: SignedDuration = SignedDuration::from_mins(5);
/// A mail that is refused for so long, while nothing shows that the relay is to blame, is its member's trouble.
const UNDECIDED_AT_MOST: SignedDuration = SignedDuration::from_hours(24);

/// Whether mail goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MailerStanding {
    /// As far as is known.
    #[default]
    Up,
    /// The queue is stopped, and why.
    Down(String),
}

/// What one mail has shown about the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It took the mail.
    Took,
    /// It did its part up to the recipient, whom it refused.
    RefusedTheRecipient,
    /// It refused this very mail, which may be the member's trouble: other mails tell.
    Refused(Refusal),
    /// It failed.
    Failed(Trouble),
    /// Nothing: the mail did not get that far, or what it said is nobody's fault.
    Nothing,
}

impl Evidence {
    /// What a mail for a recipient at this domain has shown that was not taken. `since`: when each try began to be refused.
    pub fn of(trouble: Trouble, domain: String, since: Option<Timestamp>) -> Self {
        match trouble.fault() {
            _ if trouble.may_be_the_members() => Self::Refused(Refusal { trouble, domain, since }),
            Some(Fault::Address) if is_of_the_recipient(&trouble) => Self::RefusedTheRecipient,
            Some(Fault::Mailer) | None => Self::Failed(trouble),
            Some(Fault::Address | Fault::Undecided | Fault::Nobody | Fault::Unknown) => Self::Nothing,
        }
    }
}

/// A refusal of one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reply and its stage.
    pub trouble: Trouble,
    /// The domain of the recipient.
    pub domain: String,
    /// Since when this mail is refused so at each try; `None`: this was the first.
    pub since: Option<Timestamp>,
}

/// Whose trouble the mail's is that has just failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The failure itself tells.
    AsItSays,
    /// The relay's, or ours with it: every mail waits.
    Relay,
    /// Nobody's yet, whatever the reply says.
    Undecided,
    /// The member's: the relay takes the mail of others.
    Member,
}

/// What was known when the turn of a mail came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// How often in a row the relay had failed.
    failures: u32,
    /// How many mails had ended.
    known: u64,
}

/// One attempt of a ledger, as far as it tells about the relay.
#[derive(Clone, Debug)]
pub struct Past {
    /// The mail: its Message-ID, which all copies of it share.
    pub mail: String,
    /// The domain of its recipient; `None`: of an earlier round, whose address is not kept.
    pub domain: Option<String>,
    /// Since when each try of that round was refused by a reply that does not say why.
    pub refused_since: Option<Timestamp>,
    /// When it was written ahead.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// Where and why it failed.
    pub trouble: Trouble,
}

/// That the relay refused a mail, and has not taken it since.
#[derive(Clone, Debug)]
struct Refused {
    /// How many mails had ended when it did so first.
    first: u64,
    /// How many had when it did so last.
    known: u64,
    /// When that was.
    at: Timestamp,
    domain: String,
    /// Whether it speaks against the relay, if the relay refuses others too.
    counts: bool,
}

/// What the mails so far have shown about the relay.
#[derive(Clone, Debug, Default)]
pub struct RelayHealth {
    /// How often in a row it has failed.
    failures: u32,
    /// How it failed last; `None`: it works.
    trouble: Option<Trouble>,
    /// The domain of the recipient whose mail it refused; `None`: it failed otherwise.
    troubled_domain: Option<String>,
    /// When the next mail may be tried while it fails.
    probe_at: Option<Timestamp>,
    /// How many mails have ended.
    known: u64,
    /// What was known when the latest mail that it took began.
    took: Option<u64>,
    /// What was known when it took a mail last.
    took_last: u64,
    /// The mails that it refused.
    refused: HashMap<String, Refused>,
    /// What was known when a refusal was last put down to its member.
    settled: u64,
}

impl RelayHealth {
    /// What the ledgers of all accounts say when the operator starts. A relay that failed last is tried again soon: a restart
    /// may well be what mended the configuration. An instant that lies ahead was written by a clock that has been set back
    /// since, and tells nothing.
    pub fn from_ledgers(past: Vec<Past>, now: Timestamp) -> Self {
        let mut past: Vec<Past> = past.into_iter().filter(|past| past.at <= now).collect();
        past.sort_by_key(|past| (past.at, counts_more(past)));
        let mut health = Self::default();
        for past in past {
            health.recall(past, now);
        }
        health
    }

    /// As [`Self::learn`] took it in when it happened, but that each mail ended before the next began.
    fn recall(&mut self, past: Past, now: Timestamp) {
        let Past { mail, domain, refused_since, at, outcome, trouble } = past;
        self.known += 1;
        let is_of_the_mail = trouble.may_be_the_members();
        let is_put_down_to_it = outcome == Outcome::MailerFailed;
        let counts = domain.is_some()
            && is_of_the_mail
            && (is_put_down_to_it || speaks_against_the_relay(&trouble, refused_since, at));
        let domain = domain.unwrap_or_default();
        let refused = Refused { first: self.first(&mail), known: self.known, at, domain: domain.clone(), counts };
        if is_of_the_mail || is_of_the_recipient(&trouble) {
            self.speaks_of_the_recipient();
        }
        match outcome {
            Outcome::Sent => self.takes(&mail, self.known - 1),
            Outcome::MailerFailed => {
                self.refused.remove(&mail);
                if is_of_the_mail {
                    self.refused.insert(mail, refused);
                }
                self.failed(trouble, is_of_the_mail.then_some(domain), Begun::default(), now);
            }
            Outcome::Deferred if is_of_the_mail => {
                self.refused.insert(mail, refused);
            }
            Outcome::Refused => {
                self.refused.remove(&mail);
                if is_of_the_mail {
                    self.settled = self.known;
                }
            }
            Outcome::Deferred | Outcome::Sending | Outcome::Dropped => self.was_not_refused(&mail),
        }
    }

    /// What is known now, for the mail whose turn it is.
    pub fn begin(&self) -> Begun {
        Begun { failures: self.failures, known: self.known }
    }

    /// Takes in what a mail has shown that began so: mails that were under way together and fail together are one failure. Returns
    /// whose trouble it is where the reply alone does not tell.
    pub fn learn(&mut self, mail: &str, evidence: Evidence, begun: Begun, now: Timestamp) -> Blame {
        self.known += 1;
        let blame = match evidence {
            Evidence::Nothing => {
                self.was_not_refused(mail);
                Blame::AsItSays
            }
            Evidence::Took => {
                self.takes(mail, begun.known);
                Blame::AsItSays
            }
            Evidence::RefusedTheRecipient => {
                self.refused.remove(mail);
                self.speaks_of_the_recipient();
                Blame::AsItSays
            }
            Evidence::Refused(refusal) => self.weigh(mail, refusal, begun, now),
            Evidence::Failed(trouble) => {
                self.refused.remove(mail);
                self.failed(trouble, None, begun, now);
                Blame::Relay
            }
        };
        // Whatever a probe has shown, the next one waits.
        if self.fails() && self.next_probe(now).is_none() {
            self.fail(self.failures, now);
        }
        blame
    }

    /// Weighs a refusal that may be the member's. A temporary one is no member's while it may pass: a relay that puts off each
    /// recipient that it does not know yet (greylisting) takes the same mail minutes later. Where the reply speaks of us, the first is
    /// the relay's; who is refused again, while it takes others, speaks no more of it than any other.
    fn weigh(&mut self, mail: &str, refusal: Refusal, begun: Begun, now: Timestamp) -> Blame {
        let Refusal { trouble, domain, since } = refusal;
        let speaks_of_us = trouble.fault() == Some(Fault::Mailer);
        self.speaks_of_the_recipient();
        self.refused.retain(|_, refused| now.duration_since(refused.at) < UNDECIDED_AT_MOST);
        let before = self.refused.get(mail).map(|before| before.known);
        let takes_others = before.is_some() && self.took_last >= self.first(mail);
        // One mail that was taken, and began after the refusal, puts one refusal down to its member: a relay that begins to refuse
        // everybody costs one member at most before it counts as failing.
        let took_another = before.is_some_and(|before| self.took >= Some(before.max(self.settled)));
        if trouble.is_for_good() && took_another {
            self.refused.remove(mail);
            self.settled = self.known;
            return Blame::Member;
        }
        let counts = speaks_against_the_relay(&trouble, since, now);
        let refused = Refused { first: self.first(mail), known: self.known, at: now, domain: domain.clone(), counts };
        self.refused.insert(mail.to_owned(), refused);
        if self.fails() || (speaks_of_us && !takes_others) || self.refuses_everybody() {
            if let Some(refused) = self.refused.get_mut(mail) {
                refused.counts = true;
            }
            self.failed(trouble, Some(domain), begun, now);
            return Blame::Relay;
        }
        if refused_for(since, now) >= UNDECIDED_AT_MOST {
            self.refused.remove(mail);
            self.settled = self.known;
            return Blame::Member;
        }
        Blame::Undecided
    }

    fn first(&self, mail: &str) -> u64 {
        self.refused.get(mail).map_or(self.known, |before| before.first)
    }

    /// Whether so many recipients were refused, of more than one domain, since it took a mail last, that it refuses everybody.
    fn refuses_everybody(&self) -> bool {
        let since = self.refused.values().filter(|refused| refused.counts && refused.known > self.took_last);
        let domains: Vec<&str> = since.map(|refused| refused.domain.as_str()).collect();
        domains.len() >= REFUSED_AT_LEAST && domains.iter().any(|domain| Some(domain) != domains.first())
    }

    /// The domain that the next mail is better not for: another one tells more.
    pub fn troubled_domain(&self) -> Option<&str> {
        self.troubled_domain.as_deref()
    }

    /// The latest try came to something else, so that it speaks against the relay no more.
    fn was_not_refused(&mut self, mail: &str) {
        if let Some(refused) = self.refused.get_mut(mail) {
            refused.counts = false;
        }
    }

    fn takes(&mut self, mail: &str, known_before: u64) {
        self.took = self.took.max(Some(known_before));
        self.took_last = self.known;
        self.refused.remove(mail);
        self.works();
    }

    fn speaks_of_the_recipient(&mut self) {
        if self.trouble.as_ref().is_some_and(Trouble::is_before_the_recipient) {
            self.works();
        }
    }

    fn works(&mut self) {
        (self.failures, self.trouble, self.troubled_domain, self.probe_at) = (0, None, None, None);
    }

    fn failed(&mut self, trouble: Trouble, domain: Option<String>, begun: Begun, now: Timestamp) {
        self.troubled_domain = domain.filter(|_| !trouble.is_before_the_recipient());
        self.trouble = Some(trouble);
        let failures = begun.failures.saturating_add(1);
        if failures > self.failures {
            self.fail(failures, now);
        }
    }

    fn fail(&mut self, failures: u32, now: Timestamp) {
        self.failures = failures;
        self.probe_at = now.checked_add(wait_after(failures)).ok();
    }

    /// Whether it has failed since it last worked.
    pub fn fails(&self) -> bool {
        self.failures > 0
    }

    /// When the next mail may be tried, if that is not now. An instant that is further away than any wait was written by a
    /// clock that has been set back since, and is not waited for.
    pub fn next_probe(&self, now: Timestamp) -> Option<Timestamp> {
        self.probe_at.filter(|at| now < *at && at.duration_since(now) <= LONGEST_WAIT)
    }

    /// In a word, with the reason: the same as after a restart.
    pub fn standing(&self) -> MailerStanding {
        self.trouble.as_ref().map_or(MailerStanding::Up, |trouble| MailerStanding::Down(trouble.to_string()))
    }
}

fn refused_for(since: Option<Timestamp>, now: Timestamp) -> SignedDuration {
    since.map_or(SignedDuration::ZERO, |since| now.duration_since(since))
}

/// Whether a refusal that does not say why speaks against the relay, if it refuses others too.
fn speaks_against_the_relay(trouble: &Trouble, since: Option<Timestamp>, now: Timestamp) -> bool {
    trouble.is_for_good() || refused_for(since, now) >= GREYLISTED_AT_MOST
}

/// Whether a refusal was of the recipient, by the relay: then everything before it works.
fn is_of_the_recipient(trouble: &Trouble) -> bool {
    trouble.is_of_the_address() && trouble.cause != Some(Cause::InvalidAddress)
}

/// Of two attempts of one second, which comes after the other: the one that shows that it works, and after that the refusal that was put
/// down to its member because it works.
fn counts_more(past: &Past) -> u8 {
    match past.outcome {
        Outcome::MailerFailed | Outcome::Deferred | Outcome::Sending | Outcome::Dropped => 0,
        Outcome::Refused if past.trouble.may_be_the_members() => 3,
        Outcome::Refused => 1,
        Outcome::Sent => 2,
    }
}

/// How long to wait after so many failures in a row: 5 s, doubled each time, at most 5 min.
pub fn wait_after(failures: u32) -> SignedDuration {
    let seconds = FIRST_WAIT.as_secs() << failures.saturating_sub(1).min(16);
    SignedDuration::from_secs(seconds).min(LONGEST_WAIT)
}

#[cfg(test)]
#[path = "mailer_tests.rs"]
mod tests;
