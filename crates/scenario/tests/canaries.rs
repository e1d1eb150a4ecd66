//! Targets over our gateway that are wrong, each in one small way: the comparison with the engine catches every one.
#![cfg(feature = "gateway")]

mod compare;

use std::path::Path;

use firedrill_failover::{Duration, Status};
use firedrill_scenario::{Action, Effect, GatewayTarget, History, PoolState, Refusal, Target};

/// What is wrong with a target.
#[derive(Copy, Clone, Debug)]
enum Wrong {
    /// Nothing.
    Nothing,
    /// What happens at once happens in another order.
    Backwards,
    /// No tick is ever performed when a step says so.
    SkipsTicks,
    /// A millisecond is lost whenever time passes.
    LosesTime,
    /// Whatever was answered, worker 1 hears of it.
    MixesWorkersUp,
    /// A failure is told twice.
    CountsTwice,
    /// What was appended last is not in the log.
    ForgetsTheEnd,
}

struct Canary {
    target: GatewayTarget,
    wrong: Wrong,
    cut: History,
}

impl Target for Canary {
    fn name(&self) -> &'static str {
        "canary"
    }

    fn act(&mut self, action: &Action) -> Result<Effect, Refusal> {
        match (self.wrong, action) {
            (Wrong::SkipsTicks, Action::Tick { .. }) => Ok(Effect::default()),
            (Wrong::LosesTime, Action::Advance(span)) => {
                let span = Duration::from_millis(span.as_millis().saturating_sub(1));
                self.target.act(&Action::Advance(span))
            }
            (Wrong::MixesWorkersUp, Action::Outcome { token, status, attempt, .. }) => {
                let (token, status, attempt) = (token.clone(), *status, *attempt);
                self.target.act(&Action::Outcome { worker: 1, token, status, attempt })
            }
            (Wrong::CountsTwice, Action::Outcome { status, .. }) if Status::new(503) == Some(*status) => {
                self.target.act(action)?;
                self.target.act(action)
            }
            _ => self.target.act(action),
        }
    }

    fn concurrently(&mut self, actions: &[Action]) -> Result<Vec<Effect>, Refusal> {
        match self.wrong {
            Wrong::Backwards => {
                let backwards: Vec<Action> = actions.iter().rev().cloned().collect();
                let mut effects = self.target.concurrently(&backwards)?;
                effects.reverse();
                Ok(effects)
            }
            _ => self.target.concurrently(actions),
        }
    }

    fn state(&mut self, worker: Option<u32>) -> Result<PoolState, Refusal> {
        if matches!(self.wrong, Wrong::ForgetsTheEnd) {
            self.cut = self.target.history()?.clone();
            self.cut.wire.pop();
        }
        self.target.state(worker)
    }

    fn history(&self) -> Result<&History, Refusal> {
        if self.cut.wire.is_empty() { self.target.history() } else { Ok(&self.cut) }
    }
}

#[track_caller]
fn check(file: &str, wrong: Wrong, caught: bool) {
    let path = format!("{}/../../scenarios/{file}", env!("CARGO_MANIFEST_DIR"));
    let scenario = compare::read(Path::new(&path)).expect("a good scenario");
    let target = GatewayTarget::new(&scenario, scenario.seed).expect("ports");
    let difference = compare::difference(&scenario, &mut Canary { target, wrong, cut: History::default() });
    assert_eq!(difference.is_some(), caught, "{wrong:?} in {file}: {difference:?}");
}

#[test]
fn another_order_is_caught() {
    check("workers/a-failure-and-a-success-at-once.yaml", Wrong::Backwards, true);
    check("workers/a-failure-and-a-success-at-once.yaml", Wrong::Nothing, false);
}

#[test]
fn a_tick_that_is_skipped_is_caught() {
    check("workers/only-the-holder-of-the-lease-probes.yaml", Wrong::SkipsTicks, true);
    check("workers/only-the-holder-of-the-lease-probes.yaml", Wrong::Nothing, false);
}

#[test]
fn a_millisecond_that_is_lost_is_caught() {
    check("cooldown/ticks-come-by-the-interval.yaml", Wrong::LosesTime, true);
    check("cooldown/ticks-come-by-the-interval.yaml", Wrong::Nothing, false);
}

#[test]
fn the_wrong_worker_and_a_wrong_count_are_caught() {
    let file = "workers/three-failures-at-a-threshold-of-two.yaml";
    check(file, Wrong::MixesWorkersUp, true);
    check("workers/a-worker-that-starts-again.yaml", Wrong::CountsTwice, true);
    check(file, Wrong::Nothing, false);
}

#[test]
fn a_log_without_its_end_is_caught() {
    check("start/cooldown.yaml", Wrong::ForgetsTheEnd, true);
}
