//! Certificates of every kind, shown by a scripted server on the loopback: which are trusted, and what is told of the others.
use std::{fs, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use tokio::net::TcpListener;
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::{EhloName, Limits, Relay, TlsMode, deliver, scripted_relay::Script};
use crate::domain::delivery::{Cause, Failure, Fault, Stage};

const AUTHORITY: IsCa = IsCa::Ca(BasicConstraints::Unconstrained);

/// What a server shows: a certificate and its key, by whoever signed it.
struct Shown {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

/// One for 127.0.0.1 with a change, signed by its own key.
fn shown(change: impl FnOnce(&mut CertificateParams)) -> Shown {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    Shown { certificate: made.der().clone(), pem: made.pem(), key }
}

/// As `openssl req -x509 -addext subjectAltName=IP:127.0.0.1` makes one.
fn of_openssl(change: impl FnOnce(&mut CertificateParams)) -> Shown {
    shown(|params| {
        params.is_ca = AUTHORITY;
        change(params);
    })
}

/// The PEM of an authority, and what a server shows that it signed.
fn signed_by(authority: &str, names: &[&str]) -> (String, Shown) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = AUTHORITY;
    params.distinguished_name.push(rcgen::DnType::CommonName, authority);
    let pem = params.self_signed(&key).unwrap().pem();
    let of_server = KeyPair::generate().unwrap();
    let made = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    let made = made.signed_by(&of_server, &Issuer::new(params, key)).unwrap();
    (pem, Shown { certificate: made.der().clone(), pem: made.pem(), key: of_server })
}

fn server(shown: &Shown) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(shown.key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![shown.certificate.clone()], key)
        .unwrap();
    Arc::new(config)
}

fn relay(port: u16, tls: TlsMode, ca_file: PathBuf) -> Relay {
    Relay {
        host: "127.0.0.1".to_owned(),
        port,
        ehlo_name: EhloName::parse("mail.elm-street.example").unwrap(),
        tls,
        from: "Elm Street Clinic <invitations@elm-street.example>".parse().unwrap(),
        reply_to: None,
        sign_in: None,
        ca_file: Some(ca_file),
        limits: Limits::default(),
    }
}

/// What becomes of a mail to a server that shows this, by who trusts that file.
async fn outcome(shown: &Shown, trusted: &str) -> Result<(), Cause> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    fs::write(&file, trusted).unwrap();
    let mut outcomes = Vec::new();
    for (tls, stage) in [(TlsMode::StartTls, Stage::StartTls), (TlsMode::Tls, Stage::Connect)] {
        let script = Script { tls: Some((tls, server(shown))), ..Script::default() };
        let (port, serving) = script.start().await;
        let delivered =
            deliver(&relay(port, tls, file.clone()), "zoe@people.example", b"Subject: x\r\n\r\nx\r\n").await;
        serving.abort();
        outcomes.push(delivered.map(drop).map_err(|undelivered| {
            assert_eq!((undelivered.stage, undelivered.fault()), (stage, Fault::Mailer));
            undelivered.trouble().cause.expect("a word for the ledger")
        }));
    }
    assert_eq!(outcomes[0], outcomes[1], "one word whenever TLS begins");
    outcomes.remove(0)
}

fn expired(params: &mut CertificateParams) {
    params.not_after = date_time_ymd(2020, 1, 1);
    params.not_before = date_time_ymd(2019, 1, 1);
}

fn not_yet_valid(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(4000, 1, 1);
}

fn of_another_host(params: &mut CertificateParams) {
    params.subject_alt_names = vec![SanType::DnsName("smtp.maple.example".try_into().unwrap())];
}

fn without_a_name(params: &mut CertificateParams) {
    params.subject_alt_names.clear();
}

fn of_an_email_address(params: &mut CertificateParams) {
    params.subject_alt_names = vec![SanType::Rfc822Name("canary@maple.example".try_into().unwrap())];
}

#[tokio::test]
async fn each_fault_of_a_certificate_has_its_own_word() {
    type Change = fn(&mut CertificateParams);
    let changes: [(Change, Result<(), Cause>); 6] = [
        (|_| {}, Ok(())),
        (expired, Err(Cause::CertificateExpired)),
        (not_yet_valid, Err(Cause::CertificateNotYetValid)),
        (of_another_host, Err(Cause::CertificateOfOtherName)),
        (without_a_name, Err(Cause::CertificateWithoutName)),
        (of_an_email_address, Err(Cause::CertificateWithoutName)),
    ];
    for (number, (change, expected)) in changes.into_iter().enumerate() {
        let of_a_server = shown(change);
        assert_eq!(outcome(&of_a_server, &of_a_server.pem).await, expected, "{number}");
        // The same of a certificate as openssl makes it, if that very one is trusted.
        let of_an_authority = of_openssl(change);
        assert_eq!(outcome(&of_an_authority, &of_an_authority.pem).await, expected, "{number}, an authority's");
    }
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_told_from_a_certificate_that_is_an_authoritys() {
    let (trusted, of_trusted) = signed_by("Maple", &["127.0.0.1"]);
    let (other, of_other) = signed_by("Birch", &["127.0.0.1"]);
    let (_, of_namesake) = signed_by("Maple", &["127.0.0.1"]);
    assert_eq!(outcome(&of_trusted, &trusted).await, Ok(()));
    assert_eq!(outcome(&of_trusted, &(other + &trusted)).await, Ok(()));
    assert_eq!(outcome(&of_other, &trusted).await, Err(Cause::CertificateOfUnknownAuthority));
    assert_eq!(outcome(&of_namesake, &trusted).await, Err(Cause::CertificateOfUnknownAuthority), "another key");
    let alone = shown(|_| {});
    assert_eq!(outcome(&alone, &trusted).await, Err(Cause::CertificateOfUnknownAuthority));
    // An authority's certificate counts as a server's only where it is trusted itself.
    let of_openssl_alone = of_openssl(|_| {});
    assert_eq!(outcome(&of_openssl_alone, &trusted).await, Err(Cause::CertificateOfAuthority));
    assert_eq!(
        outcome(&of_openssl_alone, &(of_openssl(|_| {}).pem + &trusted)).await,
        Err(Cause::CertificateOfAuthority)
    );
}

/// What a trusted authority signed is an authority's certificate too, but the file does not hold it.
#[tokio::test]
async fn an_authority_below_a_trusted_one_is_no_server() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = AUTHORITY;
    let pem = params.self_signed(&key).unwrap().pem();
    let mut below = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    below.is_ca = AUTHORITY;
    let key_below = KeyPair::generate().unwrap();
    let made = below.signed_by(&key_below, &Issuer::new(params, key)).unwrap();
    let below = Shown { certificate: made.der().clone(), pem: made.pem(), key: key_below };
    assert_eq!(outcome(&below, &pem).await, Err(Cause::CertificateOfAuthority));
    assert_eq!(outcome(&below, &(below.pem.clone() + &pem)).await, Ok(()));
}

#[tokio::test]
async fn who_has_not_the_key_of_a_trusted_certificate_is_no_server() {
    let trusted = of_openssl(|_| {});
    let thief =
        Shown { certificate: trusted.certificate.clone(), pem: trusted.pem.clone(), key: of_openssl(|_| {}).key };
    // rustls refuses to serve with a key that is not the certificate's, so this one does not ask.
    let key =
        aws_lc_rs::sign::any_supported_type(&PrivateKeyDer::from(PrivatePkcs8KeyDer::from(thief.key.serialize_der())));
    let certified = tokio_rustls::rustls::sign::CertifiedKey::new(vec![thief.certificate], key.unwrap());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(tokio_rustls::rustls::sign::SingleCertAndKey::from(certified)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    fs::write(&file, &trusted.pem).unwrap();
    let (port, serving) = Script { tls: Some((TlsMode::Tls, Arc::new(config))), ..Script::default() }.start().await;
    let refused = deliver(&relay(port, TlsMode::Tls, file), "zoe@people.example", b"x\r\n").await.unwrap_err();
    serving.abort();
    assert_eq!((refused.stage, refused.failure), (Stage::Connect, Failure::Other(Cause::Tls)));
}

#[tokio::test]
async fn a_server_without_tls_and_one_that_hangs_up_are_told_apart() {
    let trusted = shown(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    fs::write(&file, &trusted.pem).unwrap();
    let (port, serving) = Script::default().start().await;
    let refused = deliver(&relay(port, TlsMode::Tls, file.clone()), "zoe@people.example", b"x\r\n").await.unwrap_err();
    serving.abort();
    assert_eq!((refused.stage, refused.failure), (Stage::Connect, Failure::Other(Cause::NotTls)));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hanging_up = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let lost = deliver(&relay(port, TlsMode::Tls, file), "zoe@people.example", b"x\r\n").await.unwrap_err();
    hanging_up.await.unwrap();
    assert_eq!((lost.stage, lost.failure), (Stage::Connect, Failure::Other(Cause::Disconnected)));
}
