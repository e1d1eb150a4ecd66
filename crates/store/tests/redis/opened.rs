//! Stores for tests, and questions to a server behind a store's back.

use std::sync::LazyLock;
use std::time::Duration;

use firedrill_failover::{Fingerprint, Newer, Worker};
use firedrill_store::{RedisOptions, RedisStore, Store, StoreError};
use tokio::runtime::Runtime;

use crate::block_on::block_on;
use crate::workers::{failure, joined, perform};

/// What the stores of all tests work on. The tests themselves run without.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
});

pub(crate) const POOL: Fingerprint = Fingerprint::new(0xf17e);
pub(crate) const LOG: &str = "firedrill:{000000000000f17e}:log";
pub(crate) const SNAPSHOT: &str = "firedrill:{000000000000f17e}:snapshot";

/// For a server that is paused and ended: nothing takes long.
pub(crate) fn impatient() -> RedisOptions {
    let mut options = RedisOptions::default();
    options.connect_timeout = Duration::from_secs(1);
    options.response_timeout = Duration::from_millis(500);
    options.silence = Duration::from_millis(300);
    options.seed = 7;
    options
}

pub(crate) fn open(url: &str) -> RedisStore {
    open_with(url, impatient()).expect("opens")
}

pub(crate) fn open_with(url: &str, options: RedisOptions) -> Result<RedisStore, StoreError> {
    RUNTIME.block_on(RedisStore::open(url, POOL, options))
}

/// A worker that has joined and told of so many failures.
pub(crate) fn worked(store: &RedisStore, id: u64, failures: u32) -> Worker {
    let mut worker = joined(store, id).expect("joins");
    work(store, &mut worker, failures);
    worker
}

pub(crate) fn work(store: &RedisStore, worker: &mut Worker, failures: u32) {
    for _ in 0..failures {
        let command = failure(worker.pool());
        perform(store, worker, command).expect("appends");
    }
}

/// What a tail tells, which must come in time.
pub(crate) fn told(tail: impl Future<Output = Result<Newer, StoreError>>) -> Result<Newer, StoreError> {
    let in_time = async { tokio::time::timeout(Duration::from_secs(20), tail).await };
    RUNTIME.block_on(in_time).expect("a tail that waits for ever")
}

/// Everything that the store has heard by now.
pub(crate) fn caught_up(store: &RedisStore, worker: &mut Worker) {
    block_on(store.catch_up()).expect("answers");
    worker.catch_up(&block_on(store.read(worker.head())).expect("reads"));
}
