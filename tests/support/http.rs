//! One HTTP/1.1 GET on loopback, enough for health and metrics endpoints. Never TLS, never a redirect.

use std::io::{Error, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU16, Ordering};
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

/// A port of loopback on which nothing listens, another one each time: below the range out of which systems take ports for outgoing
/// connections and that of the control plane, so that nothing else takes it before it is used.
pub(crate) fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    const RANGE: u16 = 9_000;
    let start = u16::try_from(std::process::id() % u32::from(RANGE)).expect("less than the range");
    (0..RANGE)
        .map(|_| 10_000 + (start + TAKEN.fetch_add(1, Ordering::Relaxed) % RANGE) % RANGE)
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("loopback has a free port")
}
