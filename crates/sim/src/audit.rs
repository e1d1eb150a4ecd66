//! The checker of logs: it holds every append, and every command that appended nothing, against a sequential model that
//! is given the same commands in the log's order.
//!
//! A token that is dropped and configured again is another token to the engine and the same to this checker: worlds
//! that do that are not for it.

use std::rc::Rc;

use crate::key::Key;
use crate::model::Model;
use crate::property::{Property, Violation};
use crate::protocol::{Deed, Fact};
use crate::setting::Setting;

/// What the logs of a world should say, at every version of each.
#[derive(Clone, Debug)]
pub struct Audit {
    /// By number. A log that forgets, or is founded anew, is another log from then on.
    logs: Rc<Vec<History>>,
    /// Which command is where.
    settled: Rc<Vec<Settled>>,
    /// Commands that wait for the store to be back.
    owed: Rc<Vec<(u64, u64)>>,
    /// The workers that have founded the log anew since it last forgot.
    founders: Vec<u64>,
    /// Every founding, as its worker and the how-manieth proposal of it.
    founded: Vec<(u64, u64)>,
}

/// What one log should say.
#[derive(Clone, Debug)]
struct History {
    /// The log that it goes on from, and from which version of it; `None` if from nothing.
    from: Option<(usize, u64)>,
    /// The version of the first of `models`.
    start: u64,
    models: Rc<Vec<(Model, Key)>>,
}

/// A command that was appended, or that changed nothing.
#[derive(Clone, Debug)]
struct Settled {
    epoch: usize,
    version: u64,
    tag: (u64, u64),
    appended: bool,
}

impl Audit {
    pub(crate) fn new(setting: &Setting) -> Self {
        let models = Rc::new(vec![keyed(Model::new(&setting.tokens))]);
        let log = History { from: None, start: 1, models };
        Self {
            logs: Rc::new(vec![log]),
            settled: Rc::default(),
            owed: Rc::default(),
            founders: Vec::new(),
            founded: Vec::new(),
        }
    }

    /// The key of what the log of number `epoch` says at `version`; of nothing if it has no such version.
    pub fn key_at(&self, epoch: usize, version: u64) -> Key {
        self.at(epoch, version).map_or(Key::new(), |(_, key)| *key)
    }

    /// The lease as the log says it: the number of its holder, and up to when.
    pub(crate) fn lease(&self) -> Option<(u64, u64)> {
        self.newest().and_then(|(model, _)| model.lease)
    }

    /// Tells a key what was settled. What a log says that is gone and may come back, the folds of its workers tell.
    pub(crate) fn key(&self, key: &mut Key) {
        let mut settled: Vec<&Settled> = self.settled.iter().collect();
        // Only of one command does it matter what was later.
        settled.sort_by_key(|settled| settled.tag);
        for own in settled.chunk_by(|one, two| one.tag == two.tag) {
            key.add(own[0].tag.0);
            key.add(own[0].tag.1);
            key.add(own.iter().any(|settled| self.has(settled)).into());
            key.add(own.last().is_some_and(|last| last.appended).into());
        }
        key.add(u64::MAX);
        for tag in self.owed.iter() {
            key.add(tag.0);
            key.add(tag.1);
        }
        key.add(u64::MAX);
        self.founders.iter().for_each(|founder| key.add(*founder));
        key.add(u64::MAX);
        for (by, proposal) in &self.founded {
            key.add(*by);
            key.add(*proposal);
        }
    }

    /// A command of these workers that was appended, or was to wait for the store, and is not in the log now. One that was
    /// decided again and changed nothing is done, also if what made it so is lost later.
    pub(crate) fn missing(&self, workers: &[u64]) -> Option<String> {
        let is_missing = |tag: (u64, u64)| {
            let mut own = self.settled.iter().rev().filter(|settled| settled.tag == tag);
            own.clone().next().is_none_or(|last| last.appended) && own.all(|own| !self.has(own))
        };
        let told = self.settled.iter().map(|settled| settled.tag).chain(self.owed.iter().copied());
        let (by, number) = told.filter(|tag| workers.contains(&tag.0)).find(|tag| is_missing(*tag))?;
        Some(format!("command {number} of the worker with number {by} in the log is not in it"))
    }

    /// Whether the log says this now.
    fn has(&self, settled: &Settled) -> bool {
        settled.appended && self.is_in_the_log(settled.epoch, settled.version)
    }

    fn log(&self) -> &History {
        self.logs.last().expect("broken invariant: there is a log from the beginning")
    }

    fn newest(&self) -> Option<&(Model, Key)> {
        self.log().models.last()
    }

    /// The version of the log.
    fn version(&self) -> u64 {
        let log = self.log();
        log.start + log.models.len() as u64 - 1
    }

    fn at(&self, epoch: usize, version: u64) -> Option<&(Model, Key)> {
        let log = self.logs.get(epoch)?;
        match (version.checked_sub(log.start), log.from) {
            (Some(place), _) => log.models.get(usize::try_from(place).ok()?),
            (None, Some((epoch, up_to))) if version <= up_to => self.at(epoch, version),
            _ => None,
        }
    }

    /// Whether what was at this version of that log is in the history of the log that there is now.
    fn is_in_the_log(&self, epoch: usize, version: u64) -> bool {
        self.is_in(epoch, version, (self.logs.len() - 1, self.version()))
    }

    /// Whether what was at this version of that log is in the history of another up to a version.
    fn is_in(&self, epoch: usize, version: u64, (mut at, mut up_to): (usize, u64)) -> bool {
        while at != epoch {
            let Some((before, until)) = self.logs[at].from else { return false };
            (at, up_to) = (before, up_to.min(until));
        }
        version <= up_to
    }

    /// Another log begins with `model`, which is `version` of it.
    fn go_on(&mut self, from: Option<(usize, u64)>, start: u64, model: Option<(Model, Key)>) {
        let models = Rc::new(model.into_iter().collect());
        Rc::make_mut(&mut self.logs).push(History { from, start, models });
    }

    fn settle(&mut self, mut epoch: usize, version: u64, tag: (u64, u64), appended: bool) {
        // What two logs have in common is of the first.
        while let Some((before, until)) = self.logs[epoch].from
            && version <= until
        {
            epoch = before;
        }
        Rc::make_mut(&mut self.settled).push(Settled { epoch, version, tag, appended });
    }

    /// Hears a fact, and says everything that is wrong with it.
    pub(crate) fn hear(&mut self, setting: &Setting, fact: &Fact) -> Vec<Violation> {
        let mut wrong = Vec::new();
        match fact {
            // Who starts on an empty log founds it.
            Fact::Appended { epoch, version: 1, tag, .. } => {
                let model = keyed(Model::new(&setting.tokens));
                if let Some(log) = Rc::make_mut(&mut self.logs).last_mut() {
                    Rc::make_mut(&mut log.models).push(model);
                }
                self.settle(*epoch, 1, *tag, true);
            }
            Fact::Appended { epoch, version, decided_on, at, by, command, probe, tag, deeds } => {
                let newest = self.version();
                if self.settled.iter().any(|settled| settled.tag == *tag && self.has(settled)) {
                    let seen = format!("version {version} says what worker {by} has in the log already");
                    wrong.push(Violation::new(Property::CountedOnce, seen));
                }
                self.settle(*epoch, *version, *tag, true);
                if *version != newest + 1 || *decided_on != newest {
                    let seen = format!("version {version} was decided on {decided_on}, the log had {newest}");
                    wrong.push(Violation::new(Property::NothingStale, seen));
                }
                let Some((mut model, _)) = self.newest().cloned() else { return wrong };
                if let Some(seen) = probes_apart(&model, *by, *at, deeds) {
                    wrong.push(Violation::new(Property::OneProber, seen));
                }
                let expected = model.perform(setting, *by, *at, command, *probe);
                if expected != *deeds {
                    let seen = format!("version {version} says {deeds:?}, the model {expected:?}");
                    wrong.push(Violation::new(Property::Sequential, seen));
                }
                if let Some(log) = Rc::make_mut(&mut self.logs).last_mut() {
                    Rc::make_mut(&mut log.models).push(keyed(model));
                }
            }
            Fact::Idle { epoch, version, at, by, command, probe, tag } => {
                let Some((model, _)) = self.at(*epoch, *version) else { return wrong };
                let expected = model.clone().perform(setting, *by, *at, command, *probe);
                // What had been lost may have turned up in the log: then it is to do nothing, and is not done for good.
                let has =
                    |own: &Settled| own.appended && self.is_in(own.epoch, own.version, (*epoch, *version));
                if !expected.is_empty() && self.settled.iter().any(|own| own.tag == *tag && has(own)) {
                    return wrong;
                }
                self.settle(*epoch, *version, *tag, false);
                if !expected.is_empty() {
                    let seen = format!("{command} did nothing at version {version}, the model {expected:?}");
                    wrong.push(Violation::new(Property::Sequential, seen));
                }
            }
            Fact::Folded(epoch, version, view) => {
                let Some((model, _)) = self.at(*epoch, *version) else {
                    let seen = format!("a fold of version {version}, which the log has not had");
                    wrong.push(Violation::new(Property::FoldsTheLog, seen));
                    return wrong;
                };
                if model.view() != view {
                    let seen = format!("at version {version} a fold has {view}, the model {}", model.view());
                    wrong.push(Violation::new(Property::FoldsTheLog, seen));
                }
            }
            Fact::Owed(tag) => Rc::make_mut(&mut self.owed).push(*tag),
            Fact::Forgotten { kept } => {
                self.founders.clear();
                let epoch = self.logs.len() - 1;
                let model = self.at(epoch, *kept).cloned();
                let from = model.is_some().then_some((epoch, *kept));
                self.go_on(from, (*kept).max(1), model);
            }
            Fact::FoundedAnew { by, proposal, from, .. } => {
                if !self.founders.is_empty() {
                    let seen = format!("worker {by} founds it once more");
                    wrong.push(Violation::new(Property::FoundedOnce, seen));
                }
                // One that did not hear that it founded the log may do so once more, when it is lost again: that is as if the
                // log had been cut to what it founded.
                if !self.founded.contains(&(*by, *proposal)) {
                    self.founders.push(*by);
                    self.founded.push((*by, *proposal));
                }
                let model = self.at(from.0, from.1).cloned();
                self.go_on(Some(*from), from.1 + 1, model);
            }
            Fact::Drew(_) | Fact::Configured(_) | Fact::Serves { .. } | Fact::Met(_) => {}
        }
        wrong
    }
}

fn keyed(model: Model) -> (Model, Key) {
    let mut key = Key::new();
    model.key(&mut key);
    (model, key)
}

/// Who sends probes that are not its to send.
fn probes_apart(model: &Model, by: u64, at: u64, deeds: &[Deed]) -> Option<String> {
    let sends = deeds.iter().any(|deed| matches!(deed, Deed::ProbeSent(..)));
    let (holder, until) = model.lease?;
    (sends && at < until && holder != by)
        .then(|| format!("worker {by} probes at {at}, worker {holder} holds the lease until {until}"))
}

#[cfg(test)]
mod tests;
