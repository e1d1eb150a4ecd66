//! The lease: who may probe.

use crate::script::check;

const RULES: &str = "a b; failureThreshold 1; successThreshold 9; healthCheckModel m; healthCheckTimeout 50";

#[test]
fn the_first_probe_takes_the_lease_for_sixty_seconds() {
    check(
        RULES,
        "@0    tick  => nothing
         @100  a 429 => b | a@100
         @1000 tick  => b | a@100 ! lease to 61000, probe 1 to a",
    );
}

#[test]
fn two_workers_never_probe_at_once() {
    check(
        RULES,
        "@0  w2 join  => nothing
         @0  a 429    => b | a@0
         @0  w2 tick  => b | a@0 ! lease to 60000, probe 1 to a
         @0  tick     => nothing
         @60 tick     => nothing
         @60 w2 tick  => b | a@0 ! probe 2 to a",
    );
}

#[test]
fn two_workers_that_tick_on_the_same_version_send_one_probe() {
    // Worker 2 has not heard of worker 1's tick; its append is refused and decided again.
    check(
        RULES,
        "@0 w2 join
         @0 a 429
         @0 w2 b 200 => nothing
         @0 tick     => b | a@0 ! lease to 60000, probe 1 to a
         @0 w2~ tick => nothing",
    );
}

#[test]
fn the_holder_renews_when_less_than_half_is_left() {
    for (tick, expect) in [
        (30_000, "probe 2 to a"),
        (30_001, "lease to 90001, probe 2 to a"),
        (59_999, "lease to 119999, probe 2 to a"),
        (60_000, "lease to 120000, probe 2 to a"),
    ] {
        check(RULES, &format!("@0 a 429\n@0 tick\n@{tick} tick => b | a@0 ! {expect}"));
    }
}

#[test]
fn a_dead_holder_is_waited_for_sixty_seconds_and_no_longer() {
    check(
        RULES,
        "@0     w2 join
         @0     a 429
         @0     w2 tick => b | a@0 ! lease to 60000, probe 1 to a
         @5000  tick    => nothing
         @59999 tick    => nothing
         @60000 tick    => b | a@0 ! lease to 120000, probe 2 to a
         @60050 w2 tick => nothing",
    );
}

#[test]
fn a_dead_holder_delays_no_cooldown() {
    check(
        "a b; failureThreshold 1; healthCheckModel m; cooldownDuration 100",
        "@0   w2 join
         @0   a 429   => b | a@0
         @0   w2 tick => b | a@0 ! lease to 60000, probe 1 to a
         @99  tick    => nothing
         @100 tick    => b a | ! cooled a",
    );
}

#[test]
fn the_probe_of_a_dead_holder_may_still_be_answered_by_its_late_answer_only_once() {
    check(
        RULES,
        "@0     w2 join
         @0     a 429
         @0     w2 tick
         @60000 tick             => b | a@0 ! lease to 120000, probe 2 to a
         @60001 w2 probe 1 a 200 => nothing
         @60002 probe 2 a 200    => b | a@0+1",
    );
}

#[test]
fn the_answer_may_be_brought_by_another_worker_than_the_holder() {
    check(
        RULES,
        "@0 w2 join
         @0 a 429
         @0 tick
         @1 w2 probe 1 a 200 => b | a@0+1",
    );
}

#[test]
fn a_lease_is_not_taken_when_there_is_nothing_to_probe() {
    check(
        "a b; failureThreshold 1; healthCheckModel m; cooldownDuration 100",
        "@0   a 429 => b | a@0
         @100 tick  => b a | ! cooled a
         @200 tick  => nothing",
    );
}
