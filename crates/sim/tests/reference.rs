//! The canary: the defects of the reference's way of sharing state, each found with a schedule of the fewest steps. A
//! test fails if the explorer stops finding one, or finds another schedule.

use firedrill_sim::explore::{exhaust, fewest};
use firedrill_sim::{Command, Faults, Property, Setting, Token, World, log, reference};

const A: Token = Token(0);
const B: Token = Token(1);

fn fails(token: Token) -> Command {
    Command::Outcome(token, 429)
}

/// The shortest schedule that breaks `property` under the reference's protocol, in words; under ours nothing breaks, in
/// any schedule of the same programs.
#[track_caller]
fn check(property: Property, setting: &Setting) -> String {
    let watched = Setting { watch: vec![property], ..setting.clone() };
    let Some(found) = fewest::<reference::Shared>(&watched, 1_000_000) else {
        panic!("the explorer found nothing that breaks `{property}`");
    };
    assert_eq!(found.violation.property, property);
    let ours = exhaust::<log::Shared>(setting);
    assert_eq!(ours.found, None, "ours holds");
    World::<reference::Shared>::tell(&watched, &found.schedule)
}

#[test]
fn a_token_is_in_neither_list() {
    let told = check(Property::OneList, &Setting::new(2, vec![vec![fails(A)], vec![Command::Select]]));
    insta::assert_snapshot!(told);
}

#[test]
fn a_selection_draws_from_nothing() {
    let told = check(Property::DrawsSomething, &Setting::new(1, vec![vec![fails(A)], vec![Command::Select]]));
    insta::assert_snapshot!(told);
}

/// One removal among ten others.
fn crowded() -> Setting {
    let others: Vec<Command> = Token::first(11).into_iter().skip(1).map(fails).collect();
    Setting::new(11, vec![vec![fails(A)], others])
}

#[test]
fn a_token_is_lost_for_good() {
    insta::assert_snapshot!(check(Property::NothingLost, &crowded()));
}

#[test]
fn the_time_of_a_removal_is_lost_and_the_token_never_returns() {
    insta::assert_snapshot!(check(Property::Recovers, &crowded()));
}

#[test]
fn a_threshold_is_overshot() {
    let setting = Setting { failure_threshold: 2, ..Setting::new(2, vec![vec![fails(A)], vec![fails(A)]]) };
    insta::assert_snapshot!(check(Property::ThresholdHolds, &setting));
}

#[test]
fn a_start_wipes_the_state_of_another_worker() {
    let setting =
        Setting { failure_threshold: 2, ..Setting::new(2, vec![vec![fails(A)], vec![Command::Start]]) };
    insta::assert_snapshot!(check(Property::StartKeeps, &setting));
}

#[test]
fn a_token_returns_too_early_by_a_time_left_behind() {
    let programs =
        vec![vec![fails(A), Command::Tick, Command::ProbeAnswered(A, 200), fails(A)], vec![Command::Tick]];
    let setting = Setting { health_check: true, moments: vec![100], ..Setting::new(2, programs) };
    insta::assert_snapshot!(check(Property::CooldownHolds, &setting));
}

#[test]
fn a_count_left_over_takes_a_token_out_too_early() {
    let programs = vec![
        vec![fails(A), fails(A), Command::Tick, Command::ProbeAnswered(A, 200), fails(A)],
        vec![fails(A)],
    ];
    let setting =
        Setting { failure_threshold: 2, health_check: true, cooldown: 0, ..Setting::new(2, programs) };
    insta::assert_snapshot!(check(Property::RemovalEarned, &setting));
}

#[test]
fn a_dropped_token_comes_back_from_the_dead() {
    let programs = vec![
        vec![fails(A), Command::Reconfigure(vec![B])],
        vec![Command::Tick, Command::ProbeAnswered(A, 200)],
    ];
    let setting = Setting { health_check: true, cooldown: 0, ..Setting::new(2, programs) };
    insta::assert_snapshot!(check(Property::DroppedStaysOut, &setting));
}

#[test]
fn a_return_is_late_by_as_much_as_the_clock_was_set_back() {
    let faults = Faults { set_back: 1, ..Faults::default() };
    let setting = Setting { faults, ..Setting::new(1, vec![vec![fails(A), Command::Select]]) };
    insta::assert_snapshot!(check(Property::Recovers, &setting));
}
