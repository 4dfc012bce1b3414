//! TLS to a relay: whom it trusts, and why a handshake failed, in a word for the ledger and with details for the log. Called by
//! `wire`. Tells nothing that the server wrote but the host names and addresses of its certificate.

use std::{fmt, io, path::Path, sync::Arc};

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};
use tracing::warn;

use super::relay::{Relay, unreadable};
use crate::domain::delivery::{Cause, Failure};

/// Names of a certificate that the log tells; some have hundreds.
const MOST_NAMES: usize = 10;

/// What a handshake with the relay needs. Reads `mail.caFile`.
pub(super) async fn client_config(relay: &Relay) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = match &relay.ca_file {
        None => of_the_platform(Arc::clone(&provider))?,
        Some(path) => {
            let certificates = certificates(path).await?;
            of_the_file(certificates, Arc::clone(&provider)).map_err(|why| unreadable_authorities(path, &why))?
        }
    };
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|_| Failure::Other(Cause::Tls))?;
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// Whether a PEM file holds authorities that can be trusted.
///
/// # Errors
/// Names the file and what is wrong with it.
pub async fn check_authorities(path: &Path) -> Result<(), Failure> {
    let certificates = certificates(path).await?;
    roots(&certificates).map(drop).map_err(|why| unreadable_authorities(path, &why))
}

async fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let pem = tokio::fs::read(path).await.map_err(|error| unreadable_authorities(path, &error.kind()))?;
    CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| unreadable_authorities(path, &"not PEM"))
}

fn roots(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, &'static str> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(|_| "not a certificate")?;
    }
    if roots.is_empty() { Err("holds no certificate") } else { Ok(roots) }
}

fn unreadable_authorities(path: &Path, why: &dyn fmt::Display) -> Failure {
    unreadable(Cause::UnreadableAuthorities, path, why)
}

fn of_the_platform(provider: Arc<CryptoProvider>) -> Result<RelayVerifier, Failure> {
    let verifier = Verifier::new(provider).map_err(|_| {
        Failure::Unreadable(Cause::UnreadableAuthorities, "the platform's trusted certificates".to_owned())
    })?;
    Ok(RelayVerifier { inner: Arc::new(verifier), pinned: Vec::new() })
}

fn of_the_file(
    pinned: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<RelayVerifier, &'static str> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(&pinned)?), provider).build();
    Ok(RelayVerifier { inner: verifier.map_err(|_| "holds no certificate")?, pinned })
}

/// The rules of the web's certificates (`webpki`), and one exception: a server may show an authority's certificate if
/// `mail.caFile` holds this very one. `openssl req -x509` makes such certificates, and who names one there means that server.
#[derive(Debug)]
struct RelayVerifier {
    inner: Arc<dyn ServerCertVerifier>,
    /// The certificates of `mail.caFile`.
    pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for RelayVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            // webpki asks for the dates before it asks whose certificate it is; the name is left to ask.
            Err(error) if is_of_an_authority(&error) && self.pinned.iter().any(|pinned| pinned == end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            // Here it is that of an issuer: one that is called as a trusted one, and has another key.
            Err(Error::InvalidCertificate(CertificateError::BadSignature)) => {
                Err(CertificateError::UnknownIssuer.into())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// What webpki says where rustls has no word of its own.
fn of_webpki(error: &Error) -> Option<&webpki::Error> {
    if let Error::InvalidCertificate(CertificateError::Other(other)) = error { other.0.downcast_ref() } else { None }
}

fn is_of_an_authority(error: &Error) -> bool {
    matches!(of_webpki(error), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Why a handshake with this host failed. Logs what the word for the ledger leaves out.
pub(super) fn refused(host: &str, error: &io::Error) -> Cause {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<Error>()) else {
        return Cause::Disconnected;
    };
    let cause = cause(error);
    if let Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) = error {
        warn!(host, names = told(presented), "{cause}");
    } else {
        warn!(host, %error, "{cause}");
    }
    cause
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enums of rustls are open, and most of it is for the log alone")]
fn cause(error: &Error) -> Cause {
    use CertificateError as C;
    let fault = match error {
        Error::InvalidCertificate(fault) => fault,
        Error::InvalidMessage(_) => return Cause::NotTls,
        _ => return Cause::Tls,
    };
    match fault {
        C::Expired | C::ExpiredContext { .. } => Cause::CertificateExpired,
        C::NotValidYet | C::NotValidYetContext { .. } => Cause::CertificateNotYetValid,
        C::NotValidForNameContext { presented, .. } if names(presented).next().is_none() => {
            Cause::CertificateWithoutName
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => Cause::CertificateOfOtherName,
        C::UnknownIssuer => Cause::CertificateOfUnknownAuthority,
        _ => match of_webpki(error) {
            Some(webpki::Error::CaUsedAsEndEntity) => Cause::CertificateOfAuthority,
            // Version 1 has no extensions, and so no subjectAltName.
            Some(webpki::Error::UnsupportedCertVersion) => Cause::CertificateWithoutName,
            _ => Cause::Tls,
        },
    }
}

/// The names of a certificate as webpki prints them that a host may have, as `openssl x509` prints them. A name of another kind
/// can be an e-mail address.
fn names(presented: &[String]) -> impl Iterator<Item = String> {
    presented.iter().filter_map(|name| {
        let dns = name.strip_prefix("DnsName(\"").and_then(|rest| rest.strip_suffix("\")"));
        let ip = || name.strip_prefix("IpAddress(").and_then(|rest| rest.strip_suffix(')'));
        let (kind, name) = dns.map(|name| ("DNS", name)).or_else(|| Some(("IP", ip()?)))?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_:*".contains(c);
        (name.len() <= 253 && name.chars().all(is_plain)).then(|| format!("{kind}:{name}"))
    })
}

fn told(presented: &[String]) -> String {
    let names: Vec<_> = names(presented).collect();
    let first = names.iter().take(MOST_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_hosts_are_told_and_not_too_many() {
        let presented = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mixed = presented(&[
            "DnsName(\"*.maple.example\")",
            "IpAddress(192.0.2.7)",
            "IpAddress(2001:db8::7)",
            "DnsName(\"canary@maple.example\")",
            "UniformResourceIdentifier(\"https://canary.example\")",
            "Unsupported(0x01)",
        ]);
        assert_eq!(told(&mixed), "DNS:*.maple.example, IP:192.0.2.7, IP:2001:db8::7");
        let many: Vec<_> = (0..300).map(|n| format!("DnsName(\"{n}.maple.example\")")).collect();
        assert!(told(&many).ends_with("DNS:9.maple.example and 290 more"), "{}", told(&many));
    }
}
