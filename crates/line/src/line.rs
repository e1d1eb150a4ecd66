//! A client's connection with its patience: how long the server waits for the client to write, and to read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::limits::Limits;

/// What a connection is about just now. The side that reads requests and the side that answers them share it.
#[derive(Clone, Debug, Default)]
pub struct Phase(Arc<AtomicU8>);

impl Phase {
    /// Nothing was asked yet, or everything was answered.
    pub const IDLE: u8 = 0;
    /// The head of a request is coming in.
    const HEAD: u8 = 1;
    /// Its body is.
    pub const BODY: u8 = 2;
    /// It is being answered: the client need not write.
    pub const ANSWERING: u8 = 3;

    /// Nobody has tried to read since the phase was set.
    const UNHEARD: u8 = 1 << 7;

    /// From now on the connection is about `phase`.
    pub fn set(&self, phase: u8) {
        self.0.store(phase | Self::UNHEARD, Ordering::Relaxed);
    }

    /// Whether everything was answered and nobody has tried to read since, so that the time to the next request does not run
    /// yet.
    pub(crate) fn is_idle_unheard(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::IDLE | Self::UNHEARD
    }

    /// What it is, for whoever tries to read.
    fn hear(&self) -> u8 {
        let phase = self.0.load(Ordering::Relaxed);
        if phase & Self::UNHEARD != 0 {
            self.0.store(phase & !Self::UNHEARD, Ordering::Relaxed);
        }
        phase & !Self::UNHEARD
    }
}

/// A client's connection. A read or a write that takes longer than its phase grants fails with
/// [`io::ErrorKind::TimedOut`]; needs a tokio runtime with its timer.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    phase: Phase,
    limits: Arc<Limits>,
    reading: Patience,
    /// The phase that `reading` is for.
    timed: u8,
    writing: Patience,
}

/// A time that runs out. Its timer is made once for a connection, and set as seldom as can be: one that is set for an earlier
/// wait is left alone until it wakes us.
#[derive(Debug, Default)]
struct Patience {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it has run out, while it runs.
    until: Option<Instant>,
}

impl Patience {
    /// Begins to run, unless it does already. Ready when it has run out.
    fn poll(&mut self, time: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let until = *self.until.get_or_insert_with(|| Instant::now() + time);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
    }

    /// Runs no more; the next time it begins anew.
    fn stop(&mut self) {
        self.until = None;
    }
}

impl Line {
    /// The connection `stream`, in `phase`.
    pub fn new(stream: TcpStream, phase: Phase, limits: Arc<Limits>) -> Self {
        let (reading, writing) = (Patience::default(), Patience::default());
        Self { stream, phase, limits, reading, timed: Phase::IDLE, writing }
    }

    /// Makes sure that the connection is reset, not closed, when it is dropped.
    pub fn reset(self) {
        // If that is not possible the connection is closed instead.
        let _ = self.stream.set_zero_linger();
    }

    fn wait_for_the_reader(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.writing.stop();
            return written;
        }
        ready!(self.writing.poll(self.limits.write_time, cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly")))
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut line.stream).poll_read(cx, buf);
        if line.phase.hear() == Phase::IDLE && buf.filled().len() > before {
            line.phase.set(Phase::HEAD);
        }
        let phase = line.phase.hear();
        if phase != line.timed {
            line.timed = phase;
            line.reading.stop();
        }
        ready_or(read, || {
            let time = match phase {
                Phase::IDLE => line.limits.idle_time,
                Phase::HEAD => line.limits.head_time,
                Phase::BODY => line.limits.body_time,
                _ => return Poll::Pending,
            };
            // It goes on running while bytes come in: a request that comes a byte at a time is slow too.
            ready!(line.reading.poll(time, cx));
            Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client writes too slowly")))
        })
    }
}

fn ready_or<T>(first: Poll<T>, second: impl FnOnce() -> Poll<T>) -> Poll<T> {
    if first.is_ready() { first } else { second() }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let written = Pin::new(&mut line.stream).poll_write(cx, bytes);
        line.wait_for_the_reader(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let written = Pin::new(&mut line.stream).poll_write_vectored(cx, bytes);
        line.wait_for_the_reader(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
