//! One connection: hyper speaks HTTP on it until it is over, or until an answer is to be broken below that.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use hyper::body::Incoming as IncomingBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::server::sending::{Call, Raw, Sending, Stream};
use firedrill_line::{Limits, Line, Phase, Stopping, Turns, drain};

/// Serves the requests that come on `stream`, each by `answer`, which sets the `phase`, until either side has enough or `stop`
/// says so.
pub(crate) async fn serve<F>(
    (stream, phase): (TcpStream, Phase),
    limits: Arc<Limits>,
    stop: watch::Receiver<bool>,
    answer: impl Fn(Request<IncomingBody>) -> F,
) where
    F: Future<Output = Sending> + Unpin,
{
    // Small answers are sent at once.
    let _ = stream.set_nodelay(true);
    let line = Line::new(stream, phase.clone(), Arc::clone(&limits));
    let broken: Mutex<Option<Box<Raw>>> = Mutex::new(None);
    let service = service_fn(|request| Answered::Waiting(answer(request), &broken));
    let mut http = http1::Builder::new();
    // Not `pipeline_flush`: with it hyper holds whatever a body has ready in memory, without a bound.
    http.max_header_size(limits.head_bytes).max_buf_size(limits.head_bytes.max(8 << 10)).half_close(false);
    // An answer is short, and an event more so: to copy them together costs less than to hand them over piece by piece.
    http.writev(false);
    // The date is of the mock's clock, not of this machine's.
    http.auto_date_header(false);
    let mut connection = http.serve_connection(TokioIo::new(line), service);
    let (mut stopping, turns) = (Stopping::new(stop), Turns::default());
    let raw = poll_fn(|cx| {
        if stopping.begins(&turns, cx) {
            Pin::new(&mut connection).graceful_shutdown();
        }
        let polled = turns.poll_http(&phase, cx, |cx| connection.poll_without_shutdown(cx));
        // The service runs in that poll, so there is nothing to be woken for.
        match broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(raw) => Poll::Ready(Ok(Some(raw))),
            None => polled.map_ok(|()| None),
        }
    })
    .await;
    let mut line = connection.into_parts().io.into_inner();
    match raw {
        Ok(Some(raw)) => {
            // A client that went away need not be told.
            let _ = raw.send(line).await;
        }
        Ok(None) => {
            if line.shutdown().await.is_ok() {
                drain(line, limits.body_bytes as u64).await;
            }
        }
        // Whoever is too slow, or is gone, gets nothing more.
        Err(_) => {}
    }
}

/// What comes of a request, for hyper: an answer that it can send.
enum Answered<'a, F> {
    Waiting(F, &'a Mutex<Option<Box<Raw>>>),
    /// It never comes. What stands for the call is kept until the client goes away.
    Never(#[expect(dead_code, reason = "it is kept")] Option<Call>),
}

impl<F: Future<Output = Sending> + Unpin> Future for Answered<'_, F> {
    type Output = Result<Response<Stream>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answered = self.get_mut();
        let Self::Waiting(answer, broken) = answered else { return Poll::Pending };
        match ready!(Pin::new(answer).poll(cx)) {
            Sending::Http(response) => return Poll::Ready(Ok(response)),
            Sending::Raw(raw) => {
                *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(raw);
                *answered = Self::Never(None);
            }
            Sending::Never(call) => *answered = Self::Never(Some(call)),
        }
        Poll::Pending
    }
}
