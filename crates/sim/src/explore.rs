//! Every schedule of a world, each state once; and the shortest schedule that breaks a property.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Key;
use crate::met::Sometimes;
use crate::property::Violation;
use crate::protocol::Protocol;
use crate::setting::Setting;
use crate::world::{Step, World};

/// What an exploration has gone through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Schedules from the beginning to an end, all different.
    pub schedules: u128,
    /// States, all different.
    pub states: u64,
    /// Steps taken between them.
    pub steps: u64,
    /// What was met on those steps.
    pub met: Sometimes,
    /// The first violation, with its schedule.
    pub found: Option<Found>,
    /// Whether it was stopped before it had gone through everything.
    pub stopped: bool,
}

/// A schedule that breaks a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its steps.
    pub schedule: Vec<Step>,
    /// What broke.
    pub violation: Violation,
}

/// Goes through every schedule of the world of `setting`. States that are the same, however they were reached, are gone
/// on from once; the schedules through them are counted all the same. Stops at the first violation. Where the clocks have
/// nothing more to say and every worker is done, [`World::settle`] must find nothing.
pub fn exhaust<P: Protocol>(setting: &Setting) -> Explored {
    exhaust_while::<P>(setting, |_| true)
}

/// [`exhaust`] for as long as `more` says so; it is asked at every new state, with how many are behind. About 50 bytes are
/// kept of a state, and as many frames as the longest schedule has steps stand on the stack.
pub fn exhaust_while<P: Protocol>(setting: &Setting, more: impl FnMut(u64) -> bool) -> Explored {
    let mut search = Search { known: BTreeMap::new(), path: Vec::new(), explored: Explored::default(), more };
    let schedules = search.go_on(&World::<P>::new(setting));
    search.explored.schedules = schedules;
    search.explored.states = search.known.len() as u64;
    search.explored
}

struct Search<M> {
    /// How many schedules lead on from a state.
    known: BTreeMap<Key, u128>,
    path: Vec<Step>,
    explored: Explored,
    more: M,
}

impl<M: FnMut(u64) -> bool> Search<M> {
    fn go_on<P: Protocol>(&mut self, world: &World<P>) -> u128 {
        let key = world.key();
        if let Some(schedules) = self.known.get(&key) {
            return *schedules;
        }
        if !(self.more)(self.known.len() as u64) {
            self.explored.stopped = true;
            return 0;
        }
        let steps = world.steps();
        let mut schedules = 0u128;
        for step in &steps {
            let mut next = world.clone();
            next.met = Sometimes::default();
            next.take(*step);
            self.explored.steps += 1;
            self.explored.met.add(&next.met);
            self.path.push(*step);
            if let Some(violation) = next.broken() {
                self.found(violation.clone());
            } else {
                schedules = schedules.saturating_add(self.go_on(&next));
            }
            self.path.pop();
            if self.explored.found.is_some() || self.explored.stopped {
                return schedules;
            }
        }
        if steps.is_empty() {
            schedules = 1;
            if let Some(violation) = world.settle() {
                self.found(violation);
            }
        }
        self.known.insert(key, schedules);
        schedules
    }

    fn found(&mut self, violation: Violation) {
        if self.explored.found.is_none() {
            self.explored.found = Some(Found { schedule: self.path.clone(), violation });
        }
    }
}

/// The schedule with the fewest steps that breaks a watched property of the world of `setting`; the first of them in the
/// order of [`World::steps`]. What should be true in the end is asked wherever no command is at work. Gives up after
/// `states` states.
pub fn fewest<P: Protocol>(setting: &Setting, states: usize) -> Option<Found> {
    let mut known = BTreeSet::new();
    // Each state that was reached, as the place of the one before and the step from it.
    let mut trail: Vec<(usize, Step)> = Vec::new();
    let beginning = World::<P>::new(setting);
    known.insert(beginning.key());
    let mut frontier = vec![(usize::MAX, beginning)];
    while !frontier.is_empty() && known.len() <= states {
        let mut further = Vec::new();
        for (place, world) in frontier {
            for step in world.steps() {
                let mut next = world.clone();
                next.take(step);
                let ends = if next.is_quiet() { next.settle() } else { None };
                if let Some(violation) = next.broken().cloned().or(ends) {
                    let mut schedule = vec![step];
                    let mut at = place;
                    while let Some((before, step)) = trail.get(at) {
                        schedule.push(*step);
                        at = *before;
                    }
                    schedule.reverse();
                    return Some(Found { schedule, violation });
                }
                if known.insert(next.key()) {
                    trail.push((place, step));
                    further.push((trail.len() - 1, next));
                }
            }
        }
        frontier = further;
    }
    None
}
