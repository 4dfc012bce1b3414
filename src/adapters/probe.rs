//! One question to an address of ours, as `helm test` asks it: does it answer, with which status. It trusts the one certificate
//! that it is given, since inside a cluster the portal is asked under a name that its certificate does not have.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme};

/// From the look-up of the name to the first line of the answer.
const LONGEST: Duration = Duration::from_secs(5);
/// Between two questions.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
/// Longest first line of an answer, in bytes.
const LONGEST_LINE: u64 = 1024;

/// Why there was no answer of success.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The address itself.
    #[error("must be http:// or https://, a host, perhaps a port, and a path")]
    NotAnAddress,
    /// `https` without the certificate to trust.
    #[error("https needs --certificate, the file with the certificate that must be shown")]
    NoCertificate,
    /// The file.
    #[error("failed to read a certificate from {0}")]
    UnreadableCertificate(String),
    /// Name, connection, encryption, or reading.
    #[error("{0}")]
    Connection(#[from] std::io::Error),
    /// Time.
    #[error("no answer within {} s", LONGEST.as_secs())]
    TookTooLong,
    /// It does not speak HTTP.
    #[error("the answer is not HTTP")]
    NotHttp,
    /// A status other than 200.
    #[error("answered with status {0}")]
    Status(u16),
}

/// The certificate of a PEM file, the first in it.
///
/// # Errors
/// There is none.
pub async fn certificate(path: &Path) -> Result<CertificateDer<'static>, ProbeError> {
    let unreadable = || ProbeError::UnreadableCertificate(path.display().to_string());
    let pem = tokio::fs::read(path).await.map_err(|_| unreadable())?;
    CertificateDer::from_pem_slice(&pem).map_err(|_| unreadable())
}

/// Asks `url` until it answers, a second apart, at most so many times and at least once: a name or a replica may take a moment.
///
/// # Errors
/// Of the last time.
pub async fn until_it_answers(
    url: &Uri,
    trusted: Option<&CertificateDer<'static>>,
    tries: u16,
) -> Result<(), ProbeError> {
    for _ in 1..tries {
        if probe(url, trusted).await.is_ok() {
            return Ok(());
        }
        sleep(BETWEEN_TRIES).await;
    }
    probe(url, trusted).await
}

/// Asks `url` once; status 200 is success.
///
/// # Errors
/// See [`ProbeError`].
pub async fn probe(url: &Uri, trusted: Option<&CertificateDer<'static>>) -> Result<(), ProbeError> {
    timeout(LONGEST, ask(url, trusted)).await.map_err(|_| ProbeError::TookTooLong)?
}

async fn ask(url: &Uri, trusted: Option<&CertificateDer<'static>>) -> Result<(), ProbeError> {
    let authority = url.authority().ok_or(ProbeError::NotAnAddress)?;
    let host = authority.host();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    let connect =
        async |usual| TcpStream::connect((host.trim_matches(['[', ']']), authority.port_u16().unwrap_or(usual))).await;
    let status = match url.scheme_str() {
        Some("http") => exchange(connect(80).await?, &request).await?,
        Some("https") => {
            let trusted = trusted.ok_or(ProbeError::NoCertificate)?;
            let name = ServerName::try_from(host.to_owned()).map_err(|_| ProbeError::NotAnAddress)?;
            let stream = connector(trusted)?.connect(name, connect(443).await?).await?;
            exchange(stream, &request).await?
        }
        Some(_) | None => return Err(ProbeError::NotAnAddress),
    };
    if status == 200 { Ok(()) } else { Err(ProbeError::Status(status)) }
}

/// Sends the request and reads the status (RFC 9112 §4) of its answer.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Result<u16, ProbeError> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST_LINE)).read_line(&mut line).await?;
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5));
    status.and_then(|status| status.parse().ok()).ok_or(ProbeError::NotHttp)
}

fn connector(trusted: &CertificateDer<'static>) -> Result<TlsConnector, ProbeError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Exactly { certificate: trusted.clone(), provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(std::io::Error::other)?.dangerous();
    let config = builder.with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Trusts who shows this certificate, and proves to have its key.
#[derive(Debug)]
struct Exactly {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if *shown == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(TlsError::General("it shows another certificate than that of the file".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
