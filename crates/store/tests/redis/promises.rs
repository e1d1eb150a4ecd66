//! Every promise of a store, kept by one in Redis, and by two of one log, as two processes have them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use firedrill_failover::{Append, Appended, Fingerprint, Fold, Founding, Head, Newer};
use firedrill_store::{RedisOptions, RedisStore, Store, StoreError};

use crate::block_on::block_on;
use crate::conformance::{conforms, contention, far_behind};
use crate::opened::RUNTIME;
use crate::server::{Options, Server};
use crate::workers::{failure, failures, joined, perform};

fn store_of(server: &Server, pool: u64) -> RedisStore {
    let url = server.url();
    let opened = RedisStore::open(&url, Fingerprint::new(pool), RedisOptions::default());
    RUNTIME.block_on(opened).expect("opens")
}

/// Two stores of one log, each asked in turn. The suite expects to read what was just appended; so the one that is not
/// asked hears of it before the answer is given.
struct Pair {
    stores: [RedisStore; 2],
    turns: AtomicUsize,
}

impl Pair {
    fn of(server: &Server, pool: u64) -> Self {
        Self { stores: [store_of(server, pool), store_of(server, pool)], turns: AtomicUsize::new(0) }
    }

    fn turn(&self) -> (&RedisStore, &RedisStore) {
        let [one, two] = &self.stores;
        if self.turns.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { (one, two) } else { (two, one) }
    }
}

impl Store for Pair {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        let (this, other) = self.turn();
        let answer = this.append(append).await;
        other.catch_up().await?;
        answer
    }

    async fn read(&self, after: Head) -> Result<Newer, StoreError> {
        let (this, _) = self.turn();
        this.catch_up().await?;
        this.read(after).await
    }

    async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        self.turn().0.tail(after).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<Fold>>, StoreError> {
        let (this, _) = self.turn();
        this.catch_up().await?;
        this.snapshot().await
    }

    async fn found(&self, founding: &Founding) -> Result<Appended, StoreError> {
        let (this, other) = self.turn();
        let answer = this.found(founding).await;
        other.catch_up().await?;
        answer
    }
}

#[test]
fn a_store_in_redis_conforms() {
    let Some(server) = Server::start(Options::default()) else { return };
    let mut pools = 0;
    conforms(|| {
        pools += 1;
        store_of(&server, pools)
    });
}

#[test]
fn two_stores_of_one_log_conform() {
    let Some(server) = Server::start(Options::default()) else { return };
    let mut pools = 0;
    conforms(|| {
        pools += 1;
        Pair::of(&server, pools)
    });
}

#[test]
fn a_worker_that_goes_from_store_to_store_is_never_told_that_the_log_is_behind() {
    let Some(server) = Server::start(Options::default()) else { return };
    let stores = [store_of(&server, 1), store_of(&server, 1)];
    let mut worker = joined(&stores[0], 1).expect("joins");
    for store in stores.iter().cycle().take(200) {
        let command = failure(worker.pool());
        perform(store, &mut worker, command).expect("appends");
    }
    let [one, two] = &stores;
    for (store, other) in [(one, two), (two, one)].into_iter().cycle().take(50) {
        let command = failure(worker.pool());
        perform(store, &mut worker, command).expect("appends");
        let newer = block_on(other.read(worker.head())).expect("reads");
        assert!(newer.is_empty(), "{newer:?}");
    }
    assert_eq!(failures(worker.pool()), 250);
}

#[test]
fn who_is_far_behind_in_redis_is_given_a_snapshot() {
    let Some(server) = Server::start(Options::default()) else { return };
    far_behind(&store_of(&server, 1));
}

#[test]
fn eight_threads_count_every_failure_once_in_redis() {
    let Some(server) = Server::start(Options::default()) else { return };
    let refusals = contention(&store_of(&server, 1), 8, 250);
    println!("2,000 appends, {refusals} refused and decided again");
    assert!(refusals > 0, "sometimes an append is refused");
    let refusals = contention(&Pair::of(&server, 2), 8, 100);
    println!("800 appends by two stores, {refusals} refused and decided again");
    assert!(refusals > 0, "sometimes an append is refused");
}
