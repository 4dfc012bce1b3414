//! What an unquoted word of YAML is to kubectl, which reads YAML 1.1: `y` is true, `012345` is a number in base 8, and a day stays
//! text.

use serde_json::Number;

use super::node::Content;

/// The value of an unquoted word.
pub(super) fn plain(word: &str) -> Content {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Content::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Content::Truth(true, word.to_owned());
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Content::Truth(false, word.to_owned());
        }
        _ => {}
    }
    match number(word) {
        Some(number) => Content::Number(number, word.to_owned()),
        None => Content::Text(word.to_owned()),
    }
}

fn number(word: &str) -> Option<Number> {
    if !word.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    let digits = word.replace('_', "");
    whole(&digits).or_else(|| if is_decimal(&digits) { Number::from_f64(digits.parse().ok()?) } else { None })
}

/// A whole number in base 10, or in the base that its first characters name: `0x1f`, `0b101`, `0o17`, `017`.
fn whole(digits: &str) -> Option<Number> {
    let (is_negative, magnitude) = match digits.as_bytes().first()? {
        b'-' => (true, &digits[1..]),
        b'+' => (false, &digits[1..]),
        _ => (false, digits),
    };
    let (base, rest) = match magnitude.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &magnitude[2..]),
        [b'0', b'b' | b'B', ..] => (2, &magnitude[2..]),
        [b'0', b'o' | b'O', ..] => (8, &magnitude[2..]),
        [b'0', _, ..] => (8, &magnitude[1..]),
        _ => (10, magnitude),
    };
    if rest.is_empty() || !rest.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    let magnitude = u64::from_str_radix(rest, base).ok()?;
    if is_negative { Some(0i64.checked_sub_unsigned(magnitude)?.into()) } else { Some(magnitude.into()) }
}

fn is_decimal(word: &str) -> bool {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_is_right = match mantissa.split_once('.') {
        Some((before, after)) => digits(before) && digits(after) && !(before.is_empty() && after.is_empty()),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_is_right = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa_is_right && exponent_is_right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_what_kubectl_takes_it_for() {
        for (word, json) in [
            ("y", "true"),
            ("No", "false"),
            ("ON", "true"),
            ("yEs", r#""yEs""#),
            ("~", "null"),
            ("null", "null"),
            ("012345", "5349"),
            ("12345", "12345"),
            ("089", "89.0"),
            ("-7", "-7"),
            ("+7", "7"),
            ("1_000", "1000"),
            ("0x1f", "31"),
            ("0o17", "15"),
            ("0b101", "5"),
            ("1.50", "1.5"),
            (".5", "0.5"),
            ("1e3", "1000.0"),
            ("18446744073709551616", "18446744073709551616.0"),
            ("2027-06-30", r#""2027-06-30""#),
            ("12:30", r#""12:30""#),
            ("1.2.3", r#""1.2.3""#),
            (".", r#"".""#),
            ("-", r#""-""#),
            ("0x", r#""0x""#),
            ("ana", r#""ana""#),
            ("é", r#""é""#),
        ] {
            let node = super::super::Node { at: super::super::Place { line: 1, column: 1 }, content: plain(word) };
            let read: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(node.json(), read, "{word}");
        }
    }
}
