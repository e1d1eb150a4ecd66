//! `firedrill explore`: goes through the schedules of workers that share a pool. What is asked for stands here; going
//! through it is in `explore/search.rs`, and how it is told in `explore/human.rs` and `explore/json.rs`.

mod human;
mod json;
mod progress;
mod search;

use std::ops::RangeInclusive;

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use firedrill_sim::shape::{self, Fault, Shape};
use firedrill_sim::{Misread, Occasion, Property, Setting, Step, log, parse_schedule, reference};
use firedrill_yaml::{Place, Problem, Source};

use crate::args::{Format, TEMPLATE};
use crate::exit::{Ended, Error};
use crate::out::Out;
use crate::text::shell_word;

/// Try the orders in which the steps of several workers can fall
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE, before_help = "\
Workers that share a pool race each other: one decides while another appends, a \
reply is lost, a worker dies, a clock is wrong, the store forgets. From each seed a world is drawn, \
and the order in which the small steps of its workers fall; checkers watch every \
step. What breaks is made short and printed with the command that replays it.")]
#[command(after_help = "\
Examples:
  firedrill explore                        10,000 seeds
  firedrill explore --seeds 1000000 -q     for a pipeline
  firedrill explore --workers 4 --tokens 2 --faults deaths,clocks
  firedrill explore --seed 42 -v           one seed again, step by step
  firedrill explore --exhaustive --world 'tokens=ab: a429 tick | b429 select'
  firedrill explore --protocol reference   what a store with a key for each
                                           list does instead: it breaks

A world is rules, a colon, and the program of each worker with | between them.
Commands: a429 (token a is answered 429), select, tick, probe-a200 (the probe of
a is answered 200), reload-ab (a configuration with a and b), start, and by hand
out-a, in-a, reset-a. A word that is wrong is answered with those that can stand
there.

Exit code 1: a property broke, or something that had to be met never was, such
as a conflict, and so nothing is proved.")]
pub(crate) struct Args {
    /// How many seeds, from 0, or which: A..B (default 10000)
    #[arg(long, value_name = "SEEDS", value_parser = seeds, conflicts_with_all = ["seed", "exhaustive"])]
    seeds: Option<RangeInclusive<u64>>,

    /// This seed only
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Go through every schedule of one small world: of --world, or of the one that --seed draws
    #[arg(long)]
    exhaustive: bool,

    /// Fix how many workers the worlds have
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u8>::new().range(1..=100))]
    workers: Option<u8>,

    /// Fix how many tokens
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u8>::new().range(1..=25))]
    tokens: Option<u8>,

    /// Fix how many commands each worker has
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u8>::new().range(1..=100))]
    commands: Option<u8>,

    /// Let these faults happen only, by comma: lost-replies, deaths, clocks, away, forgets; or none
    #[arg(long, value_name = "LIST", value_parser = faults)]
    faults: Option<Faults>,

    /// Explore this world, and draw none
    #[arg(long, value_name = "WORLD", conflicts_with_all = ["workers", "tokens", "commands", "faults"])]
    world: Option<String>,

    /// Replay this schedule of --world
    #[arg(long, value_name = "STEPS", requires = "world", conflicts_with_all = ["seed", "seeds", "exhaustive"])]
    schedule: Option<String>,

    /// Watch these properties only, by comma, such as one-list,recovers
    #[arg(long, value_name = "LIST", value_parser = watch)]
    watch: Option<Watch>,

    /// How workers share state: log (ours, default), reference (known to break)
    #[arg(long, default_value = "log", hide_possible_values = true, hide_default_value = true)]
    protocol: Protocol,

    /// Give up an exhaustive search after so many states, at about 100 bytes each
    #[arg(long, value_name = "N", default_value = "1000000", requires = "exhaustive")]
    #[arg(value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000_000))]
    states: u64,

    /// How to print it: human (default), json
    #[arg(long, default_value = "human", hide_possible_values = true, hide_default_value = true)]
    format: Format,

    /// Print what broke and the summary only
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,

    /// Print the world and the steps of a single seed, whatever comes of it
    #[arg(long, short)]
    verbose: bool,
}

/// Which faults may happen.
#[derive(Clone, Debug)]
struct Faults(Vec<Fault>);

/// Which properties are watched.
#[derive(Clone, Debug)]
struct Watch(Vec<Property>);

/// How workers share state.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Log,
    Reference,
}

/// What to go through.
enum Plan {
    /// A schedule from each seed.
    Seeds(RangeInclusive<u64>),
    /// Every schedule of this world.
    Exhaust(Box<Setting>),
    /// One schedule of this world.
    Replay(Box<Setting>, Vec<Step>),
}

/// Where the worlds come from.
enum Worlds {
    Given(Box<Setting>),
    Drawn(Shape, Option<Watch>),
}

const SEEDS: RangeInclusive<u64> = 0..=9_999;

pub(crate) fn explore(args: &Args, out: &mut Out) -> Result<Ended, Error> {
    let worlds = match args.worlds() {
        Ok(worlds) => worlds,
        Err(misread) => return Ok(unreadable("--world", args.world.as_deref(), &misread, out)),
    };
    let plan = match args.plan(&worlds) {
        Ok(plan) => plan,
        Err(misread) => return Ok(unreadable("--schedule", args.schedule.as_deref(), &misread, out)),
    };
    let report = match args.protocol {
        Protocol::Log => search::search::<log::Shared>(args, &worlds, &plan)?,
        Protocol::Reference => search::search::<reference::Shared>(args, &worlds, &plan)?,
    };
    match args.format {
        Format::Human => human::print(args, &report, out),
        Format::Json => json::print(args, &report, out),
    }
    Ok(report.ended())
}

impl Args {
    fn worlds(&self) -> Result<Worlds, Misread> {
        let watch = self.watch.clone();
        if let Some(world) = &self.world {
            let mut setting: Setting = world.parse()?;
            if let Some(Watch(watch)) = watch {
                setting.watch = watch;
            }
            return Ok(Worlds::Given(Box::new(setting)));
        }
        // A world to be gone through is small unless it is asked to be larger.
        let small = |size: u8| self.exhaustive.then_some(size);
        let shape = Shape {
            workers: self.workers.or(small(2)),
            tokens: self.tokens.or(small(1)),
            commands: self.commands.or(small(3)),
            faults: self.faults.as_ref().map_or(Fault::ALL.to_vec(), |Faults(faults)| faults.clone()),
        };
        Ok(Worlds::Drawn(shape, watch))
    }

    fn plan(&self, worlds: &Worlds) -> Result<Plan, Misread> {
        if let (Some(schedule), Worlds::Given(setting)) = (&self.schedule, worlds) {
            return Ok(Plan::Replay(setting.clone(), parse_schedule(schedule)?));
        }
        if self.exhaustive {
            return Ok(Plan::Exhaust(Box::new(worlds.of(self.seed.unwrap_or_default()))));
        }
        let one = self.seed.map(|seed| seed..=seed);
        Ok(Plan::Seeds(one.or(self.seeds.clone()).unwrap_or(SEEDS)))
    }

    /// The command that draws the world of `seed` again and does with it what was done.
    fn again(&self, seed: Option<u64>) -> String {
        let mut words = vec!["firedrill explore".to_owned()];
        words.extend(seed.map(|seed| format!("--seed {seed}")));
        words.extend(self.exhaustive.then(|| "--exhaustive".to_owned()));
        let sizes = [("--workers", self.workers), ("--tokens", self.tokens), ("--commands", self.commands)];
        words.extend(sizes.into_iter().filter_map(|(option, size)| Some(format!("{option} {}", size?))));
        if let Some(Faults(faults)) = &self.faults {
            let names: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
            words
                .push(format!("--faults {}", if names.is_empty() { "none".into() } else { names.join(",") }));
        }
        words.extend(self.world.as_ref().map(|world| format!("--world {}", shell_word(world))));
        if let Some(Watch(watch)) = &self.watch {
            let names: Vec<&str> = watch.iter().map(|property| property.name()).collect();
            words.push(format!("--watch {}", names.join(",")));
        }
        words.extend(self.protocol.words());
        words.join(" ")
    }
}

impl Protocol {
    /// The option that chooses it, if it is not the default.
    fn words(self) -> Option<String> {
        (self == Self::Reference).then(|| "--protocol reference".to_owned())
    }
}

impl Worlds {
    /// The world of a seed.
    fn of(&self, seed: u64) -> Setting {
        match self {
            Self::Given(setting) => (**setting).clone(),
            Self::Drawn(shape, watch) => {
                let mut setting = shape.draw(seed);
                if let Some(Watch(watch)) = watch {
                    setting.watch.clone_from(watch);
                }
                setting
            }
        }
    }

    /// What must be met in many of these worlds, or nothing is proved. Some of it only our log knows.
    fn must(&self, protocol: Protocol) -> Vec<Occasion> {
        let must = match self {
            Self::Given(setting) => shape::must(setting),
            Self::Drawn(shape, _) => shape.must(),
        };
        must.into_iter().filter(|occasion| protocol == Protocol::Log || !occasion.is_of_logs()).collect()
    }
}

/// Tells why a text of the command line is no world or no schedule.
fn unreadable(option: &str, text: Option<&str>, misread: &Misread, out: &mut Out) -> Ended {
    let source = Source::new(option, text.unwrap_or_default());
    let Misread { message, place, hint } = misread;
    let problem = Problem::new(message).in_file(option).hint(hint);
    let problem = problem.at(Place::in_text(source.text(), place.start, place.end));
    let rendered = problem.render(Some(&source), out.color_of_problems());
    out.complain(&rendered);
    Ended::CouldNotRun
}

/// Reads `--seeds`.
fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |digits: &str| digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+'));
    let (from, to) = text.split_once("..").unwrap_or(("0", text));
    let range = number(from).zip(number(to).and_then(|to| to.checked_sub(1))).map(|(from, last)| from..=last);
    range
        .filter(|range| !range.is_empty())
        .ok_or_else(|| "expected how many, such as 1000, or which, such as 500..600".to_owned())
}

/// Reads `--faults`.
fn faults(text: &str) -> Result<Faults, String> {
    if text == "none" {
        return Ok(Faults(Vec::new()));
    }
    let fault = |name: &str| Fault::ALL.into_iter().find(|fault| fault.name() == name);
    let names = Fault::ALL.map(Fault::name);
    each(text, fault, &names).map(Faults).map_err(|error| format!("{error}; or none"))
}

/// Reads `--watch`.
fn watch(text: &str) -> Result<Watch, String> {
    let property = |name: &str| Property::ALL.into_iter().find(|property| property.name() == name);
    each(text, property, &Property::ALL.map(Property::name)).map(Watch)
}

/// What stands between commas, each of which must be a name.
fn each<T>(text: &str, named: impl Fn(&str) -> Option<T>, names: &[&str]) -> Result<Vec<T>, String> {
    let unknown =
        |name: &str| format!("expected names by comma, found `{name}`; names are {}", names.join(", "));
    text.split(',').map(|name| named(name).ok_or_else(|| unknown(name))).collect()
}
