//! The hold of the guard of invitations in an account's ledger: when it begins, is released, and is over. Pure; the accounts controller
//! writes what is decided here.

use super::decide::Observed;
use crate::api::account::{ClinicAccountSpec, Delivery, Hold};
use crate::domain::invitation::{Due, Standing};

/// The ledger once a person has released its hold, or the hold's cause is gone; `None`: it stays as it is.
pub(super) fn after(observed: &Observed, invitation: &Standing) -> Option<Delivery> {
    let delivery = observed.account.delivery.as_ref()?;
    let hold = delivery.hold.as_ref()?;
    if is_over(delivery, invitation) {
        return Some(Delivery { hold: None, ..delivery.clone() });
    }
    let release = observed.clinic.as_ref()?.released_hold.as_ref()?;
    let is_released = !hold.released && release.is_for(&hold.id, &observed.account.desired.holder.name);
    // Between two addresses there is none to release.
    let address = observed.account.desired.email.clone().filter(|_| is_released)?;
    let hold = Hold { released: true, address: Some(address), ..hold.clone() };
    Some(Delivery { hold: Some(hold), ..delivery.clone() })
}

/// Whether no round is to begin any more, so that there is nothing to hold or to release: the person has answered, or the edit was
/// undone. Between two addresses an account has none, and the hold stays.
fn is_over(delivery: &Delivery, invitation: &Standing) -> bool {
    let begins_none = match invitation {
        Standing::NoAddress | Standing::Held { .. } => false,
        Standing::Due(due) => due.continues.is_some(),
        Standing::Settled
        | Standing::UnderWay { .. }
        | Standing::BackingOff { .. }
        | Standing::Sent { .. }
        | Standing::Expired { .. }
        | Standing::Refused { .. }
        | Standing::Unknown => true,
    };
    begins_none && !delivery.has_a_spent_hold()
}

/// The ledger of an account of which the round that is due is held; `None`: it has no address. Round and address stay those of the
/// mails that left, so that a link of them lives as long as its address is wished for.
pub(super) fn begun(account: &ClinicAccountSpec, due: &Due, id: String, limit: u32) -> Option<Delivery> {
    let hold = Some(Hold { id, released: false, address: None, limit: Some(limit) });
    Some(match account.delivery.clone() {
        Some(delivery) => Delivery { hold, ..delivery },
        None => Delivery {
            round: due.round,
            address: account.desired.email.clone()?,
            resend: account.desired.resend.clone(),
            attempts: Vec::new(),
            not_before: None,
            refused_since: None,
            sent: 0,
            failed: 0,
            hold,
            begun: Vec::new(),
        },
    })
}

/// The ledger once the guard was raised above the limit at which it held the round: without the hold if the round fits in
/// now, else held at the new limit, so that the passing of an hour alone lets nothing go. `None`: the guard was not raised.
pub(super) fn raised(account: &ClinicAccountSpec, per_hour: u32, fits: impl FnOnce() -> bool) -> Option<Delivery> {
    let delivery = account.delivery.as_ref()?;
    let hold = delivery.hold.as_ref()?;
    hold.limit.filter(|limit| *limit < per_hour)?;
    let hold = (!fits()).then(|| Hold { limit: Some(per_hour), ..hold.clone() });
    Some(Delivery { hold, ..delivery.clone() })
}

#[cfg(test)]
#[path = "hold_tests.rs"]
mod tests;
