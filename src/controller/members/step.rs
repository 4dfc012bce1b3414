//! What a decision about a `ClinicUser` can be: one step, or what stands in the way. Which, is decided elsewhere.

use crate::api::account::{ClinicAccount, ClinicAccountSpec, Desired, Holder};
use crate::domain::email::ClaimName;
use crate::domain::member::Violation;
use crate::domain::verdict::Obstacle;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Read a `ClinicUser` from the API server: before anybody counts as gone, or as there after all.
    AskWhetherGone(Holder),
    /// Read an account from the API server, since the status names it and the cache does not know it as ours.
    ReadAccount(String),
    /// Take the address: whoever creates the claim has it.
    PostClaim {
        /// The claim.
        claim: ClaimName,
        /// Our account.
        account: String,
    },
    /// Record an account.
    CreateAccount(Box<ClinicAccountSpec>),
    /// Bring an account's `desired` block up to date: ours, or one whose holder is gone.
    PatchDesired {
        /// The account as it was read.
        account: Box<ClinicAccount>,
        /// Its block as it should be.
        desired: Box<Desired>,
    },
    /// Finish giving an address up.
    DeleteClaim {
        /// The claim.
        claim: ClaimName,
        /// Its UID as the account's `releasing` names it.
        uid: String,
    },
}

/// The decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What to do next; `None`: nothing is left to do here.
    pub step: Option<Step>,
    /// What is wrong with the manifest.
    pub violations: Vec<Violation>,
    /// What stands in the way until a person acts.
    pub obstacle: Option<Obstacle>,
}

impl Decision {
    /// Something is to be done.
    pub fn step(step: Step) -> Self {
        Self { step: Some(step), ..Self::default() }
    }

    /// Nothing can be done until a person acts.
    pub fn stuck(obstacle: Obstacle) -> Self {
        Self { obstacle: Some(obstacle), ..Self::default() }
    }

    /// This first, if it has anything to do; then `other`. What stands in the way is the same.
    #[must_use]
    pub fn before(self, other: Self) -> Self {
        Self { step: self.step.or(other.step), ..other }
    }
}

/// Writes the block of an account.
pub fn patch(account: &ClinicAccount, desired: Desired) -> Decision {
    Decision::step(Step::PatchDesired { account: Box::new(account.clone()), desired: Box::new(desired) })
}

/// Writes it, if it is not as it should be already.
pub fn patch_if_different(account: &ClinicAccount, wanted: Desired) -> Decision {
    if wanted == account.spec.desired { Decision::default() } else { patch(account, wanted) }
}
