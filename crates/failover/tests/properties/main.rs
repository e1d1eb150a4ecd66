//! The engine against the model: random configurations and command sequences, and after every command the same state.
//! The model is also made wrong on purpose, in many ways, and each way must be noticed.

#[path = "../model/mod.rs"]
mod model;
mod run;
mod selecting;
#[path = "../shown/mod.rs"]
mod shown;
mod snapshots;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use model::Mutation;
use run::{Scenario, run, scenario};

/// Proptest's usual generator takes half of the time in a debug build.
const RNG: RngAlgorithm = RngAlgorithm::XorShift;

/// A runner that gives the same scenarios every time.
fn fixed(config: Config) -> TestRunner {
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RNG))
}

/// How many cases a property takes; `PROPTEST_CASES` asks for more.
fn cases(usual: u32) -> Config {
    let asked = Config::default().cases;
    let cases = if asked == 256 { usual } else { asked };
    Config { cases, failure_persistence: None, rng_algorithm: RNG, ..Config::default() }
}

proptest! {
    #![proptest_config(cases(600))]

    /// See [`run::run`] for all that is compared after every command.
    #[test]
    fn the_engine_does_what_the_model_does(scenario in scenario()) {
        run(&scenario, None).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn one_run_gives_one_log_byte_for_byte(scenario in scenario()) {
        let (first, second) = (run(&scenario, None), run(&scenario, None));
        prop_assert_eq!(first, second);
    }
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn a_log_goes_on_from_the_snapshot_of_any_version(scenario in scenario()) {
        let log = run(&scenario, None).map_err(TestCaseError::fail)?;
        snapshots::reads_back(&log).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn a_snapshot_that_was_changed_is_refused_or_does_no_harm() {
    let mut runner = fixed(Config::default());
    let mut draw = || scenario().new_tree(&mut runner).expect("a scenario").current();
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..25 {
        let counts = snapshots::hostile(&run(&draw(), None).expect("a good run"));
        (accepted, refused) = (accepted + counts.0, refused + counts.1);
    }
    assert!(accepted > 500 && refused > 2_000, "{accepted} accepted, {refused} refused");
}

/// The first scenario that `wrong` makes a difference in, of those that one seed gives.
fn noticed(wrong: Mutation) -> Option<String> {
    let config =
        Config { cases: 20_000, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut runner = fixed(config);
    let property = |scenario: Scenario| run(&scenario, Some(wrong)).map(drop).map_err(TestCaseError::fail);
    runner.run(&scenario(), property).err().map(|failure| failure.to_string())
}

#[test]
fn every_wrong_model_is_noticed() {
    let unnoticed: Vec<Mutation> =
        Mutation::ALL.into_iter().filter(|wrong| noticed(*wrong).is_none()).collect();
    assert_eq!(unnoticed, [], "the properties have no teeth for these");
}

#[test]
fn one_seed_gives_the_same_scenarios_and_the_same_logs() {
    let logs = || {
        let mut runner = fixed(Config::default());
        let mut draw = || scenario().new_tree(&mut runner).expect("a scenario").current();
        (0..20).map(|_| run(&draw(), None).expect("a good run")).collect::<Vec<String>>()
    };
    assert_eq!(logs(), logs());
}

/// A property that never meets what it is about proves nothing.
#[test]
fn the_runs_meet_everything_that_can_happen() {
    let mut runner = fixed(Config::default());
    let mut draw = || scenario().new_tree(&mut runner).expect("a scenario").current();
    let logs: String = (0..600).map(|_| run(&draw(), None).expect("a good run")).collect();
    for event in [
        "\"configured\"",
        "\"failed\"",
        "\"removed\"",
        "\"none_available\"",
        "\"succeeded\"",
        "\"cooldown\"",
        "\"health_check\"",
        "\"lease_taken\"",
        "\"probe_sent\"",
        "\"probe_passed\"",
        "\"probe_failed\"",
        "\"status\":\"connect\"",
        "\"status\":\"timeout\"",
        "\"status\":\"reset\"",
        "\"answer\":\"timeout\"",
        "\"answer\":\"reset\"",
        "\"failoverOnStatus\":\"429,timeout\"",
        "\"reset\":true",
        "\"reset\":false",
        "\"higress\"",
        "\"standard\"",
    ] {
        let met = logs.matches(event).count();
        assert!(met >= 10, "{event} is met {met} times");
    }
}
