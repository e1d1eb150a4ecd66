//! An answer that is being sent: through hyper where HTTP is kept, and by hand where it is broken.
//!
//! hyper cannot be made to break the framing of an answer, and should not be. So a request whose answer is broken below HTTP
//! is never answered through it: the connection is taken back from hyper, and the few lines here write what comes of it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use firedrill_clock::{Clock, Wait};
use firedrill_failover::{Duration, Instant};
use firedrill_line::{Line, Phase};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::http::response::Parts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::behaviour::Ticket;
use crate::fault::Fault;
use crate::server::course::{Course, Step};
use crate::server::journal::Ended;
use crate::server::shared::Connection;

/// What becomes of a request.
pub(crate) enum Sending {
    /// It is answered.
    Http(hyper::Response<Stream>),
    /// It is answered, and not as HTTP has it; then the connection is over.
    Raw(Box<Raw>),
    /// It is never answered; what stands for the call is kept until the client goes away.
    Never(Call),
}

/// A call that is being answered. However it ends, the behaviour is told and the journal too.
pub(crate) struct Call {
    pub(crate) connection: Arc<Connection>,
    /// The number in the journal.
    pub(crate) number: u64,
    /// Which provider, which of its generations, and the ticket; none if it was not asked.
    pub(crate) ticket: Option<(usize, u64, Ticket)>,
    pub(crate) bytes: u64,
    pub(crate) ended: Ended,
}

impl Call {
    /// Answers the request with this number on a connection.
    pub(crate) fn new(connection: Arc<Connection>, number: u64) -> Self {
        Self { connection, number, ticket: None, bytes: 0, ended: Ended::Gone }
    }

    /// It waits for the clock from now on, until then or for ever.
    pub(crate) fn wait(&self, until: Option<Instant>) {
        self.connection.shared.journal.wait(self.number, until);
    }

    /// It does so no more.
    pub(crate) fn go_on(&self) {
        self.connection.shared.journal.go_on(self.number);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some((provider, generation, ticket)) = self.ticket.take() {
            self.connection.shared.providers[provider].ended(generation, ticket);
        }
        self.connection.shared.journal.end(self.number, self.ended, self.bytes);
        self.connection.phase.set(Phase::IDLE);
    }
}

/// The body of an answer, as hyper sends it. In a place of its own, for hyper moves it about.
pub(crate) struct Stream(Box<Sent>);

struct Sent {
    course: Course,
    wait: Option<Wait>,
    /// How long it is in all, if that is known.
    length: Option<u64>,
    /// `None` once it has ended, and for an answer that nobody counts, which has no waits.
    call: Option<Call>,
}

impl Stream {
    pub(crate) fn new(course: Course, length: Option<u64>, call: Option<Call>) -> Self {
        Self(Box::new(Sent { course, wait: None, length, call }))
    }
}

impl Sent {
    fn ended(&mut self) {
        if let Some(mut call) = self.call.take() {
            call.ended = Ended::Whole;
        }
    }

    fn wait(&mut self, time: Duration) {
        if let Some(call) = &self.call {
            let clock = &call.connection.shared.clock;
            let until = clock.now() + time;
            call.wait(Some(until));
            self.wait = Some(clock.wait_until(until));
        }
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let sent = &mut *self.get_mut().0;
        loop {
            if let Some(wait) = &mut sent.wait {
                ready!(wait.as_mut().poll(cx));
                sent.wait = None;
                sent.call.iter().for_each(Call::go_on);
            }
            match sent.course.next() {
                Step::Wait(time) => sent.wait(time),
                Step::Send(bytes) => {
                    if let Some(call) = &mut sent.call {
                        call.bytes += bytes.len() as u64;
                    }
                    if sent.course.is_over() {
                        sent.ended();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                // hyper sees by itself that the client goes away, and drops this.
                Step::Hang => {
                    sent.call.iter().for_each(|call| call.wait(None));
                    return Poll::Pending;
                }
                Step::End => {
                    sent.ended();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.course.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// An answer that breaks HTTP, or the connection.
pub(crate) struct Raw {
    /// The status and the headers, without those that frame the body.
    pub(crate) head: Parts,
    pub(crate) fault: Option<Fault>,
    /// Whether it comes in chunks.
    pub(crate) chunked: bool,
    pub(crate) length: u64,
    pub(crate) course: Course,
    pub(crate) call: Call,
}

/// So much more is promised than comes.
const PROMISED: u64 = 64;

impl Raw {
    /// Sends it on `line`, and closes or resets that. An error is a client that went away: there is nobody to tell.
    pub(crate) async fn send(mut self, mut line: Line) -> std::io::Result<()> {
        let clock = Arc::clone(&self.call.connection.shared.clock);
        if self.fault != Some(Fault::Reset) {
            line.write_all(&self.head()).await?;
            self.play(&mut line, &*clock).await?;
        }
        self.call.ended = Ended::Broken;
        match self.fault {
            Some(Fault::Reset | Fault::ResetAfterHeaders) => line.reset(),
            Some(Fault::MalformedChunk) => {
                line.write_all(b"not a length\r\n").await?;
                line.shutdown().await?;
            }
            _ => line.shutdown().await?,
        }
        Ok(())
    }

    async fn play(&mut self, line: &mut Line, clock: &dyn Clock) -> std::io::Result<()> {
        if self.fault == Some(Fault::ResetAfterHeaders) {
            return Ok(());
        }
        loop {
            match self.course.next() {
                Step::Wait(time) => {
                    let until = clock.now() + time;
                    self.call.wait(Some(until));
                    wait(line, clock, until).await?;
                    self.call.go_on();
                }
                Step::Send(bytes) => {
                    if self.chunked {
                        line.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
                    }
                    line.write_all(&bytes).await?;
                    if self.chunked {
                        line.write_all(b"\r\n").await?;
                    }
                    self.call.bytes += bytes.len() as u64;
                }
                Step::Hang => {
                    self.call.wait(None);
                    wait_for_the_end(line).await?;
                }
                Step::End => return Ok(()),
            }
        }
    }

    fn head(&mut self) -> Vec<u8> {
        let Parts { status, headers, .. } = &mut self.head;
        if self.chunked {
            headers.insert("transfer-encoding", HeaderValue::from_static("chunked"));
        } else if !status.is_informational() {
            let more = if self.fault == Some(Fault::WrongLength) { PROMISED } else { 0 };
            headers.insert(CONTENT_LENGTH, (self.length + more).into());
        }
        let reason = status.canonical_reason().unwrap_or("");
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
        for (name, value) in &*headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// Waits until then, or until the client goes away.
async fn wait(line: &mut Line, clock: &dyn Clock, until: Instant) -> std::io::Result<()> {
    tokio::select! {
        () = clock.wait_until(until) => Ok(()),
        gone = wait_for_the_end(line) => gone,
    }
}

/// Reads and drops what the client sends, until it goes away.
async fn wait_for_the_end(line: &mut Line) -> std::io::Result<()> {
    let mut dropped = [0; 1024];
    while line.read(&mut dropped).await? > 0 {}
    Err(std::io::ErrorKind::UnexpectedEof.into())
}
