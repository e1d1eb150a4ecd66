//! Every row of the table in which the profiles differ, each shown twice.

use crate::script::check;

/// One script under both profiles, with a different end for each. `{}` in `rules` is the place of the profile.
#[track_caller]
fn differ(rules: &str, both: &str, higress: &str, standard: &str) {
    check(&rules.replace("{}", "higress"), &format!("{both}\n{higress}"));
    check(&rules.replace("; {}", ""), &format!("{both}\n{standard}"));
}

#[test]
fn a_pattern_matches_anywhere_or_from_the_start() {
    let rules = "a b; {}; failureThreshold 9; cooldownDuration 100";
    for code in [204, 205, 304, 305, 140, 254] {
        differ(rules, "", &format!("a {code} => a:1 b |"), &format!("a {code} => nothing"));
    }
    for code in [400, 429, 499, 500, 599] {
        differ(rules, "", &format!("a {code} => a:1 b |"), &format!("a {code} => a:1 b |"));
    }
    for code in [302, 301, 100, 600, 999] {
        differ(rules, "", &format!("a {code} => nothing"), &format!("a {code} => nothing"));
    }
    // `5.*` takes 405 and 425 under the one; under the other it does not.
    for code in [405, 425] {
        let rules = "a b; {}; failureThreshold 9; cooldownDuration 100; failoverOnStatus 5.*";
        differ(rules, "", &format!("a {code} => a:1 b |"), &format!("a {code} => nothing"));
    }
    // The whole status, and not only its start.
    let rules = "a b; {}; failureThreshold 9; cooldownDuration 100; failoverOnStatus 42 9$";
    differ(rules, "", "a 429 => a:1 b |", "a 429 => nothing");
}

#[test]
fn a_success_is_200_or_any_2xx() {
    let rules = "a b; {}; failureThreshold 9; cooldownDuration 100; failoverOnStatus 429";
    differ(rules, "a 429 => a:1 b |", "a 200 => a b |", "a 200 => a b |");
    for code in [201, 202, 204, 206, 226, 299] {
        differ(rules, "a 429 => a:1 b |", &format!("a {code} => nothing"), &format!("a {code} => a b |"));
    }
    for code in [199, 300] {
        differ(rules, "a 429 => a:1 b |", &format!("a {code} => nothing"), &format!("a {code} => nothing"));
    }
}

#[test]
fn a_probe_succeeds_with_200_or_any_2xx() {
    differ(
        "a b; {}; failureThreshold 1; healthCheckModel m",
        "a 429\ntick",
        "probe 1 a 204 => b | a@0",
        "probe 1 a 204 => b a |",
    );
}

#[test]
fn a_failed_probe_keeps_or_clears_the_successes() {
    differ(
        "a b; {}; failureThreshold 1; successThreshold 3; healthCheckModel m",
        "a 429
         tick
         probe 1 a 200 => b | a@0+1
         tick",
        "probe 2 a 500 => b | a@0+1 ! unpassed 2 of a 1",
        "probe 2 a 500 => b | a@0 ! unpassed 2 of a 0",
    );
}

#[test]
fn a_recovery_by_cooldown_leaves_the_successes_behind_or_clears_them() {
    let rules = "a b; {}; failureThreshold 1; successThreshold 2; healthCheckModel m; cooldownDuration 100";
    let both = "@0 a 429
                @0 tick
                @1 probe 1 a 200 => b | a@0+1";
    differ(
        rules,
        both,
        "@100 tick          => b a+1 |
         @101 a 429         => b | a@101+1
         @101 tick
         @102 probe 2 a 200 => b a | ! checked a by 2",
        "@100 tick          => b a |
         @101 a 429         => b | a@101
         @101 tick
         @102 probe 2 a 200 => b | a@101+1",
    );
}

#[test]
fn a_recovery_by_health_check_clears_the_successes_in_both() {
    let then = "probe 1 a 200 => b a | ! checked a by 1";
    differ("a b; {}; failureThreshold 1; healthCheckModel m", "a 429\ntick", then, then);
}

#[test]
fn a_late_success_of_a_token_already_back_counts_or_is_ignored() {
    let both = "@0   a 429
                @0   tick => b | a@0 ! lease to 60000, probe 1 to a
                @100 tick => b a | ! cooled a";
    differ(
        "a b; {}; failureThreshold 1; successThreshold 2; healthCheckModel m; cooldownDuration 100",
        both,
        "@101 probe 1 a 200 => b a+1 | ! passed 1 of a 1",
        "@101 probe 1 a 200 => nothing",
    );
    // At the threshold it sets the count to zero, and restores nothing, for there is nothing to restore.
    differ(
        "a b; {}; failureThreshold 1; healthCheckModel m; cooldownDuration 100",
        both,
        "@101 probe 1 a 200 => b a | ! passed 1 of a 0",
        "@101 probe 1 a 200 => nothing",
    );
}

#[test]
fn a_late_failure_of_a_probe_of_a_token_already_back_is_ignored_in_both() {
    let then = "@101 probe 1 a 500 => nothing\n@101 probe 1 a timeout => nothing";
    differ(
        "a b; {}; failureThreshold 1; successThreshold 2; healthCheckModel m; cooldownDuration 100",
        "@0 a 429\n@0 tick\n@100 tick => b a |",
        then,
        then,
    );
}

#[test]
fn while_a_probe_is_out_another_is_sent_or_not() {
    differ(
        "a b; {}; failureThreshold 1; successThreshold 3; healthCheckModel m",
        "@0 a 429
         @0 tick => b | a@0 ! lease to 60000, probe 1 to a",
        "@1 tick          => b | a@0 ! probe 2 to a
         @2 tick          => b | a@0 ! probe 3 to a
         @3 probe 1 a 200 => b | a@0+1
         @3 probe 3 a 200 => b | a@0+2
         @3 probe 2 a 200 => b a |",
        "@1 tick          => nothing
         @2 tick          => nothing
         @3 probe 1 a 200 => b | a@0+1
         @3 probe 1 a 200 => nothing",
    );
}

#[test]
fn a_reconfigure_forgets_or_keeps() {
    let rules = "a b c; {}; failureThreshold 2; cooldownDuration 100";
    let both = "a 429\na 429\nb 429 => b:1 c | a@0";
    differ(
        rules,
        both,
        "load a b c; higress; failureThreshold 2; cooldownDuration 100 => a b c |",
        "load a b c; failureThreshold 2; cooldownDuration 100 => nothing",
    );
    differ(
        rules,
        both,
        "load a b; higress; failureThreshold 2; cooldownDuration 100 => a b |",
        "load a b; failureThreshold 2; cooldownDuration 100 => b:1 | a@0",
    );
}

#[test]
fn an_answer_of_a_retry_counts_not_or_as_any_other() {
    differ(
        "a b; {}; failureThreshold 2; cooldownDuration 100",
        "",
        "a 429 retry => nothing
         a 429       => a:1 b |
         a 200 retry => nothing
         a 429 retry => nothing",
        "a 429 retry => a:1 b |
         a 200 retry => a b |
         a 429       => a:1 b |
         a 429 retry => b | a@0",
    );
}

#[test]
fn the_threshold_holds_under_both() {
    let then = "a 429 => b | a@0";
    differ("a b; {}; failureThreshold 2; cooldownDuration 100", "a 429 => a:1 b |", then, then);
}
