//! Somebody between the operator and a relay: passes the dialogue on, writes down each byte that the client sent, and can
//! spoil STARTTLS. Never here: TLS, or a relay that is not real.

use std::io::{BufRead, BufReader, Error, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::wait::{PATIENCE, eventually_ok};

/// Longer than any pause of a dialogue here.
const SILENCE: Duration = Duration::from_secs(60);

/// What it does to the dialogue. But for `None`, it also lets the relay offer AUTH before TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Meddling {
    /// Nothing: it listens.
    #[default]
    None,
    /// Takes STARTTLS out of what the relay offers.
    HidesStartTls,
    /// Answers STARTTLS itself, with 454; the relay does not hear of it.
    RefusesStartTls,
    /// Answers STARTTLS itself, with 220, and goes on in the clear.
    FakesStartTls,
    /// Passes STARTTLS on, and puts a further answer in the clear behind that of the relay (CVE-2011-0411).
    SlipsAnAnswerIn,
}

impl Meddling {
    /// What the client is told although the relay never hears of its command.
    fn answer_to(self, command: &[u8]) -> Option<&'static [u8]> {
        match self {
            Self::RefusesStartTls if is_start_tls(command) => Some(b"454 4.7.0 TLS not available\r\n"),
            Self::FakesStartTls if is_start_tls(command) => Some(b"220 2.0.0 go ahead\r\n"),
            Self::None | Self::HidesStartTls | Self::RefusesStartTls | Self::FakesStartTls | Self::SlipsAnAnswerIn => {
                None
            }
        }
    }
}

fn is_start_tls(command: &[u8]) -> bool {
    command.eq_ignore_ascii_case(b"STARTTLS\r\n")
}

/// One connection that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Overheard {
    /// What the client sent, TLS records and all.
    pub(crate) said: Vec<u8>,
    /// The port from which the relay was called for it.
    pub(crate) port: u16,
}

impl Overheard {
    /// The commands in the clear, without line ends, and whether nothing but TLS came after them.
    pub(crate) fn in_the_clear(&self) -> (Vec<String>, bool) {
        let mut rest = self.said.as_slice();
        let mut commands = Vec::new();
        while rest.first().is_some_and(u8::is_ascii_graphic) {
            let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
            let (command, after) = rest.split_at(end);
            commands.push(String::from_utf8_lossy(command).trim_end().to_owned());
            rest = after;
        }
        (commands, is_tls(rest))
    }

    /// Whether these bytes were sent as they are.
    pub(crate) fn contains(&self, secret: &str) -> bool {
        self.said.windows(secret.len()).any(|window| window == secret.as_bytes())
    }
}

/// Whether it is a row of whole TLS records (RFC 8446 §5.1: type, version 3.x, length), of which the last may be cut off.
fn is_tls(mut bytes: &[u8]) -> bool {
    while let [kind, major, _, high, low, rest @ ..] = bytes {
        if !(20..=23).contains(kind) || *major != 3 {
            return false;
        }
        bytes = rest.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
    }
    bytes.is_empty()
}

#[derive(Default)]
struct State {
    meddling: Meddling,
    begun: usize,
    ended: Vec<Overheard>,
    closed: bool,
}

/// The one in between; it takes no more connections when it is dropped.
pub(crate) struct Interceptor {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Interceptor {
    /// On a free port of 127.0.0.1, before the relay on `port` of it.
    pub(crate) fn before(port: u16, meddling: Meddling) -> Self {
        Self::on([127, 0, 0, 1], port, meddling)
    }

    /// On a free port of a loopback address.
    pub(crate) fn on(address: [u8; 4], port: u16, meddling: Meddling) -> Self {
        let listener = TcpListener::bind(SocketAddr::from((address, 0))).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(Mutex::new(State { meddling, ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut state = locked(&shared);
                if state.closed {
                    return;
                }
                state.begun += 1;
                let meddling = state.meddling;
                drop(state);
                let shared = Arc::clone(&shared);
                thread::spawn(move || intercept(&client, port, meddling, &shared));
            }
        });
        Self { address, state }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Only listens to the connections that come from now on.
    pub(crate) fn stop_meddling(&self) {
        locked(&self.state).meddling = Meddling::None;
    }

    /// Waits until there was a connection and all that were made have ended, and returns them in the order of their ends.
    #[track_caller]
    pub(crate) fn overheard(&self) -> Vec<Overheard> {
        eventually_ok(PATIENCE, "every connection to end", || {
            let State { begun, ended, .. } = &*locked(&self.state);
            if *begun == 0 || *begun > ended.len() { Err((*begun, ended.len())) } else { Ok(ended.clone()) }
        })
    }
}

impl Drop for Interceptor {
    fn drop(&mut self) {
        locked(&self.state).closed = true;
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no connection panics while it holds the lock")
}

fn intercept(client: &TcpStream, port: u16, meddling: Meddling, state: &Mutex<State>) {
    let Ok(relay) = TcpStream::connect(("127.0.0.1", port)) else { return };
    let port = relay.local_addr().map_or(0, |address| address.port());
    let said = Mutex::new(Vec::new());
    let mut way = Way { client: BufReader::new(client), relay: BufReader::new(&relay), said: &said };
    // `Err` is how a connection ends: closed by one side, or silent for too long.
    let _ended = way.converse(meddling);
    let _ = (client.shutdown(Shutdown::Both), relay.shutdown(Shutdown::Both));
    let said = said.into_inner().expect("no thread panics while it holds the lock");
    locked(state).ended.push(Overheard { said, port });
}

/// Both directions of one connection.
struct Way<'a> {
    client: BufReader<&'a TcpStream>,
    relay: BufReader<&'a TcpStream>,
    said: &'a Mutex<Vec<u8>>,
}

impl Way<'_> {
    fn converse(&mut self, meddling: Meddling) -> Result<(), Error> {
        for side in [self.client.get_ref(), self.relay.get_ref()] {
            side.set_read_timeout(Some(SILENCE))?;
            side.set_nodelay(true)?;
        }
        if meddling == Meddling::None {
            return self.pass_on();
        }
        // Line by line, for as long as both take turns.
        loop {
            let answer = self.answer(meddling)?;
            self.to_client(answer.as_bytes())?;
            if answer.starts_with("354") {
                return self.pass_on();
            }
            let mut command = self.command()?;
            while let Some(instead) = meddling.answer_to(&command) {
                self.to_client(instead)?;
                // Who begins TLS in earnest meets SMTP.
                if is_tls(self.client.fill_buf()?) {
                    self.to_client(b"250 2.0.0 in the clear\r\n")?;
                    return self.pass_on();
                }
                command = self.command()?;
            }
            self.to_relay(&command)?;
            if meddling == Meddling::SlipsAnAnswerIn && is_start_tls(&command) {
                let answers = self.answer(meddling)? + "250 2.0.0 slipped in\r\n";
                self.to_client(answers.as_bytes())?;
                return self.pass_on();
            }
        }
    }

    fn to_client(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut stream = *self.client.get_ref();
        stream.write_all(bytes)
    }

    fn to_relay(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut stream = *self.relay.get_ref();
        stream.write_all(bytes)
    }

    /// The next reply of the relay, of all its lines, as the client is to read it.
    fn answer(&mut self, meddling: Meddling) -> Result<String, Error> {
        let mut lines: Vec<String> = Vec::new();
        while lines.last().is_none_or(|line| line.as_bytes().get(3) == Some(&b'-')) {
            let mut line = String::new();
            if self.relay.read_line(&mut line)? == 0 {
                return Err(Error::other("the relay has closed"));
            }
            lines.push(line);
        }
        if let Some(at) = lines.iter().position(|line| line.get(4..) == Some("STARTTLS\r\n")) {
            // Always a temptation: a relay that offers AUTH in the clear.
            lines.insert(at, "250-AUTH PLAIN LOGIN\r\n".to_owned());
            if meddling == Meddling::HidesStartTls {
                lines.remove(at + 1);
            }
        }
        let last = lines.len() - 1;
        let separator = |index| if index == last { " " } else { "-" };
        Ok(lines.iter().enumerate().map(|(index, line)| [&line[..3], separator(index), &line[4..]].concat()).collect())
    }

    fn command(&mut self) -> Result<Vec<u8>, Error> {
        let mut line = Vec::new();
        self.client.read_until(b'\n', &mut line)?;
        self.said.lock().expect("not poisoned").extend(&line);
        if line.is_empty() { Err(Error::other("the client has closed")) } else { Ok(line) }
    }

    /// Everything as it is, both ways at once, until both have closed.
    fn pass_on(&mut self) -> Result<(), Error> {
        let (client, relay) = (*self.client.get_ref(), *self.relay.get_ref());
        let Self { client: from_client, relay: from_relay, said } = self;
        thread::scope(|scope| {
            scope.spawn(|| {
                let _ended = std::io::copy(from_relay, &mut &*client);
                client.shutdown(Shutdown::Write)
            });
            let _ended = std::io::copy(&mut Heard { from: from_client, said }, &mut &*relay);
            relay.shutdown(Shutdown::Write)
        })
    }
}

/// Writes down what is read.
struct Heard<'a, R> {
    from: &'a mut R,
    said: &'a Mutex<Vec<u8>>,
}

impl<R: Read> Read for Heard<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let count = self.from.read(buffer)?;
        self.said.lock().expect("not poisoned").extend(&buffer[..count]);
        Ok(count)
    }
}
