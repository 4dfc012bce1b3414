//! How many connections there may be, of everybody and of one client, which of them makes room for the next, and how long one may make
//! no progress: so that clients who are many, slow or silent cost a bounded amount and keep nobody out. What is said on a connection
//! never stands here.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use futures::future::{BoxFuture, FutureExt};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_io_timeout::TimeoutStream;

use super::web::client::{Client, is_trusted};

/// Connections at the same time.
const MOST: usize = 1024;
/// Those of one client, unless it is a proxy that we trust.
const MOST_OF_A_CLIENT: usize = 256;
/// A client that takes nothing of its answer for so long is hung up on.
const SLOWEST_WRITE: Duration = Duration::from_secs(30);

/// The connections that there are.
#[derive(Debug)]
pub struct Connections {
    trusted: Vec<IpNet>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// Of the next connection: the higher, the younger.
    number: u64,
    by_peer: HashMap<SocketAddr, Connection>,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    client: Client,
    is_of_a_proxy: bool,
    /// A whole request came in and its answer is being made: this one is never hung up on to make room.
    is_answered: bool,
    /// Hangs up when it is dropped.
    _open: oneshot::Sender<()>,
}

impl Connections {
    /// None yet. Of proxies in these networks each may have as many as there are.
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted, open: Mutex::default() }
    }

    /// Says whether a whole request of this peer has come in that is yet to be answered.
    pub fn set_answered(&self, peer: SocketAddr, is_answered: bool) {
        if let Some(connection) = self.open().by_peer.get_mut(&peer) {
            connection.is_answered = is_answered;
        }
    }

    /// Takes a connection in. If there are too many, another is hung up on, or there is none.
    fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<Admission> {
        let client = Client::of_peer(peer.ip());
        let is_of_a_proxy = is_trusted(peer.ip(), &self.trusted);
        let mut open = self.open();
        if !is_of_a_proxy && open.of(client) >= MOST_OF_A_CLIENT {
            open.make_room(|connection| connection.client == client)?;
        }
        if open.by_peer.len() >= MOST {
            open.make_room(|_| true)?;
        }
        let (sender, hung_up) = oneshot::channel();
        open.number += 1;
        let number = open.number;
        open.by_peer.insert(peer, Connection { number, client, is_of_a_proxy, is_answered: false, _open: sender });
        drop(open);
        Some(Admission { connections: Arc::clone(self), peer, number, hung_up, is_over: false })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn of(&self, client: Client) -> usize {
        self.by_peer.values().filter(|connection| connection.client == client).count()
    }

    /// Hangs up on one of these that waits for the rest of a request, or for its client to take an answer: the oldest of the client who
    /// has the most, and of a proxy, which stands for many, only if there is no other. `None`: all of them are being answered.
    fn make_room(&mut self, is_such: impl Fn(&Connection) -> bool) -> Option<()> {
        let mut counts: HashMap<Client, usize> = HashMap::new();
        for connection in self.by_peer.values() {
            *counts.entry(connection.client).or_default() += 1;
        }
        let may_go = self.by_peer.iter().filter(|(_, connection)| !connection.is_answered && is_such(connection));
        let (peer, _) = may_go.max_by_key(|(_, connection)| {
            let count = counts.get(&connection.client).copied().unwrap_or(0);
            (!connection.is_of_a_proxy, count, Reverse(connection.number))
        })?;
        let peer = *peer;
        self.by_peer.remove(&peer).map(drop)
    }
}

/// A connection that counts as long as this is there.
struct Admission {
    connections: Arc<Connections>,
    peer: SocketAddr,
    number: u64,
    hung_up: oneshot::Receiver<()>,
    is_over: bool,
}

impl Admission {
    /// Fails once it had to make room; whoever polls is woken then.
    fn lasts(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.is_over = self.is_over || self.hung_up.poll_unpin(context).is_ready();
        if self.is_over { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        // Perhaps it made room, and a later one has its address.
        if open.by_peer.get(&self.peer).is_some_and(|connection| connection.number == self.number) {
            open.by_peer.remove(&self.peer);
        }
    }
}

/// Accepts as long as there is room.
#[derive(Clone)]
pub struct Limited<A> {
    /// What accepts then.
    pub inner: A,
    /// Those that there are.
    pub connections: Arc<Connections>,
}

impl<A, S> Accept<TcpStream, S> for Limited<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
    A::Stream: AsyncRead + AsyncWrite + 'static,
    A::Service: 'static,
{
    type Stream = Counted<A::Stream>;
    type Service = A::Service;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = stream.peer_addr().ok().and_then(|peer| self.connections.admit(peer));
        let Some(mut admission) = admitted else {
            return async { Err(io::ErrorKind::QuotaExceeded.into()) }.boxed();
        };
        let accepted = self.inner.accept(stream, service);
        async move {
            let (stream, service) = tokio::select! {
                accepted = accepted => accepted?,
                _ = &mut admission.hung_up => return Err(io::ErrorKind::ConnectionAborted.into()),
            };
            let mut stream = Box::pin(TimeoutStream::new(stream));
            stream.as_mut().set_write_timeout_pinned(Some(SLOWEST_WRITE));
            Ok((Counted { stream, admission }, service))
        }
        .boxed()
    }
}

/// A connection.
pub struct Counted<T> {
    stream: Pin<Box<TimeoutStream<T>>>,
    admission: Admission,
}

impl<T: AsyncRead + AsyncWrite> AsyncRead for Counted<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.admission.lasts(context)?;
        self.stream.as_mut().poll_read(context, to)
    }
}

impl<T: AsyncRead + AsyncWrite> AsyncWrite for Counted<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.admission.lasts(context)?;
        self.stream.as_mut().poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.admission.lasts(context)?;
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::server::SLOWEST_HEAD;
    use crate::portal::web::form::ARRIVES_WITHIN;

    fn peer(last: u8, port: u16) -> SocketAddr {
        (std::net::Ipv4Addr::new(192, 0, 2, last), port).into()
    }

    fn is_open(admission: &mut Admission) -> bool {
        admission.hung_up.try_recv() == Err(oneshot::error::TryRecvError::Empty)
    }

    fn open(all: &mut [Admission]) -> usize {
        all.iter_mut().map(is_open).filter(|is_open| *is_open).count()
    }

    #[test]
    fn the_next_one_takes_the_place_of_the_oldest_of_whoever_has_the_most_unless_it_is_being_answered() {
        let connections = Arc::new(Connections::new(Vec::new()));
        let many = |last: u8, ports: std::ops::Range<u16>| -> Vec<Admission> {
            ports.map(|port| connections.admit(peer(last, port)).unwrap()).collect()
        };
        let mut crowd: Vec<_> = (1..5).map(|last| many(last, 1..251)).collect();
        let mut single = many(9, 1..25);
        connections.set_answered(peer(1, 1), true);
        let mut next = many(1, 251..253);
        assert_eq!(crowd.iter_mut().map(|all| open(all)).collect::<Vec<_>>(), [248, 250, 250, 250]);
        assert!(is_open(&mut crowd[0][0]) && !is_open(&mut crowd[0][1]) && !is_open(&mut crowd[0][2]));
        assert_eq!((open(&mut single), open(&mut next)), (24, 2));
        let mut more = many(10, 1..100);
        assert_eq!((open(&mut single), open(&mut more)), (24, 99), "whoever has few keeps them");
        drop((crowd, single, next, more));
        assert!(connections.open().by_peer.is_empty());
    }

    #[test]
    fn one_client_takes_the_place_of_its_own_and_a_proxy_is_spared() {
        let connections = Arc::new(Connections::new(vec!["192.0.2.9/32".parse().unwrap()]));
        let mut proxy: Vec<_> = (1..701).map(|port| connections.admit(peer(9, port)).unwrap()).collect();
        let network = |host: u16| SocketAddr::from((std::net::Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, host), 1));
        let mut crowd: Vec<_> = (0..500).map(|host| connections.admit(network(host)).unwrap()).collect();
        assert_eq!(open(&mut crowd), MOST_OF_A_CLIENT, "of one /64");
        let mut others: Vec<_> = (1..100).map(|port| connections.admit(peer(1, port)).unwrap()).collect();
        assert_eq!((open(&mut proxy), open(&mut others)), (700, 99));
        assert_eq!(open(&mut crowd), MOST - 700 - 99);
    }

    #[test]
    fn where_all_are_being_answered_there_is_no_room() {
        let connections = Arc::new(Connections::new(vec!["192.0.2.9/32".parse().unwrap()]));
        let most = u16::try_from(MOST).unwrap();
        let all: Vec<_> = (0..most).map(|port| connections.admit(peer(9, port)).unwrap()).collect();
        (0..most).for_each(|port| connections.set_answered(peer(9, port), true));
        assert!(connections.admit(peer(1, 1)).is_none());
        connections.set_answered(peer(9, 7), false);
        assert!(connections.admit(peer(1, 1)).is_some());
        drop(all);
    }

    #[test]
    fn the_page_has_these_numbers() {
        let page = include_str!("../../docs/portal.md").split_whitespace().collect::<Vec<_>>().join(" ");
        let said = format!("At most {MOST} connections are open, {MOST_OF_A_CLIENT} of one address");
        assert!(page.contains(&said), "docs/portal.md must say: {said}");
        let slowest = format!("takes nothing of its answer for {} seconds", SLOWEST_WRITE.as_secs());
        assert!(page.contains(&slowest), "docs/portal.md must say: {slowest}");
        assert_eq!(SLOWEST_HEAD, ARRIVES_WITHIN, "the page says the same of both");
        let head = format!("The head of a request has {} seconds to come in", SLOWEST_HEAD.as_secs());
        assert!(page.contains(&head), "docs/portal.md must say: {head}");
    }
}
