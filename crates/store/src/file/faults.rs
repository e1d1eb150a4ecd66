//! A disk that fails: it fills up at every byte, and will not sync or be cut.

use std::io;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use firedrill_failover::wire::{header, with_check};
use firedrill_failover::{
    Append, Appended, Attempt, Command, Config, Duration as Uptime, Entry, FailoverSettings, Fingerprint,
    Head, Instant, MemoryLog, Settings, Status, Token, Worker, WorkerId,
};

use super::disk::Disk;
use super::{FileStore, Fsync};
use crate::known::Held;
use crate::store::{Store, StoreError};
use block_on::block_on;

#[path = "../../tests/store/block_on.rs"]
mod block_on;

const POOL: Fingerprint = Fingerprint::new(7);

#[test]
fn a_disk_that_fills_up_at_any_byte_costs_nothing_that_was_accepted() {
    let whole = Platter::whole();
    for room in whole.header..=whole.bytes.len() {
        for cuttable in [true, false] {
            let (store, platter) = whole.started(Faults { room, cuttable, ..NONE }, Fsync::Always);
            let accepted = appended_until_it_stops(&store, room < whole.bytes.len());
            drop(store);
            let bytes = platter.bytes();
            let torn = bytes.len() != whole.length(accepted);
            assert!(!cuttable || !torn, "room for {room}: what was half written is taken off");
            assert_eq!(bytes, whole.bytes[..bytes.len()], "room for {room}");
            reopens(&bytes, accepted, torn);
        }
    }
}

/// Linux has a device that is always full: what it says is what a full disk says.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_in_its_own_words() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("the device");
    let store = FileStore::start("full.jsonl".to_owned(), full, Held::default(), 0, Fsync::Always);
    let store = store.expect("starts");
    let append = again(&log(), 0);
    let said = [(); 2].map(|()| block_on(store.append(&append)).expect_err("it is full").to_string());
    let why = "No space left on device (os error 28)";
    let expect = [
        format!(
            "cannot write to `full.jsonl`: {why}; nothing that was accepted is lost, and nothing more is taken"
        ),
        format!("`full.jsonl` takes no more appends since it could not be written: {why}"),
    ];
    assert_eq!(said, expect);
}

#[test]
fn a_sync_that_fails_accepts_nothing_and_stops_the_store() {
    let whole = Platter::whole();
    for good in 0..4 {
        let (store, platter) = whole.started(Faults { syncs: good, ..NONE }, Fsync::Always);
        let accepted = appended_until_it_stops(&store, true);
        assert_eq!(accepted, good, "an append is accepted when its sync has succeeded");
        drop(store);
        reopens(&platter.bytes(), accepted, false);
    }
}

#[test]
fn a_late_sync_that_fails_stops_the_store_before_the_next_append() {
    let (store, _) = Platter::whole().started(Faults { syncs: 2, ..NONE }, Fsync::Within(Duration::ZERO));
    assert_eq!(appended_until_it_stops(&store, true), 3);
}

#[test]
fn each_policy_syncs_when_it_says() {
    #[track_caller]
    fn check(fsync: Fsync, while_open: usize, at_the_end: usize) {
        let (store, platter) = Platter::whole().started(NONE, fsync);
        assert_eq!(appended_until_it_stops(&store, false), log().len());
        assert_eq!(platter.syncs(), while_open, "{fsync:?}");
        drop(store);
        assert_eq!(platter.syncs(), at_the_end, "{fsync:?}, dropped");
    }
    check(Fsync::Always, log().len(), log().len());
    check(Fsync::Within(Duration::from_hours(1)), 0, 1);
    check(Fsync::Never, 0, 0);
}

#[test]
fn an_append_longer_than_a_line_may_be_is_refused_and_the_store_goes_on() {
    let (store, _) = Platter::whole().started(NONE, Fsync::Never);
    let label = "x".repeat(firedrill_failover::wire::LONGEST_LINE);
    let config = config(vec![Token { label: label.into(), fingerprint: Fingerprint::new(1) }]);
    let mut worker = Worker::new(WorkerId::new(9), Instant::ZERO, &config);
    let founding = worker.propose(Uptime::ZERO, Command::Join(config)).expect("founds");
    let refused = block_on(store.append(&founding));
    assert!(matches!(refused, Err(StoreError::TooLong { .. })), "{refused:?}");
    assert_eq!(appended_until_it_stops(&store, false), log().len());
}

/// Appends the log, and tells how many appends were accepted before the store stopped, if it stopped.
#[track_caller]
fn appended_until_it_stops(store: &FileStore, stops: bool) -> usize {
    let log = log();
    let answers = (0..log.len()).map(|index| block_on(store.append(&again(&log, index))));
    let mut accepted = 0;
    let mut errors = Vec::new();
    for answer in answers {
        match answer {
            Ok(Appended::Accepted) if errors.is_empty() => accepted += 1,
            // Later ones expect a version that the log never got to.
            Err(StoreError::Behind { .. }) if !errors.is_empty() => {}
            Err(error) => errors.push(error),
            Ok(answer) => panic!("{answer:?} after {errors:?}"),
        }
    }
    assert_eq!(!errors.is_empty(), stops, "{errors:?}");
    let known = block_on(store.read(Head::EMPTY)).expect("it still reads").entries;
    assert_eq!(known, log[..accepted], "what was accepted, and nothing else, is told");
    if stops {
        let next = block_on(store.append(&again(&log, accepted)));
        let Err(stopped @ StoreError::Stopped { .. }) = next else { panic!("{next:?}") };
        let said = "`log` takes no more appends since it could not be written: ";
        assert!(stopped.to_string().starts_with(said), "{stopped}");
    }
    for index in 0..accepted {
        let answer = block_on(store.append(&again(&log, index))).expect("it still answers");
        assert_eq!(answer, Appended::Accepted, "append {index} is in the log");
    }
    accepted
}

#[track_caller]
fn reopens(bytes: &[u8], accepted: usize, torn: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, bytes).expect("writes");
    let opened = FileStore::open(&path, POOL, Fsync::Never).expect("opens");
    let found = block_on(opened.store.read(Head::EMPTY)).expect("reads").entries;
    // A line that lacks nothing but its end is whole: it was not accepted, and may be in the log.
    assert!(found.len() == accepted || torn && found.len() == accepted + 1);
    assert_eq!(found, log()[..found.len()]);
    assert_eq!(opened.torn.is_some(), torn && found.len() == accepted);
}

/// What a disk can do before it fails.
#[derive(Copy, Clone)]
struct Faults {
    room: usize,
    syncs: usize,
    cuttable: bool,
}

const NONE: Faults = Faults { room: usize::MAX, syncs: usize::MAX, cuttable: true };

/// A disk in memory that can be looked at after the store is gone.
#[derive(Clone)]
struct FaultyDisk(Arc<Mutex<State>>);

struct State {
    bytes: Vec<u8>,
    synced: usize,
    faults: Faults,
}

impl FaultyDisk {
    fn look<T>(&self, at: impl FnOnce(&mut State) -> T) -> T {
        at(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn bytes(&self) -> Vec<u8> {
        self.look(|state| state.bytes.clone())
    }

    fn syncs(&self) -> usize {
        self.look(|state| state.synced)
    }
}

impl Disk for FaultyDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.look(|state| {
            let fits = bytes.len().min(state.faults.room - state.bytes.len());
            state.bytes.extend_from_slice(&bytes[..fits]);
            if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.look(|state| {
            if state.synced == state.faults.syncs {
                return Err(io::Error::other("the disk is on fire"));
            }
            state.synced += 1;
            Ok(())
        })
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.look(|state| {
            if !state.faults.cuttable {
                return Err(io::ErrorKind::ReadOnlyFilesystem.into());
            }
            state.bytes.truncate(usize::try_from(length).expect("a small disk"));
            Ok(())
        })
    }
}

/// What a disk that never fails holds in the end.
struct Platter {
    bytes: Vec<u8>,
    header: usize,
}

impl Platter {
    fn whole() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.jsonl");
        let store = FileStore::open(&path, POOL, Fsync::Never).expect("opens").store;
        assert_eq!(appended_until_it_stops(&store, false), log().len());
        drop(store);
        let header = with_check(&header(POOL)).len() + 1;
        Self { bytes: std::fs::read(&path).expect("reads"), header }
    }

    /// How many bytes the header and `appends` appends take.
    fn length(&self, appends: usize) -> usize {
        let lines = self.bytes.split_inclusive(|byte| *byte == b'\n');
        lines.take(appends + 1).map(<[u8]>::len).sum()
    }

    fn started(&self, faults: Faults, fsync: Fsync) -> (FileStore, FaultyDisk) {
        let bytes = self.bytes[..self.header].to_vec();
        let disk = FaultyDisk(Arc::new(Mutex::new(State { bytes, synced: 0, faults })));
        let (length, held) = (self.header as u64, Held::default());
        let store = FileStore::start("log".to_owned(), disk.clone(), held, length, fsync);
        (store.expect("starts"), disk)
    }
}

fn config(tokens: Vec<Token>) -> Config {
    let failover = FailoverSettings { enabled: true, cooldown_duration: 9, ..FailoverSettings::default() };
    Config::parse(tokens, &Settings { failover, ..Settings::default() }).expect("a good configuration")
}

/// A log of four appends.
fn log() -> Vec<Entry> {
    let config = config(vec![Token { label: "a".into(), fingerprint: Fingerprint::new(1) }]);
    let mut log = MemoryLog::new();
    let mut worker = Worker::new(WorkerId::new(1), Instant::ZERO, &config);
    let Ok(_) = worker.perform(&mut log, Uptime::ZERO, Command::Join(config));
    let token = worker.pool().find("a").expect("a token");
    let status = Status::new(500).expect("a status");
    for _ in 0..3 {
        let command = Command::Outcome { token, status, attempt: Attempt::First };
        let Ok(_) = worker.perform(&mut log, Uptime::ZERO, command);
    }
    log.entries().to_vec()
}

/// The append that became the entry at `index` of `log`.
fn again(log: &[Entry], index: usize) -> Append {
    let Entry { version: _, at, by, proposal, events } = log[index].clone();
    let expected = index.checked_sub(1).map_or(Head::EMPTY, |before| log[before].head());
    Append { expected, at, by, proposal, events }
}
