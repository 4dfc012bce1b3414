//! From a page's model to the values of its template, and from what was refused to the words that say so. Never here: markup.

use std::collections::BTreeMap;

use minijinja::{Value, context};

use super::RenderError;
use super::field;
use super::models::{
    Accept, AcceptFaults, AcceptNote, Choice, Code, CodeFault, Designation, Enrol, EnrolOccasion, Home, NameFault,
    Open, OtherSession, Page, PasswordFault, RecoveryCodes, RepeatFault, SecondFactor, SecondStepFault, SignIn,
    SignInMessage, TitleFault,
};
use super::notice::{Notice, Way};
use super::words::Speaker;
use crate::domain::license::License;
use crate::domain::member::{Classification, MemberType};
use crate::domain::second_factor::percent_encoded;
use crate::portal::path;

/// What a template is filled with.
pub(super) struct View {
    pub(super) template: &'static str,
    pub(super) values: Value,
    /// By the name of the field; for every field of the page that can have one.
    pub(super) faults: Value,
    /// The same as a list, in the order of the fields.
    pub(super) errors: Value,
}

type Said = Result<String, RenderError>;

pub(super) fn view(page: &Page<'_>, speaker: &Speaker<'_>) -> Result<View, RenderError> {
    match page {
        Page::Open(Open { action }) => Ok(with_faults("open.html", context! { action => *action }, &[])),
        Page::OtherSession(OtherSession { sign_out, link, home, name, email }) => {
            let values =
                context! { sign_out => *sign_out, link => *link, home => *home, name => *name, email => *email };
            Ok(with_faults("other_session.html", values, &[]))
        }
        Page::Accept(accept) => self::accept(accept, speaker),
        Page::Enrol(enrol) => self::enrol(enrol, speaker),
        Page::RecoveryCodes(codes) => recovery_codes(codes, speaker),
        Page::SignIn(sign_in) => self::sign_in(sign_in, speaker),
        Page::Code(code) => self::code(code, speaker),
        Page::Home(home) => self::home(home, speaker),
        Page::Notice(notice) => self::notice(*notice, speaker),
    }
}

fn with_faults(template: &'static str, values: Value, faults: &[(&'static str, Option<String>)]) -> View {
    let errors = faults
        .iter()
        .filter_map(|(field, fault)| fault.as_ref().map(|fault| context! { field => *field, says => fault.as_str() }));
    View {
        template,
        values,
        errors: errors.collect(),
        faults: faults
            .iter()
            .map(|(field, fault)| (*field, Value::from(fault.clone())))
            .collect::<BTreeMap<_, _>>()
            .into(),
    }
}

fn accept(accept: &Accept<'_>, speaker: &Speaker<'_>) -> Result<View, RenderError> {
    let AcceptFaults { first_name, last_name, title, password, repeated } = accept.faults;
    let others_only = accept.faults != AcceptFaults::default() && password.is_none() && repeated.is_none();
    let note = accept.note.or(others_only.then_some(AcceptNote::TypeAgain));
    let (required, now, minimum_without) = match accept.second_factor {
        SecondFactor::Recommended { minimum_without, choice } => (false, choice == Choice::Now, minimum_without),
        SecondFactor::Required => (true, true, accept.minimum),
    };
    let values = context! {
        action => accept.action,
        link => accept.link,
        greeting => accept.greeting,
        email => accept.email,
        first_name => accept.first_name,
        last_name => accept.last_name,
        title => accept.title,
        minimum => accept.minimum,
        minimum_without,
        required,
        now,
        expires => accept.expires,
        note => note.map(|note| accept_note(note, speaker)).transpose()?,
    };
    let faults = [
        (field::FIRST_NAME, first_name.map(|fault| name_fault("first_name", fault, speaker))),
        (field::LAST_NAME, last_name.map(|fault| name_fault("last_name", fault, speaker))),
        (field::TITLE, title.map(|fault| title_fault(fault, speaker))),
        (field::PASSWORD, password.map(|fault| password_fault(fault, speaker))),
        (field::REPEATED, repeated.map(|fault| repeat_fault(fault, speaker))),
    ];
    let mut said = Vec::new();
    for (field, fault) in faults {
        said.push((field, fault.transpose()?));
    }
    Ok(with_faults("accept.html", values, &said))
}

fn accept_note(note: AcceptNote, speaker: &Speaker<'_>) -> Said {
    match note {
        AcceptNote::OutOfDate => speaker.say("accept.out_of_date", &[]),
        AcceptNote::TypeAgain => speaker.say("accept.type_again", &[]),
    }
}

fn name_fault(field: &str, fault: NameFault, speaker: &Speaker<'_>) -> Said {
    let say = |fault: &str, values: &[(&str, String)]| speaker.say(&format!("fault_{field}.{fault}"), values);
    match fault {
        NameFault::Missing => say("missing", &[]),
        NameFault::TooLong { maximum } => say("too_long", &[("maximum", maximum.to_string())]),
        NameFault::Hidden => say("hidden", &[]),
        NameFault::NoLetter => say("no_letter", &[]),
        NameFault::Link => say("link", &[]),
    }
}

fn title_fault(fault: TitleFault, speaker: &Speaker<'_>) -> Said {
    match fault {
        TitleFault::TooLong { maximum } => speaker.say("fault_title.too_long", &[("maximum", maximum.to_string())]),
        TitleFault::Hidden => speaker.say("fault_title.hidden", &[]),
        TitleFault::NoLetter => speaker.say("fault_title.no_letter", &[]),
        TitleFault::Link => speaker.say("fault_title.link", &[]),
    }
}

fn password_fault(fault: PasswordFault, speaker: &Speaker<'_>) -> Said {
    match fault {
        PasswordFault::Missing => speaker.say("fault_password.missing", &[]),
        PasswordFault::TooShort { minimum } => {
            speaker.say("fault_password.too_short", &[("minimum", minimum.to_string())])
        }
        PasswordFault::TooLong { maximum } => {
            speaker.say("fault_password.too_long", &[("maximum", maximum.to_string())])
        }
        PasswordFault::Common => speaker.say("fault_password.common", &[]),
        PasswordFault::OfNames => speaker.say("fault_password.of_names", &[]),
        PasswordFault::CannotBeTyped => speaker.say("fault_password.cannot_be_typed", &[]),
    }
}

fn repeat_fault(fault: RepeatFault, speaker: &Speaker<'_>) -> Said {
    match fault {
        RepeatFault::Missing => speaker.say("fault_repeated.missing", &[]),
        RepeatFault::Differs => speaker.say("fault_repeated.differs", &[]),
    }
}

fn code_fault(fault: CodeFault, speaker: &Speaker<'_>) -> Said {
    match fault {
        CodeFault::Malformed => speaker.say("fault_code.malformed", &[]),
        CodeFault::Wrong => speaker.say("fault_code.wrong", &[]),
        CodeFault::Used => speaker.say("fault_code.used", &[]),
    }
}

fn enrol(enrol: &Enrol<'_>, speaker: &Speaker<'_>) -> Result<View, RenderError> {
    let (lead, back) = match enrol.occasion {
        EnrolOccasion::Chosen { back, minimum_without } => ("enrol.lead_accepting", Some((back, minimum_without))),
        EnrolOccasion::Required => ("enrol.lead_accepting", None),
        EnrolOccasion::RequiredSince => ("enrol.lead_required_since", None),
    };
    let groups: Vec<Value> = enrol.secret.split(' ').map(Value::from).collect();
    let values = context! {
        action => enrol.action,
        draft => enrol.draft,
        username => enrol.username,
        link => enrol.link,
        lead => speaker.say(lead, &[])?,
        back => back.map(|(back, _)| back),
        minimum_without => back.map(|(_, minimum)| minimum),
        side => enrol.qr.side(),
        path => enrol.qr.path(),
        wrong => enrol.fault == Some(CodeFault::Wrong),
        uri => Some(enrol.uri).filter(|uri| uri.starts_with("otpauth://totp/")),
        groups,
    };
    let fault = enrol.fault.map(|fault| code_fault(fault, speaker)).transpose()?;
    Ok(with_faults("enrol.html", values, &[(field::CODE, fault)]))
}

fn recovery_codes(codes: &RecoveryCodes<'_>, speaker: &Speaker<'_>) -> Result<View, RenderError> {
    let RecoveryCodes { codes, action, name, username, portal, day } = *codes;
    let of = [("name", name), ("username", username), ("portal", portal), ("day", day)];
    let of = speaker.say("recovery_codes.of", &of.map(|(place, value)| (place, value.to_owned())))?;
    // As a file they say by themselves what they are.
    let (clinic, lead) = (speaker.clinic, speaker.say("recovery_codes.lead", &[])?);
    let file = format!("{clinic}\n\n{lead}\n{of}\n\n{}\n", codes.join("\n"));
    let codes: Vec<Value> = codes.iter().map(Value::from).collect();
    let values = context! {
        codes,
        action,
        of,
        file => format!("data:text/plain;charset=utf-8,{}", percent_encoded(&file)),
    };
    Ok(with_faults("recovery_codes.html", values, &[]))
}

fn sign_in(sign_in: &SignIn<'_>, speaker: &Speaker<'_>) -> Result<View, RenderError> {
    let (message, refused) = match sign_in.message {
        None => (None, false),
        Some(SignInMessage::SignedOut) => (Some("sign_in.signed_out"), false),
        Some(SignInMessage::SessionEnded) => (Some("sign_in.session_ended"), false),
        Some(SignInMessage::TookTooLong) => (Some("sign_in.took_too_long"), false),
        Some(SignInMessage::FormOutOfDate) => (Some("sign_in.out_of_date"), false),
        Some(SignInMessage::Refused) => (Some("sign_in.refused"), true),
    };
    let message = message.map(|key| speaker.say(key, &[])).transpose()?;
    let values = context! { action => sign_in.action, email => sign_in.email, message, refused };
    Ok(with_faults("sign_in.html", values, &[]))
}

fn code(code: &Code<'_>, speaker: &Speaker<'_>) -> Result<View, RenderError> {
    let (of_app, of_paper) = match code.fault {
        None => (None, None),
        Some(SecondStepFault::Code(fault)) => (Some(code_fault(fault, speaker)?), None),
        Some(SecondStepFault::RecoveryCode) => (None, Some(speaker.say("fault_recovery_code.wrong", &[])?)),
    };
    let values = context! {
        action => code.action,
        draft => code.draft,
        username => code.username,
        wrong => code.fault == Some(SecondStepFault::Code(CodeFault::Wrong)),
    };
    Ok(with_faults("code.html", values, &[(field::CODE, of_app), (field::RECOVERY_CODE, of_paper)]))
}

fn home(home: &Home<'_>, speaker: &Speaker<'_>) -> Result<View, RenderError> {
    let (kind, designation) = match home.designation {
        Designation::Position(position) => ("home.position", position.to_owned()),
        Designation::Classification(Classification::Standard) => {
            ("home.classification", speaker.say("home.standard", &[])?)
        }
        Designation::Classification(Classification::Locum) => ("home.classification", speaker.say("home.locum", &[])?),
        Designation::Classification(Classification::ClinicalTrainee) => {
            ("home.classification", speaker.say("home.clinical_trainee", &[])?)
        }
        Designation::Type(MemberType::Staff) => ("home.type", speaker.say("home.staff", &[])?),
        Designation::Type(MemberType::Practitioner) => ("home.type", speaker.say("home.practitioner", &[])?),
    };
    let values = context! {
        sign_out => home.sign_out,
        name => home.name,
        username => home.username,
        title => home.title,
        designation_kind => speaker.say(kind, &[])?,
        designation,
        last_day => home.last_day,
        license => home.license.map(|license| self::license(license, speaker)).transpose()?,
    };
    Ok(with_faults("home.html", values, &[]))
}

/// What a license opens, and what each higher one would open besides.
fn license(own: License, speaker: &Speaker<'_>) -> Result<Value, RenderError> {
    let features = |license: License, without: Option<License>| -> Result<Vec<Value>, RenderError> {
        let had: Vec<_> = without.into_iter().flat_map(License::features).collect();
        let new = license.features().filter(|feature| !had.contains(feature));
        new.map(|feature| speaker.say(&feature_key(feature), &[]).map(Value::from)).collect()
    };
    let higher = [License::CHRLiteVV, License::CHRPlus].into_iter().filter(|license| *license > own);
    let higher =
        higher.map(|license| Ok(context! { name => license_name(license), features => features(license, Some(own))? }));
    Ok(context! {
        name => license_name(own),
        features => features(own, None)?,
        higher => higher.collect::<Result<Vec<_>, RenderError>>()?,
    })
}

/// A product's name, the same in all languages.
fn license_name(license: License) -> &'static str {
    match license {
        License::CHRLite => "CHR\u{a0}Lite",
        License::CHRLiteVV => "CHR\u{a0}Lite\u{a0}+\u{a0}VV",
        License::CHRPlus => "CHR\u{a0}Plus",
    }
}

fn feature_key(feature: &str) -> String {
    format!("features.{}", feature.to_lowercase().replace([' ', '-'], "_"))
}

fn notice(notice: Notice<'_>, speaker: &Speaker<'_>) -> Result<View, RenderError> {
    let section = notice.section();
    let wait =
        if let Notice::TooManyTries { wait } = notice { Some(("wait", self::wait(wait, speaker)?)) } else { None };
    let (button, target) = match notice.way() {
        Way::SignIn => (Some(speaker.say("notice.sign_in", &[])?), None),
        Way::Again(again) => (Some(speaker.say("notice.again", &[])?), Some(again)),
        Way::Here => (Some(speaker.say("notice.again", &[])?), speaker.here),
        Way::Ask => (None, None),
        Way::Home => (Some(speaker.say("notice.home", &[])?), Some(path::HOME)),
    };
    let values = context! {
        heading => speaker.say(&format!("{section}.heading"), &[])?,
        happened => speaker.say(&format!("{section}.happened"), &[])?,
        to_do => speaker.say(&format!("{section}.to_do"), wait.as_slice())?,
        button,
        target,
    };
    Ok(with_faults("notice.html", values, &[]))
}

/// A time to wait as people say it: seconds up to a minute and a half, then whole minutes, never less than it takes.
fn wait(seconds: u64, speaker: &Speaker<'_>) -> Said {
    match seconds {
        0..=1 => speaker.say("wait.second", &[]),
        2..=90 => speaker.say("wait.seconds", &[("count", seconds.to_string())]),
        _ => speaker.say("wait.minutes", &[("count", seconds.div_ceil(60).to_string())]),
    }
}
