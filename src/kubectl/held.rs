//! Whom the guards hold back, by name: all of them for who may read the records, else those whom the Clinic's status names; and the
//! members whose manifests are gone and who keep their access meanwhile. Which they are was decided by the operator.

use kube::core::ObjectMeta;

use super::failure::Failure;
use super::seen::{AccountSpec, Clinic, Hold, Member, MemberKind, holds_of};
use super::session::{Perhaps, Session};
use crate::api::clinic::HoldStatus;
use crate::api::clinic_user::{ListedMember, MemberStatus};
use crate::domain::guard::Guard;
use crate::domain::lifecycle::State;
use crate::domain::member::full_name;

/// How many a hold keeps back who are not named, since this person may not read the records.
pub(super) fn unnamed(hold: &HoldStatus) -> usize {
    usize::try_from(hold.count).unwrap_or(usize::MAX).saturating_sub(hold.members.len())
}

/// All holds of the Clinic, with every name that is known.
pub(super) async fn held(session: &Session, clinic: &Clinic) -> Result<Vec<HoldStatus>, Failure> {
    let mut all = holds_of(clinic).to_vec();
    if all.iter().any(|hold| unnamed(hold) > 0)
        && let Perhaps::Read(accounts) = session.accounts().await?
    {
        for hold in &mut all {
            hold.members = names_under(&accounts, &hold.id);
        }
    }
    Ok(all)
}

/// The members whom the hold of this id keeps back, in the order of the alphabet.
fn names_under(accounts: &[AccountSpec], id: &str) -> Vec<String> {
    let is_it = |hold: &&Hold| !hold.released && hold.id == id;
    let is_held = |account: &&AccountSpec| {
        let delivery = account.delivery.as_ref().and_then(|delivery| delivery.hold.as_ref());
        let holds = [account.desired.hold.as_ref(), delivery];
        account.desired.removed.is_none() && holds.into_iter().flatten().any(|hold| is_it(&hold))
    };
    let held = accounts.iter().filter(is_held);
    let mut names: Vec<String> = held.map(|account| account.desired.holder.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Somebody whose manifest is gone and whom the guard of removals keeps.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The hold.
    pub(super) hold: String,
    /// As the list shows members; of who may not read the records it has the name of the manifest alone.
    pub(super) member: Member,
}

/// Everybody who is kept; and how many are of whom this person may not know the names.
pub(super) async fn kept(session: &Session, clinic: &Clinic) -> Result<(Vec<Kept>, usize), Failure> {
    let holds = holds_of(clinic).iter().filter(|hold| Guard::of(&hold.id) == Some(Guard::Removals));
    let holds: Vec<&HoldStatus> = holds.collect();
    if holds.is_empty() {
        return Ok((Vec::new(), 0));
    }
    Ok(match session.accounts().await? {
        Perhaps::Read(accounts) => (accounts.iter().filter_map(kept_with_access).collect(), 0),
        Perhaps::NotAllowed => {
            let named = holds.iter().flat_map(|hold| {
                let kept = |name: &String| Kept { hold: hold.id.clone(), member: Member::without_manifest(name, None) };
                hold.members.iter().map(kept)
            });
            let unnamed = holds.iter().map(|hold| unnamed(hold)).sum();
            (named.collect(), unnamed)
        }
    })
}

fn kept_with_access(account: &AccountSpec) -> Option<Kept> {
    let desired = &account.desired;
    let hold = desired.hold.as_ref().filter(|hold| !hold.released && desired.removed.is_none())?;
    account.access.as_ref().filter(|access| access.granted)?;
    let shown = account.acceptance.as_ref().filter(|acceptance| acceptance.first_sign_in_at.is_some());
    let listed = shown.map(|acceptance| ListedMember {
        name: Some(full_name(&acceptance.first_name, &acceptance.last_name)),
        title: acceptance.title.clone(),
        designation: desired.designation(),
    });
    Some(Kept { hold: hold.id.clone(), member: Member::without_manifest(&desired.holder.name, listed) })
}

impl Member {
    /// Somebody whose manifest is gone and who has access all the same.
    fn without_manifest(name: &str, listed: Option<ListedMember>) -> Self {
        let status =
            MemberStatus { member: listed, state: Some(State::Active.name().to_owned()), ..MemberStatus::default() };
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        Self { kind: MemberKind::ClinicUser, metadata, email: None, status }
    }
}
