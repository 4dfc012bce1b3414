//! The portal's base URL: where the links in mails lead, and the origin that its own forms come from. What is served there never
//! stands here.

use std::fmt;

use super::host::{LONGEST_NAME, is_label};

/// What is right, for whoever wrote something else.
const RIGHT: &str = "must be https:// and a host such as https://portal.maple.example, without a path or a slash at its end \
                     (http:// only for localhost)";

/// `https://` and a host, perhaps with a port; `http://` for this machine alone, since links are secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalUrl(String);

/// A text is no base URL of a portal. It quotes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{RIGHT}")]
pub struct PortalUrlError;

impl PortalUrl {
    /// Parses it.
    ///
    /// # Errors
    /// It is anything else, or would be written otherwise by a browser (in capitals, with the port that goes without saying).
    pub fn parse(text: &str) -> Result<Self, PortalUrlError> {
        let (is_secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(PortalUrlError),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let usual = if is_secure { "443" } else { "80" };
        let is_port = |port: &str| {
            port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port) && port != usual
        };
        let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let is_right = is_host(host) && port.is_none_or(is_port) && (is_secure || is_here);
        is_right.then(|| Self(text.to_owned())).ok_or(PortalUrlError)
    }

    /// As it was written, which is also the origin (RFC 6454) of its pages.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its host has a domain above it, as `portal.maple.example` has: what lies below the host is then the portal's own. Below
    /// `maple.example` are hosts of others too.
    pub fn is_below_a_domain(&self) -> bool {
        self.0.matches('.').count() >= 2
    }

    /// Whether it is reached by TLS.
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for PortalUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return !address.is_empty() && address.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b':'));
    }
    host.len() <= LONGEST_NAME && host.split('.').all(is_label) && !host.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_scheme_and_a_host_as_a_browser_writes_it() {
        for right in [
            "https://portal.maple.example",
            "https://portal.maple.example:8443",
            "https://xn--rable-9ra.example",
            "https://[2001:db8::1]:8443",
            "http://localhost:8080",
            "http://127.0.0.1:8080",
            "http://[::1]",
        ] {
            assert_eq!(PortalUrl::parse(right).map(|url| url.to_string()).as_deref(), Ok(right));
        }
        for wrong in [
            "",
            "portal.maple.example",
            "https://",
            "https://portal.maple.example/",
            "https://portal.maple.example/clinic",
            "https://portal.maple.example?x",
            "https://Portal.maple.example",
            "https://portal.maple.example:443",
            "https://portal.maple.example:0443",
            "https://portal.maple.example:0",
            "https://portal.maple.example:x",
            "https://user@portal.maple.example",
            "https://portal..example",
            "https://-x.example",
            "https://[x]",
            "https://[",
            "https://é.example",
            "https://it's.example",
            "http://portal.maple.example",
            "http://localhost.example",
            "http://localhost:80",
            "ftp://portal.maple.example",
        ] {
            assert_eq!(PortalUrl::parse(wrong), Err(PortalUrlError), "{wrong}");
        }
    }
}
