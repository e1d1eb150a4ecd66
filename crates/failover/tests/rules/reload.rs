//! A configuration that changes while the pool is in use.

use crate::script::check;

const RULES: &str = "a b c; failureThreshold 2; cooldownDuration 100";
const REST: &str = "failureThreshold 2; cooldownDuration 100";

#[track_caller]
fn loaded(before: &str, tokens: &str, then: &str) {
    check(RULES, &format!("{before}\nload {tokens}; {REST} => {then}"));
}

/// `a` is unavailable since 0, `b` has one failure counted.
const STATE: &str = "a 429\na 429\nb 429 => b:1 c | a@0";

#[test]
fn what_stays_keeps_its_state() {
    loaded(STATE, "a b c", "nothing");
    loaded(STATE, "a b", "b:1 | a@0");
    loaded(STATE, "a c", "c | a@0");
    loaded(STATE, "b c", "b:1 c |");
}

#[test]
fn what_is_new_comes_last_and_is_available() {
    loaded(STATE, "a b c d", "b:1 c d | a@0");
    loaded(STATE, "e a d b c", "b:1 c e d | a@0");
    loaded(STATE, "d", "d |");
}

#[test]
fn another_order_is_the_same_configuration() {
    loaded(STATE, "c b a", "nothing");
    loaded(STATE, "c d b a", "b:1 c d | a@0");
}

#[test]
fn a_token_that_was_dropped_comes_back_as_a_new_one() {
    check(
        RULES,
        &format!(
            "@0  a 429
             @0  a 429                  => b c | a@0
             @1  load b c; {REST}       => b c |
             @2  load a b c; {REST}     => b c a |
             @50 a 429                  => b c a:1 |
             @99 a 429                  => b c | a@99"
        ),
    );
}

#[test]
fn a_count_of_a_dropped_token_is_forgotten() {
    check(
        RULES,
        &format!(
            "a 429              => a:1 b c |
             load b c; {REST}   => b c |
             load a b c; {REST} => b c a |"
        ),
    );
}

#[test]
fn an_answer_for_a_token_that_went_changes_nothing() {
    check(
        RULES,
        &format!(
            "a 429              => a:1 b c |
             load b c; {REST}   => b c |
             old:a 429          => nothing
             old:a 200          => nothing"
        ),
    );
}

#[test]
fn an_answer_for_a_token_that_went_is_not_for_its_successor() {
    check(
        "a b; failureThreshold 1; cooldownDuration 100",
        "load b; failureThreshold 1; cooldownDuration 100   => b |
         load a b; failureThreshold 1; cooldownDuration 100 => b a |",
    );
    // `d` gets the place that `a` had, and not its answers.
    check(
        "a b; failureThreshold 1; cooldownDuration 100",
        "load b d; failureThreshold 1; cooldownDuration 100 => b d |
         old:a 429                                          => nothing",
    );
}

#[test]
fn a_probe_of_a_token_that_went_changes_nothing() {
    let rest = "failureThreshold 1; healthCheckModel m";
    check(
        &format!("a b; {rest}"),
        &format!(
            "@0 a 429             => b | a@0
             @0 tick              => b | a@0 ! lease to 60000, probe 1 to a
             @1 load b; {rest}    => b |
             @2 probe 1 old:a 200 => nothing
             @3 load a b; {rest}  => b a |
             @4 a 429             => b | a@4
             @5 probe 1 a 200     => nothing
             @6 tick              => b | a@4 ! probe 2 to a
             @7 probe 1 a 200     => nothing
             @8 probe 2 a 200     => b a |"
        ),
    );
}

#[test]
fn a_probe_that_is_out_survives_a_reload() {
    let rest = "failureThreshold 1; healthCheckModel m; healthCheckTimeout 50";
    check(
        &format!("a b; {rest}"),
        &format!(
            "@0  a 429              => b | a@0
             @0  tick               => b | a@0 ! lease to 60000, probe 1 to a
             @1  load a b c; {rest} => b c | a@0
             @49 tick               => nothing
             @49 probe 1 a 200      => b c a |"
        ),
    );
}

#[test]
fn dropping_a_token_with_a_probe_out_leaves_the_others_probed_in_time() {
    let rest = "failureThreshold 1; healthCheckModel m; healthCheckTimeout 50";
    check(
        &format!("a b c; {rest}"),
        &format!(
            "@0  a 429            => b c | a@0
             @0  tick             => b c | a@0 ! lease to 60000, probe 1 to a
             @20 b 429            => c | a@0 b@20
             @20 tick             => c | a@0 b@20 ! probe 2 to b
             @21 load b c; {rest} => c | b@20
             @50 tick             => nothing
             @69 tick             => nothing
             @70 tick             => c | b@20 ! probe 3 to b"
        ),
    );
}

#[test]
fn a_lower_threshold_takes_effect_at_the_next_failure() {
    check(
        "a b; failureThreshold 5; cooldownDuration 100",
        "a 429
         a 429
         a 429                                              => a:3 b |
         load a b; failureThreshold 2; cooldownDuration 100 => a:3 b |
         a 302                                              => nothing
         a 429                                              => b | a@0 ! removed a 4",
    );
}

#[test]
fn a_higher_threshold_goes_on_from_the_count() {
    check(
        "a b; failureThreshold 2; cooldownDuration 100",
        "a 429                                              => a:1 b |
         load a b; failureThreshold 3; cooldownDuration 100 => a:1 b |
         a 429                                              => a:2 b |
         a 429                                              => b | a@0",
    );
}

#[test]
fn a_lower_success_threshold_takes_effect_at_the_next_success() {
    check(
        "a b; failureThreshold 1; successThreshold 5; healthCheckModel m",
        "a 429
         tick
         probe 1 a 200 => b | a@0+1
         tick
         probe 2 a 200 => b | a@0+2
         load a b; failureThreshold 1; successThreshold 2; healthCheckModel m => b | a@0+2
         tick
         probe 3 a 200 => b a |",
    );
}

#[test]
fn a_changed_cooldown_holds_for_who_is_out_already() {
    for (cooldown, before, at) in [(50, 49, 50), (200, 199, 200)] {
        check(
            "a b; failureThreshold 1; cooldownDuration 100",
            &format!(
                "@0  a 429 => b | a@0
                 @10 load a b; failureThreshold 1; cooldownDuration {cooldown} => b | a@0
                 @{before} tick => nothing
                 @{at} tick => b a |"
            ),
        );
    }
}

#[test]
fn a_reload_that_takes_the_last_available_token_says_so() {
    let rest = "failureThreshold 1; cooldownDuration 100";
    check(
        &format!("a b; {rest}"),
        &format!(
            "a 429              => b | a@0
             load a; {rest}     => | a@0 ! configured, none available
             load a b; {rest}   => b | a@0 ! configured"
        ),
    );
}

#[test]
fn a_reload_that_switches_failover_on_with_everyone_out_says_so() {
    let rest = "failureThreshold 1; cooldownDuration 100";
    check(
        &format!("a b; {rest}"),
        &format!(
            "a 429
             b 429                                                     => | a@0 b@0 ! removed b 1, none available
             load a b; failureThreshold 2; cooldownDuration 100        => | a@0 b@0 ! configured
             load a b; off                                             => | a@0 b@0 ! configured
             load a; off                                               => | a@0 ! configured
             load a; {rest}                                            => | a@0 ! configured, none available
             load a; off                                               => | a@0 ! configured
             load a b; {rest}                                          => b | a@0 ! configured
             load a b; off                                             => b | a@0 ! configured
             load a b; {rest}; onReload reset                          => a b | ! configured, reset"
        ),
    );
}

#[test]
fn failover_switched_off_and_on_again_keeps_who_is_out() {
    check(
        "a b; failureThreshold 1; cooldownDuration 100",
        "@0   a 429                                              => b | a@0
         @10  load a b; off                                      => b | a@0
         @20  b 429                                              => nothing
         @500 tick                                               => nothing
         @500 load a b; failureThreshold 1; cooldownDuration 100 => b | a@0
         @500 tick                                               => b a |",
    );
}

#[test]
fn a_reset_forgets_everything_whatever_the_profile() {
    for profile in ["", "; higress"] {
        let rest = format!("failureThreshold 2; cooldownDuration 100; onReload reset{profile}");
        for (tokens, then) in [("a b c", "a b c |"), ("c a", "c a |"), ("d b", "d b |")] {
            check(
                &format!("a b c; {rest}"),
                &format!("{STATE}\nload {tokens}; {rest} => {then} ! configured, reset"),
            );
        }
    }
}

#[test]
fn the_reference_profile_can_be_told_to_keep() {
    let rest = "higress; failureThreshold 2; cooldownDuration 100; onReload keep";
    check(&format!("a b c; {rest}"), &format!("{STATE}\nload a b; {rest} => b:1 | a@0 ! configured"));
}

#[test]
fn a_change_of_profile_forgets_everything_whatever_the_reload() {
    for (before, after) in [("", "; higress"), ("; higress", "")] {
        for reload in ["", "; onReload keep", "; onReload reset"] {
            let rest = format!("failureThreshold 2; successThreshold 2; healthCheckModel m{reload}");
            check(
                &format!("a b c; {rest}{before}"),
                &format!(
                    "{STATE}
                     @0 tick                        => b:1 c | a@0 ! lease to 60000, probe 1 to a
                     @1 probe 1 a 200               => b:1 c | a@0+1
                     @2 load c a b; {rest}{after}   => c a b | ! configured, reset
                     @3 probe 1 a 200               => nothing
                     @4 w2 join                     => nothing
                     @5 a 429
                     @5 a 429                       => c b | a@5
                     @5 w2 tick                     => c b | a@5 ! lease to 60005, probe 2 to a"
                ),
            );
        }
    }
}

#[test]
fn the_new_configuration_says_what_its_reload_does() {
    check(RULES, &format!("{STATE}\nload a b c; {REST}; onReload reset => a b c |"));
    check(
        &format!("{RULES}; onReload reset"),
        &format!("{STATE}\nload a b c; {REST}; onReload keep => b:1 c | a@0"),
    );
}

#[test]
fn a_reset_forgets_the_probes_and_the_lease() {
    for profile in ["", "; higress"] {
        let rest = format!("failureThreshold 1; healthCheckModel m; onReload reset{profile}");
        check(
            &format!("a b; {rest}"),
            &format!(
                "@0 a 429             => b | a@0
                 @0 tick              => b | a@0 ! lease to 60000, probe 1 to a
                 @1 load a b; {rest}  => a b | ! configured, reset
                 @1 probe 1 a 200     => nothing
                 @2 a 429             => b | a@2
                 @3 probe 1 a 200     => nothing
                 @4 w2 join           => nothing
                 @4 w2 tick           => b | a@2 ! lease to 60004, probe 2 to a"
            ),
        );
    }
}

#[test]
fn a_token_is_known_by_its_fingerprint_and_not_by_its_label() {
    check(RULES, &format!("{STATE}\nload x=a b c; {REST} => b:1 c | x@0"));
    check(RULES, &format!("{STATE}\nload b=a a=b c; {REST} => a:1 c | b@0"));
}
