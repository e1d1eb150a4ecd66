//! The connection to the server: what there is of it now, and who waits for it.

use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::fault::Fault;

/// What the task that follows the log has last found.
#[derive(Clone)]
pub(super) enum Link {
    /// The log has been caught up with on this connection, the how-manieth there was.
    Up(u64, MultiplexedConnection),
    /// There is none since then.
    Down(Instant, Fault),
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(number, _) => f.debug_tuple("Up").field(number).finish_non_exhaustive(),
            Self::Down(since, fault) => f.debug_tuple("Down").field(since).field(fault).finish(),
        }
    }
}

/// The link, and the number of the last connection that somebody has found wanting.
#[derive(Debug)]
pub(super) struct Links {
    now: watch::Sender<Link>,
    distrusted: watch::Sender<u64>,
}

/// No connection, for how long, and why.
#[derive(Debug)]
pub(super) struct Away {
    pub(super) lasting: Duration,
    pub(super) fault: Fault,
}

impl Links {
    pub(super) fn new() -> Self {
        let never = Link::Down(Instant::now(), Fault::Away("not connected yet".to_owned()));
        Self { now: watch::Sender::new(never), distrusted: watch::Sender::new(0) }
    }

    /// Tells everyone.
    pub(super) fn set(&self, link: Link) {
        self.now.send_replace(link);
    }

    /// What does not pass by itself, if that is the matter.
    pub(super) fn denied(&self) -> Option<Away> {
        match &*self.now.borrow() {
            Link::Down(_, Fault::Away(_)) | Link::Up(..) => None,
            Link::Down(since, fault) => Some(Away { lasting: since.elapsed(), fault: fault.clone() }),
        }
    }

    /// Since when there is none, and why, if that is longer than `patience`.
    pub(super) fn away(&self, patience: Duration) -> Option<Away> {
        match &*self.now.borrow() {
            Link::Down(since, fault) if since.elapsed() >= patience => {
                Some(Away { lasting: since.elapsed(), fault: fault.clone() })
            }
            Link::Down(..) | Link::Up(..) => None,
        }
    }

    /// Something was wrong with connection `number`, or with what was heard on it: it is to be given up.
    pub(super) fn distrust(&self, number: u64) {
        self.distrusted.send_if_modified(|last| {
            let newer = *last < number;
            *last = number.max(*last);
            newer
        });
    }

    /// Waits until somebody distrusts connection `number`.
    pub(super) async fn distrusted(&self, number: u64) {
        let mut distrusted = self.distrusted.subscribe();
        // The sender is `self`'s, so that it cannot be gone.
        let _ = distrusted.wait_for(|last| *last >= number).await;
    }

    /// A connection, or why there is none. A short absence is waited for: until `patience` after it began.
    pub(super) async fn up(&self, patience: Duration) -> Result<(u64, MultiplexedConnection), Away> {
        let give_up = Instant::now() + patience;
        let mut now = self.now.subscribe();
        loop {
            let (until, away) = match &*now.borrow_and_update() {
                Link::Up(number, connection) if *self.distrusted.borrow() < *number => {
                    return Ok((*number, connection.clone()));
                }
                Link::Up(..) => (give_up, Fault::Away("the connection was given up".to_owned())),
                Link::Down(since, fault @ Fault::Away(_)) => {
                    ((*since + patience).min(give_up), fault.clone())
                }
                Link::Down(since, fault) => {
                    return Err(Away { lasting: since.elapsed(), fault: fault.clone() });
                }
            };
            if timeout_at(until, now.changed()).await.is_err() {
                let lasting = match &*now.borrow() {
                    Link::Up(..) => Duration::ZERO,
                    Link::Down(since, _) => since.elapsed(),
                };
                return Err(Away { lasting, fault: away });
            }
        }
    }

    /// Waits for the first word: a connection, or why there is none.
    pub(super) async fn first(&self) -> Result<(), Away> {
        let mut now = self.now.subscribe();
        if matches!(&*now.borrow(), Link::Down(..)) {
            let _ = now.changed().await;
        }
        match &*now.borrow() {
            Link::Up(..) => Ok(()),
            Link::Down(since, fault) => Err(Away { lasting: since.elapsed(), fault: fault.clone() }),
        }
    }
}
