//! How an attempt that was lost below HTTP is reported.

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
