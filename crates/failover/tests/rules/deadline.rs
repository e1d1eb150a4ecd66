//! When a tick is worth its while. After every step of every script `script.rs` also checks that a tick one millisecond
//! before the deadline changes nothing and that a tick at it changes something.

use crate::script::check;

#[test]
fn with_everyone_available_there_is_no_deadline() {
    for rules in [
        "a b; cooldownDuration 100",
        "a b; healthCheckModel m",
        "a b; higress; healthCheckModel m",
        "a b; off",
    ] {
        check(rules, "deadline none\na 429\na 200\ndeadline none");
    }
}

#[test]
fn with_a_cooldown_it_is_the_end_of_the_first() {
    check(
        "a b c; failureThreshold 1; cooldownDuration 100",
        "@5   a 429
         deadline 105
         @50  b 429
         deadline 105
         @105 tick => c a | b@50
         deadline 150
         @150 tick => c a b |
         deadline none",
    );
}

#[test]
fn a_token_to_probe_is_due_at_once() {
    check(
        "a b; failureThreshold 1; healthCheckModel m; healthCheckTimeout 50",
        "@5  a 429
         deadline 5",
    );
}

#[test]
fn while_every_probe_is_out_it_is_the_first_timeout() {
    check(
        "a b c; failureThreshold 1; successThreshold 2; healthCheckModel m; healthCheckTimeout 50",
        "@0  a 429
         @10 tick => b c | a@0
         deadline 60
         @20 b 429
         deadline 20
         @30 tick => c | a@0 b@20
         deadline 60
         @60 tick => c | a@0 b@20
         deadline 80
         @70 probe 3 a 500
         deadline 70",
    );
}

#[test]
fn the_answer_that_restores_the_longest_probed_moves_it() {
    check(
        "a b c; failureThreshold 1; healthCheckModel m; healthCheckTimeout 50",
        "@0  a 429
         @0  tick
         @20 b 429
         @20 tick
         deadline 50
         @30 probe 1 a 200 => c a | b@20
         deadline 70",
    );
}

#[test]
fn with_both_recoveries_it_is_the_earlier() {
    check(
        "a b; failureThreshold 1; healthCheckModel m; healthCheckTimeout 50; cooldownDuration 100",
        "@0  a 429
         deadline 0
         @0  tick
         deadline 50
         @60 tick
         deadline 100",
    );
}

#[test]
fn who_does_not_hold_the_lease_waits_for_its_end_or_a_cooldown() {
    let rules = "a b; failureThreshold 1; healthCheckModel m; healthCheckTimeout 50";
    let script = "@0 w2 join
                  @0 a 429
                  @0 tick
                  @0 w2 a 429 => nothing
                  deadline 50
                  w2 tick => nothing";
    check(rules, &format!("{script}\nw2 deadline 60000"));
    check(&format!("{rules}; cooldownDuration 100"), &format!("{script}\nw2 deadline 100"));
}

#[test]
fn in_the_reference_profile_every_tick_of_the_holder_is_due() {
    check(
        "a b; higress; failureThreshold 1; healthCheckModel m",
        "@7 a 429
         deadline 7
         @8 tick
         deadline 8
         @9 tick
         deadline 9",
    );
}

#[test]
fn with_failover_off_it_is_never() {
    check(
        "a b; failureThreshold 1; cooldownDuration 100",
        "@0 a 429
         deadline 100
         @1 load a b; off
         deadline none",
    );
}

#[test]
fn a_reload_moves_it() {
    check(
        "a b c; failureThreshold 1; cooldownDuration 100",
        "@0  a 429
         @10 b 429
         deadline 100
         @20 load a b c; failureThreshold 1; cooldownDuration 300
         deadline 300
         @30 load b c; failureThreshold 1; cooldownDuration 300
         deadline 310
         @40 load c; failureThreshold 1; cooldownDuration 300
         deadline none",
    );
}
