//! Every schedule of a world, each state once; and the shortest schedule that breaks a property.

use crate::key::Key;
use crate::property::Violation;
use crate::protocol::{Deed, Fact, Protocol};
use crate::schedule::{self, Exhausted, Scheduled};
use crate::setting::Setting;
use crate::world::{Step, World};
use core::fmt;

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

    /// A schedule may end wherever no command is at work.
    fn broken_in_the_end(&self) -> Option<Violation> {
        if self.is_quiet() { self.settle() } else { None }
    }
}

/// Goes through every schedule of the world of `setting`. States that are the same, however they were reached, are gone
/// on from once; the schedules through them are counted all the same. Stops at the first violation. Where the clocks have
/// nothing more to say and every worker is done, [`World::settle`] must find nothing.
pub fn exhaust<P: Protocol>(setting: &Setting) -> Explored {
    let mut met = Sometimes::default();
    let Exhausted { schedules, states, steps, found, .. } =
        schedule::exhaust(&World::<P>::new(setting), |_| true, |world| met.add(&world.met));
    Explored { schedules, states, steps, met, found }
}

/// The schedule with the fewest steps that breaks a watched property of the world of `setting`; the first of them in the
/// order of [`World::steps`]. What should be true in the end is asked wherever no command is at work. Gives up after
/// `states` states.
pub fn fewest<P: Protocol>(setting: &Setting, states: usize) -> Option<Found> {
    schedule::fewest(&World::<P>::new(setting), states)
}
