//! The people who see the pages, with names as people and clinics have them, and some that only an attacker has. Never here: pages.

use clinic_operator::domain::member::Locale;

/// With the usual accent colour.
pub(crate) const STYLE: &str = "/style.css";
/// With a colour of the clinic's own.
pub(crate) const OWN_STYLE: &str = "/own-style.css";

/// A reader, and the clinic whose pages they see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// For the name of the picture.
    pub(crate) label: &'static str,
    pub(crate) locale: Locale,
    pub(crate) clinic: &'static str,
    pub(crate) logo: Option<&'static str>,
    pub(crate) stylesheet: &'static str,
    /// As the clinic knows it.
    pub(crate) greeting: Option<&'static str>,
    pub(crate) first_name: &'static str,
    pub(crate) last_name: &'static str,
    /// As the person confirmed it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) position: &'static str,
    pub(crate) email: &'static str,
    pub(crate) expires: &'static str,
    pub(crate) last_day: &'static str,
    /// Address and telephone number of whom the clinic has its members ask.
    pub(crate) ask: [Option<&'static str>; 2],
}

/// Whose pages are shown in every state.
pub(crate) const USUAL: [Reader; 2] = [ENGLISH, FRENCH];
/// Whose pages show names that a layout could stumble over.
pub(crate) const UNUSUAL: [Reader; 5] = [SHORT, SYLLABICS, LONG, LONG_IN_FRENCH, HOSTILE];

const ENGLISH: Reader = Reader {
    label: "usual",
    locale: Locale::English,
    clinic: "Elm Street Clinic",
    logo: None,
    stylesheet: STYLE,
    greeting: Some("Zoë-Anne"),
    first_name: "Zoë-Anne",
    last_name: "O’Neil",
    name: "Zoë-Anne O’Neil",
    title: "Dr.",
    position: "Family physician",
    email: "zoe-anne@people.example",
    expires: "Wednesday, September 29, 2027 at 2:05\u{a0}p.m., Toronto time",
    last_day: "Wednesday, July 14, 2027",
    ask: [Some("office@elm-street.example"), Some("+1 416-555-0199")],
};

const FRENCH: Reader = Reader {
    label: "usual",
    locale: Locale::French,
    clinic: "Clinique de l’Érable",
    logo: Some("/logo.svg"),
    stylesheet: OWN_STYLE,
    greeting: Some("Geneviève"),
    first_name: "Geneviève",
    last_name: "Bélanger-Roy",
    name: "Geneviève Bélanger-Roy",
    title: "Dre",
    position: "Médecin de famille",
    email: "genevieve@gens.example",
    expires: "mercredi 29\u{a0}septembre\u{a0}2027 à\u{a0}14\u{a0}h\u{a0}05, heure de Toronto",
    last_day: "mercredi 14\u{a0}juillet\u{a0}2027",
    ask: [Some("accueil@erable.example"), Some("418 555-0142 poste 3")],
};

const SHORT: Reader = Reader {
    label: "short",
    clinic: "李",
    greeting: None,
    first_name: "",
    last_name: "",
    name: "李",
    title: "",
    position: "X",
    email: "a@b.example",
    ask: [None, None],
    ..ENGLISH
};

const SYLLABICS: Reader = Reader {
    label: "syllabics",
    clinic: "ᐃᖃᓗᐃᑦ ᐋᓐᓂᐊᕐᕕᒃ",
    greeting: Some("ᐊᓇ"),
    first_name: "ᐊᓇ",
    last_name: "",
    name: "ᐊᓇ",
    email: "ana@people.example",
    ..ENGLISH
};

const LONG_NAMES: Reader = Reader {
    label: "long",
    clinic: "Centre-de-réadaptation-et-de-santé-communautaire-Sainte-Marguerite-Bourgeoys-du-Vieux-Faubourg et associés",
    greeting: Some("Marie-Élisabeth-Philippine-Marguerite-Victoire-Adélaïde-Bernadette-Clémence"),
    first_name: "Marie-Élisabeth-Philippine-Marguerite-Victoire-Adélaïde-Bernadette-Clémence",
    last_name: "Vandenbroucke-Montgomery-Charbonneau-Saint-Pierre-de-la-Durantaye-Beauharnois",
    name: "Marie-Élisabeth-Philippine-Marguerite-Victoire Vandenbroucke-Montgomery-Charbonneau-Saint-Pierre",
    title: "Professeure titulaire émérite de la Faculté de médecine",
    position: "Coordonnatrice-des-soins-infirmiers-et-de-la-réadaptation-fonctionnelle-intensive pour les trois installations",
    ask: [
        Some("renseignements.aux.membres.de.l-equipe@centre-de-readaptation-sainte-marguerite.example"),
        Some("+1 (418) 555-0142 / 0143 / 0144 ext. 123456"),
    ],
    email: "marie.elisabeth.philippine.marguerite.victoire.adelaide@centre-de-readaptation-sainte-marguerite.example",
    ..FRENCH
};
const LONG: Reader =
    Reader { locale: Locale::English, logo: Some("/wide-logo.svg"), expires: ENGLISH.expires, ..LONG_NAMES };
const LONG_IN_FRENCH: Reader = Reader { logo: None, ..LONG_NAMES };

const HOSTILE: Reader = Reader {
    label: "hostile",
    clinic: "O'Neil & <b>Sons</b>, \"{{ 7*7 }}\" {clinic} Clinic",
    logo: Some("/logo.svg"),
    greeting: Some("<script>alert(1)</script>"),
    first_name: "\"><script src=//evil.example></script>",
    last_name: "' onfocus='alert(1)' autofocus='",
    name: "\u{2028}<svg/onload=alert(1)> </dd>",
    title: "{% include 'frame.html' %}",
    position: "</dd></main><h1>{{ form }}</h1>",
    ask: [Some("?subject=x&body=<b>\"y%0a@people.example"), Some("\"><b>911</b>")],
    email: "x\"style=\"color:red@people.example",
    expires: "<img src=x onerror=alert(1)>",
    last_day: "<style>*{display:none}</style>",
    ..ENGLISH
};

impl Reader {
    pub(crate) fn language(&self) -> &'static str {
        match self.locale {
            Locale::English => "en",
            Locale::French => "fr",
        }
    }
}
