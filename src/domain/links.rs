//! What a reader's mail program turns into a link: no name may hold it, so that nobody has the operator mail a link of theirs, and what
//! a record holds already is parted before it is mailed. The CRDs say the same in CEL (`api::schema`).

/// Signs that are of no name: of a URL, of a host, of an address.
pub const LINK: &str = r"://|[Ww]{3}[.]|[@\x{ff20}\x{fe6b}]|[^ .]{2}[.][A-Za-z]{2,}/";
/// The end of a domain in small letters. `Dr.Smith`, `J.R. Smith` and `St. John` are none.
pub const DOMAIN: &str = r"[^ .]{2}[.][a-z]{2}";

/// Whether a text holds what [`LINK`] says.
pub fn has_link(text: &str) -> bool {
    let small = text.to_ascii_lowercase();
    small.contains("://")
        || small.contains("www.")
        || text.contains(['@', '\u{ff20}', '\u{fe6b}'])
        || after_dots(text).any(|after| {
            let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            letters >= 2 && after.as_bytes().get(letters) == Some(&b'/')
        })
}

/// Whether a text holds what [`DOMAIN`] says.
pub fn has_domain(text: &str) -> bool {
    after_dots(text).any(|after| after.bytes().take(2).filter(u8::is_ascii_lowercase).count() == 2)
}

/// What follows each dot that stands behind two characters of a word.
fn after_dots(text: &str) -> impl Iterator<Item = &str> {
    let of_a_word = |character: Option<char>| character.is_some_and(|character| !matches!(character, ' ' | '.'));
    text.match_indices('.').filter_map(move |(at, dot)| {
        let mut before = text[..at].chars().rev();
        (of_a_word(before.next()) && of_a_word(before.next())).then_some(&text[at + dot.len()..])
    })
}

/// A text in which no program finds a link, whatever it is: a space behind each dot between two characters of words, and in each `://`.
/// What domains take for a dot counts as one (UTS #46 §4, step 1).
pub fn parted(text: &str) -> String {
    let mut parted = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut before = ' ';
    while let Some(character) = rest.next() {
        parted.push(character);
        let is_dot = matches!(character, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}') && before.is_alphanumeric();
        let joins = |next: &char| (is_dot && next.is_alphanumeric()) || (character == ':' && *next == '/');
        if rest.peek().is_some_and(joins) {
            parted.push(' ');
        }
        before = character;
    }
    parted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_addresses_and_domains_are_told_from_names() {
        for text in [
            "https://evil.example",
            "HTTP://x",
            "WWW.evil",
            "www.evil",
            "ana@evil",
            "ana\u{ff20}evil",
            "evil.example/x",
            "Evil.COM/x",
            "Dr.Lee/Roy",
        ] {
            assert!(has_link(text), "{text:?}");
        }
        for text in ["evil.example", "Win at evil.com now", "t.evil.co", "Clinic 24.ca"] {
            assert!(has_domain(text) && !has_link(text), "{text:?}");
        }
        for name in [
            "St. John",
            "J.R. Smith",
            "O'Brien",
            "Dr.Smith",
            "DR.SMITH",
            "Dr. J.R.R.Smith",
            "Jean/Marie",
            "B.Sc/M.Sc",
            "Clinic No.2",
            "R.N., B.Sc.",
            "e.g.",
            "...",
            "Maple & Co.",
            "24/7",
            "Nurse: lead",
            "李",
            "Hôpital d’Or.",
        ] {
            assert!(!has_link(name) && !has_domain(name), "{name:?}");
        }
    }

    #[test]
    fn nothing_that_is_mailed_leads_anywhere() {
        for (text, mailed) in [
            ("Ana", "Ana"),
            ("St. John", "St. John"),
            ("Dr.Smith", "Dr. Smith"),
            ("Evil.Com", "Evil. Com"),
            ("https://evil.example/x", "https: //evil. example/x"),
            ("http://2130706433", "http: //2130706433"),
            ("evil\u{3002}com", "evil\u{3002} com"),
            ("a@evil.example", "a@evil. example"),
        ] {
            assert_eq!(parted(text), mailed);
        }
    }
}
