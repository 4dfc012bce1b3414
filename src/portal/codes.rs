//! Codes of a second factor: which one is right, and what it uses up. The same form sent twice has one outcome: what is used up is
//! written down with the form that brought it. Who is let in, and what is written when, never stands here.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::credentials::{Factor, Planned};
use super::sign_in::NotLetIn;
use crate::api::credential::Used;
use crate::domain::second_factor::{TotpSecret, accepted_step, is_code, redeem};

/// Random: tells a form from every other.
pub type FormId = [u8; 16];

/// Why a code was refused.
#[derive(Debug)]
pub enum CodeRefused {
    /// It is none.
    Malformed,
    /// It is not the one that is right now.
    Wrong,
    /// It was used already.
    Used,
    /// Something else than the code.
    Otherwise(NotLetIn),
}

/// A code that is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedUp {
    /// Of the app, by its step.
    OfApp(u64),
    /// One of the codes that were kept, by its index.
    Recovery(u32),
}

/// What proves the second factor.
#[derive(Clone, Copy)]
pub enum Code<'a> {
    /// Six digits of an app.
    OfApp(&'a str),
    /// One of the codes that were kept.
    Recovery(&'a str),
}

impl From<NotLetIn> for CodeRefused {
    fn from(refused: NotLetIn) -> Self {
        Self::Otherwise(refused)
    }
}

/// The step of the first code of a second factor that is being set up.
pub fn first_step(planned: &Planned, code: &str, now: Timestamp) -> Result<u64, CodeRefused> {
    right_step(&planned.secret(), code, now)
}

/// The step of a code of the app, used or not.
fn right_step(secret: &TotpSecret, code: &str, now: Timestamp) -> Result<u64, CodeRefused> {
    if !is_code(code) {
        return Err(CodeRefused::Malformed);
    }
    accepted_step(secret, code, now, None).ok_or(CodeRefused::Wrong)
}

/// What is used after this code; `None`: this form has used it up already, so that there is nothing to write.
pub fn use_up(
    factor: &Factor,
    used: &Used,
    form: Option<&FormId>,
    code: Code<'_>,
    now: Timestamp,
) -> Result<Option<Used>, CodeRefused> {
    let is_again = |code| form.is_some_and(|form| used.last_form.as_ref() == Some(&mark(form, code)));
    let mut after = used.clone();
    let spent = match code {
        Code::OfApp(code) => {
            let secret = factor.secret();
            if is_again(UsedUp::OfApp(right_step(&secret, code, now)?)) {
                return Ok(None);
            }
            let step = accepted_step(&secret, code, now, used.totp_step).ok_or(CodeRefused::Used)?;
            after.totp_step = Some(step);
            UsedUp::OfApp(step)
        }
        Code::Recovery(code) => {
            let right = redeem(factor.recovery_codes(), &[], code).ok_or(CodeRefused::Wrong)?;
            if is_again(UsedUp::Recovery(right)) {
                return Ok(None);
            }
            let index = redeem(factor.recovery_codes(), &used.recovery_codes, code).ok_or(CodeRefused::Wrong)?;
            after.recovery_codes.push(index);
            UsedUp::Recovery(index)
        }
    };
    after.last_form = form.map(|form| mark(form, spent));
    Ok(Some(after))
}

/// A form and the code that it used up. It tells nothing of either, since the form is random.
pub fn mark(form: &FormId, code: UsedUp) -> String {
    let code = match code {
        UsedUp::OfApp(step) => format!("step {step}"),
        UsedUp::Recovery(index) => format!("recovery code {index}"),
    };
    BASE64URL_NOPAD.encode(&Sha256::digest([b"clinic-operator.dev/form:", form.as_slice(), code.as_bytes()].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::second_factor::RECOVERY_BYTES;

    #[test]
    fn a_form_that_is_sent_again_has_the_outcome_that_it_had_and_another_form_none() {
        let planned =
            Planned::new([1; 20], &std::array::from_fn::<u8, RECOVERY_BYTES, _>(|byte| byte.to_le_bytes()[0]), [3; 16]);
        let factor = planned.factor().unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let step = 1_800_000_000 / 30;
        let [of_app, newer] = [step, step + 1].map(|step| format!("{:06}", planned.secret().code(step).unwrap()));
        let recovery = planned.codes_to_show();
        let (one, other) = ([7; 16], [8; 16]);
        let codes = [Code::OfApp(&of_app), Code::OfApp(&newer), Code::Recovery(&recovery[2])];
        for code in codes {
            let used = use_up(&factor, &Used::default(), Some(&one), code, now).unwrap().unwrap();
            assert_eq!(use_up(&factor, &used, Some(&one), code, now).unwrap(), None, "sent again");
            for form in [Some(&other), None] {
                let again = use_up(&factor, &used, form, code, now);
                assert!(matches!(again, Err(CodeRefused::Used | CodeRefused::Wrong)), "{again:?}");
            }
        }
        // What another form used since then is no outcome of this one.
        let first = use_up(&factor, &Used::default(), Some(&one), codes[0], now).unwrap().unwrap();
        let second = use_up(&factor, &first, Some(&other), codes[1], now).unwrap().unwrap();
        assert!(matches!(use_up(&factor, &second, Some(&one), codes[1], now), Err(CodeRefused::Used)));
        // A form of version 0.1 has no name: each of its codes works once.
        let old = use_up(&factor, &Used::default(), None, codes[0], now).unwrap().unwrap();
        assert!(matches!(use_up(&factor, &old, None, codes[0], now), Err(CodeRefused::Used)));
    }
}
