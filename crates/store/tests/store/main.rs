//! What a store promises, asked of every store there is, and of some that break it. Everything here runs without an
//! async runtime, which proves that a store needs none.

mod alarm;
mod block_on;
mod canary;
mod conformance;
mod damage;
mod workers;

use conformance::{conforms, contention};
use firedrill_failover::{Fingerprint, Head, wire};
use firedrill_store::{FileStore, Fsync, MemoryStore, Store};

#[test]
fn the_store_in_memory_conforms() {
    conforms(MemoryStore::new);
}

#[test]
fn the_store_in_a_file_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = 0;
    for fsync in [Fsync::Always, Fsync::Within(std::time::Duration::from_millis(1)), Fsync::Never] {
        conforms(|| {
            files += 1;
            let path = folder.path().join(format!("{files}.jsonl"));
            FileStore::open(&path, Fingerprint::new(files), fsync).expect("opens").store
        });
    }
}

#[test]
fn who_is_far_behind_is_given_a_snapshot() {
    conformance::far_behind(&MemoryStore::new());
    let folder = tempfile::tempdir().expect("a folder");
    let open = || {
        FileStore::open(&folder.path().join("log"), Fingerprint::new(1), Fsync::Never).expect("opens").store
    };
    let store = open();
    conformance::far_behind(&store);
    let fold = |store: &FileStore| block_on::block_on(store.snapshot()).expect("reads");
    let before = fold(&store);
    drop(store);
    assert_eq!(fold(&open()), before, "what is read again differs");
}

#[test]
fn a_file_founded_anew_begins_with_a_snapshot_and_can_be_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let open = || FileStore::open(&path, Fingerprint::new(1), Fsync::Always).expect("opens");
    let gone = MemoryStore::new();
    let mut worker = workers::joined(&gone, 1).expect("joins");
    let store = open().store;
    let founding = worker.found_anew(firedrill_failover::Duration::ZERO, Head::EMPTY);
    let founded = block_on::block_on(store.found(&founding)).expect("writes");
    assert_eq!(founded, firedrill_failover::Appended::Accepted);
    worker.founded();
    let command = workers::failure(worker.pool());
    workers::perform(&store, &mut worker, command).expect("appends");
    drop(store);
    let again = open();
    assert!(again.torn.is_none());
    let fold = block_on::block_on(again.store.snapshot()).expect("reads").expect("a fold");
    assert_eq!(*fold, *worker.fold());
    // What is left cannot be written over.
    let over = Head { version: worker.head().version, ..Head::EMPTY };
    let mut other = worker.clone();
    for over in [worker.head(), over] {
        let founding = other.found_anew(firedrill_failover::Duration::ZERO, over);
        let answer = block_on::block_on(again.store.found(&founding));
        let refused = matches!(answer, Err(firedrill_store::StoreError::NotEmpty { .. }));
        assert!(refused || over != worker.head(), "{answer:?}");
    }
}

/// What an append could configure can be founded anew: there is more room for a snapshot.
#[test]
fn a_snapshot_may_be_longer_than_an_append() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || {
        FileStore::open(&folder.path().join("log"), Fingerprint::new(1), Fsync::Never).expect("opens").store
    };
    let (gone, store) = (MemoryStore::new(), open());
    let mut worker = workers::joined(&gone, 1).expect("joins");
    let token = |number: u64| firedrill_failover::Token {
        label: format!("{number:016715}").into(),
        fingerprint: Fingerprint::new(number),
    };
    let config = firedrill_failover::Config::parse((1..=1_000).map(token).collect(), &workers::settings());
    let command = firedrill_failover::Command::Reconfigure(config.expect("a good configuration"));
    let before = worker.pool().clone();
    workers::perform(&gone, &mut worker, command).expect("appends");
    let entries = block_on::block_on(gone.read(Head::EMPTY)).expect("reads").entries;
    let configured = wire::line(&before, entries.last().expect("two appends"));
    assert!(configured.len() < wire::LONGEST_LINE, "{} bytes", configured.len());
    let snapshot = wire::snapshot_line(worker.fold());
    assert!(snapshot.len() > wire::LONGEST_LINE, "{} bytes", snapshot.len());
    let founding = worker.found_anew(firedrill_failover::Duration::ZERO, Head::EMPTY);
    let founded = block_on::block_on(store.found(&founding)).expect("writes");
    assert_eq!(founded, firedrill_failover::Appended::Accepted);
    drop(store);
    let fold = block_on::block_on(open().snapshot()).expect("reads").expect("a fold");
    assert!(*fold == *founding.fold, "what is read again differs");
}

#[test]
fn eight_threads_count_every_failure_once_in_memory() {
    let refusals = contention(&MemoryStore::new(), 8, 1_000);
    println!("8,000 appends, {refusals} refused and decided again");
    assert!(refusals > 0, "sometimes an append is refused");
}

#[test]
fn eight_threads_count_every_failure_once_in_a_file_that_folds_to_the_same_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.jsonl");
    let open = || FileStore::open(&path, Fingerprint::new(1), Fsync::Never).expect("opens");
    let store = open().store;
    let refusals = contention(&store, 8, 1_000);
    println!("8,000 appends, {refusals} refused and decided again");
    assert!(refusals > 0, "sometimes an append is refused");
    let read = |store: &FileStore| block_on::block_on(store.read(Head::EMPTY)).expect("reads").entries;
    let before = read(&store);
    drop(store);
    let again = open();
    assert!(again.torn.is_none(), "a store that was dropped left a whole file");
    assert!(read(&again.store) == before, "what is read again differs");
    assert_eq!(workers::fold(&before), workers::fold(&read(&again.store)));
}
