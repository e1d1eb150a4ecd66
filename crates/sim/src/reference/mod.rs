//! The reference's way of sharing state, to be explored: a canary, and no part of the product.
//!
//! State is a handful of keys in a shared store, each with its own version. Every change reads one key, works out its new
//! value and writes it if the version is still the one that was read; ten tries, and then the change is given up. Nothing
//! ties the writes of two keys together, and counts are compared as they were read before. The endpoint of the last
//! removal is left out, for it decides nothing about the lists; so are writes that would change nothing.

mod store;
mod task;

use std::fmt::Write as _;
use std::rc::Rc;

use crate::audit::Audit;
use crate::command::{Command, Token};
use crate::key::Key;
use crate::protocol::{Making, Move, Protocol};
use crate::setting::Setting;
use crate::view::View;

use store::{Store, Value};
use task::Task;

/// The reference's workers and their store, at one point of a schedule.
#[derive(Clone, Debug)]
pub struct Shared {
    store: Store,
    actors: Vec<Rc<Actor>>,
}

/// A worker with what it is at.
#[derive(Clone, Debug)]
struct Actor {
    /// The probes that it has out, oldest first.
    probes: Vec<Token>,
    task: Option<Task>,
}

impl Protocol for Shared {
    fn new(setting: &Setting) -> Self {
        let actor = Rc::new(Actor { probes: Vec::new(), task: None });
        Self { store: Store::new(&setting.tokens), actors: vec![actor; setting.programs.len()] }
    }

    fn moves(&self, worker: usize, next: Option<&Command>) -> Vec<Move> {
        match (&self.actors[worker].task, next) {
            (Some(_), _) => vec![Move::GoOn],
            (None, Some(_)) => vec![Move::Begin],
            (None, None) => Vec::new(),
        }
    }

    fn make(&mut self, setting: &Setting, worker: usize, made: Move, making: &mut Making<'_>) {
        let actor = Rc::make_mut(&mut self.actors[worker]);
        if let (Move::Begin, Some(command)) = (made, making.next) {
            actor.task = Task::new(setting, command, &mut actor.probes);
        }
        let Some(task) = &mut actor.task else {
            making.say(|| "nothing to do".into());
            return;
        };
        task.go_on(setting, worker, &mut self.store, &mut actor.probes, making);
        if task.is_done() {
            actor.task = None;
        }
    }

    fn is_busy(&self, worker: usize) -> bool {
        self.actors[worker].task.is_some()
    }

    fn view(&self) -> Rc<View> {
        Rc::new(self.store.view())
    }

    fn fold(&self, _: usize) -> Option<View> {
        None
    }

    fn key(&self, _: &Audit, key: &mut Key) {
        // Writing to a key does not fail.
        let _ = write!(key, "{:?}", self.store.values());
        for actor in &self.actors {
            key.add_tokens(&actor.probes);
            match &actor.task {
                Some(task) => task.key(&self.store, key),
                None => key.add(0),
            }
        }
    }
}
