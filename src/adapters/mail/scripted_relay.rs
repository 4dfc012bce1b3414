//! A relay for tests: plays its part of the dialogue over the loopback, but for one trouble, and tells what it read.
use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use super::TlsMode;
use crate::domain::delivery::Stage;

/// What the server does at one stage instead of its part.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    Says(&'static str),
    /// Says the second once the client has answered the first.
    SaysThen(&'static str, &'static str),
    Hangs,
    Drips,
    Drops,
}

/// A server that plays its part but for one trouble.
#[derive(Clone, Default)]
pub(super) struct Script {
    pub(super) trouble: Option<(Stage, Trouble)>,
    pub(super) tls: Option<(TlsMode, Arc<ServerConfig>)>,
    pub(super) auth: &'static str,
}

/// What the server read, line by line.
pub(super) type Transcript = Vec<String>;

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}
type Server = BufReader<Box<dyn Socket>>;

impl Script {
    pub(super) fn troubled(stage: Stage, trouble: Trouble) -> Self {
        Self { trouble: Some((stage, trouble)), ..Self::default() }
    }

    /// Serves one connection until its end.
    pub(super) async fn start(self) -> (u16, JoinHandle<Transcript>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = async move {
            let (socket, _) = listener.accept().await.unwrap();
            let mut read = Transcript::new();
            // `None` is how a dropped connection ends the play.
            let _ = self.play(BufReader::new(Box::new(socket)), &mut read).await;
            read
        };
        (port, tokio::spawn(server))
    }

    async fn play(&self, mut socket: Server, read: &mut Transcript) -> Option<()> {
        if self.tls_mode() == Some(TlsMode::Tls) {
            socket = self.encrypt(socket).await?;
        }
        self.say(&mut socket, Stage::Greeting, "220-relay.example\r\n220 ready").await?;
        loop {
            let line = line(&mut socket).await?;
            read.push(line.clone());
            let word = line.split([' ', ':']).next().unwrap_or_default().to_owned();
            match word.as_str() {
                "EHLO" => self.say(&mut socket, Stage::Ehlo, &self.offers()).await?,
                "STARTTLS" => {
                    self.say(&mut socket, Stage::StartTls, "220 go").await?;
                    socket = self.encrypt(socket).await?;
                }
                "AUTH" if line == "AUTH LOGIN" => {
                    for prompt in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
                        self.say(&mut socket, Stage::Auth, prompt).await?;
                        read.push(self::line(&mut socket).await?);
                    }
                    self.say(&mut socket, Stage::Auth, "235 2.7.0 ok").await?;
                }
                "AUTH" => self.say(&mut socket, Stage::Auth, "235 2.7.0 ok").await?,
                "MAIL" => self.say(&mut socket, Stage::MailFrom, "250 2.1.0 ok").await?,
                "RCPT" => self.say(&mut socket, Stage::RcptTo, "250 2.1.5 ok").await?,
                "DATA" => {
                    self.say(&mut socket, Stage::Data, "354 go").await?;
                    if matches!(self.trouble, Some((Stage::Content, _))) {
                        self.say(&mut socket, Stage::Content, "").await?;
                        // Read on, so that the client meets what was said and not a full buffer.
                    }
                    loop {
                        let content = self::line(&mut socket).await?;
                        read.push(content.clone());
                        if content == "." {
                            break;
                        }
                    }
                    self.say(&mut socket, Stage::AfterDot, "250 2.0.0 queued as canary").await?;
                }
                "QUIT" => return self.say(&mut socket, Stage::Connect, "221 bye").await,
                other => panic!("unexpected {other}"),
            }
        }
    }

    fn tls_mode(&self) -> Option<TlsMode> {
        self.tls.as_ref().map(|(mode, _)| *mode)
    }

    fn offers(&self) -> String {
        let start_tls = if self.tls_mode() == Some(TlsMode::StartTls) { "250-starttls\r\n" } else { "" };
        let auth = if self.auth.is_empty() { String::new() } else { format!("250-{}\r\n", self.auth) };
        format!("250-relay.example\r\n{start_tls}{auth}250 8BITMIME")
    }

    async fn encrypt(&self, socket: Server) -> Option<Server> {
        let config = self.tls.as_ref()?.1.clone();
        let stream = TlsAcceptor::from(config).accept(socket.into_inner()).await.ok()?;
        Some(BufReader::new(Box::new(stream)))
    }

    async fn say(&self, socket: &mut Server, stage: Stage, part: &str) -> Option<()> {
        let trouble = self.trouble.filter(|(at, _)| *at == stage).map(|(_, trouble)| trouble);
        let said = match trouble {
            None => part,
            Some(Trouble::Says(words)) => words,
            Some(Trouble::SaysThen(first, second)) => {
                socket.write_all(format!("{first}\r\n").as_bytes()).await.ok()?;
                line(socket).await?;
                second
            }
            Some(Trouble::Drops) => return None,
            Some(Trouble::Hangs) => return std::future::pending().await,
            Some(Trouble::Drips) => loop {
                socket.write_all(b"250-still there\r\n").await.ok()?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            },
        };
        socket.write_all(format!("{said}\r\n").as_bytes()).await.ok()?;
        socket.flush().await.ok()
    }
}

async fn line(socket: &mut Server) -> Option<String> {
    let mut line = String::new();
    let read = socket.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches("\r\n").to_owned())
}
