//! A connection to upstream, lent for one question at a time. Whoever asks on it drives it too: no other task has to be woken for
//! an answer or for a piece of one, and no other thread.
//!
//! Those that nobody uses are kept by hyper's cache of services, whose types have no names: so a connection is a service, and
//! lent as one.

use std::future::{Ready, poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::pool::cache;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tower_service::Service;

use crate::upstream::connection::{Past, Remembering};

pub(crate) type Question = Request<Full<Bytes>>;

/// A connection that was not used for so long is closed, before upstream closes it.
const IDLE: Duration = Duration::from_secs(30);

/// How often those are looked for that upstream has closed, or that were not used for too long.
const TENDING: Duration = Duration::from_secs(5);

/// What connects upstream.
pub(crate) struct Client {
    /// Lends a connection that is kept, or else a new one, that is kept when it comes back.
    kept: Box<dyn Fn() -> Connecting<Box<dyn Lent>> + Send + Sync>,
    connect: Connect,
    tending: AbortHandle,
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, Failed>> + Send>>;

/// Why no answer came.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// Upstream could not be connected to.
    Connect,
    /// The connection had been kept, and was over before anything of the question was sent.
    Unsent,
    /// The connection had been kept, and was over before upstream could be blamed.
    Stale,
    /// It broke, or what came was no answer.
    Reset,
}

impl Client {
    /// Must be called in a runtime.
    pub(super) fn new(connector: HttpsConnector<HttpConnector>, to: Uri) -> Self {
        let connect = Connect(Arc::new((connector, to)));
        let mut cache = cache::builder().executor(TokioExecutor::new()).build(connect.clone());
        let kept = lending(cache.clone());
        let tending = tokio::spawn(async move {
            loop {
                tokio::time::sleep(TENDING).await;
                cache.retain(|link| link.lasts());
            }
        });
        Self { kept: Box::new(kept), connect, tending: tending.abort_handle() }
    }

    /// Asks on a connection that is kept, or else on a new one. What is asked is made once for each connection that is tried.
    pub(super) async fn ask(&self, question: impl Fn() -> Question) -> Result<Response<Coming>, Failed> {
        loop {
            match ask(Lending((self.kept)().await?), question()).await {
                Err(Failed::Unsent) => {}
                came => return came,
            }
        }
    }

    /// Asks on a new connection, which is not kept.
    pub(super) async fn ask_anew(&self, question: Question) -> Result<Response<Coming>, Failed> {
        let link: Box<dyn Lent> = Box::new(self.connect.clone().call(()).await?);
        ask(Lending(link), question).await
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.tending.abort();
    }
}

/// Lends what comes out of `cache`.
fn lending<C, L>(cache: C) -> impl Fn() -> Connecting<Box<dyn Lent>> + Send + Sync
where
    C: Service<(), Response = L, Error = Failed, Future: Send> + Clone + Send + Sync + 'static,
    L: Lent + 'static,
{
    move || {
        let mut cache = cache.clone();
        Box::pin(async move {
            poll_fn(|cx| cache.poll_ready(cx)).await?;
            let link: Box<dyn Lent> = Box::new(cache.call(()).await?);
            Ok(link)
        })
    }
}

async fn ask(link: Lending, question: Question) -> Result<Response<Coming>, Failed> {
    let mut link = Some(link);
    let mut asking = link.as_mut().map(|link| link.0.ask(question)).ok_or(Failed::Reset)?;
    let answer = poll_fn(|cx| {
        if let Poll::Ready(answer) = asking.as_mut().poll(cx) {
            return Poll::Ready(answer);
        }
        drive(&mut link, cx);
        asking.as_mut().poll(cx)
    });
    let answer = answer.await?;
    Ok(answer.map(|incoming| Coming { incoming, link }))
}

/// Drives it on. One that is over is dropped, so that whoever waits for something of it is told.
fn drive(link: &mut Option<Lending>, cx: &mut Context<'_>) {
    let over = link.as_mut().is_some_and(|link| matches!(link.0.drive(cx), Poll::Ready(Err(_))));
    if over {
        *link = None;
    }
}

/// The body of an answer, with the connection that it comes on.
pub(crate) struct Coming {
    /// Dropped first: the connection sees whether its end was wanted.
    incoming: Incoming,
    link: Option<Lending>,
}

impl Body for Coming {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let coming = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut coming.incoming).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        drive(&mut coming.link, cx);
        Pin::new(&mut coming.incoming).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// A connection that goes back when this is dropped, if it can be used again.
struct Lending(Box<dyn Lent>);

impl Drop for Lending {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A connection that is lent.
trait Lent: Send {
    /// Asks. Nothing comes of it unless it is driven.
    fn ask(&mut self, question: Question) -> Asking;
    /// Ready when another question can be asked, or when it is over.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>>;
    /// Nobody uses it any more: if another question cannot be asked at once it is closed.
    fn end(&mut self);
}

type Asking = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Failed>> + Send>>;

impl<T> Lent for T
where
    T: Service<Question, Response = Response<Incoming>, Error = Failed, Future = Asking>
        + Service<Back, Error = Failed>
        + Send,
{
    fn ask(&mut self, question: Question) -> Asking {
        self.call(question)
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Service::<Question>::poll_ready(self, cx)
    }

    fn end(&mut self) {
        // The cache does not take back what fails here.
        let _ = Service::<Back>::poll_ready(self, &mut Context::from_waker(Waker::noop()));
    }
}

/// What a connection is asked when it is given back. It is ready for that at once, or never.
struct Back;

/// A connection.
pub(super) struct Link {
    questions: http1::SendRequest<Full<Bytes>>,
    connection: http1::Connection<Io, Full<Bytes>>,
    past: Arc<Past>,
    /// Something was asked on it.
    asked: bool,
    over: bool,
    /// Since when nobody has used it, unless somebody does.
    idle: Instant,
}

type Io = TokioIo<Remembering<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>>;

impl Link {
    /// Whether it is worth to be kept on.
    fn lasts(&mut self) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        self.idle.elapsed() < IDLE && matches!(self.poll(cx), Poll::Ready(Ok(())))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        // What it failed of is told to whoever waits for an answer, or for more of it.
        self.over = self.over || Pin::new(&mut self.connection).poll(cx).is_ready();
        if self.over {
            return Poll::Ready(Err(Failed::Reset));
        }
        if self.questions.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Service<Question> for Link {
    type Response = Response<Incoming>;
    type Error = Failed;
    type Future = Asking;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.poll(cx)
    }

    fn call(&mut self, question: Question) -> Asking {
        let kept = std::mem::replace(&mut self.asked, true);
        if self.over || self.idle.elapsed() >= IDLE {
            self.over = true;
            return Box::pin(ready(Err(if kept { Failed::Unsent } else { Failed::Reset })));
        }
        let answer = self.questions.try_send_request(question);
        let past = Arc::clone(&self.past);
        Box::pin(async move {
            answer.await.map_err(|error| match error.message() {
                Some(_) if kept => Failed::Unsent,
                _ if past.is_stale() => Failed::Stale,
                _ => Failed::Reset,
            })
        })
    }
}

impl Service<Back> for Link {
    type Response = ();
    type Error = Failed;
    type Future = Ready<Result<(), Failed>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.over = !matches!(self.poll(cx), Poll::Ready(Ok(())));
        self.idle = Instant::now();
        Poll::Ready(if self.over { Err(Failed::Reset) } else { Ok(()) })
    }

    fn call(&mut self, Back: Back) -> Self::Future {
        ready(Ok(()))
    }
}

/// Makes connections, all to one place.
#[derive(Clone)]
struct Connect(Arc<(HttpsConnector<HttpConnector>, Uri)>);

impl Service<()> for Connect {
    type Response = Box<Link>;
    type Error = Failed;
    type Future = Connecting<Box<Link>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        let (mut connector, to) = (self.0.0.clone(), self.0.1.clone());
        Box::pin(async move {
            poll_fn(|cx| connector.poll_ready(cx)).await.map_err(|_| Failed::Connect)?;
            let stream = connector.call(to).await.map_err(|_| Failed::Connect)?;
            let (remembering, past) = Remembering::new(TokioIo::new(stream));
            let (questions, connection) =
                http1::handshake(TokioIo::new(remembering)).await.map_err(|_| Failed::Connect)?;
            let idle = Instant::now();
            Ok(Box::new(Link { questions, connection, past, asked: false, over: false, idle }))
        })
    }
}
