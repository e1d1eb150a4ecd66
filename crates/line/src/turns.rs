//! Polls a connection again when it has woken itself, in place of its task being woken for that.
//!
//! hyper's parts talk to each other through wakers, also those that one task polls. A task that wakes itself goes to the end of
//! the queue, and another thread is woken to share the work: that costs more than what there is to do.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::line::Phase;

/// So often in a row at most: others have their turn too.
const MOST: usize = 16;

/// Nobody polls.
const AWAY: u8 = 0;
/// It is being polled.
const POLLED: u8 = 1;
/// It was woken while it was being polled.
const WOKEN: u8 = 2;

/// The turns of one connection.
#[derive(Debug)]
pub struct Turns {
    inner: Arc<Inner>,
    waker: Waker,
}

#[derive(Debug)]
struct Inner {
    state: AtomicU8,
    /// Wakes the task.
    task: Mutex<Waker>,
}

impl Default for Turns {
    fn default() -> Self {
        let task = Mutex::new(Waker::noop().clone());
        let inner = Arc::new(Inner { state: AtomicU8::new(AWAY), task });
        Self { waker: Waker::from(Arc::clone(&inner)), inner }
    }
}

impl Turns {
    /// Polls until something comes of it, or nothing more can for now.
    pub fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.inner.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(cx.waker());
        for _ in 0..MOST {
            self.inner.state.store(POLLED, SeqCst);
            let polled = poll(&mut Context::from_waker(&self.waker));
            let woken = self.inner.state.swap(AWAY, SeqCst) == WOKEN;
            if polled.is_ready() || !woken {
                return polled;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Turns {
    /// Polls what speaks HTTP on a connection, and once more if everything is answered: it may wait for bytes since before the
    /// answer was over, and not begin anew by itself.
    pub fn poll_http<T>(
        &self,
        phase: &Phase,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = self.poll(cx, &mut poll);
        if polled.is_pending() && phase.is_idle_unheard() { self.poll(cx, poll) } else { polled }
    }
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.compare_exchange(POLLED, WOKEN, SeqCst, SeqCst) == Err(AWAY) {
            self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// How often a task was woken.
    #[derive(Default)]
    pub(crate) struct Count(pub(crate) AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// Polls what wakes itself so often and is ready then, if it ever is: how often it was polled, and its task woken.
    fn polled(wakes: usize, ready: bool) -> (usize, usize, bool) {
        let (count, turns, mut polls) = (Arc::<Count>::default(), Turns::default(), 0);
        let waker = Waker::from(Arc::clone(&count));
        let polled = turns.poll(&mut Context::from_waker(&waker), |cx| {
            polls += 1;
            if polls <= wakes {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if ready { Poll::Ready(()) } else { Poll::Pending }
        });
        (polls, count.0.load(SeqCst), polled.is_ready())
    }

    #[test]
    fn what_wakes_itself_is_polled_again_and_its_task_is_not_woken() {
        assert_eq!(polled(0, false), (1, 0, false));
        assert_eq!(polled(0, true), (1, 0, true));
        assert_eq!(polled(3, false), (4, 0, false));
        assert_eq!(polled(3, true), (4, 0, true));
    }

    #[test]
    fn others_have_their_turn_too() {
        assert_eq!(polled(MOST, true), (MOST, 1, false));
    }

    #[test]
    fn whoever_wakes_it_later_wakes_its_task() {
        let (count, turns, mut kept) = (Arc::<Count>::default(), Turns::default(), None);
        let waker = Waker::from(Arc::clone(&count));
        let polled = turns.poll(&mut Context::from_waker(&waker), |cx| {
            kept = Some(cx.waker().clone());
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
        kept.as_ref().expect("a waker").wake_by_ref();
        assert_eq!(count.0.load(SeqCst), 1);
        kept.expect("a waker").wake();
        assert_eq!(count.0.load(SeqCst), 2);
    }

    /// Whoever wakes it from another thread, at whatever moment, is heard: by the poll that goes on, or by the task.
    #[test]
    fn nothing_is_lost_between_two_turns() {
        let (turns, told) = (Turns::default(), AtomicUsize::new(0));
        let count = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&count));
        std::thread::scope(|scope| {
            let (other, say) = (turns.waker.clone(), &told);
            scope.spawn(move || {
                for said in 1..=10_000 {
                    say.store(said, SeqCst);
                    other.wake_by_ref();
                }
            });
            let (mut seen, mut woken) = (0, 0);
            loop {
                let polled = turns.poll(&mut Context::from_waker(&waker), |_| {
                    seen = told.load(SeqCst);
                    if seen == 10_000 { Poll::Ready(()) } else { Poll::Pending }
                });
                if polled.is_ready() {
                    return;
                }
                // It sleeps until its task is woken.
                while count.0.load(SeqCst) == woken {
                    std::hint::spin_loop();
                }
                woken = count.0.load(SeqCst);
            }
        });
    }
}
