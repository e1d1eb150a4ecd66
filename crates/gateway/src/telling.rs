//! What enters the log, told to people: a log line for each event, and the newest appends for whoever asks later.
//!
//! What a worker decides alone, while its store is away, is a log line at once, without a version. It enters the log when the store
//! is back, as far as it is still so then, and is told as all that enters it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firedrill_failover::{
    Config, Entry, Event, Fingerprint, Founding, Head, Instant, Newer, Pool, Start, Status, Version, wire,
};
use firedrill_store::{Observer, Reach, Shell, Store};
use tokio::sync::watch;
use tracing::Level;

/// So many of the newest appends are kept.
const MOST: usize = 4_096;
/// And not more bytes of them.
const MOST_BYTES: usize = 8 << 20;

/// Tells what it is told, and another observer.
pub(crate) struct Telling<O> {
    inner: O,
    founded: Config,
    /// What the next entry happens to; `None` if what was told does not follow from what was told before.
    before: Option<Pool>,
    story: Option<Arc<Story>>,
}

/// The newest appends, and why tokens were taken out.
#[derive(Debug)]
pub(crate) struct Story {
    kept: Mutex<Kept>,
    /// The number of the next append, so that whoever waits for it is woken.
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The number of the first that is kept: they count on whatever happens to versions.
    first: u64,
    told: VecDeque<Told>,
    bytes: usize,
    why: BTreeMap<Fingerprint, Why>,
}

/// Why a token was taken out.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It was answered this.
    Status(Status),
    /// An operator said so.
    ByHand,
}

/// An append as it is told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) version: Version,
    /// `append`, or `snapshot` where the log goes on with another state.
    pub(crate) event: &'static str,
    /// An object of JSON, on one line.
    pub(crate) text: Arc<str>,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self { kept: Mutex::default(), news: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What last took out the token with this fingerprint, as far as this gateway has heard.
    pub(crate) fn why(&self, token: Fingerprint) -> Option<Why> {
        self.lock().why.get(&token).copied()
    }

    /// The number of the first kept append that is not before `version`.
    pub(crate) fn from(&self, version: Version) -> u64 {
        let kept = self.lock();
        let older = kept.told.iter().take_while(|told| told.version < version).count();
        kept.first + older as u64
    }

    /// Those from `number` on, a few at a time; `None` if the first of them is not kept any more.
    pub(crate) fn after(&self, number: u64) -> Option<Vec<Told>> {
        let kept = self.lock();
        let skipped = usize::try_from(number.checked_sub(kept.first)?).ok()?;
        Some(kept.told.iter().skip(skipped).take(64).cloned().collect())
    }

    /// The number of the append that comes next, to wait for it.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Learns why tokens of `before` are taken out by `entry`.
    fn learn(&self, before: &Pool, entry: &Entry) {
        for (token, why) in reasons(before, entry) {
            self.lock().why.insert(token, why);
        }
    }

    /// Learns what was so before all that was told.
    fn remember(&self, why: BTreeMap<Fingerprint, Why>) {
        let mut kept = self.lock();
        for (token, why) in why {
            kept.why.entry(token).or_insert(why);
        }
    }

    fn keep(&self, told: Told) {
        let mut kept = self.lock();
        kept.bytes += told.text.len();
        kept.told.push_back(told);
        while kept.told.len() > MOST || kept.bytes > MOST_BYTES && kept.told.len() > 1 {
            let Some(dropped) = kept.told.pop_front() else { break };
            kept.bytes -= dropped.text.len();
            kept.first += 1;
        }
        let next = kept.first + kept.told.len() as u64;
        // While it is locked, so that nobody hears of two appends in another order.
        self.news.send_replace(next);
    }
}

impl<O> Telling<O> {
    pub(crate) fn new(inner: O, founded: &Config, story: Option<Arc<Story>>) -> Self {
        Self { inner, founded: founded.clone(), before: Some(Pool::new(founded)), story }
    }

    fn entry(&mut self, entry: &Entry) {
        let Some(mut pool) = self.before.take() else { return self.untold(entry) };
        // The founding event says what the pool is; labels before it are those of this gateway's file.
        let founded = if pool.version() == Version::EMPTY { founded(entry) } else { None };
        let before = founded.as_ref().unwrap_or(&pool);
        let known = |event: &Event| event.token().is_none_or(|id| before.token(id).is_some());
        if entry.version != pool.version().next() || !entry.events.iter().all(known) {
            return self.untold(entry);
        }
        for event in &entry.events {
            log(before, entry, event, Known::ToAll);
        }
        if let Some(story) = &self.story {
            story.learn(before, entry);
            story.keep(Told { version: entry.version, event: "append", text: text(before, entry).into() });
        }
        self.before = pool.try_apply(entry).is_ok().then_some(pool);
    }

    /// An entry that does not follow from what was told before: something between was not told. Until the log is told from a
    /// start, who the tokens are is not known.
    fn untold(&self, entry: &Entry) {
        let (version, names) = (entry.version.appends(), entry.events.iter().map(Event::name));
        let names: Vec<&str> = names.collect();
        let told = names.join(", ");
        tracing::warn!(target: "firedrill", version, "{told}: something before it was not heard, so no more is known");
        if let Some(story) = &self.story {
            let text = serde_json::json!({ "version": version, "sentences": names }).to_string();
            story.keep(Told { version: entry.version, event: "append", text: text.into() });
        }
    }

    /// The log goes on with another state than what was told before led to.
    fn goes_on(&mut self, pool: &Pool, how: &'static str) {
        let (version, tokens, available) = (pool.version(), pool.len(), pool.available_len());
        let version_number = version.appends();
        tracing::info!(
            target: "firedrill",
            version = version_number,
            "{how}: {tokens} tokens, {available} available"
        );
        if available == 0 && pool.policy().failover().is_some() {
            let now = Event::NoneAvailable;
            let sentence = now.sentence(pool, Instant::ZERO);
            tracing::warn!(target: "firedrill", version = version_number, "{sentence}");
        }
        if let Some(story) = &self.story {
            let sentence = format!("{how}: {tokens} tokens, {available} available");
            let text = serde_json::json!({ "snapshot": version_number, "sentences": [sentence] }).to_string();
            story.keep(Told { version, event: "snapshot", text: text.into() });
        }
        self.before = Some(pool.clone());
    }
}

/// Which tokens of `before` are taken out by `entry`, and why.
fn reasons(before: &Pool, entry: &Entry) -> impl Iterator<Item = (Fingerprint, Why)> {
    entry.events.iter().filter_map(|event| {
        let (token, why) = match *event {
            Event::Removed { token, status, .. } => (token, Why::Status(status)),
            Event::TakenOut { token } => (token, Why::ByHand),
            _ => return None,
        };
        Some((before.token(token)?.fingerprint, why))
    })
}

/// Learns why tokens were taken out before this gateway began, as far as its store still has that.
pub(crate) async fn remember<S: Store>(store: Arc<S>, story: Arc<Story>, shell: Shell, configured: Config) {
    let mut standing = shell.watch();
    if standing.wait_for(|standing| standing.reach == Reach::Connected).await.is_err() {
        return;
    }
    let Ok(newer) = store.read(Head::EMPTY).await else { return };
    let mut pool = match &newer.start {
        Start::Snapshot(fold) => fold.pool().clone(),
        Start::Here | Start::Beginning => Pool::new(&configured),
    };
    let mut why = BTreeMap::new();
    for entry in &newer.entries {
        why.extend(reasons(&pool, entry));
        if pool.try_apply(entry).is_err() {
            return;
        }
    }
    story.remember(why);
}

/// The pool as the first event of a log configures it.
fn founded(entry: &Entry) -> Option<Pool> {
    entry.events.iter().find_map(|event| match event {
        Event::Configured(configured) => Some(Pool::new(&configured.config)),
        _ => None,
    })
}

/// Who knows of an entry.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Known {
    /// It is in the log.
    ToAll,
    /// This gateway has decided it alone.
    Here,
}

/// One line for one event, in the engine's own sentence.
fn log(before: &Pool, entry: &Entry, event: &Event, known: Known) {
    macro_rules! at {
        ($level:expr) => {
            if tracing::enabled!(target: "firedrill", $level) {
                let id = event.token().and_then(|id| before.token(id));
                let token = id.map(|token| token.label);
                // Among what only this gateway knows nothing has a version.
                let (alone, version) = match known {
                    Known::ToAll => (None, Some(entry.version.appends())),
                    Known::Here => (Some(true), None),
                };
                let (at, worker) = (entry.at.as_millis(), entry.by.number());
                let sentence = event.sentence(before, entry.at);
                let more = if known == Known::Here { "; decided alone, not in the log yet" } else { "" };
                tracing::event!(
                    target: "firedrill", $level, version, alone, at, worker, token, "{sentence}{more}"
                );
            }
        };
    }
    match event {
        Event::NoneAvailable | Event::Removed { .. } | Event::TakenOut { .. } => at!(Level::WARN),
        Event::Restored { .. } | Event::Reset { .. } | Event::Configured(_) => at!(Level::INFO),
        _ => at!(Level::DEBUG),
    }
}

/// The line of the log, with the sentence of each event.
fn text(before: &Pool, entry: &Entry) -> String {
    let sentences: Vec<String> =
        entry.events.iter().map(|event| event.sentence(before, entry.at).to_string()).collect();
    let mut line = wire::line(before, entry);
    // An append is an object: one more key stands before its brace.
    line.pop();
    line.push_str(",\"sentences\":");
    line.push_str(&serde_json::Value::from(sentences).to_string());
    line.push('}');
    line
}

impl<O: Observer> Observer for Telling<O> {
    fn accepted(&mut self, entry: &Entry) {
        self.entry(entry);
        self.inner.accepted(entry);
    }

    fn heard(&mut self, newer: &Newer) {
        match &newer.start {
            Start::Here => {}
            Start::Beginning => self.before = Some(Pool::new(&self.founded)),
            Start::Snapshot(fold) => {
                let begins = self.before.as_ref().is_some_and(|pool| pool.version() == Version::EMPTY);
                let how = if begins { "the log is heard" } else { "the log goes on from a snapshot" };
                self.goes_on(fold.pool(), how);
            }
        }
        for entry in &newer.entries {
            self.entry(entry);
        }
        self.inner.heard(newer);
    }

    fn founded_anew(&mut self, founding: &Founding) {
        self.goes_on(
            founding.fold.pool(),
            "the log was lost, and is founded anew from what this gateway heard",
        );
        self.inner.founded_anew(founding);
    }

    fn decided_alone(&mut self, before: &Pool, entry: &Entry) {
        for event in &entry.events {
            log(before, entry, event, Known::Here);
        }
        if let Some(story) = &self.story {
            story.learn(before, entry);
        }
        self.inner.decided_alone(before, entry);
    }
}

/// Logs how the worker stands with its store, until it is over.
pub(crate) async fn standing(shell: Shell) {
    let mut standing = shell.watch();
    let (mut was_away, mut given_up) = (false, None);
    loop {
        let now = standing.borrow_and_update().clone();
        match (&now.reach, was_away) {
            (Reach::Away { why, .. }, false) => {
                tracing::warn!(target: "firedrill", "the log cannot be reached, this gateway decides alone: {why}");
                was_away = true;
            }
            (Reach::Connected, true) => {
                tracing::info!(target: "firedrill", waiting = now.waiting, "the log can be reached again");
                was_away = false;
            }
            _ => {}
        }
        if now.given_up != given_up {
            if let Some(why) = &now.given_up {
                tracing::error!(target: "firedrill", "what was reported is given up, the log refuses it: {why}");
            }
            given_up = now.given_up;
        }
        if standing.changed().await.is_err() {
            return;
        }
    }
}
