//! A gateway that somebody else runs, the mock provider that it asks, and the time that both live by.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use firedrill_clock::Clock;
use firedrill_failover::{Duration, Failover, Instant};
use firedrill_provider::Player;
use firedrill_yaml::Problem;
use tokio::runtime::{Builder, Runtime};

use super::ask::{Seen, ask};
use super::settings::{Settings, Watch};
use super::target::UrlTarget;
use crate::run::{Run, Skipped, run};
use crate::scenario::Scenario;
use crate::target::Refusal;

/// A gateway that somebody else runs and has pointed at the mock provider, which stands here. One at a time plays with it.
pub struct Stranger {
    pub(super) settings: Settings,
    pub(super) watch: Box<dyn Watch>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) player: Player,
    runtime: Runtime,
    /// So long, of real time, its pool needs after the scenario before.
    pub(super) unrest: Duration,
    /// Tokens that it did not draw although it was given time.
    pub(super) absent: BTreeSet<String>,
}

/// How often it is asked whether a run should stop. Real time, whatever the clock says.
const GLANCE: std::time::Duration = std::time::Duration::from_millis(50);
/// How often it is told how long is still to be waited.
const TELL: Duration = Duration::from_secs(1);
/// What timers of a gateway may be late by.
const LATE: Duration = Duration::from_millis(300);

impl Stranger {
    /// Lets the mock provider listen. The gateway is not asked anything yet. Time is that of `clock`, which is real unless the
    /// gateway can be given another.
    ///
    /// # Errors
    /// If the port cannot be had.
    pub fn meet(settings: Settings, clock: impl Clock, watch: impl Watch + 'static) -> Result<Self, Problem> {
        let (clock, watch): (Arc<dyn Clock>, Box<dyn Watch>) = (Arc::new(clock), Box::new(watch));
        let cannot = |error: std::io::Error| Problem::new(format!("the mock provider cannot start: {error}"));
        // One thread of its own, so that the mock answers whatever else is done here.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(cannot)?;
        let player = {
            let _entered = runtime.enter();
            Player::open(settings.listen, settings.dialect, Arc::clone(&clock)).map_err(cannot)?
        };
        let (unrest, absent) = (Duration::ZERO, BTreeSet::new());
        Ok(Self { settings, watch, clock, player, runtime, unrest, absent })
    }

    /// Runs `scenario` against it; chance at the provider is drawn by `seed`.
    pub fn run(&mut self, scenario: &Scenario, seed: u64) -> Run {
        let mut target = UrlTarget::new(self, scenario, seed);
        let mut run = run(scenario, seed, &mut target);
        let (notes, troubled) = target.end();
        // A scenario has a step.
        for place in scenario.steps.iter().take(1).map(|step| step.place) {
            run.skipped.splice(0..0, notes.iter().map(|reason| Skipped { place, reason: reason.clone() }));
        }
        if troubled {
            self.unrest = self.recovery(scenario);
        }
        run
    }

    /// Where the mock provider listens.
    pub fn listens_at(&self) -> std::net::SocketAddr {
        self.player.address()
    }

    /// How long the pool of `scenario` needs, in real time, until a token that is out is back.
    pub(super) fn recovery(&self, scenario: &Scenario) -> Duration {
        let failover = scenario.config.policy().failover();
        let out = failover.and_then(Failover::cooldown).unwrap_or_default();
        let tick = failover.map(Failover::health_check_interval).unwrap_or_default();
        Duration::from_millis(
            self.settings
                .scale
                .of(Duration::from_millis(out.as_millis().saturating_add(tick.as_millis())))
                .as_millis()
                + LATE.as_millis(),
        )
    }

    /// Asks the gateway once, as a client.
    pub(super) fn ask(&self) -> Result<Seen, Refusal> {
        self.until_done(ask(&self.settings))
    }

    /// Asks it so often at once.
    pub(super) fn ask_at_once(&self, times: usize) -> Result<Vec<Seen>, Refusal> {
        self.until_done(async {
            let asked: Vec<_> = (0..times)
                .map(|_| {
                    let settings = self.settings.clone();
                    tokio::spawn(async move { ask(&settings).await })
                })
                .collect();
            let mut seen = Vec::new();
            for one in asked {
                seen.push(one.await.unwrap_or_else(|error| Seen::Nothing(error.to_string())));
            }
            seen
        })
    }

    /// Waits until `end`; a clock that is ours to move is moved.
    pub(super) fn wait(&self, why: &str, end: Instant) -> Result<(), Refusal> {
        if self.clock.advance(end.since(self.clock.now())).is_some() {
            return Ok(());
        }
        while self.clock.now() < end {
            let left = end.since(self.clock.now());
            self.watch.waits(&format!("{why}, {}s left", left.as_millis().div_ceil(1_000)));
            self.until_done(self.clock.wait_until(end.min(self.clock.now() + TELL)))?;
        }
        self.watch.waits("");
        Ok(())
    }

    /// Waits for what is done, unless the run should stop before.
    pub(super) fn until_done<T>(&self, done: impl Future<Output = T>) -> Result<T, Refusal> {
        self.runtime.block_on(async {
            let mut done = pin!(done);
            loop {
                tokio::select! {
                    biased;
                    done = &mut done => return Ok(done),
                    () = tokio::time::sleep(GLANCE) => {}
                }
                if self.watch.interrupted() {
                    return Err(Refusal::Unready(Problem::new("interrupted")));
                }
            }
        })
    }
}
