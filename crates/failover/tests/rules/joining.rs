//! How workers come to share a log.

use firedrill_failover::{
    Appended, Attempt, Command, Configured, Duration, Event, Instant, Log as _, MemoryLog, Pool, Refused,
    Status, Version, Worker, WorkerId,
};

use crate::script::{check, config, lists, status};

#[test]
fn joining_with_the_same_configuration_resets_nothing() {
    for profile in ["", "; higress", "; onReload reset"] {
        let rules = format!("a b; failureThreshold 2; cooldownDuration 100{profile}");
        check(
            &rules,
            &format!(
                "a 429
                 a 429           => b | a@0
                 b 429           => b:1 | a@0
                 w2 join         => nothing
                 w2 join {rules} => nothing
                 w3 join {}      => nothing
                 w2 b 429        => | a@0 b@0",
                rules.replace("a b", "b a")
            ),
        );
    }
}

#[test]
fn joining_with_another_configuration_loads_it() {
    check(
        "a b; failureThreshold 2; cooldownDuration 100",
        "a 429                                                 => a:1 b |
         w2 join a c; failureThreshold 2; cooldownDuration 100 => a:1 c | ! configured
         a 429                                                 => c | a@0",
    );
    check(
        "a b; higress; failureThreshold 2; cooldownDuration 100",
        "a 429                                                          => a:1 b |
         w2 join a b; higress; failureThreshold 2; cooldownDuration 101 => a b | ! configured, reset",
    );
}

#[test]
fn joining_under_another_profile_forgets_everything() {
    let rest = "failureThreshold 2; cooldownDuration 100";
    check(
        &format!("a b; {rest}"),
        &format!(
            "a 429
             a 429                                          => b | a@0
             w2 join a b; higress; onReload keep; {rest}    => a b | ! configured, reset
             w2 b 429                                       => a b:1 |
             w3 join a b; {rest}                            => a b | ! configured, reset"
        ),
    );
}

/// Two workers that both found the log and hear of each other afterwards.
fn founding_at_once(one: &str, two: &str) -> (MemoryLog, [Worker; 2], Refused) {
    let (first, second) = (config(one), config(two));
    let mut log = MemoryLog::new();
    let mut workers = [
        Worker::new(WorkerId::new(1), Instant::ZERO, &first),
        Worker::new(WorkerId::new(2), Instant::ZERO, &second),
    ];
    let appends = [first, second].map(Command::Join).into_iter().zip(&mut workers);
    let appends: Vec<_> =
        appends.map(|(join, worker)| worker.propose(Duration::ZERO, join).expect("an empty log")).collect();
    assert_eq!(log.append(&appends[0]), Ok(Appended::Accepted));
    workers[0].accepted();
    let Ok(Appended::Refused(newer)) = log.append(&appends[1]) else { panic!("the log was founded twice") };
    let refused = workers[1].refused(&newer);
    (log, workers, refused)
}

#[test]
fn two_workers_that_found_at_once_both_start() {
    for profile in ["", "; higress"] {
        let rules = format!("a b; failureThreshold 2; cooldownDuration 100{profile}");
        let (log, workers, refused) = founding_at_once(&rules, &rules);
        assert_eq!(refused, Refused::NothingLeft);
        assert_eq!(log.version(), Version::new(1));
        assert_eq!(workers[0].pool(), workers[1].pool());
        assert!(!workers[1].is_waiting());
    }
}

#[test]
fn two_workers_that_found_at_once_with_different_tokens_end_with_the_later() {
    let rest = "failureThreshold 2; cooldownDuration 100";
    let (mut log, mut workers, refused) = founding_at_once(&format!("a b; {rest}"), &format!("b c; {rest}"));
    let Refused::Again(append) = refused else { panic!("another configuration is news") };
    assert_eq!(append.expected, log.entries()[0].head());
    assert_eq!(log.append(&append), Ok(Appended::Accepted));
    workers[1].accepted();
    let newer = log.read(workers[0].head()).expect("memory");
    workers[0].catch_up(&newer);
    assert_eq!(workers[0].pool(), workers[1].pool());
    assert_eq!(lists(workers[0].pool()), "b c |");
}

#[test]
fn a_worker_selects_before_it_has_joined() {
    let config = config("a b; failureThreshold 1; cooldownDuration 100");
    let worker = Worker::new(WorkerId::new(1), Instant::ZERO, &config);
    let drawn = worker.pool().select(&mut firedrill_failover::Random::new(1, 1));
    assert!(!drawn.fallback);
    assert!(worker.pool().token(drawn.token).is_some());
}

#[test]
fn an_answer_to_a_request_from_before_joining_changes_nothing() {
    let config = config("a b; failureThreshold 1; cooldownDuration 100");
    let mut worker = Worker::new(WorkerId::new(1), Instant::ZERO, &config);
    let before = worker.pool().find("a").expect("a token");
    let mut log = MemoryLog::new();
    let mut perform = |command| worker.perform(&mut log, Duration::ZERO, command).expect("memory");
    perform(Command::Join(config));
    let late = Command::Outcome { token: before, status: status(429), attempt: Attempt::First };
    assert_eq!(perform(late), None);
}

/// What a worker that has not joined appends for `first` to an empty log; it is asked twice, for it must not matter.
fn first_appended(first: impl Fn(&Worker) -> Command) -> Vec<Event> {
    let config = config("a b; failureThreshold 1; cooldownDuration 100; healthCheckModel m");
    let mut worker = Worker::new(WorkerId::new(1), Instant::ZERO, &config);
    let mut log = MemoryLog::new();
    for uptime in [0, 1_000].map(Duration::from_millis) {
        let command = first(&worker);
        worker.perform(&mut log, uptime, command).expect("memory");
    }
    let mut fold = Pool::new(&config);
    for entry in log.entries() {
        assert_eq!(fold.try_apply(entry), Ok(()), "the log was founded by {:?}", entry.events);
    }
    assert_eq!(*worker.pool(), fold);
    log.entries().iter().flat_map(|entry| entry.events.to_vec()).collect()
}

#[test]
fn joining_or_loading_a_configuration_founds_the_log() {
    let other = || config("a b c; failureThreshold 1; cooldownDuration 100");
    let founding = [Event::Configured(Box::new(Configured { config: other(), reset: true }))];
    assert_eq!(first_appended(|_| Command::Join(other())), founding);
    assert_eq!(first_appended(|_| Command::Reconfigure(other())), founding, "and again is no news");
}

#[test]
fn nothing_else_happens_before_the_log_is_founded() {
    let a = |worker: &Worker| worker.pool().find("a").expect("a token");
    for code in [200, 302, 429] {
        for attempt in [Attempt::First, Attempt::Retry] {
            let outcome = |token| Command::Outcome { token, status: status(code), attempt };
            assert_eq!(first_appended(|worker| outcome(a(worker))), []);
        }
    }
    assert_eq!(first_appended(|_| Command::Tick), []);
    for answer in [Status::TIMEOUT, status(200)] {
        let answered = |token| Command::ProbeAnswered { token, probe: 1, answer };
        assert_eq!(first_appended(|worker| answered(a(worker))), []);
    }
}
