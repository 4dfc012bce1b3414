//! One connection to a relay: lines out, replies in. Knows how SMTP looks on the wire (RFC 5321 §2.3.8,
//! §4.2); which command comes when is `smtp`'s business. Sets no time limits and writes no logs.

use std::sync::Arc;

use futures::FutureExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use super::{
    connect::connect,
    relay::Relay,
    tls::{client_config, refused},
};
use crate::domain::delivery::{Cause, Failure, Reply};

/// Bytes; RFC 5321 §4.5.3.1.5 allows 512, servers are chattier.
const LONGEST_LINE: u64 = 4096;
const MOST_LINES: usize = 128;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection.
pub(super) struct Wire {
    stream: BufReader<Box<dyn Stream>>,
}

/// A whole reply with its text, which never leaves this folder.
pub(super) struct Answer {
    pub(super) code: u16,
    /// Without code and line break.
    pub(super) lines: Vec<String>,
}

impl Answer {
    /// The part that may be repeated.
    pub(super) fn reply(&self) -> Reply {
        Reply::parse(self.code, self.lines.first().map_or("", String::as_str))
    }
}

impl Wire {
    /// TCP only.
    pub(super) async fn connect(host: &str, port: u16) -> Result<Self, Failure> {
        let stream = connect(host, port).await.map_err(|_| Failure::Other(Cause::Unreachable))?;
        // Commands are small and each waits for its reply: never hold one back.
        stream.set_nodelay(true).map_err(|_| Failure::Other(Cause::Disconnected))?;
        Ok(Self { stream: BufReader::new(Box::new(stream)) })
    }

    /// The TLS handshake. Whatever was received before it is an answer that somebody slipped in (CVE-2011-0411): refused.
    pub(super) async fn encrypt(self, relay: &Relay) -> Result<Self, Failure> {
        if !self.stream.buffer().is_empty() {
            return Err(Failure::Other(Cause::Malformed));
        }
        let name = ServerName::try_from(relay.host.clone()).map_err(|_| Failure::Other(Cause::Tls))?;
        let connector = TlsConnector::from(Arc::new(client_config(relay).await?));
        let stream = connector.connect(name, self.stream.into_inner()).await;
        let stream = stream.map_err(|error| Failure::Other(refused(&relay.host, &error)))?;
        Ok(Self { stream: BufReader::new(Box::new(stream)) })
    }

    /// One line out, without its line break, and the reply to it.
    pub(super) async fn command(&mut self, line: &str) -> Result<Answer, Failure> {
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.answer().await
    }

    /// Bytes out, flushed.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).await.map_err(|_| Failure::Other(Cause::Disconnected))?;
        self.stream.flush().await.map_err(|_| Failure::Other(Cause::Disconnected))
    }

    /// Whether the server has closed or spoken although it is our turn. Does not wait.
    pub(super) async fn interrupted(&mut self) -> bool {
        tokio::task::yield_now().await;
        self.stream.fill_buf().now_or_never().is_some()
    }

    /// The next reply, of one or more lines.
    pub(super) async fn answer(&mut self) -> Result<Answer, Failure> {
        let mut answer: Option<Answer> = None;
        for _ in 0..MOST_LINES {
            let (code, last, text) = parse_line(&self.line().await?).ok_or(Failure::Other(Cause::Malformed))?;
            let answer = answer.get_or_insert_with(|| Answer { code, lines: Vec::new() });
            if answer.code != code {
                return Err(Failure::Other(Cause::Malformed));
            }
            answer.lines.push(text);
            if last {
                return Ok(Answer { code, lines: std::mem::take(&mut answer.lines) });
            }
        }
        Err(Failure::Other(Cause::Malformed))
    }

    async fn line(&mut self) -> Result<Vec<u8>, Failure> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(LONGEST_LINE);
        bounded.read_until(b'\n', &mut line).await.map_err(|_| Failure::Other(Cause::Disconnected))?;
        match line.last() {
            Some(b'\n') => Ok(line),
            Some(_) if bounded.limit() == 0 => Err(Failure::Other(Cause::Malformed)),
            Some(_) | None => Err(Failure::Other(Cause::Disconnected)),
        }
    }
}

/// Code, whether it is the last line, text.
fn parse_line(line: &[u8]) -> Option<(u16, bool, String)> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\r', '\n']);
    let (code, rest) = text.split_at_checked(3)?;
    let plain = code.bytes().all(|b| b.is_ascii_digit());
    let code = code.parse().ok().filter(|code| plain && (200..600).contains(code))?;
    match rest.as_bytes().first() {
        None => Some((code, true, String::new())),
        Some(b' ') => Some((code, true, rest[1..].to_owned())),
        Some(b'-') => Some((code, false, rest[1..].to_owned())),
        Some(_) => None,
    }
}

/// A message as DATA wants it: every line break CRLF, so that no relay sees an end that others do not see, leading dots
/// doubled (RFC 5321 §4.5.2), and a line break at the end.
pub(super) fn with_doubled_dots(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_nowhere_but_at_its_end() {
        for (message, sent) in [
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a", "a\r\n"),
            (".", "..\r\n"),
            ("a\r\n.\r\nQUIT\r\n", "a\r\n..\r\nQUIT\r\n"),
            ("a\n.\nb\r.\rc", "a\r\n..\r\nb\r\n..\r\nc\r\n"),
            ("\r\n\r\n..x", "\r\n\r\n...x\r\n"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(with_doubled_dots(message.as_bytes())).unwrap(), sent, "{message:?}");
        }
    }

    #[test]
    fn a_line_is_a_code_and_a_text_or_nothing() {
        for (line, parsed) in [
            ("250 ok\r\n", Some((250, true, "ok"))),
            ("250-first\n", Some((250, false, "first"))),
            ("354\r\n", Some((354, true, ""))),
            ("25\r\n", None),
            ("+50 ok\r\n", None),
            ("199 ok\r\n", None),
            ("600 ok\r\n", None),
            ("2500 ok\r\n", None),
            ("HTTP/1.1 400 Bad Request\r\n", None),
            ("é50 ok\r\n", None),
        ] {
            let expected = parsed.map(|(code, last, text)| (code, last, text.to_owned()));
            assert_eq!(parse_line(line.as_bytes()), expected, "{line:?}");
        }
    }
}
