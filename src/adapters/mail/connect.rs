//! TCP to a relay that has several addresses, some of which may be dead: "happy eyeballs" (RFC 8305). Called by `wire`, which
//! bounds it by the time of a step.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::{
    net::{TcpStream, lookup_host},
    time::sleep,
};

/// How long an attempt has for itself before the next begins beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connection to whichever address of the host answers first.
///
/// # Errors
/// No such host, or the last attempt's if every address refuses. An address that says nothing is waited for.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    first_to_answer(lookup_host((host, port)).await?.collect(), TcpStream::connect).await
}

/// Begins an attempt for each address in turn: the next one after [`ATTEMPT_DELAY`], or at once when one fails. The first
/// connection wins and the other attempts are given up.
async fn first_to_answer<Connection, Attempt: Future<Output = io::Result<Connection>>>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> Attempt,
) -> io::Result<Connection> {
    let mut waiting = interleaved(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::ErrorKind::NotFound.into();
    loop {
        attempts.extend(waiting.next().map(&connect));
        tokio::select! {
            attempt = attempts.next() => match attempt {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => failure = error,
                None => return Err(failure),
            },
            () = sleep(ATTEMPT_DELAY), if waiting.len() > 0 => {}
        }
    }
}

/// In the resolver's order, but each family in turn (RFC 8305 §4): if one family does not work, half the attempts do.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == preferred);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut in_turn = Vec::new();
    while first.len() + second.len() > 0 {
        in_turn.extend(first.next());
        in_turn.extend(second.next());
    }
    in_turn
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::timeout;

    use super::*;

    /// Generous: the rule takes a fraction of it, and one dead address in turn takes minutes.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// An address that answers nobody, since its queue of connections is full, and what keeps it so.
    async fn dead() -> (SocketAddr, Vec<Box<dyn Send>>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut kept: Vec<Box<dyn Send>> = vec![Box::new(listener)];
        while let Ok(stream) = timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
            kept.push(Box::new(stream.unwrap()));
            assert!(kept.len() < 100, "a queue of one is full at some time");
        }
        (address, kept)
    }

    async fn alive() -> (SocketAddr, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        (listener.local_addr().unwrap(), listener)
    }

    /// Nobody listens there any more.
    async fn refusing() -> SocketAddr {
        alive().await.0
    }

    async fn reached(addresses: Vec<SocketAddr>) -> io::Result<SocketAddr> {
        let connection =
            timeout(PATIENCE, first_to_answer(addresses, TcpStream::connect)).await.expect("an answer before long");
        connection.and_then(|stream| stream.peer_addr())
    }

    #[tokio::test]
    async fn a_relay_is_reached_whose_first_addresses_answer_nobody() {
        let (first, _kept) = dead().await;
        let (second, _kept_too) = dead().await;
        let (live, _listener) = alive().await;
        assert_eq!(reached(vec![first, second, live]).await.unwrap(), live);
        assert_eq!(reached(vec![first, refusing().await, live]).await.unwrap(), live);
    }

    #[tokio::test]
    async fn a_refusal_is_told_once_every_address_refused() {
        let (live, _listener) = alive().await;
        assert_eq!(reached(vec![refusing().await, refusing().await, live]).await.unwrap(), live);
        let refused = reached(vec![refusing().await, refusing().await]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(reached(Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_comes_while_others_are_tried_still_counts() {
        let addresses = ["192.0.2.1:25", "192.0.2.2:25", "192.0.2.3:25"].map(|address| address.parse().unwrap());
        let [slow, silent, refusing] = addresses;
        let tried = std::sync::Mutex::new(Vec::new());
        let connect = |address: SocketAddr| {
            tried.lock().unwrap().push(address);
            async move {
                if address == refusing {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                sleep(if address == slow { ATTEMPT_DELAY * 2 } else { ATTEMPT_DELAY * 1_000 }).await;
                Ok(address)
            }
        };
        assert_eq!(first_to_answer(vec![slow, silent, refusing], connect).await.unwrap(), slow);
        assert_eq!(tried.into_inner().unwrap()[..2], [slow, silent], "the second is tried beside it");
    }

    #[test]
    fn families_take_turns_in_the_resolvers_order() {
        for (resolved, tried) in [
            ("6a 6b 6c 4a 4b", "6a 4a 6b 4b 6c"),
            ("4a 6a 6b", "4a 6a 6b"),
            ("4a 4b 4c 6a", "4a 6a 4b 4c"),
            ("4a", "4a"),
            ("", ""),
        ] {
            let addresses = |text: &str| -> Vec<SocketAddr> {
                let address = |word: &str| match word.split_at(1) {
                    ("6", host) => format!("[2001:db8::{host}]:587").parse().unwrap(),
                    (_, host) => format!("192.0.2.{}:587", u8::from_str_radix(host, 16).unwrap()).parse().unwrap(),
                };
                text.split_whitespace().map(address).collect()
            };
            assert_eq!(interleaved(addresses(resolved)), addresses(tried), "{resolved}");
        }
    }
}
