//! What can be seen of the reference model: states, records, mails, and what of a manifest waits to take effect.

use std::collections::BTreeSet;

use super::super::mails::Stands;
use super::super::{Outcome, Seen, Stand};
use super::{Account, Member, Model};

impl Model {
    /// What can be seen of it.
    pub(crate) fn outcome(&self) -> Outcome {
        let seen = |account: &Account| Seen {
            holder: account.holder.clone(),
            address: account.address,
            login: account.login,
            removed: account.removed,
            granted: account.login.is_some() && !account.removed && !account.suspended && !self.has_ended(account),
            decisions: account.decisions,
        };
        let state = |member: &Member| {
            let account = self.held_by(&member.uid);
            (self.state(member, account.and_then(|name| self.accounts.get(name))).to_owned(), account.cloned())
        };
        let mut mails = self.mails.clone();
        mails.sort_unstable();
        Outcome {
            members: self.members.iter().map(|(name, member)| (name.clone(), state(member))).collect(),
            accounts: self.accounts.iter().map(|(name, account)| (name.clone(), seen(account))).collect(),
            mails,
        }
    }

    fn state(&self, member: &Member, account: Option<&Account>) -> &'static str {
        if member.marked {
            return "BeingDeleted";
        }
        if member.manifest.invalid {
            return "Invalid";
        }
        match self.clinic {
            Stand::Missing => return "ClinicMissing",
            Stand::Paused => return "Paused",
            Stand::Open => {}
        }
        if let Some(trouble) = member.trouble {
            return trouble;
        }
        let Some(account) = account else { return "Pending" };
        if self.has_ended(account) {
            "TrainingEnded"
        } else if account.suspended {
            "Suspended"
        } else if account.login.is_some() {
            "Active"
        } else {
            self.state_of_invitation(account)
        }
    }

    fn state_of_invitation(&self, account: &Account) -> &'static str {
        let Some(asked) = &account.asked else { return if account.held == Some(true) { "Held" } else { "Pending" } };
        match asked.link.stands(self.hours) {
            Stands::Sent if asked.link_works(account.until, self.hours) => "Invited",
            Stands::Sent => "InvitationExpired",
            Stands::Refused => "Undeliverable",
            Stands::Unknown => "DeliveryUnknown",
            Stands::Waits => "Pending",
        }
    }

    /// Each member's state, with what of the manifest has not taken effect.
    pub(crate) fn what_waits(&self) -> BTreeSet<(&'static str, &'static str)> {
        let mut all = BTreeSet::new();
        for member in self.members.values() {
            let account = self.held_by(&member.uid).and_then(|name| self.accounts.get(name));
            let state = self.state(member, account);
            all.insert((state, ""));
            let Some(account) = account.filter(|account| account.login.is_some()) else { continue };
            all.extend((account.login != Some(member.manifest.address)).then_some((state, "address")));
            all.extend((account.names != (member.manifest.first, member.manifest.last)).then_some((state, "names")));
        }
        all
    }
}
