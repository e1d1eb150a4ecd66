//! Every schedule of a world, each state once; and the shortest schedule that breaks a property.

use crate::key::Key;
use crate::met::Sometimes;
use crate::property::Violation;
use crate::protocol::Protocol;
use crate::schedule::{self, Exhausted, Scheduled};
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
pub type Found = schedule::Found<Step, Violation>;

impl<P: Protocol> Scheduled for World<P> {
    type Step = Step;
    type Violation = Violation;

    fn steps(&self) -> Vec<Step> {
        self.steps()
    }

    /// What is met is that of this step alone afterwards.
    fn take(&mut self, step: &Step) {
        self.met = Sometimes::default();
        self.take(*step);
    }

    fn key(&self) -> Key {
        self.key()
    }

    fn broken(&self) -> Option<Violation> {
        self.broken().cloned()
    }

    /// A schedule may end wherever no command is at work, and does where nothing can happen.
    fn broken_in_the_end(&self) -> Option<Violation> {
        if self.is_quiet() || self.steps().is_empty() { self.settle() } else { None }
    }
}

/// Goes through every schedule of the world of `setting`. States that are the same, however they were reached, are gone
/// on from once; the schedules through them are counted all the same. Stops at the first violation. Where the clocks have
/// nothing more to say and every worker is done, [`World::settle`] must find nothing.
pub fn exhaust<P: Protocol>(setting: &Setting) -> Explored {
    exhaust_while::<P>(setting, |_| true)
}

/// [`exhaust`] for as long as `more` says so; it is asked at every new state, with how many are behind. About 50 bytes are
/// kept of a state.
pub fn exhaust_while<P: Protocol>(setting: &Setting, more: impl FnMut(u64) -> bool) -> Explored {
    let mut met = Sometimes::default();
    let Exhausted { schedules, states, steps, found, stopped } =
        schedule::exhaust(&World::<P>::new(setting), more, |world| met.add(&world.met));
    Explored { schedules, states, steps, met, found, stopped }
}

/// The schedule with the fewest steps that breaks a watched property of the world of `setting`; the first of them in the
/// order of [`World::steps`]. What should be true in the end is asked wherever no command is at work. Gives up after
/// `states` states.
pub fn fewest<P: Protocol>(setting: &Setting, states: usize) -> Option<Found> {
    schedule::fewest(&World::<P>::new(setting), states)
}
