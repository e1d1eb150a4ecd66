//! Who listens on a port, and when: not during an outage that refuses connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use firedrill_line::{BACKLOG, Phase, TOLD, asked_to, hold, turn_away};
use hyper::Request;
use hyper::body::Incoming as IncomingBody;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::server::connection;
use crate::server::sending::Sending;
use crate::server::shared::Shared;

/// After a failure to listen or to accept, as for want of files.
const RETRY: Duration = Duration::from_millis(10);

/// What one is told for whom there is no room.
const NO_ROOM: &str = r#"{"error":{"message":"too many connections just now"}}"#;

/// Serves every connection to `listener` by what `answers` gives for it, until it is asked to stop; then waits for those that
/// are being answered, for as long as the limits grant. `number` is the port's, if providers are behind it: then nobody
/// listens while an outage refuses connections.
pub(crate) async fn accept<A, F>(
    shared: Arc<Shared>,
    listener: TcpListener,
    (number, connections): (Option<usize>, usize),
    answers: impl Fn(Phase) -> A,
) where
    A: Fn(Request<IncomingBody>) -> F + Send + Sync + 'static,
    F: Future<Output = Sending> + Send + Unpin,
{
    let (mut tasks, mut told) = (JoinSet::new(), JoinSet::new());
    let mut port = Port { address: listener.local_addr().ok(), listener: Some(listener), held: None };
    let mut stop = shared.stop.subscribe();
    let mut begun = shared.begun.subscribe();
    loop {
        let now = shared.clock.now();
        let open = number.is_none_or(|number| !shared.is_refusing(number, now));
        port.open(open);
        if let Some(number) = number {
            shared.ports[number].listening.send_replace(port.listener.is_some());
        }
        let change = async {
            match number.and_then(|number| shared.next_change(number, now)) {
                Some(at) => shared.clock.wait_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = asked_to(&mut stop) => break,
            () = change => {}
            _ = begun.changed(), if number.is_some() => {}
            // Another has the port; it may give it back.
            () = tokio::time::sleep(RETRY), if open && port.listener.is_none() => {}
            Some(_) = tasks.join_next() => {}
            Some(_) = told.join_next() => {}
            stream = port.accept() => match stream {
                Ok(stream) if tasks.len() < connections => {
                    let (shared, phase) = (Arc::clone(&shared), Phase::default());
                    let answer = answers(phase.clone());
                    tasks.spawn(async move {
                        let _counted = Counted::new(&shared.connections);
                        let limits = Arc::clone(&shared.limits);
                        connection::serve((stream, phase), limits, shared.stop.subscribe(), answer).await;
                    });
                }
                Ok(stream) if told.len() < TOLD => drop(told.spawn(turn_away(stream, NO_ROOM))),
                Ok(stream) => drop(stream),
                // No more files, most likely: others must end first.
                Err(_) => tokio::time::sleep(RETRY).await,
            },
        }
    }
    drop(port);
    let all = async { while tasks.join_next().await.is_some() {} };
    // What is not over by then is broken off with the set.
    let _ = tokio::time::timeout(shared.limits.grace, all).await;
}

/// A port that is listened on, or held while nobody listens so that no other takes it.
struct Port {
    address: Option<SocketAddr>,
    listener: Option<TcpListener>,
    held: Option<TcpSocket>,
}

impl Port {
    fn open(&mut self, open: bool) {
        if open == self.listener.is_some() {
            return;
        }
        if open {
            let held = self.held.take().map(Ok).or_else(|| self.address.map(hold));
            self.listener = held.and_then(|held| held.and_then(|held| held.listen(BACKLOG)).ok());
        } else {
            // Two cannot have a port while one of them listens.
            self.listener = None;
            self.held = self.address.and_then(|address| hold(address).ok());
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        match &self.listener {
            Some(listener) => listener.accept().await.map(|(stream, _)| stream),
            None => std::future::pending().await,
        }
    }
}

/// One of those that are counted.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
