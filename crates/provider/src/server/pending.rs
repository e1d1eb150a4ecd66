//! The requests that are not over: those that are being answered, those that wait for the clock, and those that are held until
//! somebody answers them.

use std::collections::BTreeMap;

use firedrill_failover::Instant;
use tokio::sync::oneshot;

use crate::script::Answer;
use crate::server::journal::Entry;

#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// How many are not over.
    open: usize,
    /// Those that wait for the clock, by their number: until when, or for ever.
    waits: BTreeMap<u64, Option<Instant>>,
    /// Those that are held, by their number.
    held: BTreeMap<u64, Held>,
}

/// What becomes of a request that is held: it is answered so, or, with `None`, as if it came only now.
pub(crate) type ByHand = Option<Answer>;

#[derive(Debug)]
struct Held {
    entry: Entry,
    answer: oneshot::Sender<ByHand>,
}

impl Pending {
    /// One more.
    pub(crate) fn begin(&mut self) {
        self.open += 1;
    }

    /// One more, which is held.
    pub(crate) fn hold(&mut self, entry: Entry) -> oneshot::Receiver<ByHand> {
        let (answer, answered) = oneshot::channel();
        self.open += 1;
        self.held.insert(entry.number, Held { entry, answer });
        answered
    }

    /// One waits for the clock until then, or for ever.
    pub(crate) fn wait(&mut self, number: u64, until: Option<Instant>) {
        self.waits.insert(number, until);
    }

    /// It does so no more.
    pub(crate) fn go_on(&mut self, number: u64) {
        self.waits.remove(&number);
    }

    /// One is over.
    pub(crate) fn end(&mut self, number: u64) {
        self.open = self.open.saturating_sub(1);
        self.waits.remove(&number);
        self.held.remove(&number);
    }

    /// Those that are held, the oldest first.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Entry> {
        self.held.values().map(|held| &held.entry)
    }

    /// Answers the oldest of those that are wanted. Gives whether there was one.
    pub(crate) fn answer(&mut self, mut answer: ByHand, wanted: impl Fn(&Entry) -> bool) -> bool {
        for (_, held) in self.held.extract_if(.., |_, held| wanted(&held.entry)) {
            match held.answer.send(answer) {
                Ok(()) => return true,
                // Its client has just gone away: the answer is for the next.
                Err(unsent) => answer = unsent,
            }
        }
        false
    }

    /// How many are held, or wait for a time that is not `now` yet.
    pub(crate) fn waiting(&self, now: Instant) -> usize {
        // Who waits for a time that is past is only not awake yet.
        let waits = self.waits.values().filter(|until| until.is_none_or(|until| until > now));
        self.held.len() + waits.count()
    }

    /// Whether none is on its way.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        self.waiting(now) == self.open
    }

    /// How many are not over, if all of them are held or wait, be it for a time that is past.
    pub(crate) fn at_rest(&self) -> Option<usize> {
        (self.held.len() + self.waits.len() == self.open).then_some(self.open)
    }

    /// How many are not over.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// Whether there is none.
    pub(crate) fn is_idle(&self) -> bool {
        self.open == 0
    }
}
