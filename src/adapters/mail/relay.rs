//! Where mail is handed over and as whom: what the administrator configures in files that the chart mounts. Holds
//! paths, never a password; nothing here talks to the network.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use lettre::message::Mailbox;
use secrecy::SecretString;

use crate::domain::delivery::Failure;

/// The SMTP server that takes our mail. Debug leaves its addresses out (I7).
#[derive(Clone)]
pub struct Relay {
    /// DNS name or IP address; also the name its certificate must have.
    pub host: String,
    /// 587 for STARTTLS, 465 for TLS, as a rule.
    pub port: u16,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// Header From, and the envelope's sender.
    pub from: Mailbox,
    /// Where a reader's answer goes; none: to `from`.
    pub reply_to: Option<Mailbox>,
    /// Folder with the files `username` and `password`, read again for each mail, so that a rotated password needs no
    /// restart. None: no AUTH.
    pub credentials: Option<PathBuf>,
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
    /// Name look-up and TCP; and again each TLS handshake.
    pub connect: Duration,
    /// A command and its reply, and the greeting.
    pub command: Duration,
    /// Sending the message, without its dot.
    pub content: Duration,
    /// From the dot to its reply. RFC 5321 §4.5.3.2.6 would give ten minutes; the writer of the outcome waits ten.
    pub after_dot: Duration,
    /// Everything before the dot together.
    pub before_dot: Duration,
}

impl Default for Limits {
    /// Six minutes in all, well below the ten after which an unknown outcome is sent again.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            command: Duration::from_secs(60),
            content: Duration::from_secs(60),
            after_dot: Duration::from_secs(120),
            before_dot: Duration::from_secs(240),
        }
    }
}

/// What AUTH needs; Debug shows neither.
#[derive(Debug)]
pub struct Credentials {
    /// As the relay knows us.
    pub username: SecretString,
    /// Without the line break that editors add.
    pub password: SecretString,
}

impl Credentials {
    /// Reads `username` and `password` in that folder. The failure names the file, never its content.
    pub async fn read(folder: &Path) -> Result<Self, Failure> {
        Ok(Self { username: read_line(folder, "username").await?, password: read_line(folder, "password").await? })
    }
}

async fn read_line(folder: &Path, name: &str) -> Result<SecretString, Failure> {
    let path = folder.join(name);
    let mut text = tokio::fs::read_to_string(&path).await.map_err(|error| unreadable(&path, &error.kind()))?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    if text.is_empty() {
        return Err(unreadable(&path, &"empty"));
    }
    if text.contains('\0') {
        return Err(unreadable(&path, &"holds a zero byte"));
    }
    Ok(text.into())
}

/// Why a file of ours is of no use.
pub(super) fn unreadable(path: &Path, why: &dyn fmt::Display) -> Failure {
    Failure::Unreadable(format!("{}: {why}", path.display()))
}
