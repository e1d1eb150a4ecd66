//! One connection of a client: hyper speaks HTTP on it until either side has enough.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use firedrill_line::{Line, Phase, Stopping, Turns, drain};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::proxy::guard::Guard;
use crate::proxy::request;
use crate::shared::Shared;

/// hyper reads no head into less, in bytes.
const LEAST_BUFFER: usize = 8 << 10;

/// Serves the requests that come on `stream`, until either side has enough or the gateway stops.
pub(crate) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers are sent at once.
    let _ = stream.set_nodelay(true);
    let (phase, limits) = (Phase::default(), Arc::clone(&shared.limits));
    let line = Guard::new(Line::new(stream, phase.clone(), Arc::clone(&limits)), limits.head_bytes);
    let service = service_fn(|request| {
        // hyper gives the connection back only if what answers can be moved.
        Box::pin(request::answer(Arc::clone(&shared), phase.clone(), request))
    });
    let mut http = http1::Builder::new();
    // Not `pipeline_flush`: with it hyper holds whatever a body has ready in memory, without a bound.
    http.max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes.max(LEAST_BUFFER))
        // To copy a head and a piece together costs less than to hand them over one by one.
        .writev(false)
        .half_close(false);
    let mut connection = http.serve_connection(TokioIo::new(line), service);
    let (mut stopping, turns) = (Stopping::new(shared.stop.subscribe()), Turns::default());
    let served = poll_fn(|cx| {
        if stopping.begins(&turns, cx) {
            Pin::new(&mut connection).graceful_shutdown();
        }
        turns.poll_http(&phase, cx, |cx| connection.poll_without_shutdown(cx))
    })
    .await;
    // Whoever is too slow, or is gone, gets nothing more.
    let Ok(()) = served else { return };
    let mut line = connection.into_parts().io.into_inner().into_inner();
    if line.shutdown().await.is_ok() {
        drain(line, limits.body_bytes as u64).await;
    }
}
