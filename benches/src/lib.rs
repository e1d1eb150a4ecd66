//! The pools and logs that the benches measure, and the commands in a form that is short to write. What is measured is
//! in `benches/`.

pub mod process;

use firedrill_failover::{
    Attempt, Command, Config, Configured, Duration, Entry, Event, FailoverSettings, Fingerprint, Instant,
    Pool, Random, Settings, Status, Token, TokenId, Worker, WorkerId,
};

/// The sizes of pool that are measured, in tokens.
pub const SIZES: [u32; 5] = [2, 10, 100, 1_000, 10_000];

/// The worker that decides.
pub const WORKER: WorkerId = WorkerId::new(1);

/// When everything up to the measurement happened.
pub const BEFORE: Instant = Instant::from_millis(1_000);

/// The cooldown, where there is one.
pub const COOLDOWN: Duration = Duration::from_secs(60);

/// A success.
pub const OK: Status = Status::new(200).expect("a status");

/// A failure.
pub const UNAVAILABLE: Status = Status::new(503).expect("a status");

/// Failover with a cooldown that takes a token out at the first failure, on which `change` is made.
///
/// # Panics
/// If `change` makes it no configuration.
pub fn config(tokens: u32, change: impl FnOnce(&mut FailoverSettings)) -> Config {
    let mut failover = FailoverSettings {
        enabled: true,
        failure_threshold: 1,
        cooldown_duration: COOLDOWN.as_millis(),
        ..FailoverSettings::default()
    };
    change(&mut failover);
    let token = |number| Token {
        label: format!("token-{number}").into(),
        fingerprint: Fingerprint::new(u64::from(number)),
    };
    Config::parse((0..tokens).map(token).collect(), &Settings { failover, ..Settings::default() })
        .expect("the settings of a bench are right")
}

/// The pool of `config` after the founding of its log.
pub fn founded(config: &Config) -> Pool {
    let mut pool = Pool::new(config);
    let founding = Configured { config: config.clone(), reset: true };
    append(&mut pool, Instant::ZERO, vec![Event::Configured(Box::new(founding))]);
    pool
}

/// A worker that has founded the log of `config`.
///
/// # Panics
/// If a new worker does not found its log.
pub fn joined(config: &Config) -> Worker {
    let mut worker = Worker::new(WORKER, Instant::ZERO, config);
    let founding = worker.propose(Duration::ZERO, Command::Join(config.clone()));
    assert!(founding.is_some(), "the log is founded");
    worker.accepted();
    worker
}

/// A request used `token` and was answered `status`.
#[inline]
pub fn answered(token: TokenId, status: Status) -> Command {
    Command::Outcome { token, status, attempt: Attempt::First }
}

/// What a request that used `token` and was answered `status` leads to.
#[inline]
pub fn outcome(pool: &Pool, token: TokenId, status: Status) -> Vec<Event> {
    pool.decide(WORKER, BEFORE, &answered(token, status))
}

/// What a tick at `at` leads to.
#[inline]
pub fn tick(pool: &Pool, at: Instant) -> Vec<Event> {
    pool.decide(WORKER, at, &Command::Tick)
}

/// Makes `events` an entry and folds it; nobody else appends meanwhile. The entry is what a log would keep.
#[inline]
pub fn append(pool: &mut Pool, at: Instant, events: Vec<Event>) -> Entry {
    let version = pool.version().next();
    let entry = Entry { version, at, by: WORKER, proposal: version.appends(), events: events.into() };
    pool.apply(&entry);
    entry
}

/// Every token of `pool`, in an order that is not the order of memory.
pub fn shuffled(pool: &Pool) -> Vec<TokenId> {
    let mut tokens: Vec<_> = pool.tokens().map(|(token, _)| token).collect();
    let mut random = Random::new(7, 0);
    for (seat, len) in (1..).zip(2..=u32::try_from(tokens.len()).unwrap_or(u32::MAX)) {
        tokens.swap(seat, random.below(len) as usize);
    }
    tokens
}

/// Takes `tokens` out of `pool`, whose failure threshold is 1, with one append each.
pub fn take_out(pool: &mut Pool, tokens: &[TokenId]) {
    for &token in tokens {
        let events = outcome(pool, token, UNAVAILABLE);
        append(pool, BEFORE, events);
    }
}

/// A pool of which every token is out and has a probe out.
pub fn probed(tokens: u32) -> Pool {
    let mut pool = founded(&config(tokens, |failover| failover.health_check_model = "model".into()));
    let all = shuffled(&pool);
    take_out(&mut pool, &all);
    let probes = tick(&pool, BEFORE);
    append(&mut pool, BEFORE, probes);
    pool
}

/// A log of `entries` appends on a pool of `config`, the founding included: one request in three fails, and a tick
/// comes every hundred requests.
pub fn history(config: &Config, entries: usize) -> Vec<Entry> {
    let mut pool = founded(config);
    let mut log = vec![append(
        &mut Pool::new(config),
        Instant::ZERO,
        vec![Event::Configured(Box::new(Configured { config: config.clone(), reset: true }))],
    )];
    let mut random = Random::new(7, 0);
    for request in 0.. {
        let at = Instant::from_millis(request);
        let events = if request % 100 == 99 {
            tick(&pool, at)
        } else {
            let status = if random.below(3) == 0 { UNAVAILABLE } else { OK };
            outcome(&pool, pool.select(&mut random).token, status)
        };
        if log.len() == entries {
            break;
        }
        if !events.is_empty() {
            log.push(append(&mut pool, at, events));
        }
    }
    log
}
