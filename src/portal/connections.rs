//! How many connections there may be, of all peers and of one, and how long one may make no progress: so that clients who are
//! many, slow or silent cost a bounded amount. What is said on a connection never stands here.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use futures::future::{BoxFuture, FutureExt};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;

use super::web::client::is_trusted;

/// Connections at the same time; more are closed at once.
const MOST: usize = 1024;
/// Those of one peer, unless it is a proxy that we trust.
const MOST_OF_A_PEER: usize = 256;
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
    all: usize,
    of_peers: HashMap<IpAddr, usize>,
}

impl Connections {
    /// None yet. Of proxies in these networks each may have as many as there are.
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted, open: Mutex::default() }
    }

    fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admission> {
        let peer = peer.to_canonical();
        let mut open = self.open();
        let of_peer = open.of_peers.get(&peer).copied().unwrap_or(0);
        if open.all >= MOST || (of_peer >= MOST_OF_A_PEER && !is_trusted(peer, &self.trusted)) {
            return None;
        }
        open.all += 1;
        open.of_peers.insert(peer, of_peer + 1);
        drop(open);
        Some(Admission { connections: Arc::clone(self), peer })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that counts as long as this is there.
struct Admission {
    connections: Arc<Connections>,
    peer: IpAddr,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.all = open.all.saturating_sub(1);
        let left = open.of_peers.get(&self.peer).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            open.of_peers.remove(&self.peer);
        } else {
            open.of_peers.insert(self.peer, left);
        }
    }
}

/// Accepts as long as there are not too many.
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
        let admitted = stream.peer_addr().ok().and_then(|peer| self.connections.admit(peer.ip()));
        let Some(admission) = admitted else {
            return async { Err(io::ErrorKind::QuotaExceeded.into()) }.boxed();
        };
        let accepted = self.inner.accept(stream, service);
        async move {
            let (stream, service) = accepted.await?;
            let mut stream = Box::pin(TimeoutStream::new(stream));
            stream.as_mut().set_write_timeout_pinned(Some(SLOWEST_WRITE));
            Ok((Counted { stream, _admission: admission }, service))
        }
        .boxed()
    }
}

/// A connection.
pub struct Counted<T> {
    stream: Pin<Box<TimeoutStream<T>>>,
    _admission: Admission,
}

impl<T: AsyncRead + AsyncWrite> AsyncRead for Counted<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(context, to)
    }
}

impl<T: AsyncRead + AsyncWrite> AsyncWrite for Counted<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        std::net::Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[test]
    fn one_peer_cannot_take_all_and_what_ends_makes_room() {
        let connections = Arc::new(Connections::new(vec!["192.0.2.9/32".parse().unwrap()]));
        let mut first: Vec<_> = (0..2000).map_while(|_| connections.admit(peer(1))).collect();
        assert_eq!(first.len(), MOST_OF_A_PEER);
        let proxy: Vec<_> = (0..2000).map_while(|_| connections.admit(peer(9))).collect();
        assert_eq!(proxy.len(), MOST - MOST_OF_A_PEER, "a proxy stands for many");
        assert!(connections.admit(peer(2)).is_none());
        first.pop();
        let one = connections.admit(peer(2)).unwrap();
        assert!(connections.admit(peer(1)).is_none());
        drop((first, proxy, one));
        assert!(connections.open().all == 0 && connections.open().of_peers.is_empty());
    }
}
