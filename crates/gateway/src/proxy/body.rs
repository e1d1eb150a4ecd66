//! The body of an answer on its way to the client, as the client takes it.
//!
//! What has come together goes on together: hyper writes each piece that it is given by itself, and upstream may have sent a
//! hundred events at once. Nothing is waited for: what is there goes on before anything else may come.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use firedrill_clock::Wait;
use firedrill_failover::{Duration, Instant};
use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::flight::Kind;
use crate::mask::Held;
use crate::metrics::Lost;
use crate::proxy::attempt::{Open, Succeeding};
use crate::shared::{Credential, Shared};
use crate::upstream::Coming;

/// So much goes on together at most, in bytes; and one piece more, for how long that is is not known before.
const MOST_TOGETHER: usize = 16 << 10;

/// What hyper sends to a client.
pub(crate) enum Outgoing {
    /// The gateway's own words.
    Own { body: Option<Bytes>, _open: Open },
    /// What upstream sends.
    Through(Box<Through>),
}

/// A body that comes from upstream.
pub(crate) struct Through {
    incoming: Coming,
    credential: Arc<Credential>,
    held: Held,
    /// What has come and did not go on yet.
    gathered: Gathered,
    /// How it ends, once what was gathered has gone on.
    end: Option<End>,
    /// Nothing more comes from upstream; what is held back may be left.
    ended: bool,
    /// It broke off, and the client is about to hear of it.
    broken: bool,
    pause: Pause,
    /// `None` once it is reported, and for what was no success.
    success: Option<Succeeding>,
    open: Open,
}

/// How a body ends.
#[derive(Copy, Clone, Debug)]
enum End {
    Well,
    Lost(Lost),
}

/// Pieces that go on as one.
#[derive(Default)]
struct Gathered {
    /// The only one, or nothing.
    one: Bytes,
    /// All of them, if there are more.
    many: Vec<u8>,
}

/// A time in which upstream sends nothing.
#[derive(Default)]
struct Pause {
    /// Since when, if it is one.
    since: Option<Instant>,
    /// Ends when the longest pause that was known when it began would be over, or before: then it is set again.
    wait: Option<Wait>,
}

/// The body broke off: the connection to the client is broken too, so that it can tell.
#[derive(Debug)]
pub(crate) struct BrokeOff;

impl fmt::Display for BrokeOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer from upstream breaks off")
    }
}

impl std::error::Error for BrokeOff {}

impl Outgoing {
    pub(crate) fn through(
        incoming: Coming,
        credential: Arc<Credential>,
        success: Option<Succeeding>,
        open: Open,
    ) -> Self {
        let (held, pause) = (Held::default(), Pause::default());
        Self::Through(Box::new(Through {
            incoming,
            credential,
            held,
            gathered: Gathered::default(),
            end: None,
            ended: false,
            broken: false,
            pause,
            success,
            open,
        }))
    }
}

impl Pause {
    /// Goes on; ready if it has lasted for `most`.
    fn poll(&mut self, shared: &Shared, most: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let now = shared.clock.now();
        if self.since.is_none() {
            shared.flight.begin_to_wait(Kind::Request);
        }
        let end = *self.since.get_or_insert(now) + most;
        loop {
            let wait = self.wait.get_or_insert_with(|| shared.clock.wait_until(end));
            match wait.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => self.wait = None,
            }
            if shared.clock.now() >= end {
                return Poll::Ready(());
            }
        }
    }

    fn over(&mut self, shared: &Shared) {
        if self.since.take().is_some() {
            shared.flight.end_to_wait(Kind::Request);
        }
    }
}

impl Gathered {
    fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.one = piece;
            return;
        }
        if self.many.is_empty() {
            self.many.reserve(2 * (self.one.len() + piece.len()));
            self.many.extend_from_slice(&std::mem::take(&mut self.one));
        }
        self.many.extend_from_slice(&piece);
    }

    fn len(&self) -> usize {
        self.one.len() + self.many.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&mut self) -> Bytes {
        if self.many.is_empty() {
            return std::mem::take(&mut self.one);
        }
        std::mem::take(&mut self.many).into()
    }
}

impl Through {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.broken {
            self.ended = true;
            return Poll::Ready(Some(Err(BrokeOff)));
        }
        loop {
            if self.gather(cx).is_pending() {
                return Poll::Pending;
            }
            if !self.gathered.is_empty() {
                let piece = self.credential.mask.pass(&mut self.held, self.gathered.take());
                if !piece.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
            }
            match self.end.take() {
                None => {}
                Some(End::Well) => {
                    self.ended = true;
                    if let Some(success) = self.success.take() {
                        success.succeeded(&self.open.shared);
                    }
                    let rest = self.held.rest();
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                }
                Some(End::Lost(kind)) => return self.breaks_off(kind, cx),
            }
        }
    }

    /// Ready when there is something to go on, or an end.
    fn gather(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let shared = &self.open.shared;
        while self.end.is_none() && self.gathered.len() < MOST_TOGETHER {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
                if self.gathered.is_empty() {
                    if self.pause.poll(shared, shared.timeout(), cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.end = Some(End::Lost(Lost::Timeout));
                }
                break;
            };
            self.pause.over(shared);
            match frame {
                // What is no data is a trailer, and those are between neighbours.
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        self.gathered.push(piece);
                    }
                }
                None => self.end = Some(End::Well),
                Some(Err(_)) => self.end = Some(End::Lost(Lost::Reset)),
            }
        }
        Poll::Ready(())
    }

    /// It breaks off. What came before has gone to the client by the time that its connection is broken too.
    fn breaks_off<T>(&mut self, kind: Lost, cx: &mut Context<'_>) -> Poll<T> {
        self.broken = true;
        cx.waker().wake_by_ref();
        self.pause.over(&self.open.shared);
        if let Some(success) = self.success.take() {
            success.lost(&self.open.shared, kind);
        }
        Poll::Pending
    }
}

impl Drop for Through {
    fn drop(&mut self) {
        self.pause.over(&self.open.shared);
        // Its headers said so, and nobody waited for more.
        if let Some(success) = self.success.take() {
            success.succeeded(&self.open.shared);
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        match self.get_mut() {
            Self::Own { body, .. } => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Through(through) => through.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own { body, .. } => body.is_none(),
            Self::Through(through) => {
                through.ended
                    || !through.broken
                        && through.end.is_none()
                        && through.gathered.is_empty()
                        && through.held.len() == 0
                        && through.incoming.is_end_stream()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own { body, .. } => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
            Self::Through(through) => {
                let here = through.held.len() + through.gathered.len();
                let (hint, held) = (through.incoming.size_hint(), here as u64);
                let mut all = SizeHint::new();
                all.set_lower(hint.lower() + held);
                if let Some(upper) = hint.upper() {
                    all.set_upper(upper.saturating_add(held));
                }
                all
            }
        }
    }
}
