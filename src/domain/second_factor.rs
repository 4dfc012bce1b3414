//! The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for whoever has lost it (NIST SP
//! 800-63B-4 §3.1.2 and §3.1.4). Secrets never show themselves in `Debug`, have no `Display` and are wiped when they are dropped
//! (I7). How they are drawn, sealed and kept, and how often somebody may try, never lives here; the picture is in `qr`.

use std::fmt;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::email::Email;
use super::typed::of_code;

/// Bytes of a TOTP secret: the 160 bits that RFC 4226 section 4 recommends.
pub const TOTP_SECRET_BYTES: usize = 20;
/// Seconds for which one code is shown (RFC 6238 section 5.2).
const STEP: u64 = 30;
/// Digits of a code.
const DIGITS: u32 = 6;
/// Bytes of what an app reads, so that its picture has at most 69 modules a side (version 13): cameras read them on any screen.
const LONGEST_URI: usize = 425;
/// Bytes of the clinic's name in it that there are even beside the longest address.
const SHORTEST_ISSUER: usize = 27;

/// How many recovery codes somebody gets at once.
pub const RECOVERY_CODES: usize = 10;
/// Bytes of one code: 120 bits. From 112 on a plain hash may keep it (NIST SP 800-63B-4 §3.1.2.2).
const RECOVERY_CODE_BYTES: usize = 15;
/// Random bytes that ten recovery codes are made of.
pub const RECOVERY_BYTES: usize = RECOVERY_CODES * RECOVERY_CODE_BYTES;
/// Characters of one code: five bits each.
const RECOVERY_CODE_CHARACTERS: usize = RECOVERY_CODE_BYTES * 8 / 5;
/// Characters between two hyphens.
const GROUP: usize = 4;
/// Crockford's base 32: of 0 O, 1 I L and U V one each, the others are read as it.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What an authenticator app and the portal share.
///
/// It cannot be written into a text by accident:
///
/// ```compile_fail,E0277
/// println!("{}", clinic_operator::domain::second_factor::TotpSecret::new([7; 20]));
/// ```
pub struct TotpSecret(SecretBox<[u8; TOTP_SECRET_BYTES]>);

impl TotpSecret {
    /// Makes a secret of random bytes, or of those that were kept.
    pub fn new(bytes: [u8; TOTP_SECRET_BYTES]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self(SecretBox::init_with_mut(|secret: &mut [u8; TOTP_SECRET_BYTES]| secret.copy_from_slice(bytes.as_slice())))
    }

    /// The bytes, to be sealed.
    pub fn expose(&self) -> &[u8; TOTP_SECRET_BYTES] {
        self.0.expose_secret()
    }

    /// For whoever types it into an app: base32 in eight groups of four with spaces between them.
    pub fn typed(&self) -> String {
        grouped(&BASE32_NOPAD.encode(self.expose()), ' ')
    }

    /// What an app reads from the picture: `otpauth://totp/<address>?secret=…&issuer=<clinic>`, percent-encoded (RFC 3986 section 2.1)
    /// but for letters, digits and `-._~`. The parameters that are left out are what apps take for granted: SHA-1, six digits, 30
    /// seconds. Of the clinic's name it has as much as the picture has room for, in whole words if it can.
    pub fn uri(&self, clinic: &str, account: &Email) -> String {
        let account = percent_encoded(account.as_str());
        let secret = Zeroizing::new(BASE32_NOPAD.encode(self.expose()));
        let uri = format!("otpauth://totp/{account}?secret={}&issuer=", *secret);
        let room = LONGEST_URI.saturating_sub(uri.len()).max(SHORTEST_ISSUER);
        uri + &percent_encoded(beginning(clinic.trim(), room))
    }

    /// The code of a step as a number (RFC 4226 section 5.3); `None` never happens, since HMAC takes a key of any length.
    pub fn code(&self, step: u64) -> Option<u32> {
        let mut mac = Hmac::<Sha1>::new_from_slice(self.expose()).ok()?;
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let offset = usize::from(hash.last()? & 0x0f);
        let truncated = u32::from_be_bytes(hash.get(offset..offset + 4)?.try_into().ok()?) & 0x7fff_ffff;
        Some(truncated % 10_u32.pow(DIGITS))
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TotpSecret(redacted)")
    }
}

/// The step of this instant, 30 seconds each from 1970; `None`: it is before 1970.
pub fn current_step(now: Timestamp) -> Option<u64> {
    Some(u64::try_from(now.as_second()).ok()? / STEP)
}

/// Whether this is a code at all: six digits, as people type them (`typed`).
pub fn is_code(text: &str) -> bool {
    typed_code(text).is_some()
}

/// The step (30 seconds each, from 1970) whose code somebody has typed: the newest of this one, the one before and the one after
/// (RFC 6238 section 5.2) that is also later than the last one used, which the caller must keep: each code works once. `None`: a
/// wrong code. It is read as people type it (`typed`): `123 456`, `123-456`, in digits of any script.
pub fn accepted_step(secret: &TotpSecret, code: &str, now: Timestamp, last_used: Option<u64>) -> Option<u64> {
    let typed = typed_code(code)?;
    let current = current_step(now)?;
    let mut accepted = None;
    for step in current.saturating_sub(1)..=current.saturating_add(1) {
        let is_its: bool = secret.code(step)?.ct_eq(&typed).into();
        if is_its && last_used.is_none_or(|last| step > last) {
            accepted = Some(step);
        }
    }
    accepted
}

/// Ten codes, each of which lets in once without the app. They are shown once and never kept.
///
/// They cannot be written into a text by accident:
///
/// ```compile_fail,E0277
/// println!("{}", clinic_operator::domain::second_factor::RecoveryCodes::new(&[7; 150]));
/// ```
pub struct RecoveryCodes(Vec<SecretString>);

impl RecoveryCodes {
    /// Makes the codes of random bytes.
    pub fn new(random: &[u8; RECOVERY_BYTES]) -> Self {
        Self(random.chunks_exact(RECOVERY_CODE_BYTES).map(|bytes| SecretString::from(recovery_code(bytes))).collect())
    }

    /// The codes as their reader keeps them: six groups of four with hyphens between them.
    pub fn shown(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|code| grouped(code.expose_secret(), '-'))
    }

    /// What is kept: the SHA-256 of each code, without its hyphens, in lower case hex.
    pub fn digests(&self) -> Vec<String> {
        self.0.iter().map(|code| digest(code.expose_secret())).collect()
    }
}

impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryCodes(redacted)")
    }
}

/// Which code somebody has typed, as its index in `digests`; `None`: none of them, or one whose index is among those `spent`.
/// It is read as people type it (`typed`); case does not matter either, and letters that look like a digit are read as it. The caller must keep the index:
/// each code works once.
pub fn redeem(digests: &[String], spent: &[u32], typed: &str) -> Option<u32> {
    let typed = digest(&normalised(typed)?);
    let mut redeemed = None;
    for (index, kept) in (0..).zip(digests) {
        let is_it: bool = kept.as_bytes().ct_eq(typed.as_bytes()).into();
        if is_it && !spent.contains(&index) {
            redeemed = Some(index);
        }
    }
    redeemed
}

fn typed_code(text: &str) -> Option<u32> {
    let mut code = 0;
    let mut digits = 0;
    for character in of_code(text) {
        code = code * 10 + character.to_digit(10)?;
        digits += 1;
        if digits > DIGITS {
            return None;
        }
    }
    (digits == DIGITS).then_some(code)
}

/// Five bits a character, from the first bit on.
fn recovery_code(bytes: &[u8]) -> String {
    let bits = bytes.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let digit = |at: usize| ALPHABET[usize::from((bits >> (5 * at)).to_le_bytes()[0] & 31)];
    (0..RECOVERY_CODE_CHARACTERS).rev().map(|at| char::from(digit(at))).collect()
}

/// A typed recovery code as it was hashed; `None` if it cannot be one.
fn normalised(typed: &str) -> Option<Zeroizing<String>> {
    let mut code = Zeroizing::new(String::with_capacity(RECOVERY_CODE_CHARACTERS));
    for character in of_code(typed) {
        let read = match character.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        if code.len() == RECOVERY_CODE_CHARACTERS || !ALPHABET.iter().any(|known| char::from(*known) == read) {
            return None;
        }
        code.push(read);
    }
    (code.len() == RECOVERY_CODE_CHARACTERS).then_some(code)
}

fn digest(code: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(code.as_bytes()))
}

fn grouped(text: &str, between: char) -> String {
    let mut grouped = String::with_capacity(text.len() + text.len() / GROUP);
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % GROUP == 0 {
            grouped.push(between);
        }
        grouped.push(character);
    }
    grouped
}

/// As much of a name as is that many bytes once it is encoded: up to the last blank, or else the last character, that is within.
fn beginning(name: &str, room: usize) -> &str {
    let fits = |end: &usize| percent_encoded(&name[..*end]).len() <= room;
    let ends = name.char_indices().map(|(start, _)| start).chain([name.len()]);
    let end = ends.take_while(fits).last().unwrap_or(0);
    let begun = &name[..end];
    if end == name.len() || name[end..].starts_with(' ') {
        return begun.trim_end();
    }
    begun.rsplit_once(' ').map_or(begun, |(words, _)| words.trim_end())
}

/// A text as a part of a URL (RFC 3986 section 2.1): but for letters, digits and `-._~`, each byte as `%XX`.
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
    encoded
}

#[cfg(test)]
#[path = "second_factor_tests.rs"]
mod tests;
