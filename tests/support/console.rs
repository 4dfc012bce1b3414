//! The commands that a page of the documentation shows, and what it says they print. Never here: what makes it so.

use std::path::Path;

/// A command of a page and its output, as a person sees both.
#[derive(Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) command: String,
    pub(crate) output: String,
}

/// The blocks of this kind of a page.
pub(crate) fn blocks_in(page: &str, kind: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("a page of ours");
    let begin = format!("```{kind}\n");
    let blocks = text.split(&begin).skip(1);
    blocks.filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// Every command in the blocks `console` of a page: a line that begins with `$ `, continued while lines end with a backslash.
pub(crate) fn shown_in(page: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for block in blocks_in(page, "console") {
        let mut goes_on = false;
        for line in block.lines() {
            match (line.strip_prefix("$ "), all.last_mut()) {
                (Some(command), _) => all.push(Shown { command: command.to_owned(), output: String::new() }),
                (None, Some(last)) if goes_on => last.command.extend(["\n", line]),
                (None, Some(last)) => last.output.extend([line, "\n"]),
                (None, None) => {}
            }
            goes_on = line.ends_with('\\') && (goes_on || line.starts_with("$ "));
        }
    }
    all
}

/// A text without what differs from run to run: digits, UIDs, ids of reconciles, and how wide columns are.
pub(crate) fn in_general(text: &str) -> String {
    let text = without_ids(text);
    let masked = |word: &str| {
        let mut masked: Vec<char> = without_digits_of_a_link(&without_uids(word))
            .chars()
            .map(|c| if c.is_ascii_digit() { '#' } else { c })
            .collect();
        masked.dedup_by(|second, first| (*second, *first) == ('#', '#'));
        masked.into_iter().collect()
    };
    let words = |line: &str| line.split_whitespace().map(masked).collect::<Vec<String>>().join(" ");
    text.trim().lines().map(words).collect::<Vec<_>>().join("\n")
}

/// The ids of reconciles: sixteen hexadecimal digits.
fn without_ids(text: &str) -> String {
    const BEFORE: &str = "\"reconcile_id\":\"";
    let mut parts = text.split(BEFORE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + BEFORE + "ID" + part.get(16..).unwrap_or_default())
}

fn without_uids(word: &str) -> String {
    const LENGTH: usize = 36;
    let is_uid = |start: usize| word.get(start..start + LENGTH).is_some_and(is_uid);
    match (0..word.len()).find(|start| is_uid(*start)) {
        Some(start) => format!("{}UID{}", &word[..start], without_uids(&word[start + LENGTH..])),
        None => word.to_owned(),
    }
}

/// A Message-ID without the sixteen hexadecimal digits of its mail's link.
fn without_digits_of_a_link(word: &str) -> String {
    let is_digits = |text: &str| text.len() == 16 && text.chars().all(|c| c.is_ascii_hexdigit());
    match word.split_once('@').and_then(|(id, domain)| Some((id.rsplit_once('.')?, domain))) {
        Some(((id, digits), domain)) if is_digits(digits) => format!("{id}.DIGITS@{domain}"),
        Some(_) | None => word.to_owned(),
    }
}

/// Groups of 8, 4, 4, 4 and 12 hexadecimal digits.
fn is_uid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}
