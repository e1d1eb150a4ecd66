//! A clock that stands still until it is moved, and that knows who waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firedrill_failover::{Duration, Instant};
use tokio::sync::watch;

use crate::{Clock, Wait};

/// 2026-01-01T00:00:00Z, in milliseconds since the Unix epoch: the date at which virtual time begins.
pub const NEW_YEAR: u64 = 1_767_225_600_000;

/// A clock that stands still until it is moved. Its date begins with the year 2026. Clones are one clock.
#[derive(Clone, Debug, Default)]
pub struct Virtual {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    now: watch::Sender<u64>,
    /// By how much the date was set back.
    back: Mutex<u64>,
    waiting: Mutex<BTreeMap<u64, usize>>,
}

impl Virtual {
    /// The earliest moment that somebody waits for. Who drives a rehearsal moves the clock from one such moment to the next.
    pub fn next_due(&self) -> Option<Instant> {
        self.shared.waiting().keys().next().map(|at| Instant::from_millis(*at))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.shared.waiting().values().sum()
    }

    /// Sets the date back while time goes on, to the beginning of virtual time at most.
    pub fn set_back(&self, by: Duration) {
        let mut back = self.shared.back.lock().unwrap_or_else(PoisonError::into_inner);
        *back = back.saturating_add(by.as_millis()).min(self.now().as_millis());
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Virtual {
    fn now(&self) -> Instant {
        Instant::from_millis(*self.shared.now.borrow())
    }

    fn wall(&self) -> u64 {
        let back = *self.shared.back.lock().unwrap_or_else(PoisonError::into_inner);
        NEW_YEAR.saturating_add(self.now().as_millis()).saturating_sub(back)
    }

    fn wait_until(&self, at: Instant) -> Wait {
        let at = at.as_millis();
        let mut now = self.shared.now.subscribe();
        if *now.borrow() >= at {
            return Box::pin(std::future::ready(()));
        }
        let entered = Entered::new(Arc::clone(&self.shared), at);
        Box::pin(async move {
            // While this waits the clock is there.
            let _ = now.wait_for(|now| *now >= at).await;
            drop(entered);
        })
    }

    fn advance(&self, by: Duration) -> Option<Instant> {
        let mut moved = 0;
        self.shared.now.send_modify(|now| {
            *now = now.saturating_add(by.as_millis());
            moved = *now;
        });
        Some(Instant::from_millis(moved))
    }
}

/// An entry among those that wait, for as long as it lives.
struct Entered {
    shared: Arc<Shared>,
    at: u64,
}

impl Entered {
    fn new(shared: Arc<Shared>, at: u64) -> Self {
        *shared.waiting().entry(at).or_default() += 1;
        Self { shared, at }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut waiting = self.shared.waiting();
        if let Some(count) = waiting.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[tokio::test]
    async fn a_wait_ends_when_its_time_has_come_and_is_known_until_then() {
        let clock = Virtual::default();
        let (soon, late) = (clock.wait_until(at(10)), clock.wait_until(at(20)));
        assert_eq!((clock.next_due(), clock.waiting()), (Some(at(10)), 2));
        clock.advance(Duration::from_millis(10));
        soon.await;
        assert_eq!((clock.next_due(), clock.waiting()), (Some(at(20)), 1));
        drop(late);
        assert_eq!((clock.next_due(), clock.waiting()), (None, 0));
        clock.wait_until(at(10)).await;
        assert_eq!(clock.waiting(), 0);
    }

    #[test]
    fn a_date_that_is_set_back_leaves_time_alone_and_stops_at_the_beginning() {
        let clock = Virtual::default();
        clock.advance(Duration::from_millis(50));
        clock.set_back(Duration::from_millis(20));
        assert_eq!((clock.now(), clock.wall()), (at(50), NEW_YEAR + 30));
        clock.set_back(Duration::from_millis(100));
        assert_eq!((clock.now(), clock.wall()), (at(50), NEW_YEAR));
        clock.advance(Duration::from_millis(5));
        assert_eq!((clock.now(), clock.wall()), (at(55), NEW_YEAR + 5));
    }
}
