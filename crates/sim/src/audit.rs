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

/// What a log should say, at every version of it.
#[derive(Clone, Debug)]
pub struct Audit {
    /// By version, from the founding, which is version 1.
    models: Rc<Vec<(Model, Key)>>,
}

impl Audit {
    pub(crate) fn new(setting: &Setting) -> Self {
        Self { models: Rc::new(vec![keyed(Model::new(&setting.tokens))]) }
    }

    /// The key of what the log says at `version`; of nothing if it has no such version.
    pub fn key_at(&self, version: u64) -> Key {
        self.at(version).map_or(Key::new(), |(_, key)| *key)
    }

    /// The lease as the log says it: the number of its holder, and up to when.
    pub(crate) fn lease(&self) -> Option<(u64, u64)> {
        self.models.last().and_then(|(model, _)| model.lease)
    }

    fn at(&self, version: u64) -> Option<&(Model, Key)> {
        self.models.get(usize::try_from(version).ok()?.checked_sub(1)?)
    }

    /// Hears a fact, and says what is wrong with it.
    pub(crate) fn hear(&mut self, setting: &Setting, fact: &Fact) -> Option<Violation> {
        match fact {
            Fact::Appended { version, decided_on, at, by, command, probe, deeds } => {
                let newest = self.models.len() as u64;
                if *version != newest + 1 || *decided_on != newest {
                    let seen = format!("version {version} was decided on {decided_on}, the log had {newest}");
                    return Some(Violation::new(Property::NothingStale, seen));
                }
                let (mut model, _) = self.models.last().cloned()?;
                if let Some(seen) = probes_apart(&model, *by, *at, deeds) {
                    return Some(Violation::new(Property::OneProber, seen));
                }
                let expected = model.perform(setting, *by, *at, command, *probe);
                if expected != *deeds {
                    let seen = format!("version {version} says {deeds:?}, the model {expected:?}");
                    return Some(Violation::new(Property::Sequential, seen));
                }
                Rc::make_mut(&mut self.models).push(keyed(model));
                None
            }
            Fact::Idle { version, at, by, command, probe } => {
                let (model, _) = self.at(*version)?;
                let expected = model.clone().perform(setting, *by, *at, command, *probe);
                (!expected.is_empty()).then(|| {
                    let seen = format!("{command} did nothing at version {version}, the model {expected:?}");
                    Violation::new(Property::Sequential, seen)
                })
            }
            Fact::Folded(version, view) => {
                let Some((model, _)) = self.at(*version) else {
                    let seen = format!("a fold of version {version}, which the log has not had");
                    return Some(Violation::new(Property::FoldsTheLog, seen));
                };
                (model.view() != view).then(|| {
                    let seen = format!("at version {version} a fold has {view}, the model {}", model.view());
                    Violation::new(Property::FoldsTheLog, seen)
                })
            }
            Fact::Drew(_) | Fact::Configured(_) | Fact::Conflict | Fact::Fallback => None,
        }
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
mod tests {
    use super::*;
    use crate::command::{Command, Token};
    use crate::view::View;

    const A: Token = Token(0);

    fn appended(by: u64, version: u64, at: u64, command: Command, deeds: Vec<Deed>) -> Fact {
        Fact::Appended { version, decided_on: version - 1, at, by, command, probe: None, deeds }
    }

    fn failed() -> Command {
        Command::Outcome(A, 429)
    }

    /// Hears `facts`; only the last is wrong, and with what.
    #[track_caller]
    fn check(facts: &[Fact], expect: Property) {
        let setting = Setting { failure_threshold: 2, health_check: true, ..Setting::new(1, Vec::new()) };
        let mut audit = Audit::new(&setting);
        let heard: Vec<_> =
            facts.iter().map(|fact| audit.hear(&setting, fact).map(|violation| violation.property)).collect();
        let (last, before) = heard.split_last().expect("facts");
        assert!(before.iter().all(Option::is_none), "{heard:?}");
        assert_eq!(*last, Some(expect));
    }

    fn out() -> [Fact; 2] {
        let removed = vec![Deed::Removed(A, 2), Deed::NoneAvailable];
        [appended(1, 2, 0, failed(), vec![Deed::Failed(A, 1)]), appended(2, 3, 0, failed(), removed)]
    }

    #[test]
    fn a_count_that_was_missed_is_found() {
        let [first, _] = out();
        check(&[first, appended(2, 3, 0, failed(), vec![Deed::Failed(A, 1)])], Property::Sequential);
    }

    #[test]
    fn a_removal_before_its_threshold_is_found() {
        check(
            &[appended(1, 2, 0, failed(), vec![Deed::Removed(A, 1), Deed::NoneAvailable])],
            Property::Sequential,
        );
    }

    #[test]
    fn a_second_removal_is_found() {
        let [first, second] = out();
        let third = appended(3, 4, 0, failed(), vec![Deed::Removed(A, 2), Deed::NoneAvailable]);
        check(&[first, second, third], Property::Sequential);
    }

    #[test]
    fn a_return_before_its_cooldown_is_found() {
        let [first, second] = out();
        check(
            &[first, second, appended(1, 4, 99, Command::Tick, vec![Deed::CooledDown(A)])],
            Property::Sequential,
        );
    }

    #[test]
    fn a_failure_that_was_dropped_is_found() {
        let idle = Fact::Idle { version: 1, at: 0, by: 1, command: failed(), probe: None };
        check(&[idle], Property::Sequential);
    }

    #[test]
    fn a_version_that_was_skipped_is_found() {
        check(&[appended(1, 3, 0, failed(), vec![Deed::Failed(A, 1)])], Property::NothingStale);
    }

    #[test]
    fn a_fold_that_differs_is_found() {
        let [first, _] = out();
        let view = View { available: vec![A], ..View::default() };
        check(&[Fact::Folded(1, view.clone()), first, Fact::Folded(2, view)], Property::FoldsTheLog);
        check(&[Fact::Folded(2, View::default())], Property::FoldsTheLog);
    }

    #[test]
    fn two_that_probe_in_one_lease_are_found() {
        let [first, second] = out();
        let probes = |number| vec![Deed::LeaseTaken(60_000), Deed::ProbeSent(A, number)];
        let tick = |by, version, at, deeds| appended(by, version, at, Command::Tick, deeds);
        // The cooldown is 100 ms: nothing is due yet.
        let facts = [first, second, tick(1, 4, 0, probes(1)), tick(2, 5, 99, probes(2))];
        check(&facts, Property::OneProber);
    }
}
