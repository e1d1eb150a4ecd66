//! What steers the gateways of a rehearsal: which token is drawn, where the scenario names one, when a retry and a tick may go on,
//! and how a probe is lost. What is not named each gateway draws itself, by its seed.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firedrill_gateway::{Lapse, Lost, Rehearsal};
use firedrill_store::Shell;
use hyper::http::request::Parts;
use tokio::sync::oneshot;

use crate::target::Refusal;
use crate::trip::all_drawn;

/// The header that tells a request from others.
pub(super) const NUMBER: &str = "x-rehearsal";

/// What all gateways of a rehearsal share. Workers are counted from 0.
#[derive(Debug)]
pub(super) struct Stage(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The requests that are under way, by number.
    requests: BTreeMap<u64, Under>,
    /// The workers whose tick has fallen due.
    ticks: BTreeMap<usize, oneshot::Sender<()>>,
    /// The probes that are out, by number.
    probes: BTreeMap<u64, oneshot::Sender<Lost>>,
}

/// A request under way.
#[derive(Debug)]
struct Under {
    /// The worker that serves it.
    worker: usize,
    /// What it should draw.
    draws: Vec<String>,
    attempts: usize,
    drawn: Vec<(String, bool)>,
    /// Whether the gateway has it.
    begun: bool,
    /// Set while it waits to be let go on with another attempt.
    parked: Option<oneshot::Sender<()>>,
    refused: Option<Refusal>,
}

impl Stage {
    /// With nothing under way.
    pub(super) fn new() -> Arc<Self> {
        let (requests, ticks, probes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Arc::new(Self(State { requests, ticks, probes }.into()))
    }

    /// A request is sent to a worker, and should draw these in its first attempts.
    pub(super) fn send(&self, number: u64, worker: usize, draws: &[String]) {
        let (draws, drawn) = (draws.to_vec(), Vec::new());
        let under = Under { worker, draws, attempts: 0, drawn, begun: false, parked: None, refused: None };
        self.state().requests.insert(number, under);
    }

    /// Whether a gateway has it.
    pub(super) fn has_begun(&self, number: u64) -> bool {
        self.state().requests.get(&number).is_none_or(|under| under.begun)
    }

    /// Whether it waits to be let go on with another attempt.
    pub(super) fn is_parked(&self, number: u64) -> bool {
        self.state().requests.get(&number).is_some_and(|under| under.parked.is_some())
    }

    /// How many requests of a worker wait to be let go on.
    pub(super) fn parked(&self, worker: usize) -> usize {
        let state = self.state();
        let of_this = |under: &&Under| under.worker == worker && under.parked.is_some();
        state.requests.values().filter(of_this).count()
    }

    /// Lets a request go on with another attempt.
    pub(super) fn let_go_on(&self, number: u64) {
        let parked = self.state().requests.get_mut(&number).and_then(|under| under.parked.take());
        if let Some(parked) = parked {
            // Who does not listen any more was stopped.
            let _ = parked.send(());
        }
    }

    /// What a request has drawn since it was last asked, in order, each with whether it was a fallback.
    ///
    /// # Errors
    /// If what should be drawn could not be.
    pub(super) fn drawn(&self, number: u64) -> Result<Vec<(String, bool)>, Refusal> {
        let mut state = self.state();
        let Some(under) = state.requests.get_mut(&number) else { return Ok(Vec::new()) };
        match under.refused.take() {
            Some(refusal) => Err(refusal),
            None => Ok(std::mem::take(&mut under.drawn)),
        }
    }

    /// A request is over.
    ///
    /// # Errors
    /// If a token should have been drawn in an attempt that there was not.
    pub(super) fn end(&self, number: u64) -> Result<(), Refusal> {
        self.state().requests.remove(&number).map_or(Ok(()), |under| all_drawn(&under.draws, under.attempts))
    }

    /// The first worker whose tick has fallen due and waits to be performed.
    pub(super) fn tick_due(&self) -> Option<usize> {
        self.state().ticks.keys().next().copied()
    }

    /// Lets a worker perform the tick that has fallen due.
    pub(super) fn let_tick(&self, worker: usize) {
        let due = self.state().ticks.remove(&worker);
        if let Some(due) = due {
            let _ = due.send(());
        }
    }

    /// What was due for a worker is so no more: it was stopped.
    pub(super) fn forget(&self, worker: usize) {
        self.state().ticks.remove(&worker);
    }

    /// A probe is lost.
    pub(super) fn lose(&self, probe: u64, how: Lost) {
        let probe = self.state().probes.remove(&probe);
        if let Some(probe) = probe {
            let _ = probe.send(how);
        }
    }

    /// The gateway of a worker is about to make an attempt. What it waits for, if it waits.
    fn begin(&self, number: u64, attempt: usize) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        let under = state.requests.get_mut(&number)?;
        under.begun = true;
        (attempt > 0).then(|| {
            let (go_on, may) = oneshot::channel();
            under.parked = Some(go_on);
            may
        })
    }

    /// The token that the next attempt should draw; `None` if that is the gateway's to say.
    fn named(&self, number: u64) -> Option<String> {
        let state = self.state();
        let under = state.requests.get(&number)?;
        under.draws.get(under.attempts).cloned()
    }

    /// Nothing that is done under the lock can leave it half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What steers the gateway of one worker.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) stage: Arc<Stage>,
    pub(super) worker: usize,
    /// Whether ticks that fall due are performed.
    pub(super) ticks: bool,
    /// Whether probes wait for whoever answers them, for as long as that takes.
    pub(super) answers_probes: bool,
}

fn number(request: &Parts) -> Option<u64> {
    request.headers.get(NUMBER)?.to_str().ok()?.parse().ok()
}

impl Rehearsal for Hook {
    fn before<'a>(
        &'a self,
        request: &'a Parts,
        attempt: usize,
        _: &'a Shell,
    ) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>> {
        Box::pin(async move {
            let number = number(request)?;
            if let Some(may) = self.stage.begin(number, attempt)
                && may.await.is_err()
            {
                std::future::pending::<()>().await;
            }
            self.stage.named(number)
        })
    }

    fn drawn(&self, request: &Parts, drawn: Result<(&str, bool), String>) {
        let mut state = self.stage.state();
        let Some(under) = number(request).and_then(|number| state.requests.get_mut(&number)) else { return };
        match drawn {
            Ok((label, fallback)) => {
                under.attempts += 1;
                under.drawn.push((label.to_owned(), fallback));
            }
            Err(why) => under.refused = Some(Refusal::Impossible(why)),
        }
    }

    fn ticks(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        if !self.ticks {
            return Box::pin(std::future::pending());
        }
        let (now, due) = oneshot::channel();
        self.stage.state().ticks.insert(self.worker, now);
        Box::pin(async { due.await.is_ok() })
    }

    fn loses(&self, _: &str, probe: u64) -> Option<Lapse<'_>> {
        if !self.answers_probes {
            return None;
        }
        let (lose, lost) = oneshot::channel();
        self.stage.state().probes.insert(probe, lose);
        Some(Box::pin(async {
            match lost.await {
                Ok(how) => how,
                Err(_) => std::future::pending().await,
            }
        }))
    }
}
