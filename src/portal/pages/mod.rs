//! The portal's pages: a typed model in, HTML out, in the reader's language. Every value is escaped where it is put in, and
//! nothing of a page needs a script. Never here: routes, sessions, who may see a page, whether a password is good enough,
//! what time it is.

mod accent;
mod models;
mod notice;
mod view;
mod words;

pub use accent::{Accent, AccentError, icon, style};
pub use models::{
    Accept, AcceptFaults, AcceptNote, Choice, Code, CodeFault, Designation, Enrol, EnrolOccasion, Frame, Home,
    NameFault, Open, OtherSession, Page, PasswordFault, RecoveryCodes, RepeatFault, SecondFactor, SecondStepFault,
    SignIn, SignInMessage, TitleFault,
};
pub use notice::Notice;

use words::language;

/// The one script: sends the code of a link, shows a password, copies and prints recovery codes. `text/javascript`.
pub const SCRIPT: &str = include_str!("portal.js");

/// What the pages need of the header `Content-Security-Policy`, and all that they need.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                                           form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The names of the fields of forms, as the handlers read them.
pub mod field {
    /// The token that says that the form is ours and young: in every form.
    pub const FORM: &str = "form";
    /// What the portal sealed to get it back: enrolling, and the second step.
    pub const DRAFT: &str = "draft";
    /// The code of a link: typed to open it, in each form of who accepts, and to come back to it after signing out.
    pub const LINK: &str = "link";
    /// The address: accepting (shown, not to be trusted) and signing in.
    pub const EMAIL: &str = "email";
    /// Accepting.
    pub const FIRST_NAME: &str = "first_name";
    /// Accepting.
    pub const LAST_NAME: &str = "last_name";
    /// Accepting; may be empty.
    pub const TITLE: &str = "title";
    /// Accepting and signing in.
    pub const PASSWORD: &str = "password";
    /// Accepting: the same password again.
    pub const REPEATED: &str = "repeated";
    /// Accepting: there with the value `yes` if the reader wants a second factor now, else absent.
    pub const SECOND_FACTOR: &str = "second_factor";
    /// Six digits, with blanks where the reader put them: enrolling, and the second step.
    pub const CODE: &str = "code";
    /// The second step, instead of a code.
    pub const RECOVERY_CODE: &str = "recovery_code";

    /// All of them.
    pub const ALL: [&str; 12] = [
        FORM,
        DRAFT,
        LINK,
        EMAIL,
        FIRST_NAME,
        LAST_NAME,
        TITLE,
        PASSWORD,
        REPEATED,
        SECOND_FACTOR,
        CODE,
        RECOVERY_CODE,
    ];
}

/// A template or a text that ships with the program is wrong: no model is to blame. It quotes no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A template: what kind of mistake.
    #[error("failed to render a page: {0}")]
    Template(String),
    /// A language's file, or a text that it lacks.
    #[error("failed to render a page: {0}")]
    Text(String),
}

/// The page as HTML (`text/html; charset=utf-8`).
///
/// # Errors
/// Only what a test would have found: see [`RenderError`].
pub fn render(frame: &Frame<'_>, page: &Page<'_>) -> Result<String, RenderError> {
    let language = language(frame.locale)?;
    let view = view::view(page, &language.speaker(frame))?;
    language.render(frame, view)
}
