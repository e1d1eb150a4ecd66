//! The steady clock of this machine.

use std::time::SystemTime;

use firedrill_failover::{Duration, Instant};

use crate::{Clock, Wait};

/// The steady clock of this machine. The wall clock is read once, so that the date goes on as steadily.
#[derive(Debug)]
pub struct Real {
    began: tokio::time::Instant,
    wall: u64,
}

impl Real {
    /// A clock that begins now.
    #[expect(clippy::disallowed_methods, reason = "the edge: the wall clock is read once")]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { began: tokio::time::Instant::now(), wall: millis(wall) }
    }
}

impl Clock for Real {
    fn now(&self) -> Instant {
        Instant::from_millis(millis(self.began.elapsed()))
    }

    fn wall(&self) -> u64 {
        self.wall.saturating_add(self.now().as_millis())
    }

    fn wait_until(&self, at: Instant) -> Wait {
        let at = self.began.checked_add(std::time::Duration::from_millis(at.as_millis()));
        Box::pin(async move {
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        })
    }

    fn advance(&self, _: Duration) -> Option<Instant> {
        None
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
