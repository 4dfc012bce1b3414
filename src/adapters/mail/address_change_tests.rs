//! The two mails about a changed address, as their readers see them.

use jiff::tz::TimeZone;
use secrecy::SecretString;

use super::letter::{Content, EmailChangeNotice, EmailConfirmation, Letter, Occasion, RenderError};
use super::message::render;
use super::wording::wording;
use crate::domain::member::Locale;

const LINK: &str = "https://portal.elm-street.example/confirmations#a-0f9b2c.Q2FuYXJ5VG9rZW4tMTIzNDU2Nzg5MA";

/// Subject, plain text and HTML of the confirmation (with a link) or of the notice (without).
fn words(link: Option<&str>, locale: Locale, occasion: Occasion) -> Result<(String, String, String), RenderError> {
    let link = link.map(|link| SecretString::from(link.to_owned()));
    let zone = TimeZone::get("America/Toronto").unwrap();
    let from = "Elm Street Clinic <invitations@elm-street.example>".parse().unwrap();
    let first_name = Some("Zoë-Anne");
    let content = match &link {
        Some(link) => {
            let expires = "2027-06-28T18:05:00Z".parse().unwrap();
            Content::EmailConfirmation(EmailConfirmation { first_name, link, expires, zone: &zone, occasion })
        }
        None => Content::EmailChangeNotice(EmailChangeNotice { first_name }),
    };
    let letter = Letter {
        from: &from,
        reply_to: None,
        to: "Zoe.Ete@people.example",
        message_id: "<a-0f9b2c.2@elm-street.example>",
        date: "2027-06-21T18:05:09Z".parse().unwrap(),
        locale,
        clinic_name: "Elm Street Clinic",
        contact: None,
        content,
    };
    render(&letter)?;
    let words = wording(&letter)?;
    Ok((words.subject, words.plain, words.html))
}

#[test]
fn a_confirmation_says_what_to_do_until_when_and_what_if_it_was_not_meant() {
    for (locale, subject, text) in [
        (
            Locale::English,
            "Confirm your new email address for Elm Street Clinic",
            include_str!("testdata/email_confirmation.en.txt"),
        ),
        (
            Locale::French,
            "Confirmez votre nouvelle adresse courriel pour Elm Street Clinic",
            include_str!("testdata/email_confirmation.fr.txt"),
        ),
    ] {
        let (found, plain, html) = words(Some(LINK), locale, Occasion::First).unwrap();
        assert_eq!((found.as_str(), plain.as_str()), (subject, text));
        assert_eq!(html.matches(LINK).count(), 3, "the button, and the visible address which is a link too");
        assert!(!html.contains("<ol"), "{html}");
    }
    let (_, again, _) = words(Some(LINK), Locale::English, Occasion::Again).unwrap();
    assert!(again.contains("whose link no longer works"), "{again}");
    assert_eq!(words(Some("javascript:x"), Locale::English, Occasion::First), Err(RenderError::Link));
}

#[test]
fn a_notice_has_no_link_and_says_whom_to_call() {
    for (locale, subject, text) in [
        (
            Locale::English,
            "Elm Street Clinic has entered another email address for you",
            include_str!("testdata/email_change_notice.en.txt"),
        ),
        (
            Locale::French,
            "Elm Street Clinic a inscrit une autre adresse courriel pour vous",
            include_str!("testdata/email_change_notice.fr.txt"),
        ),
    ] {
        let (found, plain, html) = words(None, locale, Occasion::First).unwrap();
        assert_eq!((found.as_str(), plain.as_str()), (subject, text));
        assert!(!html.contains("href") && !plain.contains("http"), "{html}");
    }
}
