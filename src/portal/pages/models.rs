//! What each page needs to know. Addresses, secrets and codes are among it, so nothing here but faults has a `Debug`. Never
//! here: words, markup, or how a value was come by.

use super::notice::Notice;
use crate::api::clinic::ClinicContact;
use crate::domain::{
    license::License,
    member::{Classification, Locale, MemberType},
    qr::QrCode,
};

/// What all pages have in common. URLs are paths of this portal, such as `/style.css`.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The reader's language.
    pub locale: Locale,
    /// The clinic as its people call it.
    pub clinic: &'a str,
    /// A picture that stands beside the clinic's name and does not replace it.
    pub logo: Option<&'a str>,
    /// Where [`super::style`] is served.
    pub stylesheet: &'a str,
    /// Where [`super::SCRIPT`] is served.
    pub script: &'a str,
    /// Where [`super::icon`] is served.
    pub icon: &'a str,
    /// Where a GET shows this page again: the link to the other language leads there, with `?lang=` and its tag. `None`: where it was
    /// asked for.
    pub path: Option<&'a str>,
    /// What was asked for: where a notice says that it may be tried again.
    pub here: &'a str,
    /// Whom to ask, where the clinic says so.
    pub contact: Option<&'a ClinicContact>,
    /// Where people sign in.
    pub sign_in: &'a str,
    /// The hidden token of every form of this page ([`super::field::FORM`]).
    pub form: &'a str,
}

/// A page.
pub enum Page<'a> {
    /// A link's code is asked for.
    Open(Open<'a>),
    /// A link was opened in somebody else's session.
    OtherSession(OtherSession<'a>),
    /// An invitation is accepted.
    Accept(Accept<'a>),
    /// A second factor is set up.
    Enrol(Enrol<'a>),
    /// The recovery codes are shown, once.
    RecoveryCodes(RecoveryCodes<'a>),
    /// Signing in, the first step.
    SignIn(SignIn<'a>),
    /// Signing in, the second step.
    Code(Code<'a>),
    /// Who is signed in.
    Home(Home<'a>),
    /// Something else than what the reader came for.
    Notice(Notice<'a>),
}

/// Opening an invitation: the page's script sends what is behind the `#` of its address, else its reader types it.
pub struct Open<'a> {
    /// Where the form goes.
    pub action: &'a str,
}

/// Whether to sign out to accept an invitation.
pub struct OtherSession<'a> {
    /// Where the form to sign out goes.
    pub sign_out: &'a str,
    /// The code of the link, to come back to it.
    pub link: &'a str,
    /// The page of whoever is signed in.
    pub home: &'a str,
    /// Their first and last name.
    pub name: &'a str,
    /// The invited address.
    pub email: &'a str,
}

/// Accepting an invitation.
pub struct Accept<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// The code of the link, to get it back with the form.
    pub link: &'a str,
    /// The first name that the clinic knows, or the only one, to greet by.
    pub greeting: Option<&'a str>,
    /// The invited address, which becomes the username.
    pub email: &'a str,
    /// As the clinic knows it or as it was just typed; empty where neither.
    pub first_name: &'a str,
    /// As `first_name`.
    pub last_name: &'a str,
    /// As `first_name`.
    pub title: &'a str,
    /// Characters that a password needs at least if there is a second factor.
    pub minimum: usize,
    /// Whether there is to be one.
    pub second_factor: SecondFactor,
    /// Until when the link works, in the reader's words.
    pub expires: &'a str,
    /// What was refused, if it was.
    pub faults: AcceptFaults,
    /// What else is to be said.
    pub note: Option<AcceptNote>,
}

/// What is said to somebody who accepts, beside what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptNote {
    /// The page was open for too long, or belongs to another browser: nothing was saved.
    OutOfDate,
    /// Nothing is wrong with the password, but a page never gives one back.
    TypeAgain,
}

/// What the clinic says about a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// The reader decides.
    Recommended {
        /// Characters that a password needs at least without it.
        minimum_without: usize,
        /// How the box is ticked.
        choice: Choice,
    },
    /// Nobody accepts without it.
    Required,
}

/// When to set up a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Before the account is ready.
    #[default]
    Now,
    /// Perhaps another time.
    Later,
}

/// Why what was typed to accept an invitation was refused, field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptFaults {
    /// Of the first name.
    pub first_name: Option<NameFault>,
    /// Of the last name.
    pub last_name: Option<NameFault>,
    /// Of the title.
    pub title: Option<TitleFault>,
    /// Of the password.
    pub password: Option<PasswordFault>,
    /// Of the password typed again.
    pub repeated: Option<RepeatFault>,
}

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// Nothing.
    Missing,
    /// More than so many characters.
    TooLong {
        /// Characters.
        maximum: usize,
    },
    /// Characters that nobody sees, line breaks, or marks that turn the direction of text.
    Hidden,
    /// Not one letter or digit.
    NoLetter,
    /// What reads as a link or an address.
    Link,
}

/// Why a title was refused; it may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TitleFault {
    /// More than so many characters.
    TooLong {
        /// Characters.
        maximum: usize,
    },
    /// As [`NameFault::Hidden`].
    Hidden,
    /// As [`NameFault::NoLetter`].
    NoLetter,
    /// As [`NameFault::Link`].
    Link,
}

/// Why a password was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFault {
    /// Nothing was typed.
    Missing,
    /// Fewer than so many characters.
    TooShort {
        /// Characters.
        minimum: usize,
    },
    /// More than so many characters.
    TooLong {
        /// Characters.
        maximum: usize,
    },
    /// One that is often guessed.
    Common,
    /// Made of the reader's name or address, or of the clinic's name.
    OfNames,
    /// Has characters that no keyboard types.
    CannotBeTyped,
}

/// Why the password typed again was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatFault {
    /// Nothing was typed.
    Missing,
    /// It is not the same.
    Differs,
}

/// Setting up a second factor.
pub struct Enrol<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// What the portal sealed, to get it back with the code; none: it needs nothing.
    pub draft: Option<&'a str>,
    /// Whose account it is.
    pub username: &'a str,
    /// The code of the link, to get it back; none: nobody accepts an invitation.
    pub link: Option<&'a str>,
    /// Why now.
    pub occasion: EnrolOccasion<'a>,
    /// `uri` for another device's camera.
    pub qr: &'a QrCode,
    /// `otpauth://totp/…` for an app on this very device; left out if it is anything else.
    pub uri: &'a str,
    /// The secret in base32 for those who type it, in groups with blanks between them.
    pub secret: &'a str,
    /// Why the code was refused, if it was.
    pub fault: Option<CodeFault>,
}

/// Why somebody sets up a second factor.
#[derive(Clone, Copy)]
pub enum EnrolOccasion<'a> {
    /// Accepting an invitation, by choice.
    Chosen {
        /// The page on which to choose otherwise.
        back: &'a str,
        /// Characters that a password needs at least without a second factor.
        minimum_without: usize,
    },
    /// Accepting the invitation of a clinic that requires it.
    Required,
    /// Signing in, at a clinic that requires it by now.
    RequiredSince,
}

/// Why a six-digit code was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeFault {
    /// Not six digits.
    Malformed,
    /// Not the one that is right now.
    Wrong,
    /// Right, but it was used already.
    Used,
}

/// The recovery codes, which are shown until their owner says that they are kept.
pub struct RecoveryCodes<'a> {
    /// As they are to be typed.
    pub codes: &'a [String],
    /// Where the form goes that says so.
    pub action: &'a str,
    /// First and last name of whose they are.
    pub name: &'a str,
    /// Under which they sign in.
    pub username: &'a str,
    /// Where they sign in: a URL.
    pub portal: &'a str,
    /// When they were made, in the reader's words.
    pub day: &'a str,
}

/// Signing in, the first step.
pub struct SignIn<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// As just typed or just accepted; empty where neither.
    pub email: &'a str,
    /// What just happened, if anything.
    pub message: Option<SignInMessage>,
}

/// What just happened to somebody who is to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInMessage {
    /// They signed out.
    SignedOut,
    /// Their session ended by itself, or the clinic ended it.
    SessionEnded,
    /// The second step was not done in time.
    TookTooLong,
    /// The page was open for too long, or belongs to another browser.
    FormOutOfDate,
    /// They were not let in: the same words, whatever the reason.
    Refused,
}

/// Signing in, the second step.
pub struct Code<'a> {
    /// Where both forms go: one has [`super::field::CODE`], the other [`super::field::RECOVERY_CODE`].
    pub action: &'a str,
    /// What the portal sealed, to get it back with the code; none: it needs nothing.
    pub draft: Option<&'a str>,
    /// Whose account it is; empty: nobody knows.
    pub username: &'a str,
    /// What was refused, if it was.
    pub fault: Option<SecondStepFault>,
}

/// What was refused in the second step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondStepFault {
    /// The code of the app.
    Code(CodeFault),
    /// The recovery code: wrong, or used already.
    RecoveryCode,
}

/// Who is signed in.
pub struct Home<'a> {
    /// Where the form to sign out goes.
    pub sign_out: &'a str,
    /// First and last name.
    pub name: &'a str,
    /// Under which they sign in.
    pub username: &'a str,
    /// Form of address.
    pub title: Option<&'a str>,
    /// What stands beside them in the list of members.
    pub designation: Designation<'a>,
    /// Of a Standard practitioner.
    pub license: Option<License>,
    /// The last day of a clinical trainee's access, in the reader's words.
    pub last_day: Option<&'a str>,
}

/// What the list of members shows beside name and title (`domain::member::designation`, in the reader's language).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Designation<'a> {
    /// As the clinic wrote it.
    Position(&'a str),
    /// Where there is no position.
    Classification(Classification),
    /// Where there is neither.
    Type(MemberType),
}

impl<'a> Designation<'a> {
    /// The first there is.
    pub fn of(position: Option<&'a str>, classification: Option<Classification>, type_: MemberType) -> Self {
        match (position, classification) {
            (Some(position), _) => Self::Position(position),
            (None, Some(classification)) => Self::Classification(classification),
            (None, None) => Self::Type(type_),
        }
    }
}
