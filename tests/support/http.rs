//! One HTTP/1.1 GET on loopback, enough for health and metrics endpoints. Never TLS, never a redirect.

use std::io::{Error, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Fetches `http://127.0.0.1:<port><path>`: the status code and the body.
///
/// # Errors
/// When nothing listens there, no answer comes within 5 s, or the answer is not HTTP.
pub(crate) fn get(port: u16, path: &str) -> Result<(u16, String), Error> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| Error::other("no end of the header"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((status.ok_or_else(|| Error::other("no status code"))?, body.to_owned()))
}

/// A loopback port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
