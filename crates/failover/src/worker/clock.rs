//! The log's time, as a worker reads it.

use crate::time::{Duration, Instant};

/// A worker's reading of the log's time.
///
/// It is the wall clock once, when the worker is made, and from then on the worker's own steady clock: a wall clock that
/// is set while the worker runs does not move it, so no cooldown is shortened, lost or late by that. It never runs
/// backwards, also when threads bring their readings out of order, and it is never before anything that was heard.
///
/// Workers compare times of each other only as well as their wall clocks agreed when they were made: a cooldown that
/// another worker began may end early or late by as much as they differ. A worker that is made after the wall clock was
/// set back hears of appends that lie ahead of it when it joins, and moves up to them once, at its next command: a shell
/// performs a tick right after joining.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    /// The log's time at an uptime of zero.
    start: Instant,
    /// The longest uptime that was read.
    uptime: Duration,
    /// The latest append that was heard of.
    heard: Option<Instant>,
    /// The latest append that was heard of at joining; what comes after it comes in step with this worker's own clock.
    joined: Option<Instant>,
    /// Whether it was moved up to that, if it was needed.
    moved_up: bool,
}

impl Clock {
    pub(super) fn new(wall: Instant) -> Self {
        Self { start: wall, uptime: Duration::ZERO, heard: None, joined: None, moved_up: false }
    }

    pub(super) fn observe(&mut self, uptime: Duration) {
        self.uptime = self.uptime.max(uptime);
        // Only once, and only with the first reading after the log was heard: a reading that is older than what was heard
        // would make time run fast.
        if let Some(joined) = self.joined
            && !self.moved_up
        {
            self.start += joined.since(self.start + self.uptime);
            self.moved_up = true;
        }
    }

    pub(super) fn follow(&mut self, at: Instant) {
        self.heard = self.heard.max(Some(at));
    }

    /// What was heard together ends here.
    pub(super) fn heard_all(&mut self) {
        self.joined = self.joined.or(self.heard);
    }

    pub(super) fn reading(&self) -> Instant {
        (self.start + self.uptime).max(self.heard.unwrap_or_default())
    }
}
