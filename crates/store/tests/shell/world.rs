//! Shells round workers on one log, with connections that fail on cue, under tokio's paused time.

use std::sync::Arc;
use std::time::Duration as Time;

use firedrill_failover::{
    Attempt, Command, Config, Duration, FailoverSettings, Fingerprint, Instant, Pool, Random, Settings,
    Status, Token, Worker, WorkerId,
};
use firedrill_store::{Drawn, Reach, Shell};
use tokio::task::JoinHandle;

use crate::faulty::Faulty;
use crate::hearing::Hearing;

/// More failures than a test reports.
pub(crate) const NEVER: u64 = 100_000_000;

/// A configuration of these tokens.
pub(crate) fn config(tokens: &[u64], threshold: u64) -> Config {
    made(tokens, threshold, |_| {})
}

pub(crate) fn made(tokens: &[u64], threshold: u64, change: impl FnOnce(&mut FailoverSettings)) -> Config {
    let token = |&n: &u64| Token { label: format!("token-{n}").into(), fingerprint: Fingerprint::new(n) };
    let mut failover = FailoverSettings {
        enabled: true,
        failure_threshold: threshold,
        cooldown_duration: 60_000,
        ..FailoverSettings::default()
    };
    change(&mut failover);
    let settings = Settings { failover, ..Settings::default() };
    Config::parse(tokens.iter().map(token).collect(), &settings).expect("a good configuration")
}

/// A shell at work, its connection, and what its observer hears.
pub(crate) struct Party {
    pub(crate) id: u64,
    pub(crate) shell: Shell,
    pub(crate) store: Arc<Faulty>,
    pub(crate) hearing: Hearing,
    pub(crate) driver: JoinHandle<()>,
    /// How many failures it reported.
    pub(crate) reported: u64,
    random: Random,
}

impl Party {
    /// Worker number `id` on `store`, which is to join with `config`.
    pub(crate) fn new(store: &Arc<Faulty>, id: u64, config: &Config) -> Self {
        let worker = Worker::new(WorkerId::new(id), Instant::from_millis(1_000_000), config);
        let hearing = Hearing::default();
        let start = tokio::time::Instant::now();
        let uptime =
            move || Duration::from_millis(u64::try_from(start.elapsed().as_millis()).expect("a short test"));
        let (shell, driver) = Shell::new(Arc::clone(store), worker, uptime, hearing.clone());
        shell.perform(Command::Join(config.clone()));
        let driver = tokio::spawn(driver.run());
        Self { id, shell, store: Arc::clone(store), hearing, driver, reported: 0, random: Random::new(id, 0) }
    }

    pub(crate) fn drawn(&mut self) -> Drawn {
        self.shell.select(&mut self.random)
    }

    /// Draws until it is token `n`.
    pub(crate) fn draws(&mut self, n: u64) -> Drawn {
        (0..10_000)
            .map(|_| self.drawn())
            .find(|drawn| drawn.fingerprint() == Fingerprint::new(n))
            .unwrap_or_else(|| panic!("token {n} is not drawn"))
    }

    pub(crate) fn never_draws(&mut self, n: u64) {
        assert!((0..1_000).all(|_| self.drawn().fingerprint() != Fingerprint::new(n)), "token {n} is drawn");
    }

    pub(crate) fn report(&mut self, drawn: Drawn, code: u16) {
        let status = Status::new(code).expect("a status");
        self.reported += u64::from(code >= 400);
        self.shell.report(drawn, status, Attempt::First);
    }

    /// Any token fails, `times` times.
    pub(crate) fn fails(&mut self, times: u64) {
        for _ in 0..times {
            let drawn = self.drawn();
            self.report(drawn, 503);
        }
    }

    pub(crate) async fn settled(&self) {
        let settled = tokio::time::timeout(Time::from_mins(10), self.shell.settled());
        settled.await.expect("settled in the end").expect("a driver");
    }

    pub(crate) fn is_away(&self) -> bool {
        matches!(self.shell.standing().reach, Reach::Away { .. })
    }

    pub(crate) fn failures(&self, n: u64) -> u64 {
        self.shell.look(|pool| {
            let id = pool.find_fingerprint(Fingerprint::new(n)).expect("a token");
            u64::from(pool.token(id).expect("a token").failures)
        })
    }
}

/// Time passes. It is paused, so that this is when everything has been done that could be done before.
pub(crate) async fn pass(millis: u64) {
    tokio::time::sleep(Time::from_millis(millis)).await;
}

/// Everyone has settled, and has heard what everyone else has: all folds are equal. Gives them.
pub(crate) async fn agree(parties: &[Party]) -> Pool {
    for _ in 0..2 {
        for party in parties {
            party.settled().await;
        }
        pass(3_000).await;
    }
    let pool = parties[0].shell.look(Pool::clone);
    for party in parties {
        assert!(party.shell.look(|other| *other == pool), "two workers have folded differently");
        assert_eq!(party.shell.standing().reach, Reach::Connected);
        assert_eq!(party.shell.standing().waiting, 0);
        let heard = party.hearing.so_far().fold.expect("something was heard");
        assert!(*heard.pool() == pool, "an observer has folded differently");
    }
    pool
}

pub(crate) fn counted(pool: &Pool) -> u64 {
    pool.tokens().map(|(_, token)| u64::from(token.failures)).sum()
}

pub(crate) fn reported(parties: &[Party]) -> u64 {
    parties.iter().map(|party| party.reported).sum()
}
