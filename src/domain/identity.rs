//! Whose account it is: the table of docs/lifecycle.md as code. Nobody inherits an account, and a person whose manifest was renamed or
//! restored keeps theirs. Who is there and who is gone is an argument; how that is found out never lives here.

use unicode_normalization::UnicodeNormalization;

/// A person's names as a manifest or a record gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names<'a> {
    /// `metadata.name` of the `ClinicUser`.
    pub object: &'a str,
    /// First name, where one is given.
    pub first: Option<&'a str>,
    /// Last name, where one is given.
    pub last: Option<&'a str>,
    /// Of a record: the name that its person confirmed as the only one they have. A manifest cannot know.
    pub only: Option<&'a str>,
}

/// A name as names are compared: Unicode NFC, lower case, runs of white space as one space.
pub fn normalised(name: &str) -> String {
    let lower = name.nfc().collect::<String>().to_lowercase();
    // Lowering can leave a sequence that composes.
    lower.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect()
}

/// Whether the whole name is given on both sides: first and last name; or one name, the same field on both sides, which the record's
/// person confirmed as the only one they have. That a manifest leaves the other out says nothing by itself: most clinics know more
/// than they write.
fn gives_the_whole_name(manifest: Names<'_>, record: Names<'_>) -> bool {
    match ((manifest.first, manifest.last), (record.first, record.last)) {
        ((Some(_), Some(_)), (Some(_), Some(_))) => true,
        ((Some(name), None), (Some(_), None)) | ((None, Some(name)), (None, Some(_))) => {
            record.only.is_some_and(|only| normalised(only) == normalised(name))
        }
        _ => false,
    }
}

/// Whether a name that is given on both sides differs.
fn gives_other_names(manifest: Names<'_>, record: Names<'_>) -> bool {
    differ(manifest.first, record.first) || differ(manifest.last, record.last)
}

/// Whether two given names differ; one that is not given differs from none.
fn differ(one: Option<&str>, other: Option<&str>) -> bool {
    one.zip(other).is_some_and(|(one, other)| normalised(one) != normalised(other))
}

/// Whether a new manifest is certainly of the person to whom a record belongs whose holder is gone: the whole name is given on both
/// sides ([`gives_the_whole_name`]) and equal; or it is a restore: no given name differs, the object has the same name, and nobody has
/// ended the account's access yet.
pub fn is_the_same_person(manifest: Names<'_>, record: Names<'_>, record_is_removed: bool) -> bool {
    let may_be = !gives_other_names(manifest, record);
    may_be && (gives_the_whole_name(manifest, record) || (manifest.object == record.object && !record_is_removed))
}

/// Whether a manifest is of a record's person whatever its object is called: the whole name is given on both sides and equal.
pub fn has_the_whole_name_of(manifest: Names<'_>, record: Names<'_>) -> bool {
    gives_the_whole_name(manifest, record) && !gives_other_names(manifest, record)
}

/// Whether a new manifest takes the place of the gone one of the same `metadata.name`, so that all that it says is an edit of its
/// account (a restore): unless it gives other names and asks for the account's own address, for then nothing would tell the edit from
/// another person. Other names and another address are `IdentityChanged`, which changes nothing before a person has decided. That the
/// account has an address and was not removed is for the caller to know.
pub fn takes_the_place_of_its_namesake(manifest: Names<'_>, record: Names<'_>, asks_for_another_address: bool) -> bool {
    manifest.object == record.object && (asks_for_another_address || !gives_other_names(manifest, record))
}

/// The same of an account whose removal the guard holds: somebody saw that its holder left, so the name of the object alone says
/// nothing, and a new person may have got it. The manifest must ask for an address of the account, as one that was brought back does, or
/// the whole name must be given on both sides; a name that differs is another person's.
pub fn comes_back_to_a_held_account(manifest: Names<'_>, record: Names<'_>, asks_for_an_address_of_it: bool) -> bool {
    takes_the_place_of_its_namesake(manifest, record, false)
        && (asks_for_an_address_of_it || gives_the_whole_name(manifest, record))
}

/// Whether an edit takes another name: also one that is given for the first time, or not given any more.
pub fn takes_another_name(manifest: Names<'_>, record: Names<'_>) -> bool {
    let all = |names: Names<'_>| [names.first, names.last].map(|name| name.map(normalised));
    all(manifest) != all(record)
}

/// Whether somebody else may have been written into the manifest of an accepted member: address and name changed at once.
pub fn may_have_become_another_person(accepted: bool, takes_another_address: bool, takes_another_name: bool) -> bool {
    accepted && takes_another_address && takes_another_name
}

/// What an annotation must say to decide about an account: its name and how many decisions about it there were before, so
/// that one that is left in a file approves nobody twice.
pub fn approval(account: &str, decisions: u32) -> String {
    format!("{account}.{decisions}")
}

/// What a person has decided about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Nothing, or two things that contradict each other.
    None,
    /// `clinic-operator.dev/reactivate`: the manifest is of the same person.
    SamePerson,
    /// `clinic-operator.dev/replace`: it is of another person, who may have the address.
    AnotherPerson,
}

impl Approval {
    /// Reads the two annotations, where `wanted` is what one must say.
    pub fn read(reactivate: Option<&str>, replace: Option<&str>, wanted: &str) -> Self {
        let says = |annotation: Option<&str>| annotation.is_some_and(|value| value.trim() == wanted);
        match (says(reactivate), says(replace)) {
            (true, false) => Self::SamePerson,
            (false, true) => Self::AnotherPerson,
            (true, true) | (false, false) => Self::None,
        }
    }
}

/// Who asks for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimant {
    /// A `ClinicUser` that holds an account.
    Known,
    /// One that has none yet.
    New,
}

/// Another account that has the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupant {
    /// Whether the `ClinicUser` that holds it is gone for certain.
    pub holder_is_gone: bool,
    /// Whether a person accepted it.
    pub accepted: bool,
    /// Whether the claimant's manifest is of the person to whom it belongs ([`is_the_same_person`]).
    pub same_person: bool,
}

/// What becomes of an address that another account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It stays; the claimant waits.
    EmailConflict,
    /// The other account gives it up.
    TheOtherGivesUp,
    /// The claimant takes the other account over as it stands.
    Adopt,
    /// The same, because a person said so; counts as a decision.
    Reactivate,
    /// The other account loses address and access, because a person said so; counts as a decision.
    Replace,
    /// A person must say whose account it is; the claimant waits.
    FormerMember,
}

/// The rows of the table that are about an address of another account, from the top.
pub fn whose_account_it_is(claimant: Claimant, occupant: Occupant, approval: Approval) -> Ruling {
    if !occupant.holder_is_gone {
        return Ruling::EmailConflict;
    }
    match (claimant, occupant.accepted, approval) {
        (Claimant::New, _, _) if occupant.same_person => Ruling::Adopt,
        (_, false, _) => Ruling::TheOtherGivesUp,
        (_, true, Approval::AnotherPerson) => Ruling::Replace,
        (Claimant::New, true, Approval::SamePerson) => Ruling::Reactivate,
        (Claimant::New | Claimant::Known, true, Approval::None) | (Claimant::Known, true, Approval::SamePerson) => {
            Ruling::FormerMember
        }
    }
}

/// What decides between two accounts that have the same address: accepted before not accepted, then the older one (whole
/// seconds since 1970), then the lower name. The least of several keeps it.
pub type Precedence<'a> = (bool, i64, &'a str);

/// See [`Precedence`].
pub fn precedence(accepted: bool, created: i64, name: &str) -> Precedence<'_> {
    (!accepted, created, name)
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
