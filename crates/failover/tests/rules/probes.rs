//! The return by health check.

use crate::script::check;

const RULES: &str = "a b; failureThreshold 1; successThreshold 2; healthCheckModel m; healthCheckTimeout 50";

#[test]
fn a_token_returns_at_the_success_threshold_and_not_before() {
    check(
        RULES,
        "@0  a 429         => b | a@0
         @10 tick          => b | a@0 ! lease to 60010, probe 1 to a
         @20 probe 1 a 200 => b | a@0+1 ! passed 1 of a 1
         @30 tick          => b | a@0+1 ! probe 2 to a
         @40 probe 2 a 200 => b a | ! checked a by 2",
    );
    check(
        "a b; failureThreshold 1; healthCheckModel m",
        "a 429         => b | a@0
         tick
         probe 1 a 200 => b a | ! checked a by 1",
    );
    check(
        "a b; failureThreshold 1; successThreshold 3; healthCheckModel m",
        "a 429         => b | a@0
         tick
         probe 1 a 200 => b | a@0+1
         tick
         probe 2 a 200 => b | a@0+2
         tick
         probe 3 a 200 => b a |",
    );
}

#[test]
fn available_tokens_are_not_probed() {
    check(
        "a b c; failureThreshold 1; healthCheckModel m",
        "tick  => nothing
         b 429 => a c | b@0
         a 429 => c | b@0 a@0
         tick  => c | b@0 a@0 ! lease to 60000, probe 1 to b, probe 2 to a",
    );
}

#[test]
fn a_failed_probe_starts_the_successes_again() {
    for answer in ["500", "timeout", "302", "404"] {
        check(
            RULES,
            &format!(
                "@0 a 429
                 @0 tick
                 @1 probe 1 a 200      => b | a@0+1
                 @2 tick
                 @3 probe 2 a {answer} => b | a@0 ! unpassed 2 of a 0
                 @4 tick
                 @5 probe 3 a 200      => b | a@0+1"
            ),
        );
    }
}

#[test]
fn a_failed_probe_neither_counts_a_failure_nor_moves_the_cooldown() {
    check(
        "a b; failureThreshold 1; healthCheckModel m; cooldownDuration 100",
        "@0   a 429         => b | a@0
         @50  tick
         @60  probe 1 a 500 => b | a@0
         @99  tick          => b | a@0 ! probe 2 to a
         @100 tick          => b a | ! cooled a",
    );
}

#[test]
fn a_probe_that_is_out_is_not_sent_again_before_its_timeout() {
    for (tick, expect) in [(1, "nothing"), (49, "nothing"), (50, "b | a@0"), (51, "b | a@0")] {
        check(
            RULES,
            &format!("@0 a 429\n@0 tick => b | a@0 ! lease to 60000, probe 1 to a\n@{tick} tick => {expect}"),
        );
    }
    check(
        RULES,
        "@0   a 429
         @10  tick             => b | a@0 ! lease to 60010, probe 1 to a
         @59  tick             => nothing
         @60  tick             => b | a@0 ! probe 2 to a
         @109 tick             => nothing
         @110 tick             => b | a@0 ! probe 3 to a",
    );
}

#[test]
fn each_lost_probe_has_its_own_timeout() {
    check(
        "a b c; failureThreshold 1; healthCheckModel m; healthCheckTimeout 50",
        "@0  a 429 => b c | a@0
         @0  tick  => b c | a@0 ! lease to 60000, probe 1 to a
         @20 b 429 => c | a@0 b@20
         @30 tick  => c | a@0 b@20 ! probe 2 to b
         @49 tick  => nothing
         @50 tick  => c | a@0 b@20 ! probe 3 to a
         @79 tick  => nothing
         @80 tick  => c | a@0 b@20 ! probe 4 to b
         @99 tick  => nothing
         @100 tick => c | a@0 b@20 ! probe 5 to a",
    );
}

#[test]
fn a_probe_answered_after_its_timeout_still_counts_while_no_other_was_sent() {
    check(
        RULES,
        "@0   a 429
         @0   tick
         @500 probe 1 a 200 => b | a@0+1",
    );
}

#[test]
fn a_probe_that_was_given_up_counts_no_more() {
    check(
        RULES,
        "@0  a 429
         @0  tick          => b | a@0 ! lease to 60000, probe 1 to a
         @50 tick          => b | a@0 ! probe 2 to a
         @51 probe 1 a 200 => nothing
         @51 probe 1 a 500 => nothing
         @52 probe 2 a 200 => b | a@0+1",
    );
}

#[test]
fn an_answer_that_comes_twice_counts_once() {
    check(
        RULES,
        "@0 a 429
         @0 tick
         @1 probe 1 a 200 => b | a@0+1
         @1 probe 1 a 200 => nothing
         @1 probe 1 a 500 => nothing",
    );
}

#[test]
fn an_answer_after_a_recovery_changes_nothing() {
    check(
        "a b; failureThreshold 1; healthCheckModel m; cooldownDuration 100",
        "@0   a 429         => b | a@0
         @50  tick          => b | a@0 ! lease to 60050, probe 1 to a
         @100 tick          => b a |
         @101 probe 1 a 200 => nothing
         @101 probe 1 a 500 => nothing
         @102 a 429         => b | a@102
         @103 probe 1 a 200 => nothing",
    );
}

#[test]
fn an_answer_that_no_probe_asked_for_changes_nothing() {
    check(
        RULES,
        "probe 1 a 200 => nothing
         a 429         => b | a@0
         probe 1 a 200 => nothing
         tick          => b | a@0 ! lease to 60000, probe 1 to a
         probe 0 a 200 => nothing
         probe 2 a 200 => nothing
         probe 1 b 200 => nothing
         probe 99 a timeout => nothing",
    );
}

#[test]
fn the_recovery_that_comes_first_wins() {
    let rules = "a b; failureThreshold 1; healthCheckModel m; cooldownDuration 100";
    check(
        rules,
        "@0   a 429         => b | a@0
         @50  tick
         @99  probe 1 a 200 => b a | ! checked a by 1
         @100 tick          => nothing",
    );
    check(
        rules,
        "@0   a 429         => b | a@0
         @50  tick
         @100 tick          => b a | ! cooled a
         @100 probe 1 a 200 => nothing",
    );
}

#[test]
fn who_was_checked_and_fails_again_has_a_whole_cooldown_before_it() {
    check(
        "a b; failureThreshold 1; healthCheckModel m; cooldownDuration 100",
        "@0   a 429         => b | a@0
         @50  tick
         @90  probe 1 a 200 => b a |
         @95  a 429         => b | a@95
         @100 tick          => b | a@95 ! probe 2 to a
         @194 tick          => nothing
         @195 tick          => b a |",
    );
}

#[test]
fn at_one_tick_some_cool_down_and_the_rest_is_probed() {
    check(
        "a b c; failureThreshold 1; healthCheckModel m; cooldownDuration 100",
        "@0   a 429 => b c | a@0
         @60  b 429 => c | a@0 b@60
         @100 tick  => c a | b@60 ! cooled a, lease to 60100, probe 1 to b",
    );
}

#[test]
fn both_recoveries_clear_both_counts() {
    check(
        "a b; failureThreshold 2; successThreshold 2; healthCheckModel m; cooldownDuration 100",
        "@0   a 429
         @0   a 429         => b | a@0
         @10  tick
         @20  probe 1 a 200 => b | a@0+1
         @100 tick          => b a | ! cooled a
         @100 a 429
         @100 a 429         => b | a@100
         @110 tick
         @120 probe 2 a 200 => b | a@100+1
         @121 tick
         @122 probe 3 a 200 => b a | ! checked a by 3
         @123 a 429         => b a:1 |",
    );
}

#[test]
fn without_a_health_check_model_nobody_is_probed() {
    check(
        "a b; failureThreshold 1; cooldownDuration 100",
        "@0  a 429         => b | a@0
         @50 tick          => nothing
         @50 probe 1 a 200 => nothing",
    );
}
