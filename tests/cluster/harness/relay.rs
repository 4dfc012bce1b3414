//! The scripted SMTP server, spoken to by a real client.

use std::time::Duration;

use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::{Error, SmtpTransportBuilder};
use lettre::{Message, SmtpTransport, Transport};

use crate::support::smtp::{SmtpServer, Stage};
use crate::support::wait::{PATIENCE, now};

const LINK: &str = "https://portal.maple.example/invitations#a-1.c2VjcmV0";

fn message(to: &str) -> Message {
    Message::builder()
        .from("Clinique Érable <no-reply@maple.example>".parse::<Mailbox>().unwrap())
        .to(to.parse().unwrap())
        .subject("Votre invitation à la clinique")
        .multipart(MultiPart::alternative_plain_html(
            format!("Bonjour Zoë,\n\n.un point en tête\n\nSuivez {LINK}.\n"),
            format!("<p>Bonjour Zoë</p><a href=\"{LINK}\">Accepter</a>"),
        ))
        .unwrap()
}

fn client(relay: &SmtpServer) -> SmtpTransportBuilder {
    SmtpTransport::builder_dangerous("127.0.0.1").port(relay.port).timeout(Some(PATIENCE))
}

fn send(relay: &SmtpServer, to: &str) -> Result<(), Error> {
    client(relay).build().send(&message(to)).map(drop)
}

fn code(outcome: &Result<(), Error>) -> Option<u16> {
    outcome.as_ref().err().and_then(Error::status).map(u16::from)
}

#[test]
fn a_mail_is_recorded_as_the_recipient_would_read_it() {
    let relay = SmtpServer::start();
    let before = now();
    send(&relay, "zoe@maple.example").unwrap();
    let mails = relay.wait_for(1, PATIENCE);
    let mail = &mails[0];
    assert!(mail.at >= before);
    assert_eq!(mail.sender, "no-reply@maple.example");
    assert_eq!(mail.recipients, ["zoe@maple.example"]);
    assert_eq!(mail.subject(), "Votre invitation à la clinique");
    assert!(mail.text().contains("Bonjour Zoë,") && mail.text().contains("\n.un point"), "{}", mail.text());
    assert!(mail.html().contains("<p>Bonjour Zoë</p>"), "{}", mail.html());
    assert_eq!(mail.links(), [LINK]);
    assert_eq!(mail.header("To").as_deref(), Some("zoe@maple.example"));
    assert_eq!(mail.header("Auto-Submitted"), None);
    assert_eq!(mail.login, None);
    assert!(relay.commands().iter().any(|line| line.starts_with("RCPT TO:<zoe@maple.example>")));
    assert_eq!(relay.connections(), 1);
}

#[test]
fn credentials_are_recorded_and_can_be_refused() {
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        let relay = SmtpServer::start();
        let credentials = Credentials::new("clinic".into(), "correct horse".into());
        let client = client(&relay).credentials(credentials).authentication(vec![mechanism]).build();
        client.send(&message("anna@maple.example")).unwrap();
        assert_eq!(relay.mails()[0].login, Some(("clinic".into(), "correct horse".into())));
        relay.at(Stage::Auth).reply(535, "5.7.8 wrong password");
        let outcome = client.send(&message("anna@maple.example")).map(drop);
        assert_eq!(code(&outcome), Some(535));
    }
}

#[test]
fn every_stage_refuses_as_scripted_and_takes_everything_again_afterwards() {
    let stages = [
        (Stage::Greeting, 554),
        (Stage::MailFrom, 452),
        (Stage::RcptTo, 550),
        (Stage::Data, 552),
        (Stage::AfterDot, 554),
        (Stage::AfterDot, 421),
    ];
    for (stage, wanted) in stages {
        let relay = SmtpServer::start();
        relay.at(stage).reply(wanted, "5.0.0 scripted");
        let outcome = send(&relay, "anna@maple.example");
        assert_eq!(code(&outcome), Some(wanted), "{stage:?}");
        assert!(relay.mails().is_empty(), "{stage:?}");
        relay.take_everything();
        send(&relay, "anna@maple.example").unwrap();
        assert_eq!(relay.mails().len(), 1, "{stage:?}");
    }
}

#[test]
fn a_script_for_one_recipient_leaves_the_others_alone_and_ends_after_its_times() {
    let relay = SmtpServer::start();
    relay.at(Stage::RcptTo).of("anna@maple.example").times(1).reply(450, "4.2.0 busy");
    send(&relay, "omar@maple.example").unwrap();
    assert_eq!(code(&send(&relay, "anna@maple.example")), Some(450));
    send(&relay, "anna@maple.example").unwrap();
    assert_eq!(relay.mails().len(), 2);
}

#[test]
fn a_connection_dropped_after_the_dot_may_have_taken_the_mail_or_not() {
    let relay = SmtpServer::start();
    relay.at(Stage::AfterDot).of("anna@maple.example").drop_connection();
    relay.at(Stage::AfterDot).of("omar@maple.example").take_then_drop();
    for recipient in ["anna@maple.example", "omar@maple.example"] {
        let outcome = send(&relay, recipient);
        assert!(outcome.is_err());
        assert_eq!(code(&outcome), None);
    }
    let recipients: Vec<_> = relay.mails().into_iter().flat_map(|mail| mail.recipients).collect();
    assert_eq!(recipients, ["omar@maple.example"]);
}

#[test]
fn a_delayed_reply_comes_late_and_takes_the_mail() {
    let relay = SmtpServer::start();
    let delay = Duration::from_millis(300);
    relay.at(Stage::Ehlo).delay(delay);
    let before = now();
    send(&relay, "anna@maple.example").unwrap();
    assert!(before.elapsed() >= delay);
    assert_eq!(relay.mails().len(), 1);
}
