//! Where mail is handed over and as whom: what the administrator configures in files that the chart mounts. Holds
//! paths, never a password; nothing here talks to the network.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use lettre::message::Mailbox;
use secrecy::SecretString;
use tokio_rustls::rustls::pki_types::ServerName;

use super::ehlo::EhloName;
use crate::domain::delivery::{Cause, Failure};

/// Whether it is a DNS name or an IP address, as a certificate can have it and TLS asks for it.
pub fn is_host(text: &str) -> bool {
    ServerName::try_from(text).is_ok()
}

/// The SMTP server that takes our mail. Debug leaves its addresses out (I7).
#[derive(Clone)]
pub struct Relay {
    /// DNS name or IP address; also the name its certificate must have.
    pub host: String,
    /// 587 for STARTTLS, 465 for TLS, as a rule.
    pub port: u16,
    /// Our own name in EHLO.
    pub ehlo_name: EhloName,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// Header From, and the envelope's sender.
    pub from: Mailbox,
    /// Where a reader's answer goes; none: to `from`.
    pub reply_to: Option<Mailbox>,
    /// How we say who we are. None: no AUTH.
    pub sign_in: Option<SignIn>,
    /// PEM file with the only authorities to trust, read again for each mail. None: those of the platform.
    pub ca_file: Option<PathBuf>,
    /// How long a server may take.
    pub limits: Limits,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Relay");
        shown.field("host", &self.host).field("port", &self.port).field("tls", &self.tls);
        shown.finish_non_exhaustive()
    }
}

/// Never opportunistic: what is configured is what happens, or no mail leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Plain greeting, then STARTTLS (RFC 3207), required.
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// In the clear, password and links too: for a relay on the same host, and for tests.
    None,
}

/// Each bounds a whole stage, so a server that sends a byte now and then gains nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Name look-up and TCP; a TLS handshake; a command and its reply, and the greeting; sending the message, without its dot.
    pub step: Duration,
    /// From the dot to its reply. RFC 5321 §4.5.3.2.6 would give ten minutes; the writer of the outcome waits ten.
    pub after_dot: Duration,
    /// Everything before the dot together.
    pub before_dot: Duration,
}

impl Limits {
    /// The longest limit of a step: a dialogue takes six times that at most, which must end well before the ten minutes
    /// after which an unknown outcome is sent again.
    pub const LONGEST_STEP: Duration = Duration::from_secs(80);

    /// The limits that go with that of a step.
    pub fn of(step: Duration) -> Self {
        Self { step, after_dot: step * 2, before_dot: step * 4 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(Duration::from_secs(60))
    }
}

/// How we say at the relay who we are: files that are read again for each mail, so that a rotated secret needs no restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Folder with the file `username` and that of the secret.
    pub folder: PathBuf,
    /// What the secret is.
    pub secret: SecretKind,
}

/// What proves who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// The file `password`, for AUTH PLAIN or LOGIN (RFC 4954).
    Password,
    /// The file `token` with an OAuth 2.0 access token, for AUTH XOAUTH2. Somebody else renews it in time.
    Token,
}

/// What AUTH needs; Debug shows neither.
#[derive(Debug)]
pub struct Credentials {
    /// As the relay knows us.
    pub username: SecretString,
    /// Password or token, without the line break that editors add.
    pub secret: SecretString,
}

impl SignIn {
    /// Reads the files. The failure names the file, never its content.
    pub async fn read(&self) -> Result<Credentials, Failure> {
        let secret = match self.secret {
            SecretKind::Password => "password",
            SecretKind::Token => "token",
        };
        Ok(Credentials {
            username: read_line(&self.folder, "username").await?,
            secret: read_line(&self.folder, secret).await?,
        })
    }
}

async fn read_line(folder: &Path, name: &str) -> Result<SecretString, Failure> {
    let path = folder.join(name);
    let unreadable = |path: &Path, why: &dyn fmt::Display| unreadable(Cause::UnreadableCredentials, path, why);
    let mut text = tokio::fs::read_to_string(&path).await.map_err(|error| unreadable(&path, &error.kind()))?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    if text.is_empty() {
        return Err(unreadable(&path, &"empty"));
    }
    // What separates the parts of a proof, in whichever mechanism.
    if text.contains(['\0', '\u{1}', '\r', '\n']) {
        return Err(unreadable(&path, &"holds a zero byte or more than one line"));
    }
    Ok(text.into())
}

/// Why a file of ours is of no use.
pub(super) fn unreadable(which: Cause, path: &Path, why: &dyn fmt::Display) -> Failure {
    Failure::Unreadable(which, format!("{}: {why}", path.display()))
}
