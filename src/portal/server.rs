//! The listener of the pages: with TLS by files that are read again when they change, or without; with limits of time and size. What
//! is served never stands here.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::accept::DefaultAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use futures::future::{FutureExt, pending};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Tls;
use super::connections::{Connections, Limited};
use super::follow::follow;

/// How long a client may take for the TLS handshake, and for the head of a request, the first included.
pub const SLOWEST_HEAD: Duration = Duration::from_secs(10);
/// How long requests under way may take when the process is asked to stop.
const LAST_REQUEST_WITHIN: Duration = Duration::from_secs(10);
/// Longest head of a request, in bytes: cookies are most of it.
const LONGEST_HEAD: usize = 32 * 1024;

/// Why the pages cannot be encrypted. Nothing of the files' content is in it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file.
    #[error("failed to read {0}: {1}")]
    Unreadable(PathBuf, io::Error),
    /// The certificate's file.
    #[error("{0} must hold a certificate in PEM form, and those that vouch for it")]
    NoCertificate(PathBuf),
    /// The key's file.
    #[error("{0} must hold a private key in PEM form")]
    NoKey(PathBuf),
    /// Both.
    #[error("certificate and key do not do: {0}")]
    Unusable(String),
}

/// How the pages are encrypted.
pub struct Encryption(Option<Files>);

struct Files {
    paths: Tls,
    /// As read at the start.
    read: Contents,
    config: RustlsConfig,
}

#[derive(Clone, PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Encryption {
    /// Reads the files, if there are any.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub async fn read(files: Option<Tls>) -> Result<Self, TlsError> {
        let Some(files) = files else { return Ok(Self(None)) };
        let contents = Contents::read(&files).await?;
        let config = RustlsConfig::from_config(Arc::new(contents.config(&files)?));
        Ok(Self(Some(Files { paths: files, read: contents, config })))
    }

    /// Reads the files again and again until it is dropped. Files that do not do leave it as it is.
    pub async fn keep(&self) {
        let Some(Files { paths, read, config }) = &self.0 else { return pending().await };
        let mut read = read.clone();
        follow("certificate and key", async || {
            let contents = Contents::read(paths).await?;
            let changed = contents != read;
            if changed {
                config.reload_from_config(Arc::new(contents.config(paths)?));
                read = contents;
            }
            Ok::<_, TlsError>(changed)
        })
        .await;
    }
}

impl Contents {
    async fn read(files: &Tls) -> Result<Self, TlsError> {
        let read = async |path: &Path| {
            tokio::fs::read(path).await.map_err(|error| TlsError::Unreadable(path.to_owned(), error))
        };
        Ok(Self { certificate: read(&files.certificate).await?, key: read(&files.key).await? })
    }

    fn config(&self, files: &Tls) -> Result<ServerConfig, TlsError> {
        let no_certificate = || TlsError::NoCertificate(files.certificate.clone());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(no_certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::NoKey(files.key.clone()))?;
        let unusable = |error: tokio_rustls::rustls::Error| TlsError::Unusable(error.to_string());
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Serves until `stop` becomes true; then what is under way is finished.
///
/// # Errors
/// As of the listener.
pub async fn serve(
    listen: SocketAddr,
    routes: Router,
    encryption: &Encryption,
    connections: Arc<Connections>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let handle = Handle::new();
    let mut server = Server::<SocketAddr>::from_listener(listener)
        .http1_only()
        .handle(handle.clone())
        .first_request_timeout(SLOWEST_HEAD);
    server.http_builder().http1().header_read_timeout(SLOWEST_HEAD).max_buf_size(LONGEST_HEAD);
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    let serving = match &encryption.0 {
        None => server.map(|inner| Limited { inner, connections }).serve(service).boxed(),
        Some(Files { config, .. }) => {
            let tls = RustlsAcceptor::new(config.clone()).handshake_timeout(SLOWEST_HEAD);
            server.map(|_: DefaultAcceptor| Limited { inner: tls, connections }).serve(service).boxed()
        }
    };
    let stopping = async {
        drop(stop.wait_for(|stop| *stop).await);
        handle.graceful_shutdown(Some(LAST_REQUEST_WITHIN));
        pending().await
    };
    tokio::select! {
        result = serving => result,
        never = stopping => never,
    }
}
