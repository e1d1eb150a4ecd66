//! The time that a mock provider lives by: real, or virtual and moved by whoever drives it.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use firedrill_failover::{Duration, Instant};
use tokio::sync::watch;

/// A wait that ends when the clock passes a moment.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a mock provider has its time from. It begins at [`Instant::ZERO`] and never goes back.
///
/// The limits that protect the server are always of real time: a slow client is slow whatever a virtual clock says.
pub trait Clock: Send + Sync + 'static {
    /// Since the mock provider started.
    fn now(&self) -> Instant;
    /// Milliseconds since the Unix epoch, for what an answer says about the date.
    fn wall(&self) -> u64;
    /// Ends at `at`, or at once if that is past.
    fn wait_until(&self, at: Instant) -> Wait;
    /// Moves the time on, if it is ours to move: gives the new time, or `None`.
    fn advance(&self, by: Duration) -> Option<Instant>;
}

/// The steady clock of this machine. The wall clock is read once.
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

/// A clock that stands still until it is moved. Its wall clock begins with the year 2026.
#[derive(Debug)]
pub struct Virtual {
    now: AtomicU64,
    moved: watch::Sender<u64>,
}

/// 2026-01-01T00:00:00Z.
const NEW_YEAR: u64 = 1_767_225_600_000;

impl Default for Virtual {
    fn default() -> Self {
        Self { now: AtomicU64::new(0), moved: watch::Sender::new(0) }
    }
}

impl Clock for Virtual {
    fn now(&self) -> Instant {
        Instant::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn wall(&self) -> u64 {
        NEW_YEAR.saturating_add(self.now().as_millis())
    }

    fn wait_until(&self, at: Instant) -> Wait {
        let mut moved = self.moved.subscribe();
        Box::pin(async move {
            if moved.wait_for(|now| *now >= at.as_millis()).await.is_err() {
                // The clock is gone, and with it whoever could move it.
                std::future::pending::<()>().await;
            }
        })
    }

    fn advance(&self, by: Duration) -> Option<Instant> {
        let mut now = 0;
        self.moved.send_modify(|known| {
            *known = known.saturating_add(by.as_millis());
            now = *known;
            self.now.store(now, Ordering::SeqCst);
        });
        Some(Instant::from_millis(now))
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
