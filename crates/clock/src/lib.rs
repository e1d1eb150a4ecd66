//! The time that a shell lives by: real, or virtual and moved by whoever drives it.
//!
//! A shell that has its time from a [`Clock`] runs on wall time alone and on virtual time in a rehearsal, and cannot tell
//! which. What protects a server from its clients is always of real time: a slow client is slow whatever a clock says.

#![forbid(unsafe_code)]

use std::pin::Pin;
use std::sync::Arc;

use firedrill_failover::{Duration, Instant};

mod real;
mod virtual_time;

pub use real::Real;
pub use virtual_time::{NEW_YEAR, Virtual};

/// A wait that ends when the clock passes a moment.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a shell has its time from. It begins at [`Instant::ZERO`] and never goes back; what it says of the date may.
pub trait Clock: Send + Sync + 'static {
    /// Since the clock was started.
    fn now(&self) -> Instant;
    /// Milliseconds since the Unix epoch: the date.
    fn wall(&self) -> u64;
    /// Ends at `at`, or at once if that is past. A wait begins when this is called, not when it is first polled.
    fn wait_until(&self, at: Instant) -> Wait;
    /// Moves the time on, if it is ours to move: gives the new time, or `None`.
    fn advance(&self, by: Duration) -> Option<Instant>;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn wall(&self) -> u64 {
        (**self).wall()
    }

    fn wait_until(&self, at: Instant) -> Wait {
        (**self).wait_until(at)
    }

    fn advance(&self, by: Duration) -> Option<Instant> {
        (**self).advance(by)
    }
}
