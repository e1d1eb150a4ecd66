//! What an operator says of a token.

use crate::script::check;

const RULES: &str = "a b; failureThreshold 2; cooldownDuration 100";

#[test]
fn a_token_that_was_taken_out_returns_as_any_other_does() {
    check(
        RULES,
        "@0   a 429   => a:1 b |   ! failed a 1
         @10  out a   => b | a@10  ! taken out a
         @20  out a   => nothing
         @20  reset a => nothing
         @20  a 429   => nothing
         @109 tick    => nothing
         @110 tick    => b a |     ! cooled a",
    );
}

#[test]
fn a_token_that_is_put_back_has_its_counts_at_zero() {
    check(
        RULES,
        "@0 out a   => b | a@0   ! taken out a
         @5 in a    => b a |     ! put back a
         @5 in a    => nothing
         @5 a 429   => b a:1 |   ! failed a 1
         @6 in a    => b a |     ! reset a
         @6 a 429   => b a:1 |   ! failed a 1
         @7 a 429   => b | a@7   ! removed a 2
         @8 in a    => b a |     ! put back a
         @107 tick  => nothing",
    );
}

#[test]
fn a_count_is_reset() {
    check(
        RULES,
        "a 429   => a:1 b | ! failed a 1
         reset a => a b |   ! reset a
         reset a => nothing
         a 429   => a:1 b | ! failed a 1",
    );
}

#[test]
fn that_none_is_left_is_told() {
    check(
        RULES,
        "out b => a | b@0   ! taken out b
         out a => | b@0 a@0 ! taken out a, none available
         in a  => a | b@0   ! put back a
         a 429 => a:1 | b@0 ! failed a 1
         a 429 => | b@0 a@0 ! removed a 2, none available",
    );
}

#[test]
fn one_in_the_middle_is_put_back_and_the_rest_keep_their_order() {
    check(
        "a b c; failureThreshold 1; cooldownDuration 100",
        "@0   a 429 => b c | a@0       ! removed a 1
         @10  out b => c | a@0 b@10    ! taken out b
         @20  out c => | a@0 b@10 c@20 ! taken out c, none available
         @30  in b  => b | a@0 c@20    ! put back b
         @100 tick  => b a | c@20      ! cooled a
         @120 tick  => b a c |         ! cooled c",
    );
}

#[test]
fn who_is_put_back_leaves_probes_and_their_successes_behind() {
    let rules = "a b; failureThreshold 1; successThreshold 2; healthCheckModel m";
    check(
        rules,
        "@0 out a         => b | a@0   ! taken out a
         @1 tick          => b | a@0   ! lease to 60001, probe 1 to a
         @2 probe 1 a 200 => b | a@0+1
         @3 tick          => b | a@0+1 ! probe 2 to a
         @4 in a          => b a |     ! put back a
         @5 probe 2 a 200 => nothing
         @6 out a         => b | a@6   ! taken out a
         @7 tick          => b | a@6   ! probe 3 to a",
    );
    // By the reference's rules a late answer counts, whatever brought the token back.
    check(
        &format!("{rules}; higress"),
        "@0 out a         => b | a@0   ! taken out a
         @1 tick          => b | a@0   ! lease to 60001, probe 1 to a
         @2 tick          => b | a@0   ! probe 2 to a
         @2 probe 1 a 200 => b | a@0+1
         @4 in a          => b a |     ! put back a
         @5 probe 2 a 200 => b a+1 |",
    );
}

#[test]
fn nothing_comes_of_an_order_without_failover_or_for_a_token_that_was_dropped() {
    check("a b; off", "out a => nothing\nin a => nothing\nreset a => nothing");
    check(
        RULES,
        "load b; failureThreshold 2; cooldownDuration 100
         out old:a => nothing
         out old:b => | b@0 ! taken out b, none available",
    );
}

/// Two workers' orders meet in the log: the second is judged on what the first made of it.
#[test]
fn one_that_has_not_heard_decides_again() {
    check(
        RULES,
        "w2 tick   => nothing
         out a     => b | a@0 ! taken out a
         w2~ out a => nothing
         w2 in a   => b a |   ! put back a",
    );
}
