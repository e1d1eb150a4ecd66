//! An observer that folds what it hears, and counts.

use std::sync::{Arc, Mutex};

use firedrill_failover::{Entry, Event, Fold, Founding, Newer, Pool, Start, Version};
use firedrill_store::Observer;

/// What an observer has heard; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hearing(Arc<Mutex<Heard>>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) fold: Option<Fold>,
    /// `failed` and `removed` events of all entries, as far as they were told one by one.
    pub(crate) failures: u64,
    pub(crate) removals: u64,
    /// The numbers of the probes that this worker is to send.
    pub(crate) probes: Vec<u64>,
    /// The numbers of all probes, whoever is to send them.
    pub(crate) all_probes: Vec<u64>,
    /// The versions of this worker's appends.
    pub(crate) accepted: Vec<Version>,
    pub(crate) foundings: u64,
    /// What this worker decided alone, in sentences.
    pub(crate) alone: Vec<String>,
}

impl Hearing {
    pub(crate) fn so_far(&self) -> Heard {
        self.0.lock().expect("no panic").clone()
    }
}

impl Heard {
    /// Follows on what was heard, or panics.
    fn fold(&mut self, entry: &Entry) {
        if self.fold.is_none() {
            let Some(Event::Configured(configured)) = entry.events.first() else {
                panic!("the first that was heard is no founding: {entry:?}");
            };
            self.fold = Some(Fold::new(&configured.config));
        }
        let fold = self.fold.as_mut().expect("there is one");
        fold.try_apply(entry).expect("an observer is told every entry once, in order");
        for event in &entry.events {
            self.failures += u64::from(matches!(event, Event::Failed { .. }));
            self.removals += u64::from(matches!(event, Event::Removed { .. }));
            if let Event::ProbeSent { probe, .. } = event {
                self.all_probes.push(*probe);
            }
        }
    }
}

impl Observer for Hearing {
    fn accepted(&mut self, entry: &Entry) {
        let mut heard = self.0.lock().expect("no panic");
        heard.fold(entry);
        heard.accepted.push(entry.version);
        for event in &entry.events {
            if let Event::ProbeSent { probe, .. } = event {
                heard.probes.push(*probe);
            }
        }
    }

    fn heard(&mut self, newer: &Newer) {
        let mut heard = self.0.lock().expect("no panic");
        assert!(!newer.is_empty(), "nothing is no news");
        match &newer.start {
            Start::Here => {}
            Start::Beginning => heard.fold = None,
            Start::Snapshot(fold) => heard.fold = Some((**fold).clone()),
        }
        for entry in &newer.entries {
            heard.fold(entry);
        }
    }

    fn founded_anew(&mut self, founding: &Founding) {
        let mut heard = self.0.lock().expect("no panic");
        heard.foundings += 1;
        heard.fold = Some((*founding.fold).clone());
    }

    fn decided_alone(&mut self, before: &Pool, entry: &Entry) {
        let sentences = entry.events.iter().map(|event| event.sentence(before, entry.at).to_string());
        self.0.lock().expect("no panic").alone.extend(sentences);
    }
}
