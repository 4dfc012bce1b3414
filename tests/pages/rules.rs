//! What holds for the markup of every page, without a browser: nothing inline, nothing from elsewhere, every field labelled, every
//! word from its language's file and every word of that file on some page. Never here: how a page looks.

use std::collections::{BTreeMap, BTreeSet};

use clinic_operator::domain::license::License;
use clinic_operator::domain::member::{Classification, Locale, MemberType, designation};
use clinic_operator::portal::pages::{Designation, Frame, Home, Notice, Page, field, render};

use crate::cases::{CODES, Case, DRAFT, FORM_TOKEN, NOTICES, PORTAL, SECRET, cases, without_names};
use crate::markup::{Markup, Tag};

/// Attributes that lead somewhere.
const LINKS: [&str; 4] = ["href", "src", "action", "formaction"];

fn in_every_page(complaints: impl Fn(&Case, &Markup) -> Vec<String>) {
    let mut wrong = Vec::new();
    for case in cases() {
        let markup = Markup::read(&case.html);
        wrong.extend(complaints(&case, &markup).into_iter().map(|complaint| format!("{}: {complaint}", case.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn unless(holds: bool, complaint: &str) -> Option<String> {
    (!holds).then(|| complaint.to_owned())
}

#[test]
fn every_page_is_well_formed_and_has_its_language_one_heading_and_a_title_that_says_page_and_clinic() {
    in_every_page(|case, markup| {
        let mut wrong = markup.wrong.clone();
        let html = markup.of("html");
        wrong.extend(unless(html.len() == 1 && html[0].get("lang") == Some(case.reader.language()), "its language"));
        wrong
            .extend(unless(markup.of("h1").len() == 1 && markup.of("main").len() == 1, "one heading in one main part"));
        wrong.extend(unless(markup.text.contains(&format!(" – {}\n", case.reader.clinic)), "the clinic in its title"));
        let ids = markup.values("id");
        wrong.extend(unless(ids.iter().collect::<BTreeSet<_>>().len() == ids.len(), "an identifier twice"));
        wrong
    });
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    in_every_page(|case, markup| {
        let mut wrong = Vec::new();
        for Tag { name, attributes } in &markup.tags {
            let handler = attributes.keys().find(|attribute| attribute.starts_with("on") || *attribute == "style");
            wrong.extend(handler.map(|attribute| format!("<{name} {attribute}>")));
            for (attribute, value) in attributes.iter().filter(|(attribute, _)| LINKS.contains(&attribute.as_str())) {
                let is_ours = value.starts_with('#') || (value.starts_with('/') && !value.starts_with("//"));
                let is_app = case.name.starts_with("enrol") && value.starts_with("otpauth://totp/");
                let writes_or_calls = value.starts_with("mailto:") || value.starts_with("tel:");
                let is_file = case.name.starts_with("recovery-codes") && value.starts_with("data:text/plain;");
                let is_theirs = is_app || writes_or_calls || is_file;
                wrong.extend(unless(is_ours || is_theirs, &format!("{attribute} leads to {value}")));
            }
        }
        let scripts = markup.of("script");
        wrong.extend(unless(scripts.len() == 1 && scripts[0].get("src").is_some(), "one script, by its path"));
        wrong.extend(unless(case.html.matches("<script").count() == 1, "a script that is a name"));
        wrong.extend(unless(markup.of("style").is_empty(), "a style"));
        wrong
    });
}

#[test]
fn every_field_has_a_label_and_what_describes_it() {
    in_every_page(|case, markup| {
        let mut wrong = Vec::new();
        let (ids, labelled) = (markup.values("id"), markup.values("for"));
        for input in markup.of("input") {
            if input.get("data-shows").is_some() {
                continue;
            }
            let name = input.get("name").unwrap_or_default();
            wrong.extend(unless(field::ALL.contains(&name), &format!("the field {name:?} that no handler reads")));
            match input.get("type") {
                Some("hidden") => {}
                Some("checkbox") => wrong.extend(unless(markup.values("class").contains(&"choice"), "a label around")),
                _ => wrong.extend(unless(labelled.contains(&name) && ids.contains(&name), &format!("label of {name}"))),
            }
            let is_refused = input.get("aria-invalid") == Some("true");
            wrong.extend(unless(!is_refused || input.get("aria-describedby").is_some(), &format!("why not {name}")));
        }
        for described in markup.values("aria-describedby").into_iter().chain(markup.values("aria-controls")) {
            let all = described.split(' ').all(|id| ids.contains(&id));
            wrong.extend(unless(all, &format!("{described} is not there")));
        }
        let summary = markup.values("href").into_iter().filter_map(|link| link.strip_prefix('#')).collect::<Vec<_>>();
        wrong.extend(unless(summary.len() == case.errors, &format!("{} errors, listed {summary:?}", case.errors)));
        wrong.extend(unless(summary.iter().all(|id| ids.contains(id)), &format!("{summary:?} lead nowhere")));
        let faults = markup.values("class").into_iter().filter(|class| *class == "fault").count();
        wrong.extend(unless(faults == case.errors, &format!("{} errors, said {faults}", case.errors)));
        wrong
    });
}

#[test]
fn every_form_is_sent_by_post_with_its_token() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        let markup = Markup::read(&case.html);
        let forms = markup.of("form");
        let hidden = |name| {
            let inputs = markup.of("input").into_iter();
            inputs
                .filter(|input| input.get("type") == Some("hidden") && input.get("name") == Some(name))
                .map(|input| input.get("value").unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        assert!(
            forms.iter().all(|form| form.get("method") == Some("post") && form.get("action").is_some()),
            "{}",
            case.name
        );
        assert_eq!(hidden(field::FORM), vec![FORM_TOKEN; forms.len()], "{}", case.name);
        let drafts = if case.name.starts_with("enrol") || case.name.starts_with("code") { forms.len() } else { 0 };
        assert_eq!(hidden(field::DRAFT), vec![DRAFT; drafts], "{}", case.name);
        seen.extend(markup.of("input").into_iter().filter_map(|input| input.get("name").map(str::to_owned)));
    }
    assert_eq!(seen, field::ALL.into_iter().map(str::to_owned).collect(), "a field that handlers read is on no page");
}

#[test]
fn a_name_stands_on_a_page_as_it_is_written_whatever_it_looks_like() {
    in_every_page(|case, markup| {
        let mut wrong = Vec::new();
        let reader = &case.reader;
        wrong.extend(unless(markup.text.contains(reader.clinic), "the clinic's name"));
        if case.name.starts_with("accept") && !without_names(&case.name) {
            wrong.extend(unless(reader.greeting.is_none_or(|name| markup.text.contains(name)), "the greeting"));
            let values = markup.values("value");
            for value in [reader.email, reader.first_name, reader.last_name, reader.title] {
                wrong.extend(unless(values.contains(&value), &format!("the value {value}")));
            }
        }
        if ["enrol", "code", "recovery-codes", "home"].iter().any(|page| case.name.starts_with(page)) {
            wrong.extend(unless(markup.text.contains(reader.email), "whose account it is"));
        }
        if case.name.starts_with("home-position") {
            wrong.extend(unless(markup.text.contains(reader.position), "the position"));
        }
        wrong
    });
}

#[test]
fn a_password_is_never_on_a_page() {
    in_every_page(|_, markup| {
        let passwords = markup.of("input").into_iter().filter(|input| input.get("type") == Some("password"));
        passwords.filter_map(|input| input.get("value").map(|_| "a password with a value".to_owned())).collect()
    });
}

/// By section and key.
fn texts(language: &str) -> BTreeMap<String, String> {
    let source = match language {
        "en" => include_str!("../../src/portal/pages/texts/en.yaml"),
        _ => include_str!("../../src/portal/pages/texts/fr.yaml"),
    };
    let sections: BTreeMap<String, BTreeMap<String, String>> = serde_yaml::from_str(source).unwrap();
    let flat = sections
        .into_iter()
        .flat_map(|(section, texts)| texts.into_iter().map(move |(key, text)| (format!("{section}.{key}"), text)));
    flat.collect()
}

/// What a text says around its places, and the names of these.
fn pieces(text: &str) -> (Vec<String>, BTreeSet<String>) {
    let mut pieces = Vec::new();
    let mut places = BTreeSet::new();
    for part in text.split('{') {
        let piece = part.split_once('}').map_or(part, |(place, piece)| {
            places.insert(place.to_owned());
            piece
        });
        pieces.push(piece.trim().replace(" :", "\u{a0}:").replace("« ", "«\u{a0}").replace(" »", "\u{a0}»"));
    }
    (pieces, places)
}

#[test]
fn both_languages_have_the_same_texts_with_the_same_places() {
    let [english, french] = ["en", "fr"].map(|language| {
        texts(language).into_iter().map(|(key, text)| (key, pieces(&text).1)).collect::<BTreeMap<_, _>>()
    });
    assert_eq!(english, french);
}

#[test]
fn every_text_of_a_language_is_on_some_page() {
    let cases = cases();
    for language in ["en", "fr"] {
        let of_language =
            cases.iter().filter(|case| case.reader.language() == language && case.reader.label == "usual");
        let seen: String = of_language
            .map(|case| {
                let markup = Markup::read(&case.html);
                let attributes = markup.tags.iter().flat_map(|tag| tag.attributes.values().cloned());
                markup.text + &attributes.collect::<Vec<_>>().join("\n")
            })
            .collect();
        let unseen: Vec<_> = texts(language)
            .into_iter()
            .filter(|(_, text)| pieces(text).0.iter().any(|piece| !seen.contains(piece)))
            .map(|(key, _)| key)
            .filter(|key| !of_other_pages(key, language))
            .collect();
        assert_eq!(unseen, Vec::<String>::new(), "{language}");
    }
}

/// A language's own name is on the pages of the others.
fn of_other_pages(key: &str, language: &str) -> bool {
    let other = if language == "en" { "fr" } else { "en" };
    let name = &texts(language)["frame.name"];
    key == "frame.name"
        && cases().iter().any(|case| case.reader.language() == other && Markup::read(&case.html).text.contains(name))
}

#[test]
fn every_word_of_a_page_is_a_value_or_of_its_languages_file() {
    let of_language = ["en", "fr"].map(|language| {
        let mut pieces: Vec<String> = texts(language).values().flat_map(|text| pieces(text).0).collect();
        let others = ["en", "fr"].map(|other| texts(other)["frame.name"].clone());
        pieces.extend(
            others.into_iter().chain(["CHR Lite + VV", "CHR Lite", "CHR Plus"].map(|name| name.replace(' ', "\u{a0}"))),
        );
        pieces.extend(SECRET.split(' ').map(str::to_owned));
        pieces.extend(CODES.iter().cloned());
        (language, pieces)
    });
    in_every_page(|case, markup| {
        let reader = case.reader;
        let mut rest = markup.text.clone();
        for spoken in ["aria-label", "alt", "placeholder", "title"] {
            rest.extend(markup.values(spoken).into_iter().flat_map(|words| ["\n", words]));
        }
        let (_, pieces) = of_language.iter().find(|(language, _)| *language == reader.language()).unwrap();
        let mut known: Vec<&str> = pieces.iter().map(String::as_str).collect();
        known.extend([
            reader.clinic,
            reader.greeting.unwrap_or_default(),
            reader.first_name,
            reader.last_name,
            reader.name,
            reader.title,
            reader.position,
            reader.expires,
            reader.last_day,
            reader.email,
            PORTAL,
        ]);
        known.extend(reader.ask.into_iter().flatten());
        known.retain(|known| known.chars().any(char::is_alphabetic));
        // One may be part of another.
        known.sort_by_key(|known| std::cmp::Reverse(known.len()));
        for known in known {
            rest = rest.replace(known, "");
        }
        let words = rest.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic));
        words.map(|word| format!("the word {word:?}")).collect()
    });
}

/// The words of a page in English.
fn words(page: &Page<'_>, path: Option<&str>) -> String {
    render(&frame(path), page).unwrap()
}

fn frame(path: Option<&str>) -> Frame<'_> {
    Frame {
        locale: Locale::English,
        clinic: "Elm Street Clinic",
        logo: None,
        stylesheet: "/style.css",
        script: "/portal.js",
        icon: "/icon.svg",
        path,
        here: "/here",
        contact: None,
        sign_in: "/sign-in",
        form: FORM_TOKEN,
    }
}

fn home(designation: Designation<'_>, license: Option<License>) -> Page<'_> {
    Page::Home(Home {
        sign_out: "/sign-out",
        name: "Ana Silva",
        username: "ana@maple.example",
        title: None,
        designation,
        license,
        last_day: None,
    })
}

#[test]
fn the_list_of_members_and_a_persons_own_page_show_the_same_designation() {
    use {Classification as C, MemberType as T};
    for position in [None, Some("Front desk lead")] {
        for classification in [None, Some(C::Standard), Some(C::Locum), Some(C::ClinicalTrainee)] {
            for type_ in [T::Staff, T::Practitioner] {
                let html = words(&home(Designation::of(position, classification, type_), None), None);
                let expected = designation(position, classification, type_);
                assert!(html.contains(&format!("<dd>{expected}</dd>")), "{expected}");
            }
        }
    }
}

#[test]
fn a_license_is_shown_with_what_it_opens_and_a_higher_one_with_what_it_opens_besides() {
    for (license, higher) in [
        (License::CHRLite, vec![License::CHRLiteVV, License::CHRPlus]),
        (License::CHRLiteVV, vec![License::CHRPlus]),
        (License::CHRPlus, vec![]),
    ] {
        let html = words(&home(Designation::Position("Nurse"), Some(license)), None);
        let shown: Vec<_> = html.split("<li>").skip(1).map(|item| item.split("</li>").next().unwrap()).collect();
        let besides = higher.iter().flat_map(|higher| {
            higher.features().filter(|feature| !license.features().any(|own| own == *feature)).collect::<Vec<_>>()
        });
        assert_eq!(shown, license.features().chain(besides).collect::<Vec<_>>(), "{license:?}");
    }
}

#[test]
fn the_link_to_the_other_language_stays_on_this_portal() {
    let page = Page::Notice(Notice::Busy);
    assert!(words(&page, Some("/sign-in")).contains("href=\"&#x2f;sign-in?lang=fr\""));
    for path in [None, Some("//evil.example"), Some("/\\evil.example"), Some("https://evil.example"), Some("")] {
        assert!(words(&page, path).contains("href=\"?lang=fr\""), "{path:?}: where it was asked for");
    }
}

/// What only the clinic can help with.
const ASK: [&str; 6] = [
    "notice-invitation-expired",
    "notice-invitation-replaced",
    "notice-suspended",
    "notice-training-ended",
    "notice-removed",
    "notice-prevented",
];

#[test]
fn no_notice_is_a_dead_end() {
    for (name, notice) in NOTICES {
        let html = words(&Page::Notice(notice), None);
        let markup = Markup::read(&html);
        let leads = markup.of("a").into_iter().find(|link| link.get("class") == Some("button"));
        let leads = leads.and_then(|link| link.get("href"));
        assert_eq!(leads.is_none(), ASK.contains(&name), "{name}: its button leads to {leads:?}");
        assert!(leads.is_some() || markup.text.contains("the clinic"), "{name}: nobody is named to ask");
    }
    in_every_page(|case, markup| {
        let mut wrong = Vec::new();
        for (at, scheme) in ["mailto:", "tel:"].into_iter().enumerate() {
            let links = markup.values("href").into_iter().filter(|link| link.starts_with(scheme)).count();
            let left_out = ["notice-suspended", "notice-removed"][at];
            let expected = case.reader.ask[at].is_some() && !case.name.starts_with(left_out);
            wrong.extend(unless(links == usize::from(expected), &format!("{links} links {scheme}")));
        }
        wrong
    });
}

#[test]
fn trying_again_stays_on_this_portal() {
    for (here, leads) in [("/sign-in/code", true), ("//evil.example", false), ("/\\evil.example", false)] {
        let frame = Frame { here, ..frame(None) };
        let html = render(&frame, &Page::Notice(Notice::TooManyTries { wait: 2 })).unwrap();
        assert!(!html.contains("evil"), "{here}");
        assert_eq!(Markup::read(&html).values("href").contains(&here), leads, "{here}");
    }
}
