//! Schedules from seeds: ours holds in a fixed number of random worlds with faults, the canary's defects are found and
//! made short, and one seed gives one run.

use std::num::NonZero;

use firedrill_sim::explore::exhaust;
use firedrill_sim::random::{run, runs};
use firedrill_sim::shape::Shape;
use firedrill_sim::shrink::shrink;
use firedrill_sim::{
    Command, Occasion, Property, Protocol, Setting, Sometimes, Token, World, log, reference, schedule_words,
};

const A: Token = Token(0);
const WORLDS: u64 = if cfg!(debug_assertions) { 4_000 } else { 1_000_000 };

fn setting(seed: u64) -> Setting {
    Shape::default().draw(seed)
}

/// Runs each world once; gives what was met.
fn ours(seeds: impl Iterator<Item = u64>) -> Sometimes {
    let mut met = Sometimes::default();
    for seed in seeds {
        let setting = setting(seed);
        let ran = runs::<log::Shared>(&setting, [seed]);
        if let Some((_, found)) = ran.found {
            let least = shrink::<log::Shared>(&setting, &found);
            let told = World::<log::Shared>::tell(&least.setting, &least.found.schedule);
            let schedule = schedule_words(&least.found.schedule);
            let replay = format!("firedrill explore --world '{}' --schedule '{schedule}'", least.setting);
            panic!("{told}find it again: firedrill explore --seed {seed}\nreplay it: {replay}");
        }
        met.add(&ran.met);
    }
    met
}

/// Each seed is a world of its own, so that the threads that share them tell the same as one would.
#[test]
fn ours_holds_in_random_worlds() {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let runs: Vec<_> = (0..threads as u64)
        .map(|first| std::thread::spawn(move || ours((first..WORLDS).step_by(threads))))
        .collect();
    let mut met = Sometimes::default();
    for run in runs {
        met.add(&run.join().expect("a property broke, as is told above"));
    }
    assert_eq!(met.never(), Vec::<Occasion>::new(), "the runs prove nothing without: {met}");
    println!("{WORLDS} runs: {met}");
}

#[track_caller]
fn check_twice<P: Protocol>(setting: &Setting, seed: u64) {
    let ((first, one), (second, two)) = (run::<P>(setting, seed), run::<P>(setting, seed));
    assert_eq!(first, second, "seed {seed}");
    assert_eq!((one.key(), one.view()), (two.key(), two.view()), "seed {seed}");
}

#[test]
fn one_seed_gives_one_run() {
    for seed in 0..50 {
        check_twice::<log::Shared>(&setting(seed), seed);
        check_twice::<reference::Shared>(&setting(seed), seed);
    }
    // The same on every machine and in every release: a seed in a report stays good.
    let (schedule, _) = run::<log::Shared>(&setting(7), 7);
    insta::assert_snapshot!(schedule_words(&schedule));
}

#[test]
fn random_worlds_break_the_canary() {
    for property in [
        Property::OneList,
        Property::DrawsSomething,
        Property::ThresholdHolds,
        Property::StartKeeps,
        Property::DroppedStaysOut,
        Property::NothingLost,
    ] {
        let breaks = |seed: &u64| {
            let watched = Setting { watch: vec![property], ..setting(*seed) };
            runs::<reference::Shared>(&watched, [*seed]).found.is_some()
        };
        assert!((0..500).any(|seed| breaks(&seed)), "no world of 500 breaks `{property}`");
    }
}

#[test]
fn what_a_seed_finds_in_the_canary_is_made_short() {
    let fails = || Command::Outcome(A, 429);
    let programs = vec![
        vec![Command::Select, fails(), Command::Tick, Command::Outcome(A, 200)],
        vec![Command::Outcome(Token(1), 429), fails(), Command::Select],
        vec![Command::Tick, Command::Select, fails()],
    ];
    let watch = vec![Property::ThresholdHolds];
    let setting = Setting { failure_threshold: 2, watch, ..Setting::new(2, programs) };
    let (seed, found) = runs::<reference::Shared>(&setting, 0..10_000).found.expect("a defect is found");
    let least = shrink::<reference::Shared>(&setting, &found);
    assert_eq!(least.found.violation.property, Property::ThresholdHolds);
    let told = World::<reference::Shared>::tell(&least.setting, &least.found.schedule);
    insta::assert_snapshot!(format!("seed {seed}: {} steps\n{told}", found.schedule.len()));
}

#[test]
fn a_log_that_accepts_what_is_stale_is_found_out() {
    let programs = vec![vec![Command::Outcome(A, 429)], vec![Command::Outcome(A, 429)]];
    let setting = Setting::new(1, programs);
    let found = exhaust::<log::Careless>(&setting).found.expect("it is found out");
    assert_eq!(found.violation.property, Property::NothingStale);
    insta::assert_snapshot!(World::<log::Careless>::tell(&setting, &found.schedule));
}
