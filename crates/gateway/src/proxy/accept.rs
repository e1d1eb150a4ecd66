//! Whom there is room for: every connection to the port is served, or its client is told that there is none.

use std::sync::Arc;
use std::time::Duration;

use firedrill_line::{TOLD, asked_to, turn_away};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::metrics::Metrics;
use crate::proxy::connection;
use crate::shared::Shared;

/// After a failure to accept, as for want of files.
const AGAIN: Duration = Duration::from_millis(10);

/// What one is told for whom there is no room.
const NO_ROOM: &str =
    r#"{"error":{"message":"too many connections just now","type":"gateway_error","code":"connections"}}"#;

/// Serves every connection to `listener` until the gateway stops; then waits for those that are being answered, for as long as
/// the limits grant.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let (mut tasks, mut told) = (JoinSet::new(), JoinSet::new());
    let mut stop = shared.stop.subscribe();
    loop {
        tokio::select! {
            biased;
            () = asked_to(&mut stop) => break,
            Some(_) = tasks.join_next() => {}
            Some(_) = told.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if tasks.len() < shared.limits.connections => {
                    let shared = Arc::clone(&shared);
                    tasks.spawn(async move {
                        let _counted = Connected::new(Arc::clone(&shared.metrics));
                        connection::serve(stream, shared).await;
                    });
                }
                Ok((stream, _)) => {
                    shared.metrics.turned_away();
                    if told.len() < TOLD {
                        told.spawn(turn_away(stream, NO_ROOM));
                    }
                }
                // No more files, most likely: others must end first.
                Err(_) => tokio::time::sleep(AGAIN).await,
            },
        }
    }
    drop(listener);
    let all = async { while tasks.join_next().await.is_some() {} };
    // What is not over by then is broken off with the set.
    let _ = tokio::time::timeout(shared.limits.grace, all).await;
}

/// A connection that is counted.
struct Connected(Arc<Metrics>);

impl Connected {
    fn new(metrics: Arc<Metrics>) -> Self {
        metrics.connected();
        Self(metrics)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.disconnected();
    }
}
