//! The words of a language: one file each in `texts/`, section by section, with places in braces that values are put into.
//! No word of a language stands in a template or in code. Never here: which words a page says.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use minijinja::value::Kwargs;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value, context};

use super::RenderError;
use super::models::Frame;
use super::view::View;
use crate::api::clinic::ClinicContact;
use crate::domain::contact::{mailto, tel};
use crate::domain::member::Locale;

/// Of all languages, in the order in which they are offered.
const LOCALES: [Locale; 2] = [Locale::English, Locale::French];

/// What a further language adds to: its file, and an arm here.
fn source(locale: Locale) -> &'static str {
    match locale {
        Locale::English => include_str!("texts/en.yaml"),
        Locale::French => include_str!("texts/fr.yaml"),
    }
}

const TEMPLATES: [(&str, &str); 12] = [
    ("frame.html", include_str!("templates/frame.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("contact.html", include_str!("templates/contact.html")),
    ("open.html", include_str!("templates/open.html")),
    ("other_session.html", include_str!("templates/other_session.html")),
    ("accept.html", include_str!("templates/accept.html")),
    ("enrol.html", include_str!("templates/enrol.html")),
    ("recovery_codes.html", include_str!("templates/recovery_codes.html")),
    ("sign_in.html", include_str!("templates/sign_in.html")),
    ("code.html", include_str!("templates/code.html")),
    ("home.html", include_str!("templates/home.html")),
    ("notice.html", include_str!("templates/notice.html")),
];

/// The texts of a language, by `section.key`.
#[derive(Debug)]
struct Texts(BTreeMap<String, String>);

/// A language, ready to render pages in.
pub(super) struct Language {
    texts: Arc<Texts>,
    environment: Environment<'static>,
}

/// Says a language's words to the members of one clinic.
pub(super) struct Speaker<'a> {
    texts: &'a Texts,
    pub(super) clinic: &'a str,
    /// Where the page that was asked for is.
    pub(super) here: Option<&'a str>,
}

/// The language of a locale, made once a process.
pub(super) fn language(locale: Locale) -> Result<&'static Language, RenderError> {
    static ENGLISH: LazyLock<Result<Language, RenderError>> = LazyLock::new(|| Language::new(Locale::English));
    static FRENCH: LazyLock<Result<Language, RenderError>> = LazyLock::new(|| Language::new(Locale::French));
    let language = match locale {
        Locale::English => &*ENGLISH,
        Locale::French => &*FRENCH,
    };
    language.as_ref().map_err(RenderError::clone)
}

impl Texts {
    fn read(locale: Locale) -> Result<Self, RenderError> {
        let sections: BTreeMap<String, BTreeMap<String, String>> =
            serde_yaml::from_str(source(locale)).map_err(|error| RenderError::Text(error.to_string()))?;
        let of_section = |(section, texts): (String, BTreeMap<String, String>)| {
            texts.into_iter().map(move |(key, text)| (format!("{section}.{key}"), unbroken(&text)))
        };
        Ok(Self(sections.into_iter().flat_map(of_section).collect()))
    }

    /// The text with a value at each of its places. Not escaped.
    fn say(&self, key: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, RenderError> {
        let wrong = |what: &str| RenderError::Text(format!("{key}: {what}"));
        let mut rest = self.0.get(key).ok_or_else(|| wrong("there is no such text"))?.as_str();
        let mut said = String::new();
        while let Some((before, place)) = rest.split_once('{') {
            let (name, after) = place.split_once('}').ok_or_else(|| wrong("a brace is not closed"))?;
            said.push_str(before);
            said.push_str(&value(name).ok_or_else(|| wrong("nothing was given for a place"))?);
            rest = after;
        }
        said.push_str(rest);
        Ok(said)
    }
}

/// Blanks at which no line may break, where a language has them: before a colon, inside French quotation marks, after a number. Who
/// writes texts need not think of it.
fn unbroken(text: &str) -> String {
    let mut text = text.replace(" :", "\u{a0}:").replace("« ", "«\u{a0}").replace(" »", "\u{a0}»");
    for number in ["{minimum}", "{maximum}", "{longer}", "{count}"] {
        text = text.replace(&format!("{number} "), &format!("{number}\u{a0}"));
    }
    text
}

impl Speaker<'_> {
    /// A text, with values for its places; the clinic's name is always one.
    pub(super) fn say(&self, key: &str, values: &[(&str, String)]) -> Result<String, RenderError> {
        self.texts.say(key, |place| match place {
            "clinic" => Some(self.clinic.to_owned()),
            _ => values.iter().find(|(name, _)| *name == place).map(|(_, value)| value.clone()),
        })
    }
}

impl Language {
    fn new(locale: Locale) -> Result<Self, RenderError> {
        let texts = Arc::new(Texts::read(locale)?);
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        let spoken = Arc::clone(&texts);
        environment.add_function("t", move |state: &State<'_, '_>, key: &str, values: Kwargs| {
            let said = spoken.say(key, |place| match place {
                "clinic" => state.lookup("clinic").map(|clinic| clinic.to_string()),
                _ => values.get::<Value>(place).ok().map(|value| value.to_string()),
            });
            said.map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
        });
        environment.add_global("others", others(locale)?);
        environment.add_global("language", texts.say("frame.tag", |_| None)?);
        for (name, template) in TEMPLATES {
            environment.add_template(name, template).map_err(|error| template_error(&error))?;
        }
        Ok(Self { texts, environment })
    }

    pub(super) fn speaker<'a>(&'a self, frame: &Frame<'a>) -> Speaker<'a> {
        Speaker { texts: &self.texts, clinic: frame.clinic, here: ours(frame.here) }
    }

    pub(super) fn render(&self, frame: &Frame<'_>, view: View) -> Result<String, RenderError> {
        let values = context! {
            clinic => frame.clinic,
            logo => frame.logo,
            stylesheet => frame.stylesheet,
            script => frame.script,
            icon => frame.icon,
            path => frame.path.and_then(ours),
            contact => frame.contact.map(|ClinicContact { email, phone }| context! {
                email => email.as_deref(),
                mailto => email.as_deref().map(mailto),
                phone,
                tel => phone.as_deref().map(tel),
            }),
            sign_in => frame.sign_in,
            form => frame.form,
            page => view.values,
            faults => view.faults,
            errors => view.errors,
        };
        let template = self.environment.get_template(view.template).map_err(|error| template_error(&error))?;
        template.render(values).map_err(|error| template_error(&error))
    }
}

/// The path, if it leads to a page of this portal and never to another site.
fn ours(path: &str) -> Option<&str> {
    (path.starts_with('/') && !path.starts_with("//") && !path.contains('\\')).then_some(path)
}

/// The other languages: tag and name, each in its own words.
fn others(locale: Locale) -> Result<Value, RenderError> {
    let mut others = Vec::new();
    for other in LOCALES.into_iter().filter(|other| *other != locale) {
        let texts = Texts::read(other)?;
        others.push(context! { tag => texts.say("frame.tag", |_| None)?, name => texts.say("frame.name", |_| None)? });
    }
    Ok(Value::from(others))
}

/// Our own detail names a text or a place; the library's quotes no value, since it was built without its debugging aids.
fn template_error(error: &Error) -> RenderError {
    let place = error.name().map_or_else(String::new, |name| format!(" in {name}, line {}", error.line().unwrap_or(0)));
    RenderError::Template(format!("{}{place}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Texts {
        Texts(BTreeMap::from([
            ("a.b".to_owned(), "Hello {name}, {name}.".to_owned()),
            ("a.c".to_owned(), "{".to_owned()),
        ]))
    }

    #[test]
    fn a_value_is_put_into_each_of_its_places_and_is_not_looked_into() {
        let said = texts().say("a.b", |place| (place == "name").then(|| "{name}".to_owned()));
        assert_eq!(said, Ok("Hello {name}, {name}.".to_owned()));
    }

    #[test]
    fn what_is_missing_is_an_error_that_names_the_text_and_no_value() {
        for (key, expected) in [
            ("a.b", "failed to render a page: a.b: nothing was given for a place"),
            ("a.c", "failed to render a page: a.c: a brace is not closed"),
            ("a.d", "failed to render a page: a.d: there is no such text"),
        ] {
            assert_eq!(texts().say(key, |_| None).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn no_line_breaks_before_a_colon_or_inside_french_quotation_marks() {
        assert_eq!(unbroken("Erreur : « oui », {count} fois"), "Erreur\u{a0}: «\u{a0}oui\u{a0}», {count}\u{a0}fois");
    }
}
