//! What a gateway tells of itself, on a port of its own: its state, what happens, its counts, and whether it is well. And
//! where an operator takes a token out, or puts it back.
//!
//! **Architecture invariant:** nothing here shows a token, nor a request. Labels, statuses, counts and times are all it has.

mod answer;
mod events;
mod guard;
mod order;
mod page;
mod state;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use firedrill_failover::WorkerId;
use firedrill_line::{Limits, Line, Phase};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::secret::Secret;
use crate::shared::Shared;
use crate::telling::Story;

/// What is told, and to whom.
pub(crate) struct Admin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) story: Arc<Story>,
    pub(crate) worker: WorkerId,
    /// What whoever asks must bring, if something.
    pub(crate) token: Option<Secret>,
    /// What the log's time counts from, in milliseconds since the Unix epoch.
    pub(crate) log_zero: u64,
    /// One for each stream of events.
    pub(crate) streams: Arc<Semaphore>,
}

impl Admin {
    /// So many streams of events there may be: others find room to ask whether it is well.
    pub(crate) const STREAMS: usize = 32;
}

/// After a failure to accept, as for want of files.
const AGAIN: Duration = Duration::from_millis(10);

/// Those who ask here are few, and ask for little.
fn limits() -> Limits {
    Limits {
        connections: 64,
        head_bytes: 16 << 10,
        body_bytes: 4 << 10,
        body_time: Duration::from_secs(10),
        write_time: Duration::from_secs(10),
        ..Limits::default()
    }
}

/// Answers everybody who asks, until it is dropped.
pub(crate) async fn serve(admin: Arc<Admin>, listener: TcpListener) {
    let limits = Arc::new(limits());
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                // Whoever comes beyond is hung up on.
                Ok((stream, _)) if tasks.len() < limits.connections => {
                    tasks.spawn(connection(stream, Arc::clone(&admin), Arc::clone(&limits)));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(AGAIN).await,
            },
        }
    }
}

async fn connection(stream: TcpStream, admin: Arc<Admin>, limits: Arc<Limits>) {
    let phase = Phase::default();
    let line = Line::new(stream, phase.clone(), Arc::clone(&limits));
    let service = service_fn(|request| {
        let (admin, phase) = (Arc::clone(&admin), phase.clone());
        async move { Ok::<_, Infallible>(answer::answer(&admin, phase, request).await) }
    });
    let connection =
        http1::Builder::new().max_buf_size(limits.head_bytes).serve_connection(TokioIo::new(line), service);
    // Whoever is too slow, or is gone, gets nothing more.
    let _ = connection.await;
}
