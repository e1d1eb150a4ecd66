//! The schedules of small scenarios: none is left out, the one that a run goes on from is among them, and a log that
//! breaks its promise is found out where that one alone would not.

use std::collections::BTreeSet;

use firedrill_failover::{Attempt, Command, Duration, Status};
use firedrill_sim::schedule::{Scheduled, exhaust};
use firedrill_yaml::Source;

use super::{AtOnce, Broken, Step, explore};
use crate::account::Wrong;
use crate::always::Invariant;
use crate::engine::EngineTarget;
use crate::scenario::{Action, Expectation, Scenario, StepKind};
use crate::target::{Effect, PoolState, Target};

const KEEPS_ITS_PROMISE: fn(u64, u64) -> bool = |expected, newest| expected == newest;

/// Takes in what was decided on an older version, as a store without compare-and-set does.
const CARELESS: fn(u64, u64) -> bool = |_, _| true;

type Items = Vec<(Action, Option<Expectation>)>;

/// The target as `steps` leave it, in front of what they do at once, which stands last.
fn before(top: &str, steps: &str) -> (EngineTarget, Items) {
    let text = format!("scenario: several things at once\n{top}\nsteps:\n{steps}");
    let scenario = Scenario::parse(&Source::new("test.yaml", text)).expect("a good scenario");
    let mut target = EngineTarget::new(&scenario, 7);
    for step in &scenario.steps {
        match &step.kind {
            StepKind::Act { action, times, .. } => {
                (0..*times).for_each(|_| drop(target.act(action).expect("it can be done")));
            }
            StepKind::Concurrently(items) => return (target, items.clone()),
            StepKind::Expect(_) | StepKind::Always(_) => {}
        }
    }
    panic!("nothing is done at once");
}

fn beginning(top: &str, steps: &str, admits: fn(u64, u64) -> bool) -> AtOnce {
    let (mut target, items) = before(top, steps);
    target.beginning(&items, &Invariant::ALL, admits).expect("it can begin")
}

/// How a schedule ends: the log's fold, and what came of every action.
fn end(state: &AtOnce) -> String {
    let fold = &state.folds[state.appended.len()].state;
    let trips = state.actors.iter().flat_map(|actor| &actor.tasks);
    let trips: Vec<_> = trips.map(|task| (&task.draws, task.trip.as_ref().map(|trip| trip.last))).collect();
    format!("{fold:?} {trips:?} {:?}", state.told)
}

/// Every schedule, one by one: how many there are, and how they end.
fn one_by_one(state: &AtOnce, ends: &mut BTreeSet<String>) -> u128 {
    assert_eq!(state.broken(), None);
    let steps = state.steps();
    if steps.is_empty() {
        assert_eq!(state.broken_in_the_end(), None);
        ends.insert(end(state));
        return 1;
    }
    let mut schedules = 0;
    for step in steps {
        let mut next = state.clone();
        next.take(&step);
        schedules += one_by_one(&next, ends);
    }
    schedules
}

/// The schedule that a run goes on from: all decide; then the appends arrive in order, each with what comes of it.
fn in_order(beginning: &AtOnce) -> AtOnce {
    let mut state = beginning.clone();
    loop {
        let steps = state.steps();
        let begin = |step: &&Step| matches!(step, Step::Begin(..));
        let go_on = |step: &&Step| matches!(step, Step::GoOn(_));
        let read = |step: &&Step| matches!(step, Step::Read(_));
        // A worker that has heard something else begins only after it has heard everything.
        let begins = !steps.iter().any(|step| matches!(step, Step::Read(_)));
        let step = steps.iter().find(begin).filter(|_| begins);
        let step = step.or_else(|| steps.iter().find(go_on)).or_else(|| steps.iter().find(read));
        let Some(step) = step else { return state };
        state.take(step);
    }
}

const TWO: &str = "workers: 2\nprovider: { apiTokens: [sk-a, sk-b], failover: { enabled: true, failureThreshold: 2, \
                   cooldownDuration: 100 } }";
const PROBED: &str = "workers: 2\nprovider: { apiTokens: [sk-a, sk-b], failover: { enabled: true, failureThreshold: \
                      1, healthCheckModel: probe } }\nupstream: { sk-a: [503, 200] }";
const RETRIED: &str = "workers: 2\nprovider: { apiTokens: [sk-a, sk-b, sk-c], failover: { enabled: true, \
                       failureThreshold: 1, cooldownDuration: 100 }, retryOnFailure: { enabled: true, maxRetries: 2 \
                       } }\nupstream: { default: [503, 503, 200] }";

const SMALL: [(&str, &str); 7] = [
    (
        TWO,
        "  - concurrently: [outcome: { worker: 1, token: sk-a, status: 503 }, outcome: { worker: 2, token: sk-a, status: 503 }]",
    ),
    // Two that send the same, and one of them has more to do: whose append it was matters.
    (
        TWO,
        "  - concurrently:
      - outcome: { worker: 1, token: sk-a, status: 503 }
      - outcome: { worker: 1, token: sk-b, status: 503 }
      - outcome: { worker: 2, token: sk-a, status: 503 }",
    ),
    (
        TWO,
        "  - outcome: { token: sk-a, status: 503 }
  - concurrently:
      - outcome: { worker: 1, token: sk-a, status: 503 }
      - outcome: { worker: 2, token: sk-a, status: 200 }
      - outcome: { worker: 1, token: sk-b, status: 503, expect: { events: [] } }
      - request: { worker: 2, draws: sk-b }",
    ),
    (
        PROBED,
        "  - outcome: { token: sk-a, status: 503 }\n  - concurrently: [tick: { worker: 1 }, tick: { worker: 2 }]",
    ),
    (
        PROBED,
        "  - outcome: { token: sk-a, status: 503 }
  - concurrently: [tick: { worker: 1 }, outcome: { worker: 2, token: sk-b, status: 503 }]",
    ),
    (RETRIED, "  - concurrently: [request: { worker: 1 }, outcome: { worker: 2, token: sk-b, status: 503 }]"),
    (RETRIED, "  - concurrently: [request: { worker: 1, draws: sk-a }, request: { worker: 1, draws: sk-b }]"),
];

#[test]
fn going_on_once_from_a_state_leaves_no_schedule_out() {
    for (top, steps) in SMALL {
        // What differs in the end by its events only is not asked for here.
        let steps = steps.replace(", expect: { events: [] }", "");
        let beginning = beginning(top, &steps, KEEPS_ITS_PROMISE);
        let mut met = BTreeSet::new();
        let exhausted = exhaust(
            &beginning,
            |_| true,
            |state| {
                if state.steps().is_empty() {
                    met.insert(end(state));
                }
            },
        );
        let mut ends = BTreeSet::new();
        let schedules = one_by_one(&beginning, &mut ends);
        assert!(exhausted.found.is_none() && schedules > 1, "{steps}\n{exhausted:?}");
        assert_eq!((exhausted.schedules, met), (schedules, ends), "{steps}");
    }
}

#[test]
fn the_schedule_that_a_run_goes_on_from_is_one_of_them() {
    for (top, steps) in SMALL {
        let (mut target, items) = before(top, steps);
        let beginning = target.beginning(&items, &[], KEEPS_ITS_PROMISE).expect("it can begin");
        let mut ends = BTreeSet::new();
        exhaust(
            &beginning,
            |_| true,
            |state| {
                if state.steps().is_empty() {
                    let clients: Vec<Client> = (0..items.len()).map(|item| client(state, item)).collect();
                    ends.insert(told(&state.folds[state.appended.len()].state, &clients));
                }
            },
        );
        let actions: Vec<Action> = items.into_iter().map(|(action, _)| action).collect();
        let effects = target.concurrently(&actions).expect("it can be done");
        let state = target.state(None).expect("an engine tells");
        let clients: Vec<Client> =
            effects.into_iter().map(|Effect { draws, statuses, .. }| (draws, statuses)).collect();
        let told = told(&state, &clients);
        assert!(ends.contains(&told), "{steps}\n{told}\nis not one of\n{ends:#?}");
    }
}

/// The tokens drawn for a client, and the statuses that it got.
type Client = (Vec<(String, bool)>, Vec<Status>);

/// What a client sees of one of the things that are done at once.
fn client(state: &AtOnce, item: usize) -> Client {
    let tasks = state.actors.iter().flat_map(|actor| &actor.tasks).filter(|task| task.item == item);
    let (mut draws, mut statuses) = (Vec::new(), Vec::new());
    for task in tasks {
        draws.extend(task.draws.clone());
        statuses.extend(task.trip.iter().filter_map(|trip| trip.last).map(|answer| answer.status));
    }
    (draws, statuses)
}

fn told(state: &PoolState, clients: &[Client]) -> String {
    format!("{state:?} {clients:?}")
}

/// Whatever else the log does, going through schedules leaves the target as it was.
#[test]
fn what_is_explored_changes_nothing() {
    for (top, steps) in SMALL {
        let ((mut one, items), (mut other, _)) = (before(top, steps), before(top, steps));
        let explored =
            one.schedules(&items, &Invariant::ALL).expect("it can be asked").expect("an engine can");
        assert!(explored.all, "{explored:?}");
        let actions: Vec<Action> = items.into_iter().map(|(action, _)| action).collect();
        assert_eq!(one.concurrently(&actions), other.concurrently(&actions), "{steps}");
        assert_eq!(one.history(), other.history(), "{steps}");
    }
}

/// A failure and a success at once: appended in this order the two follow on each other, whatever they were decided on.
const RACE: &str = "  - outcome: { token: sk-a, status: 503 }
  - concurrently:
      - outcome: { worker: 1, token: sk-a, status: 503 }
      - outcome: { worker: 2, token: sk-a, status: 200 }";

#[test]
fn a_careless_log_is_found_out_where_the_order_of_the_list_shows_nothing() {
    let beginning = beginning(TWO, RACE, CARELESS);
    let end = in_order(&beginning);
    assert_eq!((end.broken(), end.broken_in_the_end()), (None, None), "in order nothing is wrong");
    let schedule = explore(&beginning, 0).broken.expect("it is found out");
    let threshold = "version 4: sk-a was removed after 1 of 2 failures".to_owned();
    let wrong = Wrong { invariant: Invariant::LeavesAtThreshold, seen: threshold };
    assert_eq!(schedule.broken, Broken::Always(wrong));
    insta::assert_snapshot!(schedule.steps.join("\n"));
    let keeps = explore(&self::beginning(TWO, RACE, KEEPS_ITS_PROMISE), 0);
    assert!(keeps.broken.is_none() && keeps.all);
}

/// Ten things at once on one token, so that there are too many states.
fn crowd(top: &str, last: &str) -> (String, String) {
    let outcome = |worker| format!("      - outcome: {{ worker: {worker}, token: sk-b, status: 503 }}\n");
    let outcomes = (1..=9).map(outcome).collect::<Vec<_>>().concat();
    let steps = format!("  - outcome: {{ token: sk-a, status: 503 }}\n  - concurrently:\n{outcomes}{last}");
    (top.replace("workers: 2", "workers: 12").replace("failureThreshold: 2", "failureThreshold: 20"), steps)
}

#[test]
fn where_there_are_too_many_states_schedules_are_drawn_from_the_seed() {
    let (top, steps) = crowd(TWO, "      - tick: { worker: 10 }");
    let explored = [1, 1, 2].map(|seed| explore(&beginning(&top, &steps, KEEPS_ITS_PROMISE), seed));
    assert!(explored.iter().all(|explored| !explored.all && explored.broken.is_none()), "{explored:?}");
    assert_eq!(explored[0], explored[1]);
    // A count is lost whenever two are decided on one version.
    let count = "      - outcome: { worker: 10, token: sk-b, status: 503, expect: { failureCounts: { sk-a: 1, sk-b: 10 } } }";
    let (top, steps) = crowd(TWO, count);
    let keeps = explore(&beginning(&top, &steps, KEEPS_ITS_PROMISE), 1);
    assert!(keeps.broken.is_none() && !keeps.all, "{keeps:?}");
    let careless = explore(&beginning(&top, &steps, CARELESS), 1).broken.expect("a count is lost");
    assert!(matches!(careless.broken, Broken::Expected(..)), "{careless:?}");
}

#[test]
fn a_token_that_cannot_be_drawn_in_another_order_is_told_with_its_schedule() {
    let steps = "  - concurrently: [request: { worker: 1, draws: [sk-a, sk-b] }, outcome: { worker: 2, token: sk-b, status: 503 }]";
    let top = RETRIED.replace("maxRetries: 2", "maxRetries: 1").replace("[503, 503, 200]", "[503, 200]");
    let schedule = explore(&beginning(&top, steps, KEEPS_ITS_PROMISE), 0).broken.expect("sk-b may be out");
    let reason = "sk-b cannot be drawn: it is unavailable while another is available".to_owned();
    assert_eq!(schedule.broken, Broken::Impossible(reason));
    insta::assert_snapshot!(schedule.steps.join("\n"));
}

#[test]
fn a_fold_that_is_not_what_the_log_says_is_found_in_the_state_in_which_it_is_so() {
    let mut state = beginning(TWO, RACE, KEEPS_ITS_PROMISE);
    state.check_fold(0);
    assert_eq!(state.broken(), None);
    // The first worker folds what it only proposed.
    let worker = &mut state.actor(0).worker;
    let token = worker.pool().find("sk-a").expect("it is configured");
    let status = Status::new(503).expect("a status");
    let outcome = Command::Outcome { token, status, attempt: Attempt::First };
    assert!(worker.propose(Duration::ZERO, outcome).is_some());
    worker.accepted();
    state.check_fold(0);
    let seen = "worker 1 knows otherwise than the log at version 3".to_owned();
    let wrong = Wrong { invariant: Invariant::WorkersAgree, seen };
    assert_eq!(state.broken(), Some(Broken::Always(wrong)));
}
