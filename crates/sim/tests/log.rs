//! The engine's own protocol: every schedule of small worlds, each held against every checker.

use firedrill_sim::explore::{Explored, exhaust};
use firedrill_sim::{Command, Faults, Protocol, Setting, Step, Token, World, log, reference};

const A: Token = Token(0);
const B: Token = Token(1);

fn fails(token: Token) -> Command {
    Command::Outcome(token, 429)
}

fn succeeds(token: Token) -> Command {
    Command::Outcome(token, 200)
}

/// Every schedule holds. Prints how many there were.
#[expect(clippy::print_stdout, reason = "the numbers are what the proof is worth")]
#[track_caller]
fn check(setting: &Setting) -> Explored {
    let explored = exhaust::<log::Shared>(setting);
    if let Some(found) = &explored.found {
        let told = World::<log::Shared>::tell(setting, &found.schedule);
        panic!("after {} states:\n{told}", explored.states);
    }
    let Explored { schedules, states, steps, met, .. } = explored;
    println!("{schedules} schedules through {states} states and {steps} steps: {met}");
    explored
}

/// Every schedule on from here, one by one: how many there are.
fn one_by_one<P: Protocol>(world: &World<P>) -> u128 {
    assert_eq!(world.broken(), None);
    let steps = world.steps();
    let go_on = |step: &Step| {
        let mut next = world.clone();
        next.take(*step);
        one_by_one(&next)
    };
    if steps.is_empty() { 1 } else { steps.iter().map(go_on).sum() }
}

#[test]
fn going_on_once_from_a_state_leaves_no_schedule_out() {
    let [lost, dead] = [(1, 0), (0, 1)].map(|(lost_replies, deaths)| Faults { lost_replies, deaths });
    let two = |one: &[Command], two: &[Command]| {
        let programs = vec![one.to_vec(), two.to_vec()];
        Setting { failure_threshold: 2, moments: vec![100], ..Setting::new(2, programs) }
    };
    let probed = [fails(A), Command::Tick, Command::ProbeAnswered(A, 200)];
    let settings = [
        Setting { faults: lost, moments: Vec::new(), ..two(&[fails(A), succeeds(A)], &[fails(A)]) },
        Setting { faults: dead, ..two(&[fails(A)], &[fails(A)]) },
        two(&[fails(A), succeeds(A)], &[fails(A), Command::Tick]),
        Setting { moments: Vec::new(), ..two(&[fails(A), Command::Start], &[fails(A)]) },
        Setting {
            moments: Vec::new(),
            ..two(&[fails(A), fails(B)], &[Command::Reconfigure(vec![B, Token(2)])])
        },
        Setting {
            failure_threshold: 1,
            health_check: true,
            ahead: vec![60_000, -5_000],
            ..two(&probed, &[Command::Tick])
        },
    ];
    for setting in settings {
        let explored = check(&setting);
        assert_eq!(explored.schedules, one_by_one(&World::<log::Shared>::new(&setting)), "{setting:?}");
        // The canary breaks everything, so nothing is watched.
        let setting = Setting { watch: Vec::new(), moments: Vec::new(), ..setting };
        let explored = exhaust::<reference::Shared>(&setting);
        if explored.schedules < 5_000 {
            assert_eq!(explored.schedules, one_by_one(&World::<reference::Shared>::new(&setting)));
        }
    }
}

#[test]
fn two_workers_count_one_outage() {
    let programs = vec![vec![fails(A), fails(A), fails(B)], vec![fails(A), succeeds(A), Command::Select]];
    let explored = check(&Setting { failure_threshold: 2, ..Setting::new(2, programs) });
    assert!(explored.met.conflicts > 0, "{explored:?}");
}

#[test]
fn removals_and_recoveries_fall_in_any_order() {
    let programs =
        vec![vec![fails(A), Command::Tick, Command::Select], vec![fails(B), Command::Tick, Command::Select]];
    let setting = Setting { moments: vec![50, 100], ..Setting::new(2, programs) };
    let explored = check(&setting);
    assert!(
        explored.met.conflicts > 0 && explored.met.fallbacks > 0 && explored.met.returns > 0,
        "{explored:?}"
    );
}

#[test]
fn probes_leases_lost_replies_and_deaths() {
    let programs = vec![
        vec![fails(A), Command::Tick, Command::ProbeAnswered(A, 200)],
        vec![Command::Tick, Command::ProbeAnswered(A, 500), Command::Tick],
    ];
    let faults = Faults { lost_replies: 1, deaths: 1 };
    let setting = Setting {
        health_check: true,
        cooldown: 0,
        moments: vec![60_000],
        faults,
        ..Setting::new(1, programs)
    };
    let explored = check(&setting);
    let met = explored.met;
    assert!(met.leases_changed > 0 && met.lost_replies > 0 && met.deaths > 0, "{explored:?}");
}

#[test]
fn starts_and_reloads_keep_what_others_did() {
    let programs = vec![
        vec![fails(A), Command::Start, fails(B)],
        vec![Command::Reconfigure(vec![B, Token(2)]), fails(B), Command::Tick],
    ];
    let setting = Setting { moments: vec![100], ..Setting::new(2, programs) };
    assert!(check(&setting).met.conflicts > 0);
}

#[test]
fn clocks_that_disagree_shorten_no_cooldown_by_more_than_they_disagree() {
    let programs = vec![vec![fails(A), Command::Tick], vec![fails(B), Command::Tick], vec![Command::Start]];
    let setting = Setting {
        cooldown: 8_000,
        ahead: vec![0, 5_000, -5_000],
        moments: vec![4_000, 8_000],
        ..Setting::new(2, programs)
    };
    assert!(check(&setting).met.returns > 0);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "made for an optimised build")]
fn three_workers_two_tokens_three_commands_each() {
    let programs = vec![
        vec![fails(A), fails(B), Command::Tick],
        vec![fails(A), Command::Tick, fails(B)],
        vec![fails(B), succeeds(A), fails(A)],
    ];
    let setting = Setting { failure_threshold: 2, moments: vec![100], ..Setting::new(2, programs) };
    let explored = check(&setting);
    assert!(explored.schedules > 1_000_000 && explored.met.conflicts > 0, "{explored:?}");
}
