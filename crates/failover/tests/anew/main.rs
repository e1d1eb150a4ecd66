//! A log that is wiped or cut under its workers: every order in which that can fall between what they send and hear, and in
//! which replies get lost. In the end all workers have one fold, and every failure that one of them reported is counted
//! once. Stores and workers that break their promise stand by, and must be found out.

mod store;
mod world;

use std::collections::BTreeSet;

use store::Broken;
use world::{Found, Plan, explore, sample};

/// Two workers with two failures each, and a log that is wiped once.
const TWO: Plan = Plan {
    workers: &[2, 2],
    together: false,
    wipes: 1,
    cuts: 0,
    lost_replies: 0,
    trims: false,
    broken: Broken::Nothing,
};

/// Three workers, of which one only listens, or sleeps.
const THREE: Plan = Plan { workers: &[1, 1, 0], ..TWO };

#[track_caller]
fn check(plan: &Plan, found: &Found) {
    assert_eq!(found.violations, BTreeSet::new(), "{plan:?}, {} interleavings", found.interleavings);
    assert!(found.founded > 0 && found.adopted > 0 && found.lost > 0, "{plan:?}: {found:?}");
}

#[track_caller]
fn all(plan: &Plan, least: u64) {
    let found = explore(plan);
    check(plan, &found);
    assert!(found.interleavings > least, "{plan:?}: {} interleavings", found.interleavings);
}

#[test]
fn a_log_that_is_wiped_is_founded_once_and_counts_exactly() {
    all(&TWO, 900);
    all(&Plan { trims: true, ..TWO }, 900);
    all(&Plan { together: true, ..TWO }, 90);
    all(&Plan { workers: &[1, 1], wipes: 2, ..TWO }, 900);
}

#[test]
fn a_log_that_is_cut_is_founded_once_or_gone_on_with() {
    all(&Plan { wipes: 0, cuts: 1, ..TWO }, 900);
    all(&Plan { wipes: 0, cuts: 1, together: true, ..TWO }, 10);
    all(&Plan { workers: &[2, 1], cuts: 1, ..TWO }, 900);
}

#[test]
fn a_reply_that_was_lost_with_the_log_counts_once() {
    let plan = Plan { workers: &[2, 1], lost_replies: 1, ..TWO };
    let found = explore(&plan);
    check(&plan, &found);
    assert!(found.was_accepted > 0, "an append was in another worker's log");
    all(&Plan { workers: &[1, 1], lost_replies: 2, ..TWO }, 900);
}

#[test]
fn three_workers_found_a_log_anew() {
    all(&THREE, 900);
}

#[test]
fn larger_worlds_hold_in_the_orders_that_are_drawn() {
    let large = Plan { workers: &[3, 2, 2], wipes: 2, cuts: 1, lost_replies: 2, ..TWO };
    for plan in [
        large,
        Plan { trims: true, ..large },
        Plan { together: true, ..large },
        Plan { workers: &[1, 1, 1], ..large },
        Plan { workers: &[2, 1, 0], cuts: 0, ..large },
        Plan { workers: &[2, 1], cuts: 0, ..large },
    ] {
        check(&plan, &sample(&plan, 150));
    }
}

#[test]
fn whoever_breaks_a_promise_is_found_out() {
    for broken in [Broken::FoundsForAll, Broken::KnowsNoNames, Broken::ForgetsLost, Broken::TakesLostTwice] {
        let plan = Plan { workers: &[2, 1], cuts: 1, broken, ..TWO };
        let found = explore(&plan);
        assert!(
            !found.violations.is_empty(),
            "{broken:?} went unnoticed in {} interleavings",
            found.interleavings
        );
    }
}
