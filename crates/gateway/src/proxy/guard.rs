//! What stands between a client's connection and hyper: it hands on a head only when it is whole and can be understood in one
//! way alone. In the place of another it hands on one that hyper answers 400, and nothing after it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::proxy::framing::Body;
use crate::proxy::scan::{Ambiguous, Scan};

/// What no parser takes for a head.
const NO_HEAD: &[u8] = b"\0\r\n\r\n";

/// A connection that is read through a scan of every head.
pub(crate) struct Guard<T> {
    inner: T,
    /// A head that is longer is for hyper to refuse.
    most: usize,
    state: State,
    /// The beginning of a head.
    head: Vec<u8>,
    /// What may be read, before anything else, from `given` on.
    ready: Vec<u8>,
    given: usize,
}

enum State {
    Head(Scan),
    Body(Body),
    /// What comes is not looked at any more: the connection is about to be refused for the length of a head.
    Through,
    /// Nothing is handed on any more.
    Refused,
}

impl<T> Guard<T> {
    pub(crate) fn new(inner: T, most: usize) -> Self {
        let state = State::Head(Scan::default());
        Self { inner, most, state, head: Vec::new(), ready: Vec::new(), given: 0 }
    }

    pub(crate) fn into_inner(self) -> T {
        self.inner
    }

    /// How many of `bytes` may be handed on; what is left is the beginning of a head.
    fn scan(&mut self, bytes: &[u8]) -> Result<usize, Ambiguous> {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.state {
                State::Head(scan) => match scan.go_on(&bytes[at..])? {
                    Some((end, after)) => {
                        at += end;
                        self.state = State::Body(after.into());
                        if matches!(self.state, State::Body(Body::Left(0))) {
                            self.state = State::Head(Scan::default());
                        }
                    }
                    None => break,
                },
                State::Body(body) => {
                    let (taken, over) = body.take(&bytes[at..])?;
                    at += taken;
                    if over {
                        self.state = State::Head(Scan::default());
                    }
                }
                State::Through | State::Refused => return Ok(bytes.len()),
            }
        }
        Ok(at)
    }

    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let some = buf.remaining().min(self.ready.len() - self.given);
        buf.put_slice(&self.ready[self.given..self.given + some]);
        self.given += some;
        if self.given == self.ready.len() {
            (self.ready, self.given) = (Vec::new(), 0);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guard<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        loop {
            if guard.given < guard.ready.len() {
                guard.give(buf);
                return Poll::Ready(Ok(()));
            }
            if matches!(guard.state, State::Refused) {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut guard.inner).poll_read(cx, buf))?;
            if buf.filled().len() == before || matches!(guard.state, State::Through) {
                return Poll::Ready(Ok(()));
            }
            if guard.head.is_empty() {
                let in_head = matches!(guard.state, State::Head(_));
                match guard.scan(&buf.filled()[before..]) {
                    Ok(handed) if before + handed == buf.filled().len() => return Poll::Ready(Ok(())),
                    Ok(handed) => {
                        guard.head.extend_from_slice(&buf.filled()[before + handed..]);
                        buf.set_filled(before + handed);
                        if handed > 0 {
                            return Poll::Ready(Ok(()));
                        }
                    }
                    Err(Ambiguous) => {
                        buf.set_filled(before);
                        guard.refuse(in_head);
                    }
                }
            } else {
                let mut head = std::mem::take(&mut guard.head);
                head.extend_from_slice(&buf.filled()[before..]);
                buf.set_filled(before);
                match guard.scan(&head) {
                    Ok(handed) => {
                        guard.head = head.split_off(handed);
                        guard.ready = head;
                    }
                    Err(Ambiguous) => guard.refuse(true),
                }
            }
            if guard.head.len() > guard.most {
                guard.ready.append(&mut guard.head);
                guard.state = State::Through;
            }
        }
    }
}

impl<T> Guard<T> {
    /// What was ambiguous is not handed on. In the place of a head hyper is given one that it answers 400; a body ends in an
    /// error.
    fn refuse(&mut self, in_head: bool) {
        self.head = Vec::new();
        self.state = State::Refused;
        if in_head {
            self.ready = NO_HEAD.to_vec();
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guard<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
