//! The letters that are looked at: every kind in every language, to readers with names as people have them. Never here: how
//! one is looked at.

use clinic_operator::adapters::mail::{
    Content, EmailChangeNotice, EmailConfirmation, Invitation, Letter, Occasion, render,
};
use clinic_operator::api::clinic::ClinicContact;
use clinic_operator::api::clinic::TwoFactor;
use clinic_operator::domain::member::Locale;
use jiff::tz::TimeZone;
use mail_parser::MessageParser;
use secrecy::SecretString;

const LINK: &str = "https://portal.elm-street.example/invitations#a-0f9b2c.Q2FuYXJ5VG9rZW4tMTIzNDU2Nzg5MA";

/// A letter, and what its reader must find in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) locale: Locale,
    pub(crate) names: Names,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Invitation(TwoFactor, Occasion),
    Confirmation(Occasion),
    Notice,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    /// For the name of the picture.
    label: &'static str,
    pub(crate) clinic: &'static str,
    pub(crate) first_name: Option<&'static str>,
}

/// A mail as a reader's program takes it apart.
pub(crate) struct Mail {
    pub(crate) subject: String,
    pub(crate) html: String,
}

const KINDS: [Kind; 7] = [
    Kind::Invitation(TwoFactor::Recommended, Occasion::First),
    Kind::Invitation(TwoFactor::Recommended, Occasion::Again),
    Kind::Invitation(TwoFactor::Required, Occasion::First),
    Kind::Invitation(TwoFactor::Required, Occasion::Again),
    Kind::Confirmation(Occasion::First),
    Kind::Confirmation(Occasion::Again),
    Kind::Notice,
];

/// Those of the clinics whose letters are shown in every kind.
const USUAL: [(Locale, Names); 2] = [
    (Locale::English, Names { label: "usual", clinic: "Elm Street Clinic", first_name: Some("Zoë-Anne") }),
    (Locale::French, Names { label: "usual", clinic: "Clinique de l’Érable", first_name: Some("Zoë-Anne d'Été") }),
];

/// Names that a layout or an encoding could stumble over.
const UNUSUAL: [Names; 4] = [
    Names { label: "nameless", clinic: "Elm", first_name: None },
    Names {
        label: "quoted", clinic: "O'Neil, \"Bo\" & <Sons>, Clinic", first_name: Some("Jean-\"Bo\", d'Été & Fils")
    },
    Names { label: "short", clinic: "李", first_name: Some("李") },
    Names { label: "syllabics", clinic: "ᐃᖃᓗᐃᑦ ᐋᓐᓂᐊᕐᕕᒃ", first_name: Some("ᐊᓇ") },
];
const LONG: Names = Names {
    label: "long",
    clinic: "Centre-de-réadaptation-et-de-santé-communautaire-Sainte-Marguerite-Bourgeoys-du-Vieux-Faubourg-de-Québec et associés",
    first_name: Some("Marie-Élisabeth-Philippine-Marguerite-Victoire-Adélaïde-Bernadette-Clémence"),
};
/// The letters that say the most, the wordiest first.
const WORDIEST: [Kind; 3] =
    [Kind::Invitation(TwoFactor::Required, Occasion::Again), Kind::Confirmation(Occasion::Again), Kind::Notice];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (locale, names) in USUAL {
        cases.extend(KINDS.map(|kind| Case { kind, locale, names }));
        cases.extend(UNUSUAL.map(|names| Case { kind: WORDIEST[0], locale, names }));
        cases.extend(WORDIEST.map(|kind| Case { kind, locale, names: LONG }));
    }
    cases
}

impl Case {
    /// For the name of the picture.
    pub(crate) fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Invitation(TwoFactor::Recommended, Occasion::First) => "invitation",
            Kind::Invitation(TwoFactor::Recommended, Occasion::Again) => "invitation-again",
            Kind::Invitation(TwoFactor::Required, Occasion::First) => "invitation-required",
            Kind::Invitation(TwoFactor::Required, Occasion::Again) => "invitation-required-again",
            Kind::Confirmation(Occasion::First) => "confirmation",
            Kind::Confirmation(Occasion::Again) => "confirmation-again",
            Kind::Notice => "notice",
        };
        format!("{kind}-{}-{}", self.language(), self.names.label)
    }

    pub(crate) fn language(&self) -> &'static str {
        match self.locale {
            Locale::English => "en",
            Locale::French => "fr",
        }
    }

    /// The words on the button and where it leads; none: a letter without a link.
    pub(crate) fn button(&self) -> Option<(&'static str, &'static str)> {
        let words = match (self.kind, self.locale) {
            (Kind::Invitation(..), Locale::English) => "Set up my account",
            (Kind::Invitation(..), Locale::French) => "Activer mon compte",
            (Kind::Confirmation(_), Locale::English) => "Confirm this address",
            (Kind::Confirmation(_), Locale::French) => "Confirmer cette adresse",
            (Kind::Notice, _) => return None,
        };
        Some((words, LINK))
    }

    /// The letter as it is mailed.
    pub(crate) fn mail(&self) -> Mail {
        let from = "Invitations <invitations@elm-street.example>".parse().expect("a mailbox");
        let link = SecretString::from(LINK);
        let zone = TimeZone::get("America/Toronto").expect("a zone");
        let expires = "2027-09-29T18:05:00Z".parse().expect("an instant");
        let first_name = self.names.first_name;
        let content = match self.kind {
            Kind::Invitation(two_factor, occasion) => {
                Content::Invitation(Invitation { first_name, link: &link, expires, zone: &zone, two_factor, occasion })
            }
            Kind::Confirmation(occasion) => Content::EmailConfirmation(EmailConfirmation {
                first_name,
                link: &link,
                expires,
                zone: &zone,
                occasion,
            }),
            Kind::Notice => Content::EmailChangeNotice(EmailChangeNotice { first_name }),
        };
        let (email, phone) = (Some("office@elm-street.example".into()), Some("+1 416-555-0199".to_owned()));
        let contact = ClinicContact { email, phone };
        let mail = render(&Letter {
            from: &from,
            reply_to: None,
            to: "zoe-anne@people.example",
            message_id: "<a-0f9b2c.1@elm-street.example>",
            date: "2027-09-22T18:05:00Z".parse().expect("an instant"),
            locale: self.locale,
            clinic_name: self.names.clinic,
            contact: Some(&contact),
            content,
        });
        let mail = mail.unwrap_or_else(|error| panic!("{}: {error}", self.name()));
        let message = MessageParser::default().parse(mail.bytes()).expect("the mail is a MIME message");
        Mail {
            subject: message.subject().unwrap_or_default().to_owned(),
            html: message.body_html(0).unwrap_or_default().into_owned(),
        }
    }
}
