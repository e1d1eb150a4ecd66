//! A store that can be away, silent, slow, forgetful of replies, wiped and cut.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration as Time;

use firedrill_failover::{Append, Appended, Contradiction, Entry, Event, Fold, Founding, Head, Newer};
use firedrill_store::{MemoryStore, Store, StoreError};
use tokio::sync::watch;

/// A log in memory behind a connection that fails on cue. Clones are connections to the same log, each with its own way.
pub(crate) struct Faulty {
    log: Arc<TheLog>,
    way: watch::Sender<Way>,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Way {
    Works,
    /// Fails at once.
    Away,
    /// Fails after this.
    AwayAfter(Time),
    /// Never answers.
    Silent,
    /// Answers after this.
    Slow(Time),
    /// Does what it is asked, and every append's reply is lost: the caller is told that the store is away.
    LosesReplies,
    /// As that, but the caller is told nothing.
    LosesRepliesSilently,
    /// Says of every append with this status of a failure that it is too long.
    TooLong(u16),
    /// Says of those that they do not follow.
    Contradicts(u16),
}

struct TheLog {
    /// Changes when the log is wiped or cut.
    inner: watch::Sender<Arc<MemoryStore>>,
    /// What is in the log, to cut it.
    appended: Mutex<Vec<Entry>>,
}

impl Faulty {
    pub(crate) fn new() -> Arc<Self> {
        let inner = watch::Sender::new(Arc::new(MemoryStore::new()));
        let log = TheLog { inner, appended: Mutex::default() };
        Arc::new(Self { log: Arc::new(log), way: watch::Sender::new(Way::Works) })
    }

    /// Another connection to the same log, which works.
    pub(crate) fn connection(&self) -> Arc<Self> {
        Arc::new(Self { log: Arc::clone(&self.log), way: watch::Sender::new(Way::Works) })
    }

    pub(crate) fn goes(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// The log is empty from now on.
    pub(crate) fn wipe(&self) {
        self.log.appended.lock().expect("no panic").clear();
        self.log.inner.send_replace(Arc::new(MemoryStore::new()));
    }

    /// The log has only its first `appends` from now on.
    pub(crate) async fn cut(&self, appends: usize) {
        let left = {
            let mut appended = self.log.appended.lock().expect("no panic");
            appended.truncate(appends);
            appended.clone()
        };
        let inner = MemoryStore::new();
        let mut head = Head::EMPTY;
        for entry in left {
            let Entry { at, by, proposal, ref events, .. } = entry;
            let append = Append { expected: head, at, by, proposal, events: events.clone() };
            assert_eq!(inner.append(&append).await.expect("in memory"), Appended::Accepted);
            head = entry.head();
        }
        self.log.inner.send_replace(Arc::new(inner));
    }

    fn inner(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.log.inner.borrow())
    }

    fn way(&self) -> Way {
        self.way.borrow().clone()
    }

    /// What happens before a call gets to the log.
    async fn pass(&self) -> Result<(), StoreError> {
        let away = || Err(StoreError::Unanswered { why: "connection refused".to_owned() });
        match self.way() {
            Way::Away => away(),
            Way::AwayAfter(time) => {
                tokio::time::sleep(time).await;
                away()
            }
            Way::Silent => pending().await,
            Way::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Way::Works
            | Way::LosesReplies
            | Way::LosesRepliesSilently
            | Way::TooLong(_)
            | Way::Contradicts(_) => Ok(()),
        }
    }

    fn refuse_for_good(&self, append: &Append) -> Result<(), StoreError> {
        let has = |code: u16| {
            append.events.iter().any(|event| match event {
                Event::Failed { status, .. } | Event::Removed { status, .. } => status.code() == code,
                _ => false,
            })
        };
        match self.way() {
            Way::TooLong(code) if has(code) => Err(StoreError::TooLong { length: 2, most: 1 }),
            Way::Contradicts(code) if has(code) => {
                let before = append.expected.version;
                Err(StoreError::Contradiction { before, contradiction: Contradiction::UnknownToken })
            }
            _ => Ok(()),
        }
    }

    /// What is in the log, with which no connection interferes.
    pub(crate) async fn fold(&self) -> Option<Arc<Fold>> {
        self.inner().snapshot().await.expect("in memory")
    }

    /// What happens to the reply.
    async fn reply(&self, answer: Appended) -> Result<Appended, StoreError> {
        match self.way() {
            Way::LosesReplies => Err(StoreError::Unanswered { why: "connection reset".to_owned() }),
            Way::LosesRepliesSilently => pending().await,
            _ => Ok(answer),
        }
    }
}

impl Store for Faulty {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.pass().await?;
        self.refuse_for_good(append)?;
        let inner = self.inner();
        let answer = inner.append(append).await?;
        {
            let mut appended = self.log.appended.lock().expect("no panic");
            let entry = append.clone().into_entry();
            if answer == Appended::Accepted
                && appended.iter().map(|entry| entry.version.appends()).max().unwrap_or(0)
                    < entry.version.appends()
            {
                appended.push(entry);
            }
        }
        self.reply(answer).await
    }

    async fn read(&self, after: Head) -> Result<Newer, StoreError> {
        self.pass().await?;
        self.inner().read(after).await
    }

    async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        let mut inner = self.log.inner.subscribe();
        let mut way = self.way.subscribe();
        loop {
            let here = Arc::clone(&inner.borrow_and_update());
            let now = way.borrow_and_update().clone();
            match now {
                Way::Away | Way::AwayAfter(_) | Way::Silent => self.pass().await?,
                _ => {}
            }
            tokio::select! {
                newer = here.tail(after) => return newer,
                _ = inner.changed() => {}
                _ = way.changed() => {}
            }
        }
    }

    async fn snapshot(&self) -> Result<Option<Arc<Fold>>, StoreError> {
        self.pass().await?;
        self.inner().snapshot().await
    }

    async fn found(&self, founding: &Founding) -> Result<Appended, StoreError> {
        self.pass().await?;
        let answer = self.inner().found(founding).await?;
        self.reply(answer).await
    }
}
