//! A scripted SMTP server on loopback: takes and records every mail, unless a script says otherwise.
//! Never here: the dialogue itself (`smtp_dialogue`), or a relay to anywhere.

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio_rustls::rustls::ServerConfig;

use super::mail::Mail;
use super::smtp_dialogue::converse;

/// Where in the dialogue a script applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The server's first line.
    Greeting,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS, before the handshake.
    StartTls,
    /// AUTH, after the credentials.
    Auth,
    /// MAIL FROM.
    MailFrom,
    /// RCPT TO.
    RcptTo,
    /// DATA, before the message.
    Data,
    /// With the 354 that asks for the message, so that the client finds it before the final dot.
    Content,
    /// After the message's final dot.
    AfterDot,
    /// QUIT.
    Quit,
}

/// What the server does instead of going on.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends this code and text. 2xx (and 354 for DATA) takes the command, anything else refuses it; after 421 and
    /// after a refused greeting it closes.
    Reply(u16, String),
    /// Sends this instead of a reply, and then nothing more.
    Garbage(&'static str),
    /// Lets the time pass, then goes on as if nothing had been scripted.
    Delay(Duration),
    /// Says nothing more, and reads until the client goes.
    Silence,
    /// Sends a byte of an endless reply now and then, until the client goes.
    Drip,
    /// Closes the connection without a reply. After the dot: the mail is not taken.
    Drop,
    /// After the dot: takes and records the mail, then does this.
    TakeThen(Box<Answer>),
}

struct Rule {
    stage: Stage,
    recipient: Option<String>,
    times: Option<u32>,
    answer: Answer,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    mails: Vec<Mail>,
    commands: Vec<String>,
    connections: usize,
    happened: usize,
    closed: bool,
}

/// What the connections of one server share.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// With which certificate it offers STARTTLS; `None`: it does not.
    pub(super) start_tls: Option<Arc<ServerConfig>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no connection panics while it holds the lock")
    }

    /// The scripted answer of this moment, if there is one. The latest script that fits wins.
    pub(super) fn answer(&self, stage: Stage, recipients: &[String]) -> Option<Answer> {
        let mut guard = self.state();
        let rule = guard.rules.iter_mut().rev().find(|rule| {
            let of_recipient = rule.recipient.as_ref().is_none_or(|wanted| recipients.contains(wanted));
            rule.stage == stage && of_recipient && rule.times != Some(0)
        })?;
        rule.times = rule.times.map(|times| times - 1);
        let answer = rule.answer.clone();
        guard.happened += 1;
        Some(answer)
    }

    pub(super) fn record_command(&self, line: &str) {
        self.state().commands.push(line.to_owned());
        self.changed.notify_all();
    }

    pub(super) fn record_mail(&self, mail: Mail) {
        self.state().mails.push(mail);
        self.changed.notify_all();
    }
}

/// The server; it stops accepting when dropped.
pub(crate) struct SmtpServer {
    /// Its port.
    pub(crate) port: u16,
    address: IpAddr,
    shared: Arc<Shared>,
}

impl SmtpServer {
    /// Starts a server that takes everything.
    pub(crate) fn start() -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into())
    }

    /// Starts a server on a port that was free a moment ago.
    pub(crate) fn start_at(port: u16) -> Self {
        Self::serve(Ipv4Addr::LOCALHOST.into(), port, None)
    }

    /// Starts a server on an address of this machine, for instance one that pods reach.
    pub(crate) fn start_on(address: IpAddr) -> Self {
        Self::serve(address, 0, None)
    }

    /// Starts a server that offers STARTTLS with this certificate.
    pub(crate) fn start_with_tls(config: Arc<ServerConfig>) -> Self {
        Self::serve(Ipv4Addr::LOCALHOST.into(), 0, Some(config))
    }

    fn serve(address: IpAddr, port: u16, start_tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((address, port)).expect("an address of this machine, and a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let shared = Arc::new(Shared { start_tls, ..Shared::default() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &accepting));
        Self { port, address, shared }
    }

    /// Begins a script: `relay.at(Stage::RcptTo).of("anna@maple.example").times(1).reply(550, "5.1.1 unknown")`.
    pub(crate) fn at(&self, stage: Stage) -> Script<'_> {
        Script { server: self, stage, recipient: None, times: None }
    }

    /// Forgets every script: from now on everything is taken again.
    pub(crate) fn take_everything(&self) {
        self.shared.state().rules.clear();
    }

    /// The mails taken so far, oldest first.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.shared.state().mails.clone()
    }

    /// The mails taken so far for this address, oldest first.
    pub(crate) fn mails_to(&self, address: &str) -> Vec<Mail> {
        let mut mails = self.mails();
        mails.retain(|mail| mail.recipients == [address]);
        mails
    }

    /// Every line a client said outside of messages and credentials, over all connections, oldest first.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.shared.state().commands.clone()
    }

    /// How many connections were accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// How often a script came to bear so far.
    pub(crate) fn happened(&self) -> usize {
        self.shared.state().happened
    }

    /// Waits until `count` mails were taken and returns all of them; panics after `limit`.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize, limit: Duration) -> Vec<Mail> {
        let state = self.shared.state();
        let waiting = self.shared.changed.wait_timeout_while(state, limit, |state| state.mails.len() < count);
        let (state, _) = waiting.expect("no connection panics while it holds the lock");
        let (mails, commands) = (state.mails.clone(), state.commands.clone());
        drop(state);
        assert!(mails.len() >= count, "waited {limit:?} for {count} mails, got {}; heard {commands:#?}", mails.len());
        mails
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect((self.address, self.port));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let mut state = shared.state();
        if state.closed {
            return;
        }
        state.connections += 1;
        drop(state);
        let shared = Arc::clone(shared);
        // A lost connection is the client's business: the tests look at what was taken.
        std::thread::spawn(move || converse(&stream, &shared));
    }
}

/// A script in the making; the answer completes it.
#[must_use]
pub(crate) struct Script<'a> {
    server: &'a SmtpServer,
    stage: Stage,
    recipient: Option<String>,
    times: Option<u32>,
}

impl Script<'_> {
    /// Only when the mail is for this address (from RCPT TO on).
    pub(crate) fn of(self, recipient: &str) -> Self {
        Self { recipient: Some(recipient.to_owned()), ..self }
    }

    /// Only so many times; afterwards it goes on as before.
    pub(crate) fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// See [`Answer::Reply`].
    pub(crate) fn reply(self, code: u16, text: &str) {
        self.answer(Answer::Reply(code, text.to_owned()));
    }

    /// See [`Answer::Delay`].
    pub(crate) fn delay(self, time: Duration) {
        self.answer(Answer::Delay(time));
    }

    /// See [`Answer::Drop`].
    pub(crate) fn drop_connection(self) {
        self.answer(Answer::Drop);
    }

    /// Takes and records the mail, then closes without a reply. Fits [`Stage::AfterDot`] only.
    pub(crate) fn take_then_drop(self) {
        self.answer(Answer::TakeThen(Box::new(Answer::Drop)));
    }

    /// Any answer.
    pub(crate) fn answer(self, answer: Answer) {
        let takes = matches!(answer, Answer::TakeThen(_));
        assert!(!takes || self.stage == Stage::AfterDot, "only a whole message can be taken");
        let rule = Rule { stage: self.stage, recipient: self.recipient, times: self.times, answer };
        self.server.shared.state().rules.push(rule);
    }
}
