//! The journal: every request, what was answered and how it ended. No token is in it, only labels.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use firedrill_failover::Instant;
use serde::Serialize;
use tokio::sync::{Notify, oneshot};

use crate::server::pending::{ByHand, Pending};
use crate::server::record::{Draft, Known, Record, Words};

/// Older entries than this many are forgotten. The counts are not.
pub const MOST_ENTRIES: usize = 100_000;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number, from 1, over all providers.
    pub number: u64,
    /// When it had come in, in milliseconds of the mock's clock.
    pub at: u64,
    /// Whose it was; empty if no provider has its path.
    pub provider: Arc<str>,
    /// The label of its token; empty if it had none, or none could be read.
    pub token: Arc<str>,
    /// `POST`.
    pub method: String,
    /// The path that the client sent, without its query, with what looks like a key masked.
    pub path: String,
    /// The model it is for.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// What was answered; for what is broken off before that, what would have been. 0 while it is held, and for what nobody
    /// answered.
    pub status: u16,
    /// Why it was refused: `outage`, `concurrent`, `quota`, `script`, `chance`, `hand` for what was held and answered so,
    /// `token` for one that is not known, or `request` for one that is wrong in itself.
    pub refusal: Option<&'static str>,
    /// What went wrong below the status, in the word of the mock file.
    pub fault: Option<&'static str>,
    /// How it ended; `None` while it is being answered.
    pub ended: Option<Ended>,
    /// Bytes of the body that were sent.
    pub bytes: u64,
}

/// How an answer ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Ended {
    /// All of it was sent.
    Whole,
    /// The mock broke it off, as its fault says.
    Broken,
    /// The client went away, or read too slowly, or the mock was stopped.
    Gone,
}

/// How often something was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// By whom.
    pub provider: Arc<str>,
    /// To which token, by its label.
    pub token: Arc<str>,
    /// What.
    pub status: u16,
    /// How often.
    pub count: u64,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Those of this provider.
    pub(crate) provider: Option<String>,
    /// Those of the token with this label.
    pub(crate) token: Option<String>,
    /// Those with a higher number.
    pub(crate) after: Option<u64>,
}

impl Wanted {
    fn wants(&self, record: &Record, words: &Words) -> bool {
        let is = |wanted: &Option<String>, known| {
            wanted.as_deref().is_none_or(|wanted| **words.text(known) == *wanted)
        };
        is(&self.provider, record.provider) && is(&self.token, record.token)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    pages: Mutex<Pages>,
    /// Told whenever a request comes in, begins to wait, goes on or is over.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Pages {
    records: VecDeque<Record>,
    words: Words,
    /// Of the newest entry.
    number: u64,
    /// How many came in since it was cleared.
    asked: u64,
    /// By provider, token and status.
    counts: BTreeMap<(Known, Known, u16), u64>,
    pending: Pending,
    /// How many wait for a change.
    watchers: usize,
}

impl Pages {
    /// Writes down a request, which counts unless it is held.
    fn write(&mut self, draft: Draft<'_>, is_held: bool) {
        self.asked += 1;
        if self.records.len() == MOST_ENTRIES {
            self.words.forget(self.first());
            self.records.pop_front();
        }
        self.number += 1;
        let record = draft.record(self.number, &mut self.words, self.records.back());
        if !is_held {
            self.count(record.provider, record.token, record.status);
        }
        self.records.push_back(record);
    }

    fn count(&mut self, provider: Known, token: Known, status: u16) {
        *self.counts.entry((provider, token, status)).or_default() += 1;
    }

    /// The number of the oldest entry that is not forgotten; of the next one, if there is none.
    fn first(&self) -> u64 {
        self.number + 1 - self.records.len() as u64
    }

    /// Where the entry with this number is, if that is not forgotten.
    fn place(&self, number: u64) -> Option<usize> {
        number.checked_sub(self.first()).and_then(|place| usize::try_from(place).ok())
    }

    fn record(&mut self, number: u64) -> Option<&mut Record> {
        let place = self.place(number)?;
        self.records.get_mut(place)
    }
}

impl Journal {
    /// Writes a request down. Gives its number.
    pub(crate) fn begin(&self, draft: Draft<'_>) -> u64 {
        self.change(|pages| {
            pages.pending.begin();
            pages.write(draft, false);
            pages.number
        })
    }

    /// Writes down a request that is held, which will be read like `entry`. Gives its number, and where its answer comes from.
    pub(crate) fn hold(&self, draft: Draft<'_>, entry: Entry) -> (u64, oneshot::Receiver<ByHand>) {
        self.change(|pages| {
            pages.write(draft, true);
            let number = pages.number;
            (number, pages.pending.hold(Entry { number, ..entry }))
        })
    }

    /// Writes down what a request that was held is answered, as far as it is not forgotten: by which provider and to which
    /// token, and the words for the refusal and the fault.
    pub(crate) fn answered(
        &self,
        number: u64,
        (provider, token): (&str, &str),
        status: u16,
        (refusal, fault): (Option<&'static str>, Option<&'static str>),
    ) {
        self.change(|pages| {
            let (provider, token) = (pages.words.known(provider), pages.words.known(token));
            pages.count(provider, token, status);
            let (refusal, fault) = (pages.words.cause(refusal), pages.words.cause(fault));
            if let Some(record) = pages.record(number) {
                (record.status, record.refusal, record.fault) = (status, refusal, fault);
            }
        });
    }

    /// A request waits for the clock from now on, until then or for ever.
    pub(crate) fn wait(&self, number: u64, until: Option<Instant>) {
        self.change(|pages| pages.pending.wait(number, until));
    }

    /// It does so no more.
    pub(crate) fn go_on(&self, number: u64) {
        self.change(|pages| pages.pending.go_on(number));
    }

    /// Writes down how it ended, if it is not forgotten yet.
    pub(crate) fn end(&self, number: u64, ended: Ended, bytes: u64) {
        self.change(|pages| {
            pages.pending.end(number);
            if let Some(record) = pages.record(number) {
                (record.ended, record.bytes) = (Some(ended), bytes);
            }
        });
    }

    /// What is held, the oldest first.
    pub(crate) fn held(&self) -> Vec<Entry> {
        self.pages().pending.held().cloned().collect()
    }

    /// Answers the oldest of those that are held and wanted. Gives whether there was one.
    pub(crate) fn answer(&self, answer: ByHand, wanted: impl Fn(&Entry) -> bool) -> bool {
        self.change(|pages| pages.pending.answer(answer, wanted))
    }

    /// How many are held, or wait for a time that is not `now` yet.
    pub(crate) fn waiting(&self, now: Instant) -> usize {
        self.pages().pending.waiting(now)
    }

    /// How many are not over, if none is on its way.
    pub(crate) fn at_rest(&self) -> Option<usize> {
        self.pages().pending.at_rest()
    }

    /// How many are not over.
    pub(crate) fn open(&self) -> usize {
        self.pages().pending.open()
    }

    /// Waits until so many came in since it was cleared.
    pub(crate) async fn asked(&self, times: u64) {
        self.until(|pages| pages.asked >= times).await;
    }

    /// Waits until so many came in since it was cleared, and none that came in is on its way.
    pub(crate) async fn settled(&self, times: u64, now: impl Fn() -> Instant) {
        self.until(|pages| pages.asked >= times && pages.pending.is_settled(now())).await;
    }

    /// Waits until everything that came in is over.
    pub(crate) async fn idle(&self) {
        self.until(|pages| pages.pending.is_idle()).await;
    }

    async fn until(&self, done: impl Fn(&Pages) -> bool) {
        let _watching = Watching::begin(self);
        loop {
            // What changes from here on is not missed.
            let changed = self.changed.notified();
            if done(&self.pages()) {
                return;
            }
            changed.await;
        }
    }

    /// The entries that are wanted, at most `most` of them, in the order in which they came in.
    pub(crate) fn entries(&self, wanted: &Wanted, most: usize) -> Vec<Entry> {
        let pages = self.pages();
        let first = wanted.after.map_or(0, |after| after.saturating_add(1)).max(pages.first());
        let from = pages.place(first).unwrap_or(usize::MAX).min(pages.records.len());
        let records = pages.records.range(from..).zip(first..);
        let wanted = records.filter(|(record, _)| wanted.wants(record, &pages.words));
        wanted.take(most).map(|(record, number)| record.entry(number, &pages.words)).collect()
    }

    pub(crate) fn counts(&self) -> Vec<Count> {
        let pages = self.pages();
        let mut counts: Vec<Count> = pages
            .counts
            .iter()
            .map(|((provider, token, status), count)| Count {
                provider: Arc::clone(pages.words.text(*provider)),
                token: Arc::clone(pages.words.text(*token)),
                status: *status,
                count: *count,
            })
            .collect();
        counts.sort_by(|a, b| (&a.provider, &a.token, a.status).cmp(&(&b.provider, &b.token, b.status)));
        counts
    }

    /// How many requests there were since it was cleared, forgotten ones too.
    pub(crate) fn count(&self) -> u64 {
        self.pages().asked
    }

    /// Forgets all entries and all counts. Numbers go on.
    pub(crate) fn clear(&self) {
        let mut pages = self.pages();
        pages.records.clear();
        pages.counts.clear();
        pages.words = Words::default();
        pages.asked = 0;
    }

    /// Nothing that is done under the lock can leave it half done.
    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        let (changed, is_watched) = {
            let mut pages = self.pages();
            (change(&mut pages), pages.watchers > 0)
        };
        if is_watched {
            self.changed.notify_waiters();
        }
        changed
    }
}

/// Somebody waits for a change: without one nobody need be told.
struct Watching<'a>(&'a Journal);

impl<'a> Watching<'a> {
    fn begin(journal: &'a Journal) -> Self {
        journal.pages().watchers += 1;
        Self(journal)
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.pages().watchers -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(token: &str) -> Draft<'_> {
        Draft {
            at: 0,
            provider: "openai",
            token: Some(token.into()),
            method: "POST",
            path: "/".into(),
            model: "".into(),
            stream: false,
            status: 200,
            refusal: None,
            fault: None,
        }
    }

    #[test]
    fn the_oldest_are_forgotten_and_the_counts_are_not() {
        let journal = Journal::default();
        for _ in 0..=MOST_ENTRIES {
            journal.begin(draft("a"));
        }
        journal.end(1, Ended::Whole, 7);
        journal.end(2, Ended::Gone, 8);
        let entries = journal.entries(&Wanted::default(), usize::MAX);
        assert_eq!((entries.len(), entries[0].number), (MOST_ENTRIES, 2));
        assert_eq!((entries[0].ended, entries[0].bytes), (Some(Ended::Gone), 8));
        assert_eq!(journal.count(), MOST_ENTRIES as u64 + 1);
    }

    #[test]
    fn only_what_is_wanted_is_given() {
        let journal = Journal::default();
        for token in ["a", "b", "a", "b"] {
            journal.begin(draft(token));
        }
        let numbers = |wanted: &Wanted, most| {
            journal.entries(wanted, most).iter().map(|entry| entry.number).collect::<Vec<_>>()
        };
        let b = Wanted { token: Some("b".into()), ..Wanted::default() };
        assert_eq!(numbers(&b, 9), [2, 4]);
        assert_eq!(numbers(&Wanted { after: Some(2), ..b.clone() }, 9), [4]);
        assert_eq!(numbers(&Wanted { after: Some(1), ..Wanted::default() }, 2), [2, 3]);
        assert_eq!(numbers(&Wanted { after: Some(u64::MAX), ..Wanted::default() }, 9), [0; 0]);
        assert_eq!(numbers(&Wanted { provider: Some("other".into()), ..b }, 9), [0; 0]);
        journal.clear();
        assert_eq!((journal.count(), journal.begin(draft("a"))), (0, 5));
    }
}
