//! Pages that say what happened and what to do. Never here: their words, or which HTTP status goes with one.

use crate::domain::acceptance::Refusal;
use crate::portal::path;

/// Something else than what the reader came for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The invitation's link is too old.
    InvitationExpired,
    /// A newer invitation was mailed, or the clinic has another address by now.
    InvitationReplaced,
    /// The invitation was accepted already.
    AlreadyAccepted,
    /// The same, opened by whoever accepted it and is signed in.
    AlreadyYours,
    /// The clinic suspended the account.
    Suspended,
    /// The trainee's access has ended.
    TrainingEnded,
    /// The clinic removed the member.
    Removed,
    /// Nobody mailed this link; it says nothing about whether there is such an account.
    UnknownLink,
    /// A link to confirm a changed address, which nothing can be done with yet.
    AddressUnchanged,
    /// There is no such page.
    NotFound,
    /// The form's token is missing, too old or not of this browser, or the form came from another site.
    FormOutOfDate {
        /// Where a new form is.
        again: &'a str,
    },
    /// Too many tries.
    TooManyTries {
        /// Seconds until the next is taken.
        wait: u64,
    },
    /// More at once than the portal does.
    Busy,
    /// The clinic's records cannot be read, so nobody is let in.
    Unreachable,
    /// The same, for whoever has a session, which goes on once they can be read.
    SessionUnreachable,
    /// A policy of the cluster refuses what the portal must write, until an administrator looks.
    Prevented,
    /// Somebody signed out while nothing could be written: only here.
    SignedOutHere,
    /// The portal itself failed.
    Failed,
    /// A method that the page does not have.
    MethodNotAllowed,
    /// More bytes than a form has.
    TooLarge,
}

impl From<Refusal> for Notice<'_> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::UnknownLink,
            Refusal::AlreadyAccepted => Self::AlreadyAccepted,
            Refusal::Removed => Self::Removed,
            Refusal::TrainingEnded => Self::TrainingEnded,
            Refusal::Suspended => Self::Suspended,
            Refusal::Replaced => Self::InvitationReplaced,
            Refusal::Expired => Self::InvitationExpired,
        }
    }
}

/// How a reader goes on from a notice. Whom to ask is said on every page, where the clinic says whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// To the page where people sign in.
    SignIn,
    /// To the page of whoever is signed in.
    Home,
    /// To a new form.
    Again(&'a str),
    /// To what was asked for, once more.
    Here,
    /// Only the clinic can help.
    Ask,
}

impl<'a> Notice<'a> {
    /// The section of its texts.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::InvitationExpired => "notice_invitation_expired",
            Self::InvitationReplaced => "notice_invitation_replaced",
            Self::AlreadyAccepted => "notice_already_accepted",
            Self::AlreadyYours => "notice_already_yours",
            Self::Suspended => "notice_suspended",
            Self::TrainingEnded => "notice_training_ended",
            Self::Removed => "notice_removed",
            Self::UnknownLink => "notice_unknown_link",
            Self::AddressUnchanged => "notice_address_unchanged",
            Self::NotFound => "notice_not_found",
            Self::FormOutOfDate { .. } => "notice_form_out_of_date",
            Self::TooManyTries { .. } => "notice_too_many_tries",
            Self::Busy => "notice_busy",
            Self::Unreachable => "notice_unreachable",
            Self::SessionUnreachable => "notice_session_unreachable",
            Self::Prevented => "notice_prevented",
            Self::SignedOutHere => "notice_signed_out_here",
            Self::Failed => "notice_failed",
            Self::MethodNotAllowed => "notice_method_not_allowed",
            Self::TooLarge => "notice_too_large",
        }
    }

    pub(super) fn way(self) -> Way<'a> {
        match self {
            Self::AlreadyAccepted
            | Self::AddressUnchanged
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::SignedOutHere => Way::SignIn,
            Self::AlreadyYours => Way::Home,
            Self::FormOutOfDate { again } => Way::Again(again),
            Self::TooManyTries { .. }
            | Self::Busy
            | Self::Unreachable
            | Self::SessionUnreachable
            | Self::Failed
            | Self::TooLarge => Way::Here,
            Self::UnknownLink => Way::Again(path::INVITATIONS),
            Self::InvitationExpired
            | Self::InvitationReplaced
            | Self::Suspended
            | Self::TrainingEnded
            | Self::Removed
            | Self::Prevented => Way::Ask,
        }
    }
}
