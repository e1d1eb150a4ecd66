//! The store in memory under shuttle, which decides at every lock who goes on: every failure counts, versions have no gap,
//! each head follows on the one before, and whoever waits is woken. `cargo test -p firedrill-store --features shuttle
//! --test shuttle`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use firedrill_failover::{
    Append, Appended, Attempt, Command, Config, Duration, Entry, FailoverSettings, Fingerprint, Fold,
    Founding, Head, Instant, Newer, Pool, Refused, Settings, Start, Status, Token, Worker, WorkerId,
};
use firedrill_store::{MemoryStore, Store, StoreError};
use shuttle::future::block_on;
use shuttle::sync::Mutex;
use shuttle::thread;

const WORKERS: u64 = 3;
const FAILURES: u64 = 2;
/// One founds the log, and every failure is an append.
const APPENDS: u64 = 1 + WORKERS * FAILURES;

fn config() -> Config {
    let token = Token { label: "token".into(), fingerprint: Fingerprint::new(1) };
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: 1_000,
        cooldown_duration: 100,
        ..FailoverSettings::default()
    };
    Config::parse(vec![token], &Settings { failover, ..Settings::default() }).expect("a good configuration")
}

fn perform(store: &impl Store, worker: &mut Worker, command: Command) {
    let mut next = worker.propose(Duration::ZERO, command);
    while let Some(append) = next.take() {
        match block_on(store.append(&append)).expect("in memory") {
            Appended::Accepted => drop(worker.accepted()),
            Appended::Refused(newer) => {
                if let Refused::Again(append) = worker.refused(&newer) {
                    next = Some(append);
                }
            }
        }
    }
}

/// Workers fail a token at once, and a reader follows until it has heard it all.
fn contention<S: Store + 'static>(store: S, follow: bool) {
    let store = Arc::new(store);
    let mut threads: Vec<_> = (1..=WORKERS)
        .map(|id| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                let mut worker = Worker::new(WorkerId::new(id), Instant::ZERO, &config());
                perform(&*store, &mut worker, Command::Join(config()));
                for _ in 0..FAILURES {
                    let token = worker.pool().available().next().expect("a token");
                    let status = Status::new(503).expect("a status");
                    perform(
                        &*store,
                        &mut worker,
                        Command::Outcome { token, status, attempt: Attempt::First },
                    );
                }
            })
        })
        .collect();
    if follow {
        let store = Arc::clone(&store);
        threads.push(thread::spawn(move || {
            let mut reader = Worker::new(WorkerId::new(9), Instant::ZERO, &config());
            while reader.head().version.appends() < APPENDS {
                reader.catch_up(&block_on(store.tail(reader.head())).expect("in memory"));
            }
        }));
    }
    for thread in threads {
        thread.join().expect("no panic");
    }
    let entries = block_on(store.read(Head::EMPTY)).expect("in memory").entries;
    let versions: Vec<u64> = entries.iter().map(|entry| entry.version.appends()).collect();
    assert_eq!(versions, (1..=APPENDS).collect::<Vec<_>>());
    let mut pool = Pool::new(&config());
    for (entry, before) in
        entries.iter().zip([Head::EMPTY].into_iter().chain(entries.iter().map(Entry::head)))
    {
        assert_eq!(block_on(store.read(before)).expect("in memory").entries.first(), Some(entry));
        pool.try_apply(entry).expect("each follows");
    }
    let failures: u64 = pool.tokens().map(|(_, token)| u64::from(token.failures)).sum();
    assert_eq!(failures, WORKERS * FAILURES);
}

#[test]
fn the_store_in_memory_is_right_on_every_schedule_tried() {
    shuttle::check_random(|| contention(MemoryStore::new(), true), 3_000);
    shuttle::check_pct(|| contention(MemoryStore::new(), true), 3_000, 3);
}

#[test]
fn a_store_that_looks_first_and_writes_later_is_caught() {
    let caught = |check: &dyn Fn()| catch_unwind(AssertUnwindSafe(check)).is_err();
    let wrong = || contention(LooksFirst::default(), false);
    assert!(caught(&|| shuttle::check_random(wrong, 1_000)));
    assert!(caught(&|| shuttle::check_pct(wrong, 1_000, 3)));
}

/// Its look and its write are two steps.
#[derive(Default)]
struct LooksFirst(Mutex<Vec<Entry>>);

impl LooksFirst {
    fn newer(&self, after: Head) -> Newer {
        let entries = self.0.lock().expect("no panic");
        let heard = entries.iter().position(|entry| entry.head() == after).map_or(0, |place| place + 1);
        let start = if heard == 0 && after != Head::EMPTY { Start::Beginning } else { Start::Here };
        Newer { start, entries: entries[heard..].to_vec() }
    }
}

impl Store for LooksFirst {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        let newer = self.newer(append.expected);
        if !newer.is_empty() {
            return Ok(Appended::Refused(newer));
        }
        self.0.lock().expect("no panic").push(append.clone().into_entry());
        Ok(Appended::Accepted)
    }

    async fn read(&self, after: Head) -> Result<Newer, StoreError> {
        Ok(self.newer(after))
    }

    async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        Ok(self.newer(after))
    }

    async fn snapshot(&self) -> Result<Option<Arc<Fold>>, StoreError> {
        Ok(None)
    }

    async fn found(&self, _: &Founding) -> Result<Appended, StoreError> {
        Ok(Appended::Accepted)
    }
}
