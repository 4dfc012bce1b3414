//! A real postfix as a clinic's relay, one for the tests of a process: it lets in who signs in over TLS, and hands what it
//! takes to a scripted server, which records it. Never here: how postfix is set up (`tests/peers/postfix`), or what a test
//! expects of it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::mail::Mail;
use super::smtp::SmtpServer;
use super::wait::{PATIENCE, eventually_ok};

/// The running postfix.
pub(crate) struct Postfix {
    /// The port on 127.0.0.1 for STARTTLS, then AUTH PLAIN or LOGIN.
    pub(crate) starttls: u16,
    /// The port on 127.0.0.1 with TLS from the first byte, then AUTH LOGIN.
    pub(crate) tls: u16,
    /// The port on 127.0.0.1 where who does not sign in is put off (454 4.7.1).
    pub(crate) defers: u16,
    /// The authority that signed its certificate, which names localhost and 127.0.0.1.
    pub(crate) ca: PathBuf,
    /// Whom it lets in.
    pub(crate) user: String,
    /// With this password.
    pub(crate) password: String,
    log: PathBuf,
    /// Gets every mail that postfix took, of all tests.
    sink: SmtpServer,
    /// Postfix ends when this process does, however it ends: then the pipe to its supervisor closes.
    _supervisor: Child,
}

/// The postfix of this test process; the first caller starts it and the others wait.
pub(crate) fn postfix() -> &'static Postfix {
    static POSTFIX: OnceLock<Result<Postfix, String>> = OnceLock::new();
    match POSTFIX.get_or_init(Postfix::start) {
        Ok(postfix) => postfix,
        Err(message) => panic!("no postfix: {message}"),
    }
}

/// Where its supervisor is.
pub(crate) fn supervisor() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/postfix")
}

/// What the supervisor's line `ready NAME=VALUE …` tells.
pub(crate) fn told(line: &str) -> Option<HashMap<&str, &str>> {
    line.trim_end().strip_prefix("ready ")?.split(' ').map(|word| word.split_once('=')).collect()
}

impl Postfix {
    fn start() -> Result<Self, String> {
        let sink = SmtpServer::start();
        let folder = std::env::temp_dir().join(format!("clinic-operator-tests-{}-postfix", std::process::id()));
        let mut supervisor = Command::new(supervisor())
            .arg(&folder)
            .arg(sink.port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("failed to start tests/peers/postfix: {error}"))?;
        let mut line = String::new();
        let output = supervisor.stdout.take().ok_or("the supervisor has no output")?;
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        let told = told(&line).ok_or("its start failed; the lines above say why")?;
        let text = |name: &str| told.get(name).map(|value| (*value).to_owned()).ok_or(format!("{name} was not told"));
        let port = |name: &str| text(name)?.parse::<u16>().map_err(|error| format!("{name}: {error}"));
        Ok(Self {
            starttls: port("starttls")?,
            tls: port("tls")?,
            defers: port("defers")?,
            ca: text("ca")?.into(),
            user: text("user")?,
            password: text("password")?,
            log: text("log")?.into(),
            sink,
            _supervisor: supervisor,
        })
    }

    /// The mails to this address that postfix has passed on so far, oldest first.
    pub(crate) fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.sink.mails_to(address)
    }

    /// Waits until postfix has passed on a mail to this address, and returns the first one.
    #[track_caller]
    pub(crate) fn mail_to(&self, address: &str, limit: Duration) -> Mail {
        eventually_ok(limit, &format!("a mail to {address}"), || {
            self.mails_to(address).into_iter().next().ok_or_else(|| self.log())
        })
    }

    /// Waits until the log has a line with these parts, and returns it.
    #[track_caller]
    pub(crate) fn logged(&self, parts: &[&str]) -> String {
        eventually_ok(PATIENCE, &format!("postfix to log {parts:?}"), || {
            let log = self.log();
            let line = log.lines().find(|line| parts.iter().all(|part| line.contains(part)));
            line.map(str::to_owned).ok_or(log)
        })
    }

    /// Waits until the dialogue with the client of this port has ended, and returns which commands postfix counted in it,
    /// `ehlo=1 starttls=0/1 commands=1/2`: taken, and said where that is more.
    #[track_caller]
    pub(crate) fn commands_of(&self, client: u16) -> String {
        let line = self.logged(&["disconnect from", &format!("[127.0.0.1]:{client} ")]);
        line.split_once(&format!(":{client} ")).expect("it was looked for").1.to_owned()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
