//! What a new password may be, and how a typed one is read (NIST SP 800-63B-4 §3.1.1.2). A password never shows itself in
//! `Debug`, has no `Display` and is wiped when it is dropped (I7). How it is hashed, kept and compared never lives here.

use std::fmt;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_public_assigned;

use super::common_passwords::is_common;
use super::own_words::{OwnWords, letters};

/// The longest password, in characters. The source asks for 64 at least; more than this is no password that anybody types.
pub const LONGEST: usize = 256;
/// No text of more bytes is that short in NFC: canonical decomposition makes at most four characters of one, of at most four
/// bytes each. So what is looked at has an end, whatever was sent.
const LONGEST_AS_TYPED: usize = LONGEST * 4 * 4;

/// How long a password must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minimum {
    /// It is all that is asked for at sign-in: 15 characters.
    Alone,
    /// A second factor is set up in the same step: 8 characters.
    WithSecondFactor,
}

impl Minimum {
    /// The same in characters: code points after NFC.
    pub fn characters(self) -> usize {
        match self {
            Self::Alone => 15,
            Self::WithSecondFactor => 8,
        }
    }
}

/// Why a text may not be a password. The order is the one in which a page lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFault {
    /// Fewer characters than needed.
    TooShort {
        /// The number needed, in characters.
        minimum: usize,
    },
    /// More characters than allowed.
    TooLong {
        /// The number allowed, in characters.
        maximum: usize,
    },
    /// Among those that attackers try first: on the list, a short text again and again, or a row of the alphabet or keyboard.
    Common,
    /// Nothing but the person's and the clinic's own words, digits and punctuation.
    OwnWords,
    /// It has characters that no keyboard types (controls), or that Unicode has not assigned and may normalise otherwise one day.
    NotTypeable,
}

/// A password that may be set: NFC, long enough, not common. Only `check` makes one.
///
/// It cannot be written into a text by accident:
///
/// ```compile_fail,E0277
/// use clinic_operator::domain::own_words::OwnWords;
/// use clinic_operator::domain::password::{Minimum, check};
/// let password = check("three tall herons wading", Minimum::Alone, &OwnWords::default()).unwrap();
/// println!("{password}");
/// ```
pub struct NewPassword(SecretString);

impl NewPassword {
    /// The text to hash, in NFC.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NewPassword(redacted)")
    }
}

/// A password as somebody typed it to sign in: NFC, and nothing else is known about it.
pub struct TypedPassword(SecretString);

impl TypedPassword {
    /// The text to compare with a hash, in NFC.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for TypedPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TypedPassword(redacted)")
    }
}

/// Whether `text` may be the password of the person whose words `own` are. There are no rules on what it is composed of.
///
/// # Errors
/// Every fault that it has, in the order of `PasswordFault`; of one that is too long only that: nothing else is looked for in more
/// characters than a password has.
pub fn check(text: &str, minimum: Minimum, own: &OwnWords) -> Result<NewPassword, Vec<PasswordFault>> {
    let too_long = PasswordFault::TooLong { maximum: LONGEST };
    let password = composed(text).ok_or_else(|| vec![too_long])?;
    let characters = password.chars().count();
    if characters > LONGEST {
        return Err(vec![too_long]);
    }
    let lower = secret_text(password.chars().flat_map(char::to_lowercase));
    let letters = secret_text(letters(&password));
    let faults: Vec<PasswordFault> = [
        (characters < minimum.characters(), PasswordFault::TooShort { minimum: minimum.characters() }),
        (is_common(&lower), PasswordFault::Common),
        (own.make_up(&letters), PasswordFault::OwnWords),
        (!password.chars().all(is_typeable), PasswordFault::NotTypeable),
    ]
    .into_iter()
    .filter_map(|(applies, fault)| applies.then_some(fault))
    .collect();
    if faults.is_empty() { Ok(NewPassword(secret(&password))) } else { Err(faults) }
}

/// A typed password in the form in which a set one was hashed; `None`: it is longer than any password, and is to be answered as
/// a wrong one. Nothing is cut off, and no other rule applies: rules may have changed since it was set.
pub fn normalised(text: &str) -> Option<TypedPassword> {
    let password = composed(text)?;
    (password.chars().count() <= LONGEST).then(|| TypedPassword(secret(&password)))
}

/// The text in NFC; `None` if it is too long to be looked at.
fn composed(text: &str) -> Option<Zeroizing<String>> {
    (text.len() <= LONGEST_AS_TYPED).then(|| secret_text(text.nfc()))
}

/// The characters as a text that is wiped. It is never moved while it grows, which would leave copies behind.
fn secret_text(characters: impl Iterator<Item = char> + Clone) -> Zeroizing<String> {
    let bytes = characters.clone().map(char::len_utf8).sum();
    let mut text = Zeroizing::new(String::with_capacity(bytes));
    text.extend(characters);
    text
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

/// Private use characters are assigned for good, and some keyboards have one. Unassigned ones are refused as the Normalization
/// Process for Stabilized Strings demands (Unicode Standard Annex 15, section 12.1).
fn is_typeable(character: char) -> bool {
    let is_private =
        matches!(character, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{ffffd}' | '\u{100000}'..='\u{10fffd}');
    !character.is_control() && (is_private || is_public_assigned(character))
}

#[cfg(test)]
#[path = "password_tests.rs"]
mod tests;
