//! The controller's configuration file.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;
use serde::Deserialize;

use super::values::{host, listen, mailbox, optional_mailbox, optional_path};
use super::{
    ConfigError, File, LogConfig, RIGHT_FORMAT, RIGHT_LEVEL, RIGHT_LISTEN, RIGHT_LOG, RIGHT_URL, file, portal_url,
    read, value,
};
use crate::adapters::mail::{EhloName, InvalidEhloName, Limits, Relay, SecretKind, SignIn, TlsMode, check_authorities};
use crate::controller::mailer;
use crate::domain::delivery::Failure;

/// The file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Base of the links in mails: `https://` and a host, without a slash at its end.
    pub portal_url: String,
    /// Address and port of `/healthz`, `/readyz` and `/metrics`.
    #[serde(default = "default_listen", deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// Whether it works only while it has the lease of its namespace, so that several can run.
    #[serde(default = "yes")]
    pub leader_election: bool,
    /// What is logged.
    #[serde(default)]
    pub log: LogConfig,
    /// The relay.
    pub mail: MailConfig,
}

/// The relay and the rate. Debug leaves its addresses out (I7).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailConfig {
    /// DNS name or IP address; its certificate must have this name.
    #[serde(deserialize_with = "host")]
    pub host: String,
    /// TCP port.
    #[serde(default = "default_port")]
    pub port: NonZeroU16,
    /// What the controller calls itself in EHLO; absent: the host's name, or the domain of `from`.
    pub ehlo_name: Option<EhloName>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Tls,
    /// PEM file with the only authorities to trust; absent: those of the platform.
    #[serde(default, deserialize_with = "optional_path")]
    pub ca_file: Option<PathBuf>,
    /// Header From and envelope sender, such as `Maple Clinic <no-reply@maple.example>`.
    #[serde(deserialize_with = "mailbox")]
    pub from: Mailbox,
    /// Where answers go; absent: to `from`.
    #[serde(default, deserialize_with = "optional_mailbox")]
    pub reply_to: Option<Mailbox>,
    /// Folder with the file `username` and the file of the secret; absent: no authentication.
    #[serde(default, deserialize_with = "optional_path")]
    pub credentials: Option<PathBuf>,
    /// What the secret is.
    #[serde(default)]
    pub auth: Auth,
    /// Seconds that the relay may take for a step of the dialogue, 1 to 80.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u8,
    /// Mails a minute, of all kinds together.
    #[serde(default = "default_per_minute")]
    pub mails_per_minute: NonZeroU32,
    /// Dialogues with the relay at the same time, 1 to 1000.
    #[serde(default = "default_connections")]
    pub connections: NonZeroU32,
}

impl fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailConfig").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// The words for the protection of the connection.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub enum Tls {
    /// STARTTLS, required.
    #[default]
    #[serde(rename = "StartTLS")]
    StartTls,
    /// TLS from the first byte.
    #[serde(rename = "TLS")]
    Tls,
    /// None: password and links travel in the clear.
    None,
}

/// The words for what proves who we are.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub enum Auth {
    /// The file `password`: AUTH PLAIN or LOGIN.
    #[default]
    Password,
    /// The file `token` with an OAuth 2.0 access token.
    #[serde(rename = "XOAUTH2")]
    XOAuth2,
}

impl File for Config {
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("portalUrl", RIGHT_URL),
        ("listen", RIGHT_LISTEN),
        ("leaderElection", "must be true or false"),
        ("log", RIGHT_LOG),
        ("log.level", RIGHT_LEVEL),
        ("log.format", RIGHT_FORMAT),
        ("mail", "must hold host, from and what else the relay needs"),
        (
            "mail.host",
            "must be the DNS name (an accented one in its xn-- form) or IP address of the relay, without a port",
        ),
        ("mail.port", "must be 1 to 65535"),
        ("mail.ehloName", InvalidEhloName::RIGHT),
        ("mail.tls", "must be StartTLS, TLS or None"),
        ("mail.caFile", "must be the path of a PEM file"),
        ("mail.from", RIGHT_MAILBOX),
        ("mail.replyTo", RIGHT_MAILBOX),
        ("mail.credentials", "must be the path of a folder"),
        ("mail.auth", "must be Password or XOAUTH2"),
        ("mail.timeoutSeconds", "must be 1 to 80"),
        ("mail.mailsPerMinute", "must be a whole number, 1 or more"),
        ("mail.connections", "must be 1 to 1000"),
    ];
}

const RIGHT_MAILBOX: &str = "must be one ASCII address (write an accented domain in its xn-- form), alone or in angle brackets \
                             after a name: Maple Clinic <no-reply@maple.example>; a name with @ or angle brackets needs quotes, and none has invisible characters";
const MOST_CONNECTIONS: u32 = 1000;

/// Whether what is sent there stays on this host.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn yes() -> bool {
    true
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 8080))
}

fn default_port() -> NonZeroU16 {
    const { NonZeroU16::new(587).unwrap() }
}

fn default_timeout() -> u8 {
    60
}

fn default_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(10).unwrap() }
}

/// Microsoft 365 takes three from a mailbox at the same time.
fn default_connections() -> NonZeroU32 {
    const { NonZeroU32::new(3).unwrap() }
}

impl Config {
    /// Reads and checks the file, and that the files that it names can be read.
    ///
    /// # Errors
    /// The first fault.
    pub async fn load(path: &Path) -> Result<Self, ConfigError> {
        let config: Self = read(path).await?;
        config.check(path)?;
        if let Some(sign_in) = config.mail.sign_in() {
            sign_in.read().await.map_err(|error: Failure| file("mail.credentials", &error))?;
        }
        if let Some(authority) = &config.mail.ca_file {
            check_authorities(authority).await.map_err(|error| file("mail.caFile", &error))?;
        }
        Ok(config)
    }

    pub(super) fn check(&self, path: &Path) -> Result<(), ConfigError> {
        portal_url(&self.portal_url, path)?;
        let mail = &self.mail;
        if matches!(mail.auth, Auth::XOAuth2) && mail.credentials.is_none() {
            return Err(value(
                path,
                "mail.auth",
                "needs mail.credentials, the folder with the files username and token",
            ));
        }
        if matches!(mail.tls, Tls::None) && mail.credentials.is_some() && !is_loopback(&mail.host) {
            return Err(value(
                path,
                "mail.tls",
                "None would send mail.credentials in the clear to another host: set it to StartTLS or TLS, or leave them out",
            ));
        }
        if !(1..=Limits::LONGEST_STEP.as_secs()).contains(&u64::from(mail.timeout_seconds)) {
            return Err(Self::wrong(path, "mail.timeoutSeconds"));
        }
        if mail.connections.get() > MOST_CONNECTIONS {
            return Err(Self::wrong(path, "mail.connections"));
        }
        Ok(())
    }

    /// What the mailer needs.
    pub fn mailer(&self) -> mailer::Settings {
        let mail = &self.mail;
        mailer::Settings {
            relay: Relay {
                host: mail.host.clone(),
                port: mail.port.get(),
                ehlo_name: mail.ehlo_name.clone().unwrap_or_else(|| EhloName::default_for(&mail.from.email)),
                tls: match mail.tls {
                    Tls::StartTls => TlsMode::StartTls,
                    Tls::Tls => TlsMode::Tls,
                    Tls::None => TlsMode::None,
                },
                from: mail.from.clone(),
                reply_to: mail.reply_to.clone(),
                sign_in: mail.sign_in(),
                ca_file: mail.ca_file.clone(),
                limits: Limits::of(Duration::from_secs(mail.timeout_seconds.into())),
            },
            portal_url: self.portal_url.clone(),
            per_minute: mail.mails_per_minute,
            connections: mail.connections,
        }
    }
}

impl MailConfig {
    fn sign_in(&self) -> Option<SignIn> {
        let secret = match self.auth {
            Auth::Password => SecretKind::Password,
            Auth::XOAuth2 => SecretKind::Token,
        };
        self.credentials.clone().map(|folder| SignIn { folder, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "portalUrl: https://portal.maple.example\nmail:\n  host: smtp.maple.example\n  from: Maple Clinic <no-reply@maple.example>\n";

    fn parse(text: &str) -> Result<Config, String> {
        let path = Path::new("config.yaml");
        let config: Config = super::super::parse(text, path).map_err(|error| error.to_string())?;
        config.check(path).map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn what_is_not_said_has_sensible_defaults() {
        let config = parse(GOOD).unwrap();
        assert_eq!(
            (config.mail.port.get(), config.mail.mails_per_minute.get(), config.mail.connections.get()),
            (587, 10, 3)
        );
        assert!(matches!(config.mail.tls, Tls::StartTls));
    }

    /// Somebody puts a password into the wrong line.
    #[test]
    fn a_value_that_does_not_fit_is_never_quoted() {
        for key in ["tls", "auth", "port", "mailsPerMinute", "connections", "timeoutSeconds", "from", "replyTo"] {
            for value in ["hunter2", "'hunter2'", "\"hunter2 # x\"", "[hunter2, 1]", "{a: hunter2}"] {
                let error = parse(&GOOD.replace("mail:\n", &format!("mail:\n  {key}: {value}\n"))).unwrap_err();
                assert!(!error.contains("hunter2"), "{key}: {value}: {error}");
                assert!(error.contains(key) || !value.contains("'h"), "{key}: {value}: {error}");
            }
        }
        for line in
            ["log: {level: hunter2}", "log: {format: hunter2}", "log: hunter2", "listen: hunter2", "listen: [hunter2]"]
        {
            let error = parse(&format!("{line}\n{GOOD}")).unwrap_err();
            assert!(!error.contains("hunter2"), "{line}: {error}");
        }
    }

    #[test]
    fn a_fault_names_its_field_and_what_is_right() {
        for (from, to, expected) in [
            (
                "portalUrl: https://portal.maple.example",
                "portalUrl: portal.maple.example",
                "portalUrl: must be https://",
            ),
            ("portal.maple.example\n", "portal.maple.example/\n", "without a path or a slash at its end"),
            ("portal.maple.example\n", "portal.maple.example/it's\n", "portalUrl: must be https://"),
            ("no-reply@maple.example", "no-reply@érable.example", "mail.from: must be one ASCII address"),
            ("mail:\n", "mail:\n  tls: Sometimes\n", "mail.tls: must be StartTLS, TLS or None (line 3, column 8)"),
            (
                "mail:\n",
                "mail:\n  mailsPerMinute: 0\n",
                "mail.mailsPerMinute: must be a whole number, 1 or more (line 3",
            ),
            ("mail:\n", "mail:\n  port: 0\n", "mail.port: must be 1 to 65535 (line 3"),
            ("mail:\n", "mail:\n  timeoutSeconds: 81\n", "mail.timeoutSeconds: must be 1 to 80"),
            ("mail:\n", "mail:\n  auth: XOAUTH2\n", "mail.auth: needs mail.credentials"),
            ("mail:\n", "mail:\n  hots: x\n", "unknown field `hots`, expected one of host, port, "),
            ("  host: smtp.maple.example\n", "", "mail.host is missing: it must be the DNS name"),
            ("host: smtp.maple.example", "host: a b", "mail.host: must be the DNS name"),
        ] {
            let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(
                error.starts_with("the configuration config.yaml is not valid") && error.contains(expected),
                "{error}"
            );
        }
    }
}
