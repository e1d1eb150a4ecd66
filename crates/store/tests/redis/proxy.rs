//! A way to a server that can lose what the server says.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::opened::RUNTIME;

/// What becomes of what goes by.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Everything gets to the server; at the first byte that it answers the connection is cut.
    LosesReplies,
    /// Connections are cut and no new one is made.
    Closed,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    way: Arc<watch::Sender<Way>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(crate) fn to(port: u16) -> Self {
        let bound = RUNTIME.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let own = bound.local_addr().expect("an address").port();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let ways = Arc::clone(&way);
        let accepting = RUNTIME.spawn(async move {
            while let Ok((client, _)) = bound.accept().await {
                if *ways.borrow() != Way::Closed {
                    tokio::spawn(pass(client, port, ways.subscribe()));
                }
            }
        });
        Self { port: own, way, accepting }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.set(Way::Closed);
    }
}

async fn pass(client: TcpStream, port: u16, way: watch::Receiver<Way>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut closed = way.clone();
    let answers = async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            if *way.borrow() != Way::Open || to_client.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = answers => {}
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = closed.wait_for(|way| *way == Way::Closed) => {}
    }
}
