//! The controller's configuration file, and its faults in words. Everything that decides where mail and links go comes from
//! here, from files that the chart mounts, never from a resource that members of the clinic can edit.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;
use serde::Deserialize;

use crate::adapters::mail::{Limits, Relay, SecretKind, SignIn, TlsMode, authorities};
use crate::controller::mailer;
use crate::domain::delivery::Failure;

/// The file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Base of the links in mails: `https://` and a host, without a slash at its end.
    pub portal_url: String,
    /// Address and port of `/healthz`, `/readyz` and `/metrics`.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// What is logged.
    #[serde(default)]
    pub log: LogConfig,
    /// The relay.
    pub mail: MailConfig,
}

/// What is logged. Addresses, links, tokens and passwords never are, at no level; names of objects are.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogConfig {
    /// The least important level that is logged of this program; its libraries log warnings only.
    #[serde(default)]
    pub level: LogLevel,
    /// One JSON object a line, or text.
    #[serde(default)]
    pub format: LogFormat,
}

/// Log levels.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures that need a person.
    Error,
    /// Failures that are tried again.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// What was decided.
    Debug,
    /// Everything.
    Trace,
}

/// Log formats.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// The relay and the rate. Debug leaves its addresses out (I7).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailConfig {
    /// DNS name or IP address; its certificate must have this name.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Tls,
    /// PEM file with the only authorities to trust; absent: those of the platform.
    pub ca_file: Option<PathBuf>,
    /// Header From and envelope sender, such as `Maple Clinic <no-reply@maple.example>`.
    pub from: Mailbox,
    /// Where answers go; absent: to `from`.
    pub reply_to: Option<Mailbox>,
    /// Folder with the file `username` and the file of the secret; absent: no authentication.
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
    /// Dialogues with the relay at the same time.
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

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file.
    #[error("failed to read the configuration {path}: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Its text.
    #[error("the configuration {path} is not valid: {error}")]
    Invalid {
        /// Which.
        path: PathBuf,
        /// Line, column and what is wrong.
        error: String,
    },
    /// A value.
    #[error("the configuration {path} is not valid: {field}: {error}")]
    Value {
        /// Which file.
        path: PathBuf,
        /// The field's path.
        field: &'static str,
        /// What is wrong and what is right.
        error: &'static str,
    },
    /// A file that it names.
    #[error("{field}: {error}")]
    File {
        /// The field's path.
        field: &'static str,
        /// The file and the kind of error; never its content.
        error: String,
    },
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 8080))
}

fn default_port() -> u16 {
    587
}

fn default_timeout() -> u8 {
    60
}

fn default_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(10).unwrap() }
}

fn default_connections() -> NonZeroU32 {
    const { NonZeroU32::new(4).unwrap() }
}

impl Config {
    /// Reads and checks the file, and that the files that it names can be read.
    ///
    /// # Errors
    /// The first fault.
    pub async fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        let config = Self::parse(&text, path)?;
        if let Some(sign_in) = config.mail.sign_in() {
            let unreadable = |error: Failure| ConfigError::File { field: "mail.credentials", error: error.to_string() };
            sign_in.read().await.map_err(unreadable)?;
        }
        if let Some(file) = &config.mail.ca_file {
            authorities(file)
                .await
                .map_err(|error| ConfigError::File { field: "mail.caFile", error: error.to_string() })?;
        }
        Ok(config)
    }

    /// Parses and checks the text of the file `path`.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = serde_yaml::from_str_with_options(text, serde_yaml::options! { with_snippet: false })
            .map_err(|error| ConfigError::Invalid { path: path.to_owned(), error: in_words(&error, text) })?;
        let value = |field, error| ConfigError::Value { path: path.to_owned(), field, error };
        let is_url = ["https://", "http://"].iter().any(|scheme| {
            let rest = config.portal_url.strip_prefix(scheme);
            rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '['))
        });
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-._~:/[]%".contains(character);
        if !is_url || config.portal_url.ends_with('/') || !config.portal_url.chars().all(is_plain) {
            let right = "must be https:// and a host such as https://portal.maple.example, without a slash at its end";
            return Err(value("portalUrl", right));
        }
        if !config.mail.from.email.to_string().is_ascii() {
            return Err(value("mail.from", "must be an ASCII address (write an accented domain in its xn-- form)"));
        }
        if matches!(config.mail.auth, Auth::XOAuth2) && config.mail.credentials.is_none() {
            return Err(value("mail.auth", "needs mail.credentials, the folder with the files username and token"));
        }
        let longest = Limits::LONGEST_STEP.as_secs();
        if !(1..=longest).contains(&u64::from(config.mail.timeout_seconds)) {
            return Err(value("mail.timeoutSeconds", "must be 1 to 80"));
        }
        if config.mail.host.trim().is_empty() {
            return Err(value("mail.host", "must be the DNS name or IP address of the relay"));
        }
        Ok(config)
    }

    /// What the mailer needs.
    pub fn mailer(&self) -> mailer::Settings {
        let mail = &self.mail;
        mailer::Settings {
            relay: Relay {
                host: mail.host.clone(),
                port: mail.port,
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

/// One line. A fault in a value names its key, but never the value: somebody may have put a password there.
fn in_words(error: &serde_yaml::Error, text: &str) -> String {
    let key = error.location().and_then(|place| {
        let line = text.lines().nth(usize::try_from(place.line()).ok()?.checked_sub(1)?)?;
        let before: String = line.chars().take(usize::try_from(place.column()).ok()?.checked_sub(1)?).collect();
        let key = before.trim_end().strip_suffix(':')?.rsplit(['{', ',', ' ']).next()?.trim_matches('"').to_owned();
        Some(key)
    });
    match key {
        Some(key) => format!("{key}: {}", without_values(&error.to_string())),
        None => without_values(&error.to_string()),
    }
}

/// What a parser says, with `…` for each value that it quotes. The key that it does not know stays: it is what is wrong.
fn without_values(said: &str) -> String {
    const OPENINGS: [&str; 3] = ["unknown variant `", "string \"", "value \""];
    let first = OPENINGS.iter().filter_map(|opening| Some((said.find(opening)?, *opening))).min();
    let Some((at, opening)) = first else { return said.to_owned() };
    let (before, value) = said.split_at(at + opening.len());
    let (shown, quote) = before.split_at(before.len() - 1);
    // A text may hold the quote that ends it; after a variant the right ones are named in the same quotes.
    let end = if quote == "`" { value.find(quote) } else { value.rfind(quote) };
    let after = end.and_then(|end| value.get(end + 1..)).unwrap_or_default();
    format!("{shown}…{}", without_values(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "portalUrl: https://portal.maple.example\nmail:\n  host: smtp.maple.example\n  from: Maple Clinic <no-reply@maple.example>\n";

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("config.yaml")).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_has_sensible_defaults() {
        let config = parse(GOOD).unwrap();
        assert_eq!((config.mail.port, config.mail.mails_per_minute.get()), (587, 10));
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
            ("portal.maple.example\n", "portal.maple.example/\n", "without a slash at its end"),
            ("portal.maple.example\n", "portal.maple.example/it's\n", "portalUrl: must be https://"),
            ("no-reply@maple.example", "no-reply@érable.example", "mail.from: must be an ASCII address"),
            ("mail:\n", "mail:\n  tls: Sometimes\n", "tls: unknown variant …, expected one of StartTLS, TLS, None"),
            ("mail:\n", "mail:\n  mailsPerMinute: 0\n", "expected a nonzero u32 at line 3"),
            ("mail:\n", "mail:\n  timeoutSeconds: 81\n", "mail.timeoutSeconds: must be 1 to 80"),
            ("mail:\n", "mail:\n  timeoutSeconds: 0\n", "mail.timeoutSeconds: must be 1 to 80"),
            ("mail:\n", "mail:\n  auth: Kerberos\n", "auth: unknown variant …, expected one of Password, XOAUTH2"),
            ("mail:\n", "mail:\n  auth: XOAUTH2\n", "mail.auth: needs mail.credentials"),
            ("mail:\n", "mail:\n  hots: x\n", "hots"),
            ("  host: smtp.maple.example\n", "", "host"),
            ("from: Maple Clinic <no-reply@maple.example>", "from: nobody", "from: "),
        ] {
            let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(
                error.starts_with("the configuration config.yaml is not valid") && error.contains(expected),
                "{error}"
            );
        }
    }
}
