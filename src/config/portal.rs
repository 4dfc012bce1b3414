//! The portal's configuration file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::Deserialize;

use super::{ConfigError, LogConfig, portal_url, read, value};

/// Longest time without contact that sessions may outlast, in seconds.
const LONGEST_OUTAGE: u16 = 3600;

/// The file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The base of the links in mails, as the controller has it: `https://` and a host.
    pub portal_url: String,
    /// Address and port of the pages.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Address and port of `/healthz`, `/readyz` and `/metrics`.
    #[serde(default = "default_probes")]
    pub listen_probes: SocketAddr,
    /// Where the pages are encrypted here; absent: somebody before us does it.
    pub tls: Option<TlsConfig>,
    /// Folder with the file `current` and, while a key is replaced, `other`: 32 random bytes in base64 each.
    pub keys: PathBuf,
    /// Networks of proxies whose `X-Forwarded-For` says who asks.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// Seconds without contact to the API server after which nobody stays signed in, 60 to 3600.
    #[serde(default = "default_outage")]
    pub session_outage_seconds: u16,
    /// How the pages look.
    #[serde(default)]
    pub branding: BrandingConfig,
    /// What is logged.
    #[serde(default)]
    pub log: LogConfig,
}

/// Certificate and key, read again when they change.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate and those that vouch for it.
    pub certificate: PathBuf,
    /// PEM file with its key.
    pub key: PathBuf,
}

/// What a clinic may choose of the looks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BrandingConfig {
    /// An SVG or PNG file of at most 256 KiB.
    pub logo: Option<PathBuf>,
    /// `#rrggbb`: the colour of buttons and links, dark enough for white text on it.
    pub accent: Option<String>,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 8443))
}

fn default_probes() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 8080))
}

fn default_outage() -> u16 {
    600
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// The first fault.
    pub async fn load(path: &Path) -> Result<Self, ConfigError> {
        let config: Self = read(path).await?;
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        portal_url(&self.portal_url, path)?;
        if !(60..=LONGEST_OUTAGE).contains(&self.session_outage_seconds) {
            return Err(value(path, "sessionOutageSeconds", "must be 60 to 3600"));
        }
        Ok(())
    }
}
