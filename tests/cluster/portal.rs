//! The portal as the compiled binary, on a real API server, beside a real operator: the words in which its tests are written.
//! Never here: a test.

mod browser;
mod crowds;
mod ends;
mod failures;
mod forms;
mod impatient;
mod keys;
mod limits;
mod links;
mod observed;
mod offboarding;

mod openings;
mod operations_page;
mod platform;
mod rights;
mod rotation;
mod secrecy;
mod signing_in;
mod stopped;
mod strangers;
mod unseen;
mod upgrade;
mod ways_on;

use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use totp_rs::{Builder, Totp};

use crate::support::mail::Mail;
use crate::support::operator::OperatorOptions;
use crate::support::portal::{HOST, Portal, PortalOptions};
use crate::support::smtp::SmtpServer;
use crate::support::visitor::{Answer, Form, Visitor};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, staff};

/// Long enough without a second factor.
const PASSWORD: &str = "tall river walks twice";
const WRONG: &str = "tall river walks never";

/// A clinic whose people can reach its portal.
struct House {
    world: World,
    portal: Portal,
}

impl House {
    fn new(prefix: &str) -> Self {
        Self::with(prefix, PortalOptions::default())
    }

    fn with(prefix: &str, options: PortalOptions) -> Self {
        let world = World::new(prefix);
        let portal = Portal::start(&world.namespace, options);
        Self { world, portal }
    }

    /// One whose operator and portal have a clock that shows this instant.
    fn at(prefix: &str, instant: &str) -> Self {
        Self::at_with(prefix, instant, PortalOptions::default())
    }

    fn at_with(prefix: &str, instant: &str, options: PortalOptions) -> Self {
        let world = World::at_with(prefix, instant, SmtpServer::start(), OperatorOptions::default());
        let test_clock = Some(world.clock().path());
        let portal = Portal::start(&world.namespace, PortalOptions { test_clock, ..options });
        Self { world, portal }
    }

    /// Invites a member of staff; the path of the link that they were mailed.
    #[track_caller]
    fn invited(&self, name: &str) -> String {
        self.invited_by(name, &staff(name, &email(name)))
    }

    /// Invites whom this manifest describes.
    #[track_caller]
    fn invited_by(&self, name: &str, manifest: &str) -> String {
        let before = self.world.relay.mails().len();
        self.world.apply(manifest);
        self.world.member_in("Invited", name);
        let path = path(&self.world.relay.wait_for(before + 1, PATIENCE)[before]);
        // A mail may be faster than the portal's watch, and of an account that nobody knows nothing is read. Browsers alone ask a portal
        // that speaks TLS, and wait themselves.
        eventually_ok(PATIENCE, "the portal to know the account", || {
            let status = self.portal.visitor().try_to_get(&path).map(|answer| answer.status).ok();
            if status == Some(404) { Err(status) } else { Ok(()) }
        });
        path
    }

    /// Invites a member of staff who accepts with [`PASSWORD`] and no second factor: their browser.
    #[track_caller]
    fn accepted(&self, name: &str) -> Visitor {
        self.accepted_by(name, &staff(name, &email(name)))
    }

    #[track_caller]
    fn accepted_by(&self, name: &str, manifest: &str) -> Visitor {
        let path = self.invited_by(name, manifest);
        let mut visitor = self.portal.visitor();
        let page = visitor.get(&path);
        assert_eq!(page.status, 200, "{}", page.body);
        let answer = visitor.submit(&alone(filled(&page, PASSWORD)));
        assert_eq!((answer.status, answer.location().as_deref()), (303, Some("/")), "{:?}", answer.faults());
        self.world.member_in("Active", name);
        visitor
    }

    /// The same with a second factor: their browser, the factor, and the recovery codes.
    #[track_caller]
    fn accepted_with_factor(&self, name: &str) -> (Visitor, Factor, Vec<String>) {
        let path = self.invited(name);
        let mut visitor = self.portal.visitor();
        let page = visitor.get(&path);
        let page = visitor.go_on(&filled(&page, PASSWORD));
        let factor = Factor::of(&page);
        let page = visitor.go_on(&page.form().with("code", &factor.code(self.now())));
        assert_eq!(page.status, 200, "{:?}", page.faults());
        self.world.member_in("Active", name);
        let codes = page.texts(".codes code");
        assert_eq!(codes.len(), 10, "{}", page.body);
        assert_eq!(visitor.submit(&page.form()).location().as_deref(), Some("/"), "they are kept");
        (visitor, factor, codes)
    }

    /// What the clock of the portal shows.
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Changes the Clinic.
    fn clinic(&self, spec: &Value) {
        self.world.kubectl(&["patch", "clinic", "clinic", "--type=merge", "-p", &json!({"spec": spec}).to_string()]);
    }

    /// Changes a member's manifest.
    fn member(&self, name: &str, spec: &Value) {
        self.world.kubectl(&["patch", "clinicuser", name, "--type=merge", "-p", &json!({"spec": spec}).to_string()]);
    }
}

fn email(name: &str) -> String {
    format!("{name}@maple.example")
}

/// The path of the link in a mail.
#[track_caller]
fn path(mail: &Mail) -> String {
    let links = mail.links();
    links[0].strip_prefix(&format!("https://{HOST}")).expect("the link leads to the portal").to_owned()
}

/// The path of the page that a link opens.
fn page_of(link: &str) -> String {
    let (page, code) = link.split_once('#').expect("a code");
    format!("{page}/{}", code.split_once('.').expect("an account and a token").0)
}

/// The same link as version 0.1 mailed it: with the token in the path.
fn link_of_0_1(link: &str) -> String {
    link.replace('#', "/")
}

/// The form of an invitation with everything that it asks for.
fn filled(page: &Answer, password: &str) -> Form {
    let form = page.form();
    let named = !form.value("first_name").is_empty();
    let form = if named { form } else { form.with("first_name", "Ana").with("last_name", "Silva") };
    form.with("password", password).with("repeated", password)
}

/// The same without a second factor.
fn alone(form: Form) -> Form {
    form.without("second_factor")
}

/// The form of signing in.
#[track_caller]
fn sign_in(visitor: &mut Visitor, email: &str, password: &str) -> Answer {
    let page = visitor.get("/sign-in");
    assert_eq!(page.status, 200, "{}", page.heading());
    visitor.go_on(&page.form().with("email", email).with("password", password))
}

/// Whether somebody who opens this browser is signed in.
fn is_signed_in(visitor: &Visitor) -> bool {
    let answer = visitor.clone().get("/");
    match answer.location().as_deref() {
        None => assert_eq!(answer.status, 200),
        Some("/recovery-codes") => {}
        Some(to) => {
            assert!(to.starts_with("/sign-in"), "{to}");
            return false;
        }
    }
    true
}

/// Somebody's authenticator app, of another maker.
struct Factor(Totp);

impl Factor {
    /// As it reads the page on which it is set up.
    #[track_caller]
    fn of(page: &Answer) -> Self {
        let key = page.texts(".key").concat().replace(' ', "");
        assert!(!key.is_empty(), "{} {:?}", page.heading(), page.faults());
        Self::from_key(&key)
    }

    /// As it is restored from its key in base 32.
    #[track_caller]
    fn from_key(key: &str) -> Self {
        let secret: [u8; 20] = BASE32_NOPAD.decode(key.as_bytes()).expect("base 32").try_into().expect("160 bits");
        let builder = Builder::new().with_secret(secret).with_digits(6).with_step_duration(30).with_skew(0);
        Self(builder.build().expect("what apps can do"))
    }

    /// Its key in base 32.
    fn key(&self) -> String {
        BASE32_NOPAD.encode(self.0.secret())
    }

    fn code(&self, at: Timestamp) -> String {
        self.0.generate(at.as_second().try_into().expect("after 1970")).to_string()
    }
}
