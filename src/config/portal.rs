//! The portal's configuration file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::values::{listen, optional_host_and_port, optional_path, path};
use super::{
    ConfigError, File, LogConfig, RIGHT_FORMAT, RIGHT_LEVEL, RIGHT_LISTEN, RIGHT_LOG, RIGHT_URL, file, portal_url,
    read, value,
};
use crate::adapters::seal::Folders;
use crate::portal::pages::Accent;
use crate::portal::{Branding, Logo, Settings, Tls};

/// Largest logo, in bytes: it is sent with the first page that anybody opens.
const LARGEST_LOGO: u64 = 256 * 1024;
/// Longest time without contact that sessions may outlast, in seconds.
const LONGEST_OUTAGE: u16 = 3600;

/// The file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The base of the links in mails, as the controller has it: `https://` and a host.
    pub portal_url: String,
    /// Address and port of the pages.
    #[serde(default = "default_listen", deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// Address and port of `/healthz`, `/readyz` and `/metrics`.
    #[serde(default = "default_probes", deserialize_with = "listen")]
    pub listen_probes: SocketAddr,
    /// Where the pages are encrypted here; absent: somebody before us does it.
    pub tls: Option<TlsConfig>,
    /// Folder with the file `current` and, while a key is replaced, `other`: 32 random bytes in base64 each.
    #[serde(deserialize_with = "path")]
    pub keys: PathBuf,
    /// Folder with the same files from another source, or the word `none` in one: a second part, without which the keys open nothing.
    #[serde(default, deserialize_with = "optional_path")]
    pub keys_second_part: Option<PathBuf>,
    /// Networks of proxies whose `X-Forwarded-For` says who asks.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// Seconds without contact to the API server after which nobody stays signed in, 60 to 3600.
    #[serde(default = "default_outage")]
    pub session_outage_seconds: u16,
    /// Host and port of the other replicas' probes, this one's perhaps among them.
    #[serde(default, deserialize_with = "optional_host_and_port")]
    pub peers: Option<String>,
    /// How the pages look.
    #[serde(default)]
    pub branding: BrandingConfig,
    /// What is logged.
    #[serde(default)]
    pub log: LogConfig,
}

const RIGHT_PEERS: &str =
    "must be host and port of the replicas' probes, such as maple-clinic-operator-portal-metrics:8080";

/// Certificate and key, read again when they change.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate and those that vouch for it.
    #[serde(deserialize_with = "path")]
    pub certificate: PathBuf,
    /// PEM file with its key.
    #[serde(deserialize_with = "path")]
    pub key: PathBuf,
}

/// What a clinic may choose of the looks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BrandingConfig {
    /// An SVG or PNG file of at most 256 KiB.
    #[serde(default, deserialize_with = "optional_path")]
    pub logo: Option<PathBuf>,
    /// `#rrggbb`: the colour of buttons and links, dark enough for white text on it.
    pub accent: Option<String>,
}

impl File for Config {
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("portalUrl", RIGHT_URL),
        ("listen", RIGHT_LISTEN),
        ("listenProbes", RIGHT_LISTEN),
        ("tls", "must hold certificate and key"),
        ("tls.certificate", "must be the path of a PEM file"),
        ("tls.key", "must be the path of a PEM file"),
        ("keys", "must be the path of a folder"),
        ("keysSecondPart", "must be the path of a folder"),
        (
            "trustedProxies",
            "must be a list of networks such as [10.42.0.0/16, 10.42.0.7/32], none wider than /8, IPv6 /7: who is in one \
             chooses the address that wrong passwords count for",
        ),
        ("sessionOutageSeconds", "must be 60 to 3600"),
        ("peers", RIGHT_PEERS),
        ("branding", "must hold logo, accent or both"),
        ("branding.logo", "must be the path of an SVG or PNG file"),
        ("branding.accent", "must be # and six hexadecimal digits, such as '#0b6670', in quotes"),
        ("log", RIGHT_LOG),
        ("log.level", RIGHT_LEVEL),
        ("log.format", RIGHT_FORMAT),
    ];
}

/// Wider than the widest private network (RFC 1918 §3, RFC 4193 §3.1): half of everybody is no proxy.
fn is_too_wide(network: &IpNet) -> bool {
    network.prefix_len() < if network.addr().is_ipv4() { 8 } else { 7 }
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
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or something in it is unknown, missing or of the wrong kind.
    pub async fn load(path: &Path) -> Result<Self, ConfigError> {
        read(path).await
    }

    /// What the portal of the clinic in this namespace is started with.
    ///
    /// # Errors
    /// The first fault of a value, or of the logo.
    pub async fn settings(self, path: &Path, namespace: String) -> Result<Settings, ConfigError> {
        let base = portal_url(&self.portal_url, path)?;
        if !(60..=LONGEST_OUTAGE).contains(&self.session_outage_seconds) {
            return Err(Self::wrong(path, "sessionOutageSeconds"));
        }
        if self.trusted_proxies.iter().any(is_too_wide) {
            return Err(Self::wrong(path, "trustedProxies"));
        }
        let accent = self.branding.accent.as_deref().map(Accent::parse).transpose();
        let accent = accent.map_err(|error| value(path, "branding.accent", error.to_string()))?;
        let logo = match &self.branding.logo {
            Some(logo) => Some(read_logo(logo).await?),
            None => None,
        };
        Ok(Settings {
            namespace,
            base,
            listen: self.listen,
            listen_probes: self.listen_probes,
            tls: self.tls.map(|TlsConfig { certificate, key }| Tls { certificate, key }),
            keys: Folders { keys: self.keys, second_part: self.keys_second_part },
            trusted_proxies: self.trusted_proxies,
            session_outage: Duration::from_secs(self.session_outage_seconds.into()),
            peers: self.peers,
            branding: Branding { logo, accent },
        })
    }
}

/// What a file is it says itself; its name may say something else.
async fn read_logo(path: &Path) -> Result<Logo, ConfigError> {
    let fault = |what: &str| file("branding.logo", &format!("{} {what}", path.display()));
    let unreadable =
        |error: std::io::Error| file("branding.logo", &format!("failed to read {}: {error}", path.display()));
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > LARGEST_LOGO {
        return Err(fault("must have at most 256 KiB"));
    }
    let bytes = tokio::fs::read(path).await.map_err(unreadable)?;
    let media_type = media_type(&bytes).ok_or_else(|| fault("must be an SVG or a PNG picture"))?;
    Ok(Logo { media_type, bytes: bytes.into() })
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some("image/png");
    }
    std::str::from_utf8(bytes).is_ok_and(|text| text.contains("<svg")).then_some("image/svg+xml")
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const FILE: &str = "portal.yaml";

    async fn settings(text: &str) -> Result<Settings, String> {
        let config: Config = parse(text, Path::new(FILE)).map_err(|error| error.to_string())?;
        config.settings(Path::new(FILE), "maple".to_owned()).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn what_is_not_said_has_a_sensible_value() {
        let settings = settings("portalUrl: https://portal.maple.example\nkeys: /keys\n").await.unwrap();
        assert_eq!((settings.listen.port(), settings.listen_probes.port()), (8443, 8080));
        assert_eq!(settings.session_outage, Duration::from_secs(600));
        assert!(settings.tls.is_none() && settings.trusted_proxies.is_empty());
        assert!(settings.branding.logo.is_none() && settings.branding.accent.is_none());
    }

    #[tokio::test]
    async fn a_fault_names_its_field_and_says_what_is_right() {
        let right = "portalUrl: https://portal.maple.example\nkeys: /keys\n";
        for (added, expected) in [
            ("sessionOutageSeconds: 59", "sessionOutageSeconds: must be 60 to 3600"),
            ("sessionOutageSeconds: 3601", "sessionOutageSeconds: must be 60 to 3600"),
            ("branding: {accent: blue}", "branding.accent: "),
            ("branding: {accent: '#ffff00'}", "branding.accent: "),
            ("branding: {logo: /no/such/file}", "branding.logo: failed to read /no/such/file"),
            ("trustedProxies: [10.0.0.0/40]", "trustedProxies: must be a list of networks such as"),
            ("tls: {certificate: /c}", "tls.key is missing: it must be the path of a PEM file"),
            ("color: blue", "unknown field `color`"),
            ("listen: 8443", "listen"),
        ] {
            let error = settings(&format!("{right}{added}\n")).await.unwrap_err();
            assert!(error.contains(expected), "{added}: {error}");
        }
        let error = settings("portalUrl: http://portal.maple.example\nkeys: /keys\n").await.unwrap_err();
        assert!(error.contains("portalUrl: must be https://"), "{error}");
    }

    #[tokio::test]
    async fn a_logo_is_a_picture_by_its_content_and_not_large() {
        let folder = tempfile::tempdir().unwrap();
        for (content, expected) in [
            (b"<?xml version='1.0'?><svg/>".to_vec(), Ok("image/svg+xml")),
            (b"\x89PNG\r\n\x1a\n...".to_vec(), Ok("image/png")),
            (b"<html>".to_vec(), Err("must be an SVG or a PNG picture")),
            (b"\xff\xd8\xff".to_vec(), Err("must be an SVG or a PNG picture")),
            (vec![b' '; 256 * 1024 + 1], Err("must have at most 256 KiB")),
        ] {
            let path = folder.path().join("logo");
            std::fs::write(&path, &content).unwrap();
            match (read_logo(&path).await, expected) {
                (Ok(logo), Ok(media_type)) => assert_eq!(logo.media_type, media_type),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
                (found, expected) => panic!("{found:?} {expected:?}"),
            }
        }
    }
}
