//! A connection to upstream that remembers how it came to its end.
//!
//! A connection that is kept for the next request may be closed by upstream at any time, also while that request is on its way:
//! then no answer comes, and nobody has failed. That is what [`Past::is_stale`] knows. Two things tell it from a failure, and both
//! are facts: not a byte of an answer came, and upstream either ended the connection in good order (a FIN) or did not take the
//! whole request. A reset of a request that was sent whole is a failure: it may be of a connection that somebody on the way forgot,
//! but nothing tells it from an upstream that resets what it has read. An interim answer that comes while the request is still
//! being written is taken for none.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What has come to pass on a connection. One task reads and writes, and whoever asks was told by it that the connection is over:
/// so there is nothing to be ordered.
#[derive(Debug, Default)]
pub(super) struct Past(AtomicU8);

/// Something was read at some time.
const ANSWERED: u8 = 1;
/// Nothing was read since something was written.
const ASKED: u8 = 2;
/// Something was read before that.
const KEPT: u8 = 4;
/// What was to be written last was not taken whole.
const CUT: u8 = 8;
/// Upstream has ended it in good order.
const ENDED: u8 = 16;

impl Past {
    /// Whether it was over before upstream can be blamed for the request that was sent last on it, see above.
    pub(super) fn is_stale(&self) -> bool {
        let is = self.0.load(Relaxed);
        is & (ASKED | KEPT) == ASKED | KEPT && is & (CUT | ENDED) != 0
    }

    fn begins_to_write(&self) {
        let is = self.0.load(Relaxed);
        if is & ASKED == 0 {
            let kept = if is & ANSWERED == 0 { 0 } else { KEPT };
            self.0.store(is | ASKED | kept, Relaxed);
        }
    }

    fn wrote(&self, whole: bool) {
        let is = self.0.load(Relaxed);
        self.0.store(if whole { is & !CUT } else { is | CUT }, Relaxed);
    }

    /// `came` bytes were read: 0 at the end.
    fn read(&self, came: usize) {
        let is = self.0.load(Relaxed);
        self.0.store(if came == 0 { is | ENDED } else { (is | ANSWERED) & !ASKED }, Relaxed);
    }
}

/// A connection, with its past.
#[derive(Debug)]
pub(super) struct Remembering<T> {
    io: T,
    past: Arc<Past>,
}

impl<T> Remembering<T> {
    pub(super) fn new(io: T) -> (Self, Arc<Past>) {
        let past = Arc::<Past>::default();
        (Self { io, past: Arc::clone(&past) }, past)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Remembering<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        match &read {
            Ok(()) => self.past.read(buf.filled().len() - before),
            // TLS minds that nobody said good-bye.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.past.read(0),
            Err(_) => {}
        }
        Poll::Ready(read)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Remembering<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.past.begins_to_write();
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.past.wrote(matches!(&written, Poll::Ready(Ok(taken)) if *taken == buf.len()));
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.past.begins_to_write();
        let all = bufs.iter().map(|buf| buf.len()).sum::<usize>();
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.past.wrote(matches!(&written, Poll::Ready(Ok(taken)) if *taken == all));
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        // TLS takes more than it has sent.
        self.past.wrote(matches!(flushed, Poll::Ready(Ok(()))));
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens on a connection.
    enum Act {
        Write { whole: bool },
        Read(usize),
    }
    use Act::{Read, Write};

    const WHOLE: Act = Write { whole: true };
    const PART: Act = Write { whole: false };

    #[track_caller]
    fn check(acts: &[Act], stale: bool) {
        let past = Past::default();
        for act in acts {
            match act {
                Write { whole } => {
                    past.begins_to_write();
                    past.wrote(*whole);
                }
                Read(came) => past.read(*came),
            }
        }
        assert_eq!(past.is_stale(), stale);
    }

    #[test]
    fn a_kept_connection_is_stale_if_it_ended_before_a_byte_of_an_answer() {
        check(&[WHOLE, Read(9), WHOLE, Read(0)], true);
        check(&[WHOLE, Read(9), Read(9), PART, WHOLE, Read(0)], true);
        check(&[WHOLE, Read(9), PART], true);
        check(&[WHOLE, Read(9), PART, Read(0)], true);
    }

    #[test]
    fn every_other_end_is_upstreams() {
        // It was never kept.
        check(&[WHOLE, Read(0)], false);
        check(&[PART], false);
        check(&[PART, WHOLE, Read(0)], false);
        // A byte of the answer came.
        check(&[WHOLE, Read(9), WHOLE, Read(1), Read(0)], false);
        // It is not over, or it was reset.
        check(&[WHOLE, Read(9), WHOLE], false);
        check(&[WHOLE, Read(9), PART, WHOLE], false);
        // Nothing was asked.
        check(&[WHOLE, Read(9), Read(0)], false);
        check(&[], false);
    }
}
