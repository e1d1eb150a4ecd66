//! Schedules of anything that goes on by small steps: every one of them, the one with the fewest steps, one that is
//! drawn, and one made shorter. What the steps are, and what must hold, is for a [`Scheduled`] to say.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Key;

/// Something at one point of a schedule: what can happen next, and making it happen.
pub trait Scheduled: Clone {
    /// A step.
    type Step: Clone + PartialEq;
    /// Something that did not hold.
    type Violation;

    /// Every step that can be taken now, in a fixed order; none where the schedule ends.
    fn steps(&self) -> Vec<Self::Step>;

    /// Takes a step that [`Scheduled::steps`] gave.
    fn take(&mut self, step: &Self::Step);

    /// What tells this state from every other with another future. Two states with one key must have the same steps
    /// before them, and the same violations.
    fn key(&self) -> Key;

    /// What does not hold here, if something does not.
    fn broken(&self) -> Option<Self::Violation>;

    /// What would not hold if the schedule ended here; nothing where it cannot end.
    fn broken_in_the_end(&self) -> Option<Self::Violation>;
}

/// A schedule that breaks something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<Step, Violation> {
    /// Its steps.
    pub schedule: Vec<Step>,
    /// What broke.
    pub violation: Violation,
}

/// What [`exhaust`] has gone through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted<Step, Violation> {
    /// Schedules from the beginning to an end, all different.
    pub schedules: u128,
    /// States, all different.
    pub states: u64,
    /// Steps taken between them.
    pub steps: u64,
    /// The first violation, with its schedule.
    pub found: Option<Found<Step, Violation>>,
    /// Whether it was stopped before it had gone through everything.
    pub stopped: bool,
}

/// A state on the way that is being gone through.
struct Pause<S: Scheduled> {
    state: S,
    key: Key,
    steps: std::vec::IntoIter<S::Step>,
    /// How many schedules lead on from here, as far as is known.
    schedules: u128,
}

/// Goes through every schedule from `beginning` on. States with the same key are gone on from once; the schedules through
/// them are counted all the same. Stops at the first violation, or when `more`, which is asked at every new state with how
/// many are behind, says no. `seen` is shown what every step leads to.
pub fn exhaust<S: Scheduled>(
    beginning: &S,
    mut more: impl FnMut(u64) -> bool,
    mut seen: impl FnMut(&S),
) -> Exhausted<S::Step, S::Violation> {
    let mut all = Exhausted { schedules: 0, states: 0, steps: 0, found: None, stopped: false };
    // How many schedules lead on from a state.
    let mut known: BTreeMap<Key, u128> = BTreeMap::new();
    // The way to the state at hand, and its steps. It is no recursion, for a schedule may be long.
    let mut way: Vec<Pause<S>> = Vec::new();
    let mut schedule: Vec<S::Step> = Vec::new();
    let mut at_hand = Some(beginning.clone());
    loop {
        // What is known of the state that the last of `schedule` leads to: how many schedules lead on from it.
        let mut leads_on = None;
        if let Some(state) = at_hand.take() {
            let key = state.key();
            leads_on = known.get(&key).copied();
            if leads_on.is_none() {
                if !more(all.states) {
                    all.stopped = true;
                    break;
                }
                all.states += 1;
                let steps = state.steps();
                let ends = steps.is_empty();
                if let Some(violation) = ends.then(|| state.broken_in_the_end()).flatten() {
                    all.found = Some(Found { schedule, violation });
                    break;
                }
                way.push(Pause { state, key, steps: steps.into_iter(), schedules: u128::from(ends) });
            }
        } else if let Some(Pause { key, schedules, .. }) = way.pop() {
            known.insert(key, schedules);
            leads_on = Some(schedules);
        }
        if let Some(schedules) = leads_on {
            schedule.pop();
            let sum = way.last_mut().map_or(&mut all.schedules, |pause| &mut pause.schedules);
            *sum = sum.saturating_add(schedules);
        }
        let Some(pause) = way.last_mut() else { break };
        let Some(step) = pause.steps.next() else { continue };
        let mut state = pause.state.clone();
        state.take(&step);
        schedule.push(step);
        all.steps += 1;
        seen(&state);
        if let Some(violation) = state.broken() {
            all.found = Some(Found { schedule, violation });
            break;
        }
        at_hand = Some(state);
    }
    // If it stopped on the way, those that were gone through count.
    all.schedules = way.iter().fold(all.schedules, |sum, pause| sum.saturating_add(pause.schedules));
    all
}

/// The schedule with the fewest steps that breaks something; the first of them in the order of [`Scheduled::steps`]. What
/// should hold in the end is asked wherever the schedule can end. Gives up after `states` states.
pub fn fewest<S: Scheduled>(beginning: &S, states: usize) -> Option<Found<S::Step, S::Violation>> {
    let mut known = BTreeSet::new();
    // Each state that was reached, as the place of the one before and the step from it.
    let mut trail: Vec<(usize, S::Step)> = Vec::new();
    known.insert(beginning.key());
    let mut frontier = vec![(usize::MAX, beginning.clone())];
    while !frontier.is_empty() && known.len() <= states {
        let mut further = Vec::new();
        for (place, state) in frontier {
            for step in state.steps() {
                let mut next = state.clone();
                next.take(&step);
                if let Some(violation) = next.broken().or_else(|| next.broken_in_the_end()) {
                    let mut schedule = vec![step];
                    let mut at = place;
                    while let Some((before, step)) = trail.get(at) {
                        schedule.push(step.clone());
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

/// One schedule, each step of which is drawn from those that can be taken, and what it leads to. `draw` gives `None` for
/// no steps.
pub fn run<S: Scheduled>(
    beginning: &S,
    mut draw: impl FnMut(&[S::Step]) -> Option<S::Step>,
    mut seen: impl FnMut(&S),
) -> (Vec<S::Step>, S) {
    let mut state = beginning.clone();
    let mut schedule = Vec::new();
    while let Some(step) = draw(&state.steps()) {
        state.take(&step);
        seen(&state);
        schedule.push(step);
    }
    (schedule, state)
}

/// Takes the steps of a schedule in order and leaves out those that cannot be taken. Gives the steps that were taken.
pub fn follow<S: Scheduled>(state: &mut S, schedule: &[S::Step]) -> Vec<S::Step> {
    let mut taken = Vec::new();
    for step in schedule {
        if state.steps().contains(step) {
            state.take(step);
            taken.push(step.clone());
        }
    }
    taken
}

/// Leaves steps out of `found` for as long as `breaks` finds it broken by what is left of its schedule. What is left may
/// still be longer than [`fewest`] would find.
pub fn without_steps<Step: Clone, Violation>(
    found: &mut Found<Step, Violation>,
    mut breaks: impl FnMut(&[Step]) -> Option<Found<Step, Violation>>,
) {
    let mut chunk = found.schedule.len() / 2;
    while chunk > 0 {
        let mut place = 0;
        while place < found.schedule.len() {
            let end = (place + chunk).min(found.schedule.len());
            let shorter = [&found.schedule[..place], &found.schedule[end..]].concat();
            match breaks(&shorter) {
                Some(shorter) => *found = shorter,
                None => place += chunk,
            }
        }
        chunk /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counters that are counted up to two, in any order; the pairs that are wrong.
    #[derive(Clone)]
    struct Counters([u64; 2], Vec<[u64; 2]>);

    impl Scheduled for Counters {
        type Step = usize;
        type Violation = [u64; 2];

        fn steps(&self) -> Vec<usize> {
            (0..2).filter(|counter| self.0[*counter] < 2).collect()
        }

        fn take(&mut self, step: &usize) {
            self.0[*step] += 1;
        }

        fn key(&self) -> Key {
            let mut key = Key::new();
            self.0.iter().for_each(|count| key.add(*count));
            key
        }

        fn broken(&self) -> Option<[u64; 2]> {
            self.1.contains(&self.0).then_some(self.0).filter(|wrong| *wrong != [2, 2])
        }

        fn broken_in_the_end(&self) -> Option<[u64; 2]> {
            self.1.contains(&self.0).then_some(self.0).filter(|wrong| *wrong == [2, 2])
        }
    }

    fn counters(wrong: &[[u64; 2]]) -> Counters {
        Counters([0, 0], wrong.to_vec())
    }

    #[test]
    fn every_schedule_is_counted_and_every_state_gone_on_from_once() {
        let mut seen = 0;
        let all = exhaust(&counters(&[]), |_| true, |_| seen += 1);
        assert_eq!((all.schedules, all.states, all.steps, seen), (6, 9, 12, 12));
        assert!(all.found.is_none() && !all.stopped);
    }

    #[test]
    fn it_stops_when_it_is_told_to() {
        let all = exhaust(&counters(&[]), |states| states < 4, |_| ());
        assert!(all.stopped && all.states == 4 && all.found.is_none());
    }

    #[test]
    fn what_is_wrong_is_found_on_the_way_and_at_the_end() {
        for wrong in [[1, 1], [2, 2]] {
            let found = exhaust(&counters(&[wrong]), |_| true, |_| ()).found.expect("it is found");
            assert_eq!(found.violation, wrong);
            let mut state = counters(&[wrong]);
            assert_eq!(follow(&mut state, &found.schedule), found.schedule);
            assert_eq!(state.0, wrong);
        }
    }

    #[test]
    fn the_fewest_steps_are_found_within_a_number_of_states() {
        let found = fewest(&counters(&[[0, 2], [1, 0]]), 100).expect("it is found");
        assert_eq!((found.schedule, found.violation), (vec![0], [1, 0]));
        assert_eq!(fewest(&counters(&[[2, 2]]), 2), None);
    }

    #[test]
    fn steps_that_are_not_needed_are_left_out() {
        let beginning = counters(&[[1, 1], [0, 2]]);
        let breaks = |schedule: &[usize]| {
            let mut state = beginning.clone();
            let schedule = follow(&mut state, schedule);
            state.broken().map(|violation| Found { schedule, violation })
        };
        let mut found = Found { schedule: vec![0, 1], violation: [1, 1] };
        without_steps(&mut found, breaks);
        assert_eq!(found.schedule, [0, 1], "none can be left out");
        let (schedule, end) = run(&counters(&[]), |steps| steps.last().copied(), |_| ());
        assert_eq!((schedule, end.0), (vec![1, 1, 0, 0], [2, 2]));
    }
}
