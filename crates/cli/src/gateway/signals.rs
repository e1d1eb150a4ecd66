//! What somebody outside asks of a gateway: to stop, or to read its file again.

use std::io;

use crate::exit::Ended;

/// What was asked.
#[derive(Copy, Clone, Debug)]
pub(super) enum Signal {
    /// To read the file again.
    Reload,
    /// To stop, and how the command ends then: after Ctrl-C as interrupted, after SIGTERM well, as who manages services
    /// expects it.
    Stop(Ended),
}

/// Listens from its making on.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one. Safe to be dropped and called again.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::Stop(Ended::Interrupted),
            Some(()) = self.terminate.recv() => Signal::Stop(Ended::Well),
            Some(()) = self.hangup.recv() => Signal::Reload,
            else => std::future::pending().await,
        }
    }
}

/// Listens from its first waiting on.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Stop(Ended::Interrupted),
            Err(_) => std::future::pending().await,
        }
    }
}
