//! One delivery, command by command, so that a failure knows its stage: lettre's own `send` hides it, cannot tell a
//! connection lost before the dot from one lost after it, and keeps what it received before STARTTLS. Never retries,
//! never decides whether a mail may be sent, and repeats nothing that a server wrote but its codes (I7).

use std::{future::Future, time::Duration};

use data_encoding::BASE64;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    relay::{Credentials, Limits, Relay, SecretKind, SignIn, TlsMode},
    wire::{Answer, Wire, with_doubled_dots},
};
use crate::domain::delivery::{Cause, Failure, Reply, Stage, Undelivered};

/// How long the good-bye may take, in the background: no outcome waits for it.
const QUIT_LIMIT: Duration = Duration::from_secs(5);

/// The relay took the message: 2xx after the dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// As a rule 250.
    pub reply: Reply,
}

/// Hands one rendered message for one recipient to the relay, over a connection of its own. Takes at most
/// `limits.before_dot + limits.after_dot`. Dropping the future leaves the outcome unknown.
pub async fn deliver(relay: &Relay, to: &str, message: &[u8]) -> Result<Accepted, Undelivered> {
    if !is_mailable(to) {
        return Err(Undelivered { stage: Stage::RcptTo, failure: Failure::Other(Cause::InvalidAddress) });
    }
    let mut dialogue = Dialogue { relay, limits: relay.limits, stage: Stage::Connect, wire: None };
    let before_dot = within(relay.limits.before_dot, dialogue.before_dot(to, message)).await;
    let result = match before_dot {
        Ok(()) => dialogue.end().await,
        Err(failure) => Err(failure),
    };
    let stage = dialogue.stage;
    if let (Some(wire), Ok(_) | Err(Failure::Reply(_))) = (dialogue.wire, &result) {
        tokio::spawn(good_bye(wire));
    }
    result.map_err(|failure| Undelivered { stage, failure })
}

struct Dialogue<'a> {
    relay: &'a Relay,
    limits: Limits,
    /// Where it stands; outlives a step that is cut off by its limit.
    stage: Stage,
    /// `None` before the connection, and while its protection changes.
    wire: Option<Wire>,
}

impl Dialogue<'_> {
    async fn before_dot(&mut self, to: &str, message: &[u8]) -> Result<(), Failure> {
        self.connect().await?;
        self.stage = Stage::Greeting;
        within(self.limits.step, self.wire()?.answer()).await.and_then(|answer| positive(&answer))?;
        let mut offers = self.hello().await?;
        if self.relay.tls == TlsMode::StartTls {
            self.start_tls(&offers).await?;
            offers = self.hello().await?;
        }
        if let Some(sign_in) = &self.relay.sign_in {
            self.stage = Stage::Auth;
            self.authenticate(sign_in, &offers).await?;
        }
        let sender = &self.relay.from.email;
        self.command(Stage::MailFrom, &format!("MAIL FROM:<{sender}>")).await.and_then(|answer| positive(&answer))?;
        self.command(Stage::RcptTo, &format!("RCPT TO:<{to}>")).await.and_then(|answer| positive(&answer))?;
        self.command(Stage::Data, "DATA").await.and_then(|answer| with_code(&answer, 354))?;
        self.content(message).await
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        self.stage = Stage::Connect;
        let relay = self.relay;
        let mut wire = within(self.limits.step, Wire::connect(&relay.host, relay.port)).await?;
        if relay.tls == TlsMode::Tls {
            wire = within(self.limits.step, wire.encrypt(relay)).await?;
        }
        self.wire = Some(wire);
        Ok(())
    }

    async fn hello(&mut self) -> Result<Offers, Failure> {
        let name = &self.relay.ehlo_name;
        let answer = self.command(Stage::Ehlo, &format!("EHLO {name}")).await?;
        let offers = Offers::parse(&answer);
        positive(&answer).map(|_| offers)
    }

    async fn start_tls(&mut self, offers: &Offers) -> Result<(), Failure> {
        self.stage = Stage::StartTls;
        if !offers.start_tls {
            return Err(Failure::Other(Cause::NotOffered));
        }
        self.command(Stage::StartTls, "STARTTLS").await.and_then(|answer| with_code(&answer, 220))?;
        let plain = self.wire.take().ok_or(Failure::Other(Cause::Disconnected))?;
        self.wire = Some(within(self.limits.step, plain.encrypt(self.relay)).await?);
        Ok(())
    }

    async fn authenticate(&mut self, sign_in: &SignIn, offers: &Offers) -> Result<(), Failure> {
        let credentials = sign_in.read().await?;
        match sign_in.secret {
            SecretKind::Password if offers.has_auth("PLAIN") => self.auth_plain(&credentials).await,
            SecretKind::Password if offers.has_auth("LOGIN") => self.auth_login(&credentials).await,
            SecretKind::Token if offers.has_auth("XOAUTH2") => self.auth_xoauth2(&credentials).await,
            SecretKind::Password | SecretKind::Token => Err(Failure::Other(Cause::NotOffered)),
        }
    }

    /// RFC 4616.
    async fn auth_plain(&mut self, Credentials { username, secret }: &Credentials) -> Result<(), Failure> {
        let both = SecretString::from(format!("\0{}\0{}", username.expose_secret(), secret.expose_secret()));
        let answer = self.command(Stage::Auth, &format!("AUTH PLAIN {}", encoded(&both))).await;
        answer.and_then(|answer| with_code(&answer, 235))
    }

    async fn auth_login(&mut self, Credentials { username, secret }: &Credentials) -> Result<(), Failure> {
        for (line, code) in [("AUTH LOGIN", 334), (&encoded(username), 334), (&encoded(secret), 235)] {
            self.command(Stage::Auth, line).await.and_then(|answer| with_code(&answer, code))?;
        }
        Ok(())
    }

    /// As Google and Microsoft describe it. A refusal comes as a challenge with details, which an empty line asks to end.
    async fn auth_xoauth2(&mut self, Credentials { username, secret }: &Credentials) -> Result<(), Failure> {
        let both = format!("user={}\x01auth=Bearer {}\x01\x01", username.expose_secret(), secret.expose_secret());
        let line = format!("AUTH XOAUTH2 {}", encoded(&SecretString::from(both)));
        let mut answer = self.command(Stage::Auth, &line).await?;
        if answer.code == 334 {
            answer = self.command(Stage::Auth, "").await?;
            // Whatever it says now, it has not let us in.
            return with_code(&answer, 235).and(Err(Failure::Other(Cause::Malformed)));
        }
        with_code(&answer, 235)
    }

    async fn content(&mut self, message: &[u8]) -> Result<(), Failure> {
        self.stage = Stage::Content;
        let limit = self.limits.step;
        let wire = self.wire()?;
        within(limit, wire.write(&with_doubled_dots(message))).await?;
        if wire.interrupted().await {
            // A refusal, or the end of the connection; there is nothing good to say before the dot.
            let answer = within(limit, wire.answer()).await?;
            return positive(&answer).and(Err(Failure::Other(Cause::Malformed)));
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<Accepted, Failure> {
        self.stage = Stage::AfterDot;
        let limit = self.limits.after_dot;
        let answer = within(limit, self.wire()?.command(".")).await?;
        positive(&answer).map(|reply| Accepted { reply })
    }

    async fn command(&mut self, stage: Stage, line: &str) -> Result<Answer, Failure> {
        self.stage = stage;
        let limit = self.limits.step;
        within(limit, self.wire()?.command(line)).await
    }

    fn wire(&mut self) -> Result<&mut Wire, Failure> {
        self.wire.as_mut().ok_or(Failure::Other(Cause::Disconnected))
    }
}

/// What the server said to EHLO, as far as we care.
struct Offers {
    start_tls: bool,
    /// AUTH mechanisms in capitals.
    auth: Vec<String>,
}

impl Offers {
    /// Keywords in any case (RFC 5321 §2.4); the first line is the server's name.
    fn parse(answer: &Answer) -> Self {
        let mut offers = Self { start_tls: false, auth: Vec::new() };
        for line in answer.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("STARTTLS") => offers.start_tls = true,
                Some("AUTH") => offers.auth.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        offers
    }

    fn has_auth(&self, mechanism: &str) -> bool {
        self.auth.iter().any(|offered| offered == mechanism)
    }
}

fn encoded(secret: &SecretString) -> String {
    BASE64.encode(secret.expose_secret().as_bytes())
}

fn positive(answer: &Answer) -> Result<Reply, Failure> {
    match answer.code {
        200..300 => Ok(answer.reply()),
        400.. => Err(Failure::Reply(answer.reply())),
        _ => Err(Failure::Other(Cause::Malformed)),
    }
}

fn with_code(answer: &Answer, code: u16) -> Result<(), Failure> {
    match answer.code {
        given if given == code => Ok(()),
        400.. => Err(Failure::Reply(answer.reply())),
        _ => Err(Failure::Other(Cause::Malformed)),
    }
}

async fn within<T>(limit: Duration, step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(limit, step).await.unwrap_or(Err(Failure::Other(Cause::TimedOut)))
}

async fn good_bye(mut wire: Wire) {
    // The outcome is known: nothing that the server says now can change it.
    drop(within(QUIT_LIMIT, wire.command("QUIT")).await);
}

/// Whether it can stand between `<` and `>` of RCPT: an ASCII address without a blank, a control or a bracket.
fn is_mailable(to: &str) -> bool {
    to.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>')) && to.parse::<lettre::Address>().is_ok()
}
