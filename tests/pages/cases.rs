//! Every page in every state that it has, rendered for readers of both languages. Never here: how one is looked at.

use std::sync::LazyLock;

use clinic_operator::api::clinic::ClinicContact;
use clinic_operator::domain::email::RawEmail;
use clinic_operator::domain::license::License;
use clinic_operator::domain::member::{Classification, MemberType};
use clinic_operator::domain::qr::QrCode;
use clinic_operator::portal::pages::{
    Accept, AcceptFaults, AcceptNote, Choice, Code, CodeFault, Designation, Enrol, EnrolOccasion, Frame, Home,
    NameFault, Notice, Open, OtherSession, Page, PasswordFault, RecoveryCodes, RepeatFault, SecondFactor,
    SecondStepFault, SignIn, SignInMessage, TitleFault, render,
};

use crate::readers::{Reader, UNUSUAL, USUAL};

pub(crate) const LOGO: &str = "/logo.svg";
pub(crate) const WIDE_LOGO: &str = "/wide-logo.svg";
pub(crate) const SCRIPT: &str = "/portal.js";
pub(crate) const ICON: &str = "/icon.svg";
/// What no reader may see.
pub(crate) const FORM_TOKEN: &str = "form-token+/=\"<&";
pub(crate) const DRAFT: &str = "sealed-draft+/=\"<&";
/// Where they sign in.
pub(crate) const PORTAL: &str = "https://portal.elm-street.example";
pub(crate) const LINK: &str = "a-0f9b2c.Q2FuYXJ5+/=\"<&";
pub(crate) const SECRET: &str = "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP";
const OTPAUTH: &str = "otpauth://totp/zoe-anne%40people.example?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\
                       &issuer=Elm%20Street%20Clinic";

pub(crate) static CODES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let codes = [
        "7KQF-3MWD-Y6JV-FHCZ-AFJ3-DB79",
        "X2NB-9TRA-E2T8-75HA-MRFN-Z1Y4",
        "5HJC-8VPE-G9Q1-71MY-2EWP-EDWB",
        "QW4M-6ZGK-22DR-7FPF-Z52D-4384",
        "N8DT-2YRF-MSW5-5YB9-Q1F0-DXSF",
    ];
    codes.iter().flat_map(|code| [(*code).to_owned(), code.chars().rev().collect()]).collect()
});

static QR: LazyLock<QrCode> = LazyLock::new(|| QrCode::of(OTPAUTH).expect("it is short enough"));

/// A page as the portal sends it.
pub(crate) struct Case {
    /// Of the picture, and of the path.
    pub(crate) name: String,
    pub(crate) reader: Reader,
    pub(crate) html: String,
    /// How many entries of its form were refused.
    pub(crate) errors: usize,
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for reader in USUAL {
        cases.extend(pages(&reader).into_iter().map(|(name, errors, page)| case(name, errors, &page, reader)));
    }
    // The pages that show names, in their fullest state.
    let with_names = [
        "other-session",
        "accept-names-too-long",
        "enrol-required-since",
        "home-position",
        "notice-training-ended",
        "sign-in-refused",
        "recovery-codes",
    ];
    for reader in UNUSUAL {
        let pages = pages(&reader).into_iter().filter(|(name, ..)| with_names.contains(name));
        cases.extend(pages.map(|(name, errors, page)| case(name, errors, &page, reader)));
    }
    cases
}

fn case(name: &str, errors: usize, page: &Page<'_>, reader: Reader) -> Case {
    let name = format!("{name}-{}-{}", reader.language(), reader.label);
    let contact = ask(&name, &reader);
    let frame = Frame {
        locale: reader.locale,
        clinic: reader.clinic,
        logo: reader.logo,
        stylesheet: reader.stylesheet,
        script: SCRIPT,
        icon: ICON,
        path: Some("/here"),
        here: "/here",
        contact: Some(&contact),
        sign_in: "/sign-in",
        form: FORM_TOKEN,
    };
    let html = render(&frame, page).unwrap_or_else(|error| panic!("{name}: {error}"));
    Case { name, reader, html, errors }
}

/// Whom the reader is told to ask: a clinic may name an address, a telephone number or both.
fn ask(name: &str, reader: &Reader) -> ClinicContact {
    let [email, phone] = reader.ask;
    ClinicContact {
        email: email.filter(|_| !name.starts_with("notice-suspended")).map(RawEmail::from),
        phone: phone.filter(|_| !name.starts_with("notice-removed")).map(str::to_owned),
    }
}

/// Name, refused entries, page.
type Named<'a> = (&'static str, usize, Page<'a>);

fn pages<'a>(reader: &Reader) -> Vec<Named<'a>> {
    let mut pages = accept(reader);
    pages.push(("open", 0, Page::Open(Open { action: "/invitations" })));
    let (name, email) = (reader.name, reader.email);
    let other = OtherSession { sign_out: "/sign-out", link: LINK, home: "/", name, email };
    pages.push(("other-session", 0, Page::OtherSession(other)));
    pages.extend(enrol(reader));
    let codes = RecoveryCodes {
        codes: &CODES,
        action: "/recovery-codes",
        name: reader.name,
        username: reader.email,
        portal: PORTAL,
        day: reader.last_day,
    };
    pages.push(("recovery-codes", 0, Page::RecoveryCodes(codes)));
    pages.extend(sign_in(reader));
    pages.extend(home(reader));
    pages.extend(NOTICES.map(|(name, notice)| (name, 0, Page::Notice(notice))));
    pages
}

fn accept<'a>(reader: &Reader) -> Vec<Named<'a>> {
    let recommended = SecondFactor::Recommended { minimum_without: 15, choice: Choice::Now };
    let later = SecondFactor::Recommended { minimum_without: 15, choice: Choice::Later };
    let too_long = NameFault::TooLong { maximum: 100 };
    let of_names = |first_name, last_name, title| AcceptFaults {
        first_name: Some(first_name),
        last_name: Some(last_name),
        title: Some(title),
        ..AcceptFaults::default()
    };
    let of_password =
        |password, repeated| AcceptFaults { password: Some(password), repeated, ..AcceptFaults::default() };
    let all = AcceptFaults {
        password: Some(PasswordFault::Missing),
        repeated: Some(RepeatFault::Missing),
        ..of_names(NameFault::Missing, NameFault::Missing, TitleFault::Hidden)
    };
    let differs = AcceptFaults { repeated: Some(RepeatFault::Differs), ..AcceptFaults::default() };
    [
        ("accept", 0, recommended, AcceptFaults::default()),
        ("accept-nameless", 0, later, AcceptFaults::default()),
        ("accept-required", 0, SecondFactor::Required, AcceptFaults::default()),
        ("accept-out-of-date", 0, recommended, AcceptFaults::default()),
        ("accept-refused", 5, recommended, all),
        ("accept-names-too-long", 3, recommended, of_names(too_long, too_long, TitleFault::TooLong { maximum: 60 })),
        (
            "accept-names-hidden",
            2,
            later,
            AcceptFaults { title: None, ..of_names(NameFault::Hidden, NameFault::Hidden, TitleFault::Hidden) },
        ),
        (
            "accept-names-without-letter",
            3,
            recommended,
            of_names(NameFault::NoLetter, NameFault::NoLetter, TitleFault::NoLetter),
        ),
        ("accept-names-of-links", 3, later, of_names(NameFault::Link, NameFault::Link, TitleFault::Link)),
        ("accept-password-short", 1, later, of_password(PasswordFault::TooShort { minimum: 15 }, None)),
        ("accept-password-long", 1, recommended, of_password(PasswordFault::TooLong { maximum: 256 }, None)),
        ("accept-password-common", 1, SecondFactor::Required, of_password(PasswordFault::Common, None)),
        ("accept-password-of-names", 1, SecondFactor::Required, of_password(PasswordFault::OfNames, None)),
        ("accept-password-untyped", 2, later, of_password(PasswordFault::CannotBeTyped, Some(RepeatFault::Missing))),
        ("accept-password-differs", 1, recommended, differs),
    ]
    .map(|(name, errors, second_factor, faults)| {
        let known = !without_names(name);
        let accept = Accept {
            action: "/invitations/a-0f9b2c",
            link: LINK,
            greeting: reader.greeting.filter(|_| name != "accept-nameless"),
            email: reader.email,
            first_name: if known { reader.first_name } else { "" },
            last_name: if known { reader.last_name } else { "" },
            title: if known { reader.title } else { "" },
            minimum: 8,
            second_factor,
            expires: reader.expires,
            faults,
            note: (name == "accept-out-of-date").then_some(AcceptNote::OutOfDate),
        };
        (name, errors, Page::Accept(accept))
    })
    .into()
}

/// Whether the clinic does not know the reader's names, or the reader took them out.
pub(crate) fn without_names(name: &str) -> bool {
    name.starts_with("accept-nameless") || name.starts_with("accept-refused")
}

fn enrol<'a>(reader: &Reader) -> Vec<Named<'a>> {
    let chosen = EnrolOccasion::Chosen { back: "/invitations/a-0f9b2c", minimum_without: 15 };
    [
        ("enrol", 0, chosen, None),
        ("enrol-required", 0, EnrolOccasion::Required, None),
        ("enrol-required-since", 0, EnrolOccasion::RequiredSince, None),
        ("enrol-malformed", 1, chosen, Some(CodeFault::Malformed)),
        ("enrol-wrong", 1, EnrolOccasion::Required, Some(CodeFault::Wrong)),
        ("enrol-used", 1, EnrolOccasion::RequiredSince, Some(CodeFault::Used)),
    ]
    .map(|(name, errors, occasion, fault)| {
        let (draft, link, username) = (Some(DRAFT), Some(LINK), reader.email);
        let (action, qr, uri, secret) = ("/enrol", &*QR, OTPAUTH, SECRET);
        let enrol = Enrol { action, draft, username, link, occasion, qr, uri, secret, fault };
        (name, errors, Page::Enrol(enrol))
    })
    .into()
}

fn sign_in<'a>(reader: &Reader) -> Vec<Named<'a>> {
    let mut pages = Vec::from([
        ("sign-in", "", None),
        ("sign-in-signed-out", "", Some(SignInMessage::SignedOut)),
        ("sign-in-session-ended", "", Some(SignInMessage::SessionEnded)),
        ("sign-in-out-of-date", reader.email, Some(SignInMessage::FormOutOfDate)),
        ("sign-in-took-too-long", reader.email, Some(SignInMessage::TookTooLong)),
        ("sign-in-refused", reader.email, Some(SignInMessage::Refused)),
    ])
    .into_iter()
    .map(|(name, email, message)| (name, 0, Page::SignIn(SignIn { action: "/sign-in", email, message })))
    .collect::<Vec<_>>();
    pages.extend(
        [
            ("code", 0, None),
            ("code-malformed", 1, Some(SecondStepFault::Code(CodeFault::Malformed))),
            ("code-wrong", 1, Some(SecondStepFault::Code(CodeFault::Wrong))),
            ("code-used", 1, Some(SecondStepFault::Code(CodeFault::Used))),
            ("code-recovery-refused", 1, Some(SecondStepFault::RecoveryCode)),
        ]
        .map(|(name, errors, fault)| {
            let username = reader.email;
            (name, errors, Page::Code(Code { action: "/sign-in/code", draft: Some(DRAFT), username, fault }))
        }),
    );
    pages
}

fn home<'a>(reader: &Reader) -> Vec<Named<'a>> {
    use {Classification as C, MemberType as T};
    let of = |classification| Designation::of(None, classification, T::Practitioner);
    [
        ("home-position", Designation::Position(reader.position), Some(License::CHRLite), Some(reader.last_day)),
        ("home-lite-vv", of(Some(C::Standard)), Some(License::CHRLiteVV), None),
        ("home-plus", Designation::Position(reader.position), Some(License::CHRPlus), None),
        ("home-locum", of(Some(C::Locum)), None, None),
        ("home-trainee", of(Some(C::ClinicalTrainee)), None, Some(reader.last_day)),
        ("home-staff", Designation::of(None, None, T::Staff), None, None),
        ("home-practitioner", of(None), None, None),
    ]
    .map(|(name, designation, license, last_day)| {
        let title = Some(reader.title).filter(|title| !title.is_empty() && license.is_some());
        let (name_, username) = (reader.name, reader.email);
        let home = Home { sign_out: "/sign-out", name: name_, username, title, designation, license, last_day };
        (name, 0, Page::Home(home))
    })
    .into()
}

pub(crate) const NOTICES: [(&str, Notice<'static>); 23] = [
    ("notice-invitation-expired", Notice::InvitationExpired),
    ("notice-invitation-replaced", Notice::InvitationReplaced),
    ("notice-already-accepted", Notice::AlreadyAccepted),
    ("notice-already-yours", Notice::AlreadyYours),
    ("notice-suspended", Notice::Suspended),
    ("notice-training-ended", Notice::TrainingEnded),
    ("notice-removed", Notice::Removed),
    ("notice-unknown-link", Notice::UnknownLink),
    ("notice-address-unchanged", Notice::AddressUnchanged),
    ("notice-not-found", Notice::NotFound),
    ("notice-form-out-of-date", Notice::FormOutOfDate { again: "/sign-in" }),
    ("notice-too-many-tries-second", Notice::TooManyTries { wait: 0 }),
    ("notice-too-many-tries-seconds", Notice::TooManyTries { wait: 90 }),
    ("notice-too-many-tries-minutes", Notice::TooManyTries { wait: 91 }),
    ("notice-too-many-tries-hour", Notice::TooManyTries { wait: 3600 }),
    ("notice-busy", Notice::Busy),
    ("notice-unreachable", Notice::Unreachable),
    ("notice-session-unreachable", Notice::SessionUnreachable),
    ("notice-prevented", Notice::Prevented),
    ("notice-signed-out-here", Notice::SignedOutHere),
    ("notice-failed", Notice::Failed),
    ("notice-method-not-allowed", Notice::MethodNotAllowed),
    ("notice-too-large", Notice::TooLarge),
];
