//! Whether a server stops, for each of its many connections.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::watch;

use crate::port::asked_to;
use crate::turns::Turns;

/// Tells a connection once that its server stops.
///
/// All connections wait for the same word, behind one lock. So a connection waits for it once, and looks at it again only when it
/// may have come: that costs a glance, however often the connection is polled.
pub struct Stopping {
    stop: watch::Receiver<bool>,
    /// `None` once it has come.
    word: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    is_awaited: bool,
}

impl Stopping {
    /// Waits until `stop` says so, or until nobody is there any more who could.
    pub fn new(stop: watch::Receiver<bool>) -> Self {
        let mut heard = stop.clone();
        let word = Box::pin(async move { asked_to(&mut heard).await });
        Self { stop, word: Some(word), is_awaited: false }
    }

    /// Whether it begins to stop now: true once. The connection's task is woken for it through `turns`, which must be the same
    /// in every call.
    pub fn begins(&mut self, turns: &Turns, cx: &mut Context<'_>) -> bool {
        if self.is_awaited && !self.stop.has_changed().unwrap_or(true) {
            return false;
        }
        self.is_awaited = true;
        let Some(word) = &mut self.word else { return false };
        if turns.poll(cx, |cx| word.as_mut().poll(cx)) == Poll::Pending {
            return false;
        }
        self.word = None;
        true
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopping").field("has_begun", &self.word.is_none()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering::SeqCst;
    use std::task::Waker;

    use super::*;
    use crate::turns::tests::Count;

    /// Polls it on a task of its own each time; the last of them is woken when the word comes.
    fn check(say: impl FnOnce(watch::Sender<bool>)) {
        let sender = watch::Sender::new(false);
        let (mut stopping, turns) = (Stopping::new(sender.subscribe()), Turns::default());
        let tasks: [Arc<Count>; 3] = Default::default();
        let mut begins = |task: &Arc<Count>| {
            stopping.begins(&turns, &mut Context::from_waker(&Waker::from(Arc::clone(task))))
        };
        assert!(!begins(&tasks[0]) && !begins(&tasks[1]));
        // Whatever else the connection is polled for goes through its turns too.
        let last = Waker::from(Arc::clone(&tasks[2]));
        assert!(turns.poll(&mut Context::from_waker(&last), |_| Poll::<()>::Pending).is_pending());
        say(sender);
        assert_eq!(tasks.each_ref().map(|task| task.0.load(SeqCst)), [0, 0, 1]);
        assert!(begins(&tasks[2]));
        assert!(!begins(&tasks[2]), "it begins once");
    }

    #[test]
    fn a_connection_is_told_once_that_its_server_stops() {
        check(|sender| {
            sender.send_replace(true);
        });
        check(drop);
    }

    #[test]
    fn what_had_stopped_before_is_told_at_once() {
        let sender = watch::Sender::new(true);
        let mut stopping = Stopping::new(sender.subscribe());
        assert!(stopping.begins(&Turns::default(), &mut Context::from_waker(Waker::noop())));
    }
}
