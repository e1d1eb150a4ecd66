//! Workers for tests, and the smallest shell round one.

use firedrill_failover::{
    Append, Appended, Attempt, Command, Config, Duration, Entry, FailoverSettings, Fingerprint, Instant,
    Pool, Refused, Settings, Status, Token, TokenId, Worker, WorkerId,
};
use firedrill_store::{Store, StoreError};

use crate::block_on::block_on;

/// A configuration under which `tokens` tokens may fail a million times each.
pub(crate) fn config(tokens: u64) -> Config {
    let token = |n| Token { label: format!("tok\u{e9}n-{n}").into(), fingerprint: Fingerprint::new(n) };
    Config::parse((1..=tokens).map(token).collect(), &settings()).expect("a good configuration")
}

pub(crate) fn settings() -> Settings {
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: 1_000_000,
        cooldown_duration: 100,
        ..FailoverSettings::default()
    };
    Settings { failover, ..Settings::default() }
}

/// Worker number `id`, which has joined the log.
pub(crate) fn joined<S: Store>(store: &S, id: u64) -> Result<Worker, StoreError> {
    let mut worker = Worker::new(WorkerId::new(id), Instant::ZERO, &config(3));
    worker.catch_up(&block_on(store.read(worker.head()))?);
    perform(store, &mut worker, Command::Join(config(3)))?;
    Ok(worker)
}

/// Performs `command` until it is settled, and tells how often the append was refused.
pub(crate) fn perform<S: Store>(store: &S, worker: &mut Worker, command: Command) -> Result<u32, StoreError> {
    let mut refusals = 0;
    let mut append = worker.propose(Duration::ZERO, command);
    while let Some(sent) = append {
        append = match block_on(store.append(&sent))? {
            Appended::Accepted => {
                worker.accepted();
                None
            }
            Appended::Refused(newer) => {
                refusals += 1;
                match worker.refused(&newer) {
                    Refused::Again(append) => Some(append),
                    Refused::NothingLeft | Refused::WasAccepted(_) => None,
                }
            }
        };
    }
    Ok(refusals)
}

/// That the first token failed.
pub(crate) fn failure(pool: &Pool) -> Command {
    let token = pool.tokens().map(|(id, _)| id).min_by_key(|id| pool.token(*id).map(|t| t.fingerprint));
    outcome(token.expect("a pool has a token"))
}

pub(crate) fn outcome(token: TokenId) -> Command {
    let status = Status::new(503).expect("a status");
    Command::Outcome { token, status, attempt: Attempt::First }
}

/// What `worker` would append for a failure of the first token.
pub(crate) fn proposal(worker: &Worker) -> Append {
    let mut thinking = worker.clone();
    let command = failure(thinking.pool());
    thinking.propose(Duration::ZERO, command).expect("a failure is appended")
}

/// The fold of a whole log, each entry of which must follow.
pub(crate) fn fold(entries: &[Entry]) -> Result<Pool, String> {
    let mut pool = Pool::new(&config(3));
    for entry in entries {
        pool.try_apply(entry)
            .map_err(|(event, wrong)| format!("{}, event {event}: {wrong}", entry.version))?;
    }
    Ok(pool)
}

/// The failures counted for every token together.
pub(crate) fn failures(pool: &Pool) -> u32 {
    pool.tokens().map(|(_, token)| token.failures).sum()
}
