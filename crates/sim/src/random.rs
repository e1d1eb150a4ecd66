//! Schedules drawn from a seed, for worlds too large to be gone through; and making what they find shorter.

use firedrill_failover::Random;

use crate::command::{Command, Token};
use crate::explore::{Found, Sometimes};
use crate::property::{Property, Violation};
use crate::protocol::{Move, Protocol};
use crate::schedule;
use crate::setting::{Faults, Setting};
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
        let (schedule, world) = draw_a_run::<P>(setting, seed, |world| ran.met.add(&world.met));
        ran.runs += 1;
        ran.steps += schedule.len() as u64;
        if let Some(violation) = world.broken().cloned().or_else(|| world.settle()) {
            ran.found = Some((seed, Found { schedule, violation }));
            break;
        }
    }
    ran
}

/// One run: the schedule that `seed` draws, and the world at its end.
pub fn run<P: Protocol>(setting: &Setting, seed: u64) -> (Vec<Step>, World<P>) {
    draw_a_run(setting, seed, |_| ())
}

fn draw_a_run<P: Protocol>(
    setting: &Setting,
    seed: u64,
    watch: impl FnMut(&World<P>),
) -> (Vec<Step>, World<P>) {
    let mut random = Random::new(seed, 1);
    schedule::run(&World::<P>::new(setting), |steps| draw(&mut random, steps), watch)
}

fn draw(random: &mut Random, steps: &[Step]) -> Option<Step> {
    let (own, rest): (Vec<Step>, Vec<Step>) =
        steps.iter().copied().partition(|step| matches!(step, Step::Worker(_, made) if *made != Move::Lose));
    let from = if own.is_empty() || (!rest.is_empty() && random.below(6) == 0) { rest } else { own };
    let drawn = random.below(u32::try_from(from.len()).ok().filter(|len| *len > 0)?);
    from.get(drawn as usize).copied()
}

/// A world that breaks a property, made as small as it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The world, with the commands that it takes.
    pub setting: Setting,
    /// The schedule, with the steps that it takes, and what breaks at its end.
    pub found: Found,
}

/// Leaves out commands and steps for as long as the same property breaks. What is left may still be longer than
/// [`crate::explore::fewest`] would find.
pub fn shrink<P: Protocol>(setting: &Setting, found: &Found) -> Shrunk {
    let property = found.violation.property;
    let mut least = Shrunk { setting: setting.clone(), found: found.clone() };
    loop {
        let before = least.clone();
        without_commands::<P>(&mut least, property);
        without_steps::<P>(&mut least, property);
        if least == before {
            return least;
        }
    }
}

fn without_commands<P: Protocol>(least: &mut Shrunk, property: Property) {
    for worker in 0..least.setting.programs.len() {
        for place in (0..least.setting.programs[worker].len()).rev() {
            let mut setting = least.setting.clone();
            setting.programs[worker].remove(place);
            if let Some(found) = breaks::<P>(&setting, &least.found.schedule, property) {
                *least = Shrunk { setting, found };
            }
        }
    }
}

fn without_steps<P: Protocol>(least: &mut Shrunk, property: Property) {
    let Shrunk { setting, found } = least;
    schedule::without_steps(found, |shorter| breaks::<P>(setting, shorter, property));
}

/// Whether `property` breaks in what can be taken of `schedule`, or after it.
fn breaks<P: Protocol>(setting: &Setting, schedule: &[Step], property: Property) -> Option<Found> {
    let mut world = World::<P>::new(setting);
    let schedule = schedule::follow(&mut world, schedule);
    let same = |violation: &Violation| violation.property == property;
    let violation = world.broken().cloned().or_else(|| world.settle()).filter(same)?;
    Some(Found { schedule, violation })
}

/// A world drawn from a seed: two to four workers, one to three tokens, programs of three to six commands, clocks that
/// disagree by up to five seconds in half of the worlds, and faults.
pub fn setting(seed: u64) -> Setting {
    let mut random = Random::new(seed, 0);
    let tokens = random.below(3) + 1;
    let workers = random.below(3) + 2;
    let apart = random.below(2) == 0;
    // A token that is dropped stays dropped, so a world has starts or a new configuration.
    let starts = random.below(2) == 0;
    let mut programs: Vec<Vec<Command>> = Vec::new();
    for _ in 0..workers {
        let commands = random.below(4) + 3;
        programs.push((0..commands).map(|_| command(&mut random, tokens, starts)).collect());
    }
    let health_check = random.below(2) == 0;
    let cooldowns = if apart { [8_000, 20_000] } else { [100, 1_000] };
    let cooldown = cooldowns[random.below(2) as usize];
    let mut moments: Vec<u64> =
        [50, 100, 1_000, 5_000, 8_000, 20_000, 59_999, 60_000, 61_000].into_iter().collect();
    moments.retain(|_| random.below(4) > 0);
    let ahead =
        (0..workers).map(|_| if apart { i64::from(random.below(10_001)) - 5_000 } else { 0 }).collect();
    Setting {
        failure_threshold: random.below(3) + 1,
        success_threshold: random.below(2) + 1,
        cooldown: if health_check && random.below(2) == 0 { 0 } else { cooldown },
        health_check,
        moments,
        ahead,
        faults: Faults { lost_replies: random.below(4), deaths: random.below(2) },
        ..Setting::new(u8::try_from(tokens).unwrap_or(1), programs)
    }
}

fn command(random: &mut Random, tokens: u32, starts: bool) -> Command {
    let token = Token(u8::try_from(random.below(tokens)).unwrap_or_default());
    match random.below(20) {
        0..7 => Command::Outcome(token, 429),
        7 => Command::Outcome(token, 200),
        8 => Command::Outcome(token, 302),
        9 => Command::Select,
        10..16 => Command::Tick,
        16 | 17 => Command::ProbeAnswered(token, 200),
        18 => Command::ProbeAnswered(token, 503),
        _ if starts => Command::Start,
        // The first token is dropped and another comes.
        _ => Command::Reconfigure(
            (1..=tokens).filter_map(|place| u8::try_from(place).ok()).map(Token).collect(),
        ),
    }
}
