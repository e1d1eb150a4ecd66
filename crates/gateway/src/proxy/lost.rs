//! How an attempt that was lost below HTTP is reported, and what a client is answered for it.

use firedrill_failover::Status;

use crate::metrics::Lost;

/// What the engine is told.
pub(crate) const fn status(lost: Lost) -> Status {
    match lost {
        Lost::Connect => Status::CONNECT,
        Lost::Timeout => Status::TIMEOUT,
        Lost::Reset => Status::RESET,
    }
}

/// The name of it, and a sentence.
pub(crate) fn told(lost: Lost) -> (&'static str, &'static str) {
    match lost {
        Lost::Connect => ("connect", "the upstream provider could not be connected to"),
        Lost::Timeout => ("timeout", "the upstream provider did not answer in time"),
        Lost::Reset => ("reset", "the upstream provider broke the connection before it answered"),
    }
}
