//! The words of a letter: templates filled in for one reader, names made safe to stand in a line, lines of the plain text
//! broken. No word of a language stands here or in a layout: its folder below `templates/` holds them all, the subjects
//! included; days and instants are told by `adapters::dates`.

use minijinja::{Environment, UndefinedBehavior, Value, context};
use secrecy::ExposeSecret as _;

use super::letter::{Content, EmailChangeNotice, EmailConfirmation, Invitation, Letter, Occasion, RenderError};
use crate::domain::hidden::is_hidden;
use crate::domain::links::parted;
use crate::{
    adapters::dates::moment,
    api::clinic::{ClinicContact, TwoFactor},
    domain::member::Locale,
};

const NO_BREAK_SPACE: char = '\u{a0}';
/// Columns of the plain text part (RFC 3676 §4.2 advises 78 at most).
const WIDTH: usize = 72;
/// Characters of a name that a letter shows.
const LONGEST_NAME: usize = 120;

/// The three texts of a letter.
pub(super) struct Wording {
    pub(super) subject: String,
    pub(super) plain: String,
    pub(super) html: String,
}

pub(super) fn wording(letter: &Letter<'_>) -> Result<Wording, RenderError> {
    let source = texts(letter.locale).of(&letter.content);
    let mut environment = strict_environment();
    for (name, text) in [
        ("layout.txt", include_str!("templates/layout.txt")),
        ("layout.html", include_str!("templates/layout.html")),
        // The suffix decides whether values are escaped.
        ("letter.txt", source),
        ("letter.html", source),
        ("contact.txt", texts(letter.locale).contact),
        ("contact.html", texts(letter.locale).contact),
        ("subject.txt", "{% block subject %}{% endblock %}"),
    ] {
        environment.add_template(name, text).map_err(|error| template(&error))?;
    }
    let filled = |name: &str, layout: &str| {
        let values = values(letter, layout)?;
        environment.get_template(name).and_then(|found| found.render(values)).map_err(|error| template(&error))
    };
    Ok(Wording {
        subject: one_line(&filled("letter.txt", "subject.txt")?, usize::MAX),
        plain: wrapped(&filled("letter.txt", "layout.txt")?),
        html: filled("letter.html", "layout.html")?,
    })
}

/// Every text of a language, as it stands in the language's folder.
struct Texts {
    /// RFC 5646 language tag, the folder's name.
    language: &'static str,
    invitation: &'static str,
    email_confirmation: &'static str,
    email_change_notice: &'static str,
    /// Whom to ask.
    contact: &'static str,
}

macro_rules! texts_in {
    ($folder:literal) => {
        Texts {
            language: $folder,
            invitation: include_str!(concat!("templates/", $folder, "/invitation.jinja")),
            email_confirmation: include_str!(concat!("templates/", $folder, "/email_confirmation.jinja")),
            email_change_notice: include_str!(concat!("templates/", $folder, "/email_change_notice.jinja")),
            contact: include_str!(concat!("templates/", $folder, "/contact.jinja")),
        }
    };
}

/// What a further language adds to: its folder, and an arm here.
fn texts(locale: Locale) -> Texts {
    match locale {
        Locale::English => texts_in!("en"),
        Locale::French => texts_in!("fr"),
    }
}

impl Texts {
    fn of(&self, content: &Content<'_>) -> &'static str {
        match content {
            Content::Invitation(_) => self.invitation,
            Content::EmailConfirmation(_) => self.email_confirmation,
            Content::EmailChangeNotice(_) => self.email_change_notice,
        }
    }
}

fn values(letter: &Letter<'_>, layout: &str) -> Result<Value, RenderError> {
    let (first_name, by_link, two_factor) = match &letter.content {
        Content::Invitation(Invitation { first_name, link, expires, zone, two_factor, occasion }) => {
            (*first_name, Some((*link, *expires, *zone, *occasion)), Some(*two_factor))
        }
        Content::EmailConfirmation(EmailConfirmation { first_name, link, expires, zone, occasion }) => {
            (*first_name, Some((*link, *expires, *zone, *occasion)), None)
        }
        Content::EmailChangeNotice(EmailChangeNotice { first_name }) => (*first_name, None, None),
    };
    if by_link.is_some_and(|(link, ..)| !is_link(link.expose_secret())) {
        return Err(RenderError::Link);
    }
    let expires = by_link.map(|(_, expires, zone, _)| moment(expires, zone, letter.locale)).transpose();
    let expires = expires.map_err(|error| RenderError::Template(error.to_string()))?;
    let ClinicContact { email, phone } = letter.contact.cloned().unwrap_or_default();
    let first_name = first_name.map(|name| parted(&one_line(name, LONGEST_NAME)));
    Ok(context! {
        layout,
        nbsp => NO_BREAK_SPACE.to_string(),
        language => language(letter.locale),
        clinic => clinic(letter),
        first_name => first_name.filter(|name| !name.is_empty()),
        // Safe by `is_link`; escaped slashes would hide it from people who read the source.
        link => by_link.map(|(link, ..)| Value::from_safe_string(link.expose_secret().to_owned())),
        code => code_of(&letter.content).map(|code| Value::from_safe_string(code.to_owned())),
        expires,
        username => letter.to,
        email => email.as_deref(),
        phone,
        again => by_link.is_some_and(|(.., occasion)| matches!(occasion, Occasion::Again)),
        steps => two_factor.is_some(),
        required => two_factor.is_some_and(|two_factor| matches!(two_factor, TwoFactor::Required)),
    })
}

/// What the page of an invitation takes instead of its link: what no browser sends of it.
fn code_of<'a>(content: &Content<'a>) -> Option<&'a str> {
    match content {
        Content::Invitation(Invitation { link, .. }) => Some(link.expose_secret().split_once('#')?.1),
        Content::EmailConfirmation(_) | Content::EmailChangeNotice(_) => None,
    }
}

/// A value that a text names and nobody gave is an error, never a gap in a mail.
fn strict_environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

/// A template that ships with the program is wrong. Only the kind of error is kept: its text may quote values.
fn template(error: &minijinja::Error) -> RenderError {
    RenderError::Template(error.kind().to_string())
}

/// RFC 5646 language tag.
pub(super) fn language(locale: Locale) -> &'static str {
    texts(locale).language
}

/// An absolute http(s) URL of characters that need no escaping in HTML, so that it reads the same everywhere.
fn is_link(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$()*+,;=%".contains(&b))
    })
}

/// The clinic's name as a letter says it.
pub(super) fn clinic(letter: &Letter<'_>) -> String {
    parted(&one_line(letter.clinic_name, LONGEST_NAME))
}

/// A name as it may stand in a header or a sentence: no line breaks, nothing else that nobody sees (records of earlier versions may
/// hold it), single blanks, not longer than that many characters.
pub(super) fn one_line(name: &str, longest: usize) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | ' ');
    let kept: String = name.chars().filter(|c| breaks(*c) || !is_hidden(*c)).collect();
    let line = kept.split(breaks).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    line.chars().take(longest).collect()
}

/// Lines of at most `WIDTH` columns, broken at blanks only, list items indented; paragraphs one blank line apart.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut blank = true;
    for line in text.lines() {
        let line = if line.starts_with("-- ") { line } else { line.trim_end() };
        if line.is_empty() {
            blank = out.is_empty() || blank || {
                out.push('\n');
                true
            };
            continue;
        }
        blank = false;
        wrap_line(line, &mut out);
    }
    out
}

fn wrap_line(line: &str, out: &mut String) {
    let is_item = line.as_bytes().get(1..3) == Some(b". ");
    let mut column = 0;
    for (index, word) in line.split(' ').enumerate() {
        let width = word.chars().count();
        if index > 0 && column + 1 + width > WIDTH {
            out.push_str(if is_item { "\n   " } else { "\n" });
            column = if is_item { 3 } else { 0 };
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
}
