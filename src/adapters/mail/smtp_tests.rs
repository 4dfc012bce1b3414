//! The dialogue against a scripted server on the loopback: every stage refused, cut, silent and garbled; TLS and AUTH.
use std::{fs, path::Path, sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::net::TcpListener;
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::{
    Accepted, EhloName, Limits, Relay, SecretKind, SignIn, TlsMode, deliver,
    scripted_relay::{Script, Trouble},
};
use crate::domain::delivery::{Cause, Failure, Fault, Reply, Stage, Undelivered};

const TO: &str = "canary.zoe@people.example";
const PASSWORD: &str = "canary-password";
const MESSAGE: &[u8] = b"Subject: x\r\n\r\nhttps://portal.example/canary-link\r\n.\r\nend\r\n";

/// With the limits of every day: what does not wait ends by itself, also on a busy machine.
fn relay(port: u16) -> Relay {
    Relay {
        host: "127.0.0.1".to_owned(),
        port,
        ehlo_name: EhloName::parse("mail.elm-street.example").unwrap(),
        tls: TlsMode::None,
        from: "Elm Street Clinic <invitations@elm-street.example>".parse().unwrap(),
        reply_to: None,
        sign_in: None,
        ca_file: None,
        limits: Limits::default(),
    }
}

/// For servers that say nothing.
fn impatient(port: u16) -> Relay {
    let short = Duration::from_millis(400);
    let limits = Limits { step: short, after_dot: short, before_dot: short * 20 };
    Relay { limits, ..relay(port) }
}

/// I7: whatever happens, the error tells nothing about the recipient, the link, the password or the server's words.
fn clean(result: Result<Accepted, Undelivered>) -> Result<Accepted, Undelivered> {
    let said = match &result {
        Ok(accepted) => format!("{accepted:?}"),
        Err(error) => format!("{error} {error:?} {} {}", error.stage, error.failure),
    };
    assert!(!said.contains("canary") && !said.contains("people.example"), "{said}");
    result
}

async fn undelivered(script: Script) -> Undelivered {
    let (port, server) = script.start().await;
    let result = clean(deliver(&relay(port), TO, MESSAGE).await);
    server.abort();
    result.unwrap_err()
}

fn reply(code: u16, enhanced: Option<(u8, u16, u16)>) -> Failure {
    Failure::Reply(Reply { code, enhanced })
}

fn credentials(folder: &Path) {
    fs::write(folder.join("username"), "invitations\n").unwrap();
    fs::write(folder.join("password"), format!("{PASSWORD}\r\n")).unwrap();
}

fn password_in(folder: &Path) -> SignIn {
    SignIn { folder: folder.into(), secret: SecretKind::Password }
}

#[tokio::test]
async fn a_message_is_handed_over_whole_and_said_good_bye() {
    let (port, server) = Script::default().start().await;
    let accepted = clean(deliver(&relay(port), TO, MESSAGE).await).unwrap();
    assert_eq!(accepted.reply.to_string(), "250 2.0.0");
    let expected = [
        "EHLO mail.elm-street.example",
        "MAIL FROM:<invitations@elm-street.example>",
        "RCPT TO:<canary.zoe@people.example>",
        "DATA",
        "Subject: x",
        "",
        "https://portal.example/canary-link",
        "..",
        "end",
        ".",
        "QUIT",
    ];
    assert_eq!(server.await.unwrap(), expected);
}

/// The stages that a plain dialogue without AUTH has, and who is at fault if the server says nothing there.
const STAGES: [(Stage, Fault); 7] = [
    (Stage::Greeting, Fault::Mailer),
    (Stage::Ehlo, Fault::Mailer),
    (Stage::MailFrom, Fault::Mailer),
    (Stage::RcptTo, Fault::Nobody),
    (Stage::Data, Fault::Nobody),
    (Stage::Content, Fault::Nobody),
    (Stage::AfterDot, Fault::Unknown),
];

#[tokio::test]
async fn a_refusal_is_told_by_its_numbers_at_every_stage() {
    for (stage, _) in STAGES {
        for (words, code, enhanced) in [
            ("451 4.3.0 <canary.zoe@people.example> later", 451, Some((4, 3, 0))),
            ("554 no canary.zoe@people.example here", 554, None),
            ("550-5.1.1 canary\r\n550 5.9.9 canary", 550, Some((5, 1, 1))),
        ] {
            let error = undelivered(Script::troubled(stage, Trouble::Says(words))).await;
            assert_eq!(error, Undelivered { stage, failure: reply(code, enhanced) }, "{words}");
        }
    }
}

#[tokio::test]
async fn a_lost_connection_is_told_with_its_stage() {
    for (stage, fault) in STAGES {
        let error = undelivered(Script::troubled(stage, Trouble::Drops)).await;
        assert_eq!(error.failure, Failure::Other(Cause::Disconnected), "{stage:?}");
        if stage == Stage::Content {
            // A small message is in the buffers before the end is seen: then nobody knows, and it counts as unknown.
            assert!(matches!(error.stage, Stage::Content | Stage::AfterDot), "{error:?}");
        } else {
            assert_eq!((error.stage, error.fault()), (stage, fault));
        }
    }
}

#[tokio::test]
async fn silence_and_a_slow_stream_end_with_the_stages_limit() {
    let stages = STAGES.into_iter().filter(|(stage, _)| *stage != Stage::Content);
    let cases = stages.flat_map(|case| [(case, Trouble::Hangs), (case, Trouble::Drips)]);
    let deliveries = cases.map(|((stage, fault), trouble)| async move {
        let (port, server) = Script::troubled(stage, trouble).start().await;
        let error = clean(deliver(&impatient(port), TO, MESSAGE).await).unwrap_err();
        server.abort();
        assert_eq!((error.stage, &error.failure), (stage, &Failure::Other(Cause::TimedOut)), "{trouble:?}");
        assert_eq!(error.fault(), fault);
    });
    join_all(deliveries).await;
}

#[tokio::test]
async fn a_server_that_stops_reading_blocks_no_longer_than_the_limit() {
    let (port, server) = Script::troubled(Stage::Content, Trouble::Hangs).start().await;
    let endless = vec![b'x'; 32 << 20];
    let error = clean(deliver(&impatient(port), TO, &endless).await).unwrap_err();
    server.abort();
    assert_eq!(error, Undelivered { stage: Stage::Content, failure: Failure::Other(Cause::TimedOut) });
}

#[tokio::test]
async fn the_stages_before_the_dot_share_one_limit() {
    let (port, server) = Script::troubled(Stage::RcptTo, Trouble::Hangs).start().await;
    let mut relay = relay(port);
    relay.limits.before_dot = Duration::from_millis(300);
    let error = clean(deliver(&relay, TO, MESSAGE).await).unwrap_err();
    server.abort();
    assert_eq!(error, Undelivered { stage: Stage::RcptTo, failure: Failure::Other(Cause::TimedOut) });
}

#[tokio::test]
async fn garbage_is_told_at_every_stage() {
    let long: &'static str = "2".repeat(10_000).leak();
    for (stage, fault) in STAGES {
        for words in ["HTTP/1.1 400 Bad Request", "", "250-a\r\n251 b", "\u{0}\u{1}", "999 x", long] {
            let error = undelivered(Script::troubled(stage, Trouble::Says(words))).await;
            assert_eq!(error, Undelivered { stage, failure: Failure::Other(Cause::Malformed) }, "{words:.40}");
            assert_eq!(error.fault(), fault);
        }
    }
    for (stage, words) in
        [(Stage::RcptTo, "354 go"), (Stage::Data, "250 ok"), (Stage::Content, "250 ok"), (Stage::AfterDot, "354 go")]
    {
        let error = undelivered(Script::troubled(stage, Trouble::Says(words))).await;
        assert_eq!(
            error,
            Undelivered { stage, failure: Failure::Other(Cause::Malformed) },
            "a good answer at the wrong time"
        );
    }
}

#[test]
fn debug_of_a_relay_shows_no_address() {
    let said = format!("{:?}", relay(25));
    assert!(said.contains("127.0.0.1") && !said.contains('@') && !said.contains("invitations"), "{said}");
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = clean(deliver(&relay(port), TO, MESSAGE).await).unwrap_err();
    assert_eq!(error, Undelivered { stage: Stage::Connect, failure: Failure::Other(Cause::Unreachable) });
}

#[tokio::test]
async fn what_is_no_address_never_reaches_the_wire() {
    for to in
        ["", "canary", "a@b.example>\r\nRCPT TO:<canary@people.example", "canàry@people.example", "a b@people.example"]
    {
        let error = clean(deliver(&relay(9), to, MESSAGE).await).unwrap_err();
        assert_eq!(
            (error.failure.clone(), error.fault()),
            (Failure::Other(Cause::InvalidAddress), Fault::Address),
            "{to:?}"
        );
    }
}

#[tokio::test]
async fn auth_reads_its_files_at_each_delivery() {
    let folder = tempfile::tempdir().unwrap();
    credentials(folder.path());
    for (auth, lines) in [
        ("AUTH LOGIN PLAIN", vec!["AUTH PLAIN AGludml0YXRpb25zAGNhbmFyeS1wYXNzd29yZA=="]),
        ("auth login", vec!["AUTH LOGIN", "aW52aXRhdGlvbnM=", "Y2FuYXJ5LXBhc3N3b3Jk"]),
    ] {
        let (port, server) = Script { auth, ..Script::default() }.start().await;
        let relay = Relay { sign_in: Some(password_in(folder.path())), ..relay(port) };
        clean(deliver(&relay, TO, MESSAGE).await).unwrap();
        assert_eq!(server.await.unwrap()[1..=lines.len()], lines);
    }
    fs::write(folder.path().join("password"), "rotated").unwrap();
    let (port, server) = Script { auth: "AUTH PLAIN", ..Script::default() }.start().await;
    clean(deliver(&Relay { sign_in: Some(password_in(folder.path())), ..relay(port) }, TO, MESSAGE).await).unwrap();
    assert_eq!(server.await.unwrap()[1], "AUTH PLAIN AGludml0YXRpb25zAHJvdGF0ZWQ=");
}

#[tokio::test]
async fn a_token_is_read_at_each_delivery_and_a_refusal_of_it_is_heard_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    credentials(folder.path());
    let relay_with_token = |port| {
        let sign_in = SignIn { folder: folder.path().into(), secret: SecretKind::Token };
        Relay { sign_in: Some(sign_in), ..impatient(port) }
    };
    for token in ["canary-token-1", "canary-token-2"] {
        fs::write(folder.path().join("token"), format!("{token}\n")).unwrap();
        let (port, server) = Script { auth: "AUTH PLAIN XOAUTH2", ..Script::default() }.start().await;
        clean(deliver(&relay_with_token(port), TO, MESSAGE).await).unwrap();
        let said = server.await.unwrap()[1].clone();
        let proof = data_encoding::BASE64.decode(said.strip_prefix("AUTH XOAUTH2 ").unwrap().as_bytes()).unwrap();
        assert_eq!(String::from_utf8(proof).unwrap(), format!("user=invitations\x01auth=Bearer {token}\x01\x01"));
    }
    let details = "334 eyJzdGF0dXMiOiI0MDEifQ==";
    for (auth, trouble, failure) in [
        ("AUTH XOAUTH2", Some(Trouble::SaysThen(details, "535 5.7.3 canary")), reply(535, Some((5, 7, 3)))),
        ("AUTH XOAUTH2", Some(Trouble::SaysThen(details, "235 2.7.0 canary")), Failure::Other(Cause::Malformed)),
        ("AUTH XOAUTH2", Some(Trouble::Says("535 5.7.8 canary")), reply(535, Some((5, 7, 8)))),
        ("AUTH PLAIN LOGIN", None, Failure::Other(Cause::NotOffered)),
    ] {
        let trouble = trouble.map(|trouble| (Stage::Auth, trouble));
        let (port, server) = Script { auth, trouble, tls: None }.start().await;
        let error = clean(deliver(&relay_with_token(port), TO, MESSAGE).await).unwrap_err();
        server.abort();
        assert_eq!(error, Undelivered { stage: Stage::Auth, failure });
    }
    fs::remove_file(folder.path().join("token")).unwrap();
    let (port, server) = Script { auth: "AUTH XOAUTH2", ..Script::default() }.start().await;
    let error = clean(deliver(&relay_with_token(port), TO, MESSAGE).await).unwrap_err();
    server.abort();
    assert!(error.to_string().ends_with("/token: entity not found"), "{error}");
}

#[tokio::test]
async fn auth_that_fails_is_the_mailers_fault_and_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    credentials(folder.path());
    let refused = Trouble::Says("535 5.7.8 canary-password is wrong");
    for (auth, trouble, failure) in [
        ("AUTH PLAIN", Some((Stage::Auth, refused)), reply(535, Some((5, 7, 8)))),
        ("AUTH LOGIN", Some((Stage::Auth, refused)), reply(535, Some((5, 7, 8)))),
        ("AUTH PLAIN", Some((Stage::Auth, Trouble::Drops)), Failure::Other(Cause::Disconnected)),
        ("AUTH PLAIN", Some((Stage::Auth, Trouble::Hangs)), Failure::Other(Cause::TimedOut)),
        ("AUTH PLAIN", Some((Stage::Auth, Trouble::Says("334 "))), Failure::Other(Cause::Malformed)),
        ("AUTH CRAM-MD5", None, Failure::Other(Cause::NotOffered)),
        ("", None, Failure::Other(Cause::NotOffered)),
    ] {
        let (port, server) = Script { auth, trouble, tls: None }.start().await;
        let relay = Relay { sign_in: Some(password_in(folder.path())), ..impatient(port) };
        let error = clean(deliver(&relay, TO, MESSAGE).await).unwrap_err();
        server.abort();
        assert_eq!(error, Undelivered { stage: Stage::Auth, failure }, "{auth}");
        assert_eq!(error.fault(), Fault::Mailer);
    }
}

#[tokio::test]
async fn an_unreadable_password_is_named_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    credentials(folder.path());
    for (content, why) in [
        (None, "entity not found"),
        (Some("\n"), "empty"),
        (Some("canary\0"), "holds a zero byte or more than one line"),
        (Some("canary\nx"), "holds a zero byte or more than one line"),
    ] {
        let file = folder.path().join("password");
        fs::remove_file(&file).unwrap();
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        let (port, server) = Script { auth: "AUTH PLAIN", ..Script::default() }.start().await;
        let relay = Relay { sign_in: Some(password_in(folder.path())), ..relay(port) };
        let error = clean(deliver(&relay, TO, MESSAGE).await).unwrap_err();
        server.abort();
        assert_eq!(
            error.failure,
            Failure::Unreadable(Cause::UnreadableCredentials, format!("{}: {why}", file.display()))
        );
        fs::write(&file, "x").unwrap();
    }
}

/// A certificate for 127.0.0.1 in a PEM file, and the server that has it.
fn certificate(file: &Path) -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    fs::write(file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

#[tokio::test]
async fn tls_trusts_the_given_authority_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (folder.path().join("ours.pem"), folder.path().join("other.pem"));
    let server_config = certificate(&ours);
    certificate(&other);
    for (tls, stage) in [(TlsMode::StartTls, Stage::StartTls), (TlsMode::Tls, Stage::Connect)] {
        let script = Script { tls: Some((tls, server_config.clone())), ..Script::default() };
        let (port, server) = script.clone().start().await;
        let trusting = Relay { tls, ca_file: Some(ours.clone()), ..relay(port) };
        clean(deliver(&trusting, TO, MESSAGE).await).unwrap();
        let read = server.await.unwrap();
        assert_eq!(
            read.iter().filter(|line| line.starts_with("EHLO")).count(),
            if tls == TlsMode::Tls { 1 } else { 2 }
        );
        for ca_file in [Some(other.clone()), None] {
            let (port, server) = script.clone().start().await;
            let error = clean(deliver(&Relay { tls, ca_file, ..relay(port) }, TO, MESSAGE).await).unwrap_err();
            server.abort();
            assert_eq!((error.stage, error.fault()), (stage, Fault::Mailer));
            assert!(
                matches!(error.failure, Failure::Other(Cause::CertificateOfUnknownAuthority) | Failure::Unreadable(..)),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn starttls_is_never_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let config = certificate(&file);
    for (offered, trouble, failure) in [
        (false, None, Failure::Other(Cause::NotOffered)),
        (true, Some((Stage::StartTls, Trouble::Says("454 4.7.0 no"))), reply(454, Some((4, 7, 0)))),
        (true, Some((Stage::StartTls, Trouble::Drops)), Failure::Other(Cause::Disconnected)),
        (true, Some((Stage::StartTls, Trouble::Hangs)), Failure::Other(Cause::TimedOut)),
        // An answer slipped in before the handshake, which would count as protected after it (CVE-2011-0411).
        (true, Some((Stage::StartTls, Trouble::Says("220 go\r\n250 AUTH PLAIN"))), Failure::Other(Cause::Malformed)),
    ] {
        let tls = offered.then(|| (TlsMode::StartTls, config.clone()));
        let (port, server) = Script { trouble, tls, auth: "" }.start().await;
        let relay = Relay { tls: TlsMode::StartTls, ca_file: Some(file.clone()), ..impatient(port) };
        let error = clean(deliver(&relay, TO, MESSAGE).await).unwrap_err();
        server.abort();
        assert_eq!(error, Undelivered { stage: Stage::StartTls, failure });
    }
}
