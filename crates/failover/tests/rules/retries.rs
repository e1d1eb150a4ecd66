//! Whether a request may be tried once more.

use firedrill_failover::{Config, Fingerprint, Profile, Retry, RetrySettings, Settings, Token};

use crate::script::{instant, status};

fn retry(profile: Profile, max_retries: u64, retry_timeout: u64, on_status: &[&str]) -> Retry {
    let retry_on_status = on_status.iter().map(|pattern| (*pattern).into()).collect();
    let retry_on_failure = RetrySettings { enabled: true, max_retries, retry_timeout, retry_on_status };
    let settings = Settings { profile, retry_on_failure, ..Settings::default() };
    let token = Token { label: "a".into(), fingerprint: Fingerprint::new(1) };
    let config = Config::parse(vec![token], &settings).expect("good rules");
    config.policy().retry().expect("retries are on").clone()
}

#[track_caller]
fn check(retry: &Retry, code: u16, retries: u32, elapsed: u64, expect: bool) {
    let began = instant(1_000);
    let allowed = retry.allows(status(code), retries, began, instant(1_000 + elapsed));
    assert_eq!(allowed, expect, "{code} after {retries} retries and {elapsed} ms");
}

#[test]
fn a_retry_is_allowed_up_to_each_limit_and_not_at_it() {
    let two = retry(Profile::Standard, 2, 500, &["429", "5.*"]);
    for (code, retries, elapsed, expect) in [
        (429, 0, 0, true),
        (500, 0, 0, true),
        (404, 0, 0, false),
        (200, 0, 0, false),
        (429, 1, 0, true),
        (429, 2, 0, false),
        (429, 3, 0, false),
        (429, 0, 499, true),
        (429, 0, 500, false),
        (429, 0, 501, false),
    ] {
        check(&two, code, retries, elapsed, expect);
    }
}

#[test]
fn what_is_not_written_is_the_default() {
    let default = retry(Profile::Standard, 0, 0, &[]);
    for (code, retries, elapsed, expect) in [
        (400, 0, 29_999, true),
        (599, 0, 29_999, true),
        (302, 0, 0, false),
        (304, 0, 0, false),
        (503, 1, 0, false),
        (503, 0, 30_000, false),
    ] {
        check(&default, code, retries, elapsed, expect);
    }
}

#[test]
fn the_profile_says_where_a_pattern_matches() {
    check(&retry(Profile::Higress, 1, 0, &[]), 304, 0, 0, true);
    check(&retry(Profile::Standard, 1, 0, &[]), 304, 0, 0, false);
}

#[test]
fn a_clock_that_steps_back_leaves_time_for_a_retry() {
    let retry = retry(Profile::Standard, 1, 500, &["429"]);
    assert!(retry.allows(status(429), 0, instant(1_000), instant(0)));
}
