//! Every schedule of a world, each state once; and the shortest schedule that breaks a property.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use crate::key::Key;
use crate::property::Violation;
use crate::protocol::{Deed, Fact, Protocol};
use crate::setting::Setting;
use crate::world::{Step, World};

/// How often things were met that must be met, or the exploration proves nothing.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Sometimes {
    /// Appends that were refused.
    pub conflicts: u64,
    /// Leases taken by another worker than the last holder.
    pub leases_changed: u64,
    /// Requests that drew a fallback.
    pub fallbacks: u64,
    /// Replies that were lost.
    pub lost_replies: u64,
    /// Workers that died.
    pub deaths: u64,
    /// Tokens that came back.
    pub returns: u64,
}

impl Sometimes {
    pub(crate) fn hear(&mut self, fact: &Fact, lease: Option<(u64, u64)>) {
        match fact {
            Fact::Conflict => self.conflicts += 1,
            Fact::Fallback => self.fallbacks += 1,
            Fact::Appended { by, deeds, .. } => {
                for deed in deeds {
                    match deed {
                        Deed::LeaseTaken(_) if lease.is_some_and(|(holder, _)| holder != *by) => {
                            self.leases_changed += 1;
                        }
                        Deed::CooledDown(_) | Deed::Healthy(..) => self.returns += 1,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// What was never met, in words.
    pub fn never(&self) -> Vec<&'static str> {
        [
            (self.conflicts, "a conflict"),
            (self.leases_changed, "a lease that changes hands"),
            (self.fallbacks, "a fallback"),
            (self.lost_replies, "a lost reply"),
            (self.deaths, "a death"),
            (self.returns, "a return"),
        ]
        .into_iter()
        .filter_map(|(times, what)| (times == 0).then_some(what))
        .collect()
    }

    /// Adds what was met elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.conflicts += other.conflicts;
        self.leases_changed += other.leases_changed;
        self.fallbacks += other.fallbacks;
        self.lost_replies += other.lost_replies;
        self.deaths += other.deaths;
        self.returns += other.returns;
    }
}

/// How often each was met, one line.
impl fmt::Display for Sometimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conflicts, leases_changed, fallbacks, lost_replies, deaths, returns } = self;
        write!(
            f,
            "conflicts {conflicts}, leases that changed hands {leases_changed}, fallbacks {fallbacks}, \
             lost replies {lost_replies}, deaths {deaths}, returns {returns}"
        )
    }
}

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
    let mut search = Search { known: BTreeMap::new(), path: Vec::new(), explored: Explored::default() };
    let schedules = search.go_on(&World::<P>::new(setting));
    search.explored.schedules = schedules;
    search.explored.states = search.known.len() as u64;
    search.explored
}

struct Search {
    /// How many schedules lead on from a state.
    known: BTreeMap<Key, u128>,
    path: Vec<Step>,
    explored: Explored,
}

impl Search {
    fn go_on<P: Protocol>(&mut self, world: &World<P>) -> u128 {
        let key = world.key();
        if let Some(schedules) = self.known.get(&key) {
            return *schedules;
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
            if self.explored.found.is_some() {
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
