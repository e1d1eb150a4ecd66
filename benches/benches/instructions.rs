//! What the engine costs, in instructions: the same on every run, whatever else the machine does.
//!
//! For each operation and size this starts itself once more under valgrind's callgrind, which counts what is executed
//! inside [`measured`] and nothing else. It needs `valgrind`; without it, it says so and does nothing. The operations
//! are those of `engine.rs`, by the same names.

#![expect(clippy::print_stdout, reason = "what it prints is its result")]

use std::hint::black_box;
use std::process::{Command, ExitCode};

use firedrill_benches::{
    BEFORE, COOLDOWN, OK, UNAVAILABLE, append, config, founded, history, outcome, shuffled, take_out, tick,
};
use firedrill_failover::{FailoverSettings, Pool, Random};

/// Sizes of pool, in tokens.
const SIZES: [u32; 3] = [10, 1_000, 10_000];

/// What is done once to a pool of a size, between much else that is not measured. Gives how many times it was done.
type Operation = fn(u32) -> usize;

const OPERATIONS: [(&str, Operation); 11] = [
    ("select", select),
    ("success, decide", success),
    ("failure, decide", |size| failure(size, u64::from(u32::MAX))),
    ("failure, decide and apply", |size| failure_applied(size, u64::from(u32::MAX))),
    ("removal, decide", |size| failure(size, 1)),
    ("removal, decide and apply", |size| failure_applied(size, 1)),
    ("idle tick, none out", |size| idle_tick(size, 0)),
    ("idle tick, all out", |size| idle_tick(size, size)),
    ("idle tick, all probed", probed_tick),
    ("due tick, a token", due_tick),
    ("fold, an event", fold),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    if let Some(name) = arguments.next() {
        let size = arguments.next().and_then(|size| size.parse().ok());
        let operation = OPERATIONS.into_iter().find(|(candidate, _)| *candidate == name);
        let (Some(size), Some((_, operation))) = (size, operation) else { return ExitCode::from(2) };
        println!("{}", operation(size));
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions are not counted: valgrind is not installed");
        return ExitCode::SUCCESS;
    }
    println!("{:27}{:>9}{:>9}{:>9}", "instructions", SIZES[0], SIZES[1], SIZES[2]);
    for (name, _) in OPERATIONS {
        let [small, middle, large] = SIZES.map(|size| count(name, size).expect("callgrind counts"));
        println!("{name:27}{small:9}{middle:9}{large:9}");
    }
    ExitCode::SUCCESS
}

/// Instructions that one `operation` on a pool of `size` takes, rounded down.
fn count(operation: &str, size: u32) -> Option<usize> {
    let run = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=*instructions*measured*",
        ])
        .arg(std::env::current_exe().ok()?)
        .args([operation, &size.to_string()])
        .output()
        .ok()?;
    let times: usize = String::from_utf8(run.stdout).ok()?.trim().parse().ok()?;
    let report = String::from_utf8(run.stderr).ok()?;
    let (_, collected) = report.split_once("Collected : ")?;
    Some(collected.split_whitespace().next()?.parse::<usize>().ok()? / times)
}

/// What happens in here is counted.
#[inline(never)]
fn measured(times: usize, mut operation: impl FnMut(usize)) -> usize {
    (0..times).for_each(&mut operation);
    times
}

fn select(size: u32) -> usize {
    let pool = founded(&config(size, |_| {}));
    let mut random = Random::new(7, 0);
    measured(1_000, |_| {
        black_box(black_box(&pool).select(&mut random));
    })
}

fn success(size: u32) -> usize {
    let pool = founded(&config(size, |_| {}));
    let tokens = shuffled(&pool);
    measured(tokens.len(), |at| {
        black_box(outcome(black_box(&pool), tokens[at], black_box(OK)).is_empty());
    })
}

fn failure(size: u32, threshold: u64) -> usize {
    let pool = founded(&config(size, |failover| failover.failure_threshold = threshold));
    let tokens = shuffled(&pool);
    measured(tokens.len(), |at| {
        black_box(outcome(black_box(&pool), tokens[at], black_box(UNAVAILABLE)));
    })
}

fn failure_applied(size: u32, threshold: u64) -> usize {
    let mut pool = founded(&config(size, |failover| failover.failure_threshold = threshold));
    let tokens = shuffled(&pool);
    measured(tokens.len(), |at| {
        let events = outcome(&pool, tokens[at], black_box(UNAVAILABLE));
        black_box(append(&mut pool, BEFORE, events));
    })
}

fn idle_tick(size: u32, out: u32) -> usize {
    let mut pool = founded(&config(size, |_| {}));
    let tokens = shuffled(&pool);
    take_out(&mut pool, &tokens[..out as usize]);
    nothing_due(&pool)
}

fn probed_tick(size: u32) -> usize {
    let health_check = |failover: &mut FailoverSettings| failover.health_check_model = "model".into();
    let mut pool = founded(&config(size, health_check));
    let tokens = shuffled(&pool);
    take_out(&mut pool, &tokens);
    let probes = tick(&pool, BEFORE);
    append(&mut pool, BEFORE, probes);
    nothing_due(&pool)
}

fn nothing_due(pool: &Pool) -> usize {
    measured(1_000, |_| {
        black_box(tick(black_box(pool), black_box(BEFORE)).is_empty());
    })
}

fn due_tick(size: u32) -> usize {
    let mut pool = founded(&config(size, |_| {}));
    let tokens = shuffled(&pool);
    take_out(&mut pool, &tokens);
    let at = BEFORE + COOLDOWN;
    measured(1, |_| {
        let events = tick(&pool, at);
        black_box(append(&mut pool, at, events));
    });
    tokens.len()
}

fn fold(size: u32) -> usize {
    let config = config(size, |failover| {
        failover.failure_threshold = 3;
        failover.cooldown_duration = 1_000;
    });
    let log = history(&config, 10_000);
    let mut pool = Pool::new(&config);
    // The founding is the log's first entry, and no part of the day's work.
    pool.apply(&log[0]);
    measured(1, |_| log[1..].iter().for_each(|entry| pool.apply(entry)));
    log[1..].iter().map(|entry| entry.events.len()).sum()
}
