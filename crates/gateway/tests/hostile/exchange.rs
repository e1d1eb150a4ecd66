//! The bytes of a client over a connection, and what comes back. The time is tokio's own, which stands still while anything
//! happens: nobody waits for it, however long the patience is.

use std::net::SocketAddr;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::strict::{self, End};

/// Nobody waits for longer: then the server and the strict reader differ, and it is seen in what came of it.
const PATIENCE: Duration = Duration::from_millis(500);

/// So often the time has to stand still for nothing, before nothing more comes.
const TRIES: usize = 3;

/// So long the machine may take, in real time, for what it has on its way from one socket to another.
const ON_ITS_WAY: Duration = Duration::from_micros(200);

/// How often anything has panicked since the first runtime.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// A runtime whose time is not real, and which counts what panics on it.
///
/// # Panics
/// If there is none to be had.
pub(crate) fn runtime() -> Runtime {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            before(info);
        }));
    });
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime")
}

/// How often anything has panicked.
pub(crate) fn panics() -> usize {
    PANICS.load(Ordering::SeqCst)
}

/// Sends `sent`, and reads until all is answered that is to be answered, or the connection ends.
///
/// # Panics
/// If nobody listens at `address`.
pub(crate) async fn exchange(address: SocketAddr, sent: &[u8]) -> Vec<u8> {
    let (meant, end) = strict::requests(sent);
    let methods = strict::methods(sent, &meant);
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("set");
    let _ = stream.write_all(sent).await;
    let mut read = Vec::new();
    loop {
        let (answers, rest) = strict::answers(&read, &methods);
        let is_all = answers.len() >= meant.len() && rest == End::Clean;
        if is_all && !matches!(end, End::Wrong(_)) {
            break;
        }
        if !more(&mut stream, &mut read).await {
            break;
        }
    }
    // Whatever was begun goes no further; and what would be said to that is heard. What waits for more is over.
    let _ = stream.shutdown().await;
    while more(&mut stream, &mut read).await {}
    read
}

/// Reads what comes next; whether anything did.
#[expect(clippy::disallowed_methods, reason = "the edge: the machine moves what is sent in real time")]
async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> bool {
    for _ in 0..TRIES {
        match tokio::time::timeout(PATIENCE, stream.read_buf(read)).await {
            Ok(came) => return matches!(came, Ok(1..)),
            Err(_) => std::thread::sleep(ON_ITS_WAY),
        }
    }
    false
}
