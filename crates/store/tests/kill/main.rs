//! `kill -9` of a process that writes a log, at random moments. The child is this test binary again; it appends as fast
//! as it can and prints what was accepted. Whatever was printed must be in the log.
//!
//! Nothing else is tested in this binary: a child has, for a moment, the files of all its threads, and with them their locks.

#![cfg(unix)]

#[path = "../store/block_on.rs"]
mod block_on;
#[expect(dead_code, reason = "the tests of other stores need more of it")]
#[path = "../store/workers.rs"]
mod workers;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use firedrill_failover::{Command, Fingerprint, Head, Random, WorkerId};
use firedrill_store::{FileStore, Fsync, Opened, Store, StoreError};

use crate::block_on::block_on;
use crate::workers::{config, failure, fold, joined, perform};

const POOL: Fingerprint = Fingerprint::new(9);
const SEED: u64 = 20;

/// How many kills, if not 200.
const KILLS: &str = "FIREDRILL_KILLS";
/// Given to the child: the file, and which round it is.
const FILE: &str = "FIREDRILL_STORE_FILE";
const ROUND: &str = "FIREDRILL_STORE_ROUND";

#[test]
fn a_killed_process_loses_no_append_that_was_accepted() {
    let kills = std::env::var(KILLS).map_or(200, |kills| kills.parse().expect("a number of kills"));
    let mut random = Random::new(SEED, 0);
    let folder = tempfile::tempdir().expect("a folder");
    let (mut accepted, mut torn, mut unheard) = (0, 0, 0);
    for round in 1..=kills {
        // Four rounds write to one log, each where the one before was killed.
        let path = folder.path().join(format!("{}.jsonl", (round - 1) / 4));
        let told = run_and_kill(&path, round, &mut random);
        let Opened { store, torn: warning } = FileStore::open(&path, POOL, Fsync::Never)
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
        let log = block_on(store.read(Head::EMPTY)).expect("reads").entries;
        fold(&log).unwrap_or_else(|wrong| panic!("round {round}: {wrong}"));
        for (version, proposal) in &told {
            let entry = log.get(version - 1).unwrap_or_else(|| panic!("round {round}: no version {version}"));
            assert_eq!((entry.by, entry.proposal), (WorkerId::new(round), *proposal), "round {round}");
        }
        accepted += told.len();
        torn += u32::from(warning.is_some());
        let by_child = log.iter().filter(|entry| entry.by == WorkerId::new(round)).count();
        unheard += by_child - told.len();
    }
    println!(
        "{kills} kills: {accepted} accepted and there, {unheard} written and not told any more, {torn} torn"
    );
    assert!(accepted > 0, "sometimes something is accepted before the kill");
}

/// Starts a child, kills it, and gives the version and the proposal of everything that it said was accepted.
fn run_and_kill(path: &Path, round: u64, random: &mut Random) -> Vec<(usize, u64)> {
    let (wanted, delay) = (random.below(60), u64::from(random.below(4_000)));
    let mut child = started(path, round);
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut told = Vec::new();
    let mut hear = |line: String| {
        let mut words = line.strip_prefix("accepted ")?.split(' ').map(str::parse::<u64>);
        let (version, proposal) = (words.next()?.ok()?, words.next()?.ok()?);
        told.push((usize::try_from(version).ok()?, proposal));
        Some(told.len())
    };
    let mut heard = 0;
    while heard < wanted as usize {
        let Some(line) = lines.next() else { break };
        heard = hear(line.expect("text")).unwrap_or(heard);
    }
    if heard > 0 {
        let second = FileStore::open(path, POOL, Fsync::Never);
        assert!(
            matches!(second, Err(StoreError::Locked { .. })),
            "round {round}: two processes write one log"
        );
    }
    pause(Duration::from_micros(delay));
    child.kill().expect("kills");
    for line in lines {
        // The last may be half a line.
        let Ok(line) = line else { break };
        hear(line);
    }
    let status = child.wait().expect("waits");
    assert_eq!(status.code(), None, "round {round}, seed {SEED}: the child ended before it was killed");
    told
}

fn started(path: &Path, round: u64) -> Child {
    let mut process = Process::new(std::env::current_exe().expect("this binary"));
    process.args(["--exact", "child", "--nocapture"]).env(FILE, path).env(ROUND, round.to_string());
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("starts")
}

#[expect(clippy::disallowed_methods, reason = "a real process is killed at a real moment")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Not a test: what the child does. Without its environment it does nothing.
#[test]
fn child() {
    let (Some(path), Ok(round)) = (std::env::var_os(FILE), std::env::var(ROUND)) else { return };
    let round: u64 = round.parse().expect("a number");
    let fsync = match round % 3 {
        0 => Fsync::Always,
        1 => Fsync::Never,
        _ => Fsync::Within(Duration::from_millis(1)),
    };
    let store = FileStore::open(Path::new(&path), POOL, fsync).expect("opens").store;
    let mut worker = joined(&store, round).expect("joins");
    let mut out = std::io::stdout().lock();
    let mut proposals = 0;
    for count in 0_u64.. {
        // A long line now and then: they are the ones that tear.
        let large = Command::Reconfigure(config(400 + count / 16 % 2));
        let command = if count % 16 == 1 { large } else { failure(worker.pool()) };
        perform(&store, &mut worker, command).expect("appends");
        let last = worker.head();
        assert!(last.proposal > proposals, "every command appends");
        proposals = last.proposal;
        let told = write!(out, "\naccepted {} {proposals} \n", last.version).and_then(|()| out.flush());
        told.expect("the parent listens");
    }
}
