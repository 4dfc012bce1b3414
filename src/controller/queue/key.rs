//! What the queue carries: a piece of work, and how urgent it is. Whose change makes a piece urgent is decided by the cache.

use std::sync::Arc;

/// A piece of work that a change makes necessary.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The `Clinic`'s status.
    Clinic,
    /// A `ClinicUser` by name.
    Member(Arc<str>),
    /// A `ServiceAccount` by name.
    ServiceAccount(Arc<str>),
    /// A `ClinicAccount` by name.
    Account(Arc<str>),
    /// The accounts whose `ClinicUser` is gone: one after the other, since a guard counts them.
    Removals,
}

impl Key {
    /// Who works on it, in a word.
    pub fn controller(&self) -> &'static str {
        match self {
            Self::Clinic => "clinic",
            Self::Member(_) => "member",
            Self::ServiceAccount(_) => "service_account",
            Self::Account(_) => "account",
            Self::Removals => "removals",
        }
    }

    /// The name of the object, if it is about one.
    pub fn object(&self) -> Option<&str> {
        match self {
            Self::Member(name) | Self::ServiceAccount(name) | Self::Account(name) => Some(name),
            Self::Clinic | Self::Removals => None,
        }
    }
}

/// How urgent a piece of work is; the first is taken first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The manifest or the record of somebody who has accepted changed: their access may have to end.
    Access,
    /// Another look at somebody who has accepted, because something else changed.
    Accepted,
    /// An account that nobody has accepted yet: somebody waits for a mail.
    Mail,
    /// Everything else, new members among it.
    Rest,
}

impl Urgency {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Access, Self::Accepted, Self::Mail, Self::Rest];

    /// Of a piece of work of which nothing more is known.
    pub fn of(key: &Key) -> Self {
        match key {
            Key::Account(_) => Self::Mail,
            Key::Clinic | Key::Member(_) | Key::ServiceAccount(_) | Key::Removals => Self::Rest,
        }
    }
}
