//! What a store promises, asked of every store there is, and of some that break it. Everything here runs without an
//! async runtime, which proves that a store needs none.

mod alarm;
mod block_on;
mod canary;
mod conformance;
mod damage;
#[cfg(unix)]
mod kill;
mod workers;

use conformance::{conforms, contention};
use firedrill_failover::{Fingerprint, Version};
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
fn eight_threads_count_every_failure_once_in_memory() {
    let refusals = contention(&MemoryStore::new(), 8, 2_000);
    println!("16,000 appends, {refusals} refused and decided again");
    assert!(refusals > 0, "sometimes an append is refused");
}

#[test]
fn eight_threads_count_every_failure_once_in_a_file_that_folds_to_the_same_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.jsonl");
    let open = || FileStore::open(&path, Fingerprint::new(1), Fsync::Never).expect("opens");
    let store = open().store;
    let refusals = contention(&store, 8, 2_000);
    println!("16,000 appends, {refusals} refused and decided again");
    assert!(refusals > 0, "sometimes an append is refused");
    let read = |store: &FileStore| block_on::block_on(store.read(Version::EMPTY)).expect("reads");
    let before = read(&store);
    drop(store);
    let again = open();
    assert!(again.torn.is_none(), "a store that was dropped left a whole file");
    assert!(read(&again.store) == before, "what is read again differs");
    assert_eq!(workers::fold(&before), workers::fold(&read(&again.store)));
}
