//! What the probe says of an address, on real connections. What it is asked for never stands here.
use std::fs;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

/// Answers one request with these bytes, encrypted by the key if there is one.
async fn answering(bytes: &'static str, key: Option<&CertifiedKey<rcgen::KeyPair>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = key.map(|key| {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
        TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![key.cert.der().clone()], private).unwrap()))
    });
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        match acceptor {
            None => answer(stream, bytes).await,
            Some(acceptor) => {
                // A client that trusts somebody else hangs up.
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, bytes).await;
                }
            }
        }
    });
    port
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &str) {
    let mut request = [0; 1024];
    let read = stream.read(&mut request).await.unwrap();
    assert!(request[..read].starts_with(b"GET /readyz HTTP/1.1\r\nHost: "), "it asks for the path");
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}

fn key() -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(["portal.maple.example".to_owned()]).unwrap()
}

async fn said(url: String, trusted: Option<&CertificateDer<'static>>) -> String {
    match probe(&url.parse().unwrap(), trusted).await {
        Ok(()) => "answers".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn success_is_an_answer_with_status_200() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\n\r\nok\n", "answers"),
        ("HTTP/1.0 200 OK\r\n\r\n", "answers"),
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered with status 503"),
        ("HTTP/1.1 302 Found\r\n\r\n", "answered with status 302"),
        ("220 smtp.maple.example\r\n", "the answer is not HTTP"),
        ("HTTP/1.1", "the answer is not HTTP"),
        ("", "the answer is not HTTP"),
    ] {
        let port = answering(answer, None).await;
        assert_eq!(said(format!("http://127.0.0.1:{port}/readyz"), None).await, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn an_address_that_nobody_serves_or_that_is_none_says_so() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let refused = said(format!("http://127.0.0.1:{port}/readyz"), None).await;
    assert!(refused.contains("refused"), "{refused}");
    let none = "must be http:// or https://, a host, perhaps a port, and a path";
    assert_eq!(said("/readyz".to_owned(), None).await, none);
    assert_eq!(said("ftp://127.0.0.1/readyz".to_owned(), None).await, none);
    let without = said("https://127.0.0.1/readyz".to_owned(), None).await;
    assert_eq!(without, "https needs --certificate, the file with the certificate that must be shown");
}

#[tokio::test]
async fn https_answers_only_with_the_certificate_of_the_file() {
    let (ours, other) = (key(), key());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tls.crt");
    fs::write(&file, ours.cert.pem()).unwrap();
    let trusted = certificate(&file).await.unwrap();
    let success = "HTTP/1.1 200 OK\r\n\r\n";

    let port = answering(success, Some(&ours)).await;
    assert_eq!(said(format!("https://127.0.0.1:{port}/readyz"), Some(&trusted)).await, "answers");
    let port = answering(success, Some(&other)).await;
    let another = said(format!("https://localhost:{port}/readyz"), Some(&trusted)).await;
    assert!(another.contains("it shows another certificate than that of the file"), "{another}");

    fs::write(&file, "no certificate").unwrap();
    let unreadable = certificate(&file).await.unwrap_err().to_string();
    assert_eq!(unreadable, format!("failed to read a certificate from {}", file.display()));
}
