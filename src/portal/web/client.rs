//! Who asks, as far as the network says: the address of the connection, or what proxies that we trust say of it. Whether somebody
//! asks too often never stands here.

use std::fmt;
use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The header in which each proxy adds who connected to it, the last one at the end.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// A client: an IPv4 address, or the /64 network of an IPv6 address, of which one client has all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(IpAddr);

impl Client {
    /// The client of a connection from `peer`. Entries of the header are believed from the last one on, as long as the one who
    /// wrote it is trusted.
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let mut client = peer.to_canonical();
        let values: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
        for entry in values.iter().flat_map(|value| value.split(',')).rev() {
            let Some(before) = parse(entry).filter(|_| is_trusted(client, trusted)) else { break };
            client = before.to_canonical();
        }
        Self(network(client, 32, 64))
    }

    /// The client at the other end of a connection.
    pub fn of_peer(peer: IpAddr) -> Self {
        Self(network(peer.to_canonical(), 32, 64))
    }

    /// The network that they are in, of which one party may have all: the /24 of an IPv4 address, the /48 of an IPv6 address.
    pub fn network(self) -> IpAddr {
        network(self.0, 24, 48)
    }
}

/// As it is blocked: an IPv4 address, or a network of IPv6.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

/// Whether somebody says whom they ask for without being trusted: perhaps a proxy that nobody named.
pub fn is_unnamed_proxy(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> bool {
    headers.contains_key(FORWARDED_FOR) && !is_trusted(peer, trusted)
}

/// Whether an address is in one of these networks.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address.to_canonical()))
}

/// Some proxies add the port.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    entry.parse().ok().or_else(|| entry.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

/// The network around an address, of so many bits.
fn network(address: IpAddr, of_4: u8, of_6: u8) -> IpAddr {
    let bits = if address.is_ipv4() { of_4 } else { of_6 };
    IpNet::new(address, bits).map_or(address, |network| network.network())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_believed_if_it_is_trusted_and_nobody_else_is() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (peer, said, expected) in [
            ("203.0.113.7", vec![], "203.0.113.7"),
            ("203.0.113.7", vec!["198.51.100.1"], "203.0.113.7"),
            ("10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
            ("::ffff:10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["192.0.2.66", "198.51.100.1,10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", vec!["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
            ("10.0.0.1", vec!["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
            ("fd00::1", vec!["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::"),
            ("fd00::1", vec!["[2001:db8:1:2:3:4:5:6]:4711"], "2001:db8:1:2::"),
            ("2001:db8:1:2::9", vec![], "2001:db8:1:2::"),
        ] {
            let mut headers = HeaderMap::new();
            for value in &said {
                headers.append(FORWARDED_FOR, value.parse().unwrap());
            }
            let client = Client::of(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(client, Client(expected.parse().unwrap()), "{peer} {said:?}");
        }
    }

    #[test]
    fn it_is_told_as_a_firewall_takes_it() {
        let told = |peer: &str| Client::of(peer.parse().unwrap(), &HeaderMap::new(), &[]).to_string();
        assert_eq!(["203.0.113.7", "2001:db8:1:2::9"].map(told), ["203.0.113.7", "2001:db8:1:2::/64"]);
    }

    #[test]
    fn a_network_is_what_one_party_may_have() {
        for (address, expected) in [("203.0.113.7", "203.0.113.0"), ("2001:db8:1:2::9", "2001:db8:1::")] {
            let client = Client::of(address.parse().unwrap(), &HeaderMap::new(), &[]);
            assert_eq!(client.network(), expected.parse::<IpAddr>().unwrap());
        }
    }
}
