//! Going through what was asked for, with progress and Ctrl-C, until it is done or something breaks.

use std::ops::RangeInclusive;

use firedrill_sim::explore::{Found, exhaust_while};
use firedrill_sim::shape::must;
use firedrill_sim::shrink::shrink;
use firedrill_sim::{
    Occasion, Protocol, Setting, Sometimes, Step, Told, Untaken, World, random, schedule_words,
};
use firedrill_yaml::Problem;

use super::progress::Progress;
use super::{Args, Plan, Worlds};
use crate::exit::Ended;
use crate::interrupt::Interrupt;
use crate::text::shell_word;

/// Longer programs have more schedules than anyone waits for, and each is a path that is walked down to its end.
const MOST_COMMANDS: usize = 40;

/// What came of it.
#[derive(Default)]
pub(super) struct Report {
    pub(super) through: Through,
    pub(super) met: Sometimes,
    /// What had to be met and was not, in an exploration that came to its end.
    pub(super) vacuous: Vec<Occasion>,
    pub(super) broken: Option<Broken>,
    /// The one run that there was.
    pub(super) single: Option<Single>,
    pub(super) interrupted: bool,
    /// The number of states at which it was given up.
    pub(super) given_up: Option<u64>,
}

/// What was gone through.
#[derive(Default)]
pub(super) struct Through {
    /// Runs, each from the beginning to an end.
    pub(super) runs: u64,
    pub(super) steps: u64,
    /// Every schedule, and every state, if it was exhaustive.
    pub(super) every: Option<(u128, u64)>,
}

/// A world and a schedule in words.
pub(super) struct Single {
    pub(super) world: String,
    pub(super) told: Told,
}

/// A property that broke, with the shortest way to it that was found.
pub(super) struct Broken {
    pub(super) seed: Option<u64>,
    /// How many steps the schedule had at first.
    pub(super) found_in: usize,
    pub(super) single: Single,
    pub(super) schedule: String,
    /// The command that finds it again; `None` if it was replayed.
    pub(super) again: Option<String>,
    /// The command that replays the schedule.
    pub(super) replay: String,
}

pub(super) fn search<P: Protocol>(args: &Args, worlds: &Worlds, plan: &Plan) -> Result<Report, Problem> {
    match plan {
        Plan::Seeds(seeds) => Ok(draw::<P>(args, worlds, seeds.clone())),
        Plan::Exhaust(setting) => exhaust::<P>(args, setting),
        Plan::Replay(setting, schedule) => replay::<P>(args, setting, schedule),
    }
}

/// A schedule from each seed.
fn draw<P: Protocol>(args: &Args, worlds: &Worlds, seeds: RangeInclusive<u64>) -> Report {
    let interrupt = Interrupt::listen();
    let further = seeds.end() - seeds.start();
    let progress = Progress::of_runs(further.saturating_add(1));
    let several = further > 0;
    let mut report = Report::default();
    for seed in seeds {
        if interrupt.heard() {
            report.interrupted = true;
            break;
        }
        let setting = worlds.of(seed);
        let ran = random::runs::<P>(&setting, [seed]);
        report.through.runs += 1;
        report.through.steps += ran.steps;
        report.met.add(&ran.met);
        progress.at(report.through.runs);
        if let Some((_, found)) = ran.found {
            report.broken = Some(Broken::new::<P>(args, Some(seed), &setting, &found));
            break;
        }
        if !several && args.verbose {
            let (schedule, _) = random::run::<P>(&setting, seed);
            report.single = Some(Single::new::<P>(&setting, &schedule));
        }
    }
    let to_its_end = several && !report.interrupted && report.broken.is_none();
    report.vacuous = if to_its_end { report.never(&worlds.must(args.protocol)) } else { Vec::new() };
    report
}

/// Every schedule of a world.
fn exhaust<P: Protocol>(args: &Args, setting: &Setting) -> Result<Report, Problem> {
    let commands: usize = setting.programs.iter().map(Vec::len).sum();
    if commands > MOST_COMMANDS {
        let message =
            format!("this world has {commands} commands, and --exhaustive takes {MOST_COMMANDS} at most");
        return Err(Problem::new(message).hint("--seeds draws schedules of larger worlds"));
    }
    let interrupt = Interrupt::listen();
    let progress = Progress::of_states();
    let mut given_up = false;
    let more = |states| {
        progress.at(states);
        given_up = states >= args.states;
        !given_up && !interrupt.heard()
    };
    let explored = exhaust_while::<P>(setting, more);
    drop(progress);
    let mut report = Report {
        through: Through {
            runs: 0,
            steps: explored.steps,
            every: Some((explored.schedules, explored.states)),
        },
        met: explored.met,
        interrupted: explored.stopped && !given_up,
        given_up: given_up.then_some(args.states),
        ..Report::default()
    };
    if let Some(found) = &explored.found {
        let seed = args.world.is_none().then_some(args.seed.unwrap_or_default());
        report.broken = Some(Broken::new::<P>(args, seed, setting, found));
    } else if !explored.stopped {
        report.vacuous = report.never(&must(setting));
    }
    Ok(report)
}

/// One schedule, step by step.
fn replay<P: Protocol>(args: &Args, setting: &Setting, schedule: &[Step]) -> Result<Report, Problem> {
    let mut world = World::<P>::new(setting);
    if let Err(Untaken { place, open }) = world.retake(schedule) {
        let problem = Problem::new(format!(
            "step {} of the schedule, `{}`, cannot be taken",
            place + 1,
            schedule[place]
        ));
        return Err(match &*open {
            [] if world.broken().is_some() => {
                problem.hint("a property is broken before it; leave out the rest")
            }
            [] => problem.hint("nothing is left to do before it; leave out the rest"),
            open => problem.hint(format!("these can: {}", schedule_words(open))),
        });
    }
    let through = Through { runs: 1, steps: schedule.len() as u64, every: None };
    let mut report = Report { through, met: world.met(), ..Report::default() };
    let single = Single::new::<P>(setting, schedule);
    if single.told.violation.is_some() {
        report.broken = Some(Broken::told(args, setting, schedule, single));
    } else {
        report.single = Some(single);
    }
    Ok(report)
}

impl Report {
    pub(super) fn ended(&self) -> Ended {
        if self.broken.is_some() {
            Ended::Failed
        } else if self.interrupted {
            Ended::Interrupted
        } else if self.given_up.is_some() {
            Ended::CouldNotRun
        } else if self.vacuous.is_empty() {
            Ended::Well
        } else {
            Ended::Failed
        }
    }

    fn never(&self, must: &[Occasion]) -> Vec<Occasion> {
        must.iter().copied().filter(|occasion| self.met.count(*occasion) == 0).collect()
    }
}

impl Single {
    fn new<P: Protocol>(setting: &Setting, schedule: &[Step]) -> Self {
        Self { world: setting.to_string(), told: World::<P>::told(setting, schedule) }
    }
}

impl Broken {
    /// What was found, made short.
    fn new<P: Protocol>(args: &Args, seed: Option<u64>, setting: &Setting, found: &Found) -> Self {
        let least = shrink::<P>(setting, found);
        let single = Single::new::<P>(&least.setting, &least.found.schedule);
        let seeded = args.world.is_none() || !args.exhaustive;
        Self {
            found_in: found.schedule.len(),
            again: Some(args.again(seed.filter(|_| seeded))),
            seed,
            ..Self::told(args, &least.setting, &least.found.schedule, single)
        }
    }

    /// What was replayed.
    fn told(args: &Args, setting: &Setting, schedule: &[Step], single: Single) -> Self {
        let schedule_in_words = schedule_words(schedule);
        let mut replay = vec!["firedrill explore".to_owned()];
        replay.extend(args.protocol.words());
        replay.push(format!("--world {}", shell_word(&setting.to_string())));
        replay.push(format!("--schedule {}", shell_word(&schedule_in_words)));
        Self {
            seed: None,
            found_in: schedule.len(),
            single,
            schedule: schedule_in_words,
            again: None,
            replay: replay.join(" "),
        }
    }
}
