//! One SMTP connection as the server sees it (RFC 5321, STARTTLS of RFC 3207, AUTH PLAIN and LOGIN of RFC 4954, XOAUTH2). Never here:
//! what to answer when it is scripted (`smtp`), or what a mail means (`mail`).

use std::io::{Error, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use tokio_rustls::rustls::{ServerConnection, StreamOwned};

use super::mail::Mail;
use super::smtp::{Answer, Shared, Stage};
use super::wait::{now, pass};

/// A client that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(300);
/// Between two bytes of a reply that never ends.
const BETWEEN_DROPS: Duration = Duration::from_millis(100);

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

struct Connection<'a> {
    tcp: &'a TcpStream,
    /// The same, or TLS over it.
    stream: Box<dyn Stream + 'a>,
    /// What was received and not read yet.
    received: Vec<u8>,
    shared: &'a Shared,
    encrypted: bool,
    login: Option<(String, String)>,
    mail_from: Option<String>,
    rcpt_to: Vec<String>,
}

/// Talks until the client quits, the connection is lost, or a script ends it.
pub(super) fn converse(tcp: &TcpStream, shared: &Shared) {
    let mut connection = Connection {
        tcp,
        stream: Box::new(tcp),
        received: Vec::new(),
        shared,
        encrypted: false,
        login: None,
        mail_from: None,
        rcpt_to: Vec::new(),
    };
    // `Err` is how a dialogue ends: quit, lost, or dropped by a script.
    let _ended = connection.run();
    let _ = tcp.shutdown(Shutdown::Both);
}

impl Connection<'_> {
    fn run(&mut self) -> Result<(), Error> {
        self.tcp.set_read_timeout(Some(SILENCE))?;
        if !self.answer(Stage::Greeting, "220 relay.example ESMTP")? {
            return Err(over());
        }
        loop {
            let line = self.line()?;
            self.shared.record_command(if starts_with(&line, "AUTH") { "AUTH" } else { &line });
            self.command(&line)?;
        }
    }

    fn command(&mut self, line: &str) -> Result<(), Error> {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => {
                let start_tls = if self.offers_start_tls() { "250-STARTTLS\r\n" } else { "" };
                let offers = format!("250-relay.example\r\n250-8BITMIME\r\n{start_tls}250 AUTH PLAIN LOGIN XOAUTH2");
                self.answer(Stage::Ehlo, &offers).map(drop)
            }
            "HELO" => self.answer(Stage::Ehlo, "250 relay.example").map(drop),
            "STARTTLS" if self.offers_start_tls() => self.start_tls(),
            "AUTH" => self.auth(line),
            "MAIL" => self.mail(line),
            "RCPT" => self.rcpt(line),
            "DATA" => self.data(),
            "RSET" => {
                self.reset();
                self.say("250 2.0.0 reset")
            }
            "NOOP" => self.say("250 2.0.0 ok"),
            "QUIT" => self.answer(Stage::Quit, "221 2.0.0 bye").and(Err(over())),
            _ => self.say("502 5.5.1 not known here"),
        }
    }

    fn offers_start_tls(&self) -> bool {
        self.shared.start_tls.is_some() && !self.encrypted
    }

    fn start_tls(&mut self) -> Result<(), Error> {
        if !self.answer(Stage::StartTls, "220 2.0.0 go ahead")? {
            return Ok(());
        }
        let config = self.shared.start_tls.clone().ok_or_else(over)?;
        let session = ServerConnection::new(Arc::clone(&config)).map_err(Error::other)?;
        self.stream = Box::new(StreamOwned::new(session, self.tcp));
        self.received.clear();
        self.encrypted = true;
        Ok(())
    }

    fn auth(&mut self, line: &str) -> Result<(), Error> {
        let mut words = line.split(' ').skip(1);
        let method = words.next().unwrap_or_default().to_ascii_uppercase();
        let initial = words.next().map(str::to_owned);
        let login = match method.as_str() {
            "PLAIN" => {
                let answer = initial.map_or_else(|| self.challenge(""), Ok)?;
                let plain = decode(&answer)?;
                let mut fields = plain.split('\0').skip(1).map(str::to_owned);
                fields.next().zip(fields.next()).ok_or_else(|| Error::other("AUTH PLAIN without two fields"))?
            }
            "LOGIN" => {
                let user = initial.map_or_else(|| self.challenge("Username:"), Ok)?;
                let password = self.challenge("Password:")?;
                (decode(&user)?, decode(&password)?)
            }
            "XOAUTH2" => {
                let proof = decode(&initial.unwrap_or_default())?;
                let field =
                    |name: &str| proof.split('\u{1}').find_map(|field| field.strip_prefix(name)).map(str::to_owned);
                let both = field("user=").zip(field("auth=Bearer "));
                both.ok_or_else(|| Error::other("AUTH XOAUTH2 without user and token"))?
            }
            _ => return self.say("504 5.5.4 not known here"),
        };
        if self.answer(Stage::Auth, "235 2.7.0 signed in")? {
            self.login = Some(login);
        }
        Ok(())
    }

    fn challenge(&mut self, question: &str) -> Result<String, Error> {
        self.say(&format!("334 {}", BASE64.encode(question.as_bytes())))?;
        self.line()
    }

    fn mail(&mut self, line: &str) -> Result<(), Error> {
        self.reset();
        if self.answer(Stage::MailFrom, "250 2.1.0 ok")? {
            self.mail_from = Some(address(line));
        }
        Ok(())
    }

    fn rcpt(&mut self, line: &str) -> Result<(), Error> {
        if self.mail_from.is_none() {
            return self.say("503 5.5.1 MAIL first");
        }
        let recipient = address(line);
        if self.answer_of(Stage::RcptTo, std::slice::from_ref(&recipient), "250 2.1.5 ok")? {
            self.rcpt_to.push(recipient);
        }
        Ok(())
    }

    fn data(&mut self) -> Result<(), Error> {
        if self.rcpt_to.is_empty() {
            return self.say("503 5.5.1 RCPT first");
        }
        let recipients = self.rcpt_to.clone();
        match self.shared.answer(Stage::Content, &recipients) {
            Some(answer) => self.interrupt(answer)?,
            None if !self.answer_of(Stage::Data, &recipients, "354 go ahead")? => return Ok(()),
            None => {}
        }
        let mail = Mail {
            raw: self.message()?,
            sender: self.mail_from.take().unwrap_or_default(),
            recipients: std::mem::take(&mut self.rcpt_to),
            login: self.login.clone(),
            at: now(),
        };
        match self.shared.answer(Stage::AfterDot, &recipients) {
            Some(Answer::TakeThen(answer)) => {
                self.shared.record_mail(mail);
                self.give(Some(*answer), "250 2.0.0 taken").map(drop)
            }
            scripted => self.take(mail, scripted),
        }
    }

    /// Asks for the message, and in the same breath does what the script says.
    fn interrupt(&mut self, answer: Answer) -> Result<(), Error> {
        const GO: &str = "354 go ahead\r\n";
        match answer {
            Answer::Reply(code, text) => self.send(format!("{GO}{code} {text}\r\n").as_bytes()),
            Answer::Garbage(text) => self.send(format!("{GO}{text}\r\n").as_bytes()),
            Answer::Drip => {
                self.send(format!("{GO}2").as_bytes())?;
                self.drip(b"50-")
            }
            Answer::Delay(time) => {
                self.send(GO.as_bytes())?;
                pass(time);
                Ok(())
            }
            Answer::Drop | Answer::TakeThen(_) => self.send(GO.as_bytes()).and(Err(over())),
            Answer::Silence => {
                self.send(GO.as_bytes())?;
                self.silence()
            }
        }
    }

    /// Recorded before the reply, so that whoever has the reply finds the mail.
    fn take(&mut self, mail: Mail, scripted: Option<Answer>) -> Result<(), Error> {
        match &scripted {
            Some(Answer::Delay(time)) => {
                pass(*time);
                self.shared.record_mail(mail);
                return self.say("250 2.0.0 taken");
            }
            Some(Answer::Reply(code, _)) if *code < 300 => self.shared.record_mail(mail),
            None => self.shared.record_mail(mail),
            Some(_) => {}
        }
        self.give(scripted, "250 2.0.0 taken").map(drop)
    }

    fn message(&mut self) -> Result<String, Error> {
        let mut message = String::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Ok(message);
            }
            message.push_str(line.strip_prefix('.').unwrap_or(&line));
            message.push_str("\r\n");
        }
    }

    fn reset(&mut self) {
        self.mail_from = None;
        self.rcpt_to.clear();
    }

    fn answer(&mut self, stage: Stage, usual: &str) -> Result<bool, Error> {
        self.answer_of(stage, &[], usual)
    }

    fn answer_of(&mut self, stage: Stage, recipients: &[String], usual: &str) -> Result<bool, Error> {
        let scripted = self.shared.answer(stage, recipients);
        self.give(scripted, usual)
    }

    /// Whether the command was taken; `Err` ends the connection.
    fn give(&mut self, scripted: Option<Answer>, usual: &str) -> Result<bool, Error> {
        match scripted {
            None => self.say(usual).map(|()| true),
            Some(Answer::Delay(time)) => {
                pass(time);
                self.say(usual).map(|()| true)
            }
            Some(Answer::Reply(code, text)) => {
                self.say(&format!("{code} {text}"))?;
                if code == 421 { Err(over()) } else { Ok(code < 400) }
            }
            Some(Answer::Garbage(text)) => self.say(text).and_then(|()| self.silence()).map(|()| false),
            Some(Answer::Silence) => self.silence().map(|()| false),
            Some(Answer::Drip) => self.drip(b"250-").map(|()| false),
            Some(Answer::Drop | Answer::TakeThen(_)) => Err(over()),
        }
    }

    /// Reads until the client goes.
    fn silence(&mut self) -> Result<(), Error> {
        loop {
            self.receive()?;
        }
    }

    /// One byte after the other of a line that never ends.
    fn drip(&mut self, start: &[u8]) -> Result<(), Error> {
        for byte in start.iter().chain(std::iter::repeat(&b'x')) {
            self.send(&[*byte])?;
            pass(BETWEEN_DROPS);
        }
        Ok(())
    }

    fn say(&mut self, line: &str) -> Result<(), Error> {
        self.send(format!("{line}\r\n").as_bytes())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    fn receive(&mut self) -> Result<(), Error> {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes)? {
            0 => Err(over()),
            count => {
                self.received.extend_from_slice(&bytes[..count]);
                Ok(())
            }
        }
    }

    /// The next line without its end. Messages are 7- or 8-bit; what is not UTF-8 is replaced.
    fn line(&mut self) -> Result<String, Error> {
        let end = loop {
            match self.received.iter().position(|byte| *byte == b'\n') {
                Some(end) => break end,
                None => self.receive()?,
            }
        };
        let line: Vec<u8> = self.received.drain(..=end).collect();
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn over() -> Error {
    Error::other("the dialogue is over")
}

fn starts_with(line: &str, verb: &str) -> bool {
    line.get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(verb))
}

fn address(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map(|(address, _)| address.to_owned()).unwrap_or_default()
}

fn decode(base64: &str) -> Result<String, Error> {
    let bytes = BASE64.decode(base64.as_bytes()).map_err(Error::other)?;
    String::from_utf8(bytes).map_err(Error::other)
}
