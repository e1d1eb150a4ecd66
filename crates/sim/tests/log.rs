//! The engine's own protocol: every schedule of small worlds, each held against every checker.

use firedrill_sim::explore::{Explored, exhaust};
use firedrill_sim::{
    Command, Faults, Occasion, Order, Profile, Property, Protocol, Setting, Step, Token, World, log,
    parse_schedule, reference, schedule_words,
};

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
        let schedule = schedule_words(&found.schedule);
        let replay = format!("firedrill explore --world '{setting}' --schedule '{schedule}'");
        panic!("after {} states:\n{told}replay it: {replay}", explored.states);
    }
    let Explored { schedules, states, steps, met, .. } = explored;
    println!("{schedules} schedules through {states} states and {steps} steps: {met}");
    explored
}

/// Every schedule on from here, one by one: how many there are. Nothing breaks in any, nor after its end.
fn one_by_one<P: Protocol>(world: &World<P>) -> u128 {
    assert_eq!(world.broken(), None);
    let steps = world.steps();
    let go_on = |step: &Step| {
        let mut next = world.clone();
        next.take(*step);
        one_by_one(&next)
    };
    if steps.is_empty() {
        assert_eq!(world.settle(), None);
        return 1;
    }
    steps.iter().map(go_on).sum()
}

#[test]
fn going_on_once_from_a_state_leaves_no_schedule_out() {
    let [lost, dead] =
        [(1, 0), (0, 1)].map(|(lost_replies, deaths)| Faults { lost_replies, deaths, ..Faults::default() });
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
    let worlds = [
        "tokens=a failure-threshold=3 away=1: a429 | a429",
        "tokens=a failure-threshold=2 away=1 lost-replies=1: a429 | tick",
        "tokens=a forgets=1: a429 | tick",
        "tokens=a failure-threshold=2 forgets=1: a429 | start",
        "tokens=a failure-threshold=2 forgets=2: a429",
        "tokens=a failure-threshold=2 forgets=1 lost-replies=1: a429",
        "tokens=a cooldown=8000 set-back=1 moments=8000: a429 | start tick",
        "tokens=a cooldown=0 health-check profile=higress: a204 tick probe-a200 | tick",
    ];
    let worlds = worlds.map(|world| world.parse::<Setting>().expect("a world"));
    for setting in settings.into_iter().chain(worlds) {
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
    assert!(explored.met.count(Occasion::Conflict) > 0, "{explored:?}");
}

#[test]
fn removals_and_recoveries_fall_in_any_order() {
    let programs =
        vec![vec![fails(A), Command::Tick, Command::Select], vec![fails(B), Command::Tick, Command::Select]];
    let setting = Setting { moments: vec![50, 100], ..Setting::new(2, programs) };
    let explored = check(&setting);
    assert!(
        explored.met.count(Occasion::Conflict) > 0
            && explored.met.count(Occasion::Fallback) > 0
            && explored.met.count(Occasion::Return) > 0,
        "{explored:?}"
    );
}

#[test]
fn what_an_operator_says_meets_everything_else() {
    use Order::{In, Out, Reset};
    let hand = |order| Command::Operate(A, order);
    let faults = |lost_replies, away, forgets| Faults { lost_replies, away, forgets, ..Faults::default() };
    let programs = [
        (vec![fails(A), hand(In)], vec![hand(Out), Command::Tick], faults(1, 0, 0)),
        (vec![fails(A), hand(Reset)], vec![fails(A), hand(Out)], faults(0, 0, 0)),
        (vec![hand(Out)], vec![hand(In), hand(Reset)], faults(0, 1, 0)),
        (vec![hand(Out)], vec![hand(In)], faults(0, 0, 1)),
        (vec![hand(Out), Command::Reconfigure(vec![B])], vec![hand(In)], faults(0, 1, 0)),
    ];
    let mut met = firedrill_sim::Sometimes::default();
    for (one, two, faults) in programs {
        let worlds = Setting { failure_threshold: 2, faults, ..Setting::new(2, vec![one, two]) };
        met.add(&check(&Setting { moments: vec![100], ..worlds }).met);
    }
    for occasion in
        [Occasion::Conflict, Occasion::Return, Occasion::Alone, Occasion::Again, Occasion::FoundedAnew]
    {
        assert!(met.count(occasion) > 0, "{occasion:?}: {met}");
    }
}

/// What is operated while probes are out, under the rules of either profile.
#[test]
fn an_operator_and_probes_do_not_get_in_each_others_way() {
    let hand = |order| Command::Operate(A, order);
    for profile in [Profile::Standard, Profile::Higress] {
        let programs = vec![
            vec![hand(Order::Out), Command::Tick, Command::ProbeAnswered(A, 200), hand(Order::Reset)],
            vec![hand(Order::In), Command::Tick, fails(A)],
        ];
        let setting = Setting {
            health_check: true,
            cooldown: 0,
            success_threshold: 2,
            profile,
            ..Setting::new(1, programs)
        };
        let explored = check(&Setting { moments: vec![5_000], ..setting });
        assert!(explored.met.count(Occasion::Return) > 0, "{explored:?}");
    }
}

#[test]
fn probes_leases_lost_replies_and_deaths() {
    let programs = vec![
        vec![fails(A), Command::Tick, Command::ProbeAnswered(A, 200)],
        vec![Command::Tick, Command::ProbeAnswered(A, 500), Command::Tick],
    ];
    let faults = Faults { lost_replies: 1, deaths: 1, ..Faults::default() };
    let setting = Setting {
        health_check: true,
        cooldown: 0,
        moments: vec![60_000],
        faults,
        ..Setting::new(1, programs)
    };
    let explored = check(&setting);
    let met = explored.met;
    assert!(
        met.count(Occasion::LeaseChanged) > 0
            && met.count(Occasion::LostReply) > 0
            && met.count(Occasion::Death) > 0,
        "{explored:?}"
    );
}

#[test]
fn starts_and_reloads_keep_what_others_did() {
    let programs = vec![
        vec![fails(A), Command::Start, fails(B)],
        vec![Command::Reconfigure(vec![B, Token(2)]), fails(B), Command::Tick],
    ];
    let setting = Setting { moments: vec![100], ..Setting::new(2, programs) };
    assert!(check(&setting).met.count(Occasion::Conflict) > 0);
}

#[test]
fn reloads_that_reset_forget_at_once_what_everyone_counted() {
    let programs = vec![
        vec![fails(A), fails(A), Command::Tick],
        vec![Command::Reconfigure(vec![A, B]), fails(A), Command::Start],
    ];
    let setting = Setting {
        failure_threshold: 2,
        reload_resets: true,
        moments: vec![100],
        ..Setting::new(2, programs)
    };
    let met = check(&setting).met;
    assert!(met.count(Occasion::Conflict) > 0 && met.count(Occasion::Return) > 0, "{met}");
}

#[test]
fn the_rules_of_the_reference_hold_on_our_log() {
    let programs = vec![
        vec![Command::Outcome(A, 204), Command::Tick, Command::Tick, Command::ProbeAnswered(A, 200)],
        vec![Command::Tick, Command::ProbeAnswered(A, 200), Command::ProbeAnswered(A, 201)],
    ];
    let setting = Setting {
        profile: Profile::Higress,
        success_threshold: 2,
        cooldown: 0,
        health_check: true,
        moments: vec![60_000],
        ..Setting::new(1, programs)
    };
    let met = check(&setting).met;
    assert!(met.count(Occasion::LeaseChanged) > 0 && met.count(Occasion::Return) > 0, "{met}");
}

/// Worker 1 takes the lease and is about to probe again when it falls asleep; worker 2 takes the lease over.
const SLEEPS: &str = "1b 1g 1g 1b 1g 1g c 1b c 2r 2b 2g 1g";

fn sleepers() -> Setting {
    let programs = vec![vec![fails(A), Command::Tick, Command::Tick], vec![Command::Tick]];
    Setting { health_check: true, cooldown: 0, moments: vec![59_999, 60_000], ..Setting::new(1, programs) }
}

#[test]
fn who_sleeps_through_its_lease_wakes_to_a_conflict() {
    assert!(check(&sleepers()).met.count(Occasion::Overslept) > 0);
    let mut world = World::<log::Shared>::new(&sleepers());
    assert_eq!(world.retake(&parse_schedule(SLEEPS).expect("a schedule")), Ok(()));
    assert_eq!(world.broken(), None);
}

#[test]
fn a_sleeper_whose_probes_are_accepted_is_found_out() {
    let setting = Setting { watch: vec![Property::OneProber], ..sleepers() };
    let mut world = World::<log::Careless>::new(&setting);
    assert_eq!(world.retake(&parse_schedule(SLEEPS).expect("a schedule")), Ok(()));
    assert_eq!(world.broken().map(|violation| violation.property), Some(Property::OneProber));
}

#[test]
fn replies_come_after_later_appends() {
    let faults = Faults { lost_replies: 1, ..Faults::default() };
    let programs = vec![vec![fails(A), fails(A)], vec![fails(A), succeeds(A)]];
    let met = check(&Setting { failure_threshold: 3, faults, ..Setting::new(2, programs) }).met;
    assert!(met.count(Occasion::LateReply) > 0 && met.count(Occasion::FoundInLog) > 0, "{met}");
}

#[test]
fn a_clock_that_is_set_back_matters_to_who_starts_only() {
    let faults = Faults { set_back: 2, ..Faults::default() };
    let programs = |second| vec![vec![fails(A), Command::Tick], vec![second, fails(B), Command::Tick]];
    let setting = |second| Setting {
        cooldown: 8_000,
        moments: vec![4_000, 8_000],
        faults,
        ..Setting::new(2, programs(second))
    };
    // Where nobody starts, nothing is early or late by a millisecond.
    assert_eq!(check(&setting(Command::Select)).met.count(Occasion::SetBack), 0);
    assert!(check(&setting(Command::Start)).met.count(Occasion::SetBack) > 0);
}

#[test]
fn a_store_that_is_away_loses_no_report() {
    let faults = Faults { away: 1, lost_replies: 1, ..Faults::default() };
    let programs = vec![vec![fails(A), Command::Select, fails(A)], vec![fails(A), Command::Tick]];
    let setting = Setting { failure_threshold: 2, moments: vec![100], faults, ..Setting::new(2, programs) };
    let met = check(&setting).met;
    assert!(met.count(Occasion::Alone) > 0 && met.count(Occasion::Again) > 0, "{met}");
}

#[test]
fn a_log_that_is_lost_is_founded_anew_once_and_no_report_is_lost() {
    let faults = Faults { forgets: 1, ..Faults::default() };
    let programs = vec![vec![fails(A), fails(A)], vec![fails(B), Command::Select]];
    let setting = Setting { failure_threshold: 3, faults, ..Setting::new(2, programs) };
    let met = check(&setting).met;
    assert!(met.count(Occasion::FoundedAnew) > 0 && met.count(Occasion::Again) > 0, "{met}");
    // Who starts while nothing is there founds a log of its own.
    let programs = vec![vec![fails(A), Command::Start], vec![fails(A)]];
    check(&Setting { failure_threshold: 3, faults, ..Setting::new(1, programs) });
}

#[test]
#[cfg_attr(debug_assertions, ignore = "made for an optimised build")]
fn three_workers_lose_their_log() {
    let faults = Faults { forgets: 1, ..Faults::default() };
    let programs = vec![vec![fails(A), fails(A)], vec![fails(A)], vec![fails(B)]];
    check(&Setting { failure_threshold: 3, faults, ..Setting::new(2, programs) });
    let programs = vec![vec![fails(A)], vec![fails(A), Command::Start], vec![Command::Start]];
    check(&Setting { failure_threshold: 3, faults, ..Setting::new(1, programs) });
}

/// Follows a schedule in words; gives the property that breaks at its end.
#[track_caller]
fn follow(world: &str, schedule: &str) -> Option<Property> {
    let setting: Setting = world.parse().expect("a world");
    let schedule = parse_schedule(schedule).expect("a schedule");
    let mut world = World::<log::Shared>::new(&setting);
    assert_eq!(world.retake(&schedule), Ok(()), "{}", World::<log::Shared>::tell(&setting, &schedule));
    world.broken().cloned().or_else(|| world.settle()).map(|violation| violation.property)
}

#[test]
fn what_was_in_flight_when_the_log_was_found_behind_is_not_counted_twice() {
    // The reply is lost, the store forgets everything, and another worker founds the log anew that has heard the append.
    let world = "tokens=a failure-threshold=3 lost-replies=1 forgets=1: a429 | a429";
    assert_eq!(follow(world, "1b 2b 2g 1g wipe 2l 1g 1g 1g 2g 1g 2g 2g 2g"), None);
}

#[test]
fn a_founding_that_buries_another_is_refused() {
    let world = "tokens=ab failure-threshold=2 forgets=1: b429 a429 | tick | start";
    assert_eq!(follow(world, "1b 3b 1g 2r 1g 1b wipe 1g 3g 1g 2r 1g 1g 2g 2g"), None);
}

/// A worker that slept through both founds the log from a fold that has what another is about to propose again.
#[test]
fn what_is_about_to_be_proposed_again_and_turns_up_is_not_counted_twice() {
    let world = "tokens=abc cooldown=0 forgets=2 health-check moments=59999: tick tick | tick | c429 a429";
    let schedule = "3b 3g 1r 1b 1g 2r 1g 3g 3b cut 3g 1r cut 1r 2r 2g 1g 1g c 1a";
    assert_eq!(follow(world, schedule), None);
}

/// What was refused by a log that was cut is in the one that another worker founds anew from before.
#[test]
fn what_was_refused_and_turns_up_is_not_counted_twice() {
    let world = "tokens=ab failure-threshold=3 lost-replies=1 forgets=2 profile=higress: b429 | a429 | a204";
    let schedule = "3b 1b 3g 2r cut 1g 3l 3g 2b 3g cut 2g 2g 2g 3g 3g";
    assert_eq!(follow(world, schedule), None);
}

#[test]
fn one_that_did_not_hear_that_it_founded_the_log_may_do_so_again() {
    let world = "tokens=a failure-threshold=2 lost-replies=1 forgets=2: a429 c429 | tick";
    assert_eq!(follow(world, "wipe 2r 2g 1r 1b 2l 1g 1g wipe 2g 1r 1g"), None);
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
    assert!(check(&setting).met.count(Occasion::Return) > 0);
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
    assert!(explored.schedules > 1_000_000 && explored.met.count(Occasion::Conflict) > 0, "{explored:?}");
}
