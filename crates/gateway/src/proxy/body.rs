//! The body of an answer on its way to the client: a piece at a time, as the client takes it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use firedrill_clock::Wait;
use firedrill_failover::{Duration, Instant};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use crate::flight::Kind;
use crate::mask::Held;
use crate::metrics::Lost;
use crate::proxy::attempt::{Open, Succeeding};
use crate::shared::{Credential, Shared};

/// What hyper sends to a client.
pub(crate) enum Outgoing {
    /// The gateway's own words.
    Own { body: Option<Bytes>, _open: Open },
    /// What upstream sends.
    Through(Box<Through>),
}

/// A body that comes from upstream.
pub(crate) struct Through {
    incoming: Incoming,
    credential: Arc<Credential>,
    held: Held,
    /// Nothing more comes from upstream; what is held back may be left.
    ended: bool,
    /// It broke off, and the client is about to hear of it.
    broken: bool,
    pause: Pause,
    /// `None` once it is reported, and for what was no success.
    success: Option<Succeeding>,
    open: Open,
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
        incoming: Incoming,
        credential: Arc<Credential>,
        success: Option<Succeeding>,
        open: Open,
    ) -> Self {
        let (held, pause) = (Held::default(), Pause::default());
        Self::Through(Box::new(Through {
            incoming,
            credential,
            held,
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

impl Through {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        let shared = &self.open.shared;
        if self.ended {
            return Poll::Ready(None);
        }
        if self.broken {
            self.ended = true;
            return Poll::Ready(Some(Err(BrokeOff)));
        }
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
                if self.pause.poll(shared, shared.timeout(), cx).is_pending() {
                    return Poll::Pending;
                }
                return self.breaks_off(Lost::Timeout, cx);
            };
            self.pause.over(shared);
            match frame {
                Some(Ok(frame)) => {
                    // What is no data is a trailer, and those are between neighbours.
                    let Ok(piece) = frame.into_data() else { continue };
                    let piece = self.credential.mask.pass(&mut self.held, piece);
                    if !piece.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(piece))));
                    }
                }
                None => {
                    self.ended = true;
                    if let Some(success) = self.success.take() {
                        success.succeeded(shared);
                    }
                    let rest = self.held.rest();
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                }
                Some(Err(_)) => return self.breaks_off(Lost::Reset, cx),
            }
        }
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
                    || !through.broken && through.held.len() == 0 && through.incoming.is_end_stream()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own { body, .. } => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
            Self::Through(through) => {
                let (hint, held) = (through.incoming.size_hint(), through.held.len() as u64);
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
