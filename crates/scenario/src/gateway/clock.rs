//! The time of a rehearsal over HTTP: it stands still, and of what falls due at one moment one thing goes on at a time.
//!
//! [`firedrill_clock::Virtual`] wakes everybody whose time has come at once, and who is first is chance.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use firedrill_clock::{Clock, NEW_YEAR, Wait};
use firedrill_failover::{Duration, Instant};

/// A clock that is moved from wait to wait. Clones are one clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Stepped {
    time: Arc<Mutex<Time>>,
    /// Whether who waits for this one goes on after the others of a moment.
    late: bool,
}

#[derive(Debug, Default)]
struct Time {
    now: Instant,
    /// By how much the date was set back.
    back: u64,
    /// Who waits.
    waits: BTreeMap<Key, Option<Waker>>,
    begun: u64,
}

/// Until when somebody waits, whether after the others of that moment, and the how-manieth that began to wait.
type Key = (Instant, bool, u64);

impl Stepped {
    /// The same clock for a provider: what it does at the very last moment comes too late.
    pub(super) fn late(&self) -> Self {
        Self { late: true, ..self.clone() }
    }

    /// When the first of those who wait goes on.
    pub(super) fn first(&self) -> Option<Instant> {
        self.time().waits.keys().next().map(|(at, ..)| *at)
    }

    /// Lets the first go on, whose time it then is.
    pub(super) fn step(&self) {
        let waker = {
            let mut time = self.time();
            let Some(((at, ..), waker)) = time.waits.pop_first() else { return };
            time.now = time.now.max(at);
            waker
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// Moves the time on. Nobody waits for a time before.
    pub(super) fn pass(&self, to: Instant) {
        let mut time = self.time();
        time.now = time.now.max(to);
    }

    /// Sets the date back while time goes on, to the beginning of virtual time at most.
    pub(super) fn set_back(&self, by: Duration) {
        let mut time = self.time();
        time.back = time.back.saturating_add(by.as_millis()).min(time.now.as_millis());
    }

    /// Nothing that is done under the lock can leave it half done.
    fn time(&self) -> MutexGuard<'_, Time> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Stepped {
    fn now(&self) -> Instant {
        self.time().now
    }

    fn wall(&self) -> u64 {
        let time = self.time();
        NEW_YEAR.saturating_add(time.now.as_millis()).saturating_sub(time.back)
    }

    fn wait_until(&self, at: Instant) -> Wait {
        let mut time = self.time();
        if at <= time.now {
            return Box::pin(std::future::ready(()));
        }
        time.begun += 1;
        let key = (at, self.late, time.begun);
        time.waits.insert(key, None);
        Box::pin(Waiting { clock: self.clone(), key })
    }

    fn advance(&self, _: Duration) -> Option<Instant> {
        None
    }
}

struct Waiting {
    clock: Stepped,
    key: Key,
}

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.clock.time().waits.get_mut(&self.key) {
            None => Poll::Ready(()),
            Some(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.clock.time().waits.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[tokio::test]
    async fn one_goes_on_at_a_time_and_who_began_first_is_first() {
        let clock = Stepped::default();
        let (late, first, second) =
            (clock.wait_until(at(20)), clock.wait_until(at(10)), clock.wait_until(at(10)));
        let mut second = tokio_test(second);
        clock.step();
        first.await;
        assert_eq!((clock.now(), clock.first(), second()), (at(10), Some(at(10)), false));
        clock.step();
        assert_eq!((clock.now(), clock.first(), second()), (at(10), Some(at(20)), true));
        drop(late);
        assert_eq!(clock.first(), None);
        clock.wait_until(at(10)).await;
        clock.pass(at(15));
        clock.set_back(Duration::from_millis(40));
        assert_eq!((clock.now(), clock.wall()), (at(15), NEW_YEAR));
    }

    /// Whether a wait is over, asked without waiting.
    fn tokio_test(mut wait: Wait) -> impl FnMut() -> bool {
        move || wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }
}
