//! The kinds of objects that are watched. What is known of them never stands here.

/// The kinds that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `Clinic`.
    Clinic,
    /// `ClinicUser`.
    ClinicUser,
    /// `ServiceAccount` of our group.
    ServiceAccount,
    /// `ClinicAccount`.
    ClinicAccount,
    /// `EmailClaim`.
    EmailClaim,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Clinic, Self::ClinicUser, Self::ServiceAccount, Self::ClinicAccount, Self::EmailClaim];
}
