//! What a request costs the heap: nothing, unless something happens.

use allocation_counter::measure;
use firedrill_failover::{
    Attempt, Command, Config, Duration, Entry, FailoverSettings, Fingerprint, Instant, Pool, Profile, Random,
    Settings, Status, Token, TokenId, Worker, WorkerId,
};

const WORKER: WorkerId = WorkerId::new(1);
/// Long before any cooldown is over.
const SOON: Instant = Instant::from_millis(10);

fn config(tokens: u64, change: impl FnOnce(&mut Settings)) -> Config {
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: 1,
        cooldown_duration: 1_000,
        ..FailoverSettings::default()
    };
    let token = |bits| Token { label: format!("token-{bits}").into(), fingerprint: Fingerprint::new(bits) };
    let mut settings = Settings { failover, ..Settings::default() };
    change(&mut settings);
    Config::parse((0..tokens).map(token).collect(), &settings).expect("good rules")
}

/// A pool of 100 tokens of which `out` are out.
fn pool(out: usize, change: impl FnOnce(&mut Settings)) -> Pool {
    let config = config(100, change);
    let mut pool = Pool::new(&config);
    perform(&mut pool, Instant::ZERO, &Command::Join(config));
    let failing: Vec<TokenId> = pool.available().take(out).collect();
    for token in failing {
        perform(&mut pool, Instant::ZERO, &outcome(token, 429));
    }
    pool
}

fn perform(pool: &mut Pool, at: Instant, command: &Command) {
    let events = pool.decide(WORKER, at, command);
    pool.apply(&Entry { version: pool.version().next(), at, by: WORKER, proposal: 1, events: events.into() });
}

fn outcome(token: TokenId, status: u16) -> Command {
    Command::Outcome { token, status: Status::new(status).expect("a status"), attempt: Attempt::First }
}

#[track_caller]
fn free(what: impl FnOnce()) {
    let used = measure(what);
    assert_eq!((used.count_total, used.bytes_total), (0, 0), "allocations and bytes");
}

#[test]
fn the_counter_counts() {
    let used = measure(|| drop(std::hint::black_box(Box::new(7_u64))));
    assert_eq!((used.count_total, used.bytes_total), (1, 8));
    let pool = pool(0, |_| {});
    let token = pool.available().next().expect("a token");
    let failed = measure(|| drop(pool.decide(WORKER, SOON, &outcome(token, 429))));
    assert!(failed.count_total > 0, "a failure has an event to tell");
}

#[test]
fn selecting_is_free() {
    for out in [0, 1, 50, 99, 100] {
        let pool = pool(out, |_| {});
        let mut random = Random::new(1, 1);
        free(|| {
            for _ in 0..1_000 {
                std::hint::black_box(pool.select(&mut random));
            }
        });
    }
    let off = pool(0, |settings| settings.failover.enabled = false);
    free(|| assert!(!off.select(&mut Random::new(1, 1)).fallback));
}

#[test]
fn a_success_with_nothing_to_reset_is_free() {
    for out in [0, 1, 50] {
        let pool = pool(out, |_| {});
        let token = pool.available().next().expect("a token");
        free(|| assert_eq!(pool.decide(WORKER, SOON, &outcome(token, 200)), []));
    }
}

#[test]
fn an_answer_that_changes_nothing_is_free() {
    let pool = pool(3, |_| {});
    let available = pool.available().next().expect("a token");
    let unavailable = pool.unavailable().next().expect("a token");
    for (token, status) in [(available, 302), (unavailable, 429), (unavailable, 200)] {
        free(|| assert_eq!(pool.decide(WORKER, SOON, &outcome(token, status)), []));
    }
}

#[test]
fn an_idle_tick_is_free() {
    for out in [0, 1, 50, 100] {
        let pool = pool(out, |_| {});
        free(|| assert_eq!(pool.decide(WORKER, SOON, &Command::Tick), []));
        free(|| assert_eq!(pool.next_deadline(WORKER).is_some(), out > 0));
    }
}

#[test]
fn an_idle_tick_with_every_probe_out_is_free() {
    for out in [0, 1, 50, 100] {
        let mut pool = pool(out, |settings| settings.failover.health_check_model = "model".into());
        if out > 0 {
            perform(&mut pool, Instant::ZERO, &Command::Tick);
        }
        free(|| assert_eq!(pool.decide(WORKER, SOON, &Command::Tick), []));
        free(|| assert_eq!(pool.next_deadline(WORKER).is_some(), out > 0));
    }
}

#[test]
fn a_tick_of_a_worker_without_the_lease_is_free() {
    for profile in [Profile::Standard, Profile::Higress] {
        let mut pool = pool(50, |settings| {
            settings.profile = profile;
            settings.failover.health_check_model = "model".into();
        });
        perform(&mut pool, Instant::ZERO, &Command::Tick);
        free(|| assert_eq!(pool.decide(WorkerId::new(2), SOON, &Command::Tick), []));
    }
}

#[test]
fn a_worker_adds_nothing_to_it() {
    let config = config(10, |_| {});
    let mut log = firedrill_failover::MemoryLog::new();
    let mut worker = Worker::new(WORKER, Instant::ZERO, &config);
    worker.perform(&mut log, Duration::ZERO, Command::Join(config)).expect("memory");
    let soon = SOON.since(Instant::ZERO);
    let token = worker.pool().available().next().expect("a token");
    free(|| assert_eq!(worker.propose(soon, outcome(token, 200)), None));
    free(|| assert_eq!(worker.propose(soon, Command::Tick), None));
}
