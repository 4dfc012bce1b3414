//! What people type into a field for a username or a code, as it is read: one rule for all of them, so that whatever lets somebody in
//! also counts as one and the same try. Never for passwords, which stay as they are typed, nor for names (`line`).

use unicode_normalization::UnicodeNormalization;

use super::hidden::is_mark;

/// A domain of more bytes is none, whatever it becomes.
const LONGEST_DOMAIN: usize = 1024;
/// The zeros of decimal digits of other scripts that keyboards have; the other nine follow each (Unicode, category Nd).
const ZEROS: [char; 20] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}',
    '\u{ce6}', '\u{d66}', '\u{de6}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{1090}', '\u{17e0}', '\u{1810}',
];

/// The characters that count: in their usual width and shape (NFKC), digits of any script as 0 to 9, without white space and without
/// marks that nobody sees.
pub fn characters(text: &str) -> impl Iterator<Item = char> {
    text.nfkc().filter(|character| !character.is_whitespace() && !is_mark(*character)).map(plain_digit)
}

/// The characters of a code: without hyphens too, whichever the keyboard or a text program made of them.
pub(super) fn of_code(text: &str) -> impl Iterator<Item = char> {
    characters(text).filter(|character| !is_hyphen(*character))
}

/// The code of a link, in which hyphens count: any is the usual one. Whoever pastes the whole link has pasted its code.
pub fn code_of_link(text: &str) -> String {
    let read: String = characters(text).map(|character| if is_hyphen(character) { '-' } else { character }).collect();
    read.rsplit(['#', '/']).next().unwrap_or_default().trim_end_matches(['.', ',']).to_owned()
}

fn is_hyphen(character: char) -> bool {
    matches!(character, '-' | '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{30fc}')
}

/// A username: what may be an address, with an accented domain in its `xn--` form, since addresses are kept so, and without a dot at
/// the end. What cannot be one stays as it is read, to be refused.
pub fn username(text: &str) -> String {
    let read: String = characters(text).collect();
    let in_ascii = read.rsplit_once('@').filter(|(_, domain)| !domain.is_ascii() && domain.len() <= LONGEST_DOMAIN);
    let in_ascii =
        in_ascii.and_then(|(local, domain)| Some(format!("{local}@{}", idna::domain_to_ascii(domain).ok()?)));
    in_ascii.unwrap_or(read).trim_end_matches('.').to_owned()
}

fn plain_digit(character: char) -> char {
    let of_script = |zero: &char| u32::from(character).checked_sub(u32::from(*zero)).filter(|digit| *digit < 10);
    let digit = if character.is_ascii() { None } else { ZEROS.iter().find_map(of_script) };
    digit.and_then(|digit| char::from_digit(digit, 10)).unwrap_or(character)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What may stand between any two characters of what is typed.
    pub(in crate::domain) const UNSEEN: [&str; 10] =
        ["", " ", "\u{a0}", "\u{3000}", "\t", "\u{200b}", "\u{200e}", "\u{200d}", "\u{feff}", "\u{ad}\u{2060}"];

    /// The same characters in other widths and scripts, with something unseen before each and at the end.
    pub(in crate::domain) fn decorated(text: &str, choices: &[usize]) -> String {
        let choice = |at: usize| choices[at % choices.len()];
        let shape = |(at, character): (usize, char)| {
            let zero = ZEROS[choice(at) % ZEROS.len()];
            let other = match (choice(at) % 3, character.to_digit(10)) {
                (0, _) => None,
                (1, Some(digit)) => char::from_u32(u32::from(zero) + digit),
                _ => char::from_u32(u32::from(character) + 0xfee0).filter(|_| character.is_ascii_graphic()),
            };
            format!("{}{}", UNSEEN[choice(at + 1) % UNSEEN.len()], other.unwrap_or(character))
        };
        let shaped: String = text.chars().enumerate().map(shape).collect();
        shaped + UNSEEN[choices[0] % UNSEEN.len()]
    }

    #[test]
    fn a_username_is_read_as_people_type_it() {
        for (typed, read) in [
            ("ana@maple.example", "ana@maple.example"),
            (" ana@maple.example\n", "ana@maple.example"),
            ("\u{feff}ana\u{200b}@maple.example\u{a0}", "ana@maple.example"),
            ("ana @ maple.example.", "ana@maple.example"),
            ("ａｎａ＠ｍａｐｌｅ．ｅｘａｍｐｌｅ", "ana@maple.example"),
            ("ana@maple。example。", "ana@maple.example"),
            ("ana@érable.example", "ana@xn--rable-9ra.example"),
            ("ana@E\u{301}RABLE.example", "ana@xn--rable-9ra.example"),
            ("ana@XN--RABLE-9ra.example", "ana@XN--RABLE-9ra.example"),
            ("ána@maple.example", "ána@maple.example"),
            ("ana@maple.example\0", "ana@maple.example\0"),
            ("nobody", "nobody"),
            ("", ""),
        ] {
            assert_eq!(username(typed), read, "{typed:?}");
        }
        assert!(!username(&format!("a@{}", "é".repeat(20_000))).is_ascii(), "too long to be looked at");
    }

    proptest! {
        #[test]
        fn an_address_is_itself_however_it_is_decorated(
            address in "[a-z0-9.+_-]{1,8}@[a-z0-9]{1,8}\\.[a-z]{2,8}", choices in proptest::collection::vec(0_usize..1000, 1..12),
        ) {
            prop_assert_eq!(username(&address), address.clone());
            prop_assert_eq!(username(&decorated(&address, &choices)), address);
        }

        #[test]
        fn the_code_of_a_link_is_itself_however_it_is_decorated_and_pasted(
            code in "a-[0-9a-f]{8}\\.[A-Za-z0-9_-]{8}", choices in proptest::collection::vec(0_usize..1000, 1..12),
        ) {
            prop_assert_eq!(code_of_link(&decorated(&code, &choices)), code.clone());
            let link = format!("https://portal.maple.example/invitations#{code}.");
            prop_assert_eq!(code_of_link(&decorated(&link, &choices)), code.clone());
            prop_assert_eq!(code_of_link(&code.replace('-', "\u{2011}")), code);
        }

        #[test]
        fn any_text_is_read_and_reading_it_again_changes_nothing(typed in "\\PC{0,24}") {
            let once = username(&typed);
            prop_assert!(!once.contains(char::is_whitespace));
            prop_assert!(!once.is_ascii() || username(&once) == once);
        }
    }
}
