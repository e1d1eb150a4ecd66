//! Failures and successes of requests: what counts, up to where, and what it leads to.

use crate::script::check;

#[test]
fn a_token_leaves_at_the_threshold_and_not_before() {
    for (threshold, failing_steps) in [
        (1, "a 429 => b | a@0 ! removed a 1"),
        (
            2,
            "a 429 => a:1 b | ! failed a 1
             a 429 => b | a@0 ! removed a 2",
        ),
        (
            3,
            "a 429 => a:1 b | ! failed a 1
             a 500 => a:2 b | ! failed a 2
             a 429 => b | a@0 ! removed a 3",
        ),
    ] {
        let rules = format!("a b; failureThreshold {threshold}; cooldownDuration 100");
        let one_more = "a 429 => nothing";
        check(&rules, &format!("{failing_steps}\n{one_more}"));
    }
}

#[test]
fn the_default_threshold_is_three() {
    check(
        "a b; cooldownDuration 100",
        "a 429 => a:1 b |
         a 429 => a:2 b |
         a 429 => b | a@0",
    );
}

#[test]
fn a_success_starts_the_count_again() {
    check(
        "a b; failureThreshold 2; cooldownDuration 100",
        "a 429 => a:1 b |
         a 200 => a b | ! succeeded a
         a 429 => a:1 b |
         a 429 => b | a@0",
    );
}

#[test]
fn a_success_with_nothing_counted_says_nothing() {
    check("a b; failureThreshold 2; cooldownDuration 100", "a 200 => nothing");
}

#[test]
fn tokens_are_counted_apart() {
    check(
        "a b c; failureThreshold 2; cooldownDuration 100",
        "a 429 => a:1 b c |
         b 429 => a:1 b:1 c |
         c 200 => nothing
         b 429 => a:1 c | b@0
         a 200 => a c | b@0",
    );
}

#[test]
fn a_status_that_is_neither_success_nor_match_keeps_the_count() {
    for other in [302, 404, 101, 503] {
        check(
            "a b; failureThreshold 2; cooldownDuration 100; failoverOnStatus 429",
            &format!(
                "a 429 => a:1 b |
                 a {other} => nothing
                 a 429 => b | a@0"
            ),
        );
    }
}

#[test]
fn a_success_is_no_failure_even_if_it_matches() {
    for (profile, code) in [("", 200), ("", 204), ("; higress", 200)] {
        check(
            &format!("a b; failureThreshold 2; cooldownDuration 100; failoverOnStatus 2.* 429{profile}"),
            &format!(
                "a 429 => a:1 b |
                 a {code} => a b | ! succeeded a"
            ),
        );
    }
}

#[test]
fn failures_of_a_token_that_is_out_do_nothing() {
    check(
        "a b; failureThreshold 1; cooldownDuration 100",
        "@0  a 429 => b | a@0
         @50 a 429 => nothing
         @60 a 500 => nothing",
    );
}

#[test]
fn a_success_of_a_token_that_is_out_restores_nothing() {
    check(
        "a b; failureThreshold 1; healthCheckModel m; cooldownDuration 100",
        "@0  a 429 => b | a@0
         @50 a 200 => nothing
         @99 a 200 => nothing
         @99 tick  => b | a@0 ! lease to 60099, probe 1 to a",
    );
}

#[test]
fn the_last_one_out_is_told() {
    check(
        "a b; failureThreshold 1; cooldownDuration 100",
        "a 429 => b | a@0 ! removed a 1
         b 429 => | a@0 b@0 ! removed b 1, none available",
    );
    check("a; failureThreshold 1; cooldownDuration 100", "a 429 => | a@0 ! removed a 1, none available");
}

#[test]
fn a_fallback_that_fails_or_succeeds_changes_nothing() {
    check(
        "a b; failureThreshold 1; cooldownDuration 100",
        "@0   a 429 => b | a@0
         @10  b 429 => | a@0 b@10
         @20  a 429 => nothing
         @20  b 200 => nothing
         @100 tick  => a | b@10
         @110 tick  => a b |",
    );
}

#[test]
fn with_failover_off_nothing_is_counted() {
    for rules in ["a b; off", "a b; off; failureThreshold 1; cooldownDuration 100", "a b; off; higress"] {
        check(
            rules,
            "a 429 => nothing
             a 429 => nothing
             a 500 => nothing
             tick  => nothing
             deadline none",
        );
    }
}

#[test]
fn every_failure_that_takes_out_says_what_it_was() {
    use firedrill_failover::{Attempt, Command, Duration, Event, Instant, MemoryLog, Worker, WorkerId};

    let config = crate::script::config("a; failureThreshold 1; cooldownDuration 1");
    let mut worker = Worker::new(WorkerId::new(1), Instant::ZERO, &config);
    worker.perform(&mut MemoryLog::new(), Duration::ZERO, Command::Join(config)).expect("memory");
    let pool = worker.pool();
    let token = pool.find("a").expect("a token");
    let status = crate::script::status(418);
    let outcome = Command::Outcome { token, status, attempt: Attempt::First };
    let events = pool.decide(worker.id(), Instant::ZERO, &outcome);
    assert_eq!(events[0], Event::Removed { token, status, failures: 1 });
    assert_eq!(
        events[0].sentence(pool, Instant::ZERO).to_string(),
        "failover: token a is unavailable now (418, failure 1 of 1)"
    );
}

#[test]
fn a_named_failure_counts_by_its_name_or_by_what_a_client_is_answered() {
    for (patterns, counted) in [
        ("", &["connect", "timeout", "reset"][..]),
        ("; failoverOnStatus 429", &[]),
        ("; failoverOnStatus 429 timeout", &["timeout"]),
        ("; failoverOnStatus 503", &["connect", "reset"]),
        ("; failoverOnStatus 504 reset", &["timeout", "reset"]),
        ("; higress; failoverOnStatus out", &["timeout"]),
        ("; higress; failoverOnStatus 3", &["connect", "reset"]),
    ] {
        for name in ["connect", "timeout", "reset"] {
            let step = if counted.contains(&name) { "a:1 b | ! failed a 1" } else { "nothing" };
            let rules = format!("a b; failureThreshold 2; cooldownDuration 100{patterns}");
            check(&rules, &format!("a {name} => {step}"));
        }
    }
}

#[test]
fn a_named_failure_is_never_a_success() {
    for profile in ["", "; higress"] {
        let rules = format!("a b; failureThreshold 2; cooldownDuration 100; failoverOnStatus 429{profile}");
        for name in ["connect", "timeout", "reset"] {
            check(&rules, &format!("a 429 => a:1 b |\na {name} => nothing\na 429 => b | a@0"));
        }
    }
}
