//! Every way in which a log can be wrong is found.

use super::*;
use crate::command::{Command, Order, Token};
use crate::setting::Profile;
use crate::view::View;

const A: Token = Token(0);

fn appended(by: u64, version: u64, at: u64, command: Command, deeds: Vec<Deed>) -> Fact {
    let decided_on = version - 1;
    Fact::Appended { epoch: 0, version, decided_on, at, by, command, probe: None, tag: (by, version), deeds }
}

fn failed() -> Command {
    Command::Outcome(A, 429)
}

fn setting() -> Setting {
    Setting { failure_threshold: 2, health_check: true, ..Setting::new(1, Vec::new()) }
}

fn higress() -> Setting {
    Setting { profile: Profile::Higress, success_threshold: 2, cooldown: 0, ..setting() }
}

fn hear(setting: &Setting, facts: &[Fact]) -> Vec<Option<Property>> {
    let mut audit = Audit::new(setting);
    let first = |wrong: Vec<Violation>| wrong.first().map(|violation| violation.property);
    facts.iter().map(|fact| first(audit.hear(setting, fact))).collect()
}

/// Hears `facts`; only the last is wrong, and with what.
#[track_caller]
fn check(facts: &[Fact], expect: Property) {
    let heard = hear(&setting(), facts);
    let (last, before) = heard.split_last().expect("facts");
    assert!(before.iter().all(Option::is_none), "{heard:?}");
    assert_eq!(*last, Some(expect));
}

fn out() -> [Fact; 2] {
    let removed = vec![Deed::Removed(A, 2), Deed::NoneAvailable];
    [appended(1, 2, 0, failed(), vec![Deed::Failed(A, 1)]), appended(2, 3, 0, failed(), removed)]
}

#[test]
fn a_count_that_was_missed_is_found() {
    let [first, _] = out();
    check(&[first, appended(2, 3, 0, failed(), vec![Deed::Failed(A, 1)])], Property::Sequential);
}

#[test]
fn a_removal_before_its_threshold_is_found() {
    check(
        &[appended(1, 2, 0, failed(), vec![Deed::Removed(A, 1), Deed::NoneAvailable])],
        Property::Sequential,
    );
}

#[test]
fn what_an_operator_did_not_say_is_found() {
    let hand = |order| Command::Operate(A, order);
    let out = || appended(1, 2, 0, hand(Order::Out), vec![Deed::TakenOut(A), Deed::NoneAvailable]);
    let back = |order, deed| appended(2, 3, 0, hand(order), vec![deed]);
    assert_eq!(hear(&setting(), &[out(), back(Order::In, Deed::PutBack(A))]), [None, None]);
    check(&[out(), back(Order::Reset, Deed::PutBack(A))], Property::Sequential);
    check(&[out(), back(Order::Out, Deed::TakenOut(A))], Property::Sequential);
    check(&[appended(1, 2, 0, hand(Order::Out), vec![Deed::TakenOut(A)])], Property::Sequential);
    check(&[appended(1, 2, 0, hand(Order::Reset), vec![Deed::Reset(A)])], Property::Sequential);
}

#[test]
fn a_second_removal_is_found() {
    let [first, second] = out();
    let third = appended(3, 4, 0, failed(), vec![Deed::Removed(A, 2), Deed::NoneAvailable]);
    check(&[first, second, third], Property::Sequential);
}

#[test]
fn a_return_before_its_cooldown_is_found() {
    let [first, second] = out();
    check(
        &[first, second, appended(1, 4, 99, Command::Tick, vec![Deed::CooledDown(A)])],
        Property::Sequential,
    );
}

#[test]
fn a_failure_that_was_dropped_is_found() {
    let idle = Fact::Idle { epoch: 0, version: 1, at: 0, by: 1, command: failed(), probe: None, tag: (1, 1) };
    check(&[idle], Property::Sequential);
}

#[test]
fn a_version_that_was_skipped_is_found() {
    check(&[appended(1, 3, 0, failed(), vec![Deed::Failed(A, 1)])], Property::NothingStale);
}

#[test]
fn a_fold_that_differs_is_found() {
    let [first, _] = out();
    let view = View { available: vec![A], ..View::default() };
    check(&[Fact::Folded(0, 1, view.clone()), first, Fact::Folded(0, 2, view)], Property::FoldsTheLog);
    check(&[Fact::Folded(0, 2, View::default())], Property::FoldsTheLog);
}

#[test]
fn two_that_probe_in_one_lease_are_found() {
    let [first, second] = out();
    let probes = |number| vec![Deed::LeaseTaken(60_000), Deed::ProbeSent(A, number)];
    let tick = |by, version, at, deeds| appended(by, version, at, Command::Tick, deeds);
    // The cooldown is 100 ms: nothing is due yet.
    let facts = [first, second, tick(1, 4, 0, probes(1)), tick(2, 5, 99, probes(2))];
    check(&facts, Property::OneProber);
}

/// Worker 1 was answered by probe `probe`, as version `version`.
fn answered(version: u64, probe: u64, status: u16, deed: Deed) -> Fact {
    Fact::Appended {
        epoch: 0,
        version,
        decided_on: version - 1,
        at: 0,
        by: 1,
        command: Command::ProbeAnswered(A, status),
        probe: Some(probe),
        tag: (1, version),
        deeds: vec![deed],
    }
}

#[test]
fn the_rules_of_the_reference_are_told_from_ours() {
    let [first, second] = out();
    let tick = |version, deeds| appended(1, version, 0, Command::Tick, deeds);
    let first_probe = tick(4, vec![Deed::LeaseTaken(60_000), Deed::ProbeSent(A, 1)]);
    let second_probe = tick(5, vec![Deed::ProbeSent(A, 2)]);
    // A second probe while one is out, a failure that keeps the successes, a success for a token that is back.
    let facts = [
        first,
        second,
        first_probe,
        second_probe,
        tick(6, vec![Deed::ProbeSent(A, 3)]),
        tick(7, vec![Deed::ProbeSent(A, 4)]),
        answered(8, 1, 200, Deed::ProbePassed(A, 1, 1)),
        answered(9, 2, 201, Deed::ProbeFailed(A, 2, 1)),
        answered(10, 3, 200, Deed::Healthy(A, 3)),
        answered(11, 4, 200, Deed::ProbePassed(A, 4, 1)),
    ];
    assert_eq!(hear(&higress(), &facts), [None; 10]);
    let ours = Setting { profile: Profile::Standard, ..higress() };
    assert_eq!(hear(&ours, &facts)[3], Some(Property::Sequential));
}

#[test]
fn a_status_that_only_the_reference_takes_for_a_failure_is_counted_there() {
    let counted = appended(1, 2, 0, Command::Outcome(A, 204), vec![Deed::Failed(A, 1)]);
    assert_eq!(hear(&higress(), core::slice::from_ref(&counted)), [None]);
    assert_eq!(hear(&setting(), &[counted]), [Some(Property::Sequential)]);
}

#[test]
fn a_reload_that_resets_must_and_one_that_keeps_must_not() {
    let [first, _] = out();
    let reload =
        |reset| appended(1, 3, 0, Command::Reconfigure(vec![A]), vec![Deed::Configured(vec![A], reset)]);
    let resets = Setting { reload_resets: true, ..setting() };
    let check = |setting: &Setting, reset, expect| {
        assert_eq!(hear(setting, &[first.clone(), reload(reset)]), [None, expect]);
    };
    check(&resets, true, None);
    check(&resets, false, Some(Property::Sequential));
    check(&setting(), true, Some(Property::Sequential));
    // What was counted is forgotten: the next failure is the first.
    let again = appended(2, 4, 0, failed(), vec![Deed::Failed(A, 2)]);
    assert_eq!(
        hear(&resets, &[first.clone(), reload(true), again]),
        [None, None, Some(Property::Sequential)]
    );
}

#[test]
fn a_command_that_is_in_the_log_twice_is_found() {
    let [first, Fact::Appended { epoch, version, decided_on, at, by, command, probe, deeds, .. }] = out()
    else {
        panic!("two appends");
    };
    // The second says what follows, and it is what worker 1 has said before.
    let tag = (1, 2);
    let again = Fact::Appended { epoch, version, decided_on, at, by, command, probe, tag, deeds };
    check(&[first, again], Property::CountedOnce);
}

#[test]
fn a_log_that_is_founded_anew_twice_for_one_loss_is_found() {
    let anew = |by| Fact::FoundedAnew { by, proposal: 3, from: (0, 1), configured: vec![A] };
    let lost = || Fact::Forgotten { kept: 0 };
    assert_eq!(hear(&setting(), &[lost(), anew(1), lost(), anew(2)]), [None; 4]);
    check(&[lost(), anew(1), anew(2)], Property::FoundedOnce);
}

/// Whether a report of worker 1 is missing in the end.
fn misses(facts: &[Fact]) -> bool {
    let mut audit = Audit::new(&setting());
    for fact in facts {
        assert_eq!(audit.hear(&setting(), fact), []);
    }
    assert_eq!(audit.missing(&[2]), None, "nothing is asked of who is dead");
    audit.missing(&[1]).is_some()
}

#[test]
fn a_report_that_is_lost_with_its_log_or_was_never_proposed_is_found() {
    let [first, _] = out();
    let lost = || Fact::Forgotten { kept: 1 };
    let again = |tag, deed| Fact::Appended {
        epoch: 1,
        version: 2,
        decided_on: 1,
        at: 0,
        by: 1,
        command: failed(),
        probe: None,
        tag,
        deeds: vec![deed],
    };
    assert!(!misses(core::slice::from_ref(&first)));
    assert!(misses(&[first.clone(), lost()]));
    assert!(!misses(&[first, lost(), again((1, 2), Deed::Failed(A, 1))]));
    let owed = || Fact::Owed((1, 7));
    assert!(misses(&[owed()]));
    // One that changes nothing when the store is back is done.
    let tick =
        Fact::Idle { epoch: 0, version: 1, at: 0, by: 1, command: Command::Tick, probe: None, tag: (1, 7) };
    assert!(!misses(&[owed(), tick]));
}
