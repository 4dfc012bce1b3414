//! Which passwords attackers try first: those on the list in `data/` (its README says where that is from), a short text again
//! and again, and rows of the alphabet or a keyboard. What else a password must be lives in `password`.

use std::cmp::Ordering;
use std::iter::successors;

/// Sorted by bytes, each line at least eight characters in NFC and lower case, the last line ended too.
const LIST: &[u8] = include_bytes!("data/common_passwords.txt");
/// What remains after dropping must be at least this long to count, in characters: so is each entry of the list.
const SHORTEST: usize = 8;
/// Rows along which a password may run, up or down; each begins anew where it ends. The alphabets of other scripts run along
/// their code points.
const ROWS: [&str; 5] = [
    "0123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
];

/// Whether a password, in NFC and lower case, is common as a whole, or what is left after some or all of the digits and
/// punctuation at its end are dropped.
///
/// Costs a binary search in the compiled-in list (about 18 steps, nothing allocated) for each of these, and two passes over the
/// password with a number for each byte of it.
pub(super) fn is_common(lower: &str) -> bool {
    let (borders, words) = (borders(lower.as_bytes()), words(lower));
    let run = longest_run(lower);
    let rests = successors(Some(lower), |rest| {
        let last = rest.chars().next_back()?;
        (!last.is_alphabetic()).then(|| &rest[..rest.len() - last.len_utf8()])
    });
    (SHORTEST..=lower.chars().count()).rev().zip(rests).any(|(characters, rest)| {
        let unit = &rest[..rest.len() - borders[rest.len()]];
        characters <= run || is_listed(rest) || is_repeated(unit, &rest[..words[unit.len()]], rest)
    })
}

/// Whether a line of the list is this text.
fn is_listed(text: &str) -> bool {
    let (mut from, mut to) = (0, LIST.len());
    while from < to {
        let middle = from + (to - from) / 2;
        let is_end = |byte: &u8| *byte == b'\n';
        let begin = LIST[from..middle].iter().rposition(is_end).map_or(from, |end| from + end + 1);
        let end = LIST[middle..to].iter().position(is_end).map_or(to, |end| middle + end);
        match LIST[begin..end].cmp(text.as_bytes()) {
            Ordering::Less => from = end + 1,
            Ordering::Equal => return true,
            Ordering::Greater => to = begin,
        }
    }
    false
}

/// Whether the shortest text that makes up the rest, said again and again (the last time perhaps in part), is said twice, but for
/// a separator after the second time, and is no password itself: shorter than any, or listed without what separates (its `word`).
fn is_repeated(unit: &str, word: &str, rest: &str) -> bool {
    unit.len() * 2 <= rest.len() + 1 && (unit.chars().nth(SHORTEST - 1).is_none() || is_listed(unit) || is_listed(word))
}

/// For each number of bytes, how many of the beginning of that length are both its beginning and its end, though not all of it
/// (Knuth, Morris, Pratt). The others are the shortest unit that it repeats; where it repeats in whole, that unit is whole
/// characters, since the second one begins like the first.
fn borders(text: &[u8]) -> Vec<usize> {
    let mut borders = vec![0; text.len() + 1];
    for end in 1..text.len() {
        let mut border = borders[end];
        while border > 0 && text[border] != text[end] {
            border = borders[border];
        }
        borders[end + 1] = border + usize::from(text[border] == text[end]);
    }
    borders
}

/// For each number of bytes that is whole characters, how many are left of the beginning of that length without the digits and
/// punctuation at its end.
fn words(text: &str) -> Vec<usize> {
    let mut words = vec![0; text.len() + 1];
    let mut word = 0;
    for (at, character) in text.char_indices() {
        let end = at + character.len_utf8();
        if character.is_alphabetic() {
            word = end;
        }
        words[end] = word;
    }
    words
}

/// How many characters from the beginning run along one row, in one direction.
fn longest_run(text: &str) -> usize {
    let count = |follows: &dyn Fn(char, char) -> bool| {
        let pairs = || text.chars().zip(text.chars().skip(1));
        let up = pairs().take_while(|&(first, second)| follows(first, second)).count();
        let down = pairs().take_while(|&(first, second)| follows(second, first)).count();
        1 + up.max(down)
    };
    let along_code_points = count(&|first, second| u32::from(first) + 1 == u32::from(second));
    ROWS.iter().map(|row| count(&|first, second| next(row, first) == Some(second))).fold(along_code_points, usize::max)
}

fn next(row: &str, character: char) -> Option<char> {
    let at = row.find(character)?;
    row.chars().nth((at + 1) % row.len())
}

#[cfg(test)]
#[path = "common_passwords_tests.rs"]
mod tests;
