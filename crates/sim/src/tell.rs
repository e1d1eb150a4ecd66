//! Schedules taken again: as far as they go, or exactly; and told as a list of steps that a person can read.

use core::fmt::Write as _;

use crate::property::Violation;
use crate::protocol::Protocol;
use crate::setting::Setting;
use crate::world::{Step, World};

/// A step of a schedule that cannot be taken where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untaken {
    /// Its place in the schedule, from 0.
    pub place: usize,
    /// The steps that can be taken there; none if a property is broken already, or nothing is left to do.
    pub open: Vec<Step>,
}

/// A schedule in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What each step did.
    pub lines: Vec<String>,
    /// Whether faults stopped after the last step and everything was given its time, as [`World::settle`] does.
    pub settled: bool,
    /// The property that breaks at its end, if one does.
    pub violation: Option<Violation>,
}

impl<P: Protocol> World<P> {
    /// Takes every step of a schedule.
    ///
    /// # Errors
    /// The first step that cannot be taken.
    pub fn retake(&mut self, schedule: &[Step]) -> Result<(), Untaken> {
        for (place, step) in schedule.iter().enumerate() {
            let open = self.steps();
            if !open.contains(step) {
                return Err(Untaken { place, open });
            }
            self.take(*step);
        }
        Ok(())
    }

    /// What a schedule does, step by step, and the property that breaks at its end. If none breaks on the way, faults are
    /// stopped at its end and the property is one of [`World::settle`]'s. The steps must be those of
    /// [`World::steps`], one after the other.
    pub fn told(setting: &Setting, schedule: &[Step]) -> Told {
        let mut world = Self::new(setting);
        let lines = schedule.iter().map(|step| world.step(*step, true)).collect();
        let broken = world.broken().cloned();
        let settled = broken.is_none();
        Told { lines, settled, violation: broken.or_else(|| world.settle()) }
    }

    /// [`World::told`] as text.
    pub fn tell(setting: &Setting, schedule: &[Step]) -> String {
        let Told { lines, settled, violation } = Self::told(setting, schedule);
        let mut told = String::new();
        for (number, line) in lines.iter().enumerate() {
            // Writing to a string does not fail.
            let _ = writeln!(told, "{:3}. {line}", number + 1);
        }
        if settled {
            told.push_str("     faults stop, every command ends, the cooldown passes, every worker ticks\n");
        }
        if let Some(violation) = violation {
            let _ = writeln!(told, "broken: {violation}");
        }
        told
    }
}
