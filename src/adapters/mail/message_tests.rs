//! What a letter looks like, to a mail program and to a reader.

use jiff::tz::TimeZone;
use lettre::message::Mailbox;
use secrecy::SecretString;

use super::{
    letter::{Content, Invitation, Letter, Occasion, RenderError},
    message::render,
    wording::wording,
};
use crate::api::clinic::{ClinicContact, TwoFactor};
use crate::domain::{email::RawEmail, member::Locale};

const LINK: &str = "https://portal.elm-street.example/invitations#a-0f9b2c.Q2FuYXJ5VG9rZW4tMTIzNDU2Nzg5MA";

/// A letter's parts that a test may change.
struct Sample {
    from: Mailbox,
    reply_to: Option<Mailbox>,
    to: &'static str,
    message_id: &'static str,
    date: &'static str,
    locale: Locale,
    clinic: &'static str,
    first_name: Option<&'static str>,
    link: &'static str,
    two_factor: TwoFactor,
    occasion: Occasion,
    contact: Option<ClinicContact>,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            from: "Elm Street Clinic <invitations@elm-street.example>".parse().unwrap(),
            reply_to: None,
            to: "Zoe.Ete@people.example",
            message_id: "<a-0f9b2c.1@elm-street.example>",
            date: "2027-06-21T18:05:09.75Z",
            locale: Locale::English,
            clinic: "Elm Street Clinic",
            contact: None,
            first_name: Some("Zoë-Anne"),
            link: LINK,
            two_factor: TwoFactor::Recommended,
            occasion: Occasion::First,
        }
    }
}

impl Sample {
    fn with_letter<T>(&self, read: impl FnOnce(&Letter<'_>) -> T) -> T {
        let link = SecretString::from(self.link);
        let zone = TimeZone::get("America/Toronto").unwrap();
        read(&Letter {
            from: &self.from,
            reply_to: self.reply_to.as_ref(),
            to: self.to,
            message_id: self.message_id,
            date: self.date.parse().unwrap(),
            locale: self.locale,
            clinic_name: self.clinic,
            contact: self.contact.as_ref(),
            content: Content::Invitation(Invitation {
                first_name: self.first_name,
                link: &link,
                expires: "2027-06-28T18:05:00Z".parse().unwrap(),
                zone: &zone,
                two_factor: self.two_factor,
                occasion: self.occasion,
            }),
        })
    }

    fn mail(&self) -> String {
        let mail = self.with_letter(render).expect("a letter that can be rendered");
        String::from_utf8(mail.bytes().to_vec()).unwrap()
    }

    fn error(&self) -> RenderError {
        self.with_letter(render).expect_err("a letter that cannot be rendered")
    }

    /// Subject, plain text, HTML before their transfer encoding.
    fn words(&self) -> (String, String, String) {
        let words = self.with_letter(wording).expect("a letter that can be worded");
        (words.subject, words.plain, words.html)
    }
}

/// Header names and unfolded values, in order, up to the first empty line.
fn headers(mail: &str) -> Vec<(String, String)> {
    let (head, _) = mail.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n ", " ");
    unfolded.split("\r\n").map(|line| line.split_once(": ").unwrap()).map(|(n, v)| (n.into(), v.into())).collect()
}

fn header(mail: &str, name: &str) -> String {
    let found: Vec<_> = headers(mail).into_iter().filter(|(n, _)| n == name).map(|(_, v)| v).collect();
    assert_eq!(found.len(), 1, "{name} stands once");
    found.into_iter().next().unwrap()
}

#[test]
fn a_mail_has_these_headers_and_no_others() {
    let sample = Sample { reply_to: Some("desk@elm-street.example".parse().unwrap()), ..Sample::default() };
    let expected = [
        ("Date", "Mon, 21 Jun 2027 18:05:09 +0000"),
        ("From", "\"Elm Street Clinic\" <invitations@elm-street.example>"),
        ("To", "Zoe.Ete@people.example"),
        ("Subject", "Elm Street Clinic invites you to set up your account"),
        ("Message-ID", "<a-0f9b2c.1@elm-street.example>"),
        ("Reply-To", "desk@elm-street.example"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("Content-Language", "en"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "multipart/alternative; boundary=\"=_clinic-operator-alternative_=\""),
    ];
    let expected: Vec<_> = expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    assert_eq!(headers(&sample.mail()), expected);
    assert!(!Sample::default().mail().contains("Reply-To"), "an answer goes to From unless configured otherwise");
}

#[test]
fn a_mail_is_seven_bit_short_lined_and_the_same_each_time() {
    for locale in [Locale::English, Locale::French] {
        let sample = Sample { locale, clinic: "Clinique de l’Érable 李", ..Sample::default() };
        let mail = sample.mail();
        assert!(mail.is_ascii());
        assert!(mail.ends_with("\r\n"));
        assert!(mail.split("\r\n").all(|line| line.len() <= 78 && !line.contains(['\r', '\n'])), "{mail}");
        assert_eq!(mail, sample.mail());
        let types: Vec<_> = mail.split("\r\n").filter(|line| line.starts_with("Content-Type: text/")).collect();
        assert_eq!(types, ["Content-Type: text/plain; charset=utf-8", "Content-Type: text/html; charset=utf-8"]);
    }
}

#[test]
fn names_are_encoded_so_that_nothing_breaks_out_of_a_header() {
    for (name, from) in [
        ("Elm Street", "\"Elm Street\" <x@elm.example>"),
        ("Maple Clinic, Toronto", "=?utf-8?b?TWFwbGUgQ2xpbmljLCBUb3JvbnRv?= <x@elm.example>"),
        ("O'Neil, \"Bo\" Clinic", "=?utf-8?b?TydOZWlsLCAiQm8iIENsaW5pYw==?= <x@elm.example>"),
        ("Zoë-Anne d'Été", "=?utf-8?b?Wm/Dqy1Bbm5lIGQnw4l0w6k=?= <x@elm.example>"),
        ("李", "=?utf-8?b?5p2O?= <x@elm.example>"),
        ("Elm\r\nBcc: all@people.example", "=?utf-8?b?RWxtIEJjYzogYWxsQHBlb3BsZS5leGFtcGxl?= <x@elm.example>"),
        ("\r\n", "\"Elm Street Clinic\" <x@elm.example>"),
    ] {
        let from_mailbox = Mailbox::new(Some(name.to_owned()), "x@elm.example".parse().unwrap());
        let mail = Sample { from: from_mailbox, ..Sample::default() }.mail();
        assert_eq!(header(&mail, "From"), from, "{name:?}");
        assert_eq!(headers(&mail).len(), 10, "{name:?}");
    }
    for (clinic, subject) in [
        ("Elm\r\nBcc: all@people.example", "Elm Bcc: all@people. example invites you to set up your account"),
        ("A <b> & \"c\"", "A <b> & \"c\" invites you to set up your account"),
    ] {
        assert_eq!(header(&Sample { clinic, ..Sample::default() }.mail(), "Subject"), subject);
    }
    let french = Sample { locale: Locale::French, clinic: "Clinique d’Été", ..Sample::default() }.mail();
    let subject = header(&french, "Subject");
    assert!(subject.starts_with("=?utf-8?b?") || subject.contains(" =?utf-8?b?"), "{subject}");
    assert_eq!(header(&french, "Content-Language"), "fr");
}

#[test]
fn a_hostile_name_stays_a_name() {
    let sample = Sample {
        clinic: "<img src=https://spy.example/x.png> & Co",
        first_name: Some("Zoë</p>\r\n.\r\n<script>\u{202e}"),
        ..Sample::default()
    };
    let (_, plain, html) = sample.words();
    assert!(plain.starts_with("Hello Zoë</p> . <script>,\n"), "{plain}");
    assert!(html.contains("Hello Zoë&lt;&#x2f;p&gt; . &lt;script&gt;,"), "{html}");
    for tag in ["<script", "<img"] {
        assert!(!html.contains(tag), "{tag}");
    }
    // As a record of an earlier version may hold them.
    let leads =
        Sample { clinic: "Win at Evil.Com", first_name: Some("https://evil.example/x\u{3164}"), ..Sample::default() };
    let (subject, plain, html) = leads.words();
    assert_eq!(subject, "Win at Evil. Com invites you to set up your account");
    assert!(plain.starts_with("Hello https: //evil. example/x,\n"), "{plain}");
    for text in [plain, html] {
        assert!(!text.contains("Evil.Com") && !text.contains("evil.example"), "{text}");
    }
    let blank = Sample { first_name: Some(" \n "), ..Sample::default() };
    assert!(blank.words().1.starts_with("Hello,\n"));
}

#[test]
fn html_fetches_nothing_and_links_only_to_the_portal() {
    for locale in [Locale::English, Locale::French] {
        let (_, _, html) = Sample { locale, ..Sample::default() }.words();
        for word in ["src=", "url(", "@import", "<img", "<link", "<script", "<form"] {
            assert!(!html.contains(word), "{word}");
        }
        let targets: Vec<_> = html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(targets, [LINK, LINK]);
        assert_eq!(html.matches("http").count(), 3, "button, and the visible address twice");
    }
}

#[test]
fn an_english_invitation_reads_so() {
    let (subject, plain, html) = Sample::default().words();
    assert_eq!(subject, "Elm Street Clinic invites you to set up your account");
    assert_eq!(plain, include_str!("testdata/invitation.en.txt"));
    assert_says(
        &html,
        &[
            "<html lang=\"en\">",
            "Set up my account</a>",
            "June 28, 2027 at 2:05\u{a0}p.m., Toronto time",
            "Hello Zoë-Anne,",
        ],
    );
}

#[test]
fn a_french_invitation_reads_so() {
    let sample = Sample {
        locale: Locale::French,
        clinic: "Clinique de l’Érable",
        first_name: None,
        two_factor: TwoFactor::Required,
        occasion: Occasion::Again,
        ..Sample::default()
    };
    let (subject, plain, html) = sample.words();
    assert_eq!(subject, "Clinique de l’Érable vous invite à activer votre compte");
    assert_eq!(plain, include_str!("testdata/invitation.fr.txt"));
    assert_says(
        &html,
        &["<html lang=\"fr\">", "Activer mon compte</a>", "exigée avant l’ouverture", "<p class=\"text\""],
    );
}

fn assert_says(text: &str, facts: &[&str]) {
    for fact in facts {
        assert!(text.contains(fact), "{fact} in {text}");
    }
}

#[test]
fn two_factor_and_an_earlier_invitation_change_the_words() {
    for (two_factor, occasion, said, unsaid) in [
        (TwoFactor::Recommended, Occasion::First, "We recommend", "replaces our earlier"),
        (TwoFactor::Required, Occasion::First, "4. Set up two-factor", "We recommend"),
        (TwoFactor::Recommended, Occasion::Again, "replaces our earlier", "4. Set up"),
    ] {
        let (_, plain, html) = Sample { two_factor, occasion, ..Sample::default() }.words();
        assert!(plain.contains(said) && !plain.contains(unsaid), "{plain}");
        let said = said.trim_start_matches("4. ");
        assert!(html.contains(said) && !html.contains(unsaid), "{html}");
    }
}

#[test]
fn what_cannot_be_a_mail_is_refused_without_being_quoted() {
    let canary = |error: RenderError| {
        let said = format!("{error} {error:?}");
        assert!(!said.contains("anary"), "{said}");
        error
    };
    for to in
        ["", "canary", "canary@a.example, canary@b.example", "canary@a.example\r\nBcc: x@b.example", "canàry@a.example"]
    {
        assert_eq!(canary(Sample { to, ..Sample::default() }.error()), RenderError::Recipient, "{to:?}");
    }
    for message_id in
        ["", "canary@a.example", "<canary>", "<canary@>", "<ca nary@a.example>", "<canary@a.example>\r\nBcc: x"]
    {
        assert_eq!(
            canary(Sample { message_id, ..Sample::default() }.error()),
            RenderError::MessageId,
            "{message_id:?}"
        );
    }
    for link in
        ["", "canary", "javascript:canary()", "https://", "https://a.example/canary\"x", "https://a.example/canary y"]
    {
        assert_eq!(canary(Sample { link, ..Sample::default() }.error()), RenderError::Link, "{link:?}");
    }
    for date in ["1969-12-31T23:59:59Z", "-000001-01-01T00:00:00Z"] {
        assert_eq!(Sample { date, ..Sample::default() }.error(), RenderError::Date, "{date}");
    }
}

#[test]
fn debug_shows_neither_address_nor_link() {
    let sample = Sample::default();
    let said = sample.with_letter(|letter| format!("{letter:?} {:?}", render(letter)));
    assert!(said.contains("RenderedMail("), "{said}");
    for secret in ["people.example", "Ete", "Q2FuYXJ5", "invitations#"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

/// For a look at the letters: `MAIL_PREVIEW=<folder> cargo test letters_can_be_looked_at` writes them there.
#[test]
fn letters_can_be_looked_at() {
    let folder = std::env::var_os("MAIL_PREVIEW").map(std::path::PathBuf::from);
    for (name, sample) in [
        ("en", Sample::default()),
        ("fr", Sample { locale: Locale::French, clinic: "Clinique de l’Érable", ..Sample::default() }),
        (
            "fr-again",
            Sample {
                locale: Locale::French,
                clinic: "Centre de santé communautaire Sainte-Marguerite-Bourgeoys",
                two_factor: TwoFactor::Required,
                occasion: Occasion::Again,
                ..Sample::default()
            },
        ),
        (
            "en-again",
            Sample {
                occasion: Occasion::Again,
                first_name: None,
                two_factor: TwoFactor::Required,
                ..Sample::default()
            },
        ),
    ] {
        let (_, plain, html) = sample.words();
        assert!(plain.lines().all(|line| line.chars().count() <= 72 || line.contains("://")), "{plain}");
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
            std::fs::write(folder.join(format!("{name}.txt")), plain).unwrap();
            std::fs::write(folder.join(format!("{name}.eml")), sample.mail()).unwrap();
        }
    }
}

#[test]
fn the_foot_says_whom_to_ask_where_the_clinic_says_so() {
    let (email, phone) = (Some("o'hara&co@maple.example"), Some("416-555-0199 ext. 12"));
    for (locale, email, phone, expected) in [
        (Locale::English, email, phone, "Questions? Write to o'hara&co@maple.example or call 416-555-0199 ext. 12."),
        (Locale::English, email, None, "Questions? Write to o'hara&co@maple.example."),
        (Locale::English, None, phone, "Questions? Call 416-555-0199 ext. 12."),
        (
            Locale::French,
            email,
            phone,
            "Des questions? Écrivez à o'hara&co@maple.example ou appelez le 416-555-0199 ext. 12.",
        ),
        (Locale::French, email, None, "Des questions? Écrivez à o'hara&co@maple.example."),
        (Locale::French, None, phone, "Des questions? Appelez le 416-555-0199 ext. 12."),
    ] {
        let contact = ClinicContact { email: email.map(RawEmail::from), phone: phone.map(str::to_owned) };
        let (_, plain, html) = Sample { locale, contact: Some(contact), ..Sample::default() }.words();
        let foot = plain.split_once("\n-- \n").unwrap().1.replace('\n', " ");
        assert!(foot.starts_with(expected), "{foot}");
        let escaped = expected.replace('&', "&amp;").replace('\'', "&#x27;");
        assert!(html.contains(&format!(">{escaped}</p>")), "{html}");
    }
    let without = Sample::default().words();
    let empty = Sample { contact: Some(ClinicContact::default()), ..Sample::default() }.words();
    assert_eq!(without, empty, "a clinic that names neither");
    assert!(!without.1.contains("Questions?") && !without.2.contains("Questions?"));
}
