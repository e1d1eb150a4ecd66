//! Schedules drawn from a seed, for worlds too large to be gone through.

use firedrill_failover::Random;

use crate::explore::Found;
use crate::met::Sometimes;
use crate::protocol::{Move, Protocol};
use crate::setting::Setting;
use crate::world::{Step, World};

/// What a number of runs has gone through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Runs, each from the beginning to an end.
    pub runs: u64,
    /// Steps taken.
    pub steps: u64,
    /// What was met.
    pub met: Sometimes,
    /// The first run that broke a property: its seed and its schedule.
    pub found: Option<(u64, Found)>,
}

/// Runs the world of `setting` once for each seed, until one breaks a property. Faults and the clock are drawn less often
/// than the workers' own steps.
pub fn runs<P: Protocol>(setting: &Setting, seeds: impl IntoIterator<Item = u64>) -> Ran {
    let mut ran = Ran::default();
    for seed in seeds {
        let (schedule, world) = run::<P>(setting, seed);
        ran.runs += 1;
        ran.steps += schedule.len() as u64;
        ran.met.add(&world.met);
        if let Some(violation) = world.broken().cloned().or_else(|| world.settle()) {
            ran.found = Some((seed, Found { schedule, violation }));
            break;
        }
    }
    ran
}

/// One run: the schedule that `seed` draws, and the world at its end.
pub fn run<P: Protocol>(setting: &Setting, seed: u64) -> (Vec<Step>, World<P>) {
    let mut random = Random::new(seed, 1);
    let mut world = World::<P>::new(setting);
    let mut schedule = Vec::new();
    loop {
        let steps = world.steps();
        let Some(step) = draw(&mut random, &steps) else { return (schedule, world) };
        world.take(step);
        schedule.push(step);
    }
}

fn draw(random: &mut Random, steps: &[Step]) -> Option<Step> {
    let (own, rest): (Vec<Step>, Vec<Step>) =
        steps.iter().copied().partition(|step| matches!(step, Step::Worker(_, made) if *made != Move::Lose));
    let from = if own.is_empty() || (!rest.is_empty() && random.below(6) == 0) { rest } else { own };
    let drawn = random.below(u32::try_from(from.len()).ok().filter(|len| *len > 0)?);
    from.get(drawn as usize).copied()
}
