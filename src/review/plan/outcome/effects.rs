//! What becomes of each record, told as effects: access before and after, the mail that is due then, what is held.

use jiff::Timestamp;
use serde::Serialize;

use super::{Account, Course};
use crate::api::account::ClinicAccountSpec;
use crate::domain::email::is_the_same_address;
use crate::domain::guard::{is_within_the_window, one_more_may_be_invited};
use crate::domain::invitation::{Ledger, MailKind, Standing, standing};
use crate::domain::lifecycle::{AccessReason, access};
use crate::domain::rounds::Beginning;

/// What happens to a member, in the order in which people want to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(in crate::review::plan) enum Effect {
    /// Access ends, or the way to it.
    AccessEnds,
    /// Nothing happens before a person has acted.
    NeedsAPerson,
    /// A guard holds it back until a person releases it.
    Held,
    /// A mail with a link leaves.
    Mailed,
    /// Access comes back.
    AccessReturns,
    /// An account of before is taken up again.
    TakesUpAccount,
    /// Something else.
    Changes,
}

/// Whether what a guard holds goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GoesOn {
    /// Not by what is planned, or nothing is held.
    No,
    /// A person releases it.
    Released,
    /// The guard is raised, and decides anew.
    WithinTheGuard,
}

/// One thing that happens to one member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(in crate::review::plan) struct Change {
    pub effect: Effect,
    /// `metadata.name`.
    pub member: String,
    /// Why, and what exactly; never an address.
    pub detail: String,
}

impl Course<'_> {
    pub(super) fn effects(mut self) -> Vec<Change> {
        let mut changes = std::mem::take(&mut self.said);
        let mut invited = 0;
        let mut order: Vec<&Account<'_>> = self.accounts.iter().collect();
        order.sort_by_key(|account| account.holder.unwrap_or(&account.after.desired.holder.name));
        for account in order {
            let member = account.holder.unwrap_or(&account.after.desired.holder.name);
            let mut say = |effect, detail: String| changes.push(Change { effect, member: member.to_owned(), detail });
            if account.taken_up {
                let was = account.before.as_ref().map_or("", |before| before.desired.holder.name.as_str());
                let of = if account.after.id.starts_with("a-") {
                    format!("account {}", account.after.id)
                } else {
                    format!("the account of {was}")
                };
                say(Effect::TakesUpAccount, format!("{of} goes on as it stands"));
            }
            if account.held {
                say(
                    Effect::Held,
                    "removed, beyond what the guard lets pass in an hour: access stays until `kubectl clinic release`; of several who go at once it may be others".to_owned(),
                );
            }
            if let Some((effect, detail)) = self.access(account) {
                say(effect, detail);
            }
            if let Some((effect, detail)) = self.mail(account, &mut invited) {
                say(effect, detail);
            }
        }
        changes
    }

    fn access(&self, account: &Account<'_>) -> Option<(Effect, String)> {
        let after = access(&account.after.access_facts(), self.world.now);
        let Some(record) = &account.before else {
            return match after {
                AccessReason::TrainingEnded => {
                    Some((Effect::Changes, "a new member whose access is over: nobody is invited".to_owned()))
                }
                AccessReason::Suspended => {
                    Some((Effect::Changes, "a new member, suspended: nobody is invited".to_owned()))
                }
                AccessReason::Granted | AccessReason::NotAccepted | AccessReason::Removed => None,
            };
        };
        let before = access(&record.access_facts(), self.world.now);
        let is_moved = record.desired.access_until != account.after.desired.access_until;
        let day = |until: Option<Timestamp>| self.world.clinic.last_day(until);
        let moved = format!(
            "last day of access: {}, before {}",
            day(account.after.desired.access_until),
            self.world.clinic.last_day_before(record.desired.access_until)
        );
        let gives_the_address_up = record.desired.email.is_some() && account.after.desired.email.is_none();
        let links_die = record.acceptance.is_none() && gives_the_address_up;
        let why = match after {
            AccessReason::Suspended => "suspended".to_owned(),
            AccessReason::TrainingEnded => {
                format!("the last day of access was {}", day(account.after.desired.access_until))
            }
            AccessReason::Removed => return removal(account, before),
            AccessReason::Granted | AccessReason::NotAccepted => String::new(),
        };
        Some(match (before, after) {
            (AccessReason::Granted, AccessReason::Suspended | AccessReason::TrainingEnded) => (Effect::AccessEnds, why),
            (AccessReason::NotAccepted, AccessReason::Suspended | AccessReason::TrainingEnded) => {
                (Effect::AccessEnds, format!("{why}: the invitation's link does not let in"))
            }
            (AccessReason::NotAccepted, AccessReason::NotAccepted) if links_die => {
                (Effect::AccessEnds, "gives the old address up: the links of the invitation stop working".to_owned())
            }
            (AccessReason::Suspended | AccessReason::TrainingEnded | AccessReason::Removed, AccessReason::Granted) => {
                (Effect::AccessReturns, if is_moved { moved } else { "access as before".to_owned() })
            }
            (
                AccessReason::Suspended | AccessReason::TrainingEnded | AccessReason::Removed,
                AccessReason::NotAccepted,
            ) => (Effect::Changes, "may accept an invitation again".to_owned()),
            (_, _) if is_moved => (Effect::Changes, moved),
            (_, _) => return None,
        })
    }

    /// The mail with a link that is due then, by the same rules by which it is sent.
    fn mail(&self, account: &Account<'_>, invited: &mut usize) -> Option<(Effect, String)> {
        account.holder.filter(|_| self.world.clinic.is_open())?;
        let record = &account.after;
        let wish = record.wish(self.world.clinic.settings.invitation_validity_days);
        let ledger = record.ledger();
        let now = self.world.now;
        let is_held = matches!(standing(ledger.as_ref(), &wish, now), Standing::Held { .. });
        let goes_on = self.goes_on(record);
        if is_held && goes_on == GoesOn::No {
            return Some((Effect::Held, "the mail stays held until it is released".to_owned()));
        }
        let unheld = ledger.as_ref().map(|ledger| Ledger { held: None, ..ledger.clone() });
        let due = standing(unheld.as_ref(), &wish, now).due()?.clone();
        if access(&record.access_facts(), now) != due.kind.goes_to() {
            return None;
        }
        let counts = record.beginning(&due, now).is_some_and(Beginning::counts);
        let is_guarded = counts && goes_on != GoesOn::Released;
        let was_mailed = ledger.as_ref().is_some_and(|ledger| !ledger.tries.is_empty());
        let another_address = ledger
            .as_ref()
            .zip(wish.address)
            .is_some_and(|(ledger, address)| !is_the_same_address(ledger.address, address));
        let detail = match (due.kind, was_mailed, another_address) {
            (MailKind::Invitation, false, _) if account.before.is_none() => "a new member: an invitation",
            (MailKind::Invitation, false, _) => "a member whom nobody has written to yet: an invitation",
            (MailKind::Invitation, true, true) => {
                "another address: a new invitation, and the links of earlier mails stop working"
            }
            (MailKind::Invitation, true, false) => "a resend: the links of earlier mails stop working",
            (MailKind::EmailConfirmation | MailKind::EmailChangeNotice, _, true) => {
                "another address: a link to confirm it goes there and a notice to the old one, which signs in until then"
            }
            (MailKind::EmailConfirmation | MailKind::EmailChangeNotice, _, false) => {
                "the link that confirms the changed address, again"
            }
        };
        Some(if is_guarded { self.guarded(detail, invited) } else { (Effect::Mailed, detail.to_owned()) })
    }

    /// Whether what is held of an account goes on by what the tree says.
    fn goes_on(&self, record: &ClinicAccountSpec) -> GoesOn {
        let Some(hold) = record.delivery.as_ref().and_then(|delivery| delivery.hold.as_ref()) else {
            return GoesOn::No;
        };
        let clinic = &self.world.clinic;
        let holder = &record.desired.holder.name;
        let address = record.desired.email.as_deref();
        let is_released = record.delivery.as_ref().is_some_and(|delivery| delivery.is_released(address))
            || clinic.released.as_ref().is_some_and(|release| !hold.released && release.is_for(&hold.id, holder));
        if is_released {
            GoesOn::Released
        } else if hold.limit.is_some_and(|limit| limit < clinic.settings.guard.invitations_per_hour) {
            GoesOn::WithinTheGuard
        } else {
            GoesOn::No
        }
    }

    /// What becomes of a mail that the guard of invitations counts.
    fn guarded(&self, detail: &str, invited: &mut usize) -> (Effect, String) {
        let begun = self.accounts.iter().filter_map(|account| account.before.as_ref());
        let begun = begun.flat_map(ClinicAccountSpec::counted_rounds);
        let lately = begun.filter(|at| is_within_the_window(*at, self.world.now)).count();
        let per_hour = self.world.clinic.settings.guard.invitations_per_hour;
        let passes = one_more_may_be_invited(per_hour, lately + *invited);
        *invited += 1;
        if passes {
            (Effect::Mailed, detail.to_owned())
        } else {
            (Effect::Held, format!("{detail}; beyond the {per_hour} that the guard lets begin in an hour"))
        }
    }
}

fn removal(account: &Account<'_>, before: AccessReason) -> Option<(Effect, String)> {
    let is_new = account.before.as_ref().is_some_and(|record| record.desired.removed.is_none());
    let detail = match before {
        AccessReason::Granted => "removed: access ends, the record is kept",
        AccessReason::NotAccepted => "withdrawn: the links of the invitation stop working",
        AccessReason::Suspended | AccessReason::Removed | AccessReason::TrainingEnded => {
            "removed: has no access now either"
        }
    };
    is_new.then(|| (Effect::AccessEnds, detail.to_owned()))
}
