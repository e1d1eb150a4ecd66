//! What must be true in the end: faults stop, every command that is at work ends, the cooldown passes, every worker
//! ticks, and then all is well or it is said what is not.

use crate::command::Command;
use crate::property::{Property, Violation};
use crate::protocol::{Move, Protocol};
use crate::world::World;

impl<P: Protocol> World<P> {
    /// What is still wrong once faults have stopped and everything had its time; nothing if this is not watched. The
    /// world itself stays where it is. Commands of the programs that were not begun are left out.
    pub fn settle(&self) -> Option<Violation> {
        let eventually = [Property::Recovers, Property::NothingLost, Property::ReportsKept];
        if !eventually.into_iter().any(|property| self.watches(property)) {
            return None;
        }
        let mut world = self.clone();
        let alive: Vec<usize> =
            (0..world.places.len()).filter(|worker| !world.places[*worker].dead).collect();
        world.set_away(false);
        // Who hears of another log proposes again what was lost with the last.
        for _ in 0..=alive.len() {
            for worker in &alive {
                world.end(*worker);
                world.read(*worker);
                world.end(*worker);
            }
        }
        // As long as the cooldown and what the clocks disagree by, and no longer: the first tick must do.
        world.now += world.setting.cooldown + world.disagreement();
        for worker in &alive {
            world.read(*worker);
            world.places[*worker].taken = usize::MAX - 1;
            world.make(*worker, Move::Begin, Some(&Command::Tick), false);
            world.end(*worker);
            if let Some(late) = world.late(&alive) {
                return Some(Violation::new(Property::Recovers, late));
            }
        }
        for worker in &alive {
            world.read(*worker);
        }
        if let Some(violation) = world.broken() {
            return Some(violation.clone());
        }
        let lost = || world.lost().map(|seen| Violation::new(Property::NothingLost, seen));
        let unsettled = || world.unsettled(&alive).map(|seen| Violation::new(Property::Recovers, seen));
        let watched = |violation: &Violation| self.watches(violation.property);
        let missing = || world.missing(&alive).map(|seen| Violation::new(Property::ReportsKept, seen));
        lost().filter(watched).or_else(|| unsettled().filter(watched)).or_else(|| missing().filter(watched))
    }

    /// The worker ends the command that it is at.
    fn end(&mut self, worker: usize) {
        // A command that never ends would be a defect of the protocol; it is found below as a worker that is busy.
        for _ in 0..10_000 {
            let made = match (self.protocol.is_busy(worker), self.protocol.owes(worker)) {
                (true, _) => Move::GoOn,
                (false, true) => Move::Again,
                (false, false) => return,
            };
            self.make(worker, made, None, false);
        }
    }

    fn read(&mut self, worker: usize) {
        if self.protocol.moves(worker, None).contains(&Move::Read) {
            self.make(worker, Move::Read, None, false);
        }
    }

    fn lost(&self) -> Option<String> {
        let view = self.view();
        let lost = self.configured().iter().find(|token| view.listings(**token) != 1)?;
        Some(format!("{lost} is listed {} times: {view}", view.listings(*lost)))
    }

    fn unsettled(&self, alive: &[usize]) -> Option<String> {
        if let Some(worker) = alive.iter().find(|worker| self.protocol.is_busy(**worker)) {
            return Some(format!("worker {} never ends its command", worker + 1));
        }
        let view = self.view();
        for worker in alive {
            if let Some(fold) = self.protocol.fold(*worker).filter(|fold| fold != view) {
                return Some(format!("worker {} has {fold}, and the log {view}", worker + 1));
            }
        }
        self.late(alive)
    }

    /// What has not come back.
    fn late(&self, alive: &[usize]) -> Option<String> {
        if alive.is_empty() || self.setting.cooldown == 0 || !self.watches(Property::Recovers) {
            return None;
        }
        let view = self.view();
        let lost: Vec<String> = self
            .configured()
            .iter()
            .filter(|token| !view.available.contains(token))
            .map(ToString::to_string)
            .collect();
        (!lost.is_empty()).then(|| format!("{} never comes back: {view}", lost.join(", ")))
    }
}
