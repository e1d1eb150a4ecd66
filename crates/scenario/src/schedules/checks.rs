//! What is asked in every state of a schedule, and in the end of it: of texts and of states in labels, by checkers that
//! use nothing of the engine.

use firedrill_failover::Newer;
use std::rc::Rc;

use super::Broken;
use super::at_once::AtOnce;
use crate::account::Wrong;
use crate::always::Invariant;
use crate::judge::judge;
use crate::target::{Effect, PoolState};

impl AtOnce {
    /// Asks the newest version of the log.
    pub(super) fn check_log(&mut self) {
        let wrong = self.folds[self.appended.len()].wrong.clone();
        self.breaks(wrong.map(Broken::Always));
    }

    /// Asks the fold of a worker.
    pub(super) fn check_fold(&mut self, place: usize) {
        let actor = &self.actors[place];
        let said = self.folds.get(self.heard(&actor.worker));
        let agrees = said.is_some_and(|fold| fold.pool == *actor.worker.pool());
        // A fold that is what the log says was checked when it was that.
        let wrong =
            if agrees { None } else { self.differs(actor.number, &PoolState::of(actor.worker.pool())) };
        self.actor(place).agrees = agrees;
        self.breaks(wrong.map(Broken::Always));
    }

    /// What is wrong with a fold that is not what the log says.
    fn differs(&self, number: u32, state: &PoolState) -> Option<Wrong> {
        let account = &self.folds[self.appended.len()].account;
        let lists = account.check_lists(&format!("worker {number}"), state);
        let said = self.folds.iter().find(|fold| fold.state.version == state.version);
        let same = said.is_some_and(|fold| fold.state == *state);
        let asked = self.fixed.always.contains(&Invariant::WorkersAgree);
        let seen = || format!("worker {number} knows otherwise than the log at version {}", state.version);
        lists
            .err()
            .or_else(|| (asked && !same).then(|| Wrong { invariant: Invariant::WorkersAgree, seen: seen() }))
    }

    /// What is expected where everything is done and every worker has heard everything, and is not so.
    pub(super) fn judged(&self) -> Option<Broken> {
        let mut end = self.clone();
        for place in 0..end.actors.len() {
            let heard = end.heard(&end.actors[place].worker);
            if let Some(newer) = self.appended.get(heard..).filter(|newer| !newer.is_empty()) {
                end.actor(place).worker.catch_up(&Newer::here(newer.to_vec()));
                end.check_fold(place);
            }
        }
        if let Some(broken) = end.broken {
            return Some(Broken::clone(&broken));
        }
        let last = self.fixed.expects.len().saturating_sub(1);
        let mut expects = self.fixed.expects.iter().enumerate();
        expects.find_map(|(item, expect)| {
            let expect = expect.as_ref()?;
            let mut effect = if item == last { Effect::clone(&self.told) } else { Effect::default() };
            let tasks = self.actors.iter().flat_map(|actor| &actor.tasks);
            for task in tasks.filter(|task| task.item == item) {
                effect.draws.extend(task.draws.iter().cloned());
                let answers = task.trip.iter().filter_map(|trip| trip.last.as_ref());
                answers.for_each(|answer| effect.answered(answer));
            }
            let state = expect.asks_of_the_pool().then(|| {
                let own = end.actors.iter().find(|actor| expect.worker == Some(actor.number));
                own.map_or_else(
                    || end.folds[end.appended.len()].state.clone(),
                    |actor| PoolState::of(actor.worker.pool()),
                )
            });
            let mismatches = judge(expect, &effect, state.as_ref());
            (!mismatches.is_empty()).then_some(Broken::Expected(expect.place, mismatches))
        })
    }

    fn breaks(&mut self, broken: Option<Broken>) {
        if self.broken.is_none() {
            self.broken = broken.map(Rc::new);
        }
    }
}
