//! The operator and a real relay, postfix, as clinics have one: TLS, SASL and refusals in its own words; and somebody between
//! the two who would rather read along. Never here: what a fault means for a member otherwise (`mail_trouble`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use clinic_operator::adapters::mail::{Content, Invitation, Letter, Occasion, render};
use clinic_operator::api::account::Attempt;
use clinic_operator::api::clinic::TwoFactor;
use clinic_operator::domain::member::Locale;
use data_encoding::BASE64;
use jiff::{SignedDuration, tz::TimeZone};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::certificate::certificate;
use crate::support::control_plane::control_plane;
use crate::support::interceptor::{Interceptor, Meddling, Overheard};
use crate::support::mail::Mail;
use crate::support::operator::{Operator, OperatorOptions};
use crate::support::postfix::{Postfix, postfix};
use crate::support::smtp::SmtpServer;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, condition, staff};

/// The second look at a relay that failed comes after 5 s, the third 10 s later, the fourth 20 s later.
const RECOVERY: Duration = Duration::from_secs(60);

const UNKNOWN_AUTHORITY: &str =
    "the server's certificate is of an authority that is not trusted; mail.caFile names those to trust.";

/// How the operator reaches postfix, or somebody before it.
struct Route<'a> {
    host: &'static str,
    port: u16,
    tls: &'static str,
    /// `mail.caFile`; `None`: the platform's authorities.
    ca: Option<&'a Path>,
}

impl Route<'_> {
    fn start_tls(port: u16) -> Self {
        Route { host: "localhost", port, tls: "StartTLS", ca: Some(&postfix().ca) }
    }

    /// With the password that postfix knows.
    fn options(&self) -> OperatorOptions {
        self.options_with(&postfix().password)
    }

    fn options_with(&self, password: &str) -> OperatorOptions {
        let configuration = vec![
            ("/mail/host", json!(self.host)),
            ("/mail/port", json!(self.port)),
            ("/mail/tls", json!(self.tls)),
            ("/mail/caFile", json!(self.ca)),
        ];
        let credentials = Some((postfix().user.clone(), password.to_owned()));
        OperatorOptions { configuration, credentials, ..OperatorOptions::default() }
    }
}

/// A clinic with one member, and the address that this member alone has: postfix is the same for all tests.
fn clinic(name: &str, options: OperatorOptions) -> (World, String) {
    let world = World::with(name, options);
    let address = format!("ana.{name}@maple.example");
    world.apply(&staff("ana", &address));
    (world, address)
}

/// Waits until the Clinic says that the relay takes no mail, and why; the member waits as well.
#[track_caller]
fn the_mailer_fails(world: &World, why: &str) {
    eventually_ok(PATIENCE, &format!("MailerReady=False: {why}"), || {
        let told = world.mailer_is("False")["message"].as_str().unwrap_or_default().to_owned();
        if told.contains(why) { Ok(()) } else { Err(told) }
    });
    let ana = world.member_told("ana", "the mail relay does not take mail. The Clinic's condition MailerReady");
    assert_eq!(ana["status"]["state"], "Pending");
}

/// Waits until the member's mail has come through, and returns it and its attempts.
#[track_caller]
fn the_mail_arrives(world: &World, address: &str) -> (Mail, Vec<Value>) {
    let mail = postfix().mail_to(address, RECOVERY);
    world.member_in("Invited", "ana");
    world.mailer_is("True");
    assert_eq!(postfix().mails_to(address).len(), 1);
    (mail, world.attempts("ana"))
}

/// The authority of somebody else.
fn another_authority(name: &str) -> PathBuf {
    let file = control_plane().folder.join(format!("{name}.pem"));
    std::fs::write(&file, certificate().0).unwrap();
    file
}

/// The message that the operator made for this attempt, but for its link, which only the mail has.
fn as_written(address: &str, attempt: &Attempt, link: &str) -> String {
    let invitation = Invitation {
        first_name: None,
        link: &SecretString::from(link),
        expires: attempt.at + SignedDuration::from_hours(7 * 24),
        zone: &TimeZone::get("America/Toronto").unwrap(),
        two_factor: TwoFactor::Recommended,
        occasion: Occasion::First,
    };
    let letter = Letter {
        from: &"Maple Clinic <no-reply@maple.example>".parse().unwrap(),
        reply_to: None,
        to: address,
        message_id: &attempt.message_id,
        date: attempt.date,
        locale: Locale::English,
        clinic_name: "Maple Clinic",
        contact: None,
        content: Content::Invitation(invitation),
    };
    String::from_utf8(render(&letter).unwrap().bytes().to_vec()).unwrap()
}

/// What relays put on top of a message (RFC 5321 §4.4), and the message.
fn trace_and_message(raw: &str) -> (&str, &str) {
    let is_trace = |line: &str| line.starts_with("Received:") || line.starts_with(['\t', ' ']);
    let lines = raw.split_inclusive("\r\n").take_while(|line| is_trace(line));
    raw.split_at(lines.map(str::len).sum())
}

#[test]
fn an_invitation_arrives_as_it_was_written_by_starttls_and_by_tls_from_the_first_byte() {
    let Postfix { starttls, tls, ca, user, .. } = postfix();
    let from_the_first_byte = Route { host: "127.0.0.1", port: *tls, tls: "TLS", ca: Some(ca) };
    for (name, route, mechanism) in
        [("starttls", Route::start_tls(*starttls), "PLAIN"), ("tls", from_the_first_byte, "LOGIN")]
    {
        let (world, address) = clinic(name, route.options());
        let (mail, attempts) = the_mail_arrives(&world, &address);
        assert_eq!(
            (mail.sender.as_str(), mail.recipients.as_slice()),
            ("no-reply@maple.example", &[address.clone()][..])
        );
        let (trace, message) = trace_and_message(&mail.raw);
        assert!(trace.contains("(using TLSv1.3 ") && trace.contains(" with ESMTPSA id "), "{trace}");
        assert!(trace.contains(&format!("(Authenticated sender: {user}@relay.example)")), "{trace}");
        let id = trace.split(" id ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        postfix().logged(&[&format!(" {id}: client="), &format!("sasl_method={mechanism},")]);

        assert_eq!((attempts.len(), &attempts[0]["outcome"]), (1, &json!("Sent")));
        let attempt: Attempt = serde_json::from_value(attempts[0].clone()).unwrap();
        assert_eq!(attempt.code.as_deref(), Some("250 2.0.0"));
        assert_eq!(mail.header("Message-ID"), Some(attempt.message_id.clone()));
        assert_eq!(message, as_written(&address, &attempt, &mail.links()[0]));
    }
}

#[test]
fn a_wrong_password_stops_the_mail_until_its_file_is_corrected() {
    let (world, address) = clinic("password", Route::start_tls(postfix().starttls).options_with("wrong"));
    let process = world.operator.id();
    the_mailer_fails(&world, "failed to deliver at AUTH: the server answered 535 5.7.8.");
    assert!(postfix().mails_to(&address).is_empty());
    std::fs::write(world.operator.credentials().join("password"), format!("{}\n", postfix().password)).unwrap();
    the_mail_arrives(&world, &address);
    assert_eq!(world.operator.id(), process);
}

#[test]
fn who_does_not_sign_in_is_told_that_the_relay_serves_its_own_users_only() {
    let options = OperatorOptions { credentials: None, ..Route::start_tls(postfix().starttls).options() };
    let (world, address) = clinic("stranger", options);
    the_mailer_fails(&world, "failed to deliver at RCPT TO: the server answered 554 5.7.1.");
    assert!(postfix().mails_to(&address).is_empty());
}

/// Postfix says `454 4.7.1 Relay access denied` to each recipient of a client that it does not serve.
#[test]
fn whom_postfix_puts_off_since_it_does_not_serve_us_is_mailed_once_it_does() {
    let route = Route::start_tls(postfix().defers);
    let options = OperatorOptions { credentials: None, ..route.options() };
    let mut world = World::at_with("deferred", "2027-03-01T12:00:00Z", SmtpServer::start(), options);
    let names = ["ana", "bea", "cai"];
    let address =
        |name: &str| format!("{name}.deferred@{}", if name == "bea" { "university.example" } else { "maple.example" });
    world.apply(&names.map(|name| staff(name, &address(name))).concat());
    for name in names {
        world.member_told(name, "(failed to deliver at RCPT TO: the server answered 454 4.7.1); next try at ");
    }
    world.clock().advance(SignedDuration::from_mins(2));
    for name in names {
        world.outcomes_are(name, &["Deferred", "Deferred"]);
    }
    world.clock().advance(SignedDuration::from_mins(6));
    let told = world.mailer_is("False")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("failed to deliver at RCPT TO: the server answered 454 4.7.1."), "{told}");

    world.operator.terminate();
    let test_clock = Some(world.clock().path());
    world.operator = Operator::start(&world.namespace, &world.relay, OperatorOptions { test_clock, ..route.options() });
    world.clock().advance(SignedDuration::from_mins(10));
    for name in names {
        postfix().mail_to(&address(name), RECOVERY);
        world.member_in("Invited", name);
        assert_eq!(postfix().mails_to(&address(name)).len(), 1, "{name}");
    }
    world.mailer_is("True");
}

#[test]
fn who_gives_an_address_in_ehlo_is_refused_and_a_name_is_given_without_being_configured() {
    let mut options = Route::start_tls(postfix().starttls).options();
    options.configuration.push(("/mail/ehloName", json!("[127.0.0.1]")));
    let (world, address) = clinic("address", options);
    the_mailer_fails(&world, "failed to deliver at RCPT TO: the server answered 550 5.7.1.");
    assert!(postfix().mails_to(&address).is_empty());
    let (world, address) = clinic("named", Route::start_tls(postfix().starttls).options());
    the_mail_arrives(&world, &address);
}

#[test]
fn a_recipient_that_postfix_refuses_or_puts_off_is_the_only_one_who_waits() {
    let (world, address) = clinic("recipients", Route::start_tls(postfix().starttls).options());
    world.apply(&(staff("bea", "nobody@maple.example") + &staff("cai", "full@maple.example")));
    let bea = world.member_in("Undeliverable", "bea");
    let told = condition(&bea, "Stalled").unwrap()["message"].as_str().unwrap();
    assert!(told.starts_with("The email address was refused (550 5.1.1)."), "{told}");
    let cai = world.member_told("cai", "(failed to deliver at RCPT TO: the server answered 450 4.2.0); next try at ");
    assert_eq!(cai["status"]["state"], "Pending");
    the_mail_arrives(&world, &address);
    assert_eq!(world.outcomes_are("bea", &["Refused"])[0]["code"], "550 5.1.1");
    assert_eq!(world.outcomes_are("cai", &["Deferred"])[0]["code"], "450 4.2.0");
}

/// Nothing of the mail or of who sends it was sent in the clear, only these commands.
#[track_caller]
fn in_the_clear_came_only(overheard: &Overheard, expected: &[&str], address: &str) {
    let (mut commands, only_tls_after) = overheard.in_the_clear();
    if let Some(first) = commands.first_mut().filter(|first| first.starts_with("EHLO ") && !first.contains('[')) {
        "EHLO".clone_into(first);
    }
    assert_eq!((commands.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), only_tls_after), (expected, true));
    let Postfix { user, password, .. } = postfix();
    let plain = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
    let encoded = [user, password].map(|secret| BASE64.encode(secret.as_bytes()));
    for secret in ["AUTH ", "MAIL FROM", address, password, &plain, &encoded[0], &encoded[1]] {
        assert!(!overheard.contains(secret), "{secret} was sent in the clear");
    }
}

/// The operator does not trust the certificate that it is shown: the mail waits, why is told, and postfix hears these commands
/// only, which it counts like that.
#[track_caller]
fn mistrust_stops_the_mail(
    name: &str,
    interceptor: &Interceptor,
    route: &Route,
    why: &str,
    (heard, counted): (&[&str], &str),
) -> World {
    let (world, address) = clinic(name, route.options());
    let overheard = &interceptor.overheard()[0];
    in_the_clear_came_only(overheard, heard, &address);
    assert_eq!(postfix().commands_of(overheard.port), counted);
    let stage = heard.last().unwrap_or(&"connecting");
    the_mailer_fails(&world, &format!("failed to deliver at {stage}: {why}"));
    assert!(postfix().mails_to(&address).is_empty());
    world
}

#[test]
fn postfix_hears_nothing_after_starttls_from_who_does_not_trust_its_authority() {
    let other = another_authority("other");
    let interceptor = Interceptor::before(postfix().starttls, Meddling::None);
    let route = Route { ca: Some(&other), ..Route::start_tls(interceptor.port()) };
    let counted = "ehlo=1 starttls=0/1 commands=1/2";
    mistrust_stops_the_mail("authority", &interceptor, &route, UNKNOWN_AUTHORITY, (&["EHLO", "STARTTLS"], counted));
}

#[test]
fn postfix_hears_nothing_at_all_behind_tls_from_who_does_not_trust_its_authority() {
    let other = another_authority("other-still");
    let interceptor = Interceptor::before(postfix().tls, Meddling::None);
    let route = Route { tls: "TLS", ca: Some(&other), ..Route::start_tls(interceptor.port()) };
    mistrust_stops_the_mail("first-byte", &interceptor, &route, UNKNOWN_AUTHORITY, (&[], "commands=0/0"));
}

#[test]
fn postfix_hears_nothing_after_starttls_from_who_knows_it_by_a_name_that_its_certificate_has_not() {
    let interceptor = Interceptor::on([127, 0, 0, 2], postfix().starttls, Meddling::None);
    let route = Route { host: "127.0.0.2", ..Route::start_tls(interceptor.port()) };
    let counted = "ehlo=1 starttls=0/1 commands=1/2";
    let why = "the server's certificate is for other names than mail.host; the log has them.";
    let world = mistrust_stops_the_mail("name", &interceptor, &route, why, (&["EHLO", "STARTTLS"], counted));
    let log = world.operator.log();
    assert!(log.contains("DNS:localhost, IP:127.0.0.1"), "{log}");
}

/// Somebody between the operator and postfix meddles with STARTTLS: the mail waits, why is told, and nothing but these
/// commands is heard.
#[track_caller]
fn meddling_stops_the_mail(name: &str, meddling: Meddling, why: &str, heard: &[&str]) {
    let interceptor = Interceptor::before(postfix().starttls, meddling);
    let (world, address) = clinic(name, Route::start_tls(interceptor.port()).options());
    in_the_clear_came_only(&interceptor.overheard()[0], heard, &address);
    the_mailer_fails(&world, &format!("failed to deliver at STARTTLS: {why}."));
    assert!(postfix().mails_to(&address).is_empty());
    // It was the meddling, then, and nothing else; and who only listens learns nothing either.
    interceptor.stop_meddling();
    the_mail_arrives(&world, &address);
    drop(world);
    let ended = interceptor.overheard();
    let (last, meddled_with) = ended.split_last().unwrap();
    in_the_clear_came_only(last, &["EHLO", "STARTTLS"], &address);
    for overheard in meddled_with {
        in_the_clear_came_only(overheard, heard, &address);
    }
}

#[test]
fn no_mail_leaves_while_somebody_hides_that_postfix_offers_starttls() {
    meddling_stops_the_mail("hidden", Meddling::HidesStartTls, "the server does not offer it", &["EHLO"]);
}

#[test]
fn no_mail_leaves_while_somebody_refuses_starttls_in_the_name_of_postfix() {
    let heard = ["EHLO", "STARTTLS", "QUIT"];
    meddling_stops_the_mail("refused-tls", Meddling::RefusesStartTls, "the server answered 454 4.7.0", &heard);
}

#[test]
fn no_mail_leaves_while_somebody_takes_starttls_and_goes_on_in_the_clear() {
    let why = "the server does not speak TLS here; mail.port and mail.tls do not belong together";
    meddling_stops_the_mail("faked", Meddling::FakesStartTls, why, &["EHLO", "STARTTLS"]);
}

#[test]
fn no_mail_leaves_while_somebody_slips_in_an_answer_before_tls_begins() {
    let why = "the server's answer made no sense";
    meddling_stops_the_mail("slipped", Meddling::SlipsAnAnswerIn, why, &["EHLO", "STARTTLS"]);
}

#[test]
fn without_tls_postfix_offers_no_sign_in_and_so_the_password_stays_here() {
    let interceptor = Interceptor::before(postfix().starttls, Meddling::None);
    let (world, address) = clinic("clear", Route { tls: "None", ..Route::start_tls(interceptor.port()) }.options());
    let overheard = &interceptor.overheard()[0];
    in_the_clear_came_only(overheard, &["EHLO"], &address);
    assert_eq!(postfix().commands_of(overheard.port), "ehlo=1 commands=1");
    the_mailer_fails(&world, "failed to deliver at AUTH: the server does not offer it.");
    assert!(postfix().mails_to(&address).is_empty());
}

#[test]
fn without_a_ca_file_the_authorities_of_the_platform_are_trusted_and_no_others() {
    let other = another_authority("not-of-the-platform");
    let file = |path: &Path| ("SSL_CERT_FILE", path.to_str().unwrap().to_owned());
    let cases = [
        ("platform", vec![file(&postfix().ca)], None),
        ("elsewhere", vec![file(&other)], Some(UNKNOWN_AUTHORITY)),
        // As the machine has them: perhaps it has none.
        ("machine", vec![], Some("")),
    ];
    for (name, environment, why) in cases {
        let route = Route { ca: None, ..Route::start_tls(postfix().starttls) };
        let (world, address) = clinic(name, OperatorOptions { environment, ..route.options() });
        if let Some(why) = why {
            the_mailer_fails(&world, &format!("failed to deliver at STARTTLS: {why}"));
            assert!(postfix().mails_to(&address).is_empty());
        } else {
            the_mail_arrives(&world, &address);
        }
    }
}
