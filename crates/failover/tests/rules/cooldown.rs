//! The return by `cooldownDuration`.

use crate::script::check;

const RULES: &str = "a b; failureThreshold 1; cooldownDuration 100";

#[test]
fn a_token_returns_at_the_first_tick_at_or_past_its_cooldown() {
    for (tick, expect) in [
        (0, "b | a@0"),
        (1, "b | a@0"),
        (99, "b | a@0"),
        (100, "b a |"),
        (101, "b a |"),
        (1_000_000, "b a |"),
    ] {
        check(RULES, &format!("@0 a 429 => b | a@0\n@{tick} tick => {expect}"));
    }
}

#[test]
fn without_a_tick_nobody_returns() {
    check(
        RULES,
        "@0    a 429 => b | a@0
         @5000 b 200 => nothing
         @5000 a 429 => nothing
         @5000 tick  => b a | ! cooled a",
    );
}

#[test]
fn late_failure_does_not_extend_a_cooldown() {
    check(
        RULES,
        "@0   a 429 => b | a@0
         @99  a 429 => nothing
         @100 tick  => b a |",
    );
}

#[test]
fn late_success_does_not_shorten_a_cooldown() {
    check(
        RULES,
        "@0   a 429 => b | a@0
         @50  a 200 => nothing
         @99  tick  => nothing
         @100 tick  => b a |",
    );
}

#[test]
fn the_cooldown_runs_from_the_failure_that_took_the_token_out() {
    check(
        "a b; failureThreshold 3; cooldownDuration 100",
        "@0   a 429 => a:1 b |
         @40  a 429 => a:2 b |
         @70  a 429 => b | a@70
         @169 tick  => nothing
         @170 tick  => b a |",
    );
}

#[test]
fn who_left_first_returns_first_and_goes_to_the_end() {
    check(
        "a b c d; failureThreshold 1; cooldownDuration 100",
        "@0   c 429 => a b d | c@0
         @0   a 429 => b d | c@0 a@0
         @30  d 429 => b | c@0 a@0 d@30
         @100 tick  => b c a | d@30 ! cooled c, cooled a
         @130 tick  => b c a d | ! cooled d",
    );
}

#[test]
fn a_tick_far_too_late_brings_everyone_back_in_order() {
    check(
        "a b c; failureThreshold 1; cooldownDuration 100",
        "@0        b 429 => a c | b@0
         @7        c 429 => a | b@0 c@7
         @9        a 429 => | b@0 c@7 a@9
         @99999999 tick  => b c a | ! cooled b, cooled c, cooled a
         @99999999 tick  => nothing",
    );
}

#[test]
fn who_returns_starts_with_nothing_counted() {
    check(
        "a b; failureThreshold 2; cooldownDuration 100",
        "@0   a 429
         @0   a 429 => b | a@0
         @100 tick  => b a |
         @100 a 429 => b a:1 |
         @100 a 429 => b | a@100",
    );
}

#[test]
fn who_fails_again_cools_down_again() {
    check(
        RULES,
        "@0   a 429 => b | a@0
         @100 tick  => b a |
         @101 a 429 => b | a@101
         @200 tick  => nothing
         @201 tick  => b a |",
    );
}

#[test]
fn a_failure_from_before_the_return_counts_as_any_other_after_it() {
    check(
        "a b; failureThreshold 2; cooldownDuration 100",
        "@0   a 429
         @0   a 429 => b | a@0
         @100 tick  => b a |
         @101 a 500 => b a:1 |",
    );
}

#[test]
fn without_a_cooldown_no_time_brings_a_token_back() {
    check(
        "a b; failureThreshold 1; healthCheckModel m",
        "@0       a 429 => b | a@0
         @0       tick  => b | a@0 ! lease to 60000, probe 1 to a
         @9999999 tick  => b | a@0",
    );
}

#[test]
fn a_cooldown_of_one_millisecond_is_kept() {
    check(
        "a; failureThreshold 1; cooldownDuration 1",
        "@5 a 429 => | a@5
         @5 tick  => nothing
         @6 tick  => a |",
    );
}
